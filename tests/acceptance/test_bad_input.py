"""Whatever is wrong: one line that says what happened, to what, and what to do next, and the right exit code."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from junkie_cli.emulator.entities import ChannelType
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import Emulator, running
from tests.command import Done, junkie

UNKNOWN = "123456789012345678"
HERMETIC = Path("/proc")


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(seed=3, preset="1x5"), limits=Limits.off()) as started:
        yield started


@contextmanager
def closed_port() -> Iterator[int]:
    """A port of this machine where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


async def run(*arguments: str, home: Path, **settings: str) -> Done:
    return await junkie({"JUNKIE_HOME": str(home)} | settings).run(*arguments)


async def backfill(emulator: Emulator, database_url: str, home: Path, *flags: str, **settings: str) -> Done:
    named = {"DISCORD_TOKEN": emulator.token, "DISCORD_API_URL": emulator.api_url, "POSTGRES_URL": database_url}
    return await run("backfill", *flags, home=home, **(named | settings))


def refusal(done: Done, code: int) -> str:
    """The one line of an error, once it is seen to be one, with that exit code and a next step."""
    assert done.code == code, done
    assert done.stdout == "", done
    assert done.stderr.startswith("error: "), done
    assert done.stderr.count("\n") == 1, done
    assert "; " in done.stderr, done
    return done.stderr.removeprefix("error: ").rstrip("\n")


