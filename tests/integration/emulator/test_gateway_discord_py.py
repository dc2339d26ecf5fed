"""The unmodified discord.py at the emulator's gateway."""

from collections.abc import AsyncIterator, Callable

import discord
import pytest

from junkie_cli.emulator.entities import ChannelType
from junkie_cli.emulator.gateway import GatewayRules
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.server import Emulator, running
from tests.integration.emulator.listener import Ear, ShardedListener, listener, listening, point_at


@pytest.fixture
async def emulator(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Emulator]:
    async with running(generate(1, "tiny"), limits=Limits.off()) as emulator:
        point_at(emulator, monkeypatch)
        yield emulator


@pytest.fixture
async def ear(emulator: Emulator) -> AsyncIterator[Ear]:
    async with listening(emulator, listener()) as ear:
        yield ear


def complete(ear: Ear) -> bool:
    """Tell whether each event was heard once, in order."""
    numbers = [payload["s"] for payload in ear.events()]
    return numbers == list(range(1, len(numbers) + 1))


async def test_what_discord_py_knows_when_it_is_ready(emulator: Emulator) -> None:
    client = listener()
    async with listening(emulator, client):
        (guild,) = client.guilds
        assert guild.name == "Pixel & Pine"
        assert guild.member_count == 10
        assert {channel.name for channel in guild.channels} >= {"general", "staff", "help", "Lounge"}
        assert {thread.name for thread in guild.threads} == {
            "Crash on start",
            "Where are the saves?",
            "Sunrise over the lake",
            "Save format",
            "Release plan",
        }
        assert [thread.name for thread in guild.threads if thread.me is not None] == ["Release plan"]
        assert guild.me.id == client.user.id
        staff = emulator.control.named("staff")
        assert not guild.get_channel(staff).permissions_for(guild.me).view_channel
        assert client.application_flags.gateway_message_content


async def test_messages_come_alive(emulator: Emulator, ear: Ear) -> None:
    control = emulator.control
    general, dev = control.named("general"), control.named("dev")
    (guild_id,) = emulator.world.guilds
    author = next(user for user in emulator.world.guilds[guild_id].members if user != emulator.world.bot.id)
    control.set_nick(guild_id, author, "Captain")
    old = control.ids(general)[0]
    posted = control.post(general, "hello", author_id=author)
    reply = control.post(general, "hi", reply_to=posted, author_id=author)
    control.edit(general, posted, "hello!")
    control.edit(general, old, "long ago")
    control.delete(general, reply)
    control.delete(dev, control.ids(dev)[0])
    control.bulk_delete(dev, control.ids(dev)[:3])
    await ear.until(lambda ear: ear.of("bulk_delete"))

    first, second = ear.of("message")
    assert (first.id, first.content, first.author.display_name) == (posted, "hello", "Captain")
    assert (second.reference.message_id, second.reference.resolved.content) == (posted, "hello")
    assert [(edit.message_id, edit.data["content"]) for edit in ear.of("edit")] == [
        (posted, "hello!"),
        (old, "long ago"),
    ]
    assert [(gone.channel_id, gone.cached_message) for gone in ear.of("delete")] == [(general, None), (dev, None)]
    assert len(ear.of("bulk_delete")[0].message_ids) == 3
    assert complete(ear)


async def test_live_and_fetched_messages_are_the_same(emulator: Emulator, ear: Ear) -> None:
    general = emulator.control.named("general")
    kinds = [message for message in emulator.world.channel(general).messages[:45] if message.fields]
    ids = [emulator.control.post(general, kind.content, fields=kind.fields) for kind in kinds]
    await ear.until(lambda ear: len(ear.events("MESSAGE_CREATE")) == len(ids))
    truth = {message["id"]: message for message in emulator.control.truth(general)}
    signed = "/attachments/"
    for event in ear.events("MESSAGE_CREATE"):
        live = event["d"]
        assert live["guild_id"] == str(next(iter(emulator.world.guilds)))
        for mention in live["mentions"]:
            mention.pop("member", None)
        for name in ("guild_id", "member"):
            live.pop(name, None)
        if signed not in str(live):
            assert live == truth[live["id"]]


async def test_the_bot_hears_nothing_of_what_it_may_not_view(emulator: Emulator, ear: Ear) -> None:
    control = emulator.control
    staff, secret, lounge = control.named("staff"), control.named("Secret santa"), control.named("Lounge")
    control.post(staff, "hidden")
    control.delete(staff, control.ids(staff)[0])
    control.post(secret, "hidden too")
    control.revoke(lounge, Right.CONNECT)
    control.post(lounge, "not connected")
    control.post(control.named("write-only"), "no history is needed to listen")
    await ear.until(lambda ear: ear.of("message"))
    assert [event["t"] for event in ear.events()][2:] == ["CHANNEL_UPDATE", "MESSAGE_CREATE"]


