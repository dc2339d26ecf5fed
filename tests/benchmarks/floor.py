"""How near a backfill comes to the time that Discord's rate limit alone would take."""

from math import ceil

from tests.benchmarks.figure import Figure
from tests.benchmarks.setting import archive, discord, run

LIMIT, WINDOW, RATE = 5, 5.0, 45.0


def floor_of(channels: int, messages: int, round_trip: float = 0.0) -> float:
    """Return the least seconds that so many channels of so many messages take, all at once."""
    requests = messages // 100 + 1
    windows = ceil(requests / LIMIT)
    last = requests - (windows - 1) * LIMIT
    return max((windows - 1) * WINDOW + last * round_trip, channels * requests / RATE)


async def shape(channels: int, messages: int, *options: str, round_trip: float = 0.0) -> tuple[float, int]:
    """Return floor ÷ measured for a shape, and the message requests of a second run."""
    async with discord(f"{channels}x{messages}", *options) as emulator, archive(emulator) as (settings, database):
        first = await run(settings, database)
        assert first.summary.new == channels * messages, first.summary
        before = (await emulator.ask("counts"))["messages"]
        await run(settings, database)
        after = (await emulator.ask("counts"))["messages"]
    return floor_of(channels, messages, round_trip) / first.seconds, after - before


async def measure() -> list[Figure]:
    figures = []
    for channels, pages in ((20, 10), (1, 60)):
        ratio, again = await shape(channels, pages * 100)
        figures.append(Figure(f"floor / measured, {channels} x {pages} pages", ratio, 0.9))
        figures.append(Figure("  message requests of a second run", again, 0, "<="))
    return figures
