"""Adoption of the original's rows, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest
from psycopg import sql

from junkie_cli.coverage import Range
from junkie_cli.db import unshown
from junkie_cli.db.adopt import Adoption, adopt, find_source
from junkie_cli.db.connecting import Connection
from junkie_cli.db.database import Database
from junkie_cli.db.messages import newest_messages
from junkie_cli.db.places import Places
from junkie_cli.db.reader import Reader
from junkie_cli.db.reconcile import Incoming, Key
from junkie_cli.db.writer import Batch, Deletion, Writer, page_batch
from junkie_cli.errors import DatabaseError, JunkieError, UsageError
from junkie_cli.models import Channel, Guild, Message, Page, PageRequest
from tests.integration.db.original import Row, execute, insert, insert_many, make_tables
from tests.length import up_to

CHANNEL = 1_000
MAX = 2**63 - 1


@pytest.fixture
async def original(database: Database) -> Database:
    """A database with the original's tables in schema public, and ours."""
    await make_tables(database)
    return database


async def run(database: Database, schema: str = "public", **how: Any) -> Adoption:
    return await adopt(database, await find_source(database, schema), how.pop("report", lambda _state: None), **how)


async def rows(database: Database) -> dict[Key, tuple[int, str, str, int]]:
    """Return our rows by key: author, name, text, seen."""
    found = await execute(
        database, "SELECT channel_id, message_id, author_id, author_name, content, seen FROM junkie.messages"
    )
    return {Key(row[0], row[1]): row[2:] for row in found}


async def assert_counts_are_right(database: Database) -> None:
    """Fail if a channel's count is not the number of its visible rows."""
    wrong = await execute(
        database,
        """
        SELECT s.channel_id, s.message_count, count(v.message_id)
        FROM junkie.channel_status AS s LEFT JOIN junkie.original_messages AS v ON v.channel_id = s.channel_id
        GROUP BY s.channel_id HAVING s.message_count <> count(v.message_id)
        """,
    )
    assert wrong == []


def page(*messages: Message, before: int = 2_000) -> Page:
    newest_first = tuple(sorted(messages, key=lambda m: -m.message_id))
    return Page(PageRequest(CHANNEL, before=before), tuple(m.message_id for m in newest_first), newest_first)


def message(message_id: int, content: str = "hello", **changes: Any) -> Message:
    return replace(Message(CHANNEL, message_id, author_id=7, author_name="Ann", content=content), **changes)


async def test_rows_are_copied_and_grant_no_coverage(original: Database) -> None:
    await insert(original, Row(1_500), Row(1_501, author_id=8, author_name="Bob", content="hi"), Row(3, channel_id=2))
    await execute(original, "INSERT INTO {schema}.channel_status VALUES (1000, true), (77, true)")
    ended = await run(original)
    assert (ended.total, ended.done, ended.adopted, ended.resumed) == (3, 3, 3, False)
    assert await rows(original) == {
        Key(2, 3): (7, "Ann", "hello", 0),
        Key(CHANNEL, 1_500): (7, "Ann", "hello", 0),
        Key(CHANNEL, 1_501): (8, "Bob", "hi", 0),
    }
    states = await Reader(original).channel_states([2, CHANNEL, 77])
    assert [state.held for state in states.values()] == [1, 2, 0]
    assert not any(state.covered or state.is_fully_backfilled for state in states.values())
    (newest, _) = reversed(await newest_messages(original, CHANNEL, 10))
    assert newest == message(1_501, "hi", author_id=8, author_name="Bob")


async def test_the_originals_tables_are_left_alone(original: Database) -> None:
    await insert(original, Row(1_500), Row(-1))
    before = await execute(original, "SELECT m.*, m.xmin::text FROM {schema}.messages AS m ORDER BY message_id")
    await run(original)
    assert await execute(original, "SELECT m.*, m.xmin::text FROM {schema}.messages AS m ORDER BY message_id") == before


