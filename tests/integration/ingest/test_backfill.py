"""Backfill against the emulator and a real PostgreSQL, in one process."""

import asyncio
from functools import partial
from typing import Any

import pytest

from junkie_cli import snowflake
from junkie_cli.client.transport import Patience
from junkie_cli.db.places import Places
from junkie_cli.emulator.limits import Limits, Rate
from junkie_cli.emulator.permissions import Right
from junkie_cli.errors import ContentIntentMissing, TokenRejected, UsageError
from junkie_cli.ingest import events
from junkie_cli.ingest.events import Outcome, Summary
from junkie_cli.ingest.selection import Selection
from tests.integration.ingest.conftest import MakeScene
from tests.integration.ingest.scene import HASTY
from tests.truth import archived, assert_claims_hold, assert_equals_truth, coverage


async def test_a_whole_server_is_archived_and_an_unchanged_one_costs_no_message_request(scene: MakeScene) -> None:
    async with scene() as s:
        summary = await s.backfill()
        await assert_equals_truth(s.database, s.truths())
        assert summary.new == sum(len(truth) for truth in s.truths().values())
        s.control.reset_counts()
        again = await s.backfill()
        assert s.control.counts().messages == 0
        assert (again.new, again.edited, again.deleted, again.requests) == (0, 0, 0, 0)


async def test_hostile_payloads_are_archived_whole(scene: MakeScene) -> None:
    async with scene("hostile") as s:
        summary = await s.backfill()
        assert summary.outcomes.get(Outcome.FAILED, 0) == 0
        await assert_equals_truth(s.database, s.truths())


async def test_new_messages_are_caught_up_and_nothing_else_is_asked_for(scene: MakeScene) -> None:
    async with scene("3x250") as s:
        await s.backfill()
        channel = s.first_channel
        posted = [s.control.post(channel, f"new {n}") for n in range(150)]
        s.control.reset_counts()
        summary = await s.backfill()
        assert summary.new == 150
        assert s.control.counts().messages == 2
        assert set(posted) <= set(await archived(s.database, channel))
        await assert_equals_truth(s.database, s.truths())
        assert [type(e) for e in s.events if isinstance(e, events.CatchUpBegan)] == [events.CatchUpBegan]


async def test_a_target_is_met_at_the_top_and_deepened_later(scene: MakeScene) -> None:
    async with scene("1x1000") as s:
        channel = s.first_channel
        await s.backfill(target=150)
        assert len(await archived(s.database, channel)) == 200
        assert s.ended(channel).outcome == Outcome.TARGET_MET
        s.control.reset_counts()
        again = await s.backfill(target=150)
        assert s.control.counts().messages == 0
        assert again.outcomes == {Outcome.UNCHANGED: 1}
        await s.backfill(target=450)
        assert len(await archived(s.database, channel)) == 500
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_iterations_are_bounded_and_reported(scene: MakeScene) -> None:
    async with scene("1x1000") as s:
        channel = s.first_channel
        await s.backfill(max_iterations=2, max_fetch_limit=200)
        assert len(await archived(s.database, channel)) == 600
        assert s.ended(channel).outcome == Outcome.PARTIAL
        assert [(e.number, e.current) for e in s.of(events.IterationBegan)] == [(1, 200), (2, 400)]
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_since_is_a_floor(scene: MakeScene) -> None:
    async with scene("1x1000") as s:
        channel = s.first_channel
        ids = s.control.ids(channel)
        await s.backfill(since=ids[700])
        rows = await archived(s.database, channel)
        assert set(ids[700:]) <= set(rows)
        assert len(rows) < 500
        assert s.ended(channel).outcome == Outcome.COMPLETE
        assert not (await coverage(s.database, channel)).covers(channel, ids[-1])


@pytest.mark.parametrize(
    "kind", ["500", "502", "503", "429", "reset", "truncate", "hang", "html", "charset", "malformed"]
)
async def test_a_fault_is_ridden_out(scene: MakeScene, kind: str) -> None:
    async with scene("2x250") as s:
        s.patience = HASTY
        s.control.fault(kind, times=2, skip=1)
        summary = await s.backfill()
        assert summary.errors == 0
        await assert_equals_truth(s.database, s.truths())


