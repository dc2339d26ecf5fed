"""A large archive, filled within minutes: plain messages of 80 characters, a minute apart, every channel whole.

Rows go in by COPY, in the order of the primary key: sorting millions of them in the server would take longer, and much
space beside what they end up in.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Final

from junkie_cli.config import Settings
from junkie_cli.db.database import open_database

ROWS: Final = int(os.environ.get("JUNKIE_BENCH_ROWS", "10000000"))
FIRST: Final = 1_200_000_000_000_000_000
"""The first channel's id; the others follow."""

BYTES_A_ROW: Final = 500
"""What a row takes on disk at most, with its index entry and its share of the write-ahead log."""

_MINUTE: Final = 60_000 << 22
_AUTHORS: Final = 40
_BLOCK: Final = 1_000
_WORDS: Final = "what was said here is of no concern, only that it is as long as people write it "

COPY: Final = "COPY junkie.messages (channel_id, message_id, author_id, seen, author_name, content) FROM STDIN"

COVER: Final = """
INSERT INTO junkie.channel_status (channel_id, covered, message_count, is_fully_backfilled, last_updated, checked_at)
SELECT m.channel_id, int8multirange(int8range(m.channel_id, max(m.message_id) + 1)), count(*), true, now(), now()
FROM junkie.messages AS m GROUP BY m.channel_id
"""

NAME: Final = """
INSERT INTO junkie.channels (channel_id, guild_id, type, name, last_message_id)
SELECT s.channel_id, 1, 0, 'channel-' || s.channel_id, upper(s.covered) - 1 FROM junkie.channel_status AS s
"""


async def fill(settings: Settings, sizes: Iterable[int]) -> None:
    """Fill an empty archive with channels that have so many messages each, and are whole and just checked."""
    async with open_database(settings) as database, database.connection() as connection:
        async with connection.cursor().copy(COPY) as copy:
            for number, rows in enumerate(sizes):
                for block in _blocks(FIRST + number, rows):
                    await copy.write(block)
        for statement in (COVER, NAME, "INSERT INTO junkie.guilds (guild_id, name) VALUES (1, 'The Guild')"):
            await connection.execute(statement)
        # Once it is filled, autovacuum and the next checkpoint would do so, while something is measured.
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")


def _blocks(channel_id: int, rows: int) -> Iterator[str]:
    """Yield a channel's rows in COPY's text format, so many at a time."""
    tails = [f"\t{n}\t1\tmember {n}\t" for n in range(_AUTHORS)]
    for low in range(1, rows + 1, _BLOCK):
        numbers = range(low, min(low + _BLOCK, rows + 1))
        yield "".join(
            [f"{channel_id}\t{channel_id + n * _MINUTE}{tails[n % _AUTHORS]}{n:08d}{_WORDS[:72]}\n" for n in numbers]
        )