async def test_twice_in_a_row_is_nothing_new(original: Database) -> None:
    await insert_many(original, 250)
    assert (await run(original, batch_rows=100)).adopted == 250
    before = await execute(original, "SELECT m.*, m.xmin::text FROM junkie.messages AS m ORDER BY message_id")
    again = await run(original, batch_rows=100)
    assert (again.done, again.adopted, again.held, again.resumed) == (250, 0, 250, False)
    assert await execute(original, "SELECT m.*, m.xmin::text FROM junkie.messages AS m ORDER BY message_id") == before
    # What the original stored meanwhile, even below the others, comes with the next run.
    await insert(original, Row(5), Row(MAX - 1))
    assert (await run(original)).adopted == 2
    await assert_counts_are_right(original)


@pytest.mark.administrator
async def test_what_is_no_snowflake_is_left_out_and_counted(original: Database) -> None:
    await insert(
        original,
        *(Row(bad) for bad in (-MAX - 1, -1, 0, MAX)),
        *(Row(2_000 + n, channel_id=bad) for n, bad in enumerate((-MAX - 1, -5, 0, MAX))),
        *(Row(3_000 + n, author_id=bad) for n, bad in enumerate((-MAX - 1, -5, 0, MAX))),
        Row(1),
        Row(MAX - 1, channel_id=MAX - 1, author_id=MAX - 1),
    )
    for batch_rows in (1, 3, 100):
        await execute(original, "TRUNCATE junkie.messages, junkie.channel_status, junkie.adoptions")
        ended = await run(original, batch_rows=batch_rows)
        assert (ended.bad_message_id, ended.bad_channel_id, ended.bad_author_id) == (4, 4, 4)
        assert (ended.adopted, ended.done, ended.total) == (2, 14, 14)
        assert set(await rows(original)) == {Key(CHANNEL, 1), Key(MAX - 1, MAX - 1)}
    assert await execute(original, "SELECT count(*) FROM junkie.channel_status") == [(2,)]


async def test_any_text_is_read_back_as_it_was(original: Database) -> None:
    texts = [
        "",
        "\x10",
        "\x100000",
        "a\x10\x10b\x10n1",
        "\x01\x7f\u202e\U0001f926\ufffe",
        "'; DROP TABLE x; --",
        "x" * 10**6,
    ]
    await insert(original, *(Row(n, author_name=text[:99], content=text) for n, text in enumerate(texts, start=1)))
    assert (await run(original)).adopted == len(texts)
    stored = await newest_messages(original, CHANNEL, 10)
    assert [m.content for m in stored] == texts
    assert [m.author_name for m in stored] == [text[:99] for text in texts]


async def test_an_adopted_row_yields_to_whatever_discord_says(original: Database) -> None:
    await insert(original, Row(1_500, author_name="Nick", content="look [Attachment: https://x/y.png]"), Row(1_400))
    await run(original)
    shown = message(1_500, "look", author_name="Ann", extra={"attachments": [{"id": "1"}]})
    writer = Writer(original, keep_revisions=True)
    written = await writer.write(page_batch(page(shown), seen=1, claim=Range(1_450, 2_000)))
    assert (written.new, written.edited, written.held) == (0, 0, {CHANNEL: 2})
    assert await newest_messages(original, CHANNEL, 1) == [shown]
    assert await execute(original, "SELECT count(*) FROM junkie.revisions") == [(0,)]
    # And it is as final as any other row of ours.
    assert (await run(original)).held == 2
    assert await newest_messages(original, CHANNEL, 1) == [shown]


async def test_a_page_without_the_content_intent_leaves_the_adopted_text(original: Database) -> None:
    await insert(original, Row(1_500, content="[Attachment: https://x/y.png]"), Row(1_501, content="hi @bot"))
    await run(original)
    writer = Writer(original)
    blank = page(message(1_500, ""), message(1_501, "hi <@1>"))
    await writer.write(page_batch(blank, seen=1, claim=None, complete=False))
    assert [m.content for m in await newest_messages(original, CHANNEL, 2)] == [
        "[Attachment: https://x/y.png]",
        "hi <@1>",
    ]
    shown = message(1_500, "", extra={"attachments": [{"id": "1"}]})
    await writer.write(page_batch(page(shown), seen=2, claim=Range(CHANNEL, 1_501)))
    assert (await newest_messages(original, CHANNEL, 2))[0] == shown


