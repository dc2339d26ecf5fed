"""What a serve does about what it could not hear; each ends in "the archive equals the truth", where anything may."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from junkie_cli.db.forget import Forgetting
from junkie_cli.db.places import LATE_SECONDS
from junkie_cli.db.reader import ChannelState, Reader
from junkie_cli.db.reconcile import Rule
from junkie_cli.emulator.permissions import Right
from junkie_cli.errors import UsageError
from junkie_cli.ingest import run
from junkie_cli.ingest.events import ChannelEnded, Outcome
from junkie_cli.ingest.selection import Selection
from tests.integration.ingest.conftest import MakeScene
from tests.integration.ingest.scene import Scene
from tests.integration.ingest.serving import at_rest, serving_on, until, until_held, until_true
from tests.truth import archived, assert_claims_hold, coverage

pytestmark = pytest.mark.usefixtures("no_long_waits")

LATE = timedelta(seconds=LATE_SECONDS)


async def state(s: Scene, channel_id: int) -> ChannelState:
    return (await Reader(s.database).channel_states([channel_id]))[channel_id]


def cut_off(s: Scene) -> None:
    """End the session for good."""
    s.control.forget_sessions()
    s.control.disconnect(abort=True)


async def test_the_first_message_in_a_quiet_channel_leaves_no_gap_and_costs_no_request(scene: MakeScene) -> None:
    async with scene("3x20") as s, serving_on(s) as serve:
        s.control.reset_counts()
        for channel in s.control.readable():
            message = s.control.post(channel, "the first since we listen")
            await until_held(s, channel, message)
            assert (await coverage(s.database, channel)).covers(channel, message + 1)
        await at_rest(serve)
        assert s.control.counts().messages == 0


async def test_the_first_message_of_all_in_an_old_channel_leaves_no_gap(scene: MakeScene) -> None:
    async with scene("2x20") as s:
        world = s.control.world
        guild = world.channel(s.first_channel).guild
        assert guild is not None
        channel = world.add_channel(guild.id, "empty for long", at_ms=world.end_ms - 5 * 86_400_000).id
        async with serving_on(s) as serve:
            message = s.control.post(channel, "the first")
            await until_held(s, channel, message)
            await at_rest(serve)
            assert (await coverage(s.database, channel)).covers(channel, message + 1)


async def test_the_last_message_is_fetched_though_nothing_is_heard_after_it(scene: MakeScene) -> None:
    async with scene("2x20") as s, serving_on(s) as serve:
        channel = s.first_channel
        await at_rest(serve)
        s.control.pause_events(drop=True)
        s.control.post(channel, "unheard, and nobody says more")
        s.control.resume_events()
        s.control.send_raw("MESSAGE_CREATE", {"id": "nonsense", "channel_id": str(channel)})
        await until_true(s)
        # Nor is it known what else was told in what made no sense.
        assert (await state(s, channel)).unwatched_since is not None


async def test_a_channel_that_was_compared_while_it_was_heard_has_missed_nothing_until_it_does(
    scene: MakeScene,
) -> None:
    async with scene("1x20") as s, serving_on(s) as serve:
        channel = s.first_channel
        await at_rest(serve)
        assert (await state(s, channel)).unwatched_since is None
        s.control.post(channel, "heard")
        await until_true(s)
        checked_at = (await state(s, channel)).checked_at
        assert checked_at is not None
        before = checked_at - LATE
        s.control.revoke(channel, Right.VIEW_CHANNEL)
        for _ in range(100):
            if (await state(s, channel)).unwatched_since == before:
                break
            await asyncio.sleep(0.05)
        assert (await state(s, channel)).unwatched_since == before


async def test_only_chosen_guilds_are_archived(scene: MakeScene) -> None:
    async with scene("2x20") as s:
        chosen = s.control.world.channel(s.first_channel).guild
        assert chosen is not None
        other = s.control.add_guild("another one")
        channel = s.control.add_channel(other.id, "elsewhere").id
        s.control.post(channel, "not this")
        async with serving_on(s, Selection(guilds=frozenset({chosen.id}))) as serve:
            s.control.post(channel, "nor this")
            s.control.unavailable(other.id)
            s.control.available(other.id)
            message = s.control.post(s.first_channel, "but this")
            await until_held(s, s.first_channel, message)
            await at_rest(serve)
            assert await archived(s.database, channel) == {}
            # It asks for nothing there either, and does not wait for it.
            assert serve._hears_all()


async def test_a_name_that_fits_nothing_any_more_keeps_nothing_else_from_being_mended(scene: MakeScene) -> None:
    async with scene("3x20") as s:
        first, second, third = s.control.readable()[:3]
        async with serving_on(s, Selection(channels=frozenset({first, second}))) as serve:
            s.control.pause_events(drop=True)
            message = s.control.post(first, "unheard")
            s.control.delete_channel(second)
            s.control.resume_events()
            cut_off(s)
            await until_held(s, first, message)
            await at_rest(serve)
            assert await archived(s.database, third) == {}


async def test_a_name_that_fits_nothing_at_the_start_is_said(scene: MakeScene) -> None:
    async with scene("1x20") as s:
        with pytest.raises(UsageError):
            async with serving_on(s, Selection(channels=frozenset({12_345}))):
                pass


async def test_a_direct_channel_is_heard_without_a_hole(scene: MakeScene) -> None:
    """The gateway never introduces one."""
    async with scene() as s:
        dm = next(c for c in s.control.world.channels.values() if c.type == 1).id
        async with serving_on(s, Selection(channels=frozenset({dm}))) as serve:
            for _ in range(2):
                message = s.control.post(dm, "heard")
                await until_held(s, dm, message)
                await at_rest(serve)
                assert (await coverage(s.database, dm)).covers(dm, message + 1)
                s.control.pause_events(drop=True)
                s.control.post(dm, "unheard")
                s.control.resume_events()
                cut_off(s)
                await until(lambda: not serve.vitals().connected)
                await at_rest(serve)
            await assert_claims_hold(s.database, {dm: s.control.truth(dm)})
            assert set(s.control.ids(dm)) == set(await archived(s.database, dm))


async def test_an_archived_thread_that_wakes_up_after_an_outage_has_no_hole(scene: MakeScene) -> None:
    """It was fetched, but the gateway did not speak of it: so no session vouches for what was said in it."""
    async with scene("1x20") as s:
        thread = s.control.add_thread(s.first_channel, "a thread").id
        s.control.post(thread, "long ago")
        s.control.archive(thread)
        async with serving_on(s) as serve:
            s.control.pause_events(drop=True)
            s.control.unarchive(thread)
            s.control.post(thread, "unheard")
            s.control.archive(thread)
            s.control.resume_events()
            held = s.control.hold(thread)
            cut_off(s)
            await until(lambda: serve.vitals().connected and serve.vitals().mending)
            s.control.unarchive(thread)
            message = s.control.post(thread, "heard again")
            await until_held(s, thread, message)
            await assert_claims_hold(s.database, s.truths())
            held.release()
            await until_true(s)


async def test_a_channel_that_nobody_introduced_is_fetched(scene: MakeScene) -> None:
    async with scene("1x20") as s, serving_on(s):
        s.control.pause_events(drop=True)
        thread = s.control.add_thread(s.first_channel, "whose making was not heard").id
        s.control.post(thread, "unheard")
        s.control.resume_events()
        s.control.post(thread, "from who knows where")
        await until_held(s, thread, *s.control.ids(thread))
        await assert_claims_hold(s.database, {thread: s.control.truth(thread)})


async def test_a_channel_that_can_be_read_again_is_archived_whole_and_called_readable(scene: MakeScene) -> None:
    async with scene("2x250") as s:
        channel = s.first_channel
        s.control.revoke(channel, Right.VIEW_CHANNEL)
        async with serving_on(s) as serve:
            assert await archived(s.database, channel) == {}
            s.control.grant(channel, Right.VIEW_CHANNEL)
            # Its first message is heard before anything of it was fetched.
            s.control.post(channel, "heard")
            await until_true(s)
            await at_rest(serve)
            s.control.revoke(channel, Right.READ_MESSAGE_HISTORY)
            await until(lambda: serve.vitals().mending)
            await at_rest(serve)
            assert (await state(s, channel)).unreadable is not None
            s.control.grant(channel, Right.READ_MESSAGE_HISTORY)
            for _ in range(100):
                if (await state(s, channel)).unreadable is None:
                    break
                await asyncio.sleep(0.05)
            assert (await state(s, channel)).unreadable is None


@pytest.mark.parametrize("named", [False, True])
async def test_archived_threads_of_a_channel_that_can_be_read_again_are_found(scene: MakeScene, *, named: bool) -> None:
    """The gateway tells of none of them."""
    async with scene("2x20") as s:
        channel, other = s.control.readable()[:2]
        thread = s.control.add_thread(channel, "a thread").id
        s.control.post(thread, "long ago")
        s.control.archive(thread)
        s.control.revoke(channel, Right.READ_MESSAGE_HISTORY)
        async with serving_on(s, Selection(channels=frozenset({other, thread})) if named else Selection()) as serve:
            await at_rest(serve)
            assert await archived(s.database, thread) == {}
            s.control.grant(channel, Right.READ_MESSAGE_HISTORY)
            await until_held(s, thread, *s.control.ids(thread))
            await at_rest(serve)
            assert bool(await archived(s.database, channel)) is not named


async def test_a_guild_that_is_new_is_archived_whole(scene: MakeScene) -> None:
    async with scene("1x20") as s, serving_on(s):
        guild = s.control.add_guild("new")
        channel = s.control.add_channel(guild.id, "with a past").id
        s.control.remove_bot(guild.id)
        for n in range(250):
            s.control.post(channel, f"before {n}")
        s.control.add_bot(guild.id)
        s.control.post(channel, "heard")
        await until_true(s)


async def test_what_failed_is_tried_again_until_it_is_done(scene: MakeScene) -> None:
    async with scene("2x20") as s, serving_on(s) as serve:
        channel = s.first_channel
        s.control.pause_events(drop=True)
        s.control.post(channel, "unheard")
        s.control.resume_events()
        # The gateway says that it can be read; so the answer is wrong.
        fault = s.control.fault("403", channel_id=channel, times=3)
        s.control.send_raw("MESSAGE_CREATE", {"id": "nonsense", "channel_id": str(channel)})
        await until_true(s)
        await at_rest(serve)
        assert fault.struck == 3


@pytest.mark.parametrize("rule", ["channel", "guild"])
async def test_a_rule_holds_for_a_thread_from_its_first_message_on(scene: MakeScene, rule: str) -> None:
    """To which channel it belongs is stored before its messages."""
    async with scene("2x20") as s, serving_on(s) as serve:
        parent, other = s.control.readable()[:2]
        guild = s.control.world.channel(parent).guild
        assert guild is not None
        await Forgetting(s.database, Rule(channel_id=parent) if rule == "channel" else Rule(guild_id=guild.id)).run()
        thread = s.control.add_thread(parent, "a thread").id
        for n in range(20):
            s.control.post(thread, f"not this {n}")
        s.control.post(parent, "nor this")
        last = s.control.post(other, "after all of that")
        if rule == "channel":
            await until_held(s, other, last)
        await until(lambda: serve.vitals().depth == 0)
        await at_rest(serve)
        assert await archived(s.database, thread) == {}
        assert await archived(s.database, parent) == {}


async def test_others_may_rely_on_it_only_while_it_hears_all(scene: MakeScene) -> None:
    async with scene("2x20") as s, serving_on(s) as serve:
        await until(serve._hears_all)
        guild = s.control.world.channel(s.first_channel).guild
        assert guild is not None
        s.control.unavailable(guild.id)
        await until(lambda: not serve._hears_all())
        s.control.available(guild.id)
        await until(serve._hears_all)
        s.control.gateway_down()
        await until(lambda: not serve._hears_all())
        s.control.gateway_up()
        await until(serve._hears_all)


async def test_at_rest_it_leaves_the_rate_limit_to_others(scene: MakeScene) -> None:
    async def sharing(s: Scene) -> int:
        rows: list[Any] = await s.database.fetch("SELECT count(*) FROM junkie.workers WHERE uses_discord")
        return int(rows[0][0])

    async with scene("1x20") as s, serving_on(s) as serve:
        for _ in range(100):
            if await sharing(s) == 0:
                break
            await asyncio.sleep(0.05)
        assert await sharing(s) == 0
        held = s.control.hold(s.first_channel)
        cut_off(s)
        await held.arrived.wait()
        assert await sharing(s) == 1
        held.release()
        await at_rest(serve)


async def test_a_forum_post_is_heard_from_its_first_message_on(scene: MakeScene) -> None:
    """That message bears the id of the thread."""
    async with scene("1x20") as s, serving_on(s) as serve:
        guild = s.control.world.channel(s.first_channel).guild
        assert guild is not None
        forum = s.control.add_channel(guild.id, "a forum", 15).id
        post = s.control.add_thread(forum, "a post", content="what it is about").id
        answer = s.control.post(post, "an answer")
        await until_held(s, post, post, answer)
        await until_true(s)
        await at_rest(serve)
        assert (await coverage(s.database, post)).covers(post, answer + 1)


async def test_a_channel_that_becomes_another_kind_is_heard_on(scene: MakeScene) -> None:
    async with scene("2x20") as s, serving_on(s):
        channel = s.first_channel
        s.control.change_channel(channel, kind=5)
        message = s.control.post(channel, "an announcement")
        await until_held(s, channel, message)
        assert (await coverage(s.database, channel)).covers(channel, message + 1)
        kinds = await s.database.fetch("SELECT type FROM junkie.channels WHERE channel_id = %(id)s", {"id": channel})
        assert kinds == [(5,)]


async def test_a_channel_that_another_command_has_is_mended_once_it_is_free(
    scene: MakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BUSY_SECONDS", 0.01)
    async with scene("2x20") as s, serving_on(s) as serve:
        channel = s.first_channel
        await at_rest(serve)
        async with s.opened("backfill") as (_, presence):
            assert await presence.try_lock(channel)
            s.control.pause_events(drop=True)
            s.control.post(channel, "unheard")
            s.control.resume_events()
            s.control.send_raw("MESSAGE_CREATE", {"id": "nonsense", "channel_id": str(channel)})
            await until(lambda: any(end.outcome is Outcome.BUSY for end in s.of(ChannelEnded)))
            await presence.unlock(channel)
        await until_true(s)
        await at_rest(serve)


async def test_once_it_has_ended_nobody_watches(scene: MakeScene) -> None:
    async with scene("1x20") as s:
        channel = s.first_channel
        async with serving_on(s) as serve:
            await at_rest(serve)
            watched = await state(s, channel)
        ended = await state(s, channel)
        assert watched.unwatched_since is None
        assert watched.checked_at is not None
        assert ended.unwatched_since == watched.checked_at - LATE
