import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits, Rate
from junkie_cli.emulator.permissions import may_view
from junkie_cli.emulator.server import Emulator, running
from tests.integration.emulator.wire import wires_to

Run = Callable[..., Awaitable[Any]]


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(1, "2x30"), limits=Limits.off()) as emulator:
        yield emulator


@pytest.fixture
async def run(emulator: Emulator) -> AsyncIterator[Run]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{emulator.port}") as session:

        async def run(verb: str, /, *, expect: int = 200, **arguments: Any) -> Any:
            async with session.post(f"/_emulator/{verb}", json=arguments) as response:
                found = await response.json()
                assert response.status == expect, found
                return found

        yield run


async def test_messages(emulator: Emulator, run: Run) -> None:
    channel_id = next(iter(emulator.world.channels))
    one = await run("post", channel_id=str(channel_id), content="one")
    two = await run("post", channel_id=channel_id, content="two", reply_to=one, hidden=True)
    await run("edit", channel_id=channel_id, message_id=one, content="uno")
    assert [m["content"] for m in (await run("truth", channel_id=channel_id))[-1:]] == ["uno"]
    await run("reveal", channel_id=channel_id, message_id=str(two))
    await run("react", channel_id=channel_id, message_id=two, emoji="🔥")
    last = (await run("truth", channel_id=channel_id))[-1]
    assert last["referenced_message"]["content"] == "uno"
    assert last["reactions"][0]["count"] == 1
    await run("delete", channel_id=channel_id, message_id=one)
    ids = await run("ids", channel_id=channel_id)
    await run("bulk_delete", channel_id=channel_id, message_ids=[str(n) for n in ids[:29]])
    assert await run("ids", channel_id=channel_id) == ids[29:]


async def test_now_is_now(emulator: Emulator, run: Run) -> None:
    channel_id = next(iter(emulator.world.channels))
    await run("post", channel_id=channel_id, content="now", now=True)
    assert (await run("truth", channel_id=channel_id))[-1]["timestamp"] > "2026"


async def test_silent_changes(emulator: Emulator, run: Run) -> None:
    told: list[str] = []
    emulator.world.listeners.append(lambda event: told.append(event.name))
    channel_id = next(iter(emulator.world.channels))
    await run("post", channel_id=channel_id, content="one", silent=True)
    assert told == []
    await run("post", channel_id=channel_id, content="two")
    assert told == ["MESSAGE_CREATE"]


async def test_channels_threads_and_rights(emulator: Emulator, run: Run) -> None:
    (guild_id,) = emulator.world.guilds
    channel = await run("add_channel", guild_id=str(guild_id), name="new")
    assert await run("named", name="new") == int(channel["id"])
    thread = await run("add_thread", parent_id=channel["id"], name="talk")
    await run("archive", thread_id=thread["id"])
    assert {c["name"] for c in await run("channels")} >= {"new", "talk"}
    readable = await run("readable")
    await run("revoke", channel_id=channel["id"], rights=["view_channel"])
    assert set(readable) - set(await run("readable")) == {int(channel["id"]), int(thread["id"])}
    await run("grant", channel_id=channel["id"], rights=["view_channel"])
    assert await run("readable") == readable
    await run("set_role", guild_id=guild_id, role_id=guild_id, permissions=["view_channel"])
    await run("set_member_roles", guild_id=guild_id, user_id=str(emulator.world.bot.id), roles=[])
    assert may_view(emulator.world.channels[next(iter(emulator.world.channels))], emulator.world.bot.id)
    assert await run("readable") == []
    await run("set_intents", content=False)
    await run("delete_channel", channel_id=channel["id"])
    await run("remove_bot", guild_id=guild_id)
    assert not emulator.world.sees_content


async def test_traffic(emulator: Emulator, run: Run) -> None:
    channel_id = next(iter(emulator.world.channels))
    assert (await run("fault", kind="500", channel_id=str(channel_id), times=3))["struck"] == 0
    await run("clear_faults")
    await run("set_latency", latency_ms=1)
    await run("set_limits", messages=[2, 0.5], total=None, headers="wrong")
    assert emulator.control.traffic.limiter.limits == Limits(Rate(2, 0.5), None, headers="wrong")
    await run("set_limits", messages=None)
    await run("after_requests", channel_id=channel_id, requests=1, verb="post", arguments={"channel_id": channel_id})
    number = await run("hold", channel_id=channel_id)
    assert await run("held", number=number) is False
    headers = {"Authorization": f"Bot {emulator.token}"}
    before = len(await run("ids", channel_id=channel_id))
    async with aiohttp.ClientSession(headers=headers) as http:
        address = f"{emulator.api_url}/channels/{channel_id}/messages?limit=100"
        asked = asyncio.create_task(read(http, address))
        while not await run("held", number=number):
            pass
        await run("release", number=number)
        assert len(await asked) == before
    assert len(await run("ids", channel_id=channel_id)) == before + 1
    assert (await run("counts"))["channels"] == {str(channel_id): 1}
    await run("reset_counts")
    assert (await run("counts"))["messages"] == 0