@pytest.mark.parametrize("kind", ["unordered", "repeated", "outside", "empty"])
async def test_a_page_that_lies_once_is_asked_for_again(scene: MakeScene, kind: str) -> None:
    async with scene("2x250") as s:
        s.control.fault(kind, times=1, skip=1)
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_a_right_revoked_in_mid_run_is_no_end_of_history(scene: MakeScene) -> None:
    async with scene("2x500") as s:
        channel = s.first_channel
        s.control.after_requests(channel, 2, lambda: s.control.revoke(channel, Right.READ_MESSAGE_HISTORY))
        summary = await s.backfill()
        assert s.ended(channel).outcome == Outcome.UNREADABLE
        assert "Read Message History" in s.ended(channel).reason
        assert summary.outcomes[Outcome.COMPLETE] == 1
        await assert_claims_hold(s.database, {channel: s.control.truth(channel)})
        assert not (await coverage(s.database, channel)).covers(channel, channel + 1)
        s.control.grant(channel, Right.READ_MESSAGE_HISTORY)
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_a_channel_that_may_not_be_seen_any_more_is_parked(scene: MakeScene) -> None:
    async with scene("2x500") as s:
        channel = s.first_channel
        s.control.after_requests(channel, 2, lambda: s.control.revoke(channel, Right.VIEW_CHANNEL))
        summary = await s.backfill()
        assert s.ended(channel).outcome == Outcome.UNREADABLE
        assert summary.outcomes[Outcome.COMPLETE] == 1
        await assert_claims_hold(s.database, {channel: s.control.truth(channel)})


async def test_a_channel_deleted_in_mid_run_is_gone_and_keeps_its_messages(scene: MakeScene) -> None:
    async with scene("2x500") as s:
        channel = s.first_channel
        s.control.after_requests(channel, 2, lambda: s.control.delete_channel(channel))
        await s.backfill()
        assert s.ended(channel).outcome == Outcome.GONE
        assert len(await archived(s.database, channel)) == 200


async def test_one_channels_failure_stops_no_other(scene: MakeScene) -> None:
    async with scene("3x150") as s:
        channel = s.first_channel
        s.control.fault("unordered", channel_id=channel, times=None)
        summary = await s.backfill()
        assert s.ended(channel).outcome == Outcome.FAILED
        assert (summary.successes, summary.errors) == (2, 1)
        await assert_claims_hold(s.database, s.truths())
        s.control.clear_faults()
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_a_message_deleted_before_its_page_and_known_from_a_reply_does_not_stay(scene: MakeScene) -> None:
    """The reply's page brings a copy; the page that spans the original no longer has it."""
    async with scene("1x150") as s:
        channel = s.first_channel
        old = s.control.ids(channel)[10]
        s.control.post(channel, "an answer", reply_to=old)
        s.control.after_requests(channel, 1, lambda: s.control.delete(channel, old))
        await s.backfill()
        rows = await archived(s.database, channel)
        assert old not in rows
        await assert_claims_hold(s.database, s.truths())


async def test_a_late_visible_message_is_found_by_the_next_catch_up(scene: MakeScene) -> None:
    async with scene("1x150") as s:
        channel = s.first_channel
        late = s.control.post(channel, "late", hidden=True)
        s.control.post(channel, "visible at once")
        await s.backfill()
        s.control.reveal(channel, late)
        s.control.post(channel, "the next one")
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_a_message_that_shows_late_is_found_though_nobody_writes_after_it(scene: MakeScene) -> None:
    async with scene("1x150") as s:
        channel = s.first_channel
        now = snowflake.to_ms(snowflake.from_datetime(await Places(s.database).now()))
        late = s.control.post(channel, "late", hidden=True, at_ms=now - 2)
        s.control.post(channel, "visible at once", at_ms=now - 1)
        await s.backfill()
        s.control.reveal(channel, late)
        assert (await s.backfill()).requests == 1
        assert sum(found.requests for found in s.of(events.ChannelsFound)) == 1
        await assert_equals_truth(s.database, s.truths())
        # Somebody looked long enough after the last message: nothing is to be expected.
        await s.database.fetch("UPDATE junkie.channel_status SET checked_at = checked_at + interval '11 s' RETURNING 1")
        assert (await s.backfill()).requests == 0


async def test_without_the_content_intent_nothing_is_archived(scene: MakeScene) -> None:
    async with scene("1x150") as s:
        s.control.set_intents(content=False)
        with pytest.raises(ContentIntentMissing):
            await s.backfill()
        assert s.control.counts().messages == 0
        await s.backfill(allow_empty_content=True)
        channel = s.first_channel
        assert not await coverage(s.database, channel)
        s.control.set_intents(content=True)
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_a_rejected_token_ends_the_run(scene: MakeScene) -> None:
    async with scene("2x300") as s:
        s.control.fault("401", skip=2, times=None)
        with pytest.raises(TokenRejected):
            await s.backfill()
        (summary,) = s.of(Summary)
        assert summary.fatal
        await assert_claims_hold(s.database, s.truths())


async def test_an_interrupted_run_keeps_what_it_had_and_the_next_goes_on(scene: MakeScene) -> None:
    async with scene("3x600") as s:
        channel = s.first_channel
        held = s.control.hold(channel)
        run = asyncio.create_task(s.backfill())
        await held.arrived.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert s.of(Summary)[0].interrupted
        held.release()
        await assert_claims_hold(s.database, s.truths())
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


