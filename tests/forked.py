"""Commands as processes of their own that begin after hundredths of a second; see `forkserver`."""

import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any


class Forked:
    """A command that runs, or did; it has of `asyncio.subprocess.Process` what tests use."""

    def __init__(
        self, pid: int, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader, told: asyncio.StreamReader
    ) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None
        self._ending = asyncio.create_task(self._end(told))

    async def _end(self, told: asyncio.StreamReader) -> None:
        # To its end, and so it is closed.
        self.returncode = int(await told.read())

    async def wait(self) -> int:
        await asyncio.shield(self._ending)
        assert self.returncode is not None
        return self.returncode

    async def communicate(self) -> tuple[bytes, bytes]:
        """Read all that it says, until it has ended and nobody holds its stdout or stderr any more."""
        stdout, stderr, _ = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return stdout, stderr

    def send_signal(self, number: int) -> None:
        """Send it a signal. Raises ProcessLookupError when it is known to have ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        # It may have ended a moment ago.
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


async def start(arguments: Sequence[str], environ: Mapping[str, str], folder: Path) -> Forked:
    """Start `junkie`, with no stdin, in a session of its own, with that environment and no other."""
    request = {"arguments": arguments, "environ": dict(environ), "folder": str(folder)}
    stdout, stderr, told = [await reader(end) for end in ask(request)]
    return Forked(int(await told.readline()), stdout, stderr, told)


def ask(request: Mapping[str, Any]) -> tuple[int, int, int]:
    """Have a command started; return what its stdout and stderr can be read from, and what is told of it."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    (stdout, its_stdout), (stderr, its_stderr) = os.pipe(), os.pipe()
    told, teller = socket.socketpair()
    its = [nothing, its_stdout, its_stderr, teller.detach()]
    socket.send_fds(server(), [json.dumps(request).encode() + b"\n"], its)
    for descriptor in its:
        os.close(descriptor)
    return stdout, stderr, told.detach()


async def reader(descriptor: int) -> asyncio.StreamReader:
    """Return a way to read that file; it is closed at its end."""
    stream = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", buffering=0)
    )
    return stream


@cache
def server() -> socket.socket:
    """Return the socket of this process's own fork server, which ends with it."""
    ours, its = socket.socketpair()
    with its:
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("forkserver.py"), str(its.fileno())],
            pass_fds=[its.fileno()],
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def stop() -> None:
        ours.close()
        process.wait()

    atexit.register(stop)
    return ours
