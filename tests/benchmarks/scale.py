"""What grows with the archive, and what does not: commands on 2,000 channels of 10,000 to 10 million messages.

JUNKIE_BENCH_ROWS sets the most. Messages are the emulator's, of 80 plain characters; the newest of each channel are in its
world too, so that `sync` finds nothing new, and then a thousand new ones in one channel.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from junkie_cli import config, snowflake
from junkie_cli.config import Settings
from junkie_cli.db import binaries
from junkie_cli.db.cluster import Cluster
from junkie_cli.db.connecting import Connection
from junkie_cli.db.database import open_database
from junkie_cli.emulator import chatter
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.scribe import moments
from junkie_cli.emulator.server import Emulator, running
from junkie_cli.emulator.world import World
from junkie_cli.errors import EmbeddedServerError
from tests import postgres
from tests.benchmarks.figure import Figure
from tests.benchmarks.launch import Cost, launched
from tests.benchmarks.setting import environment

ROWS = int(os.environ.get("JUNKIE_BENCH_ROWS", "10000000"))
CHANNELS = int(os.environ.get("JUNKIE_BENCH_CHANNELS", "2000"))
NEWEST = 2
"""Messages of each channel that the emulator has."""

CAUGHT_UP = 1_000
SAMPLE = 100_000
"""Messages among which bytes are counted where that is all that is wanted."""

FIRST_SIZE = 10_000

COPY = (
    "COPY junkie.messages (channel_id, message_id, author_id, seen, reply_to, type, author_name, content)"
    " FROM STDIN WITH (FREEZE)"
)

STATE = """
INSERT INTO junkie.channel_status (channel_id, covered, message_count, is_fully_backfilled)
SELECT m.channel_id, int8multirange(int8range(m.channel_id, max(m.message_id) + 1)), count(*), true
FROM junkie.messages AS m GROUP BY m.channel_id
"""

SIZES = """
SELECT pg_relation_size('junkie.messages'), pg_indexes_size('junkie.messages'), pg_total_relation_size('junkie.messages')
"""


@dataclass(frozen=True, slots=True)
class Weight:
    """Bytes per message of 80 plain characters."""

    table: float
    indices: float
    total: float


def rows(world: World, count: int) -> Iterator[str]:
    """Yield so many rows as COPY reads them, a channel at a time: the world's own, and before them made ones."""
    channels = [channel for channel in world.channels.values() if channel.messages]
    each = count // len(channels)
    for channel in channels:
        older = max(each - len(channel.messages), 0)
        start, end = snowflake.to_ms(channel.id) + 1, snowflake.to_ms(channel.messages[0].id) - 1
        times = moments(world.random, start, end, older)
        authors = world.random.choices([message.author for message in channel.messages], k=older)
        texts = chatter.plain(world.random, older)
        lines = []
        for n, (at, author, text) in enumerate(zip(times, authors, texts, strict=True)):
            message_id = snowflake.from_ms(at) + n % 4096
            lines.append(f"{channel.id}\t{message_id}\t{author.id}\t1\t\\N\t0\t{author.global_name}\t{text:.<80.80}\n")
        for message in channel.messages:
            shown = message.author.global_name or message.author.username
            lines.append(
                f"{channel.id}\t{message.id}\t{message.author.id}\t1\t\\N\t0\t{shown}\t{message.content:.<80.80}\n"
            )
        yield "".join(lines)


async def fill(settings: Settings, world: World, count: int) -> Weight:
    """Fill an archive with so many messages, and return what they weigh."""
    async with open_database(settings) as database:

        async def copy(connection: Connection) -> None:
            # Frozen rows must come into a table of the same transaction.
            await connection.execute("TRUNCATE junkie.messages")
            async with connection.cursor() as cursor, cursor.copy(COPY) as sink:
                for part in rows(world, count):
                    await sink.write(part)

        async with database.connection() as connection:
            async with connection.transaction():
                await copy(connection)
            await connection.execute(STATE)
            await connection.execute("VACUUM ANALYZE")
            cursor = await connection.execute(SIZES)
            sizes = await cursor.fetchone()
            cursor = await connection.execute("SELECT count(*) FROM junkie.messages")
            held = await cursor.fetchone()
    assert sizes is not None
    assert held is not None
    table, indices, total = (size / held[0] for size in sizes)
    return Weight(table, indices, total)


