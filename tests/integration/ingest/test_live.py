"""Live changes into a real PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest

from junkie_cli.coverage import Coverage, Range
from junkie_cli.db.database import Database
from junkie_cli.db.places import LATE_SECONDS, Places
from junkie_cli.db.reader import Reader
from junkie_cli.db.reconcile import Key
from junkie_cli.db.writer import Batch, Deletion, Writer, Written, page_batch
from junkie_cli.errors import DatabaseError, DatabaseUnavailable, ValueRefused
from junkie_cli.ingest.live import LiveWriter
from junkie_cli.models import Message, Page, PageRequest
from tests.truth import archived, coverage

if TYPE_CHECKING:
    from collections.abc import Callable

CHANNEL = 1_000


def message(message_id: int, content: str = "hello", **changes: Any) -> Message:
    return replace(Message(CHANNEL, message_id, author_id=7, author_name="Ann", content=content), **changes)


def key(message_id: int) -> Key:
    return Key(CHANNEL, message_id)


class Setting:
    """A live writer, the gaps that it told of, and a database that can be taken away from it."""

    def __init__(self, database: Database, capacity: int = 1000) -> None:
        self.database = database
        self.gaps: list[int] = []
        self.writer = Unreliable(Writer(database))
        self.live = LiveWriter(
            Reader(database),
            self.writer,  # type: ignore[arg-type]
            self.gaps.append,
            capacity=capacity,
            sleep=lambda _seconds: asyncio.sleep(0),
        )

    async def rows(self) -> dict[int, str]:
        return {message_id: row.content for message_id, row in (await archived(self.database, CHANNEL)).items()}

    async def covered(self) -> Coverage:
        return await coverage(self.database, CHANNEL)


class Unreliable:
    """A writer whose database goes away or refuses when told to."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.failures: list[DatabaseError] = []
        self.refuses: Callable[[Batch], bool] = lambda _batch: False
        self.on_write: Callable[[], object] = lambda: None
        self.takes = 0.0

    async def write(self, batch: Batch) -> Written:
        self.on_write()
        await asyncio.sleep(self.takes)
        if self.failures:
            raise self.failures.pop(0)
        if self.refuses(batch):
            raise ValueRefused("refused")
        return await self._writer.write(batch)


@pytest.fixture
def setting(database: Database) -> Setting:
    return Setting(database)


async def test_events_are_stored_with_the_range_that_they_prove(setting: Setting) -> None:
    live = setting.live
    for message_id in (1_100, 1_200, 1_300):
        live.message(message(message_id), created=True)
    await live.flush()
    assert set(await setting.rows()) == {1_100, 1_200, 1_300}
    assert await setting.covered() == Coverage.of([(1_100, 1_301)])


async def test_create_edit_and_delete_are_folded(setting: Setting) -> None:
    live = setting.live
    live.message(message(1_100, "a"), created=True)
    live.message(message(1_100, "b"), created=False)
    live.patched(key(1_100), lambda m: replace(m, content=m.content + "!"))
    live.message(message(1_200), created=True)
    live.deleted([key(1_200), key(1_050)])
    live.message(message(1_200, "too late"), created=False)
    await live.flush()
    assert await setting.rows() == {1_100: "b!"}
    assert live.depth == 0


async def test_a_patch_changes_a_stored_row_and_makes_none(setting: Setting) -> None:
    live = setting.live
    live.message(message(1_100, "text", extra={"pinned": True}), created=True)
    await live.flush()
    live.patched(key(1_100), lambda m: replace(m, extra={**(m.extra or {}), "embeds": [{"url": "x"}]}))
    live.patched(key(1_150), lambda m: replace(m, content="never seen"))
    await live.flush()
    assert (await archived(setting.database, CHANNEL))[1_100].extra == {"pinned": True, "embeds": [{"url": "x"}]}
    assert await setting.rows() == {1_100: "text"}


