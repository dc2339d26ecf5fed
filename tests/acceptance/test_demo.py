"""`junkie demo`: it shows a real backfill, touches nothing of the user's, and leaves nothing behind however it ends."""

import asyncio
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from dataclasses import replace
from pathlib import Path

import pytest

from junkie_cli.cli import keeper
from tests.command import Command, Done, junkie

QUICK = ("demo", "--preset", "tiny", "--window", "0.02")
SLOW = ("demo", "--preset", "1x5000", "--window", "30")
PATIENCE = 60.0


@pytest.fixture
def home(junkie_home: Path) -> Path:
    return junkie_home / "my home"


@pytest.fixture
def command(home: Path) -> Command:
    """The user's own token and database are there, and would fail at once if they were used."""
    return junkie(
        {
            "JUNKIE_HOME": str(home),
            "DISCORD_TOKEN": "somebody's own",
            "DISCORD_API_URL": "http://127.0.0.1:1",
            "POSTGRES_URL": "postgresql://127.0.0.1:1/own",
            "BACKFILL_CONCURRENCY": "nonsense",
        }
    )


def traces(home: Path) -> list[str]:
    """Return the processes that have to do with the home, and what is in its demo folder."""
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    demos = home / "demo"
    return [line for line in processes if str(home) in line] + [each.name for each in demos.glob("*")]


def assert_nothing_is_left(home: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while (left := traces(home)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert left == []


def assert_shown(done: Done) -> None:
    assert done.code == 0, done
    assert re.search(r"^#general +\d+  complete$", done.stdout, re.MULTILINE), done
    assert re.search(r"^#dev › Save format +\d+  complete$", done.stdout, re.MULTILINE), done  # noqa: RUF001  as Discord
    assert re.search(r"^  \[\S.*\] \w[^\n]*\(\d+\): ", done.stdout, re.MULTILINE), done
    assert "A second backfill, nothing new: 0 message requests" in done.stdout
    assert "export DISCORD_TOKEN=" in done.stdout
    assert "junkie backfill" in done.stdout


async def test_in_a_pipe(command: Command, home: Path) -> None:
    done = await command.run(*QUICK)
    assert_shown(done)
    assert "Found 15 channels to backfill" in done.stderr
    assert re.search(r"Summary: \d+/17 channels successful, 2 failed", done.stderr)
    assert "\x1b" not in done.stdout + done.stderr
    # Whoever was started last is reaped before the demo ends.
    assert traces(home) == []


async def test_an_env_file_that_is_not_ready_yet_does_not_matter(command: Command, home: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DISCORD_TOKEN='…'\nCACHE_TTL=soon\n")
    assert_shown(await replace(command, folder=tmp_path).run(*QUICK))
    (tmp_path / ".env").write_text("LOG_LEVEL=loud\n")
    done = await replace(command, folder=tmp_path).run(*QUICK)
    assert done.code == 4
    assert done.stderr.startswith("error: LOG_LEVEL (")
    assert traces(home) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_however_it_ends_nothing_is_left(command: Command, home: Path, number: signal.Signals) -> None:
    started = await command.start(*SLOW)
    told = b""
    assert started.process.stderr is not None
    while b"Found 1 channel" not in told:
        told += await asyncio.wait_for(started.process.stderr.readline(), PATIENCE)
    assert traces(home) != []
    # To the command alone: what it has started must notice by itself.
    started.process.send_signal(number)
    done = await command.wait(started)
    if number is signal.SIGKILL:
        assert done.code == -signal.SIGKILL
    else:
        assert done.code == 130
        assert done.stderr.endswith("Interrupted. Nothing of this demo is left behind.\n")
        assert "run the same command again" not in done.stderr
        assert traces(home) == []
    assert_nothing_is_left(home)


def test_on_a_terminal(command: Command, home: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "junkie_cli", *QUICK],
        env={**command.environ, "TERM": "xterm-256color"},
        cwd="/",
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen = read_to_the_end(ours)
    assert process.wait(PATIENCE) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen)
    assert "Found 15 channels to backfill" in text
    assert "✓ Completed #general" in text
    # The whole's bar was drawn, and then wiped away.
    assert re.search(r"Total ━+ \d+/17 channels", text)
    assert "\x1b[1A" in screen
    assert screen.rfind("\x1b[?25h") > screen.rfind("\x1b[?25l")
    assert "0 message requests" in text
    assert_nothing_is_left(home)


def read_to_the_end(terminal: int) -> str:
    told = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            # Linux' way of saying that nobody has the other end any more.
            part = b""
        if not part:
            os.close(terminal)
            return told.decode("utf-8")
        told += part


class TestSweep:
    def test_a_folder_without_a_keeper_is_removed(self, junkie_home: Path) -> None:
        demos = junkie_home / "demo"
        stale, used, fresh, old = (demos / name for name in ("stale", "used", "fresh", "old"))
        for folder in (stale, used, fresh, old):
            folder.mkdir(parents=True)
        (stale / keeper.LOCK).touch()
        os.utime(old, (0, 0))
        lock = keeper.hold(used)
        assert lock is not None
        with lock:
            keeper.sweep(demos)
            assert sorted(each.name for each in demos.iterdir()) == ["fresh", "used"]

    def test_without_demos_there_is_nothing_to_sweep(self, junkie_home: Path) -> None:
        keeper.sweep(junkie_home / "demo")
        assert not (junkie_home / "demo").exists()
