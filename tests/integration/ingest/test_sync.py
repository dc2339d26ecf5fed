"""Sync against the emulator and a real PostgreSQL: what no event told of is found, and nothing else is."""

import asyncio
import random
from datetime import datetime
from typing import Any

import pytest

from junkie_cli import snowflake
from junkie_cli.coverage import Range
from junkie_cli.db.database import Database
from junkie_cli.db.places import Places
from junkie_cli.db.reader import Reader
from junkie_cli.db.reconcile import Incoming
from junkie_cli.db.workers import present
from junkie_cli.db.writer import Batch, Writer
from junkie_cli.emulator.permissions import Right
from junkie_cli.ingest.asked import LATE
from junkie_cli.ingest.events import AnotherRuns, Event, Outcome
from junkie_cli.ingest.selection import Selection
from junkie_cli.ingest.sync import STALLED, SyncOptions, sync
from junkie_cli.models import Message
from tests.integration.ingest.conftest import MakeScene
from tests.truth import archived, assert_claims_hold, assert_equals_truth, coverage


async def unwatched(database: Database, channel_id: int) -> datetime | None:
    return (await Reader(database).channel_states([channel_id]))[channel_id].unwatched_since


async def test_silent_edits_and_deletions_are_found_and_until_then_on_record(scene: MakeScene) -> None:
    async with scene("3x250") as s:
        await s.backfill()
        before = {channel: await unwatched(s.database, channel) for channel in s.control.readable()}
        assert None not in before.values()
        chance = random.Random(5)
        edited = deleted = 0
        for channel in s.control.readable():
            ids = chance.sample(s.control.ids(channel), 60)
            with s.control.silent():
                for message_id in ids[:20]:
                    s.control.edit(channel, message_id, f"edited {message_id}")
                s.control.bulk_delete(channel, ids[20:50])
                s.control.post(channel, "new")
            edited, deleted = edited + 20, deleted + 30
        # A shorter run sees a part, and leaves the rest on record.
        partly = await s.sync(limit=100)
        assert 0 < partly.edited < edited
        assert 0 < partly.deleted < deleted
        assert before == {channel: await unwatched(s.database, channel) for channel in s.control.readable()}
        at = await Places(s.database).now()
        fully = await s.sync(limit=None)
        assert (partly.new, fully.new) == (3, 0)
        assert partly.edited + fully.edited == edited
        assert partly.deleted + fully.deleted == deleted
        await assert_equals_truth(s.database, s.truths())
        for channel in s.control.readable():
            since = await unwatched(s.database, channel)
            assert since is not None
            assert abs((since - at).total_seconds()) < 30
            ended = s.ended(channel)
            assert ended.outcome is Outcome.SYNCED
            assert (ended.new, ended.edited, ended.deleted) != (0, 0, 0)


async def test_all_compared_is_all_known_also_where_a_killed_serve_had_missed_nothing(scene: MakeScene) -> None:
    async with scene("1x150") as s:
        channel = s.first_channel
        await s.backfill()
        async with s.database.connection() as connection:
            # Nobody has recorded its end.
            await connection.execute(
                "UPDATE junkie.channel_status SET unwatched_since = NULL, checked_at = now() - interval '3 hours'"
            )
        at = await Places(s.database).now()
        await s.sync(limit=None)
        since = await unwatched(s.database, channel)
        assert since is not None
        assert since >= at - LATE


async def test_an_unchanged_server_has_no_edits_although_every_signed_url_differs(scene: MakeScene) -> None:
    async with scene() as s:
        await s.backfill()
        for _ in range(2):
            again = await s.sync(limit=None)
            assert (again.new, again.edited, again.deleted) == (0, 0, 0)
        await assert_equals_truth(s.database, s.truths())


async def test_without_reconciling_an_unchanged_server_costs_no_message_request(scene: MakeScene) -> None:
    async with scene() as s:
        await s.backfill()
        s.control.reset_counts()
        again = await s.sync(reconcile=False)
        assert s.control.counts().messages == 0
        assert again.requests == 0
        assert set(again.outcomes) == {Outcome.UNCHANGED, Outcome.UNREADABLE}


async def test_a_channel_is_as_fresh_as_the_last_look_at_its_newest_end(scene: MakeScene) -> None:
    async with scene("1x350") as s:
        channel, places = s.first_channel, Places(s.database)

        async def checked_at() -> datetime:
            at = (await Reader(s.database).channel_states([channel]))[channel].checked_at
            assert at is not None
            return at

        await s.backfill(target=100)
        at_first = await checked_at()
        between = await places.now()
        await s.sync(reconcile=False)
        assert at_first < between < await checked_at()


