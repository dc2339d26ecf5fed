"""Events by the thousand each second: nothing lost, the queue drains, memory flat.

`measure` takes 2,000 a second for a minute over 50 channels; `endure` a million, a fifth of them edits and deletions.
"""

import asyncio
import math
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from junkie_cli.client.gateway import open_gateway
from junkie_cli.client.session import open_client
from junkie_cli.db.database import Database
from junkie_cli.db.workers import present
from junkie_cli.ingest.backfill import BackfillOptions
from junkie_cli.ingest.mending import ServeOptions
from junkie_cli.ingest.serve import Serve
from junkie_cli.ingest.sync import SyncOptions
from tests.benchmarks.figure import Figure
from tests.benchmarks.setting import Discord, archive, discord

RATE, SECONDS, CHANNELS = 2_000, 60, 50
MILLION, PARTS = 1_000_000, 20
SILENCE = 5.0
"""Seconds without an event after which what has not come is lost: a busy machine has some in its sockets."""


def memory() -> float:
    """Return what this process has in memory now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


@dataclass(slots=True)
class Stage:
    """A serve that has nothing more to mend, and what was asked of it."""

    emulator: Discord
    database: Database
    serve: Serve
    posted: int = 0
    deleted: int = 0
    events: int = 0
    deepest: int = 0
    memories: list[float] = field(default_factory=list)

    async def stream(self, seconds: float, **shares: float) -> None:
        """Let events flow at RATE."""
        streaming = asyncio.create_task(self.emulator.ask("stream", rate=RATE, seconds=seconds, **shares))
        while not streaming.done():
            await asyncio.sleep(0.2)
            self.deepest = max(self.deepest, self.serve.vitals().depth)
        done = await streaming
        self.posted += done["posted"]
        self.deleted += done["deleted"]
        self.events += done["posted"] + done["edited"] + done["deleted"]
        self.memories.append(memory())

    async def drained(self) -> float:
        """Wait until all is archived, or nothing more comes; return how many seconds that took."""
        began = time.perf_counter()
        while await self.lost() and not self._silent():
            await asyncio.sleep(0.05)
        return time.perf_counter() - began

    def _silent(self) -> bool:
        """Whether nothing is heard any more, and nothing waits."""
        now = self.serve.vitals()
        ages = [math.inf if shard.event_age is None else shard.event_age for shard in now.shards]
        return min(ages, default=math.inf) > SILENCE and not now.depth and not now.mending

    async def lost(self) -> int:
        """Return how many messages the archive lacks; negative: has too many."""
        held = (await self.database.fetch("SELECT sum(message_count) FROM junkie.channel_status"))[0][0]
        return int(self.posted - self.deleted + CHANNELS * 10 - held)


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Run an emulator of 50 channels and a serve."""
    async with discord(f"{CHANNELS}x10", "--rate-limit", "0") as emulator, archive(emulator) as (settings, database):
        options = ServeOptions(backfill=BackfillOptions(), sync=SyncOptions())
        async with open_client(settings) as client, present(database, "serve", client.me.user_id) as presence:
            serve = Serve(options, client, database, presence, lambda _event: None)
            running = asyncio.create_task(serve.run(lambda on_event: open_gateway(settings, client, on_event)))
            stage = Stage(emulator, database, serve)
            while serve.vitals().mending or not serve.vitals().connected:
                await asyncio.sleep(0.1)
            try:
                yield stage
            finally:
                running.cancel()
                await asyncio.wait([running])


async def measure() -> list[Figure]:
    async with staged() as stage:
        for _ in range(2):
            await stage.stream(SECONDS / 2)
        drained = await stage.drained()
        lost = await stage.lost()
    return [
        Figure(f"live: {stage.events:,} events in {SECONDS} s, deepest queue", stage.deepest),
        Figure("live: seconds until the queue had drained", drained, unit=" s"),
        Figure("live: events lost", lost, 0, "<="),
        Figure("live: memory at the end less that at half time", stage.memories[1] - stage.memories[0], 5, "<=", " MB"),
    ]


async def endure(events: int = MILLION) -> list[Figure]:
    async with staged() as stage:
        for _ in range(PARTS):
            await stage.stream(events / PARTS / RATE, edits=0.15, deletes=0.05)
            sys.stderr.write(f"  after {stage.events:,} events: {stage.memories[-1]:.1f} MB in memory\n")
        drained = await stage.drained()
        lost = await stage.lost()
    early = stage.memories[PARTS // 10]
    return [
        Figure(f"endurance: {stage.events:,} events, deepest queue", stage.deepest),
        Figure("endurance: seconds until the queue had drained", drained, unit=" s"),
        Figure("endurance: events lost", abs(lost), 0, "<="),
        Figure("endurance: memory at the end less that after a tenth", stage.memories[-1] - early, 5, "<=", " MB"),
    ]
