"""With a message's content go its copies, and they don't come back."""

from dataclasses import replace
from typing import Any

import pytest

from junkie_cli.coverage import Range
from junkie_cli.db.database import Database
from junkie_cli.db.reconcile import Incoming, Key
from junkie_cli.db.writer import Batch, Deletion, Writer, page_batch
from junkie_cli.models import Message, Page, PageRequest

ORIGINAL = Message(1_000, 1_500, 7, "Ann", "secret", extra={"poll": {"question": {"text": "secret?"}}})


def repeating(message_id: int, kind: int = 0, channel_id: int = 900) -> Message:
    reference = {"type": 0 if kind else 1, "channel_id": "1000", "message_id": "1500"}
    copy: dict[str, Any] = (
        {"embeds": [{"fields": [{"value": "secret?"}]}]}
        if kind
        else {"message_snapshots": [{"message": {"content": "secret"}}]}
    )
    return Message(
        channel_id, message_id, 8, "Bob", "", type=kind, extra={"message_reference": reference, "flags": 4} | copy
    )


FORWARD, RESULT = repeating(2_000), repeating(2_001, 46, 1_000)


def page(*messages: Message) -> Page:
    newest_first = tuple(sorted(messages, key=lambda m: -m.message_id))
    channel_id = messages[0].channel_id
    return Page(PageRequest(channel_id, before=3_000), tuple(m.message_id for m in newest_first), newest_first)


async def leaks(database: Database) -> int:
    """Count the rows that hold the text."""
    rows = await database.fetch(
        "SELECT (SELECT count(*) FROM junkie.messages AS m WHERE m::text LIKE '%%secret%%')"
        " + (SELECT count(*) FROM junkie.revisions AS r WHERE r::text LIKE '%%secret%%')",
        {},
    )
    return int(rows[0][0])


@pytest.mark.parametrize("cause", ["event", "forget", "inferred"])
async def test_no_row_holds_the_text_of_a_purged_message(database: Database, cause: Any) -> None:
    writer = Writer(database, keep_revisions=True)
    for seen, message in enumerate([ORIGINAL, FORWARD, RESULT, replace(ORIGINAL, content="still secret")], 1):
        await writer.write(Batch(messages=[Incoming(message, seen)]))
    pinned = replace(FORWARD, extra=(FORWARD.extra or {}) | {"pinned": True})
    await writer.write(Batch(messages=[Incoming(pinned, 5)]))
    assert await leaks(database) == 5
    await writer.write(Batch(deletions=[Deletion(Key(1_000, 1_500), 9, cause)]))
    assert await leaks(database) == 0
    # Discord goes on showing them.
    for seen in (8, 10, 11):
        written = await writer.write(page_batch(page(pinned), seen=seen, claim=Range(900, 3_000)))
        assert (written.edited, written.new) == (0, 0)
    await writer.write(page_batch(page(RESULT, replace(RESULT, message_id=2_002)), seen=12, claim=Range(1_600, 3_000)))
    assert await leaks(database) == 0


async def test_a_copy_in_the_batch_of_the_deletion_goes_too(database: Database) -> None:
    batch = Batch(
        messages=[Incoming(ORIGINAL, 1), Incoming(FORWARD, 1)], deletions=[Deletion(Key(1_000, 1_500), 1, "event")]
    )
    written = await Writer(database).write(batch)
    assert written.held == {900: 1, 1_000: 0}
    assert await leaks(database) == 0


async def test_what_was_only_inferred_comes_back_with_its_copies(database: Database) -> None:
    writer = Writer(database)
    await writer.write(Batch(messages=[Incoming(ORIGINAL, 1), Incoming(FORWARD, 1)]))
    await writer.write(Batch(deletions=[Deletion(Key(1_000, 1_500), 2, "inferred")]))
    assert await leaks(database) == 0
    await writer.write(page_batch(page(ORIGINAL), seen=3, claim=Range(1_000, 3_000)))
    written = await writer.write(page_batch(page(FORWARD), seen=4, claim=Range(900, 3_000)))
    assert (written.edited, await leaks(database)) == (1, 2)


async def test_what_is_kept_keeps_its_copies_and_what_is_forgotten_does_not(database: Database) -> None:
    writer = Writer(database, on_delete="keep")
    await writer.write(Batch(messages=[Incoming(ORIGINAL, 1), Incoming(FORWARD, 1)]))
    await writer.write(Batch(deletions=[Deletion(Key(1_000, 1_500), 2, "event")]))
    assert await leaks(database) == 2
    other = replace(ORIGINAL, message_id=1_501)
    reference = {"type": 1, "channel_id": "1000", "message_id": "1501"}
    again = replace(FORWARD, message_id=2_005, extra=(FORWARD.extra or {}) | {"message_reference": reference})
    await writer.write(Batch(messages=[Incoming(other, 3), Incoming(again, 3)]))
    await writer.write(Batch(deletions=[Deletion(Key(1_000, 1_501), 4, "forget")]))
    assert await leaks(database) == 2


async def test_what_a_rule_keeps_out_is_not_stored_as_a_copy(database: Database) -> None:
    writer = Writer(database)
    async with database.connection() as connection:
        await connection.execute("INSERT INTO junkie.exclusions (user_id) VALUES (7)")
    # Whose text it is shows only with the message itself; after that it is known.
    written = await writer.write(page_batch(page(ORIGINAL), seen=1, claim=Range(1_000, 3_000)))
    assert (written.kept_out, written.held) == (1, {1_000: 0})
    await writer.write(page_batch(page(FORWARD), seen=2, claim=Range(900, 3_000)))
    assert await leaks(database) == 0
    async with database.connection() as connection:
        await connection.execute("INSERT INTO junkie.exclusions (channel_id) VALUES (1001)")
    elsewhere = {"type": 1, "channel_id": "1001", "message_id": "1700"}
    await writer.write(
        page_batch(
            page(replace(FORWARD, extra=(FORWARD.extra or {}) | {"message_reference": elsewhere})), seen=3, claim=None
        )
    )
    assert await leaks(database) == 0
    places = await database.fetch("SELECT channel_id FROM junkie.channel_status ORDER BY channel_id")
    assert places == [(900,), (1_000,)]


# In a table with partitions each has one of its own.
INDEX_OF_COPIES = """
SELECT c.relname::text FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE c.relnamespace = 'junkie'::regnamespace AND c.relkind = 'i'
    AND pg_get_indexdef(c.oid) LIKE '%message_snapshots%'
"""


async def test_a_purge_finds_copies_by_an_index(database: Database) -> None:
    writer = Writer(database)
    plain = [Incoming(Message(900, n, 8, "Bob", "text", extra={"flags": 4}), 1) for n in range(10_000, 13_000)]
    await writer.write(Batch(messages=[*plain, Incoming(FORWARD, 1)]))
    async with database.connection() as connection:
        await connection.execute("ANALYZE junkie.messages")
        from junkie_cli.db.queries import query

        plan = await connection.execute("EXPLAIN " + query("purge_copies"), {"originals": ["1500"]})
        indices = await connection.execute(INDEX_OF_COPIES)
        names = [name for (name,) in await indices.fetchall()]
        assert names
        shown = str(await plan.fetchall())
        assert any(name in shown for name in names)
