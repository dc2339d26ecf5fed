"""What it takes to start: the version and the help, beside an interpreter that does nothing."""

import asyncio
import os
import sys

from tests.benchmarks.context import medians
from tests.benchmarks.figure import Figure

TIMES = 25


async def run(*arguments: str, **environ: str) -> None:
    """Run Python, with what it writes going nowhere."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env={"PATH": os.environ["PATH"], **environ},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0, arguments


async def measure() -> list[Figure]:
    took = await medians(
        TIMES,
        nothing=lambda: run("-c", "pass"),
        version=lambda: run("-m", "junkie_cli", "--version"),
        help=lambda: run("-m", "junkie_cli", "--help"),
    )
    return [
        Figure("python -c pass", took["nothing"] * 1000, unit=" ms"),
        Figure("  junkie --version / that", took["version"] / took["nothing"], 6, "<="),
        Figure("  junkie --help / that", took["help"] / took["nothing"], 15, "<="),
    ]