@pytest.mark.parametrize("arguments", [("--version",), ("status",)])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_a_full_disk(database_url: str, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", '"$@" > /dev/full', "sh", sys.executable, "-m", "junkie_cli", *arguments),
        env={"PATH": os.environ["PATH"], "JUNKIE_HOME": str(tmp_path), "POSTGRES_URL": database_url},
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await process.communicate()
    assert process.returncode == 1
    assert stderr.startswith(b"error: can't write to stdout: No space left on device; ")
    assert stderr.count(b"\n") == 1


class TestToken:
    async def test_missing(self, tmp_path: Path) -> None:
        done = await run("backfill", home=tmp_path / "home")
        line = refusal(done, 4)
        assert "no bot token is set" in line
        assert "DISCORD_TOKEN" in line

    async def test_wrong(self, emulator: Emulator, database_url: str, tmp_path: Path) -> None:
        wrong = emulator.token[:-5] + "wrong"
        done = await backfill(emulator, database_url, tmp_path, DISCORD_TOKEN=wrong)
        line = refusal(done, 4)
        assert "token" in line
        assert wrong not in line

    async def test_with_a_line_break_inside(self, emulator: Emulator, database_url: str, tmp_path: Path) -> None:
        broken = emulator.token.replace(".", ".\n", 1)
        done = await backfill(emulator, database_url, tmp_path, DISCORD_TOKEN=broken)
        assert refusal(done, 4).startswith("DISCORD_TOKEN (environment) holds blanks, line breaks")
        assert emulator.token.split(".")[2] not in done.stderr

    async def test_with_a_line_break_at_its_end_is_right(
        self, emulator: Emulator, database_url: str, tmp_path: Path
    ) -> None:
        done = await backfill(emulator, database_url, tmp_path, DISCORD_TOKEN=f" {emulator.token}\r\n")
        assert done.code == 0, done

    @pytest.mark.parametrize("level", ["INFO", "DEBUG"])
    async def test_shows_in_no_stream(self, emulator: Emulator, database_url: str, tmp_path: Path, level: str) -> None:
        emulator.control.fault("500", route="gateway_bot")
        wrong = "MTIz.wrong.token-of-nobody"
        for token, code in ((emulator.token, 0), (wrong, 4)):
            done = await backfill(emulator, database_url, tmp_path, "--json", DISCORD_TOKEN=token, LOG_LEVEL=level)
            assert done.code == code, done
            assert token not in done.stdout + done.stderr
            assert token.split(".")[2] not in done.stdout + done.stderr


class TestDiscord:
    async def test_unreachable(self, database_url: str, tmp_path: Path) -> None:
        with closed_port() as port:
            settings = {"DISCORD_API_URL": f"http://127.0.0.1:{port}/api/v10", "DISCORD_TOKEN": "MTIz.a.token"}
            done = await run("backfill", home=tmp_path, POSTGRES_URL=database_url, **settings)
        *logged, line = done.stderr.splitlines()
        assert done.code == 1
        assert line.startswith("error: ")
        assert "; " in line
        assert not any(one.startswith("error") for one in logged)
        assert "Traceback" not in done.stderr
        assert "token" not in done.stderr


class TestDatabase:
    async def test_unreachable(self, emulator: Emulator, tmp_path: Path) -> None:
        with closed_port() as port:
            url = f"postgresql://someone:hunter2@127.0.0.1:{port}/archive"
            done = await backfill(emulator, url, tmp_path)
        line = refusal(done, 5)
        assert f"127.0.0.1:{port}" in line
        assert "POSTGRES_URL" in line
        assert "hunter2" not in line

    async def test_that_does_not_exist(self, emulator: Emulator, server_url: str, tmp_path: Path) -> None:
        missing = urlsplit(server_url)._replace(path="/of_this_name_there_is_none").geturl()
        line = refusal(await backfill(emulator, missing, tmp_path), 5)
        assert "of_this_name_there_is_none" in line

    async def test_read_only_and_empty(self, emulator: Emulator, empty_database_url: str, tmp_path: Path) -> None:
        make_read_only(empty_database_url)
        assert "takes no writes" in refusal(await backfill(emulator, empty_database_url, tmp_path), 5)

    async def test_read_only_and_migrated(self, emulator: Emulator, database_url: str, tmp_path: Path) -> None:
        make_read_only(database_url)
        assert "takes no writes" in refusal(await backfill(emulator, database_url, tmp_path), 5)

    async def test_of_another_program(self, emulator: Emulator, empty_database_url: str, tmp_path: Path) -> None:
        with psycopg.connect(empty_database_url) as connection:
            connection.execute("CREATE SCHEMA junkie")
            connection.execute("CREATE TABLE junkie.messages (precious text)")
            connection.execute("INSERT INTO junkie.messages VALUES ('heirloom')")
        done = await backfill(emulator, empty_database_url, tmp_path)
        assert "POSTGRES_URL" in refusal(done, 5)
        with psycopg.connect(empty_database_url) as connection:
            assert connection.execute("SELECT * FROM junkie.messages").fetchall() == [("heirloom",)]


def make_read_only(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        name = urlsplit(url).path.removeprefix("/")
        connection.execute(
            psycopg.sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(
                psycopg.sql.Identifier(name)
            )
        )


class TestChannel:
    async def test_that_is_no_id(self, tmp_path: Path) -> None:
        text = "9" * 19
        flag = await run("backfill", "--channel", text, home=tmp_path, DISCORD_TOKEN="MTIz.a.b")
        assert f"--channel: '{text}' is not a Discord id" in refusal(flag, 2)
        variable = await run("backfill", home=tmp_path, DISCORD_TOKEN="MTIz.a.b", JUNKIE_CHANNELS=text)
        assert f"JUNKIE_CHANNELS (environment): '{text}' is not a Discord id" in refusal(variable, 4)

    @pytest.mark.parametrize(("flag", "variable"), [("--channel", "JUNKIE_CHANNELS"), ("--guild", "JUNKIE_GUILDS")])
    async def test_that_does_not_exist(
        self, emulator: Emulator, database_url: str, tmp_path: Path, flag: str, variable: str
    ) -> None:
        for text in (UNKNOWN, "nowhere"):
            line = refusal(await backfill(emulator, database_url, tmp_path, flag, text), 2)
            assert line.startswith(f"{flag}: ")
            assert text in line
            line = refusal(await backfill(emulator, database_url, tmp_path, **{variable: text}), 4)
            assert line.startswith(f"{variable} (environment): ")
            assert text in line

    async def test_that_has_a_hostile_namesake(self, emulator: Emulator, database_url: str, tmp_path: Path) -> None:
        guild = next(iter(emulator.world.guilds.values()))
        for _ in range(2):
            emulator.control.add_channel(guild.id, "twin\x1b[2J\n\u202e[red]", ChannelType.VOICE)
        line = refusal(await backfill(emulator, database_url, tmp_path, "--channel", "twin[2J[red]"), 2)
        assert "may be" in line
        assert line.isprintable()

    async def test_that_is_a_category(self, emulator: Emulator, database_url: str, tmp_path: Path) -> None:
        guild = next(iter(emulator.world.guilds.values()))
        category = emulator.control.add_channel(guild.id, "Projects", ChannelType.CATEGORY)
        done = await backfill(emulator, database_url, tmp_path, "--channel", str(category.id))
        line = refusal(done, 2)
        assert "category" in line
        assert "Projects" in line


class TestHome:
    async def test_below_a_file(self, emulator: Emulator, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        await self.refused(emulator, tmp_path / "file" / "home")

    @pytest.mark.skipif(not HERMETIC.exists(), reason="needs a folder that takes nothing new, not even from root")
    async def test_that_can_not_be_made(self, emulator: Emulator) -> None:
        await self.refused(emulator, HERMETIC / "junkie")

    async def refused(self, emulator: Emulator, home: Path) -> None:
        settings = {"DISCORD_TOKEN": emulator.token, "DISCORD_API_URL": emulator.api_url}
        line = refusal(await run("backfill", home=home, **settings), 5)
        assert str(home) in line
        assert "JUNKIE_HOME" in line
        assert emulator.control.counts().messages == 0
