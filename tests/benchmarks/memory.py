"""What a longer history costs in memory: nothing."""

from tests import postgres
from tests.benchmarks.figure import Figure
from tests.benchmarks.launch import launched
from tests.benchmarks.setting import discord, environment


async def peak(messages: int) -> float:
    """Return the peak memory, in MB, of a backfill of one channel of so many messages."""
    home = postgres.make_home()
    try:
        async with discord(f"1x{messages}", "--rate-limit", "0") as emulator:
            return (await launched("backfill", environ=environment(emulator, home, LOG_LEVEL="ERROR"))).memory
    finally:
        postgres.remove_home(home)


async def measure() -> list[Figure]:
    small, large = await peak(10_000), await peak(100_000)
    return [
        Figure("peak memory, 10,000 messages", small, unit=" MB"),
        Figure("peak memory, 100,000 messages", large, unit=" MB"),
        Figure("  difference", large - small, 10, "<=", " MB"),
    ]