async def test_what_is_ours_is_not_overwritten(original: Database) -> None:
    writer = Writer(original)
    await writer.write(Batch(messages=[Incoming(message(1_500, "ours"), seen=4)]))
    await writer.write(Batch(messages=[Incoming(message(1_501, "a copy"), seen=5, partial=True)]))
    await insert(original, Row(1_500), Row(1_501), Row(1_502))
    ended = await run(original)
    assert (ended.adopted, ended.held) == (1, 2)
    assert [(row[2], row[3]) for row in (await rows(original)).values()] == [("ours", 4), ("a copy", -5), ("hello", 0)]
    await assert_counts_are_right(original)


@pytest.mark.parametrize("cause", ["event", "forget", "inferred"])
@pytest.mark.parametrize("on_delete", ["purge", "keep"])
async def test_what_bears_a_tombstone_stays_out(original: Database, cause: Any, on_delete: Any) -> None:
    writer = Writer(original, on_delete=on_delete)
    await writer.write(Batch(messages=[Incoming(message(1_500), seen=1)]))
    await writer.write(Batch(deletions=[Deletion(Key(CHANNEL, 1_500), 2, cause)]))
    await insert(original, Row(1_500), Row(1_501))
    ended = await run(original)
    assert (ended.adopted, ended.deleted) == (1, 1)
    assert [m.message_id for m in await newest_messages(original, CHANNEL, 9)] == [1_501]
    await assert_counts_are_right(original)


@pytest.mark.parametrize(
    "rule", ["user_id) VALUES (8)", "channel_id) VALUES (20)", "guild_id) VALUES (5)", "before_id) VALUES (1510)"]
)
async def test_what_a_rule_keeps_out_stays_out(original: Database, rule: str) -> None:
    thread = Channel(21, 5, 20, 11, "thread", None)
    await Places(original).store([Guild(5, "g")], [], [Channel(20, 5, None, 0, "text", None), thread], {})
    await execute(original, "INSERT INTO junkie.exclusions (" + rule)
    await insert(
        original,
        Row(1_501, author_id=8, channel_id=20),
        Row(1_502, author_id=8, channel_id=21),
        Row(1_520, author_id=9, channel_id=22),
        Row(1_521, author_id=9, channel_id=22),
    )
    ended = await run(original)
    assert (ended.adopted, ended.forgotten) == (2, 2)
    assert set(await rows(original)) == {Key(22, 1_520), Key(22, 1_521)}


async def test_a_rule_needs_all_that_it_says(original: Database) -> None:
    await execute(original, "INSERT INTO junkie.exclusions (user_id, before_id) VALUES (7, 1500)")
    await insert(original, Row(1_499), Row(1_500), Row(1_400, author_id=8))
    assert (await run(original)).forgotten == 1
    assert set(await rows(original)) == {Key(CHANNEL, 1_400), Key(CHANNEL, 1_500)}


async def test_what_discord_was_asked_for_and_lacks_stays_out(original: Database) -> None:
    await Writer(original).write(page_batch(page(message(1_500)), seen=1, claim=Range(1_400, 1_600)))
    await insert(original, *(Row(n) for n in (1_399, 1_400, 1_500, 1_599, 1_600)))
    ended = await run(original)
    assert (ended.adopted, ended.absent, ended.held) == (2, 2, 1)
    assert sorted(key.message_id for key in await rows(original)) == [1_399, 1_500, 1_600]


async def test_a_page_that_was_under_way_tells_what_discord_lacks(original: Database) -> None:
    reader, writer = Reader(original), Writer(original)
    draw = await reader.draw(CHANNEL, Range(1_000, 2_000), ascending=False, most=100)
    await insert(original, *(Row(n) for n in (1_399, 1_400, 1_450, 1_500, 1_600)))
    await run(original)
    answer = page(message(1_450, "seen"), message(1_500, "seen"))
    claim = Range(1_400, 1_600)
    batch = page_batch(answer, seen=draw.seen, known=draw.known, claim=claim)
    assert (await writer.write(batch)).deleted == 1
    assert {key.message_id: row[2] for key, row in (await rows(original)).items()} == {
        1_399: "hello",
        1_450: "seen",
        1_500: "seen",
        1_600: "hello",
    }
    assert (await writer.write(batch)).deleted == 0
    await assert_counts_are_right(original)


