"""Commands as processes of their own, begun within milliseconds; see `hurried`."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True, eq=False)
class Child:
    """A command that runs, or did: `ended` is its exit code, or a signal's number, negative."""

    name: str
    pid: int
    output: Path
    ended: "asyncio.Future[int]"
    harmed: bool = False
    """Whether something was done for which it may end with an error."""

    told_to_end: bool = False

    @property
    def runs(self) -> bool:
        return not self.ended.done()

    def send(self, number: signal.Signals) -> None:
        """Send the command, and nothing that it started, a signal."""
        self.harmed = self.told_to_end = True
        with suppress(ProcessLookupError):
            if self.runs:
                os.kill(self.pid, number)

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")


class Nursery:
    """Starts commands. Made by `nursery`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.children: list[Child] = []
        self._process = process
        self._folder = folder
        self._born: list[asyncio.Future[int]] = []
        self._by_pid: dict[int, asyncio.Future[int]] = {}

    async def start(self, arguments: list[str], environ: Mapping[str, str]) -> Child:
        """Start a command with that environment and no other."""
        output = self._folder / f"{len(self.children):03}-{arguments[0]}"
        request = {"arguments": arguments, "environ": dict(environ), "folder": "/", "output": str(output)}
        output.touch()
        born = asyncio.get_running_loop().create_future()
        self._born.append(born)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        pid = await born
        child = Child(" ".join(arguments), pid, output, self._by_pid[pid])
        self.children.append(child)
        return child

    async def listen(self) -> None:
        """Hear of beginnings and ends until the other side ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "started" in told:
                self._by_pid[told["started"]] = asyncio.get_running_loop().create_future()
                self._born.pop(0).set_result(told["started"])
            else:
                self._by_pid.pop(told["ended"]).set_result(told["status"])
        for waiting in (*self._born, *self._by_pid.values()):
            if not waiting.done():
                waiting.cancel("the process that becomes commands has ended")


@asynccontextmanager
async def nursery(folder: Path) -> AsyncIterator[Nursery]:
    """Have commands started, their output below `folder`; what still runs at the end is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("hurried.py")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    found = Nursery(process, folder)
    hearing = asyncio.create_task(found.listen())
    try:
        yield found
    finally:
        for child in found.children:
            child.send(signal.SIGKILL)
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await hearing
