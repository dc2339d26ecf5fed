"""The archive held against what the emulator knows to be true."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from junkie_cli.client.payload import parse_message
from junkie_cli.coverage import Coverage
from junkie_cli.db import copies
from junkie_cli.db.database import Database
from junkie_cli.db.reader import Reader
from junkie_cli.db.rows import message_of
from junkie_cli.equality import same
from junkie_cli.models import Message

Payload = Mapping[str, Any]

_ROWS = """
SELECT m.channel_id, m.message_id, m.author_id, m.author_name, m.content, m.edited_at, m.type, m.reply_to, m.extra
FROM junkie.messages AS m
WHERE m.channel_id = %s AND NOT EXISTS (
    SELECT FROM junkie.tombstones AS t WHERE t.channel_id = m.channel_id AND t.message_id = m.message_id
)
"""


async def archived(database: Database, channel_id: int) -> dict[int, Message]:
    """Return the visible rows of a channel by message id."""
    async with database.connection() as connection:
        rows = await (await connection.execute(_ROWS, [channel_id])).fetchall()
    return {row[1]: message_of(row) for row in rows}


async def coverage(database: Database, channel_id: int) -> Coverage:
    """Return a channel's coverage."""
    return (await Reader(database).channel_states([channel_id]))[channel_id].covered


async def deleted(database: Database) -> set[int]:
    """Return the ids of messages that were deleted: what others repeat of them is dropped too."""
    return {row[0] for row in await database.fetch("SELECT message_id FROM junkie.tombstones")}


def differences(
    rows: Mapping[int, Message],
    truth: Iterable[Payload],
    channel_id: int,
    *,
    names: bool = True,
    dropped: Container[int] = (),
) -> list[str]:
    """Say what the rows of a channel lack, have in excess, or tell otherwise; empty: nothing.

    Not `names`: live events tell nicks, where the truth as REST shows it has the account's name. What repeats one of
    the `dropped` messages is true without that.
    """
    true = {message.message_id: message for message in (parse_message(p, channel_id).message for p in truth)}
    for message_id, message in true.items():
        origin = copies.origin_of(message)
        if origin is not None and origin.key.message_id in dropped:
            true[message_id] = copies.stripped(message)
    found = [f"{channel_id}/{message_id} is missing" for message_id in sorted(true.keys() - rows.keys())]
    found += [f"{channel_id}/{message_id} does not exist" for message_id in sorted(rows.keys() - true.keys())]
    found += [
        f"{channel_id}/{message_id}: {rows[message_id]} instead of {true[message_id]}"
        for message_id in sorted(true.keys() & rows.keys())
        if not same(rows[message_id], true[message_id])
        or rows[message_id].author_id != true[message_id].author_id
        or (names and rows[message_id].author_name != true[message_id].author_name)
    ]
    return found


async def assert_claims_hold(database: Database, truths: Mapping[int, Iterable[Payload]]) -> None:
    """Fail if coverage claims a message that the archive lacks, or if a channel's count is off."""
    states = await Reader(database).channel_states(list(truths))
    for channel_id, truth in truths.items():
        rows = await archived(database, channel_id)
        lacking = [p["id"] for p in truth if int(p["id"]) in states[channel_id].covered and int(p["id"]) not in rows]
        assert not lacking, f"channel {channel_id}: coverage claims {lacking}"
        assert states[channel_id].held == len(rows), f"channel {channel_id}: {states[channel_id].held} != {len(rows)}"


async def assert_equals_truth(
    database: Database, truths: Mapping[int, Sequence[Payload]], *, names: bool = True
) -> None:
    """Fail unless every channel's rows are the truth, and its coverage is whole."""
    await assert_claims_hold(database, truths)
    dropped = await deleted(database)
    for channel_id, truth in truths.items():
        wrong = differences(await archived(database, channel_id), truth, channel_id, names=names, dropped=dropped)
        assert not wrong, "\n".join(wrong[:5])
        if truth:
            covered = await coverage(database, channel_id)
            assert covered.covers(channel_id, int(truth[-1]["id"]) + 1), f"channel {channel_id}: {covered}"