@pytest.mark.parametrize("on_delete", ["purge", "keep"])
async def test_a_page_may_span_more_of_what_discord_lacks_than_is_read_at_once(
    original: Database, monkeypatch: pytest.MonkeyPatch, on_delete: Any
) -> None:
    monkeypatch.setattr(unshown, "AT_ONCE", 2)
    read: list[int] = []
    fetch = unshown.stretches

    async def counted(*arguments: Any) -> Any:
        async for keys in fetch(*arguments):
            read.append(len(keys))
            yield keys

    monkeypatch.setattr(unshown, "stretches", counted)
    await insert(original, *(Row(n) for n in range(1_500, 1_510)))
    await run(original)
    # One of them the page shows, and one was known and missed before.
    batch = page_batch(page(message(1_504, "seen")), seen=1, claim=Range(1_400, 1_600), known=[1_507])
    written = await Writer(original, on_delete=on_delete).write(batch)
    assert (written.deleted, written.held) == (9, {CHANNEL: 1})
    assert read == [2, 2, 2, 2]
    await assert_counts_are_right(original)


@pytest.mark.parametrize("on_delete", ["purge", "keep"])
async def test_an_empty_page_deletes_nothing(original: Database, on_delete: Any) -> None:
    await insert(original, Row(1_500), Row(1_501))
    await run(original)
    writer = Writer(original, on_delete=on_delete)
    written = await writer.write(page_batch(page(), seen=1, claim=Range(1_400, 1_600)))
    assert (written.deleted, written.held) == (0, {CHANNEL: 2})
    # A later page that lacks them does, once.
    for deleted in (2, 0):
        written = await writer.write(page_batch(page(message(1_502)), seen=2, claim=Range(1_400, 1_600)))
        assert (written.deleted, written.held) == (deleted, {CHANNEL: 1})
    await assert_counts_are_right(original)


class Stop(Exception):
    """Interrupts an adoption."""


def stopping_after(batches: int) -> Any:
    left = batches

    def report(_state: Adoption) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Stop

    return report


async def test_an_interrupted_one_goes_on_where_it_stopped(original: Database) -> None:
    await insert_many(original, 950)
    with pytest.raises(Stop):
        await run(original, batch_rows=100, report=stopping_after(3))
    assert len(await rows(original)) == 300
    await assert_counts_are_right(original)
    seen: list[Adoption] = []
    ended = await run(original, batch_rows=100, report=seen.append)
    assert (ended.adopted, ended.held, ended.done, ended.total, ended.resumed) == (950, 0, 950, 950, True)
    assert [state.done for state in seen] == [*range(300, 950, 100), 950]
    assert {state.total for state in seen} == {950}
    assert len(await rows(original)) == 950
    await assert_counts_are_right(original)
    assert not (await run(original)).resumed


async def test_a_table_made_anew_is_read_from_its_start(original: Database) -> None:
    await insert_many(original, 300)
    with pytest.raises(Stop):
        await run(original, batch_rows=100, report=stopping_after(2))
    await execute(original, "DROP TABLE {schema}.messages, {schema}.channel_status")
    await make_tables(original)
    await insert(original, Row(1), Row(2))
    ended = await run(original)
    assert (ended.adopted, ended.resumed) == (2, False)


async def test_a_cancelled_one_leaves_whole_batches(original: Database) -> None:
    await insert_many(original, 500)
    task: asyncio.Task[Adoption]

    def report(state: Adoption) -> None:
        if state.done >= 200:
            task.cancel()

    task = asyncio.create_task(run(original, batch_rows=100, report=report))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(await rows(original)) == 200
    assert (await run(original)).adopted == 500


async def test_two_at_once_take_turns(original: Database) -> None:
    await insert_many(original, 1_000)
    ended = await asyncio.gather(*(run(original, batch_rows=50) for _ in range(3)))
    assert len(await rows(original)) == 1_000
    assert {(state.adopted + state.held, state.done) for state in ended} == {(1_000, 1_000)}
    await assert_counts_are_right(original)


