"""`junkie status` as its users run it: what it imports, hostile names, a terminal, exit codes, the embedded database."""

import asyncio
import json
import os
import pty
import re
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import pytest

from junkie_cli.coverage import Coverage
from junkie_cli.db.database import Database
from junkie_cli.db.places import Places
from junkie_cli.db.writer import Batch, Writer
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import running
from junkie_cli.models import Channel, ChannelType, Guild
from tests.acceptance.test_start_up import PROBE
from tests.command import Done, junkie

HOSTILE = "a\x1b[31m\nb\r[red]c[/red] \u202ed\x9b2J\x07\x00\ud83d"
"""A name with an escape sequence, line breaks, rich's markup, a right-to-left override, a C1 control and half a character."""

BORN = 1_200_000_000_000_000_000
LAST = BORN + (1 << 50)


@dataclass(frozen=True, slots=True)
class Shell:
    """An archive of a guild with one channel in which there is a gap, and `status` on it."""

    environ: dict[str, str]

    async def status(self, *arguments: str, **environ: str) -> Done:
        return await junkie(self.environ | environ).run("status", *arguments)

    async def on_terminal(self, *arguments: str, columns: int = 80, **environ: str) -> bytes:
        """Run it on a terminal and return what that is sent."""
        ours, theirs = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "junkie_cli", "status", *arguments),
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm", "COLUMNS": str(columns)}
            | self.environ
            | environ,
            stdin=theirs,
            stdout=theirs,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert await process.wait() == 0
        os.set_blocking(ours, False)
        written = os.read(ours, 65536)
        os.close(ours)
        os.close(theirs)
        return written


@pytest.fixture
async def shell(database: Database, database_url: str, tmp_path: Path) -> Shell:
    channels = [
        Channel(BORN, 1, None, ChannelType.TEXT, HOSTILE, LAST),
        Channel(BORN + 1, 1, BORN, ChannelType.PUBLIC_THREAD, HOSTILE, LAST),
    ]
    await Places(database).store(
        [Guild(1, HOSTILE)], [], channels, {BORN: None, BORN + 1: HOSTILE.replace("\x00", "")[:-1]}
    )
    await Writer(database).write(Batch(claims={BORN: Coverage.of([(BORN, BORN + 5), (BORN + 7, LAST + 1)])}))
    return Shell({"POSTGRES_URL": database_url, "JUNKIE_HOME": str(tmp_path)})


def controls(text: str) -> set[str]:
    """What of a text is a control, a direction's override or half a character, but line feeds."""
    return {each for each in text if unicodedata.category(each) in {"Cc", "Cf", "Cs"}} - {"\n"}


async def test_hostile_names_are_names(shell: Shell) -> None:
    for arguments in ((), ("--sort", "name"), ("--json",)):
        done = await shell.status(*arguments)
        assert (done.code, done.stderr) == (0, "")
        assert controls(done.stdout) == set()
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert found["guilds"][0]["name"] == HOSTILE
    assert {each["name"] for each in found["channels"]} == {HOSTILE}
    table = (await shell.status()).stdout
    assert table.count("[red]c[/red]") >= 2
    assert all(len(line) <= 80 for line in table.splitlines())


async def test_a_terminal_has_colours_and_nothing_else_that_moves_it(shell: Shell) -> None:
    written = (await shell.on_terminal()).decode()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", written)
    assert plain != written
    assert controls(plain) == {"\r"}
    piped = (await shell.status()).stdout

    def steady(text: str) -> list[str]:
        # Ages and the time go on between two runs.
        return [re.sub(r"\d+", "0", line.rstrip()) for line in text.replace("\r\n", "\n").splitlines()]

    assert steady(plain) == steady(piped)
    assert b"\x1b" not in await shell.on_terminal(NO_COLOR="1")
    assert b"\x1b" not in await shell.on_terminal(TERM="dumb")


