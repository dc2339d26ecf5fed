"""The gateway's connections, at the emulator."""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from junkie_cli.client.live_events import (
    LiveEvent,
    MessageSeen,
    Phase,
    SessionBegan,
    SessionResumed,
)
from junkie_cli.client.transport import Patience
from junkie_cli.emulator.control import Control
from junkie_cli.emulator.gateway import Down, GatewayRules, Sessions
from junkie_cli.errors import ConfigError, ContentIntentMissing, TokenRejected
from tests.integration.client.conftest import Scenes
from tests.integration.client.hearing import Heard, ended, hearing, opened


def guild_of(control: Control) -> int:
    return next(iter(control.world.guilds))


INTERRUPTIONS: dict[str, Callable[[Control], object]] = {
    "close 1000": lambda control: control.disconnect(1000, forget=False),
    "close 4000": lambda control: control.disconnect(4000),
    "close 4009": lambda control: control.disconnect(4009, forget=False),
    "abort": lambda control: control.disconnect(abort=True),
    "op 7": lambda control: control.reconnect(),
    "op 9 true": lambda control: control.invalidate(resumable=True),
}


@pytest.mark.parametrize("how", INTERRUPTIONS)
async def test_no_event_is_lost_or_doubled_by_an_interruption(scenes: Scenes, how: str) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        posted: list[int] = []
        for turn in range(3):
            posted += [scene.control.post(scene.channel, "before") for _ in range(5)]
            INTERRUPTIONS[how](scene.control)
            posted += [scene.control.post(scene.channel, "after") for _ in range(5)]
            await heard.resumed(turn + 1)
            await heard.messages(len(posted))
        assert await heard.messages(len(posted)) == posted
        counts = scene.control.sessions()
        assert (counts.identifies, counts.resumes) == (1, 3)
        assert len(heard.of(SessionBegan)) == 1
        assert len(heard.of(SessionResumed)) == 3


@pytest.mark.parametrize("how", ["op 9 false", "close 4009", "close 4007", "session forgotten"])
async def test_a_session_that_is_gone_begins_anew(scenes: Scenes, how: str) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        match how:
            case "op 9 false":
                scene.control.invalidate()
            case "close 4009":
                scene.control.disconnect(4009)
            case "close 4007":
                scene.control.disconnect(4007)
            case _:
                scene.control.forget_sessions()
                scene.control.disconnect()
        scene.control.post(scene.channel, "missed for ever")
        await heard.begun(2, guilds=2)
        posted = scene.control.post(scene.channel, "heard")
        assert await heard.messages(1) == [posted]
        assert scene.control.sessions().identifies == 2
        assert not heard.of(SessionResumed)
        assert max(scene.time.slept) >= 1.0


def refused(goal: int, counts: Sessions) -> bool:
    return counts.refused >= goal


async def test_a_gateway_that_is_down_is_tried_until_it_is_up(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene, rng=random.Random(1)) as heard:
        downs: tuple[Down, ...] = ("reset", "503")
        for turn, how in enumerate(downs):
            goal = scene.control.sessions().refused + 6
            scene.control.gateway_down(how)
            scene.control.post(scene.channel, "meanwhile")
            await scene.control.until(partial(refused, goal))
            (state,) = heard.gateway.state
            assert state.phase is Phase.RESUMING
            assert not heard.gateway.is_ready
            scene.control.gateway_up()
            await heard.messages(turn + 1)
        assert len(heard.of(SessionBegan)) == 1
        # Shorter ones are the limit over all requests, which counts handshakes too.
        waits = [wait for wait in scene.time.slept if wait > 0.5]
        assert waits[:3] == sorted(waits[:3])
        assert max(waits) <= 75.0


async def test_a_gateway_that_hangs(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene, patience=Patience(timeout=0.1)) as heard:
        scene.control.gateway_down("hang")
        await scene.control.until(lambda counts: counts.refused >= 2)
        scene.control.gateway_up()
        await heard.resumed()


CODES: dict[int, type[ConfigError]] = {
    4004: TokenRejected,
    4010: ConfigError,
    4011: ConfigError,
    4012: ConfigError,
    4013: ConfigError,
    4014: ContentIntentMissing,
}


@pytest.mark.parametrize("code", CODES)
async def test_close_codes_after_which_nobody_reconnects(scenes: Scenes, code: int) -> None:
    heard = Heard()
    async with scenes() as scene, opened(scene, heard.hear) as gateway:
        running = asyncio.create_task(gateway.run())
        await heard.begun()
        scene.control.disconnect(code)
        with pytest.raises(CODES[code]) as raised:
            await running
        assert raised.value.hint
        assert scene.control.sessions().connections == 1
        assert [state.phase for state in gateway.state] == [Phase.CLOSED]


async def test_an_intent_that_is_not_granted(scenes: Scenes) -> None:
    async with scenes() as scene:
        scene.control.set_intents(content=False)
        with pytest.raises(ContentIntentMissing):
            await ended(scene)
        async with hearing(scene, content=False) as heard:
            scene.control.post(scene.channel, "blank")
            (seen,) = await heard.many(MessageSeen)
            assert seen.parsed.message.content == ""