async def test_an_outage_loses_nothing(setting: Setting) -> None:
    live = setting.live
    live.message(message(1_100, "a"), created=True)
    setting.writer.failures = [DatabaseUnavailable("away")] * 3

    def meanwhile() -> None:
        if len(setting.writer.failures) == 2:
            live.patched(key(1_100), lambda m: replace(m, content=m.content + "b"))
            live.message(message(1_200), created=True)
            live.message(message(1_300), created=True)
            live.deleted([key(1_300)])

    setting.writer.on_write = meanwhile
    await live.flush()
    await live.flush()
    assert await setting.rows() == {1_100: "ab", 1_200: "hello"}
    assert await setting.covered() == Coverage.of([(1_100, 1_301)])
    assert setting.gaps == []


async def test_overflow_drops_creates_as_a_gap_on_record_and_keeps_edits_and_deletions(database: Database) -> None:
    setting = Setting(database, capacity=10)
    live = setting.live
    await Writer(database).write(
        page_batch(
            Page(PageRequest(CHANNEL, before=1_050), (1_002, 1_001), (message(1_002), message(1_001))),
            seen=0,
            claim=None,
        )
    )
    for message_id in range(1_100, 1_120):
        live.message(message(message_id), created=True)
    live.message(message(1_002, "edited"), created=False)
    live.deleted([key(1_001)])
    await live.flush()
    live.message(message(1_130), created=True)
    await live.flush()
    assert await setting.rows() == {1_002: "edited", 1_130: "hello"} | dict.fromkeys(range(1100, 1110), "hello")
    assert await setting.covered() == Coverage.of([(1_100, 1_110), (1_130, 1_131)])
    assert set(setting.gaps) == {CHANNEL}
    assert live.dropped == 10


async def test_what_waits_is_bounded_however_often_the_database_is_tried(database: Database) -> None:
    """Every try takes its time, in which more is told."""
    setting = Setting(database, capacity=10)
    live, told = setting.live, iter(range(1_100, 2_000))
    depths: list[int] = []

    def meanwhile() -> None:
        for _ in range(20):
            live.message(message(next(told)), created=True)
        depths.append(live.depth)

    meanwhile()
    setting.writer.failures = [DatabaseUnavailable("away")] * 5
    setting.writer.on_write = meanwhile
    await live.flush()
    assert depths == [10] * 7
    assert live.depth == 0
    assert len(await setting.rows()) == 10
    assert live.dropped == 130


async def test_a_message_that_can_not_be_written_ends_the_range_and_costs_no_other(setting: Setting) -> None:
    live = setting.live
    setting.writer.refuses = lambda batch: any(i.message.message_id == 1_200 for i in batch.messages)
    for message_id in (1_100, 1_200, 1_300):
        live.message(message(message_id), created=True)
    await live.flush()
    assert set(await setting.rows()) == {1_100, 1_300}
    assert not await setting.covered()
    assert set(setting.gaps) == {CHANNEL}
    live.message(message(1_400), created=True)
    await live.flush()
    assert await setting.covered() == Coverage.of([(1_400, 1_401)])


async def test_a_deleted_message_stays_deleted_and_a_newer_text_wins_over_a_page_in_flight(setting: Setting) -> None:
    live, database = setting.live, setting.database
    seen = await Reader(database).draw_seen()
    live.message(message(1_200, "edited"), created=False)
    live.deleted([key(1_100)])
    await live.flush()
    page = Page(PageRequest(CHANNEL, before=2_000), (1_200, 1_100), (message(1_200, "old"), message(1_100, "gone")))
    await Writer(database).write(page_batch(page, seen=seen, claim=None))
    assert await setting.rows() == {1_200: "edited"}


