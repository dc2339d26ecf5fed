"""How near a backfill comes to the time that Discord's rate limit alone would take."""

from math import ceil

from tests.benchmarks.figure import Figure
from tests.benchmarks.setting import archive, discord, run

LIMIT, WINDOW, RATE = 5, 5.0, 45.0


LATENCY = 100
"""Milliseconds."""


def floor_of(channels: int, messages: int, *, others: int = 0, round_trip: float = 0.0) -> float:
    """Return the least seconds that so many channels of so many messages take, all at once.

    `others` are requests that are not for messages, such as those for lists of threads: they share the limit over all
    routes.
    """
    requests = messages // 100 + 1
    windows = ceil(requests / LIMIT)
    last = requests - (windows - 1) * LIMIT
    return max((windows - 1) * WINDOW + last * round_trip, (channels * requests + others) / RATE)


async def shape(channels: int, messages: int, *options: str, round_trip: float = 0.0) -> tuple[float, int]:
    """Return floor / measured for a shape, and the message requests of a second run."""
    async with discord(f"{channels}x{messages}", *options) as emulator, archive(emulator) as (settings, database):
        before = await emulator.ask("counts")
        first = await run(settings, database)
        assert first.summary.new == channels * messages, first.summary
        counts = await emulator.ask("counts")
        others = counts["total"] - counts["messages"] - (before["total"] - before["messages"])
        await run(settings, database)
        again = (await emulator.ask("counts"))["messages"] - counts["messages"]
    return floor_of(channels, messages, others=others, round_trip=round_trip) / first.seconds, again


async def measure() -> list[Figure]:
    figures = []
    for channels, pages in ((1, 60), (20, 10), (200, 2)):
        for headers in ("true", "wrong"):
            ratio, again = await shape(channels, pages * 100, "--headers", headers)
            figures.append(Figure(f"floor / measured, {channels} x {pages} pages, {headers} headers", ratio, 0.95))
            figures.append(Figure("  message requests of a second run", again, 0, "<="))
        ratio, _ = await shape(channels, pages * 100, "--latency", str(LATENCY), round_trip=LATENCY / 1000)
        figures.append(Figure(f"floor / measured, {channels} x {pages} pages, {LATENCY} ms away", ratio, 0.95))
    return figures
