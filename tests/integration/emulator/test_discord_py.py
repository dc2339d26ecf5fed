"""The unmodified discord.py as a client."""

from collections.abc import AsyncIterator
from typing import Any

import discord
import pytest
from discord.http import Route

from junkie_cli.emulator.entities import ChannelType
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits, Rate
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.server import Emulator, running


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(1, "tiny"), limits=Limits.off()) as emulator:
        yield emulator


@pytest.fixture
async def client(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[discord.Client]:
    monkeypatch.setattr(Route, "BASE", emulator.api_url)
    async with discord.Client(intents=discord.Intents.none()) as client:
        await client.http.static_login(emulator.token)
        yield client


async def test_a_wrong_token_is_refused(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Route, "BASE", emulator.api_url)
    async with discord.Client(intents=discord.Intents.none()) as client:
        with pytest.raises(discord.LoginFailure):
            await client.http.static_login(emulator.token + "x")
    assert emulator.control.counts().invalid == 1


async def test_a_whole_history_equals_the_truth(emulator: Emulator, client: discord.Client) -> None:
    general = emulator.control.named("general")
    found = []
    before = None
    while page := await client.http.logs_from(general, 100, before=before):
        found += page
        before = int(page[-1]["id"])
    assert [int(message["id"]) for message in found] == emulator.control.ids(general)[::-1]
    truth = emulator.control.truth(general)[::-1]
    plain = [message for message in truth if "/attachments/" not in str(message)]
    assert [message for message in found if "/attachments/" not in str(message)] == plain
    assert emulator.control.counts().channels == {general: len(found) // 100 + 2}


async def test_discord_py_can_parse_everything(emulator: Emulator, client: discord.Client) -> None:
    (guild,) = [await client.fetch_guild(guild_id) for guild_id in emulator.world.guilds]
    assert guild.approximate_member_count == 10
    for channel_id in emulator.control.readable():
        channel = await client.fetch_channel(channel_id)
        assert isinstance(channel, discord.abc.Messageable)
        messages = [message async for message in channel.history(limit=None, oldest_first=True)]
        assert [message.id for message in messages] == emulator.control.ids(channel_id)
        assert all(message.clean_content is not None for message in messages)
        assert all(message.system_content is not None for message in messages if message.type.value < 100)


async def test_who_is_asking(emulator: Emulator, client: discord.Client) -> None:
    application = await client.http.application_info()
    assert application["flags"] & 1 << 18
    emulator.control.set_intents(content=False)
    assert not (await client.http.application_info())["flags"] & (1 << 18 | 1 << 19)
    shards, url, limit = await client.http.get_bot_gateway()
    assert (shards, limit["remaining"]) == (1, 1000)
    assert url == f"ws://127.0.0.1:{emulator.port}"
    (guild_id,) = emulator.world.guilds
    member = await client.http.get_member(guild_id, emulator.world.bot.id)
    assert len(member["roles"]) == 1
    assert {role["name"] for role in await client.http.get_roles(guild_id)} == {"@everyone", "Archivist", "Playtesters"}
    with pytest.raises(discord.NotFound) as unknown:
        await client.http.get_member(guild_id, 1)
    assert unknown.value.code == 10007


async def test_guilds_are_paged_both_ways(emulator: Emulator, client: discord.Client) -> None:
    for n in range(9):
        emulator.control.add_guild(f"guild {n}", owner_id=emulator.world.bot.id)
    ids = sorted(emulator.world.guilds)

    async def page(before: int | None = None, after: int | None = None) -> list[int]:
        return [int(guild["id"]) for guild in await client.http.get_guilds(4, before, after)]

    assert await page() == ids[:4]
    assert await page(after=ids[3]) == ids[4:8]
    assert await page(after=ids[7]) == ids[8:]
    assert await page(before=ids[6]) == ids[2:6]
    assert [guild.id async for guild in client.fetch_guilds()] == ids
    emulator.control.remove_bot(ids[0])
    assert await page() == ids[1:5]
    with pytest.raises(discord.NotFound) as gone:
        await client.http.get_all_guild_channels(ids[0])
    assert gone.value.code == 10004


async def test_the_channel_list_has_all_channels_and_no_thread(emulator: Emulator, client: discord.Client) -> None:
    (guild_id,) = emulator.world.guilds
    listed = {channel["name"] for channel in await client.http.get_all_guild_channels(guild_id)}
    assert listed >= {"general", "staff", "empty", "help", "Community"}
    assert "Save format" not in listed


async def test_active_threads_are_those_the_bot_may_see(emulator: Emulator, client: discord.Client) -> None:
    (guild_id,) = emulator.world.guilds
    listed = await client.http.get_active_threads(guild_id)
    names = {thread["name"] for thread in listed["threads"]}
    assert names == {"Crash on start", "Where are the saves?", "Sunrise over the lake", "Save format", "Release plan"}
    assert [member["user_id"] for member in listed["members"]] == [str(emulator.world.bot.id)]
    emulator.control.leave_thread(emulator.control.named("Release plan"))
    listed = await client.http.get_active_threads(guild_id)
    assert "Release plan" not in {thread["name"] for thread in listed["threads"]}


async def test_archived_threads_are_paged_by_time(emulator: Emulator, client: discord.Client) -> None:
    control, world = emulator.control, emulator.world
    (guild_id,) = world.guilds
    channel = control.add_channel(guild_id, "old")
    threads = [control.add_thread(channel.id, f"thread {n}") for n in range(5)]
    for n in (3, 0, 4, 1, 2):  # the order of archiving is not that of creation
        control.archive(threads[n].id)

    names: list[str] = []
    before, more = None, True
    while more:
        page = await client.http.get_public_archived_threads(channel.id, before=before, limit=2)
        names += [thread["name"] for thread in page["threads"]]
        more = page["has_more"]
        before = page["threads"][-1]["thread_metadata"]["archive_timestamp"]
    assert names == [f"thread {n}" for n in (2, 1, 4, 0, 3)]

    fetched = await client.fetch_channel(channel.id)
    assert isinstance(fetched, discord.TextChannel)
    assert [thread.name async for thread in fetched.archived_threads(limit=None)] == names


async def test_private_archived_threads(emulator: Emulator, client: discord.Client) -> None:
    dev = emulator.control.named("dev")
    joined = await client.http.get_joined_private_archived_threads(dev)
    assert [thread["name"] for thread in joined["threads"]] == ["Crunch"]
    with pytest.raises(discord.Forbidden) as forbidden:
        await client.http.get_private_archived_threads(dev)
    assert forbidden.value.code == 50013

    emulator.control.grant(dev, Right.MANAGE_THREADS)
    every = await client.http.get_private_archived_threads(dev)
    assert {thread["name"] for thread in every["threads"]} == {"Crunch", "Secret santa"}
    ids = sorted((int(thread["id"]) for thread in every["threads"]), reverse=True)
    for thread_id in ids:
        if emulator.world.bot.id not in emulator.world.channels[thread_id].thread.members:  # type: ignore[union-attr]
            emulator.control.join_thread(thread_id)
    first = await client.http.get_joined_private_archived_threads(dev, limit=2)
    assert [int(thread["id"]) for thread in first["threads"]] == ids
    second = await client.http.get_joined_private_archived_threads(dev, before=ids[0], limit=2)
    assert [int(thread["id"]) for thread in second["threads"]] == ids[1:]


async def test_what_the_bot_may_not_do(emulator: Emulator, client: discord.Client) -> None:
    with pytest.raises(discord.Forbidden) as no_view:
        await client.http.logs_from(emulator.control.named("staff"), 100)
    assert no_view.value.code == 50001
    assert await client.http.logs_from(emulator.control.named("write-only"), 100) == []
    with pytest.raises(discord.NotFound) as unknown:
        await client.http.logs_from(1234567890123456789, 100)
    assert unknown.value.code == 10003
    with pytest.raises(discord.HTTPException) as category:
        await client.http.logs_from(emulator.control.named("Community"), 100)
    assert category.value.status == 400
    assert emulator.control.counts().invalid == 1

    lounge = emulator.control.named("Lounge")
    assert await client.http.logs_from(lounge, 100)
    emulator.control.revoke(lounge, Right.CONNECT)
    with pytest.raises(discord.Forbidden):
        await client.http.logs_from(lounge, 100)


async def test_one_message(emulator: Emulator, client: discord.Client) -> None:
    general = emulator.control.named("general")
    posted = emulator.control.post(general, "hello")
    assert (await client.http.get_message(general, posted))["content"] == "hello"
    emulator.control.delete(general, posted)
    with pytest.raises(discord.NotFound) as gone:
        await client.http.get_message(general, posted)
    assert gone.value.code == 10008


async def test_direct_messages_need_no_guild(emulator: Emulator, client: discord.Client) -> None:
    dm = next(channel for channel in emulator.world.channels.values() if channel.type == ChannelType.DM)
    assert len(await client.http.logs_from(dm.id, 100)) == len(dm.messages)
    assert (await client.http.get_channel(dm.id))["type"] == ChannelType.DM


async def test_discord_py_understands_a_429(emulator: Emulator, client: discord.Client) -> None:
    emulator.control.set_limits(Limits(messages=Rate(100, 5.0)))
    emulator.control.fault("429", skip=1, times=2, retry_after=0.01)
    general = emulator.control.named("general")
    for _ in range(5):
        assert len(await client.http.logs_from(general, 100)) == 100
    assert emulator.control.counts().statuses == {200: 6, 429: 2}


async def test_an_empty_channel_and_a_thread_say_so(emulator: Emulator, client: discord.Client) -> None:
    empty: dict[str, Any] = {**await client.http.get_channel(emulator.control.named("empty"))}
    assert empty["last_message_id"] is None
    thread: dict[str, Any] = {**await client.http.get_channel(emulator.control.named("Crunch"))}
    assert thread["type"] == ChannelType.PRIVATE_THREAD
    assert thread["member"]["user_id"] == str(emulator.world.bot.id)
    assert thread["thread_metadata"]["archive_timestamp"] > "2025"
