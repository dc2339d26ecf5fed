"""`serve` with 2,500 guilds on two shards in one process: JUNKIE_BENCH_GUILDS sets another number.

Guilds have a channel of five messages each. Both shards' sessions may begin at once, as a large bot's may. Requests are
limited as Discord limits them: five for each guild, four for each channel (its two lists of archived threads, two pages),
45 a second.
"""

import asyncio
import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from junkie_cli import config
from junkie_cli.db.database import open_database
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import Emulator, running
from junkie_cli.emulator.world import World
from tests import postgres
from tests.benchmarks.figure import Figure
from tests.benchmarks.setting import environment

GUILDS = int(os.environ.get("JUNKIE_BENCH_GUILDS", "2500"))
CHANNELS, MESSAGES, SHARDS = 1, 5, 2
REQUESTS = 5 + 4 * CHANNELS
FIXED_REQUESTS = 20
"""What is asked for each guild, and besides, whatever the number of guilds: the bot itself, pages of its guilds."""


def many(guilds: int, channels: int = CHANNELS, messages: int = MESSAGES) -> World:
    """Return a world of so many guilds, each with so many channels of so many messages."""
    world = World(seed=1)
    # There is nobody yet to hear of it.
    with world.silent():
        for n in range(guilds):
            # Shards part guilds by the milliseconds of their birth.
            guild = world.add_guild(f"guild {n}", at_ms=world.end_ms - 30 * 86_400_000 + n * 60_001)
            for c in range(channels):
                channel = world.add_channel(guild.id, f"channel-{c}")
                for m in range(messages):
                    world.post(channel.id, f"message {m}", author_id=guild.owner_id)
    return world


def health(port: int) -> dict[str, Any]:
    """Return what `serve` says of itself; nothing while it does not listen."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as refusal:
        return dict(json.load(refusal))
    except OSError:
        return {}


def is_well(state: dict[str, Any]) -> bool:
    """Tell whether all is heard, and all that was not is fetched."""
    return state.get("status") == "well" and not state["mending"]


async def until(wanted: Callable[[], bool]) -> float:
    """Wait until something is so, and return when that was."""
    while not await asyncio.to_thread(wanted):
        await asyncio.sleep(0.1)
    return time.perf_counter()


async def held(home: Path) -> int:
    """Return how many messages the archive has."""
    settings = config.load(environ={"JUNKIE_HOME": str(home)}, folder=home)
    async with open_database(settings) as database:
        ((count,),) = await database.fetch("SELECT count(*) FROM junkie.messages")
        return int(count)


async def hear(emulator: Emulator, home: Path) -> float:
    """Post in every guild, and return the seconds until all of it is archived."""
    control = emulator.control
    began = time.perf_counter()
    for guild in list(emulator.world.guilds.values()):
        control.post(min(guild.channels), "heard", author_id=guild.owner_id)
    while await held(home) < len(emulator.world.guilds) * (CHANNELS * MESSAGES + 1):
        await asyncio.sleep(0.2)
    return time.perf_counter() - began


async def measure() -> list[Figure]:
    world = many(GUILDS)
    home = postgres.make_home()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    try:
        async with running(world, limits=Limits.off()) as emulator:
            emulator.control.set_session_starts(shards=SHARDS, max_concurrency=SHARDS, spacing=5.0)
            began = time.perf_counter()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "junkie_cli", "serve", "--health", f"127.0.0.1:{port}"),
                env=environment(emulator, home),
            )
            try:
                ready = await until(lambda: emulator.control.sessions().connected == SHARDS)
                well = await until(lambda: is_well(health(port)))
                heard = await hear(emulator, home)
                status = Path(f"/proc/{process.pid}/status").read_text()
            finally:
                process.terminate()
                await process.wait()
            sessions, requests = emulator.control.sessions(), emulator.control.counts().total
            missed = len(world.guilds) * (CHANNELS * MESSAGES + 1) - await held(home)
    finally:
        postgres.remove_home(home)
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return [
        Figure(f"{GUILDS:,} guilds, {SHARDS} shards: until both are connected", ready - began, unit=" s"),
        Figure("  until all of it was archived", well - began, unit=" s"),
        Figure("  requests for each guild", requests / GUILDS, REQUESTS + FIXED_REQUESTS / GUILDS, "<="),
        Figure("  of the former, requests / 45 a second", requests / 45, unit=" s"),
        Figure("  a message in each guild, until all are archived", heard, unit=" s"),
        Figure("  peak memory of serve", peak, unit=" MB"),
        Figure("  sessions begun", sessions.identifies, SHARDS, "<="),
        Figure("  messages missed", missed, 0, "<="),
    ]
