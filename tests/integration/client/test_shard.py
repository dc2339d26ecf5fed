"""One shard at a gateway that says what no gateway should."""

import asyncio
import json
import random
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import discord
import pytest
from aiohttp import WSMsgType, web

from junkie_cli.client import shard
from junkie_cli.client.live_events import LiveEvent, MessagesDeleted, SessionBegan, SessionResumed, Skipped
from junkie_cli.client.shard import Means, Shard
from junkie_cli.client.starts import SessionStarts
from junkie_cli.client.transport import Patience
from tests.integration.client.conftest import Scene, Scenes
from tests.integration.client.hearing import Heard

Json = dict[str, Any]

HELLO = {"op": 10, "d": {"heartbeat_interval": 40_000}}


def event(name: Any, sequence: int, data: Any) -> Json:
    return {"op": 0, "t": name, "s": sequence, "d": data}


def deleted(sequence: int, channel_id: int) -> Json:
    return event("MESSAGE_DELETE", sequence, {"id": "1", "channel_id": str(channel_id)})


class Puppet:
    """A gateway that says to each connection in turn what it is given, once that has sent IDENTIFY or RESUME.

    Bytes go out as they are, text and objects through the compressed stream. `None` leaves without a word, `...` stays and
    does not listen any more.
    """

    def __init__(self, *scripts: list[Any]) -> None:
        self.scripts = list(scripts)
        self.asked: list[Json] = []
        self.urls: list[str] = []
        self.port = 0

    def ready(self, **more: Any) -> Json:
        url = f"ws://127.0.0.1:{self.port}/resume"
        return event("READY", 1, {"session_id": "s", "resume_gateway_url": url, "guilds": []} | more)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        self.urls.append(request.path)
        script = self.scripts.pop(0) if self.scripts else [HELLO]
        stream = zlib.compressobj()

        async def say(what: Any) -> None:
            if not isinstance(what, bytes):
                text = what if isinstance(what, str) else json.dumps(what() if callable(what) else what)
                what = stream.compress(text.encode()) + stream.flush(zlib.Z_SYNC_FLUSH)
            await websocket.send_bytes(what)

        await say(script[0])
        async for message in websocket:
            if message.type is WSMsgType.TEXT and (said := json.loads(message.data))["op"] in {2, 6}:
                self.asked.append(said)
                for what in script[1:]:
                    if what is None:
                        return websocket
                    if what is ...:
                        await asyncio.Event().wait()
                    await say(what)
        return websocket


