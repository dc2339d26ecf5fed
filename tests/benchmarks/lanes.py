"""What BACKFILL_PARALLEL_BATCHES is worth where the round trip, not the limit, is what one waits for."""

from tests.benchmarks.figure import Figure
from tests.benchmarks.setting import archive, discord, run


async def measure() -> list[Figure]:
    seconds: dict[int, float] = {}
    requests: dict[int, int] = {}
    options = ("--latency", "300", "--rate-limit", "20", "--window", "1")
    async with discord("1x5950", *options) as emulator:
        for lanes in (1, 2, 4, 8):
            async with archive(emulator) as (settings, database):
                ran = await run(settings, database, parallel_batches=lanes)
                assert ran.summary.new == 5_950
                seconds[lanes], requests[lanes] = ran.seconds, ran.summary.requests
    return [
        Figure(f"60 pages, 300 ms, 20/s: {lanes} at once ({requests[lanes]} requests)", seconds[lanes], unit=" s")
        for lanes in seconds
    ] + [Figure("  1 at once / 4 at once", seconds[1] / seconds[4])]
