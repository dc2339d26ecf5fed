"""The gateway's protocol, seen by a client that does nothing by itself."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from junkie_cli.emulator import websocket
from junkie_cli.emulator.gateway import Down
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.intents import Intent
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import Emulator, running
from junkie_cli.emulator.world import World
from tests.integration.emulator.wire import INTENTS, Wire, Wires, wires_to


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(1, "2x5"), limits=Limits.off()) as emulator:
        yield emulator


@pytest.fixture
async def wires(emulator: Emulator) -> AsyncIterator[Wires]:
    async with wires_to(emulator) as wires:
        yield wires


@pytest.fixture
def channel_id(emulator: Emulator) -> int:
    return next(iter(emulator.world.channels))


# the handshake


async def test_a_session_begins(emulator: Emulator, wires: Wires) -> None:
    wire = await wires.open()
    assert (await wire.expect(10))["heartbeat_interval"] == 41_250
    ready = await wire.identify()
    (guild_id,) = emulator.world.guilds
    assert ready["guilds"] == [{"id": str(guild_id), "unavailable": True}]
    assert ready["user"]["id"] == ready["application"]["id"] == str(emulator.world.bot.id)
    assert ready["application"]["flags"] & 1 << 18
    assert "shard" not in ready
    guild = await wire.event("GUILD_CREATE")
    assert guild["unavailable"] is False
    assert [channel["id"] for channel in guild["channels"]] == [
        str(channel_id) for channel_id in emulator.world.channels
    ]
    assert [member["user"]["id"] for member in guild["members"]] == [str(emulator.world.bot.id)]
    assert (wire.sequence, emulator.control.sessions().connected) == (2, 1)


async def test_heartbeats(emulator: Emulator, wires: Wires) -> None:
    wire = await wires.greeted()
    await wire.send(1)
    await wire.expect(11)
    await wire.identify()
    await wire.event("GUILD_CREATE")
    emulator.control.request_heartbeats()
    await wire.expect(1)
    emulator.control.withhold_acks()
    await wire.send(1, wire.sequence)
    await emulator.control.until(lambda counts: counts.heartbeats == 2)
    emulator.control.give_acks()
    await wire.send(1, wire.sequence)
    await wire.expect(11)
    await wire.send(3, {"status": "idle"})
    await wire.send(1, wire.sequence)
    await wire.expect(11)


IDENTIFY = {"intents": INTENTS, "properties": {}}


@pytest.mark.parametrize(
    ("code", "sent"),
    [
        (4002, ["no json"]),
        (4002, ["[]"]),
        (4002, ["[" * 4000]),
        (4001, ['{"op":[2]}']),
        (4002, [json.dumps({"op": 1, "d": "x" * 4096})]),
        (4002, [{"op": 2, "d": None}]),
        (4002, [{"op": 2, "d": {"intents": 1}}]),
        (4001, [{"op": 99}]),
        (4003, [{"op": 3, "d": {}}]),
        (4004, [{"op": 2, "d": IDENTIFY | {"token": "Bot x"}}]),
        (4004, [{"op": 6, "d": {"session_id": "x", "seq": 1, "token": "x"}}]),
        (4008, [{"op": 6, "d": {"session_id": "x", "seq": 1}}] * 121),
        (4010, [{"op": 2, "d": IDENTIFY | {"shard": [2, 2]}}]),
        (4010, [{"op": 2, "d": IDENTIFY | {"shard": [0]}}]),
        (4010, [{"op": 2, "d": IDENTIFY | {"shard": "0"}}]),
        (4013, [{"op": 2, "d": IDENTIFY | {"intents": 1 << 30}}]),
        (4013, [{"op": 2, "d": IDENTIFY | {"intents": -1}}]),
        (4013, [{"op": 2, "d": {"properties": {}}}]),
        (4014, [{"op": 2, "d": IDENTIFY | {"intents": Intent.GUILD_PRESENCES}}]),
    ],
)
async def test_what_closes_a_connection(wires: Wires, code: int, sent: list[Any]) -> None:
    wire = await wires.greeted()
    for one in sent:
        text = one
        if isinstance(one, dict):
            one.setdefault("d", {})
            data = {"token": wire.token} | one["d"] if isinstance(one["d"], dict) else None
            text = json.dumps(one | {"d": data})
        await wire.socket.send_str(text)
    if code == 4008:
        for _ in sent[:-1]:
            assert await wire.expect(9) is False
    assert await wire.ended() == code


async def test_nobody_identifies_twice(wires: Wires) -> None:
    wire = await wires.begun()
    await wire.send(2, IDENTIFY | {"token": wire.token})
    assert await wire.ended() == 4005


async def test_versions_and_encodings(emulator: Emulator, wires: Wires) -> None:
    wire = await wires.open(v="6")
    assert await wire.ended() == 4012
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await wires.open(encoding="etf")
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await wires.open(compress="brotli")
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{emulator.port}/") as response,
    ):
        assert response.status == 400


async def test_zlib(emulator: Emulator, wires: Wires, channel_id: int) -> None:
    wire = await wires.greeted(compress="zlib-stream")
    await wire.identify()
    await wire.event("GUILD_CREATE")
    emulator.control.post(channel_id, "squeezed 🌲")
    assert (await wire.event("MESSAGE_CREATE"))["content"] == "squeezed 🌲"


async def test_one_shard_can_have_too_many_guilds(emulator: Emulator, wires: Wires) -> None:
    emulator.control.set_gateway(max_guilds=0)
    wire = await wires.greeted()
    await wire.send(2, IDENTIFY | {"token": wire.token})
    assert await wire.ended() == 4011


async def test_session_starts_are_counted(emulator: Emulator, wires: Wires) -> None:
    async def told() -> Any:
        headers = {"Authorization": f"Bot {emulator.token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.get(f"{emulator.api_url}/gateway/bot") as response,
        ):
            return await response.json()

    assert (await told())["session_start_limit"] == {
        "total": 1000,
        "remaining": 1000,
        "reset_after": 0,
        "max_concurrency": 1,
    }
    await wires.begun()
    limit = (await told())["session_start_limit"]
    assert limit["remaining"] == 999
    assert 86_000_000 < limit["reset_after"] <= 86_400_000
    emulator.control.set_session_starts(remaining=1, shards=4)
    assert (await told())["shards"] == 4
    await wires.begun()
    wire = await wires.greeted()
    await wire.send(2, IDENTIFY | {"token": wire.token})
    assert await wire.ended() == 4004
    assert (await told())["session_start_limit"]["remaining"] == 0


async def test_who_identifies_too_soon_is_turned_away(emulator: Emulator, wires: Wires) -> None:
    emulator.control.set_session_starts(spacing=3600)
    await wires.begun(shard=[0, 2])
    wire = await wires.greeted()
    await wire.send(2, IDENTIFY | {"token": wire.token, "shard": [1, 2]})
    assert await wire.expect(9) is False
    emulator.control.set_session_starts(max_concurrency=2)
    await wire.send(2, IDENTIFY | {"token": wire.token, "shard": [1, 2]})
    assert (await wire.event("READY"))["shard"] == [1, 2]


# intents and shards


async def test_without_the_content_intent_messages_are_blank(emulator: Emulator, wires: Wires, channel_id: int) -> None:
    bare, full = await wires.begun(INTENTS & ~Intent.MESSAGE_CONTENT), await wires.begun()
    bot = emulator.world.bot
    mention = {"mentions": [{"id": str(bot.id), "username": bot.username}]}
    posted = emulator.control.post(channel_id, "secret", fields={"embeds": [{"type": "link"}], "poll": {}})
    emulator.control.post(channel_id, "hey", fields=mention)
    emulator.control.post(channel_id, "me", author_id=bot.id)
    emulator.control.post(channel_id, "re", reply_to=posted)
    blank = await bare.event("MESSAGE_CREATE")
    assert (blank["content"], blank["embeds"], "poll" in blank) == ("", [], False)
    clear = await full.event("MESSAGE_CREATE")
    assert (clear["content"], clear["embeds"], "poll" in clear) == ("secret", [{"type": "link"}], True)
    assert [(await bare.event("MESSAGE_CREATE"))["content"] for _ in range(2)] == ["hey", "me"]
    assert (await bare.event("MESSAGE_CREATE"))["referenced_message"]["content"] == ""
    emulator.control.set_intents(content=False)
    wire = await wires.greeted()
    await wire.send(2, IDENTIFY | {"token": wire.token})
    assert await wire.ended() == 4014


async def test_nobody_hears_what_they_did_not_ask_for(emulator: Emulator, wires: Wires, channel_id: int) -> None:
    deaf, guilds, members = (
        await wires.begun(0),
        await wires.begun(Intent.GUILDS),
        await wires.begun(Intent.GUILD_MEMBERS),
    )
    (guild,) = emulator.world.guilds.values()
    somebody = next(user_id for user_id in guild.members if user_id != emulator.world.bot.id)
    emulator.control.post(channel_id, "hello")
    emulator.control.rename_guild(guild.id, "Other")
    emulator.control.set_nick(guild.id, somebody, "Nick")
    emulator.control.set_nick(guild.id, emulator.world.bot.id, "Archivist")
    assert (await guilds.event("GUILD_UPDATE"))["name"] == "Other"
    assert (await members.event("GUILD_MEMBER_UPDATE"))["nick"] == "Nick"
    for wire in (deaf, guilds, members):
        assert (await wire.event("GUILD_MEMBER_UPDATE"))["nick"] == "Archivist"


async def test_shards_share_the_guilds(emulator: Emulator, wires: Wires) -> None:
    for n in range(5):
        emulator.control.add_guild(f"guild {n}", owner_id=emulator.world.bot.id)
    intents = INTENTS | Intent.DIRECT_MESSAGES
    first, second = await wires.begun(intents, shard=[0, 2]), await wires.begun(intents, shard=[1, 2])
    dm = emulator.world.open_dm(next(iter(emulator.world.users)))
    emulator.control.post(dm.id, "psst", author_id=emulator.world.bot.id)
    assert "guild_id" not in await first.event("MESSAGE_CREATE")
    for guild_id in emulator.world.guilds:
        emulator.control.rename_guild(guild_id, "renamed")
        wire = first if (guild_id >> 22) % 2 == 0 else second
        assert (await wire.event("GUILD_UPDATE"))["id"] == str(guild_id)
    assert emulator.control.disconnect(shard=1) == 1
    assert await second.ended() == 4000
    assert emulator.control.sessions().connected == 1


# resuming


async def lost(emulator: Emulator, wire: Wire) -> None:
    """Abort a connection, and wait until both sides know."""
    emulator.control.disconnect(abort=True)
    assert await wire.ended() is None


async def test_a_resume_replays_all_that_was_missed(emulator: Emulator, wires: Wires, channel_id: int) -> None:
    wire = await wires.begun()
    emulator.control.post(channel_id, "heard")
    await wire.event("MESSAGE_CREATE")
    emulator.control.disconnect(4000)
    for n in range(3):
        emulator.control.post(channel_id, f"missed {n}")
    assert await wire.ended() == 4000
    other = await wires.open("/resume")
    await other.expect(10)
    await other.resume(wire)
    for n in range(3):
        payload = await other.receive()
        assert (payload["s"], payload["d"]["content"]) == (4 + n, f"missed {n}")
    await other.event("RESUMED")
    emulator.control.post(channel_id, "live")
    assert (await other.event("MESSAGE_CREATE"))["content"] == "live"
    assert emulator.control.sessions().resumes == 1


async def test_a_resume_takes_the_session_from_whoever_has_it(
    emulator: Emulator, wires: Wires, channel_id: int
) -> None:
    first = await wires.begun()
    second, replayed = await wires.resumed(first, sequence=0)
    assert [payload["t"] for payload in replayed] == ["READY", "GUILD_CREATE"]
    assert await first.ended() == 4000
    emulator.control.post(channel_id, "one")
    await second.event("MESSAGE_CREATE")
    assert emulator.control.sessions().connected == 1


@pytest.mark.parametrize("why", ["unknown", "ahead", "null", "forgotten", "too old", "away too long", "left by 1000"])
async def test_resumes_that_are_refused(emulator: Emulator, wires: Wires, channel_id: int, why: str) -> None:
    if why == "too old":
        emulator.control.set_gateway(keep=2)
    wire = await wires.begun()
    if why == "left by 1000":
        await wire.socket.close(code=1000)
        await emulator.control.until(lambda counts: counts.closes[1000] == 1)
    else:
        await lost(emulator, wire)
    if why == "unknown":
        wire.session_id = "0" * 32
    if why == "ahead":
        wire.sequence = 3
    if why == "forgotten":
        emulator.control.forget_sessions()
    if why == "away too long":
        emulator.control.set_gateway(session_ttl=-1.0)
    for _ in range(3 if why == "too old" else 0):
        emulator.control.post(channel_id, "missed")
    other = await wires.greeted()
    if why == "null":
        await other.send(6, {"token": other.token, "session_id": None, "seq": None})
    else:
        await other.resume(wire)
    assert await other.expect(9) is False
    assert emulator.control.sessions().refused_resumes == 1
    await other.identify()


@pytest.mark.parametrize(
    ("code", "goes_on"), [(4000, True), (4008, True), (4009, False), (4007, False), (1000, False), (1012, False)]
)
async def test_close_codes_say_what_can_be_resumed(emulator: Emulator, wires: Wires, code: int, goes_on: bool) -> None:  # noqa: FBT001  # a test's parameter
    wire = await wires.begun()
    emulator.control.disconnect(code)
    assert await wire.ended() == code
    assert emulator.control.sessions().resumable == int(goes_on)
    again = await wires.begun()
    emulator.control.disconnect(code, forget=goes_on)
    assert await again.ended() == code
    assert emulator.control.sessions().resumable == 1


async def test_what_a_client_does_wrong_can_cost_its_session(emulator: Emulator, wires: Wires) -> None:
    for text, resumable in (("no json", 1), (json.dumps({"op": 99, "d": None}), 0)):
        wire = await wires.begun()
        await wire.socket.send_str(text)
        assert await wire.ended() in {4001, 4002}
        assert emulator.control.sessions().resumable == resumable
        emulator.control.forget_sessions()


async def test_orders_to_come_back(emulator: Emulator, wires: Wires, channel_id: int) -> None:
    wire = await wires.begun()
    assert emulator.control.reconnect() == 1
    await wire.expect(7)
    assert emulator.control.invalidate(resumable=True) == 1
    assert await wire.expect(9) is True
    emulator.control.post(channel_id, "still here")
    await wire.event("MESSAGE_CREATE")
    assert emulator.control.invalidate() == 1
    assert await wire.expect(9) is False
    emulator.control.post(channel_id, "unheard")
    assert emulator.control.sessions().resumable == 0
    await wire.identify()


async def test_forgetting_leaves_the_connected_alone(emulator: Emulator, wires: Wires, channel_id: int) -> None:
    wire = await wires.begun()
    emulator.control.forget_sessions()
    emulator.control.post(channel_id, "heard")
    await wire.event("MESSAGE_CREATE")
    assert (emulator.control.sessions().connected, emulator.control.sessions().resumable) == (1, 0)


async def test_a_client_that_misses_its_heartbeats_is_dropped(
    emulator: Emulator, wires: Wires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "LEAST_PATIENCE", 0.05)
    emulator.control.set_gateway(heartbeat_ms=1)
    wire = await wires.begun()
    assert await wire.ended() == 4000
    assert emulator.control.sessions().resumable == 1


async def test_a_client_that_reads_too_slowly_is_cut_off(emulator: Emulator, wires: Wires, channel_id: int) -> None:
    emulator.control.set_gateway(keep=10)
    wire = await wires.begun()
    for _ in range(11):  # in one go, so that nothing is written in between
        emulator.control.post(channel_id, "too much")
    assert await wire.ended() is None
    await emulator.control.until(lambda counts: counts.connected == 0)


# outages


@pytest.mark.parametrize("how", ["reset", "503"])
async def test_a_gateway_that_is_down(emulator: Emulator, wires: Wires, channel_id: int, how: Down) -> None:
    wire = await wires.begun()
    emulator.control.gateway_down(how)
    emulator.control.post(channel_id, "missed")
    assert await wire.ended() is None
    with pytest.raises(aiohttp.ClientError):
        await wires.open()
    assert emulator.control.sessions().refused >= 1  # aiohttp tries a second time by itself
    emulator.control.gateway_up()
    _, (missed,) = await wires.resumed(wire)
    assert missed["d"]["content"] == "missed"
    with pytest.raises(ValueError, match="reset, 503, hang"):
        emulator.control.gateway_down("explode")  # type: ignore[arg-type]


async def test_a_handshake_that_hangs_and_connections_that_stay(emulator: Emulator, wires: Wires) -> None:
    wire = await wires.begun()
    emulator.control.gateway_down("hang", cut=False)
    hanging = asyncio.create_task(wires.open())
    await emulator.control.until(lambda counts: counts.refused >= 1)
    assert not hanging.done()
    await wire.send(1, wire.sequence)
    await wire.expect(11)
    hanging.cancel()


async def test_events_can_wait_or_be_lost(emulator: Emulator, wires: Wires, channel_id: int) -> None:
    control, wire = emulator.control, await wires.begun()
    control.pause_events()
    held = control.post(channel_id, "held")
    control.edit(channel_id, held, "edited")
    await wire.send(1, wire.sequence)
    await wire.expect(11)
    control.resume_events()
    assert (await wire.event("MESSAGE_CREATE"))["content"] == "held"
    assert (await wire.event("MESSAGE_UPDATE"))["content"] == "edited"
    control.pause_events(drop=True)
    control.post(channel_id, "dropped")
    control.resume_events()
    control.post(channel_id, "heard")
    assert (await wire.event("MESSAGE_CREATE"))["content"] == "heard"


async def test_a_guild_is_unavailable_for_a_while(emulator: Emulator, wires: Wires, channel_id: int) -> None:
    control, (guild_id,) = emulator.control, emulator.world.guilds
    wire = await wires.begun()
    control.unavailable(guild_id)
    control.post(channel_id, "unheard")
    assert await wire.event("GUILD_DELETE") == {"id": str(guild_id), "unavailable": True}
    other = await wires.greeted()
    assert (await other.identify())["guilds"] == [{"id": str(guild_id), "unavailable": True}]
    control.available(guild_id)
    for one in (wire, other):
        back = await one.event("GUILD_CREATE")
        assert (back["id"], back["unavailable"]) == (str(guild_id), False)
    control.post(channel_id, "heard")
    assert (await wire.event("MESSAGE_CREATE"))["content"] == "heard"


async def test_an_outage_while_events_wait_and_one_that_never_ends(emulator: Emulator, wires: Wires) -> None:
    control, (guild_id,) = emulator.control, emulator.world.guilds
    wire = await wires.begun()
    control.pause_events()
    control.unavailable(guild_id)
    control.resume_events()
    assert (await wire.event("GUILD_DELETE"))["unavailable"]
    control.remove_bot(guild_id)
    control.available(guild_id)
    assert await wire.event("GUILD_DELETE") == {"id": str(guild_id)}


async def test_anything_can_be_said(emulator: Emulator, wires: Wires) -> None:
    wire = await wires.begun()
    emulator.control.send_raw("SOMETHING_NEW", [1, None, {"text": "ü"}])
    emulator.control.send_raw("MESSAGE_CREATE", {"id": "x"}, guild_id=next(iter(emulator.world.guilds)))
    assert await wire.event("SOMETHING_NEW") == [1, None, {"text": "ü"}]
    assert await wire.event("MESSAGE_CREATE") == {"id": "x"}
    assert wire.sequence == 4


async def test_closing_lets_every_client_go() -> None:
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as session:
        async with running(World(seed=1)) as emulator:
            wires = Wires(emulator, session, stack)
            wire = await wires.begun()
            emulator.control.gateway_down("hang", cut=False)
            hanging = asyncio.create_task(wires.open())
            await emulator.control.until(lambda counts: counts.refused == 1)
        assert await wire.ended() is None
        with pytest.raises(aiohttp.ClientError):
            await hanging