@asynccontextmanager
async def heard_from(scene: Scene, puppet: Puppet) -> AsyncIterator[Heard]:
    application = web.Application()
    application.router.add_get("/{path:.*}", puppet.serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        puppet.port = runner.addresses[0][1]

        async def get(path: str, *, subject: str, params: Any = None, **ids: int) -> Json:
            assert (path, subject, params, ids) == ("/gateway/bot", "the gateway", None, {})
            limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
            return {"url": f"ws://127.0.0.1:{puppet.port}/", "shards": 1, "session_start_limit": limit}

        means = Means(
            scene.discord.api.http,
            SessionStarts(get, scene.time.clock, scene.time.sleep, "here"),
            discord.Intents(guilds=True),
            scene.discord.me.user_id,
            scene.time.clock,
            scene.time.sleep,
            random.Random(1),
            lambda: datetime.now(UTC),
            Patience(first=1.0, longest=60.0, timeout=1.0),
            60.0,
        )
        heard = Heard()
        one = Shard(0, 1, means, heard.hear)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(one.run())
            yield heard
            running.cancel()
    finally:
        await runner.cleanup()


FRAMES: dict[str, Any] = {
    "no JSON": "{",
    "JSON that nests without end": "[" * 100_000 + "]" * 100_000,
    "no object": [],
    "an event whose name is none": event(["x"], 2, {}),
    "an event without a name": event(None, 2, {}),
    "an event without data": event("MESSAGE_DELETE", 2, None),
}


@pytest.mark.parametrize("what", FRAMES)
async def test_a_frame_that_makes_no_sense_is_skipped(scenes: Scenes, what: str) -> None:
    puppet = Puppet()
    puppet.scripts.append([HELLO, puppet.ready, FRAMES[what], deleted(3, 7)])
    async with scenes(world="1x5") as scene, heard_from(scene, puppet) as heard:
        await heard.many(MessagesDeleted)
        assert [type(event) for event in heard.events] == [SessionBegan, Skipped, MessagesDeleted]
        (skipped,) = heard.of(Skipped)
        assert skipped.channel_id is None
        assert len(puppet.asked) == 1


async def test_a_damaged_stream_is_taken_up_again_without_a_loss(scenes: Scenes) -> None:
    puppet = Puppet()
    damaged = b"\x00damaged\x00\x00\xff\xff"
    puppet.scripts += [[HELLO, puppet.ready, damaged], [HELLO, deleted(2, 7), event("RESUMED", 3, {})]]
    async with scenes(world="1x5") as scene, heard_from(scene, puppet) as heard:
        await heard.resumed()
        assert [type(event) for event in heard.events] == [SessionBegan, MessagesDeleted, SessionResumed]
        assert [asked["op"] for asked in puppet.asked] == [2, 6]
        assert puppet.asked[1]["d"]["seq"] == 1
        assert puppet.urls == ["/", "/resume"]


BEGINNINGS: dict[str, Callable[[Puppet], list[Any]]] = {
    "HELLO says nothing": lambda _: [{"op": 10, "d": {}}],
    "HELLO is no JSON": lambda _: ["hello"],
    "READY names no session": lambda _: [HELLO, event("READY", 1, {"guilds": []})],
    "READY says nothing": lambda _: [HELLO, event("READY", 1, None)],
    "READY names no address": lambda _: [HELLO, event("READY", 1, {"session_id": "s", "guilds": []})],
    "leaves": lambda _: [HELLO, None],
}


@pytest.mark.parametrize("how", BEGINNINGS)
async def test_a_session_that_did_not_begin_is_begun_again(scenes: Scenes, how: str) -> None:
    puppet = Puppet()
    puppet.scripts += [BEGINNINGS[how](puppet), [HELLO, puppet.ready, deleted(2, 7)]]
    async with scenes(world="1x5") as scene, heard_from(scene, puppet) as heard:
        await heard.many(MessagesDeleted)
        assert [type(event) for event in heard.events] == [SessionBegan, MessagesDeleted]
        assert {asked["op"] for asked in puppet.asked} == {2}


async def test_a_resumption_that_can_not_be_read_is_none(scenes: Scenes) -> None:
    puppet = Puppet()
    puppet.scripts += [
        [HELLO, puppet.ready, None],
        [HELLO, deleted(2, 7), event("RESUMED", 3, None)],
        [HELLO, puppet.ready, deleted(2, 8)],
    ]
    async with scenes(world="1x5") as scene, heard_from(scene, puppet) as heard:
        await heard.many(MessagesDeleted, 2)
        assert [type(event) for event in heard.events] == [SessionBegan, MessagesDeleted, SessionBegan, MessagesDeleted]
        assert [asked["op"] for asked in puppet.asked] == [2, 6, 2]


async def test_an_address_for_resuming_that_is_dead(scenes: Scenes) -> None:
    puppet = Puppet()
    puppet.scripts += [
        [HELLO, lambda: puppet.ready(resume_gateway_url="ws://127.0.0.1:1/"), deleted(2, 7), None],
        [HELLO, event("RESUMED", 3, {})],
    ]
    async with scenes(world="1x5") as scene, heard_from(scene, puppet) as heard:
        await heard.resumed()
        assert puppet.asked[1]["d"]["seq"] == 2
        assert puppet.urls == ["/", "/"]
        events: list[type[LiveEvent]] = [type(event) for event in heard.events]
        assert events == [SessionBegan, MessagesDeleted, SessionResumed]


async def test_who_says_no_goodbye_is_not_waited_for(scenes: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard, "CLOSE_PATIENCE", 0.05)
    puppet = Puppet()
    puppet.scripts += [[HELLO, puppet.ready, ...]]
    async with scenes(world="1x5") as scene, asyncio.timeout(10), heard_from(scene, puppet) as heard:
        await heard.many(SessionBegan)