async def test_what_a_page_in_flight_shows_of_a_change_that_was_undone_meanwhile_is_old(setting: Setting) -> None:
    """Pins and previews leave no time of an edit; told together, they come to nothing."""
    live, database = setting.live, setting.database
    live.message(message(1_100), created=True)
    await live.flush()
    draw = await Reader(database).draw(CHANNEL, Range(1_000, 1_300), ascending=False, most=10)
    pinned = message(1_100, extra={"pinned": True})
    live.message(pinned, created=False)
    live.message(message(1_100), created=False)
    await live.flush()
    assert live.written.edited == 0
    await Writer(database).write(
        page_batch(Page(PageRequest(CHANNEL, before=1_300), (1_100,), (pinned,)), seen=draw.seen, claim=None)
    )
    assert (await archived(database, CHANNEL))[1_100] == message(1_100)


async def test_a_patch_that_a_page_in_flight_comes_too_late_for_is_on_record_as_missed(setting: Setting) -> None:
    """The page was asked for before the message changed, and is written after what told so found nothing to change."""
    live, database = setting.live, setting.database
    live.message(message(1_300), created=True)
    await live.flush()
    state = (await Reader(database).channel_states([CHANNEL]))[CHANNEL]
    assert state.unwatched_since is None
    assert state.checked_at is not None
    draw = await Reader(database).draw(CHANNEL, Range(1_000, 1_300), ascending=False, most=10)
    live.patched(key(1_200), lambda m: replace(m, content="edited"))
    live.message(message(1_400), created=True)
    await live.flush()
    page = Page(PageRequest(CHANNEL, before=1_300), (1_200,), (message(1_200, "old"),))
    await Writer(database).write(page_batch(page, seen=draw.seen, claim=Range(1_000, 1_300), asked_at=draw.at))
    assert (await setting.rows())[1_200] == "old"
    # Since before what was told together with it, and no range goes on past it.
    assert (await Reader(database).channel_states([CHANNEL]))[CHANNEL].unwatched_since == state.checked_at - timedelta(
        seconds=LATE_SECONDS
    )
    assert (set(setting.gaps), live.ranges.is_open(CHANNEL)) == ({CHANNEL}, False)


async def test_what_is_missed_in_a_channel_just_as_it_is_first_heard_is_on_record(setting: Setting) -> None:
    live = setting.live
    live.message(message(1_300), created=True)
    live.patched(key(1_200), lambda m: replace(m, content="edited"))
    await live.flush()
    state = (await Reader(setting.database).channel_states([CHANNEL]))[CHANNEL]
    assert await setting.covered() == Coverage.of([(1_300, 1_301)])
    assert state.unwatched_since is not None


async def test_what_is_missed_before_the_first_that_was_heard_is_written_is_on_record(database: Database) -> None:
    """As long as nothing is covered, there is nothing of which something could be missing."""
    missed: set[int] = set()

    async def settle() -> None:
        await Places(database).note_unwatched(missed)
        missed.clear()

    live = LiveWriter(Reader(database), Writer(database), missed.add, settle)
    live.message(message(1_300), created=True)
    live.ranges.end([CHANNEL])
    missed.add(CHANNEL)
    await live.flush()
    live.message(message(1_400), created=True)
    await live.flush()
    assert (await Reader(database).channel_states([CHANNEL]))[CHANNEL].unwatched_since is not None
    assert not missed


@pytest.mark.parametrize("cause", ["event", "forget"])
async def test_a_patch_of_a_message_that_is_gone_for_good_is_no_miss(
    setting: Setting, cause: Literal["event", "forget"]
) -> None:
    live = setting.live
    await Writer(setting.database).write(Batch(deletions=[Deletion(key(1_200), 1, cause)]))
    live.message(message(1_300), created=True)
    live.patched(key(1_200), lambda m: replace(m, content="edited"))
    await live.flush()
    assert (await Reader(setting.database).channel_states([CHANNEL]))[CHANNEL].unwatched_since is None
    assert setting.gaps == []


