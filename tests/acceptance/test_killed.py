"""A backfill that is killed at any moment, and run again at once, ends with the truth; coverage never claims more."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from junkie_cli.config import Settings
from junkie_cli.db.database import Database, open_database
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import Emulator, running
from tests.command import Command, junkie
from tests.truth import assert_claims_hold, assert_equals_truth

MakeSettings = Callable[..., Settings]


@asynccontextmanager
async def scene(
    make_settings: MakeSettings, home: Path, preset: str, *, latency_ms: float = 2
) -> AsyncIterator[tuple[Emulator, Command, Callable[[], Any]]]:
    """An emulator, a way to start commands on the embedded database of `home`, and a way to look into it."""
    async with running(generate(seed=2, preset=preset), limits=Limits.off(), latency_ms=latency_ms) as emulator:
        environ = {
            "JUNKIE_HOME": str(home),
            "DISCORD_TOKEN": emulator.token,
            "DISCORD_API_URL": emulator.api_url,
        }
        settings = make_settings(**environ)
        yield emulator, junkie(environ), lambda: open_database(settings)


def truths(emulator: Emulator) -> dict[int, list[Any]]:
    return {channel_id: emulator.control.truth(channel_id) for channel_id in emulator.control.readable()}


@pytest.mark.parametrize("seed", range(2))
async def test_killed_at_random_moments_and_run_again_at_once(
    make_settings: MakeSettings, junkie_home: Path, seed: int
) -> None:
    moments = random.Random(seed)
    async with scene(make_settings, junkie_home, "8x900") as (emulator, command, database):
        for _ in range(5):
            asked = emulator.control.counts().messages
            process = await command.start("backfill")
            # Some kills come before the first page, most in the middle of things.
            goal = asked + moments.randrange(0, 15)
            while process.returncode is None and emulator.control.counts().messages < goal:
                await asyncio.sleep(0.001)
            await asyncio.sleep(moments.random() * 0.01)
            await command.kill(process)
            opened: Database
            async with database() as opened:
                await assert_claims_hold(opened, truths(emulator))
        done = await command.run("backfill", "--accept-unreadable")
        assert done.code == 0, done.stderr
        async with database() as opened:
            await assert_equals_truth(opened, truths(emulator))


async def test_the_server_killed_in_mid_run_is_started_again_and_nothing_is_lost(
    make_settings: MakeSettings, junkie_home: Path
) -> None:
    async with scene(make_settings, junkie_home, "8x900", latency_ms=10) as (emulator, command, database):
        process = await command.start("backfill")
        for n in range(2):
            while emulator.control.counts().messages < 10 + 20 * n:
                await asyncio.sleep(0.001)
            await command.kill_server(junkie_home)
        done = await command.wait(process)
        assert done.code == 0, done.stderr
        opened: Database
        async with database() as opened:
            await assert_equals_truth(opened, truths(emulator))


async def test_several_at_once_share_the_work_and_take_over_from_one_that_is_killed(
    make_settings: MakeSettings, junkie_home: Path
) -> None:
    async with scene(make_settings, junkie_home, "12x900", latency_ms=20) as (emulator, command, database):
        alone = 12 * 10
        processes = [await command.start("backfill") for _ in range(4)]
        while emulator.control.counts().messages < 40:
            await asyncio.sleep(0.001)
        await command.kill(processes[0])
        ends = await asyncio.gather(*(command.wait(process) for process in processes[1:]))
        assert [end.code for end in ends] == [0, 0, 0], "\n".join(end.stderr for end in ends)
        opened: Database
        async with database() as opened:
            await assert_equals_truth(opened, truths(emulator))
            workers = await opened.fetch("SELECT count(*) FROM junkie.workers")
        # Twelve pages may have been in flight, or not yet written, when their process was killed.
        assert emulator.control.counts().messages <= 1.05 * alone + 24
        assert workers == [(0,)]


async def test_ctrl_c_keeps_everything_and_says_how_to_go_on(make_settings: MakeSettings, junkie_home: Path) -> None:
    async with scene(make_settings, junkie_home, "4x2000", latency_ms=20) as (emulator, command, database):
        process = await command.start("backfill")
        while emulator.control.counts().messages < 12:
            await asyncio.sleep(0.001)
        process.terminate_like_ctrl_c()
        done = await command.wait(process)
        assert done.code == 130
        assert "again" in done.stderr
        assert "Traceback" not in done.stderr
        opened: Database
        async with database() as opened:
            await assert_claims_hold(opened, truths(emulator))
            held = await opened.fetch("SELECT sum(message_count) FROM junkie.channel_status")
        assert held[0][0] >= 400


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_terminal_that_closes_and_a_supervisor_that_stops_us_end_it_as_cleanly(
    make_settings: MakeSettings, junkie_home: Path, number: signal.Signals
) -> None:
    async with scene(make_settings, junkie_home, "2x2000", latency_ms=20) as (emulator, command, database):
        process = await command.start("backfill")
        while emulator.control.counts().messages < 6:
            await asyncio.sleep(0.001)
        process.process.send_signal(number)
        done = await command.wait(process)
        assert done.code == 130
        opened: Database
        async with database() as opened:
            await assert_claims_hold(opened, truths(emulator))
