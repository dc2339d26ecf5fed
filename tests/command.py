"""junkie as users run it: a process of its own, with settings that the test alone gives it."""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_KEPT: Final = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
    "JUNKIE_PG_BIN",
    "COVERAGE_PROCESS_START",
)


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    def refusal(self, code: int) -> str:
        """Return the one line of an error, having checked that it is one, with that exit code and a next step."""
        assert self.code == code, self
        assert self.out == "", self
        assert self.err.count("\n") == 1, self
        assert self.err.startswith("error: "), self
        assert "; " in self.err, self
        assert "Traceback" not in self.err, self
        return self.err.removeprefix("error: ").rstrip("\n")


def environment(home: Path, **settings: str) -> dict[str, str]:
    """Return the environment of a command: what a process needs, a home, and the settings."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"HOME": str(home), "JUNKIE_HOME": str(home), "COLUMNS": "100"} | settings


async def junkie(
    *arguments: str, home: Path, folder: Path | None = None, stdin: str = "", limit: float = 60, **settings: str
) -> Finished:
    """Run `junkie` to its end, within so many seconds, in the working folder `folder` (if not given, its home)."""
    process = await start(*arguments, home=home, folder=folder, **settings)
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), limit)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Finished(process.returncode, out.decode(), err.decode())


async def start(*arguments: str, home: Path, folder: Path | None = None, **settings: str) -> asyncio.subprocess.Process:
    """Start `junkie`, all its streams piped."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "junkie_cli",
        *arguments,
        cwd=folder or home,
        env=environment(home, **settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