INTERRUPTIONS: dict[str, Callable[[Emulator], object]] = {
    "close 1000": lambda emulator: emulator.control.disconnect(1000, forget=False),
    "close 4000": lambda emulator: emulator.control.disconnect(4000),
    "close 4009": lambda emulator: emulator.control.disconnect(4009, forget=False),
    "abort": lambda emulator: emulator.control.disconnect(abort=True),
    "op 7": lambda emulator: emulator.control.reconnect(),
    "op 9 true": lambda emulator: emulator.control.invalidate(resumable=True),
}


@pytest.mark.parametrize("how", INTERRUPTIONS)
async def test_no_event_is_lost_or_doubled_by_an_interruption(emulator: Emulator, ear: Ear, how: str) -> None:
    general = emulator.control.named("general")
    posted = []
    for turn in range(3):
        posted += [emulator.control.post(general, "before") for _ in range(5)]
        INTERRUPTIONS[how](emulator)
        posted += [emulator.control.post(general, "after") for _ in range(5)]
        await ear.taken_up(times=turn + 1, messages=len(posted))
    assert [message.id for message in ear.of("message")] == posted
    assert complete(ear)
    counts = emulator.control.sessions()
    assert (counts.identifies, counts.resumes) == (1, 3)


@pytest.mark.parametrize("how", ["op 9 false", "close 4009", "session forgotten"])
async def test_a_session_that_is_gone_begins_anew(emulator: Emulator, ear: Ear, how: str) -> None:
    general = emulator.control.named("general")
    if how == "op 9 false":
        emulator.control.invalidate()
    elif how == "close 4009":
        emulator.control.disconnect(4009)
    else:
        emulator.control.forget_sessions()
        emulator.control.disconnect()
    emulator.control.post(general, "missed for ever")
    await ear.until(lambda ear: len(ear.of("ready")) == 2)
    emulator.control.post(general, "heard")
    await ear.until(lambda ear: ear.of("message"))
    assert [message.content for message in ear.of("message")] == ["heard"]
    assert [event["s"] for event in ear.events("READY")] == [1, 1]
    assert emulator.control.sessions().identifies == 2
    assert not ear.of("resumed")


@pytest.mark.parametrize("code", [4004, 4010, 4011, 4012, 4013])
async def test_close_codes_that_end_the_client(emulator: Emulator, code: int) -> None:
    with pytest.RaisesGroup(discord.ConnectionClosed) as ended:
        async with listening(emulator, listener()) as ear:
            emulator.control.disconnect(code)
            await ear.until(lambda _: False)
    (closed,) = ended.value.exceptions
    assert isinstance(closed, discord.ConnectionClosed)
    assert closed.code == code


async def test_an_intent_that_is_not_allowed_ends_the_client(emulator: Emulator) -> None:
    emulator.control.set_intents(content=False)
    async with listener() as client:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await client.start(emulator.token)


async def test_an_update_without_type_ends_the_client(emulator: Emulator) -> None:
    general = emulator.control.named("general")
    with pytest.RaisesGroup(KeyError):
        async with listening(emulator, listener()) as ear:
            emulator.control.edit(
                general, emulator.control.ids(general)[0], fields={"embeds": []}, stamped=False, told=["embeds"]
            )
            await ear.until(lambda _: False)


async def test_without_acks_the_client_takes_the_connection_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = GatewayRules(heartbeat_ms=20)
    async with running(generate(1, "1x5"), limits=Limits.off(), gateway=rules) as emulator:
        point_at(emulator, monkeypatch)
        (channel_id,) = emulator.world.channels
        async with listening(emulator, listener(heartbeat_timeout=0.2)) as ear:
            beaten = emulator.control.sessions().heartbeats
            await emulator.control.until(lambda counts: counts.heartbeats > beaten)
            before = emulator.control.sessions().resumes
            emulator.control.withhold_acks()
            await emulator.control.until(lambda counts: counts.resumes > before)
            emulator.control.give_acks()
            emulator.control.post(channel_id, "alive")
            await ear.until(lambda ear: ear.of("message"))
            assert complete(ear)
            assert emulator.control.sessions().identifies == 1


