"""junkie as its users run it: a process of its own, with nothing of the machine's environment but what a test gives."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from junkie_cli.config import VARIABLES
from tests import forked
from tests.forked import Forked

_READ_BY_JUNKIE: Final = {variable.name for variable in VARIABLES} | {"HOME", "PATH", "NOTIFY_SOCKET", "WATCHDOG_USEC"}
"""What the interpreter and the libraries don't read as they start."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended. A signal's number comes negative in `code`."""

    code: int
    stdout: str
    stderr: str


class Started:
    """A command that runs, with a process group of its own."""

    def __init__(self, process: asyncio.subprocess.Process | Forked) -> None:
        self.process = process

    @property
    def returncode(self) -> int | None:
        return self.process.returncode

    def terminate_like_ctrl_c(self) -> None:
        """Send SIGINT to the whole group, as a terminal does."""
        # It may have ended a moment ago.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Command:
    """Starts `junkie` in one environment."""

    environ: Mapping[str, str]
    folder: Path
    afresh: bool = False
    """With an interpreter that has imported nothing, rather than by the fork server. It takes half a second longer."""

    async def start(self, *arguments: str) -> Started:
        given = self.environ.items() - {("LANG", "C.UTF-8")}
        if not self.afresh and {name for name, _ in given} <= _READ_BY_JUNKIE:
            return Started(await forked.start(arguments, self.environ, self.folder))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "junkie_cli",
            *arguments,
            env=dict(self.environ),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return Started(process)

    async def wait(self, started: Started) -> Done:
        stdout, stderr = await started.process.communicate()
        assert started.returncode is not None
        return Done(started.returncode, stdout.decode(), stderr.decode())

    async def run(self, *arguments: str) -> Done:
        return await self.wait(await self.start(*arguments))

    async def kill(self, started: Started) -> None:
        """Kill the command, and nothing that it started, without warning."""
        if started.returncode is None:
            started.process.kill()
        await started.process.communicate()

    async def kill_server(self, home: Path) -> None:
        """Kill the postmaster of the embedded server without warning."""
        (pid_file,) = home.rglob("postmaster.pid")
        os.kill(int(pid_file.read_text().split("\n")[0]), signal.SIGKILL)


def junkie(environ: Mapping[str, str], folder: Path = Path("/"), *, afresh: bool = False) -> Command:
    """Return a way to start commands with this environment and no other."""
    return Command({"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environ}, folder, afresh=afresh)
