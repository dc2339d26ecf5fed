"""Commands, and what they cost."""

import asyncio
import sys
from collections.abc import Mapping
from typing import NamedTuple

LAUNCH = """
import os, sys, time
began = time.perf_counter()
devnull = os.open(os.devnull, os.O_WRONLY)
pid = os.posix_spawn(sys.executable, [sys.executable, *sys.argv[1:]], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, devnull, 1)])
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), time.perf_counter() - began, usage.ru_maxrss / 1024)
"""
"""Starts and measures a command. What a process had in memory when it began counts as its child's: so this one is small."""


class Cost(NamedTuple):
    """What a command took: wall time in seconds, and the most memory in MB."""

    seconds: float
    memory: float


async def launched(*arguments: str, environ: Mapping[str, str]) -> Cost:
    """Run a command to its end, which must be good, and return what it cost."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", LAUNCH, "-m", "junkie_cli", *arguments),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
    )
    answer, _ = await process.communicate()
    code, seconds, memory = answer.split()
    assert code == b"0", arguments
    return Cost(float(seconds), float(memory))
