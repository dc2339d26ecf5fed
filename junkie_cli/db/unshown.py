"""Rows of another program that a page should show and lacks: Discord has no such messages any more.

A page may span all that was adopted in a channel. So they are counted first, and then come by their keys alone, so many at
once; whoever takes a stretch deletes it before the next one is read. All of it runs under the locks of the channels.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from junkie_cli.coverage import Coverage
from junkie_cli.db.arrays import integers
from junkie_cli.db.queries import query
from junkie_cli.db.reconcile import Key

if TYPE_CHECKING:
    from psycopg import AsyncConnection

AT_ONCE: Final = 2_000
"""How many keys come at once."""


async def count(
    connection: "AsyncConnection[Any]", claims: Mapping[int, Coverage], told: Collection[Key]
) -> Counter[int]:
    """Return by channel how many visible ones lie within the claims; `told` are messages of which more is known."""
    ranges = [(channel_id, *r) for channel_id, claim in claims.items() for r in claim]
    if not ranges:
        return Counter()
    channel_ids, los, his = (integers(column) for column in zip(*ranges, strict=True))
    parameters = {
        "channel_ids": channel_ids,
        "los": los,
        "his": his,
        "told_channel_ids": integers(key.channel_id for key in told),
        "told_ids": integers(key.message_id for key in told),
    }
    cursor = await connection.execute(query("count_unshown"), parameters)
    return Counter(dict(await cursor.fetchall()))


async def stretches(
    connection: "AsyncConnection[Any]", claims: Mapping[int, Coverage], told: Collection[Key]
) -> AsyncIterator[list[Key]]:
    """Yield their keys."""
    for channel_id, claim in claims.items():
        ids = integers(key.message_id for key in told if key.channel_id == channel_id)
        for lo, hi in claim:
            stretch = {"channel_id": channel_id, "lo": lo, "hi": hi, "told_ids": ids, "most": AT_ONCE}
            while rows := await (await connection.execute(query("next_unshown"), stretch)).fetchall():
                yield [Key(channel_id, row[0]) for row in rows]
                stretch["lo"] = rows[-1][0] + 1