async def test_only_the_newest_are_compared(scene: MakeScene) -> None:
    async with scene("1x1000") as s:
        channel = s.first_channel
        await s.backfill()
        ids = s.control.ids(channel)
        with s.control.silent():
            for message_id in (ids[-1], ids[-199], ids[-350], ids[0]):
                s.control.delete(channel, message_id)
        s.control.reset_counts()
        summary = await s.sync(limit=200)
        assert (summary.deleted, s.control.counts().messages) == (2, 2)
        summary = await s.sync(since=ids[-400], limit=None)
        assert summary.deleted == 1
        summary = await s.sync(limit=None)
        assert summary.deleted == 1
        await assert_equals_truth(s.database, s.truths())


async def test_more_new_messages_than_are_compared_leave_no_hole(scene: MakeScene) -> None:
    async with scene("1x300") as s:
        channel = s.first_channel
        await s.backfill()
        for n in range(520):
            s.control.post(channel, f"new {n}")
        s.control.reset_counts()
        summary = await s.sync(limit=200)
        assert (summary.new, summary.edited, summary.deleted) == (520, 0, 0)
        # What was caught up is not asked for a second time.
        assert s.control.counts().messages == 6
        await assert_equals_truth(s.database, s.truths())


async def test_messages_without_text_at_the_far_end_live(scene: MakeScene) -> None:
    async with scene("1x150") as s:
        channel = s.first_channel
        for n in range(260):
            s.control.post(channel, "" if n % 2 else f"text {n}", fields={"flags": 4} if n % 2 else None)
        await s.backfill()
        for _ in range(3):
            summary = await s.sync(limit=200)
            assert (summary.edited, summary.deleted) == (0, 0)
        await assert_equals_truth(s.database, s.truths())


@pytest.mark.parametrize("right", [Right.READ_MESSAGE_HISTORY, Right.VIEW_CHANNEL])
@pytest.mark.parametrize("after", [0, 1, 2, 4])
async def test_a_right_revoked_in_mid_sync_deletes_nothing(scene: MakeScene, right: int, after: int) -> None:
    async with scene("2x500") as s:
        channel = s.first_channel
        await s.backfill()
        before = await unwatched(s.database, channel)
        if after:
            s.control.after_requests(channel, after, lambda: s.control.revoke(channel, right))
        else:
            s.control.revoke(channel, right)
        summary = await s.sync(limit=None)
        assert s.ended(channel).outcome is Outcome.UNREADABLE
        assert (summary.deleted, summary.edited) == (0, 0)
        assert len(await archived(s.database, channel)) == 500
        assert await unwatched(s.database, channel) == before
        s.control.grant(channel, right)
        await s.sync(limit=None)
        await assert_equals_truth(s.database, s.truths())


@pytest.mark.parametrize("kind", ["403", "404", "500", "empty", "truncate", "unordered", "outside", "malformed"])
async def test_an_answer_that_fails_or_lies_deletes_nothing(scene: MakeScene, kind: str) -> None:
    async with scene("1x500") as s:
        channel = s.first_channel
        await s.backfill()
        s.control.fault(kind, channel_id=channel, times=1, skip=2)
        summary = await s.sync(limit=None)
        assert (summary.deleted, summary.edited) == (0, 0)
        assert len(await archived(s.database, channel)) == 500
        await s.sync(limit=None, selection=Selection(channels=frozenset({channel})))
        await assert_equals_truth(s.database, s.truths())


async def test_a_message_that_becomes_visible_late_is_found_and_none_is_lost(scene: MakeScene) -> None:
    async with scene("1x150") as s:
        channel = s.first_channel
        late = s.control.post(channel, "late", hidden=True)
        s.control.post(channel, "visible at once")
        await s.backfill()
        s.control.reveal(channel, late)
        summary = await s.sync()
        assert (summary.new, summary.deleted) == (1, 0)
        await assert_equals_truth(s.database, s.truths())


async def test_a_message_that_was_just_told_of_and_does_not_show_yet_is_not_deleted(scene: MakeScene) -> None:
    async with scene("1x150") as s:
        channel = s.first_channel
        await s.backfill()
        now = snowflake.from_datetime(await Places(s.database).now())
        s.control.post(channel, "visible at once", at_ms=snowflake.to_ms(now) - 60_000)
        late = s.control.post(channel, "late", hidden=True, at_ms=snowflake.to_ms(now))
        told = Message(channel, late, 7, "Ann", "late")
        seen = await s.database.fetch("SELECT nextval('junkie.seen')")
        await Writer(s.database).write(Batch(messages=[Incoming(told, seen=seen[0][0])]))
        s.control.post(channel, "later", at_ms=snowflake.to_ms(now) + 1)
        summary = await s.sync()
        assert summary.deleted == 0
        assert late in await archived(s.database, channel)


