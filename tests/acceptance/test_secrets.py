"""The bot's token and the database's password show nowhere: every command, at LOG_LEVEL=DEBUG, on every way to fail."""

import asyncio
import os
import random
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
import pytest
import typer
from psycopg import sql

from junkie_cli.cli.app import app
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import Emulator, running
from tests.command import Command, Done, Started, junkie

# New for each run: other runs of this test may go on beside.
PASSWORD: Final = f"pass-of-{token_hex(8)}@base"
QUOTED: Final = PASSWORD.replace("@", "%40")

# What a command is called with, where it needs something to get far; {channel} is a channel.
CALLS: Final = {
    "context": ["{channel}", "--max-age", "0"],
    "forget": ["--channel", "{channel}", "--yes"],
    "db psql": ["-c", "SELECT 1"],
    "db dump": ["--schema-only"],
    "demo": ["--no-such-option"],
    "emulator": ["--port", "1"],
}
ENOUGH: Final = 12
"""Requests after which `serve`, which would stay, is told to go."""

# A bug in the very place that holds the token, whose message is all that it holds.
STAGED: Final = """
import sys
from junkie_cli.client import session, transport

class Careless(Exception):
    pass

async def get(self, path, *, subject, params=None, **ids):
    token = self.http.token
    raise Careless(f"headers: {{'Authorization': 'Bot {token}'}}, token {token!r}")

transport.Api.get = get
from junkie_cli.__main__ import main
sys.argv = ["junkie", *sys.argv[1:]]
main()
"""