@dataclass(frozen=True, slots=True)
class Shell:
    """The command on one archive."""

    emulator: Emulator
    url: str
    home: Path

    async def run(self, *arguments: str) -> Cost:
        return await launched(*arguments, environ=environment(self.emulator, self.home, POSTGRES_URL=self.url))


async def measure_size(shell: Shell) -> tuple[dict[str, Cost], int]:
    """Return what each command costs, and how many pages `sync` asked for where nothing is new."""
    control = shell.emulator.control
    channel = min(control.readable())
    # The first one stores what every archive has: names of guilds, channels, people.
    await shell.run("sync", "--no-reconcile", "--quiet")
    control.reset_counts()
    costs = {"sync --no-reconcile, nothing new": await shell.run("sync", "--no-reconcile", "--quiet")}
    asked = control.counts().messages
    costs["status"] = await shell.run("status")
    costs["context"] = await shell.run("context", str(channel), "--offline")
    for n in range(CAUGHT_UP):
        control.post(channel, f"new message {n}")
    costs[f"sync --channel, {CAUGHT_UP:,} new"] = await shell.run(
        "sync", "--no-reconcile", "--quiet", "--channel", str(channel)
    )
    return costs, asked


def sizes() -> list[int]:
    """Return the powers of ten from the first size on, and the last size."""
    found = [FIRST_SIZE]
    while found[-1] * 10 <= ROWS:
        found.append(found[-1] * 10)
    return found


@contextmanager
def own_home() -> Iterator[tuple[Path, Path]]:
    # Ten million rows may be more than memory has room for.
    home, folder = postgres.make_home(executable=True), Path(tempfile.mkdtemp())
    try:
        yield home, folder
    finally:
        postgres.remove_home(home)
        shutil.rmtree(folder)


async def weigh_on_16(world: World) -> list[Figure]:
    """Weigh the same rows where created_at has to be stored."""
    try:
        older = binaries.of_major(16, None, None, Path("/nonexistent"))
    except EmbeddedServerError:
        return []
    with own_home() as (home, folder):
        environ = {"JUNKIE_HOME": str(home), "JUNKIE_PG_BIN": str(older.folder)}
        weight = await fill(config.load(environ=environ, folder=folder), world, min(SAMPLE, ROWS))
    return [Figure("  on PostgreSQL 16", weight.total, 200, "<=", " bytes")]


async def measure() -> list[Figure]:
    world = generate(7, f"{CHANNELS}x{NEWEST}")
    found: dict[int, dict[str, Cost]] = {}
    figures: list[Figure] = []
    with own_home() as (home, folder):
        own = config.load(environ={"JUNKIE_HOME": str(home)}, folder=folder)
        # While it is open the embedded server runs.
        async with running(world, limits=Limits.off()) as emulator, open_database(own):
            server = Cluster(home).url
            for size in sizes():
                with postgres.database(server) as url:
                    settings = config.load(environ={"JUNKIE_HOME": str(home), "POSTGRES_URL": url}, folder=folder)
                    weight = await fill(settings, world, size)
                    found[size], asked = await measure_size(Shell(emulator, url, home))
                for name, cost in found[size].items():
                    what = f"{size:,} messages in {CHANNELS:,} channels: {name}"
                    figures += [
                        Figure(what, cost.seconds * 1000, unit=" ms"),
                        Figure("  peak memory", cost.memory, unit=" MB"),
                    ]
                figures.append(Figure("  page requests of a sync without changes", asked, 0, "<="))
    least, most = found[min(found)], found[max(found)]
    for name in least:
        figures += [
            Figure(
                f"{max(found):,} / {min(found):,} messages: {name}", most[name].seconds / least[name].seconds, 2, "<="
            ),
            Figure("  difference of peak memory", most[name].memory - least[name].memory, 10, "<=", " MB"),
        ]
    return [
        *figures,
        Figure("a message of 80 characters: table", weight.table, unit=" bytes"),
        Figure("  primary key and other indices", weight.indices, unit=" bytes"),
        Figure("  all of it", weight.total, 200, "<=", " bytes"),
        *await weigh_on_16(world),
    ]
