"""`python -m tests.benchmarks [NAME …]`: run the benchmarks and print one table.

Each figure is a ratio of two things measured in this run, with the limit that it must keep beside it. Machines are
noisy: the exit code says whether a figure missed its limit, but no test depends on it.
"""

import argparse
import asyncio
import sys

from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    context,
    floor,
    gateway,
    guilds,
    lanes,
    live,
    memory,
    scale,
    startup,
    status,
    throughput,
    writing,
)
from tests.benchmarks.figure import Figure

BENCHMARKS = {
    "throughput": throughput.measure,
    "writing": writing.measure,
    "memory": memory.measure,
    "lanes": lanes.measure,
    "live": live.measure,
    "gateway": gateway.measure,
    "floor": floor.measure,
    "context": context.measure,
    "scale": scale.measure,
    "guilds": guilds.measure,
    "status": status.measure,
    "startup": startup.measure,
}

LONG = {"endurance": live.endure}
"""Those that take minutes, and are run only where they are named."""


async def measure(names: list[str]) -> list[Figure]:
    figures: list[Figure] = []
    for name in names:
        sys.stderr.write(f"measuring {name} …\n")
        figures += await (BENCHMARKS | LONG)[name]()
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS, *LONG], help="which (all but endurance)")
    figures = asyncio.run(measure(parser.parse_args().names or list(BENCHMARKS)))
    table = Table("what", "measured", "limit", "", box=None, pad_edge=False)
    for figure in figures:
        verdict = "" if figure.limit is None else "ok" if figure.kept else "MISSED"
        table.add_row(figure.what, figure.shown, figure.limit_shown, verdict)
    Console(width=120).print(table)
    return 0 if all(figure.kept for figure in figures) else 1


sys.exit(main())