def every_command(group: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from every_command(command, (*path, name))
        else:
            yield " ".join((*path, name))


COMMANDS: Final = sorted(every_command(typer.main.get_command(app)))


@dataclass
class Scene:
    """An emulator and a database, whose secrets are looked for in whatever comes out."""

    emulator: Emulator
    url: str
    home: Path
    extra: dict[str, str] = field(default_factory=dict)
    started: list[Started] = field(default_factory=list)

    @property
    def secrets(self) -> list[bytes]:
        token = self.emulator.token
        return [text.encode() for text in (token, token.split(".")[2], PASSWORD, QUOTED)]

    @property
    def command(self) -> Command:
        return junkie(
            {
                "DISCORD_TOKEN": self.emulator.token,
                "DISCORD_API_URL": self.emulator.api_url,
                "POSTGRES_URL": self.url,
                "JUNKIE_HOME": str(self.home),
                "LOG_LEVEL": "DEBUG",
                **self.extra,
            }
        )

    async def start(self, *arguments: str) -> Started:
        self.started.append(await self.command.start(*arguments))
        return self.started[-1]

    async def end(self) -> None:
        for started in self.started:
            if started.returncode is None:
                await self.command.kill(started)

    async def run(self, name: str) -> Done:
        """Run a command, and tell it to go if it stays."""
        channel = str(min(self.emulator.control.readable()))
        arguments = [part.format(channel=channel) for part in CALLS.get(name, ())]
        started = await self.start(*name.split(), *arguments)
        ending = asyncio.ensure_future(self.command.wait(started))
        if name == "serve":
            await self.until_it_stays(ending)
            if not ending.done():
                started.terminate_like_ctrl_c()
        return await ending

    async def until_it_stays(self, ending: asyncio.Future[Done]) -> None:
        """Wait until a command has ended or asked for much, or listens."""
        control = self.emulator.control
        while not ending.done() and control.counts().total < ENOUGH and not control.sessions().connected:
            await asyncio.sleep(0.05)

    def assert_silent(self, done: Done, *, but: Sequence[bytes] = ()) -> None:
        said = (done.stdout + done.stderr).encode()
        for secret in self.secrets:
            assert secret in but or secret not in said, done

    async def run_all(self, commands: Sequence[str]) -> dict[str, Done]:
        """Run these, four at a time, and fail if one says what it must not."""
        places = asyncio.Semaphore(4)

        async def one(name: str) -> Done:
            async with places:
                return await self.run(name)

        ended = dict(zip(commands, await asyncio.gather(*map(one, commands)), strict=True))
        for done in ended.values():
            self.assert_silent(done)
        return ended


@pytest.fixture
async def scene(administrator_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    parts = urlsplit(administrator_url)
    role = f"role_of_{parts.path.removeprefix('/')}"
    with psycopg.connect(administrator_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(PASSWORD))
        )
        for kind in ("ALL TABLES", "ALL SEQUENCES"):
            connection.execute(
                sql.SQL("GRANT ALL ON {} IN SCHEMA junkie TO {}").format(sql.SQL(kind), sql.Identifier(role))
            )
        connection.execute(sql.SQL("GRANT ALL ON SCHEMA junkie TO {}").format(sql.Identifier(role)))
        try:
            url = parts._replace(netloc=f"{role}:{QUOTED}@{parts.netloc.rpartition('@')[2]}").geturl()
            async with running(generate(seed=random.randrange(2**30), preset="2x3"), limits=Limits.off()) as emulator:
                scene = Scene(emulator, url, tmp_path / "home")
                try:
                    yield scene
                finally:
                    await scene.end()
        finally:
            connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(role)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


ASKING: Final = [name for name in COMMANDS if name.split()[0] not in {"db", "demo", "emulator", "forget"}]
OTHERS: Final = [name for name in COMMANDS if name not in {"db url", "demo", "emulator"}]


async def test_when_all_is_well(scene: Scene) -> None:
    ended = await scene.run_all(OTHERS)
    assert ended["backfill"].code in {0, 3}, ended
    with psycopg.connect(scene.url) as connection:
        tables = connection.execute(
            "SELECT c.oid::regclass::text FROM pg_class AS c"
            " WHERE c.relnamespace = 'junkie'::regnamespace AND c.relkind IN ('r', 'p')"
        ).fetchall()
        for (table,) in tables:
            held = str(connection.execute(sql.SQL("SELECT t::text FROM {} AS t").format(sql.SQL(table))).fetchall())
            assert not any(secret in held.encode() for secret in scene.secrets), table


async def test_the_address_is_told_to_whoever_asks_for_it_and_the_token_to_nobody(scene: Scene) -> None:
    done = await scene.run("db url")
    assert done.stdout == scene.url + "\n"
    scene.assert_silent(done, but=[QUOTED.encode()])


@pytest.mark.parametrize("kind", ["401", "500"])
async def test_discord_refuses_everybody(scene: Scene, kind: str) -> None:
    scene.emulator.control.fault(kind, route="*", times=None)
    await scene.run_all(ASKING)


async def test_whatever_discord_does(scene: Scene) -> None:
    for skip, kind in enumerate(("reset", "truncate", "html", "malformed", "429", "403")):
        scene.emulator.control.fault(kind, route="*", skip=2 * skip)
    await scene.run_all(["backfill"])


async def test_discord_is_not_there(scene: Scene) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        scene.extra["DISCORD_API_URL"] = f"http://127.0.0.1:{bound.getsockname()[1]}/api/v10"
        await scene.run_all(ASKING)


@pytest.mark.parametrize("code", [4004, 4014])
async def test_the_gateway_throws_us_out(scene: Scene, code: int) -> None:
    control = scene.emulator.control
    started = await scene.start("serve")
    ending = asyncio.ensure_future(scene.command.wait(started))
    while not control.sessions().connected and not ending.done():
        await asyncio.sleep(0.05)
    control.disconnect(code)
    done = await ending
    assert done.code == 4
    scene.assert_silent(done)


async def test_no_database_there(scene: Scene) -> None:
    scene.url = f"postgresql://me:{QUOTED}@127.0.0.1:1/x"
    ended = await scene.run_all([name for name in OTHERS if name != "db stop"])
    assert {ended[name].code for name in ("backfill", "sync", "context", "db migrate")} == {5}, ended


async def test_addresses_that_lead_nowhere(scene: Scene) -> None:
    for url in (
        f"postgresql://me:{PASSWORD}@127.0.0.1:1/x",
        f"postgresql://me:{QUOTED}@127.0.0.1:port/x",
        f"postgresql://me:{QUOTED}@no-such-host.invalid/x",
        f"postgresql://127.0.0.1:1/x?user=me&password={QUOTED}",
        f"mysql://me:{QUOTED}@127.0.0.1/x",
        urlsplit(scene.url)._replace(path="/none_of_that_name").geturl(),
    ):
        scene.url = url
        ended = await scene.run_all(["backfill", "db psql"])
        assert ended["backfill"].code in {4, 5}


async def test_settings_that_make_no_sense(scene: Scene) -> None:
    for name, value in {
        "DISCORD_API_URL": f"https://me:{PASSWORD}@discord.example/api",
        "DISCORD_TOKEN": f"{scene.emulator.token} {scene.emulator.token}",
        "BACKFILL_CONCURRENCY": "many",
    }.items():
        scene.extra = {name: value}
        scene.assert_silent(await scene.run("backfill"))


@pytest.mark.parametrize("form", ["text", "json"])
async def test_a_bug_that_shows_all_it_has(scene: Scene, form: str) -> None:
    scene.extra = {"JUNKIE_LOG_FORMAT": form}
    for name in ("backfill", "sync"):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", STAGED, name),
            env=dict(scene.command.environ),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        stdout, stderr = await process.communicate()
        assert b"Careless" in stderr
        assert b"Traceback" in stderr
        for secret in scene.secrets:
            assert secret not in stdout + stderr, stderr.decode()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
async def test_other_processes_see_nothing(scene: Scene, junkie_home: Path) -> None:
    """While a backfill stands still: its own arguments, the embedded server's, and what that one's environment holds."""
    scene.url, scene.home = "", junkie_home
    held = scene.emulator.control.hold(min(scene.emulator.control.readable()))
    started = await scene.start("backfill")
    while not held.arrived.is_set():
        assert started.returncode is None
        await asyncio.sleep(0.05)
    seen = processes()
    servers = [pid for pid, (line, _) in seen.items() if str(scene.home).encode() in line and b"postgres" in line]
    assert servers
    for pid, (line, environ) in seen.items():
        for secret in scene.secrets:
            assert secret not in line, line
            assert pid == started.process.pid or secret not in environ, line
    held.release()
    scene.assert_silent(await scene.command.wait(started))
    for file in scene.home.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(secret in content for secret in scene.secrets), file


def processes() -> Mapping[int, tuple[bytes, bytes]]:
    """Return the arguments and the environment of every process that we may look at."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                found[int(folder.name)] = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
            except OSError:
                continue
    return found
