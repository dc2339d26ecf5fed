"""Rights, intents, channels and guilds that change while a run goes on: the right state, no false coverage, and healing."""

import pytest

from junkie_cli.db.reader import Reader
from junkie_cli.emulator.permissions import Right
from junkie_cli.errors import ContentIntentMissing
from junkie_cli.ingest.events import Outcome
from tests.integration.ingest.conftest import MakeScene
from tests.truth import archived, assert_claims_hold, assert_equals_truth


async def test_a_right_revoked_and_granted_again_within_one_run(scene: MakeScene) -> None:
    async with scene("2x800") as s:
        channel = s.first_channel
        s.control.after_requests(channel, 2, lambda: s.control.revoke(channel, Right.READ_MESSAGE_HISTORY))
        s.control.after_requests(channel, 3, lambda: s.control.grant(channel, Right.READ_MESSAGE_HISTORY))
        summary = await s.backfill()
        assert summary.errors == 0
        await assert_equals_truth(s.database, s.truths())


async def test_an_unreadable_channel_says_which_right_it_lacks_and_heals(scene: MakeScene) -> None:
    async with scene("2x300") as s:
        channel = s.first_channel
        truth = {channel: s.control.truth(channel)}
        s.control.revoke(channel, Right.READ_MESSAGE_HISTORY)
        await s.backfill()
        state = (await Reader(s.database).channel_states([channel]))[channel]
        assert state.unreadable == s.ended(channel).reason
        assert "Read Message History" in s.ended(channel).reason
        assert s.control.counts().channels[channel] == 0
        await assert_claims_hold(s.database, truth)
        s.control.grant(channel, Right.READ_MESSAGE_HISTORY)
        await s.backfill()
        assert (await Reader(s.database).channel_states([channel]))[channel].unreadable is None
        await assert_equals_truth(s.database, truth)


async def test_an_intent_switched_off_in_mid_run_never_becomes_blank_coverage(scene: MakeScene) -> None:
    async with scene("1x800") as s:
        channel = s.first_channel
        s.control.after_requests(channel, 3, lambda: s.control.set_intents(content=False))
        with pytest.raises(ContentIntentMissing):
            await s.backfill()
        s.control.set_intents(content=True)
        await assert_claims_hold(s.database, s.truths())
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_a_channel_that_turns_into_another_type_stays_archived(scene: MakeScene) -> None:
    async with scene("1x300") as s:
        channel = s.first_channel
        await s.backfill()
        s.control.change_channel(channel, kind=5, name="news")
        s.control.post(channel, "extra, extra")
        await s.backfill()
        assert s.ended(channel).name == "#news"
        await assert_equals_truth(s.database, s.truths())


async def test_a_deleted_thread_is_gone_with_its_messages_kept(scene: MakeScene) -> None:
    async with scene("1x20") as s:
        thread = s.control.add_thread(s.first_channel, "side talk", content="so").id
        for n in range(250):
            s.control.post(thread, f"message {n}")
        held = len(s.control.ids(thread))
        await s.backfill()
        s.control.post(thread, "one more")
        s.control.after_requests(thread, 0, lambda: None)
        s.control.fault("404", route="*", channel_id=thread, times=None)
        await s.backfill()
        assert s.ended(thread).outcome == Outcome.GONE
        assert (await Reader(s.database).channel_states([thread]))[thread].gone_at is not None
        assert len(await archived(s.database, thread)) == held
        s.control.clear_faults()
        await s.backfill()
        assert (await Reader(s.database).channel_states([thread]))[thread].gone_at is None
        await assert_equals_truth(s.database, s.truths())


async def test_a_guild_that_removes_the_bot_in_mid_run_loses_nothing(scene: MakeScene) -> None:
    async with scene("3x500") as s:
        channels = s.control.readable()
        truths = s.truths()
        guild = s.control.world.channel(channels[0]).guild
        assert guild is not None
        s.control.after_requests(channels[0], 2, lambda: s.control.remove_bot(guild.id))
        await s.backfill()
        assert s.ended(channels[0]).outcome in {Outcome.UNREADABLE, Outcome.GONE}
        await assert_claims_hold(s.database, truths)
        await s.backfill()
        states = await Reader(s.database).channel_states(channels)
        assert all(state.gone_at is not None for state in states.values())
        s.control.add_bot(guild.id)
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_a_channel_deleted_between_runs_is_gone_and_its_threads_with_it(scene: MakeScene) -> None:
    async with scene("2x50") as s:
        channel = s.first_channel
        thread = s.control.add_thread(channel, "side talk").id
        s.control.post(thread, "hello")
        await s.backfill()
        s.control.delete_channel(channel)
        await s.backfill()
        states = await Reader(s.database).channel_states([channel, thread])
        assert all(state.gone_at is not None for state in states.values())
        assert len(await archived(s.database, channel)) > 0
        others = await s.database.fetch("SELECT count(*) FROM junkie.channel_status WHERE gone_at IS NULL")
        assert others == [(1,)]


async def test_a_hidden_channel_is_unreadable_and_not_gone(scene: MakeScene) -> None:
    """Discord no longer lists what a bot may not view; that is no deletion."""
    async with scene("2x50") as s:
        channel = s.first_channel
        await s.backfill()
        s.control.obfuscate(on=True)
        s.control.revoke(channel, Right.VIEW_CHANNEL)
        for _ in range(2):
            s.control.reset_counts()
            await s.backfill()
            state = (await Reader(s.database).channel_states([channel]))[channel]
            assert state.gone_at is None
            assert state.unreadable == "lacks View Channel"
            assert s.ended(channel).outcome == Outcome.UNREADABLE
        assert s.control.counts().invalid == 0
        assert len(await archived(s.database, channel)) == 50
        s.control.grant(channel, Right.VIEW_CHANNEL)
        s.control.post(channel, "back again")
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_one_wrong_404_does_not_make_a_channel_gone(scene: MakeScene) -> None:
    async with scene("2x20") as s:
        channel = s.first_channel
        s.control.fault("404", channel_id=channel)
        await s.backfill()
        assert s.ended(channel).outcome is Outcome.FAILED
        assert (await Reader(s.database).channel_states([channel]))[channel].gone_at is None
        s.control.clear_faults()
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())
