"""The write invariant, on a real PostgreSQL."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest

from junkie_cli.coverage import Coverage, Range
from junkie_cli.db.connecting import Connection
from junkie_cli.db.database import Database
from junkie_cli.db.places import LATE_SECONDS, Places
from junkie_cli.db.reader import Reader
from junkie_cli.db.reconcile import Incoming, Key
from junkie_cli.db.rows import message_of
from junkie_cli.db.writer import Batch, Deletion, Writer, page_batch
from junkie_cli.errors import JunkieError
from junkie_cli.models import Channel, Guild, Message, Page, PageRequest, User

CHANNEL = 1_000
LATE = timedelta(seconds=LATE_SECONDS)


def message(message_id: int, content: str = "hello", **changes: Any) -> Message:
    return replace(Message(CHANNEL, message_id, author_id=7, author_name="Ann", content=content), **changes)


def page(*messages: Message, before: int = 2_000, users: tuple[User, ...] = ()) -> Page:
    newest_first = tuple(sorted(messages, key=lambda m: -m.message_id))
    return Page(PageRequest(CHANNEL, before=before), tuple(m.message_id for m in newest_first), newest_first, users)


async def rows(database: Database, channel_id: int = CHANNEL) -> dict[int, Message]:
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT channel_id, message_id, author_id, author_name, content, edited_at, type, reply_to, extra, seen "
            "FROM junkie.messages WHERE channel_id = %s",
            [channel_id],
        )
        return {row[1]: message_of(row) for row in await cursor.fetchall()}


async def tombstones(database: Database) -> dict[int, str]:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT message_id, cause FROM junkie.tombstones")
        return {row[0]: row[1] for row in await cursor.fetchall()}


async def execute(database: Database, sql: Any, *parameters: Any) -> list[Any]:
    async with database.connection() as connection:
        cursor = await connection.execute(sql, parameters)
        return await cursor.fetchall() if cursor.description else []


async def test_a_page_is_stored_with_its_claim_and_authors(database: Database) -> None:
    writer = Writer(database)
    ann = User(7, "ann", "Ann", bot=False, extra={"avatar": "x"})
    written = await writer.write(page_batch(page(message(1_500), users=(ann,)), seen=5, claim=Range(CHANNEL, 2_000)))
    assert (written.new, written.edited, written.deleted) == (1, 0, 0)
    assert written.held == {CHANNEL: 1}
    assert await rows(database) == {1_500: message(1_500)}
    state = (await Reader(database).channel_states([CHANNEL]))[CHANNEL]
    assert state.covered == Coverage.of([(CHANNEL, 2_000)])
    assert state.is_fully_backfilled
    assert state.held == 1
    assert await execute(database, "SELECT username, extra FROM junkie.users") == [("ann", {"avatar": "x"})]


async def test_coverage_is_complete_only_from_the_channels_own_id(database: Database) -> None:
    writer, reader = Writer(database), Reader(database)
    await writer.write(page_batch(page(message(1_500)), seen=1, claim=Range(1_500, 2_000)))
    assert not (await reader.channel_states([CHANNEL]))[CHANNEL].is_fully_backfilled
    await writer.write(page_batch(page(message(1_400), before=1_450), seen=2, claim=Range(CHANNEL, 1_450)))
    state = (await reader.channel_states([CHANNEL]))[CHANNEL]
    assert not state.is_fully_backfilled
    assert state.covered.gaps(CHANNEL, 2_000) == (Range(1_450, 1_500),)
    await writer.write(page_batch(page(before=1_500), seen=3, claim=Range(1_450, 1_500)))
    assert (await reader.channel_states([CHANNEL]))[CHANNEL].is_fully_backfilled


async def test_what_is_told_makes_a_channel_fresher_and_an_older_page_does_not(database: Database) -> None:
    writer, reader = Writer(database), Reader(database)
    await writer.write(page_batch(page(message(1_500)), seen=1, claim=Range(CHANNEL, 2_000)))
    assert (await reader.channel_states([CHANNEL]))[CHANNEL].checked_at is None
    told = {CHANNEL: Coverage.of([(2_000, 2_001)])}
    heard_at = await Places(database).now() - timedelta(seconds=60)
    await writer.write(Batch(messages=[Incoming(message(2_000), 2, live=True)], claims=told, heard_at=heard_at))
    assert (await reader.channel_states([CHANNEL]))[CHANNEL].checked_at == heard_at
    await writer.write(page_batch(page(message(1_400)), seen=3, claim=Range(CHANNEL, 1_450)))
    # Nor does an edit, which says nothing of what else was posted.
    await writer.write(Batch(messages=[Incoming(message(1_500, "b"), 4, live=True)]))
    assert (await reader.channel_states([CHANNEL]))[CHANNEL].checked_at == heard_at


async def test_a_channel_is_unwatched_since_it_was_last_checked(database: Database) -> None:
    places, reader = Places(database), Reader(database)
    told = {CHANNEL: Coverage.of([(1_500, 1_501)])}
    checked_at = await places.now() - timedelta(seconds=60)
    await Writer(database).write(
        Batch(messages=[Incoming(message(1_500), 2, live=True)], claims=told, heard_at=checked_at)
    )
    await Writer(database).write(page_batch(page(message(1_400)), seen=3, claim=Range(CHANNEL, 1_450)))
    await places.note_unwatched([CHANNEL + 1])
    assert (await reader.channel_states([CHANNEL]))[CHANNEL].unwatched_since is None
    # Where nobody listens, to look for new messages leaves on record that edits were not looked for.
    now = await places.now()
    await places.note_checked([CHANNEL], now)
    state = (await reader.channel_states([CHANNEL]))[CHANNEL]
    assert (state.unwatched_since, state.checked_at) == (checked_at - LATE, now)
    await places.note_watched(CHANNEL, None)
    await places.note_unwatched()
    assert (await reader.channel_states([CHANNEL]))[CHANNEL].unwatched_since == now - LATE


async def test_what_was_heard_ends_with_the_last_that_was_told(database: Database) -> None:
    """Whoever listens to a connection that is dead without knowing so has not heard what it takes to be quiet."""
    places, reader = Places(database), Reader(database)
    await Writer(database).write(
        page_batch(page(message(1_500)), seen=3, claim=Range(CHANNEL, 2_000), asked_at=await places.now())
    )
    now = await places.now()
    heard_at = now - timedelta(seconds=60)
    await places.note_checked([CHANNEL], now, heard_at=heard_at)
    assert (await reader.channel_states([CHANNEL]))[CHANNEL].checked_at == heard_at
    # Another command has checked it since; but what it did not ask for was to be heard.
    await places.note_checked([CHANNEL], now)
    await places.note_watched(CHANNEL, None, heard_at=heard_at)
    await places.note_unwatched([CHANNEL])
    assert (await reader.channel_states([CHANNEL]))[CHANNEL].unwatched_since == heard_at - LATE


async def test_beside_a_live_serve_nobody_else_says_how_far_all_is_known(database: Database) -> None:
    """Should the serve have missed something before, it finds out later, and then counts from the last that it heard."""
    places, reader = Places(database), Reader(database)
    told = {CHANNEL: Coverage.of([(1_500, 1_501)])}
    heard_at = await places.now() - timedelta(seconds=60)
    await Writer(database).write(
        Batch(messages=[Incoming(message(1_500), 2, live=True)], claims=told, heard_at=heard_at)
    )
    before = (await reader.channel_states([CHANNEL]))[CHANNEL]
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO junkie.workers (command, bot_id, host, pid, backend_pid, live_at)"
            " VALUES ('serve', 1, 'here', 1, pg_backend_pid(), now())"
        )
        await connection.commit()
        await places.note_checked([CHANNEL], await places.now())
    state = (await reader.channel_states([CHANNEL]))[CHANNEL]
    assert (state.checked_at, state.unwatched_since) == (before.checked_at, None)
    await places.note_unwatched()
    assert before.checked_at is not None
    assert (await reader.channel_states([CHANNEL]))[CHANNEL].unwatched_since == before.checked_at - LATE


async def test_a_page_without_a_claim_grants_no_coverage(database: Database) -> None:
    await Writer(database).write(page_batch(page(message(1_500)), seen=1, claim=None))
    assert not (await Reader(database).channel_states([CHANNEL]))[CHANNEL].covered


async def test_writing_twice_changes_nothing(database: Database) -> None:
    writer = Writer(database)
    batch = page_batch(page(message(1_500), message(1_501)), seen=5, claim=Range(CHANNEL, 2_000))
    await writer.write(batch)
    again = await writer.write(batch)
    assert (again.new, again.edited, again.held) == (0, 0, {CHANNEL: 2})


async def test_newer_wins_by_seen_whatever_the_order_of_arrival(database: Database) -> None:
    writer = Writer(database)
    await writer.write(Batch(messages=[Incoming(message(1_500, "new"), seen=9)]))
    await writer.write(Batch(messages=[Incoming(message(1_500, "old"), seen=8)]))
    assert (await rows(database))[1_500].content == "new"
    written = await writer.write(Batch(messages=[Incoming(message(1_500, "newer"), seen=10)]))
    assert written.edited == 1
    assert (await rows(database))[1_500].content == "newer"


async def test_a_create_and_an_edit_of_one_message_in_a_batch_are_folded(database: Database) -> None:
    created, edited = Incoming(message(1_500, "a"), seen=3), Incoming(message(1_500, "b"), seen=3)
    written = await Writer(database).write(Batch(messages=[created, edited]))
    assert (written.new, written.held) == (1, {CHANNEL: 1})
    assert (await rows(database))[1_500].content == "b"


async def test_text_is_not_blanked_by_a_page_that_may_lack_it(database: Database) -> None:
    writer = Writer(database)
    edited = datetime(2024, 1, 1, tzinfo=UTC)
    full = message(1_500, "text", extra={"attachments": [{"id": "1"}], "pinned": True})
    await writer.write(Batch(messages=[Incoming(full, seen=1)]))
    for blank in (message(1_500, ""), message(1_500, "", edited_at=edited)):
        await writer.write(Batch(messages=[Incoming(blank, seen=2, complete=False)]))
        kept = (await rows(database))[1_500]
        assert kept.content == "text"
        assert kept.extra == {"attachments": [{"id": "1"}]}
    # A newer edit, seen whole, does blank it.
    later = datetime(2024, 1, 2, tzinfo=UTC)
    await writer.write(Batch(messages=[Incoming(message(1_500, "", edited_at=later), seen=3)]))
    assert (await rows(database))[1_500].content == ""


async def test_rest_does_not_replace_a_nick(database: Database) -> None:
    writer = Writer(database)
    await writer.write(Batch(messages=[Incoming(message(1_500, author_name="Annie"), seen=1, nick_known=True)]))
    await writer.write(Batch(messages=[Incoming(message(1_500, "edited", author_name="ann_0"), seen=2)]))
    row = (await rows(database))[1_500]
    assert (row.author_name, row.content) == ("Annie", "edited")


async def test_an_adopted_row_yields_to_whatever_discord_says(database: Database) -> None:
    writer = Writer(database)
    adopted = message(1_500, "text [Attachment: x]", author_name="old name")
    await writer.write(Batch(messages=[Incoming(adopted, seen=0)]))
    await writer.write(Batch(messages=[Incoming(message(1_500, ""), seen=1)]))
    assert await rows(database) == {1_500: message(1_500, "")}


@pytest.mark.parametrize("on_delete", ["purge", "keep"])
async def test_an_inferred_deletion_is_taken_back_when_a_later_page_shows_the_message(
    database: Database, on_delete: Any
) -> None:
    writer = Writer(database, on_delete=on_delete)
    await writer.write(page_batch(page(message(1_500), message(1_501)), seen=1, claim=Range(CHANNEL, 2_000)))
    lacking = page_batch(page(message(1_501)), seen=2, claim=Range(CHANNEL, 2_000), known=[1_500, 1_501])
    written = await writer.write(lacking)
    assert (written.deleted, written.held) == (1, {CHANNEL: 1})
    assert await tombstones(database) == {1_500: "inferred"}
    assert (1_500 in await rows(database)) == (on_delete == "keep")
    # The same page once more, and a page that was asked for before it: nothing comes back.
    assert (await writer.write(lacking)).held == {CHANNEL: 1}
    earlier = page_batch(page(message(1_500), message(1_501)), seen=1, claim=Range(CHANNEL, 2_000))
    assert (await writer.write(earlier)).held == {CHANNEL: 1}
    later = page_batch(page(message(1_500), message(1_501)), seen=3, claim=Range(CHANNEL, 2_000))
    assert (await writer.write(later)).held == {CHANNEL: 2}
    assert await tombstones(database) == {}
    assert set(await rows(database)) == {1_500, 1_501}


async def test_a_deletion_is_inferred_only_inside_the_claim_and_never_from_an_empty_page(database: Database) -> None:
    writer = Writer(database)
    await writer.write(page_batch(page(*map(message, (1_400, 1_500, 1_600))), seen=1, claim=Range(CHANNEL, 2_000)))
    known = [1_400, 1_500, 1_600]
    empty = await writer.write(page_batch(page(), seen=2, claim=Range(CHANNEL, 2_000), known=known))
    assert empty.deleted == 0
    unclaimed = await writer.write(page_batch(page(message(1_600)), seen=3, claim=None, known=known))
    assert unclaimed.deleted == 0
    full = page_batch(page(message(1_600)), seen=4, claim=Range(1_500, 2_000), known=known)
    assert (await writer.write(full)).deleted == 1
    assert set(await rows(database)) == {1_400, 1_600}


async def test_a_row_that_something_newer_has_shown_is_not_inferred_to_be_deleted(database: Database) -> None:
    writer = Writer(database)
    await writer.write(Batch(messages=[Incoming(message(1_500), seen=5)]))
    stale = page_batch(page(message(1_600)), seen=4, claim=Range(CHANNEL, 2_000), known=[1_500])
    assert (await writer.write(stale)).deleted == 0


@pytest.mark.parametrize("cause", ["event", "forget"])
async def test_a_final_tombstone_is_final(database: Database, cause: Any) -> None:
    writer = Writer(database)
    await writer.write(Batch(messages=[Incoming(message(1_500), seen=1)]))
    written = await writer.write(Batch(deletions=[Deletion(Key(CHANNEL, 1_500), 2, cause)]))
    assert written.held == {CHANNEL: 0}
    for seen in (1, 3):
        again = await writer.write(page_batch(page(message(1_500)), seen=seen, claim=Range(CHANNEL, 2_000)))
        assert (again.new, again.kept_out, again.held) == (0, 1, {CHANNEL: 0})
    assert await rows(database) == {}


async def test_a_message_created_and_deleted_in_one_batch_is_not_there(database: Database) -> None:
    deletion = Deletion(Key(CHANNEL, 1_500), 3, "event")
    written = await Writer(database).write(Batch(messages=[Incoming(message(1_500), seen=3)], deletions=[deletion]))
    assert written.held == {CHANNEL: 0}
    assert await rows(database) == {}
    assert await tombstones(database) == {1_500: "event"}


async def test_rules_of_forget_keep_messages_out(database: Database) -> None:
    await Places(database).store([Guild(1, "g")], [], [Channel(CHANNEL, 1, 500, 11, "thread", None)], {CHANNEL: None})
    writer = Writer(database)
    await execute(database, "INSERT INTO junkie.exclusions (user_id, channel_id) VALUES (7, 500)")
    await execute(database, "INSERT INTO junkie.exclusions (guild_id, before_id) VALUES (1, 1400)")
    kept_out = await writer.write(
        page_batch(
            page(message(1_500), message(1_300, author_id=8), message(1_600, author_id=8)),
            seen=1,
            claim=Range(CHANNEL, 2_000),
        )
    )
    assert kept_out.kept_out == 2
    assert set(await rows(database)) == {1_600}
    assert (await Reader(database).channel_states([CHANNEL]))[CHANNEL].is_fully_backfilled


async def test_revisions_keep_earlier_texts_only_when_asked(database: Database) -> None:
    for seen, text, keep in ((1, "a", True), (2, "b", True), (3, "c", False)):
        await Writer(database, keep_revisions=keep).write(Batch(messages=[Incoming(message(1_500, text), seen=seen)]))
    assert await execute(database, "SELECT replaced_seen, content FROM junkie.revisions") == [(2, "a")]
    await Writer(database).write(Batch(deletions=[Deletion(Key(CHANNEL, 1_500), 4, "event")]))
    assert await execute(database, "SELECT * FROM junkie.revisions") == []


async def test_text_that_postgresql_refuses_survives(database: Database) -> None:
    hostile = message(
        1_500,
        "nul \x00 surrogate \ud800 dle \x10",
        author_name="\x00\udfff",
        extra={"embeds": [{"\x00": "\ud800", "n": [float("inf"), -0.0, 1e300, 10**60]}]},
    )
    ann = User(7, "\x00", "\ud800", bot=False, extra={"a\x00": 1})
    await Writer(database).write(page_batch(page(hostile, users=(ann,)), seen=1, claim=None))
    stored = (await rows(database))[1_500]
    assert stored == hostile
    assert stored.extra is not None
    assert repr(stored.extra["embeds"][0]["n"]) == repr([float("inf"), -0.0, 1e300, 10**60])


async def test_two_pages_with_the_same_authors_in_opposite_order_do_not_deadlock(database: Database) -> None:
    users = [User(n, f"user {n}", None, bot=False) for n in range(50)]

    async def write(channel_id: int, authors: list[User]) -> None:
        for seen in range(1, 15):
            renamed = tuple(replace(user, username=f"{user.username} {channel_id} {seen}") for user in authors)
            batch = Batch(messages=[Incoming(replace(message(1_500), channel_id=channel_id), seen)], users=renamed)
            await Writer(database).write(batch)

    await asyncio.gather(*(write(channel, users[:: (-1) ** channel]) for channel in range(1, 5)))


class Gate:
    """Lets a task take one step at a time."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.go = asyncio.Event()

    async def pass_through(self) -> None:
        self.waiting.set()
        await self.go.wait()
        self.go.clear()


