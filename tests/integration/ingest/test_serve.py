"""Serve against the emulator's gateway over real sockets and a real PostgreSQL; each ends in "the archive equals the truth"."""

import asyncio
import time

import pytest

from junkie_cli.db.reader import Reader
from junkie_cli.emulator.permissions import Right
from junkie_cli.ingest.selection import Selection
from junkie_cli.ingest.serve import STILL_SECONDS
from tests.integration.ingest.conftest import MakeScene
from tests.integration.ingest.scene import PATIENCE, Scene
from tests.integration.ingest.serving import at_rest, serving_on, until, until_true
from tests.truth import archived, assert_claims_hold, coverage

pytestmark = pytest.mark.usefixtures("no_long_waits")


async def test_what_was_there_and_what_happens_is_archived(scene: MakeScene) -> None:
    async with scene() as s, serving_on(s):
        channel = s.first_channel
        ids = s.control.ids(channel)
        s.control.post(channel, "hello")
        s.control.edit(channel, ids[3], "edited, and cached nowhere")
        s.control.delete(channel, ids[4])
        s.control.bulk_delete(channel, ids[5:9])
        s.control.post(channel, "an answer", reply_to=ids[0])
        await until_true(s)


async def test_from_its_end_on_changes_may_be_missed(scene: MakeScene) -> None:
    async with scene("2x50") as s:
        channels = s.control.readable()
        async with serving_on(s) as serve:
            await at_rest(serve)
            states = await Reader(s.database).channel_states(channels)
            assert {state.unwatched_since for state in states.values()} == {None}
        states = await Reader(s.database).channel_states(channels)
        assert None not in {state.unwatched_since for state in states.values()}


async def test_the_outage(scene: MakeScene) -> None:
    """Nothing is heard, 500 messages come, old ones change; then one live message arrives, and later the session ends."""
    async with scene("2x300") as s, serving_on(s) as serve:
        channel = s.first_channel
        ids = s.control.ids(channel)
        s.control.pause_events(drop=True)
        for n in range(500):
            s.control.post(channel, f"unheard {n}")
        s.control.edit(channel, ids[-3], "edited unheard")
        s.control.delete(channel, ids[-4])
        s.control.resume_events()
        s.control.forget_sessions()
        s.control.disconnect(abort=True)
        await until(lambda: s.control.sessions().identifies >= 2)
        s.control.post(channel, "heard again")
        await until(lambda: serve.vitals().connected and not serve.vitals().mending)
        await until_holes_are_closed(s, channel)
        await assert_claims_hold(s.database, s.truths())
        state = (await Reader(s.database).channel_states([channel]))[channel]
        assert state.unwatched_since is not None


async def until_holes_are_closed(s: Scene, channel: int) -> None:
    for _ in range(100):
        truth = set(s.control.ids(channel))
        if truth <= set(await archived(s.database, channel)) and (await coverage(s.database, channel)).covers(
            channel, max(truth) + 1
        ):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{channel}: {await coverage(s.database, channel)}")


@pytest.mark.parametrize("how", ["abort", "close", "reconnect", "op 9 true", "op 9 false"])
async def test_a_lost_connection_loses_nothing(scene: MakeScene, how: str) -> None:
    async with scene("2x50") as s, serving_on(s) as serve:
        channel = s.first_channel
        for turn in range(3):
            s.control.post(channel, f"before {turn}")
            match how:
                case "abort":
                    s.control.disconnect(abort=True)
                case "close":
                    s.control.disconnect(code=4000)
                case "reconnect":
                    s.control.reconnect()
                case "op 9 true":
                    s.control.invalidate(resumable=True)
                case _:
                    s.control.invalidate(resumable=False)
            for n in range(20):
                s.control.post(channel, f"meanwhile {turn}.{n}")
            await until(lambda: serve.vitals().connected)
        await until(lambda: not serve.vitals().mending)
        await until_true(s)


async def test_a_quiet_channel_has_no_false_gap_and_a_busy_one_heals(scene: MakeScene) -> None:
    async with scene("3x20") as s, serving_on(s) as serve:
        for channel in s.control.readable():
            s.control.post(channel, "the first since we listen")
        await until(lambda: serve.vitals().depth == 0)
        await until_true(s)


async def test_channels_and_threads_that_come_and_go(scene: MakeScene) -> None:
    async with scene("2x20") as s, serving_on(s):
        guild = s.control.world.channel(s.first_channel).guild
        assert guild is not None
        made = s.control.add_channel(guild.id, "made just now").id
        s.control.post(made, "first")
        thread = s.control.add_thread(s.first_channel, "a thread").id
        s.control.post(thread, "in the thread")
        gone = s.control.readable()[1]
        held = len(await archived(s.database, gone))
        s.control.delete_channel(gone)
        await until_true(s)
        for _ in range(100):
            state = (await Reader(s.database).channel_states([gone]))[gone]
            if state.gone_at is not None:
                break
            await asyncio.sleep(0.05)
        assert state.gone_at is not None
        assert len(await archived(s.database, gone)) == held