@asynccontextmanager
async def locked(database: Database, channel_id: int) -> AsyncIterator[Connection]:
    """Hold a channel's lock, as a writer does."""
    async with await database.dedicated() as connection, connection.transaction():
        await connection.execute("SELECT FROM junkie.channel_status WHERE channel_id = %s FOR UPDATE", [channel_id])
        yield connection


async def until_someone_waits(database: Database) -> None:
    """Return as soon as a connection to this database waits for a lock."""
    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not await execute(database, waiting):
        await asyncio.sleep(0.01)


async def test_a_deletion_that_is_being_written_is_waited_for(original: Database) -> None:
    await Writer(original).write(Batch(messages=[Incoming(message(1_400), seen=1)]))
    await insert(original, Row(1_500), Row(1_501))
    async with locked(original, CHANNEL) as connection:
        adopting = asyncio.create_task(run(original))
        await until_someone_waits(original)
        await connection.execute(
            "INSERT INTO junkie.tombstones (channel_id, message_id, seen, cause) VALUES (%s, 1500, 2, 'event')",
            [CHANNEL],
        )
    ended = await adopting
    assert (ended.adopted, ended.deleted) == (1, 1)
    assert sorted(key.message_id for key in await rows(original)) == [1_400, 1_501]


async def test_writers_go_on_meanwhile(original: Database) -> None:
    channels = range(2_000, 2_020)
    # Every third message was deleted on Discord since the original saw it.
    ids = range(10_000, 10_300)
    await insert(original, *(Row(n * 100 + c, channel_id=c + 2_000) for n in ids for c in range(20)))
    held = {c: [n * 100 + c - 2_000 for n in ids if n % 3] for c in channels}

    async def backfill(channel_id: int) -> None:
        reader, writer = Reader(original), Writer(original)
        for begin in range(0, 200, 50):
            window = Range(held[channel_id][begin], held[channel_id][begin + 49] + 1)
            draw = await reader.draw(channel_id, window, ascending=True, most=200)
            shown = [
                Message(channel_id, n, 7, "Ann", "Discord's") for n in reversed(held[channel_id][begin : begin + 50])
            ]
            answer = Page(PageRequest(channel_id), tuple(m.message_id for m in shown), tuple(shown))
            await writer.write(page_batch(answer, seen=draw.seen, known=draw.known, claim=window))

    await asyncio.gather(run(original, batch_rows=500), *(backfill(channel_id) for channel_id in channels))
    found = await rows(original)
    for channel_id in channels:
        covered = (await Reader(original).channel_states([channel_id]))[channel_id].covered
        inside = [key.message_id for key in sorted(found) if key.channel_id == channel_id and key.message_id in covered]
        assert inside == held[channel_id][:200]
        assert all(found[Key(channel_id, n)][2] == "Discord's" for n in inside)
    await assert_counts_are_right(original)


@pytest.mark.timeout(300)
async def test_many_rows_with_hostile_ones_among_them(original: Database) -> None:
    many = up_to(100_000, 1_000_000)
    # The index that a dump brings along only makes the making slow.
    await execute(original, "DROP INDEX {schema}.idx_messages_channel_created")
    await insert_many(original, many)
    await insert(
        original,
        Row(-5),
        Row(MAX, channel_id=9 * 10**17),
        Row(10**18 + 5, channel_id=0),
        Row(10**18 + 6, channel_id=9 * 10**17, author_id=-1),
    )
    states: list[Adoption] = []
    ended = await run(original, report=states.append)
    assert (ended.total, ended.done, ended.adopted) == (many + 4, many + 4, many)
    assert (ended.bad_message_id, ended.bad_channel_id, ended.bad_author_id) == (2, 1, 1)
    assert len(states) > many // 10_000
    assert await execute(original, "SELECT count(*), sum(seen) FROM junkie.messages") == [(many, 0)]
    assert await execute(original, "SELECT count(*), sum(message_count) FROM junkie.channel_status") == [(50, many)]


