"""SIGTERM ends a serve well, whatever it is at."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_serve import Stage, stage
from tests.command import Started

__all__ = ["stage"]


async def discovering(s: Stage) -> Started:
    fault = s.emulator.control.fault("hang", route="*channels*", times=None)
    started = await s.command.start("serve")
    while not fault.struck:
        await asyncio.sleep(0.02)
    return started


async def backfilling(s: Stage) -> Started:
    held = s.emulator.control.hold(min(s.emulator.control.readable()))
    started = await s.command.start("serve")
    await held.arrived.wait()
    return started


async def idle(s: Stage) -> Started:
    return await s.start()


async def without_gateway(s: Stage) -> Started:
    s.emulator.control.gateway_down()
    started = await s.command.start("serve", "--health", f"127.0.0.1:{s.port}")
    await s.until(lambda state: bool(state["code"]), started)
    return started


async def gateway_silent(s: Stage) -> Started:
    started = await s.start()
    s.emulator.control.gateway_down("hang")
    await s.until(lambda state: state["code"] == 503, started)
    return started


async def database_hung(s: Stage) -> Started:
    started = await s.start()
    for pid in s.server_pids():
        os.kill(pid, signal.SIGSTOP)
    s.emulator.control.post(min(s.emulator.control.readable()), "never written")
    await s.until(lambda state: bool(state["queue_depth"]) or state["database"] == "away", started)
    return started


async def database_killed(s: Stage) -> Started:
    started = await s.start()
    await s.command.kill_server(s.home)
    s.emulator.control.post(min(s.emulator.control.readable()), "the last word")
    return started


async def starting(s: Stage) -> Started:
    """Its modules are being imported: it has not begun."""
    started = await replace(s.command, afresh=True).start("serve")
    maps = Path(f"/proc/{started.process.pid}/maps")
    while "_ssl" not in maps.read_text():
        await asyncio.sleep(0.001)
    return started


PHASES: list[Callable[[Stage], Awaitable[Started]]] = [
    starting,
    discovering,
    backfilling,
    idle,
    without_gateway,
    gateway_silent,
    database_hung,
    database_killed,
]


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.__name__)
async def test_it_is_stopped(stage: Any, phase: Callable[[Stage], Awaitable[Started]]) -> None:
    async with stage() as s:
        started = await phase(s)
        started.process.send_signal(signal.SIGTERM)
        try:
            # It gives itself 4 s, which a busy machine stretches.
            async with asyncio.timeout(30):
                done = await s.command.wait(started)
            assert done.code == 0, done.stderr
            assert "Traceback" not in done.stderr
        finally:
            for pid in s.server_pids():
                os.kill(pid, signal.SIGCONT)