async def test_a_right_that_goes_and_comes_back(scene: MakeScene) -> None:
    async with scene("2x20") as s, serving_on(s):
        channel = s.first_channel
        s.control.post(channel, "heard")
        await until_true(s)
        s.control.revoke(channel, Right.VIEW_CHANNEL)
        for n in range(30):
            s.control.post(channel, f"unheard {n}")
        s.control.grant(channel, Right.VIEW_CHANNEL)
        s.control.post(channel, "heard again")
        await until_true(s)


async def test_what_became_readable_only_later_is_archived_whole(scene: MakeScene) -> None:
    async with scene("2x350") as s:
        channel = s.first_channel
        s.control.revoke(channel, Right.READ_MESSAGE_HISTORY)
        async with serving_on(s):
            assert await archived(s.database, channel) == {}
            s.control.grant(channel, Right.READ_MESSAGE_HISTORY)
            await until_true(s)


async def test_a_channel_that_was_made_while_nobody_listened_is_archived_whole(scene: MakeScene) -> None:
    """Empty when it was found, it has its first message told live, and what lies below is not known to be nothing."""
    async with scene("1x20") as s, serving_on(s) as serve:
        guild = s.control.world.channel(s.first_channel).guild
        assert guild is not None
        s.control.gateway_down()
        made = s.control.add_channel(guild.id, "made unheard").id
        s.control.forget_sessions()
        s.control.gateway_up()
        await until(lambda: s.control.sessions().identifies >= 2)
        await until(lambda: serve.vitals().connected and not serve.vitals().mending)
        s.control.post(made, "the first")
        await until_true(s)


@pytest.mark.parametrize(("kind", "times"), [("404", 1), ("403", 1), ("malformed", PATIENCE.attempts)])
async def test_a_channel_whose_mending_failed_is_mended_once_more(scene: MakeScene, kind: str, times: int) -> None:
    async with scene("2x20") as s, serving_on(s):
        channel = s.first_channel
        s.control.revoke(channel, Right.VIEW_CHANNEL)
        s.control.post(channel, "unheard")
        fault = s.control.fault(kind, channel_id=channel, times=times)
        s.control.grant(channel, Right.VIEW_CHANNEL)
        await until(lambda: fault.struck > 0)
        await until_true(s)
        state = (await Reader(s.database).channel_states([channel]))[channel]
        assert (state.gone_at, state.unreadable) == (None, None)


async def test_a_guild_that_is_unavailable_for_a_while(scene: MakeScene) -> None:
    async with scene("2x20") as s, serving_on(s):
        channel = s.first_channel
        guild = s.control.world.channel(channel).guild
        assert guild is not None
        s.control.post(channel, "before")
        await until_true(s)
        s.control.unavailable(guild.id)
        for n in range(30):
            s.control.post(channel, f"unheard {n}")
        s.control.available(guild.id)
        s.control.post(channel, "after")
        await until_true(s)


async def test_what_the_library_can_not_parse_ends_nothing(scene: MakeScene) -> None:
    async with scene("1x20") as s, serving_on(s) as serve:
        channel = s.first_channel
        message = s.control.ids(channel)[-1]
        s.control.edit(channel, message, "an update that lacks its type", told=["content"])
        s.control.send_raw("MESSAGE_UPDATE", {"id": "x", "channel_id": str(channel)})
        s.control.send_raw("MESSAGE_CREATE", ["nonsense"])
        s.control.send_raw("EVENT_OF_TOMORROW", {"a": 1})
        s.control.post(channel, "of an unknown type", fields={"type": 250})
        await until_true(s)
        assert serve.vitals().connected
        assert serve.vitals().skipped >= 1


async def test_an_update_that_tells_only_some_keys_is_taken_in(scene: MakeScene) -> None:
    async with scene("1x20") as s, serving_on(s):
        channel = s.first_channel
        message = s.control.post(channel, "with a preview")
        await until_true(s)
        s.control.edit(channel, message, fields={"embeds": [{"type": "link"}]}, stamped=False, told=["embeds"])
        s.control.edit(channel, s.control.ids(channel)[0], "other words", told=["content", "edited_timestamp"])
        await until_true(s)


async def test_what_is_excluded_is_not_archived_live_either(scene: MakeScene) -> None:
    async with scene("2x20") as s:
        out, kept = s.control.readable()[:2]
        async with serving_on(s, Selection(exclude=frozenset({out}))):
            s.control.post(out, "not this")
            s.control.post(kept, "but this")
            for _ in range(100):
                if len(await archived(s.database, kept)) == 21:
                    break
                await asyncio.sleep(0.05)
            assert len(await archived(s.database, kept)) == 21
            assert await archived(s.database, out) == {}


async def test_an_event_loop_that_stands_still_is_not_well(scene: MakeScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread answers for it, and would go on saying what was true before."""
    async with scene() as s, serving_on(s) as serve:
        assert serve.vitals().well
        monkeypatch.setattr(serve, "_clock", lambda: time.monotonic() + STILL_SECONDS)
        assert not serve.vitals().well


async def test_two_serves_and_a_sync_beside_them_harm_nothing(scene: MakeScene) -> None:
    async with scene("2x50") as s, serving_on(s), serving_on(s):
        channel = s.first_channel
        for n in range(50):
            message = s.control.post(channel, f"message {n}")
            if n % 3 == 0:
                s.control.edit(channel, message, f"edited {n}")
            if n % 5 == 0:
                s.control.delete(channel, message)
        await until_true(s)