async def read(http: aiohttp.ClientSession, address: str) -> Any:
    async with http.get(address) as response:
        return await response.json()


async def test_the_gateway(emulator: Emulator, run: Run) -> None:
    (guild_id,) = emulator.world.guilds
    channel_id = next(iter(emulator.world.channels))
    async with wires_to(emulator) as wires:
        wire = await wires.begun()
        assert (await run("sessions"))["connected"] == 1
        await run("send_raw", name="ANYTHING", data={"a": 1}, guild_id=str(guild_id))
        assert await wire.event("ANYTHING") == {"a": 1}
        posted = await run("post", channel_id=channel_id, content="hello")
        await wire.event("MESSAGE_CREATE")
        await run("edit", channel_id=channel_id, message_id=posted, content="hi", told=["content"])
        assert set(await wire.event("MESSAGE_UPDATE")) == {"id", "channel_id", "guild_id", "content"}
        await run("pause_events", drop=True)
        await run("post", channel_id=channel_id, content="lost")
        await run("resume_events")
        await run("unavailable", guild_id=guild_id)
        await wire.event("GUILD_DELETE")
        await run("available", guild_id=guild_id)
        await wire.event("GUILD_CREATE")
        await run("withhold_acks")
        await run("give_acks")
        assert [await run("request_heartbeats"), await run("reconnect")] == [1, 1]
        assert [await wire.expect(1), await wire.expect(7)] == [None, None]
        await run("set_gateway", session_ttl=60.0)
        await run("set_gateway", colour="red", expect=400)
        await run("set_session_starts", remaining=5, shards=2)
        assert await run("disconnect", code=4000) == 1
        assert await wire.ended() == 4000
        await run("forget_sessions")
        assert (await run("sessions"))["resumable"] == 0
        again = await wires.begun()
        assert await run("invalidate", resumable=True) == 1
        assert await again.expect(9) is True
        await run("gateway_down", how="503")
        with pytest.raises(aiohttp.ClientError):
            await wires.open()
        await run("gateway_up")
        await wires.greeted()
    assert (await run("sessions"))["identifies"] == 2


async def test_people_and_roles(emulator: Emulator, run: Run) -> None:
    (guild_id,) = emulator.world.guilds
    user = await run("add_user", username="zoe", global_name="Zoë")
    await run("add_member", guild_id=guild_id, user_id=user["id"])
    role = await run("add_role", guild_id=guild_id, name="Judges", permissions=["manage_threads"])
    await run("rename_role", guild_id=guild_id, role_id=role["id"], name="Jury")
    await run("set_member_roles", guild_id=guild_id, user_id=user["id"], roles=[role["id"]])
    await run("set_nick", guild_id=guild_id, user_id=user["id"], nick="Z")
    member = emulator.world.guilds[guild_id].members[int(user["id"])]
    assert (member.nick, member.roles, member.user.global_name) == ("Z", [int(role["id"])], "Zoë")
    await run("delete_role", guild_id=guild_id, role_id=role["id"])
    await run("remove_member", guild_id=guild_id, user_id=user["id"])
    await run("remove_member", guild_id=guild_id, user_id=user["id"], expect=404)
    await run("rename_guild", guild_id=guild_id, name="Other")
    await run("obfuscate", on=True)
    assert (emulator.world.guilds[guild_id].name, emulator.world.obfuscates) == ("Other", True)


async def test_a_stream(emulator: Emulator, run: Run) -> None:
    channels = list(emulator.world.channels)
    async with wires_to(emulator) as wires:
        wire = await wires.begun()
        done = await run("stream", rate=2000, seconds=0.05, channels=[str(channels[0])], edits=0.1)
        assert done["posted"] + done["edited"] == 100
        heard = [(await wire.receive())["t"] for _ in range(100)]
        assert heard.count("MESSAGE_CREATE") == done["posted"]
    assert len(emulator.control.ids(channels[0])) == 30 + done["posted"]
    await run("stream", rate=1, seconds=1, channels=[7], expect=404)
    await run("stream", rate=1, seconds=1, silent=True, expect=400)
    await run("after_requests", channel_id=channels[0], requests=1, verb="stream", arguments={}, expect=404)


async def test_what_makes_no_sense(run: Run) -> None:
    assert "there is no verb" in (await run("explode", expect=404))["message"]
    assert "there is no verb" in (await run("world", expect=404))["message"]
    assert "no channel 7" in (await run("truth", channel_id=7, expect=404))["message"]
    await run("named", name="nowhere", expect=404)
    await run("truth", expect=400)
    await run("truth", channel_id="x", expect=400)
    await run("post", channel_id=7, colour="red", expect=400)
    await run("fault", kind="explosion", expect=400)
    await run("set_limits", headers="maybe", expect=400)