async def test_until_when_all_was_heard_counts_from_the_oldest_that_waits_and_from_the_last_word(
    database: Database,
) -> None:
    now, silence = 100.0, 0.0
    order: list[str] = []

    async def settle() -> None:
        order.append("settled")

    writer = Unreliable(Writer(database))
    live = LiveWriter(
        Reader(database),
        writer,  # type: ignore[arg-type]
        lambda _channel_id: None,
        settle,
        silence=lambda: silence,
        clock=lambda: now,
        sleep=lambda _seconds: asyncio.sleep(0),
    )

    async def assert_heard_until(seconds_ago: float) -> None:
        before = await Places(database).now()
        moment = await live.heard_at() + timedelta(seconds=seconds_ago)
        assert before <= moment <= await Places(database).now()

    await assert_heard_until(0)
    assert order == ["settled"]
    silence = 40.0
    await assert_heard_until(40)
    live.deleted([key(1_100)])
    now = 150.0
    live.deleted([key(1_200)])
    await assert_heard_until(50)
    # What could not be written still waits, under what has come since.
    writer.failures = [DatabaseUnavailable("away")]
    assert not await live._write_once()
    live.deleted([key(1_300)])
    now = 160.0
    await assert_heard_until(60)
    during: list[float] = []

    def meanwhile() -> None:
        waiting = [since for since in (live._waits_since, live._written_since) if since is not None]
        during.extend(waiting)

    writer.on_write = meanwhile
    await live.flush()
    assert during == [100.0]
    await assert_heard_until(40)


async def test_a_write_that_takes_long_does_not_make_more_heard_than_was(setting: Setting) -> None:
    """The database may come back after a minute, in which the gateway was away, too."""
    setting.live.message(message(1_100), created=True)
    told_at = await Places(setting.database).now()
    setting.writer.takes = 0.3
    await setting.live.flush()
    checked_at = (await Reader(setting.database).channel_states([CHANNEL]))[CHANNEL].checked_at
    assert checked_at is not None
    assert checked_at <= told_at


async def test_what_is_told_of_one_channel_does_not_make_more_heard_of_another(database: Database) -> None:
    """Something was missed there before that; and as long as nothing is covered, that is put on record only afterwards."""
    now = 100.0
    missed: set[int] = set()

    async def settle() -> None:
        await Places(database).note_unwatched(missed)
        missed.clear()

    live = LiveWriter(Reader(database), Writer(database), missed.add, settle, clock=lambda: now)
    live.message(message(1_300), created=True)
    live.lost(CHANNEL)
    now = 200.0
    live.message(replace(message(2_300), channel_id=CHANNEL + 1), created=True)
    told_at = await Places(database).now()
    await live.flush()
    await live.flush()
    since = (await Reader(database).channel_states([CHANNEL]))[CHANNEL].unwatched_since
    assert since is not None
    assert told_at - since > timedelta(seconds=100)


async def test_a_range_that_a_page_joins_is_heard_until_the_last_word(database: Database) -> None:
    live = LiveWriter(Reader(database), Writer(database), lambda _channel_id: None, silence=lambda: 40.0)
    live.ranges.introduce(CHANNEL)
    watch = live.watch(CHANNEL)
    assert watch is not None
    live.ranges.message(CHANNEL, 1_200)
    live.joined(CHANNEL, 1_150, watch)
    before = (await database.fetch("SELECT clock_timestamp()"))[0][0]
    await live.flush()
    checked_at = (await Reader(database).channel_states([CHANNEL]))[CHANNEL].checked_at
    assert checked_at is not None
    assert checked_at < before - timedelta(seconds=30)


async def test_what_waits_is_written_when_it_is_stopped(setting: Setting) -> None:
    running = asyncio.create_task(setting.live.run())
    await asyncio.sleep(0)
    setting.live.message(message(1_100), created=True)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await setting.live.close()
    assert set(await setting.rows()) == {1_100}


