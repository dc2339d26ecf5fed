"""`junkie context` as its users run it: two streams, exit codes, pipes, a terminal, and what it imports."""

import asyncio
import json
import os
import pty
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from junkie_cli.config import Settings
from junkie_cli.db.database import Database
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import Emulator, running
from tests.acceptance.test_start_up import PROBE
from tests.command import Command, Done, junkie
from tests.integration.answers import Archive, message, talk


@dataclass(frozen=True, slots=True)
class Shell:
    """An archive with a whole channel of five messages, and the commands on it."""

    environ: dict[str, str]

    async def context(self, *arguments: str, **environ: str) -> Done:
        return await junkie(self.environ | environ).run("context", *arguments)

    async def sh(self, script: str) -> Done:
        """Run a line of shell in which $junkie is the command."""
        command = Command(
            {"PATH": os.environ["PATH"], "junkie": f"{sys.executable} -m junkie_cli"} | self.environ, Path("/")
        )
        process = await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            script,
            env=dict(command.environ),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        stdout, stderr = await process.communicate()
        assert process.returncode is not None
        return Done(process.returncode, stdout.decode(), stderr.decode())


@pytest.fixture
async def shell(
    database: Database, database_url: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> Shell:
    def settings(**_environ: str) -> Settings:
        raise AssertionError("the commands have an environment of their own")

    archive = Archive(database, settings, capsysbinary)
    await archive.channel()
    await archive.whole([*talk(4), message("Zoë \u202e", 5, "naïve: 🦊 \x1b[31m", age=timedelta(minutes=1))])
    return Shell({"POSTGRES_URL": database_url, "JUNKIE_HOME": str(tmp_path)})


MOMENT = ("general", "--as-of", "2026-03-04T15:30")


async def test_stdout_has_the_prompt_and_nothing_else(shell: Shell) -> None:
    done = await shell.context(*MOMENT)
    assert done.code == 0
    assert done.stdout.startswith("Channel ID: 1234567890\nChannel: general\n")
    assert done.stdout.endswith("CURRENT message that you need to respond to.")
    assert "[1m ago] Zoë ‹U+202E›(5) says: naïve: 🦊 ␛[31m\n" in done.stdout  # noqa: RUF001  as it is shown
    first, second = done.stderr.splitlines()
    assert first.startswith("no bot token is set; this is the archive as of 20")
    assert second.startswith("as of 2026-03-04 15:30:00 UTC: earlier texts are not kept")
    assert (await shell.context(*MOMENT, "--offline", JUNKIE_KEEP_REVISIONS="1")).stderr == ""


async def test_a_terminal_gets_the_same_bytes_whatever_its_encoding(shell: Shell) -> None:
    piped = await shell.context(*MOMENT)
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "junkie_cli", "context", *MOMENT),
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", **shell.environ},
        stdin=theirs,
        stdout=theirs,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
    written = os.read(ours, 65536)
    os.close(ours)
    os.close(theirs)
    # What a terminal driver does to line feeds is not ours.
    assert written.replace(b"\r\n", b"\n").decode() == piped.stdout


async def test_output_goes_on_through_pipes(shell: Shell) -> None:
    done = await shell.sh(f"$junkie context {' '.join(MOMENT)} --format messages | {sys.executable} -m json.tool")
    assert [each["role"] for each in json.loads(done.stdout)] == ["system", "user", "user", "user", "user", "user"]
    done = await shell.sh(
        f"echo 'and I?' | $junkie context {' '.join(MOMENT)} --prompt - --author Eve:9 2>&1 | tail -3"
    )
    assert done.stdout.startswith("[just now] Eve(9) says: and I?\n\nIMPORTANT")


async def test_whoever_reads_may_go_and_a_full_disk_is_an_error(shell: Shell) -> None:
    done = await shell.sh(f"$junkie context {' '.join(MOMENT)} --offline | true; echo done")
    assert "Traceback" not in done.stderr
    done = await shell.sh(f"$junkie context {' '.join(MOMENT)} > /dev/full")
    assert done.code == 1
    assert done.stderr.splitlines()[-1].startswith("error: can't write to stdout: No space left on device; ")


async def test_the_environment_and_roles_set_the_limit(shell: Shell) -> None:
    environ = {"CONTEXT_AGENT_MAX_MESSAGES": "3", "TEAM_LEADER_CONTEXT_LIMIT": "1"}
    assert (await shell.context("general", "--offline", **environ)).stdout.count("): ") == 3
    done = await shell.context("general", "--offline", "--role", "team-leader", **environ)
    assert done.stdout.count("): ") == 1


async def test_a_fresh_archive_imports_neither_discord_nor_aiohttp(shell: Shell) -> None:
    finished = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROBE, "context", "general"),
        # An address that would fail at once, were it used.
        env={
            "PATH": os.environ["PATH"],
            "DISCORD_TOKEN": "MTIz.a.token",
            "DISCORD_API_URL": "http://127.0.0.1:1",
            "CACHE_TTL": "3600",
            **shell.environ,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await finished.communicate()
    code, *modules = stderr.decode().splitlines()[-1].split()
    assert (code, len(stdout) > 100) == ("0", True)
    assert len(stderr.splitlines()) == 1
    assert {"psycopg"} <= set(modules)
    assert set(modules) & {"discord", "aiohttp", "rich", "toktok"} == set()


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(seed=4, preset="1x120"), limits=Limits.off()) as started:
        yield started


async def test_an_archive_on_the_embedded_database_fills_itself(emulator: Emulator, junkie_home: Path) -> None:
    environ = {
        "JUNKIE_HOME": str(junkie_home),
        "DISCORD_TOKEN": emulator.token,
        "DISCORD_API_URL": emulator.api_url,
    }
    (channel,) = emulator.control.readable()
    first = await junkie(environ).run("context", str(channel), "--limit", "10", "--format", "json")
    assert (first.code, first.stderr) == (0, "")
    assert len(json.loads(first.stdout)["history"]) == 10
    emulator.control.reset_counts()
    again = await junkie(environ).run("context", str(channel), "--limit", "10", "--format", "json")
    assert emulator.control.counts().total == 0
    assert json.loads(again.stdout)["history"] == json.loads(first.stdout)["history"]
    emulator.control.post(channel, "new")
    stale = await junkie(environ).run("context", str(channel), "--max-age", "0", "--format", "json")
    assert json.loads(stale.stdout)["current"]["text"] == "new"