async def test_an_inferred_deletion_is_taken_back(scene: MakeScene) -> None:
    async with scene("1x150") as s:
        channel = s.first_channel
        await s.backfill()
        hidden = s.control.ids(channel)[100]
        world = s.control.world.channel(channel)
        message = next(m for m in world.messages if m.id == hidden)
        world.messages.remove(message)
        assert (await s.sync()).deleted == 1
        world.messages.insert(100, message)
        assert (await s.sync()).new == 1
        await assert_equals_truth(s.database, s.truths())


async def test_a_channel_never_fetched_gets_its_newest_and_keeps_a_known_gap(scene: MakeScene) -> None:
    async with scene("2x1000") as s:
        channel, other = sorted(s.control.readable())
        ids = s.control.ids(channel)
        await s.backfill(selection=Selection(channels=frozenset({other})), target=100)
        await s.sync(limit=200)
        assert len(await archived(s.database, channel)) == 200
        # What backfill left for later, sync leaves too.
        assert len(await archived(s.database, other)) == 100
        assert (await coverage(s.database, channel)).gaps(channel, ids[-1] + 1) == (Range(channel, ids[-200]),)
        s.control.reset_counts()
        again = await s.sync(limit=200)
        assert (again.new, s.control.counts().messages) == (0, 3)
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_since_bounds_what_is_fetched_of_a_channel_never_fetched(scene: MakeScene) -> None:
    async with scene("1x1000") as s:
        channel = s.first_channel
        ids = s.control.ids(channel)
        await s.sync(since=ids[600], limit=None)
        rows = await archived(s.database, channel)
        assert set(ids[600:]) <= set(rows)
        assert len(rows) < 600


async def test_holes_between_what_is_covered_are_closed(scene: MakeScene) -> None:
    """As where live events went on after an outage."""
    async with scene("1x300") as s:
        channel = s.first_channel
        await s.backfill()
        missed = [s.control.post(channel, f"missed {n}") for n in range(150)]
        live = s.control.post(channel, "live")
        async with s.database.connection() as connection:
            await connection.execute(
                "UPDATE junkie.channel_status SET covered = covered + int8multirange(int8range(%s, %s)) WHERE channel_id = %s",
                [live, live + 1, channel],
            )
        await s.sync(reconcile=False)
        assert set(missed) <= set(await archived(s.database, channel))
        await s.sync(limit=None)
        await assert_equals_truth(s.database, s.truths())


async def test_threads_born_since_the_last_run_are_fetched_whole(scene: MakeScene) -> None:
    async with scene("1x50") as s:
        parent = s.first_channel
        old = s.control.add_thread(parent, "born before the first run").id
        for n in range(150):
            s.control.post(old, f"{n}")
        await s.sync(limit=100)
        assert len(await archived(s.database, old)) == 100
        # Born after it by the database's clock, too.
        now = snowflake.to_ms(snowflake.from_datetime(await Places(s.database).now()))
        young = s.control.add_thread(parent, "born since", at_ms=now).id
        for n in range(250):
            s.control.post(young, f"{n}")
        s.control.archive(young)
        await s.sync(limit=100)
        assert (await coverage(s.database, young)).covers(young, s.control.ids(young)[-1] + 1)
        assert len(await archived(s.database, old)) == 100


async def test_a_thread_that_was_born_on_an_old_message_is_fetched_whole(scene: MakeScene) -> None:
    """It bears that message's id."""
    async with scene("1x50") as s:
        await s.sync()
        now = snowflake.to_ms(snowflake.from_datetime(await Places(s.database).now()))
        old = s.control.ids(s.first_channel)[5]
        young = s.control.add_thread(s.first_channel, "born since", message_id=old, at_ms=now).id
        assert young == old
        for n in range(250):
            s.control.post(young, f"{n}")
        await s.sync(limit=100)
        assert (await coverage(s.database, young)).covers(young, s.control.ids(young)[-1] + 1)
        await assert_equals_truth(s.database, s.truths())


async def test_a_young_thread_of_which_a_run_fetched_a_part_is_finished_by_the_next(scene: MakeScene) -> None:
    async with scene("1x50") as s:
        await s.sync()
        now = snowflake.to_ms(snowflake.from_datetime(await Places(s.database).now()))
        young = s.control.add_thread(s.first_channel, "born since", at_ms=now).id
        for n in range(250):
            s.control.post(young, f"{n}")
        s.control.fault("403", channel_id=young, times=1, skip=1)
        await s.sync(limit=100)
        assert 0 < len(await archived(s.database, young)) < 250
        await s.sync(limit=100)
        await assert_equals_truth(s.database, s.truths())


async def test_a_deleted_channel_keeps_its_messages(scene: MakeScene) -> None:
    async with scene("2x150") as s:
        channel = s.first_channel
        await s.backfill()
        s.control.after_requests(channel, 1, lambda: s.control.delete_channel(channel))
        summary = await s.sync()
        assert s.ended(channel).outcome is Outcome.GONE
        assert summary.deleted == 0
        assert len(await archived(s.database, channel)) == 150


