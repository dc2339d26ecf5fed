"""What `junkie status` costs: of 2,000 channels and 10 million messages beside 20 channels and 10,000 messages.

JUNKIE_BENCH_ROWS sets another number of messages. A third of the channels have a gap, a tenth are threads.
"""

import shutil
import tempfile
from pathlib import Path

from junkie_cli import config
from junkie_cli.cli.status import StatusOptions
from junkie_cli.cli.status_run import look
from junkie_cli.db.cluster import Cluster
from junkie_cli.db.database import open_database
from junkie_cli.db.status import open_status
from junkie_cli.ingest.selection import Selection
from junkie_cli.ingest.standing import Wanted
from tests import postgres
from tests.benchmarks import archive
from tests.benchmarks.archive import ROWS
from tests.benchmarks.context import medians
from tests.benchmarks.figure import Figure
from tests.benchmarks.startup import run

FEW, FEW_ROWS = 20, 10_000
MANY = 2_000
TIMES = 15

OPTIONS = StatusOptions(selection=Selection(), wanted=Wanted())

GAPS = """
UPDATE junkie.channel_status
SET covered = covered - int8multirange(int8range(lower(covered) + 1000, lower(covered) + 2000))
WHERE channel_id % 3 = 0
"""

THREADS = "UPDATE junkie.channels SET type = 11, parent_id = channel_id - 1 WHERE channel_id % 10 = 1"

LOOK = """
import asyncio
from junkie_cli import config
from junkie_cli.cli.status import StatusOptions
from junkie_cli.cli.status_run import look
from junkie_cli.db.status import open_status
from junkie_cli.ingest.selection import Selection
from junkie_cli.ingest.standing import Wanted

async def main():
    async with open_status(config.load()) as reader:
        overview = await look(reader, StatusOptions(selection=Selection(), wanted=Wanted()))
    assert overview.totals.gaps

asyncio.run(main())
"""
"""All of the command but printing."""


async def fill(settings: config.Settings, channels: int, rows: int) -> None:
    """Fill an archive."""
    await archive.fill(settings, [max(rows // channels, 1)] * channels)
    async with open_database(settings) as database, database.connection() as connection:
        for statement in (GAPS, THREADS, "VACUUM ANALYZE junkie.channels", "VACUUM ANALYZE junkie.channel_status"):
            await connection.execute(statement)


async def compare(few: config.Settings, many: config.Settings, home: Path) -> list[Figure]:
    few_url, many_url = (each.postgres_url.reveal() for each in (few, many) if each.postgres_url)

    async def started(url: str, *arguments: str) -> None:
        await run(*arguments, POSTGRES_URL=url, JUNKIE_HOME=str(home), LANG="C.UTF-8")

    async with open_status(few) as small, open_status(many) as large:
        read = await medians(TIMES, few=lambda: look(small, OPTIONS), many=lambda: look(large, OPTIONS))
    command = ("-m", "junkie_cli", "status")
    took = await medians(
        TIMES,
        few=lambda: started(few_url, "-c", LOOK),
        many=lambda: started(many_url, "-c", LOOK),
        few_printed=lambda: started(few_url, *command),
        many_printed=lambda: started(many_url, *command),
        many_json=lambda: started(many_url, *command, "--json"),
    )
    return [
        Figure("status of 20 channels, 10,000 messages, without printing", took["few"] * 1000, unit=" ms"),
        Figure(f"  of {MANY:,} channels, {ROWS:,} messages / that", took["many"] / took["few"], 2, "<="),
        Figure("  of these, reading and reckoning", read["many"] * 1000, unit=" ms"),
        Figure("  of the former", read["few"] * 1000, unit=" ms"),
        Figure("  printed, few", took["few_printed"] * 1000, unit=" ms"),
        Figure("  printed, many", took["many_printed"] * 1000, unit=" ms"),
        Figure("  as JSON, many", took["many_json"] * 1000, unit=" ms"),
    ]


async def measure() -> list[Figure]:
    home, folder = postgres.make_home(room=ROWS * archive.BYTES_A_ROW), Path(tempfile.mkdtemp())
    try:
        own = config.load(environ={"JUNKIE_HOME": str(home)}, folder=folder)
        # While it is open the embedded server runs.
        async with open_database(own):
            server = Cluster(home).url
            with postgres.database(server) as few_url, postgres.database(server) as many_url:
                few, many = (
                    config.load(environ={"JUNKIE_HOME": str(home), "POSTGRES_URL": url}, folder=folder)
                    for url in (few_url, many_url)
                )
                await fill(few, FEW, FEW_ROWS)
                await fill(many, MANY, ROWS)
                return await compare(few, many, home)
    finally:
        postgres.remove_home(home)
        shutil.rmtree(folder)