@pytest.mark.parametrize("headers", ["true", "wrong", "none"])
async def test_rate_limits_are_kept(scene: MakeScene, headers: Any) -> None:
    limits = Limits(messages=Rate(5, 0.25), total=Rate(500, 1.0), headers=headers)
    async with scene("6x1200", limits) as s:
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())
        # A few 429s are how a client learns where headers lie; a storm of them would get it banned.
        assert s.control.counts().statuses[429] <= (6 if headers == "true" else 20)


async def test_selection(scene: MakeScene) -> None:
    async with scene() as s:
        guild = s.control.world.channel(s.first_channel).guild
        assert guild is not None
        forum = next(c for c in s.control.world.channels.values() if c.type == 15)
        await s.backfill(selection=Selection(channels=frozenset({forum.id})))
        assert {e.channel_id for e in s.of(events.ChannelEnded)} <= set(forum.threads)
        await s.backfill(selection=Selection(exclude=frozenset({forum.id})))
        assert not {e.channel_id for e in s.of(events.ChannelEnded)} & set(forum.threads)
        await s.backfill(selection=Selection(exclude=frozenset({guild.id})))
        assert s.of(events.ChannelEnded) == []
        await s.backfill(selection=Selection(threads=False))
        assert not any("\u203a" in e.name for e in s.of(events.ChannelEnded))
        category = next(c for c in s.control.world.channels.values() if c.type == 4)
        for wrong in (Selection(channels=frozenset({category.id})), Selection(channels=frozenset({12345}))):
            with pytest.raises(UsageError):
                await s.backfill(selection=wrong)
        with pytest.raises(UsageError):
            await s.backfill(selection=Selection(guilds=frozenset({12345})))


async def test_a_dm_is_archived_by_its_id(scene: MakeScene) -> None:
    async with scene() as s:
        dm = next(c for c in s.control.world.channels.values() if c.type == 1)
        await s.backfill(selection=Selection(channels=frozenset({dm.id})))
        await assert_equals_truth(s.database, {dm.id: s.control.truth(dm.id)})


@pytest.mark.parametrize("lanes", [2, 8])
async def test_ranges_of_a_channel_side_by_side(scene: MakeScene, lanes: int) -> None:
    async with scene("1x3000", latency_ms=20) as s:
        await s.backfill(parallel_batches=lanes, concurrency=8)
        await assert_equals_truth(s.database, s.truths())
        # Each lane's last page reaches into the next one's section.
        assert s.control.counts().messages <= 32 + 2 * lanes
        assert s.control.counts().peak >= min(lanes, 4)


async def test_pages_that_stay_empty_where_messages_stand_are_not_believed(scene: MakeScene) -> None:
    async with scene("1x1000") as s:
        s.control.fault("empty", skip=3, times=4)
        await s.backfill()
        assert s.ended(s.first_channel).outcome == Outcome.FAILED
        await assert_claims_hold(s.database, s.truths())
        s.control.clear_faults()
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_more_deleted_rows_than_one_page_is_compared_with_do_not_stay(scene: MakeScene) -> None:
    """Rows without coverage, of which most are gone when their stretch is fetched at last."""
    async with scene("1x5000") as s:
        channel = s.first_channel
        s.control.set_intents(content=False)
        await s.backfill(allow_empty_content=True)
        s.control.set_intents(content=True)
        ids = s.control.ids(channel)
        s.control.bulk_delete(channel, ids[500:4000])
        await s.backfill()
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_a_target_is_met_only_by_what_lies_together(scene: MakeScene) -> None:
    async with scene("1x1000") as s:
        channel = s.first_channel
        s.control.set_intents(content=False)
        await s.backfill(allow_empty_content=True)
        s.control.set_intents(content=True)
        await s.backfill(target=500, max_iterations=1, max_fetch_limit=100)
        assert s.ended(channel).outcome == Outcome.PARTIAL


async def test_a_channel_that_waits_for_its_answer_holds_up_no_other(
    scene: MakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One that is given up and asked again would show as a request too many.
    monkeypatch.setattr("tests.integration.ingest.scene.PATIENCE", Patience(timeout=60.0))
    async with scene("3x250") as s:
        hold = s.control.hold(s.first_channel)
        others = set(s.control.readable()) - {s.first_channel}

        def asked_to_the_end(channel: int) -> None:
            others.remove(channel)
            if not others:
                hold.release()

        for channel in others:
            s.control.after_requests(channel, 3, partial(asked_to_the_end, channel))
        await s.backfill(concurrency=1)
        assert s.control.counts().messages == 9
        await assert_equals_truth(s.database, s.truths())


async def test_work_on_channels_does_not_wait_for_lists_of_threads(scene: MakeScene) -> None:
    async with scene() as s:
        s.patience = HASTY
        # No list is answered before a page was asked for.
        s.control.fault("hang", route="*archived", times=None)
        s.control.after_requests(s.first_channel, 1, s.control.clear_faults)
        summary = await s.backfill()
        assert set(summary.outcomes) <= {Outcome.COMPLETE, Outcome.UNCHANGED, Outcome.UNREADABLE}
        await assert_equals_truth(s.database, s.truths())