async def test_mass_deletion(scene: MakeScene) -> None:
    async with scene("1x3500") as s:
        channel = s.first_channel
        await s.backfill()
        ids = s.control.ids(channel)
        with s.control.silent():
            s.control.bulk_delete(channel, ids[5:-5])
        s.control.reset_counts()
        summary = await s.sync(limit=None)
        assert summary.deleted == 3490
        assert s.control.counts().messages <= 3
        await assert_equals_truth(s.database, s.truths())


async def test_everything_deleted_is_no_proof_until_something_shows(scene: MakeScene) -> None:
    async with scene("1x150") as s:
        channel = s.first_channel
        await s.backfill()
        before = await unwatched(s.database, channel)
        with s.control.silent():
            s.control.bulk_delete(channel, s.control.ids(channel))
        assert (await s.sync(limit=None)).deleted == 0
        assert await unwatched(s.database, channel) == before
        s.control.post(channel, "somebody is there")
        assert (await s.sync(limit=None)).deleted == 150
        await assert_equals_truth(s.database, s.truths())


async def test_a_deletion_in_mid_run_is_no_harm(scene: MakeScene) -> None:
    async with scene("1x600") as s:
        channel = s.first_channel
        await s.backfill()
        ids = s.control.ids(channel)

        def vanish() -> None:
            with s.control.silent():
                s.control.bulk_delete(channel, [*ids[200:260], *ids[560:590]])

        s.control.after_requests(channel, 2, vanish)
        await s.sync(limit=None)
        await assert_claims_hold(s.database, s.truths())
        await s.sync(limit=None)
        await assert_equals_truth(s.database, s.truths())


@pytest.mark.parametrize("on_delete", ["purge", "keep"])
async def test_on_delete(scene: MakeScene, on_delete: Any) -> None:
    async with scene("1x150") as s:
        channel = s.first_channel
        await s.backfill(on_delete=on_delete)
        gone = s.control.ids(channel)[20]
        with s.control.silent():
            s.control.delete(channel, gone)
        assert (await s.sync(on_delete=on_delete)).deleted == 1
        rows = await s.database.fetch("SELECT count(*) FROM junkie.messages WHERE message_id = %(id)s", {"id": gone})
        assert rows == [(int(on_delete == "keep"),)]
        assert (await s.sync(on_delete=on_delete, limit=None)).deleted == 0
        await assert_equals_truth(s.database, s.truths())


async def test_revisions_are_kept_when_asked(scene: MakeScene) -> None:
    async with scene("1x150") as s:
        channel = s.first_channel
        await s.backfill()
        message_id = s.control.ids(channel)[140]
        was = (await archived(s.database, channel))[message_id].content
        with s.control.silent():
            s.control.edit(channel, message_id, "another text")
        await s.sync(keep_revisions=True)
        assert await s.database.fetch("SELECT message_id, content FROM junkie.revisions") == [(message_id, was)]


async def test_a_second_sync_gives_way_and_says_when_the_first_is_stuck(scene: MakeScene) -> None:
    async with scene("1x300") as s:
        await s.backfill()
        held = s.control.hold(s.first_channel)
        first = asyncio.create_task(s.sync())
        await held.arrived.wait()
        assert await rival(s) == AnotherRuns(0.0, stalled=False)
        async with s.database.connection() as connection:
            await connection.execute("UPDATE junkie.workers SET progress_at = now() - interval '20 minutes'")
        stuck = await rival(s)
        assert stuck.stalled
        assert stuck.idle >= STALLED
        held.release()
        assert (await first).errors == 0
        # It is over, and so the next one runs.
        assert (await s.sync()).errors == 0


async def rival(s: Any) -> AnotherRuns:
    """Start a second sync and return what becomes of it, with its idle time rounded."""
    seen: list[Event] = []
    async with s.opened("sync") as (discord, presence):
        done = await sync(SyncOptions(), discord, s.database, presence, seen.append)
    assert seen == [done]
    assert isinstance(done, AnotherRuns)
    return AnotherRuns(done.idle // 60 * 60, stalled=done.stalled)


async def test_a_lock_on_a_command_is_its_bots_own_and_dies_with_its_connection(database: Database) -> None:
    async with present(database, "sync", 5) as one, present(database, "sync", 5) as same:
        assert await one.try_lock_command()
        assert not await same.try_lock_command()
        async with present(database, "sync", 6) as another, present(database, "backfill", 5) as backfill:
            assert await another.try_lock_command()
            assert await backfill.try_lock_command()
        await one._connection.close()
        while not await same.try_lock_command():
            await asyncio.sleep(0.01)