async def test_an_edit_told_live_keeps_reactions_and_the_nick(setting: Setting) -> None:
    live = setting.live
    reactions = [{"count": 2, "emoji": {"name": "x"}}]
    live.message(message(1_100, author_name="Annie", extra={"reactions": reactions}), created=True)
    await live.flush()
    live.message(message(1_100, "edited", author_name="ann"), created=False, nick_known=False)
    await live.flush()
    row = (await archived(setting.database, CHANNEL))[1_100]
    assert (row.content, row.author_name, row.extra) == ("edited", "Annie", {"reactions": reactions})


async def test_an_update_of_an_unknown_message_is_kept_and_proves_nothing(setting: Setting) -> None:
    setting.live.message(message(1_100, "edited"), created=False)
    await setting.live.flush()
    assert await setting.rows() == {1_100: "edited"}
    assert not await setting.covered()


async def test_what_is_told_is_written_within_a_quarter_of_a_second_and_together(database: Database) -> None:
    pauses: list[float] = []
    batches: list[int] = []
    gathering = asyncio.Event()

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        await gathering.wait()

    writer = Unreliable(Writer(database))

    def note(batch: Batch) -> bool:
        batches.append(len(batch.messages))
        return False

    writer.refuses = note
    live = LiveWriter(Reader(database), writer, lambda _channel_id: None, sleep=sleep)  # type: ignore[arg-type]
    running = asyncio.create_task(live.run())
    for message_id in range(1_100, 1_200):
        live.message(message(message_id), created=True)
        await asyncio.sleep(0)
    gathering.set()
    while len(await archived(database, CHANNEL)) < 100:
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    assert max(pauses) <= 0.25
    assert batches == [100]


async def test_a_database_that_takes_nothing_is_no_fault_of_the_messages(setting: Setting) -> None:
    """A full disk refuses every statement, and no message is given up for that."""
    live = setting.live
    setting.writer.failures = [DatabaseError("has no space left on its disk")] * 3
    live.message(message(1_100), created=True)
    live.deleted([key(1_000)])
    accepted: list[bool] = []
    setting.writer.on_write = lambda: accepted.append(live.accepted)
    await live.flush()
    assert await setting.rows() == {1_100: "hello"}
    assert await setting.covered() == Coverage.of([(1_100, 1_101)])
    assert setting.gaps == []
    # Whoever looks after it sees so, though such a database answers.
    assert accepted == [True, False, False, False]
    assert live.accepted


async def test_places_are_settled_before_every_batch(database: Database) -> None:
    order: list[str] = []
    failures = [DatabaseUnavailable("away")]

    async def settle() -> None:
        order.append("places")
        if failures:
            raise failures.pop()

    writer = Unreliable(Writer(database))
    writer.on_write = lambda: order.append("messages")
    live = LiveWriter(
        Reader(database),
        writer,  # type: ignore[arg-type]
        lambda _channel_id: None,
        settle,
        sleep=lambda _seconds: asyncio.sleep(0),
    )
    live.message(message(1_100), created=True)
    await live.flush()
    assert order == ["places", "places", "messages"]


async def test_while_it_waits_a_message_keeps_its_nick_and_loses_nothing_to_a_copy(setting: Setting) -> None:
    live = setting.live
    whole = message(1_100, author_name="Annie", extra={"attachments": [{"id": "1"}]})
    setting.writer.failures = [DatabaseUnavailable("away")]

    def meanwhile() -> None:
        if setting.writer.failures:
            live.message(message(1_200, reply_to=1_100), created=True, referenced=[message(1_100)])
            live.message(replace(whole, content="edited", author_name="ann"), created=False, nick_known=False)

    setting.writer.on_write = meanwhile
    live.message(whole, created=True, nick_known=True)
    live.message(message(1_150, reply_to=1_100), created=True, referenced=[message(1_100)])
    await live.flush()
    row = (await archived(setting.database, CHANNEL))[1_100]
    assert (row.author_name, row.content, row.extra) == ("Annie", "edited", whole.extra)
    seen = await setting.database.fetch("SELECT seen > 0 FROM junkie.messages WHERE message_id = 1100")
    assert seen == [(True,)]