class SteppedConnection:
    """A connection that stops before each statement. (A pipeline's statements have snapshots of their own anyway.)"""

    def __init__(self, connection: Connection, gate: Gate) -> None:
        self._connection = connection
        self._gate = gate

    async def execute(self, *arguments: Any) -> Any:
        await self._gate.pass_through()
        return await self._connection.execute(*arguments)

    def pipeline(self) -> Any:
        return asyncio.timeout(None)  # any context manager that does nothing


class SteppedDatabase:
    """Stands for `Database` in a writer whose statements a test orders."""

    def __init__(self, connection: Connection, gate: Gate) -> None:
        self._connection = connection
        self._gate = gate

    async def transaction(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        async with self._connection.transaction():
            result = await work(SteppedConnection(self._connection, self._gate))
            await self._gate.pass_through()
        return result

    async def fetch(self, statement: Any, parameters: Any) -> list[Any]:
        await self._gate.pass_through()
        return await (await self._connection.execute(statement, parameters)).fetchall()


async def interleave(
    database: Database, connections: dict[str, Connection], first: Batch, second: Batch, order: str
) -> None:
    """Write both batches, statement by statement in the order of the letters A and B; then whoever is left goes on."""
    gates = {"A": Gate(), "B": Gate()}
    writers = {
        name: Writer(SteppedDatabase(connections[name], gates[name]))  # type: ignore[arg-type]
        for name in "AB"
    }
    tasks = {
        "A": asyncio.create_task(writers["A"].write(first)),
        "B": asyncio.create_task(writers["B"].write(second)),
    }

    async def settled(name: str) -> None:
        """Come back when the task stands at its gate, is done, or waits for a lock."""
        pid = connections[name].info.backend_pid
        while not (tasks[name].done() or gates[name].waiting.is_set()):
            await asyncio.sleep(0.001)
            if tasks[name].done() or gates[name].waiting.is_set():
                return
            blocked = await execute(database, "SELECT cardinality(pg_blocking_pids(%s)) > 0", pid)
            if blocked[0][0]:
                return

    async def step(name: str) -> None:
        await settled(name)
        if gates[name].waiting.is_set():
            gates[name].waiting.clear()
            gates[name].go.set()
            await settled(name)

    for name in order:
        await step(name)
    while not all(task.done() for task in tasks.values()):
        for name in "AB":
            await step(name)
    await asyncio.gather(*tasks.values())


LOOKED_UP = ["".join("A" if n in chosen else "B" for n in range(9)) for chosen in combinations(range(9), 4)]
AT_ONCE = ["A" * before + "B" for before in range(12)]


@pytest.mark.parametrize(("fresh", "orders"), [(False, LOOKED_UP), (True, AT_ONCE)])
async def test_no_order_of_a_page_and_a_deletion_brings_the_message_back(
    database: Database, *, fresh: bool, orders: list[str]
) -> None:
    async with await database.dedicated() as one, await database.dedicated() as other:
        for number, order in enumerate(orders):
            message_id = CHANNEL + 1 + number
            shown = replace(page(message(message_id), before=message_id + 1), users=())
            stored = page_batch(shown, seen=2 * number + 1, claim=Range(message_id, message_id + 1))
            await interleave(
                database,
                {"A": one, "B": other},
                Batch(deletions=[Deletion(Key(CHANNEL, message_id), 2 * number + 2, "event")]),
                replace(stored, fresh=fresh),
                order,
            )
    assert await rows(database) == {}
    assert len(await tombstones(database)) == len(orders)
    state = (await Reader(database).channel_states([CHANNEL]))[CHANNEL]
    assert state.held == 0
    assert state.covered == Coverage.of([(CHANNEL + 1, CHANNEL + 1 + len(orders))])


@pytest.mark.parametrize("told", ["in part", "without content"])
async def test_no_order_of_a_change_and_a_purge_brings_a_copy_back(database: Database, told: str) -> None:
    """Only the archive knows that what an event tells in part, or a page may show in part, is a forward."""
    elsewhere = CHANNEL - 100
    orders = ["B" * before + "A" * 12 for before in range(8)] + ["A" * before + "B" * 8 for before in range(1, 12)]
    writer = Writer(database)
    async with await database.dedicated() as one, await database.dedicated() as other:
        for number, order in enumerate(orders):
            original = message(CHANNEL + 1 + number, "secret")
            reference = {"type": 1, "channel_id": str(CHANNEL), "message_id": str(original.message_id)}
            plain = {"message_reference": reference, "flags": 4}
            forward = replace(
                message(5_000 + number, "", extra=plain | {"message_snapshots": [{"message": {"content": "secret"}}]}),
                channel_id=elsewhere,
            )
            await writer.write(Batch(messages=[Incoming(original, 1), Incoming(forward, 1)]))
            change = Incoming(replace(forward, extra=plain | {"pinned": True}), 3, complete=False)
            if told == "in part":
                nobody = replace(forward, author_id=0, author_name="", extra=None)
                change = Incoming(nobody, 3, patch=lambda m: replace(m, extra=(m.extra or {}) | {"pinned": True}))
            await interleave(
                database,
                {"A": one, "B": other},
                Batch(deletions=[Deletion(Key(CHANNEL, original.message_id), 2, "event")]),
                Batch(messages=[change]),
                order,
            )
    kept = await rows(database, elsewhere)
    assert len(kept) == len(orders)
    assert all((row.extra or {}).keys() == {"message_reference", "flags", "pinned"} for row in kept.values())


ANN = User(7, "ann", "Ann", bot=False)
BEN = User(8, "ben", None, bot=True, extra={"avatar": "x"})
NEW = page_batch(
    page(message(1_500, 'a,"b\\'), message(1_400, "\x00\ud800"), users=(ANN, BEN)), seen=9, claim=Range(1_300, 2_000)
)


@pytest.mark.parametrize(
    ("before", "statement"),
    [
        ([], None),
        ([page_batch(page(message(1_200)), seen=1, claim=Range(1_100, 1_300))], None),
        ([page_batch(page(message(1_400, "old")), seen=1, claim=None)], None),
        ([Batch(messages=[Incoming(message(1_500, "copy"), 1, partial=True)])], None),
        ([Batch(deletions=[Deletion(Key(CHANNEL, 1_500), 1, "event")])], None),
        ([Batch(deletions=[Deletion(Key(CHANNEL, 1_450), 1, "event")])], None),
        (
            [
                page_batch(page(message(1_500)), seen=1, claim=None),
                Batch(deletions=[Deletion(Key(CHANNEL, 1_500), 2, "inferred")]),
            ],
            None,
        ),
        ([], "INSERT INTO junkie.exclusions (user_id) VALUES (7)"),
        ([], "INSERT INTO junkie.exclusions (user_id) VALUES (99)"),
        ([], "INSERT INTO junkie.channel_status (channel_id, adopted) VALUES (1000, true)"),
        (
            [],
            (
                "WITH ghost AS (INSERT INTO junkie.messages (channel_id, message_id, author_id, seen, author_name, content) "
                "VALUES (1000, 1350, 3, 0, '', 'ghost')) "
                "INSERT INTO junkie.channel_status (channel_id, adopted, message_count) VALUES (1000, true, 1)"
            ),
        ),
        ([], "INSERT INTO junkie.channels (channel_id, type, name, last_message_id) VALUES (1000, 0, 'c', 1200)"),
        ([], "INSERT INTO junkie.users (user_id, username, bot, seen) VALUES (7, 'newer', false, 99)"),
    ],
)
async def test_what_is_stored_at_once_is_what_looking_it_up_first_would_store(
    database: Database, before: list[Batch], statement: str | None
) -> None:
    outcomes = []
    for fresh in (False, True):
        writer = Writer(database)
        if statement is not None:
            await execute(database, statement)
        for batch in before:
            await writer.write(batch)
        written = await writer.write(replace(NEW, fresh=fresh))
        everything = [
            await execute(database, f"SELECT * FROM junkie.{table} ORDER BY 1, 2")
            for table in ("messages", "tombstones", "users", "channels")
        ]
        status = "SELECT channel_id, is_fully_backfilled, covered, message_count, unreadable, adopted FROM junkie.channel_status"
        everything.append(await execute(database, status))
        outcomes.append((written, [[str(row) for row in rows] for rows in everything]))
        for table in ("messages", "tombstones", "users", "channels", "channel_status", "exclusions"):
            await execute(database, f"DELETE FROM junkie.{table}")
    looked_up, at_once = outcomes
    assert at_once[0] == looked_up[0]
    for one, other in zip(at_once[1], looked_up[1], strict=True):
        assert [re.sub(r"datetime\([^)]*\)", "…", row) for row in one] == [
            re.sub(r"datetime\([^)]*\)", "…", row) for row in other
        ]


async def test_nothing_is_written_when_a_part_is_refused(database: Database) -> None:
    too_large = User(1 << 70, "x", None, bot=False)
    with pytest.raises((JunkieError, OverflowError, ValueError)):
        await Writer(database).write(page_batch(page(message(1_500), users=(too_large,)), seen=1, claim=Range(1, 9)))
    assert await rows(database) == {}
    assert not (await Reader(database).channel_states([CHANNEL]))[CHANNEL].covered