@pytest.mark.administrator
async def test_a_table_without_its_key_may_hold_a_message_twice(database: Database) -> None:
    await execute(database, "CREATE SCHEMA copied")
    await make_tables(database, "copied")
    await execute(database, "ALTER TABLE {schema}.messages DROP CONSTRAINT messages_pkey", schema="copied")
    for column in ("message_id", "channel_id", "author_id", "author_name", "content"):
        await execute(database, f"ALTER TABLE {{schema}}.messages ALTER {column} DROP NOT NULL", schema="copied")
    await insert(database, *[Row(5)] * 5, Row(6), Row(6, channel_id=9), schema="copied")
    await execute(
        database,
        "INSERT INTO {schema}.messages VALUES (NULL, 1, 1, '', '', now(), ''), (7, NULL, 1, '', '', now(), ''),"
        "(8, 1000, NULL, '', '', now(), ''), (9, 1000, 1, NULL, NULL, now(), '')",
        schema="copied",
    )
    for batch_rows in (2, 100):
        await execute(database, "TRUNCATE junkie.messages, junkie.channel_status, junkie.adoptions")
        ended = await run(database, "copied", batch_rows=batch_rows)
        assert (ended.adopted, ended.held, ended.done) == (4, 4, 11)
        assert (ended.bad_message_id, ended.bad_channel_id, ended.bad_author_id) == (1, 1, 1)
        assert (await rows(database))[Key(CHANNEL, 9)] == (1, "", "", 0)


@pytest.mark.administrator
@pytest.mark.parametrize("schema", ["My Schema", 'x"; DROP SCHEMA junkie CASCADE; --', "{source}", "%(x)s", "ünï.cödé"])
async def test_a_schema_may_bear_any_name(database: Database, schema: str) -> None:
    await execute(database, "CREATE SCHEMA {schema}", schema=schema)
    await make_tables(database, schema)
    await insert(database, Row(1_500), schema=schema)
    assert (await run(database, schema)).adopted == 1


@pytest.mark.parametrize(
    ("schema", "kind", "words"),
    [
        ("junkie", UsageError, "junkie's own"),
        ("", UsageError, "names no schema"),
        ("\udce4", UsageError, "names no schema"),
        ("nowhere", DatabaseError, "has no schema 'nowhere'"),
        ('x"; DROP SCHEMA junkie CASCADE; --', DatabaseError, "has no schema"),
        ("x" * 5_000, DatabaseError, "has no schema"),
        ("public", DatabaseError, "no table messages in schema 'public'"),
    ],
)
async def test_where_there_is_nothing_to_adopt(
    database: Database, schema: str, kind: type[JunkieError], words: str
) -> None:
    with pytest.raises(kind) as refusal:
        await run(database, schema)
    assert words in refusal.value.message
    assert len(refusal.value.message) < 300
    assert "--schema" in refusal.value.message + refusal.value.hint or "schema" in refusal.value.hint


@pytest.mark.administrator
async def test_the_right_schema_is_named(database: Database) -> None:
    await execute(database, "CREATE SCHEMA old")
    await make_tables(database, "old")
    with pytest.raises(DatabaseError) as refusal:
        await run(database)
    assert refusal.value.hint == "name the older bot's schema with --schema: 'old'"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("DROP COLUMN author_name", "lacks author_name"),
        ("DROP COLUMN timestamp_str", "lacks timestamp_str"),
        ("ALTER message_id TYPE text", "message_id is text, not bigint"),
        ("ALTER content TYPE jsonb USING to_jsonb(content)", "content is jsonb, not text"),
    ],
)
async def test_another_programs_table_is_refused(original: Database, change: str, words: str) -> None:
    await execute(original, "ALTER TABLE {schema}.messages " + change)
    with pytest.raises(DatabaseError, match=words):
        await run(original)


@pytest.mark.administrator
async def test_a_table_that_may_not_be_read_is_named(original: Database) -> None:
    # The role is the server's, and this database's name its own.
    ((role,),) = await execute(original, "SELECT current_database() || '_reader'")
    await execute(original, 'CREATE ROLE "' + role + '"')
    try:
        async with original.connection() as connection:
            await connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
            with pytest.raises(DatabaseError, match="may not read the table messages of schema 'public'"):
                await find_source(cast("Database", One(connection)), "public")
    finally:
        await execute(original, 'DROP ROLE "' + role + '"')


class One:
    """Stands for a database of which one connection is used."""

    place = "the database"

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fetch(self, statement: Any, parameters: Any = None) -> list[Any]:
        return await (await self._connection.execute(statement, parameters)).fetchall()
