"""Ctrl-C ends a command soon, whatever it is at, and it says how to go on."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.acceptance.test_serve import Stage, stage
from tests.command import Started

__all__ = ["stage"]


async def connecting(s: Stage) -> Started:
    return await hanging(s, "me")


async def discovering(s: Stage) -> Started:
    return await hanging(s, "*channels*")


async def looking_for_threads(s: Stage) -> Started:
    return await hanging(s, "*archived*")


async def planning(s: Stage) -> Started:
    return await hanging(s, "*archived*", "--dry-run")


async def hanging(s: Stage, route: str, *arguments: str) -> Started:
    fault = s.emulator.control.fault("hang", route=route, times=None)
    started = await s.command.start("backfill", *arguments)
    while not fault.struck:
        assert started.returncode is None, (await s.command.wait(started)).stderr
        await asyncio.sleep(0.02)
    return started


async def waiting_for_a_page(s: Stage) -> Started:
    held = s.emulator.control.hold(min(s.emulator.control.readable()))
    started = await s.command.start("backfill")
    await held.arrived.wait()
    return started


async def waiting_for_the_rate_limit(s: Stage) -> Started:
    s.emulator.control.fault("429", times=None, retry_after=600.0)
    started = await s.command.start("backfill")
    while s.emulator.control.counts().messages < 2:
        assert started.returncode is None, (await s.command.wait(started)).stderr
        await asyncio.sleep(0.02)
    return started


async def waiting_for_a_database_that_stands_still(s: Stage) -> Started:
    return await standing_still(s, "backfill")


async def comparing_while_the_database_stands_still(s: Stage) -> Started:
    return await standing_still(s, "sync")


async def prompting_while_the_database_stands_still(s: Stage) -> Started:
    return await standing_still(s, "context", str(min(s.emulator.control.readable())))


async def standing_still(s: Stage, *arguments: str) -> Started:
    held = s.emulator.control.hold(min(s.emulator.control.readable()))
    started = await s.command.start(*arguments)
    await held.arrived.wait()
    for pid in s.server_pids():
        os.kill(pid, signal.SIGSTOP)
    held.release()
    await asyncio.sleep(0.2)
    return started


PHASES: list[Callable[[Stage], Awaitable[Started]]] = [
    connecting,
    discovering,
    looking_for_threads,
    planning,
    waiting_for_a_page,
    waiting_for_the_rate_limit,
    waiting_for_a_database_that_stands_still,
    comparing_while_the_database_stands_still,
    prompting_while_the_database_stands_still,
]


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.__name__)
async def test_it_is_interrupted(stage: Any, phase: Callable[[Stage], Awaitable[Started]]) -> None:
    async with stage() as s:
        started = await phase(s)
        started.terminate_like_ctrl_c()
        try:
            # It gives itself a second, which a busy machine stretches.
            async with asyncio.timeout(20):
                done = await s.command.wait(started)
        finally:
            # One that was not stopped may end by itself meanwhile.
            with suppress(OSError):
                for pid in s.server_pids():
                    os.kill(pid, signal.SIGCONT)
        assert done.code == 130, done
        assert "Everything fetched so far is kept" in done.stderr
        assert "Traceback" not in done.stderr
