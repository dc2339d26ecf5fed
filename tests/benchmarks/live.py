"""2,000 events a second for a minute over 50 channels: nothing lost, the queue drains, memory flat."""

import asyncio
import time
from pathlib import Path

from junkie_cli.client.gateway import open_gateway
from junkie_cli.client.session import open_client
from junkie_cli.db.workers import present
from junkie_cli.ingest.backfill import BackfillOptions
from junkie_cli.ingest.mending import ServeOptions
from junkie_cli.ingest.serve import Serve
from junkie_cli.ingest.sync import SyncOptions
from tests.benchmarks.figure import Figure
from tests.benchmarks.setting import archive, discord

RATE, SECONDS, CHANNELS = 2_000, 60, 50


def memory() -> float:
    """Return what this process has in memory now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def measure() -> list[Figure]:
    async with discord(f"{CHANNELS}x10", "--rate-limit", "0") as emulator, archive(emulator) as (settings, database):
        options = ServeOptions(backfill=BackfillOptions(), sync=SyncOptions())
        async with open_client(settings) as client, present(database, "serve", client.me.user_id) as presence:
            serve = Serve(options, client, database, presence, lambda _event: None)
            running = asyncio.create_task(serve.run(lambda on_event: open_gateway(settings, client, on_event)))
            while serve.vitals().mending or not serve.vitals().connected:
                await asyncio.sleep(0.1)
            deepest, halfway = 0, 0.0
            streaming = asyncio.create_task(emulator.ask("stream", rate=RATE, seconds=SECONDS))
            began = time.perf_counter()
            while not streaming.done():
                await asyncio.sleep(0.2)
                deepest = max(deepest, serve.vitals().depth)
                if not halfway and time.perf_counter() - began > SECONDS / 2:
                    halfway = memory()
            sent = (await streaming)["posted"]
            told = time.perf_counter()
            while serve.vitals().depth or serve.vitals().mending:
                await asyncio.sleep(0.05)
            drained = time.perf_counter() - told
            after = memory()
            running.cancel()
            await asyncio.wait([running])
        held = (await database.fetch("SELECT sum(message_count) FROM junkie.channel_status"))[0][0]
    return [
        Figure(f"live: {sent:,} events in {SECONDS} s, deepest queue", deepest),
        Figure("live: seconds until the queue had drained", drained, unit=" s"),
        Figure("live: events lost", sent + CHANNELS * 10 - held, 0, "<="),
        Figure("live: memory at the end less that at half time", after - halfway, 5, "<=", " MB"),
    ]
