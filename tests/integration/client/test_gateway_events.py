"""What the gateway tells, at the emulator."""

import asyncio
from typing import Any

import pytest

from junkie_cli.client.live_events import (
    AccessChanged,
    ChannelGone,
    ChannelSeen,
    GuildAvailable,
    GuildGone,
    GuildSeen,
    MessagesDeleted,
    MessageSeen,
    Phase,
    SessionBegan,
    Skipped,
)
from junkie_cli.client.payload import payload_from_message
from junkie_cli.emulator.control import Control
from junkie_cli.emulator.permissions import Right
from junkie_cli.models import Access, FoundChannel
from tests.integration.client.conftest import Scenes
from tests.integration.client.hearing import Heard, hearing


def guild_of(control: Control) -> int:
    return next(iter(control.world.guilds))


def access_changed(heard: Heard) -> set[int | None]:
    return {event.channel_id for event in heard.of(AccessChanged)}


# what is told


async def test_a_session_begins_with_every_guild_whole(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        guild_id = guild_of(scene.control)
        began, available = heard.events
        assert began == SessionBegan(0, (guild_id,))
        assert isinstance(available, GuildAvailable)
        listed = await scene.discord.with_threads(await scene.discord.listing(available.guild))
        assert (available.guild, available.roles) == (listed.guild, listed.roles)
        told = {found.channel.channel_id: found for found in available.channels}
        active = {found.channel.channel_id: found for found in listed.channels if found.channel.archived_at is None}
        assert told == active
        (state,) = heard.gateway.state
        assert heard.gateway.is_ready
        assert (state.shard_id, state.phase) == (0, Phase.READY)
        assert state.event_age is not None


async def test_silence_counts_from_the_last_word_of_a_session(scenes: Scenes) -> None:
    """An attempt to connect is no word: what is told only after RESUMED is not heard yet."""
    async with scenes() as scene, hearing(scene) as heard:

        def silence() -> float:
            (state,) = heard.gateway.state
            assert state.silence is not None
            return state.silence

        async def until_heard() -> None:
            while silence() >= 1_000:
                await asyncio.sleep(0.01)

        await scene.time.sleep(1_000)
        assert silence() >= 1_000
        scene.control.request_heartbeats()
        await until_heard()
        scene.control.gateway_down()
        refused = scene.control.sessions().refused
        await scene.time.sleep(1_000)
        await scene.control.until(lambda sessions: sessions.refused >= refused + 2)
        assert silence() >= 1_000
        scene.control.gateway_up()
        await heard.resumed()
        await until_heard()


async def test_messages(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        control, general, guild_id = scene.control, scene.channel, guild_of(scene.control)
        author = next(user for user in control.world.guilds[guild_id].members if user != scene.discord.me.user_id)
        control.set_nick(guild_id, author, "Captain")
        old = control.ids(general)[0]
        heard.forget()
        posted = control.post(general, "hello", author_id=author)
        control.edit(general, posted, "hello!")
        control.edit(general, old, "long ago")
        control.edit(general, old, fields={"embeds": [{"type": "link"}]}, stamped=False, told=["embeds"])
        control.delete(general, posted)
        control.bulk_delete(general, control.ids(general)[:3])
        await heard.many(MessagesDeleted, 2)

        first, second, third, patch = heard.of(MessageSeen)
        assert first.created
        assert first.nick_known
        assert (first.guild_id, first.partial) == (guild_id, None)
        message = first.parsed.message
        assert (message.channel_id, message.message_id, message.author_name) == (general, posted, "Captain")
        assert [user.user_id for user in first.parsed.users] == [author]
        assert (second.created, second.partial, second.parsed.message.content) == (False, None, "hello!")
        assert (third.parsed.message.message_id, third.parsed.message.content) == (old, "long ago")
        assert (patch.created, patch.nick_known, patch.parsed.message.message_id) == (False, False, old)
        assert patch.partial is not None
        assert patch.partial["embeds"] == [{"type": "link"}]
        assert not patch.partial.keys() & {"content", "type", "author"}
        one, several = heard.of(MessagesDeleted)
        assert (one.channel_id, one.guild_id, one.message_ids) == (general, guild_id, (posted,))
        assert len(several.message_ids) == 3
        assert len(heard.events) == 6


async def test_live_and_fetched_rows_are_the_same(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        control, general = scene.control, scene.channel
        for kind in [message for message in control.world.channel(general).messages if message.fields][:45]:
            control.post(general, kind.content, fields=kind.fields)
        await heard.messages(45)
        truth = {int(message["id"]): message for message in control.truth(general)}
        for seen in heard.of(MessageSeen):
            live, fetched = payload_from_message(seen.parsed.message), truth[seen.parsed.message.message_id]
            assert live.keys() - {"referenced_message"} <= fetched.keys()
            assert (live["content"], live["type"]) == (fetched["content"], fetched["type"])


async def test_direct_messages(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        control = scene.control
        person = next(
            user for user in control.world.guilds[guild_of(control)].members if user != scene.discord.me.user_id
        )
        direct = control.world.open_dm(person)
        control.post(direct.id, "psst")
        (seen,) = await heard.many(MessageSeen)
        assert (seen.guild_id, seen.parsed.message.channel_id, seen.parsed.message.content) == (None, direct.id, "psst")
        assert not heard.of(AccessChanged)


async def test_what_only_one_person_sees_is_not_told(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        scene.control.post(scene.channel, "only you can see this", fields={"flags": 64})
        posted = scene.control.post(scene.channel, "all can see this")
        assert await heard.messages(1) == [posted]


async def test_channels_and_threads(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        control, guild_id = scene.control, guild_of(scene.control)
        channel = control.add_channel(guild_id, "new")
        thread = control.add_thread(channel.id, "talk")
        control.change_channel(channel.id, name="newer")
        control.archive(thread.id)
        control.post(thread.id, "awake")
        control.delete_channel(thread.id)
        other = control.add_thread(channel.id, "other")
        control.delete_channel(channel.id)
        await heard.until(lambda heard: channel.id in {gone.channel_id for gone in heard.of(ChannelGone)})
        seen = [(event.found.channel.name, event.new) for event in heard.of(ChannelSeen)]
        assert seen == [
            ("new", True),
            ("talk", True),
            ("newer", False),
            ("talk", False),
            ("talk", False),
            ("other", True),
        ]
        assert [event.found.channel.archived_at is None for event in heard.of(ChannelSeen)][3:5] == [False, True]
        assert all(event.found.access.readable for event in heard.of(ChannelSeen))
        assert all(event.found.channel.guild_id == guild_id for event in heard.of(ChannelSeen))
        await heard.until(lambda heard: other.id in {gone.channel_id for gone in heard.of(ChannelGone)})
        assert not heard.of(AccessChanged)
        assert not heard.of(Skipped)


async def test_names_of_guilds_and_roles(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        control, guild_id = scene.control, guild_of(scene.control)
        control.rename_guild(guild_id, "Anew")
        role = control.add_role(guild_id, "Judges")
        control.rename_role(guild_id, role.id, "Jury")
        control.delete_role(guild_id, role.id)
        renamed, added, changed = await heard.many(GuildSeen, 3)
        assert renamed.guild.name == changed.guild.name == "Anew"
        assert [role.name for role in (*added.roles, *changed.roles)] == ["Judges", "Jury"]
        assert not heard.of(AccessChanged)


async def test_guilds_come_and_go(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        control, guild_id = scene.control, guild_of(scene.control)
        heard.forget()
        control.unavailable(guild_id)
        control.post(scene.channel, "missed")
        control.available(guild_id)
        control.post(scene.channel, "heard")
        control.remove_bot(guild_id)
        control.add_bot(guild_id)
        await heard.many(GuildAvailable, 2)
        gone, available, message, left, _back = heard.events
        assert gone == GuildGone(0, guild_id, unavailable=True)
        assert isinstance(available, GuildAvailable)
        assert isinstance(message, MessageSeen)
        assert message.parsed.message.content == "heard"
        assert left == GuildGone(0, guild_id, unavailable=False)


# what the bot may read


async def test_overwrites_touch_their_channel_and_its_threads(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        control = scene.control
        channel = control.add_channel(guild_of(control), "new")
        thread = control.add_thread(channel.id, "talk")
        control.revoke(channel.id, Right.READ_MESSAGE_HISTORY)
        control.set_overwrite(channel.id, scene.discord.me.user_id + 1, deny=Right.VIEW_CHANNEL)
        control.post(channel.id, "on")
        await heard.messages(1)
        assert [event.channel_id for event in heard.of(AccessChanged)] == [channel.id, thread.id]
        assert {event.access.reason for event in heard.of(AccessChanged) if event.access} == {
            "lacks Read Message History"
        }
        heard.forget()
        control.revoke(channel.id, Right.VIEW_CHANNEL)
        control.post(channel.id, "unheard")
        control.grant(channel.id, Right.VIEW_CHANNEL, Right.READ_MESSAGE_HISTORY)
        posted = control.post(channel.id, "heard")
        assert await heard.messages(1) == [posted]
        assert access_changed(heard) == {channel.id, thread.id}
        last = heard.of(AccessChanged)[-1]
        assert last.access is not None
        assert last.access.readable
        seen: list[FoundChannel] = [event.found for event in heard.of(ChannelSeen)]
        assert [found.access.readable for found in seen if found.channel.channel_id == channel.id] == [False, True]
        assert thread.id in {found.channel.channel_id for found in seen}


async def test_roles_and_the_bot_itself_touch_what_they_change(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        control, guild_id, me = scene.control, guild_of(scene.control), scene.discord.me.user_id
        closed = control.add_channel(guild_id, "closed")
        thread = control.add_thread(closed.id, "talk")
        control.set_overwrite(closed.id, guild_id, deny=Right.VIEW_CHANNEL)
        role = control.add_role(guild_id, "Judges")
        await heard.many(GuildSeen)
        heard.forget()

        control.set_role(guild_id, role.id, Right.ADMINISTRATOR)
        await heard.many(GuildSeen)
        assert not heard.of(AccessChanged), "a role that the bot does not have"
        control.set_member_roles(guild_id, me, [role.id])
        control.set_role(guild_id, role.id, 0)
        control.set_overwrite(closed.id, role.id, allow=Right.VIEW_CHANNEL)
        control.delete_role(guild_id, role.id)
        control.post(scene.channel, "last")
        await heard.messages(1)
        touched = [event.channel_id for event in heard.of(AccessChanged)]
        assert touched.count(closed.id) >= 4
        assert thread.id in touched
        assert scene.channel not in touched


async def test_private_threads_joined_and_left(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        control = scene.control
        private = control.add_thread(scene.channel, "private", private=True)
        public = control.add_thread(scene.channel, "public")
        control.post(private.id, "unheard")
        control.join_thread(private.id)
        control.join_thread(public.id)
        control.post(private.id, "heard")
        control.leave_thread(private.id)
        control.post(private.id, "unheard")
        control.join_thread(private.id)
        control.post(private.id, "heard again")
        control.leave_thread(public.id)
        await heard.until(
            lambda heard: "heard again" in [seen.parsed.message.content for seen in heard.of(MessageSeen)]
        )
        told = [
            event.parsed.message.content if isinstance(event, MessageSeen) else event.access
            for event in heard.events
            if (isinstance(event, MessageSeen) and event.parsed.message.channel_id == private.id)
            or isinstance(event, AccessChanged)
        ]
        out = Access(readable=False, reason="is not in this private thread, and lacks Manage Threads")
        assert told == [Access(readable=True), "heard", out, Access(readable=True), "heard again"]
        assert access_changed(heard) == {private.id}
        seen = [event.found for event in heard.of(ChannelSeen) if event.found.channel.channel_id == private.id]
        assert [found.access.readable for found in seen] == [True, True]


async def test_hidden_channels_are_no_channels(scenes: Scenes) -> None:
    async with scenes() as scene:
        control = scene.control
        control.obfuscate()
        staff = control.named("staff")
        async with hearing(scene) as heard:
            (available,) = heard.of(GuildAvailable)
            assert staff not in {found.channel.channel_id for found in available.channels}
            control.change_channel(staff, topic="hush")
            control.grant(staff, Right.VIEW_CHANNEL, Right.READ_MESSAGE_HISTORY)
            (seen,) = await heard.many(ChannelSeen)
            assert (seen.found.channel.name, seen.found.access.readable, seen.new) == ("staff", True, False)
            assert staff in access_changed(heard)
            control.revoke(staff, Right.VIEW_CHANNEL)
            await heard.until(lambda heard: heard.of(AccessChanged)[-1].access.readable is False)  # type: ignore[union-attr]
            assert len(heard.of(ChannelSeen)) == 1


# what can't be understood


NONSENSE: dict[str, tuple[str, Any]] = {
    "no object": ("MESSAGE_CREATE", []),
    "no channel": ("MESSAGE_CREATE", {"id": "1", "content": "x"}),
    "no message": ("MESSAGE_DELETE", {"channel_id": "5"}),
    "no ids": ("MESSAGE_DELETE_BULK", {"channel_id": "5", "ids": None}),
    "an update of nothing": ("MESSAGE_UPDATE", {"channel_id": "5", "id": {}}),
    "a guild without id": ("GUILD_CREATE", {"name": "x"}),
    "a channel of no guild that is known": ("CHANNEL_UPDATE", {"id": "5", "guild_id": "6", "type": 0}),
    "a role of nothing": ("GUILD_ROLE_UPDATE", {"role": None}),
    "a member without user": ("GUILD_MEMBER_UPDATE", {}),
    "a thread without id": ("THREAD_CREATE", {"guild_id": "6"}),
    "an unknown event": ("SOMETHING_NEW", {"channel_id": "5", "guild_id": "6"}),
    "an unknown event without data": ("SOMETHING_NEW", None),
}


@pytest.mark.parametrize("what", NONSENSE)
async def test_nonsense_is_skipped_and_ends_nothing(scenes: Scenes, what: str) -> None:
    name, data = NONSENSE[what]
    async with scenes(world="1x5") as scene, hearing(scene) as heard:
        heard.forget()
        scene.control.send_raw(name, data, guild_id=guild_of(scene.control))
        (channel_id,) = scene.control.world.channels
        posted = scene.control.post(channel_id, "alive")
        assert await heard.messages(1) == [posted]
        skipped, _ = heard.events
        assert isinstance(skipped, Skipped)
        assert skipped.event_name == name
        assert skipped.unknown_event == (name == "SOMETHING_NEW")
        assert skipped.channel_id == (5 if isinstance(data, dict) and "5" in data.values() else None)
        assert scene.control.sessions().connections == 1


async def test_what_brings_nothing_is_no_event(scenes: Scenes) -> None:
    async with scenes(world="1x5") as scene, hearing(scene) as heard:
        guild_id = guild_of(scene.control)
        (channel_id,) = scene.control.world.channels
        heard.forget()
        scene.control.send_raw("TYPING_START", {"channel_id": str(channel_id)}, guild_id=guild_id)
        scene.control.send_raw("CHANNEL_PINS_UPDATE", {"channel_id": str(channel_id)}, guild_id=guild_id)
        scene.control.post(channel_id, "alive")
        await heard.messages(1)
        assert len(heard.events) == 1


async def test_some_ids_of_many_make_sense(scenes: Scenes) -> None:
    async with scenes(world="1x5") as scene, hearing(scene) as heard:
        (channel_id,) = scene.control.world.channels
        gone = {"channel_id": str(channel_id), "guild_id": str(guild_of(scene.control)), "ids": ["1", None, "2"]}
        scene.control.send_raw("MESSAGE_DELETE_BULK", gone, guild_id=guild_of(scene.control))
        await heard.many(Skipped)
        assert [event.message_ids for event in heard.of(MessagesDeleted)] == [(1, 2)]


async def test_a_channel_that_was_never_introduced(scenes: Scenes) -> None:
    async with scenes() as scene, hearing(scene) as heard:
        guild_id = guild_of(scene.control)
        stray = {"channel_id": "777", "guild_id": str(guild_id), "content": "who am I?"}
        for message_id in ("1", "2"):
            scene.control.send_raw("MESSAGE_CREATE", stray | {"id": message_id}, guild_id=guild_id)
        await heard.messages(2)
        assert access_changed(heard) == {777}
        assert len(heard.of(AccessChanged)) == 1
        heard.forget()
        scene.control.revoke(scene.channel, Right.VIEW_CHANNEL)
        await heard.until(lambda heard: 777 in access_changed(heard))