async def test_it_is_as_wide_as_the_terminal(shell: Shell) -> None:
    wide = (await shell.on_terminal(columns=150, NO_COLOR="1")).decode().splitlines()
    narrow = (await shell.on_terminal(columns=40, NO_COLOR="1")).decode().splitlines()
    assert max(map(len, narrow)) <= 40 < max(map(len, wide)) <= 150
    assert "Updated" in wide[3]


async def test_a_terminal_without_unicode_is_sent_ascii(shell: Shell) -> None:
    written = await shell.on_terminal(LANG="C", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0", NO_COLOR="1")
    assert written.isascii()
    assert b"+####" in written


async def test_the_archive_alone_answers_and_discord_is_not_imported(shell: Shell) -> None:
    for arguments in ((), ("--json",)):
        finished = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PROBE, "status", *arguments),
            # An address that would fail at once, were it used.
            env={
                "PATH": os.environ["PATH"],
                "LANG": "C.UTF-8",
                "DISCORD_TOKEN": "MTIz.a.token",
                "DISCORD_API_URL": "http://127.0.0.1:1",
                **shell.environ,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        stdout, stderr = await finished.communicate()
        code, *modules = stderr.decode().splitlines()[-1].split()
        assert (code, len(stdout) > 100, len(stderr.splitlines())) == ("0", True, 1)
        assert {"psycopg"} <= set(modules)
        assert set(modules) & {"discord", "aiohttp", "psycopg_pool", "pytz"} == set()


async def test_exit_codes(shell: Shell) -> None:
    assert (await shell.status("--fail-on-gaps")).code == 3
    assert (await shell.status("--fail-on-gaps", "--since", "2024-12-31")).code == 0
    assert (await shell.status("--fail-on-gaps", JUNKIE_EXCLUDE=str(BORN))).code == 0
    for arguments, code, words in (
        (("--channel", "123456789012345678"), 2, "the archive knows no channel 123456789012345678"),
        (("--sort", "colour"), 2, "--sort"),
        (("--live",), 4, "no bot token is set"),
    ):
        done = await shell.status(*arguments)
        assert (done.code, done.stdout, done.stderr.count("\n")) == (code, "", 1)
        assert done.stderr.startswith("error: ")
        assert words in done.stderr
    done = await shell.status(JUNKIE_CHANNELS="123456789012345678")
    assert (done.code, done.stdout) == (4, "")
    assert "JUNKIE_CHANNELS (environment): the archive knows no channel" in done.stderr
    done = await shell.status(POSTGRES_URL="postgresql://nobody@127.0.0.1:1/none")
    assert (done.code, done.stdout) == (5, "")


async def test_the_embedded_database_is_started_and_stopped(junkie_home: Path) -> None:
    async with running(generate(seed=4, preset="2x120"), limits=Limits.off()) as emulator:
        discord = {"DISCORD_TOKEN": emulator.token, "DISCORD_API_URL": emulator.api_url}
        shell = Shell({"JUNKIE_HOME": str(junkie_home)})
        first = await shell.status()
        assert (first.code, first.stderr) == (0, "")
        assert "The archive is empty." in first.stdout
        assert (await junkie(shell.environ | discord).run("backfill")).code == 0
        done = await shell.status("--json", "--fail-on-gaps")
        assert (done.code, done.stderr) == (0, "")
        found = json.loads(done.stdout)
        assert [each["messages"] for each in found["channels"]] == [
            len(emulator.control.truth(int(each["channel_id"]))) for each in found["channels"]
        ]
        emulator.control.post(int(found["channels"][0]["channel_id"]), "new")
        assert (await shell.status("--fail-on-gaps")).code == 0
        done = await junkie(shell.environ | discord).run("status", "--live", "--fail-on-gaps")
        assert done.code == 3
        assert "1 channel has newer messages" in done.stdout
        assert "1 gap, since " in done.stdout
    assert not list(junkie_home.rglob("postmaster.pid"))