async def test_shards(emulator: Emulator) -> None:
    control, world = emulator.control, emulator.world
    for n in range(6):
        guild = control.add_guild(f"guild {n}", owner_id=world.bot.id)
        control.add_channel(guild.id, f"channel {n}")
    control.set_session_starts(shards=2)
    client = listener(ShardedListener)
    async with listening(emulator, client) as ear:
        assert client.shard_count == 2
        assert {guild.id for guild in client.guilds} == set(world.guilds)
        channels = [channel.id for channel in world.channels.values() if channel.name.startswith("channel ")]
        posted = {control.post(channel_id, "hello") for channel_id in channels}
        control.disconnect(4000, shard=1)
        posted |= {control.post(channel_id, "again") for channel_id in channels}
        await ear.taken_up(times=1, messages=len(posted))
        assert {message.id for message in ear.of("message")} == posted
        assert len(ear.of("message")) == len(posted)
        assert all(message.guild.shard_id == (message.guild.id >> 22) % 2 for message in ear.of("message"))
    counts = control.sessions()
    assert (counts.identifies, counts.resumes) == (2, 1)


async def test_channels_threads_and_members_come_and_go(emulator: Emulator) -> None:
    control, world = emulator.control, emulator.world
    (guild_id,) = world.guilds
    client = listener()
    async with listening(emulator, client) as ear:
        guild = client.get_guild(guild_id)
        channel = control.add_channel(guild_id, "new")
        thread = control.add_thread(channel.id, "talk", joined=True)
        control.change_channel(channel.id, name="newer")
        private = control.add_thread(channel.id, "private", private=True)
        await ear.until(lambda ear: ear.events("CHANNEL_UPDATE"))
        assert guild.get_channel(channel.id).name == "newer"
        assert guild.get_thread(thread.id).me is not None
        assert guild.get_thread(private.id) is None

        control.join_thread(private.id)
        control.archive(thread.id)
        await ear.until(lambda ear: ear.events("THREAD_UPDATE"))
        assert guild.get_thread(private.id).me is not None
        assert guild.get_thread(thread.id) is None
        control.post(thread.id, "awake")
        await ear.until(lambda ear: ear.events("THREAD_MEMBER_UPDATE"))
        assert guild.get_thread(thread.id).me is not None

        control.revoke(channel.id, Right.VIEW_CHANNEL)
        control.post(channel.id, "unheard")
        control.grant(channel.id, Right.VIEW_CHANNEL)
        await ear.until(lambda ear: ear.events("THREAD_LIST_SYNC"))
        assert ear.events("THREAD_LIST_SYNC")[0]["d"]["channel_ids"] == [str(channel.id)]
        assert {thread.id for thread in guild.get_channel(channel.id).threads} == {thread.id, private.id}

        role = control.add_role(guild_id, "Judges")
        control.set_member_roles(guild_id, world.bot.id, [role.id])
        await ear.until(lambda ear: ear.events("GUILD_MEMBER_UPDATE"))
        assert [role.name for role in guild.me.roles] == ["@everyone", "Judges"]
        control.delete_role(guild_id, role.id)
        control.delete_channel(channel.id)
        control.unavailable(guild_id)
        await ear.until(lambda ear: ear.events("GUILD_DELETE"))
        assert guild.get_channel(channel.id) is None
        assert guild.get_role(role.id) is None
        assert guild.unavailable
        control.available(guild_id)
        await ear.until(lambda ear: len(ear.events("GUILD_CREATE")) == 2)
        assert not guild.unavailable
        control.remove_bot(guild_id)
        await ear.until(lambda ear: len(ear.events("GUILD_DELETE")) == 2)
        assert not client.guilds
        control.add_bot(guild_id)
        await ear.until(lambda ear: len(ear.events("GUILD_CREATE")) == 3)
        assert [guild.id for guild in client.guilds] == [guild_id]
        assert complete(ear)


async def test_hidden_channels(emulator: Emulator) -> None:
    control = emulator.control
    control.obfuscate()
    (guild_id,) = emulator.world.guilds
    staff = control.named("staff")
    client = listener()
    async with listening(emulator, client) as ear:
        guild = client.get_guild(guild_id)
        assert guild.get_channel(staff).name == "___hidden___"
        assert guild.get_channel(control.named("Community")).name == "Community"
        listed = {channel["name"] for channel in await client.http.get_all_guild_channels(guild_id)}
        assert "general" in listed
        assert not listed & {"staff", "___hidden___"}
        control.change_channel(staff, topic="hush")
        control.grant(staff, Right.VIEW_CHANNEL)
        await ear.until(lambda ear: ear.events("THREAD_LIST_SYNC"))
        hidden, shown = ear.events("CHANNEL_UPDATE")
        assert (hidden["d"]["name"], hidden["d"]["topic"], hidden["d"]["flags"]) == ("___hidden___", None, 1 << 17)
        assert (shown["d"]["name"], shown["d"]["topic"], shown["d"]["flags"]) == ("staff", "hush", 0)
        assert guild.get_channel(staff).type.value == ChannelType.TEXT