async def test_the_starts_of_sessions_are_not_used_up(scenes: Scenes) -> None:
    slept: list[float] = []
    async with scenes() as scene:
        scene.control.set_session_starts(remaining=99, reset_after_ms=3_600_000)

        async def sleep(seconds: float) -> None:
            slept.append(seconds)
            if seconds > 3000:
                scene.control.set_session_starts(remaining=1000)
            await asyncio.sleep(0)

        async with hearing(scene, sleep=sleep) as heard:
            assert 3590 < slept[0] <= 3600
            scene.control.set_session_starts(remaining=5, reset_after_ms=3_600_000)
            scene.control.disconnect(4000)
            await heard.resumed()
            assert len(slept) == 1


async def test_what_answers_about_the_gateway_is_not_discord(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        scene.control.fault("503", route="gateway*", times=7)
        scene.control.invalidate()
        await heard.begun(2)


async def test_shards(scenes: Scenes) -> None:
    async with scenes() as scene:
        control, world = scene.control, scene.control.world
        for n in range(6):
            guild = control.add_guild(f"guild {n}", owner_id=world.bot.id)
            control.add_channel(guild.id, f"channel {n}")
        control.set_session_starts(shards=2)
        async with hearing(scene, guilds=7) as heard:
            await heard.begun(2, guilds=7)
            channels = [channel.id for channel in world.channels.values() if channel.name.startswith("channel ")]
            posted = {control.post(channel_id, "hello") for channel_id in channels}
            control.disconnect(4000, shard=1)
            posted |= {control.post(channel_id, "again") for channel_id in channels}
            await heard.resumed()
            assert sorted(await heard.messages(len(posted))) == sorted(posted)
            assert {state.shard_id for state in heard.gateway.state} == {0, 1}
            assert all(seen.shard_id == (seen.guild_id or 0) >> 22 & 1 for seen in heard.of(MessageSeen))
            assert [resumed.shard_id for resumed in heard.of(SessionResumed)] == [1]
            assert max(scene.time.slept) > 4.0
        assert control.sessions().identifies == 2


async def test_a_connection_that_answers_no_heartbeat_is_dead(scenes: Scenes) -> None:
    async with scenes(gateway=GatewayRules(heartbeat_ms=20)) as scene, hearing(scene, heartbeat_timeout=0.2) as heard:
        scene.control.withhold_acks()
        await scene.control.until(lambda counts: counts.resumes >= 1)
        scene.control.give_acks()
        posted = scene.control.post(scene.channel, "alive")
        assert await heard.messages(1) == [posted]
        beaten = scene.control.sessions().heartbeats
        await scene.control.until(lambda counts: counts.heartbeats > beaten + 2)
        assert heard.gateway.state[0].latency is not None


async def test_nothing_is_left_behind(scenes: Scenes) -> None:
    async with scenes() as scene:
        async with hearing(scene):
            pass
        await scene.control.until(lambda counts: counts.connected == 0)
        assert scene.control.sessions().closes == {1000: 1}
        assert scene.control.sessions().resumable == 0
        for thread in threading.enumerate():
            if thread.name.startswith("keep-alive-handler"):
                thread.join(5)
                assert not thread.is_alive()


async def test_leaving_the_block_ends_a_gateway_that_runs(scenes: Scenes) -> None:
    heard = Heard()
    async with scenes() as scene:
        async with opened(scene, heard.hear) as gateway:
            running = asyncio.create_task(gateway.run())
            await heard.begun()
        assert running.done()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        assert [state.phase for state in gateway.state] == [Phase.CLOSED]


async def test_whoever_hears_and_fails_ends_the_gateway(scenes: Scenes) -> None:
    def fail(event: LiveEvent) -> None:
        if isinstance(event, MessageSeen):
            raise KeyError("a bug")

    async with scenes() as scene, opened(scene, fail) as gateway:
        running = asyncio.create_task(gateway.run())
        await scene.control.until(lambda counts: counts.connected == 1)
        scene.control.post(scene.channel, "hello")
        with pytest.raises(KeyError, match="a bug"):
            await running


async def test_memory_stays_flat(scenes: Scenes) -> None:
    import gc
    import tracemalloc

    seen = 0

    def count(event: LiveEvent) -> None:
        nonlocal seen
        seen += isinstance(event, MessageSeen)

    async def post(scene: Any, messages: int) -> None:
        goal = seen + messages
        for _ in range(messages // 50):
            for _ in range(50):
                scene.control.send_raw("MESSAGE_CREATE", next(payloads), guild_id=guild_of(scene.control))
            await asyncio.sleep(0)
        while seen < goal:
            await asyncio.sleep(0.01)
        gc.collect()

    async with scenes(world="1x5", gateway=GatewayRules(keep=1000)) as scene, opened(scene, count) as gateway:
        (channel_id,) = scene.control.world.channels
        common = {"channel_id": str(channel_id), "guild_id": str(guild_of(scene.control)), "content": "x" * 200}
        payloads = (
            common | {"id": str(n), "author": {"id": str(n), "username": f"user {n}"}} for n in range(10**15, 10**16)
        )
        running = asyncio.create_task(gateway.run())
        await scene.control.until(lambda counts: counts.connected == 1)
        await post(scene, 1500)
        tracemalloc.start()
        try:
            await post(scene, 1500)
            before, _ = tracemalloc.get_traced_memory()
            await post(scene, 1500)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert after - before < 300_000
        running.cancel()
