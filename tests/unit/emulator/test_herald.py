"""What the gateway says of each change."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from junkie_cli.emulator.dispatch import Dispatch
from junkie_cli.emulator.entities import Channel, ChannelType, Guild, User
from junkie_cli.emulator.herald import Herald
from junkie_cli.emulator.intents import Intent, refusal
from junkie_cli.emulator.pages import Press
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.world import World

Json = dict[str, Any]


class Said:
    """All that a herald says of a world."""

    dispatches: list[Dispatch]

    def __init__(self, world: World) -> None:
        self.dispatches = []
        herald = Herald(world, Press(world))
        world.listeners.append(lambda event: self.dispatches.extend(herald.tell(event, blank=True)))

    def take(self) -> list[tuple[str, Json]]:
        """Return name and data of what was said since the last time."""
        found = [(dispatch.name, json.loads(dispatch.data)) for dispatch in self.dispatches]
        self.dispatches.clear()
        return found

    def names(self) -> list[str]:
        return [name for name, _ in self.take()]


@pytest.fixture
def world() -> World:
    world = World(seed=1)
    guild = world.add_guild("Test")
    world.add_channel(guild.id, "general")
    return world


@pytest.fixture
def guild(world: World) -> Guild:
    return next(iter(world.guilds.values()))


@pytest.fixture
def channel(world: World) -> Channel:
    return next(iter(world.channels.values()))


@pytest.fixture
def ann(world: World, guild: Guild) -> User:
    ann = world.add_user("ann", "Ann")
    world.add_member(guild.id, ann.id)
    return ann


@pytest.fixture
def said(world: World, ann: User) -> Said:
    assert world.user(ann.id) is ann
    return Said(world)


# messages


def test_a_message_tells_guild_and_member(world: World, channel: Channel, guild: Guild, ann: User, said: Said) -> None:
    mention = {"mentions": [{"id": str(ann.id), "username": "ann"}, {"id": "7", "username": "gone"}]}
    posted = world.post(channel.id, "one", author_id=ann.id)
    world.set_nick(guild.id, ann.id, "Annie")
    world.edit(channel.id, posted, "uno", fields=mention)
    (_, one), _, (name, uno) = said.take()
    assert (one["content"], one["guild_id"], one["member"]["nick"]) == ("one", str(guild.id), None)
    assert "user" not in one["member"]
    assert (name, uno["content"], uno["member"]["nick"]) == ("MESSAGE_UPDATE", "uno", "Annie")
    assert [mentioned.get("member", {}).get("nick") for mentioned in uno["mentions"]] == ["Annie", None]
    world.remove_member(guild.id, ann.id)
    world.post(channel.id, "two", author_id=ann.id)
    assert "member" not in said.take()[-1][1]


def test_an_update_can_tell_less(world: World, channel: Channel, said: Said) -> None:
    posted = world.post(channel.id, "one")
    said.take()
    world.edit(channel.id, posted, fields={"embeds": [{"type": "link"}]}, stamped=False, told=["embeds"])
    ((_, update),) = said.take()
    assert update == {
        "id": str(posted),
        "embeds": [{"type": "link"}],
        "channel_id": str(channel.id),
        "guild_id": str(update["guild_id"]),
    }


def test_deletions_and_reactions(world: World, channel: Channel, guild: Guild, said: Said) -> None:
    one, two, three = (world.post(channel.id, text) for text in ("one", "two", "three"))
    world.react(channel.id, one, "🔥")
    world.delete(channel.id, one)
    world.bulk_delete(channel.id, [two, three])
    intents = [dispatch.intents for dispatch in said.dispatches]
    reaction, deleted, bulk = said.take()[3:]
    place = {"channel_id": str(channel.id), "guild_id": str(guild.id)}
    assert (reaction[0], reaction[1]["emoji"]["name"], reaction[1]["message_id"]) == (
        "MESSAGE_REACTION_ADD",
        "🔥",
        str(one),
    )
    assert reaction[1]["member"]["user"]["id"] == reaction[1]["user_id"]
    assert deleted == ("MESSAGE_DELETE", {"id": str(one)} | place)
    assert bulk == ("MESSAGE_DELETE_BULK", {"ids": [str(two), str(three)]} | place)
    assert intents[3:] == [Intent.GUILD_MESSAGE_REACTIONS, Intent.GUILD_MESSAGES, Intent.GUILD_MESSAGES]


def test_direct_messages(world: World, ann: User, said: Said) -> None:
    dm = world.open_dm(ann.id)
    posted = world.post(dm.id, "psst")
    world.react(dm.id, posted, "👀")
    world.delete(dm.id, posted)
    assert {dispatch.guild_id for dispatch in said.dispatches} == {None}
    assert [dispatch.intents for dispatch in said.dispatches] == [
        Intent.DIRECT_MESSAGES,
        Intent.DIRECT_MESSAGE_REACTIONS,
        Intent.DIRECT_MESSAGES,
    ]
    assert all("guild_id" not in data and "member" not in data for _, data in said.take())


def test_nothing_is_said_of_messages_out_of_sight(world: World, guild: Guild, channel: Channel, said: Said) -> None:
    lounge = world.add_channel(guild.id, "Lounge", ChannelType.VOICE)
    thread = world.add_thread(channel.id, "hidden", private=True)
    world.revoke(lounge.id, Right.CONNECT)
    said.take()
    world.post(lounge.id, "unheard")
    world.post(thread.id, "unheard")
    world.revoke(channel.id, Right.READ_MESSAGE_HISTORY)
    said.take()
    world.post(channel.id, "heard without a right to history")
    world.revoke(channel.id, Right.VIEW_CHANNEL)
    world.post(channel.id, "unheard")
    assert said.names() == ["MESSAGE_CREATE", "CHANNEL_UPDATE"]


# channels and threads


def test_channels_are_told_of_whether_the_bot_may_view_them_or_not(world: World, guild: Guild, said: Said) -> None:
    channel = world.add_channel(guild.id, "secret")
    world.revoke(channel.id, Right.VIEW_CHANNEL)
    world.change_channel(channel.id, name="more secret")
    world.delete_channel(channel.id)
    told = said.take()
    assert [(name, data["name"]) for name, data in told] == [
        ("CHANNEL_CREATE", "secret"),
        ("CHANNEL_UPDATE", "secret"),
        ("CHANNEL_UPDATE", "more secret"),
        ("CHANNEL_DELETE", "more secret"),
    ]
    assert all(data["guild_id"] == str(guild.id) for _, data in told)


def test_threads(world: World, channel: Channel, guild: Guild, said: Said) -> None:
    thread = world.add_thread(channel.id, "talk", joined=True)
    world.change_channel(thread.id, name="chat")
    world.archive(thread.id)
    world.unarchive(thread.id)
    world.delete_channel(thread.id)
    told = said.take()
    assert [name for name, _ in told] == [
        "THREAD_CREATE",
        "MESSAGE_CREATE",
        "THREAD_UPDATE",
        "THREAD_UPDATE",
        "THREAD_UPDATE",
        "THREAD_MEMBER_UPDATE",
        "THREAD_DELETE",
    ]
    assert told[0][1]["newly_created"]
    assert told[0][1]["member"]["user_id"] == str(world.bot.id)
    assert [data["thread_metadata"]["archived"] for _, data in told[2:5]] == [False, True, False]
    assert (told[5][1]["id"], told[5][1]["guild_id"]) == (str(thread.id), str(guild.id))
    ids = {"id": str(thread.id), "guild_id": str(guild.id), "parent_id": str(channel.id)}
    assert told[6][1] == ids | {"type": ChannelType.PUBLIC_THREAD}


def test_talking_in_an_archived_thread_unarchives_it_first(world: World, channel: Channel, said: Said) -> None:
    thread = world.add_thread(channel.id, "talk")
    world.archive(thread.id)
    said.take()
    world.post(thread.id, "one more thing")
    assert said.names() == ["THREAD_UPDATE", "MESSAGE_CREATE"]


def test_private_threads_are_told_of_to_their_members(world: World, channel: Channel, ann: User, said: Said) -> None:
    thread = world.add_thread(channel.id, "private", private=True)
    world.change_channel(thread.id, name="unseen")
    world.join_thread(thread.id, ann.id)
    world.post(thread.id, "unheard")
    assert said.names() == []
    world.join_thread(thread.id)
    world.post(thread.id, "heard")
    (create, thread_data), (joined, members), (posted, _) = said.take()
    assert (create, joined, posted) == ("THREAD_CREATE", "THREAD_MEMBERS_UPDATE", "MESSAGE_CREATE")
    assert "newly_created" not in thread_data
    assert thread_data["member"]["user_id"] == str(world.bot.id)
    assert [added["user_id"] for added in members["added_members"]] == [str(world.bot.id)]
    assert members["added_members"][0]["member"]["user"]["id"] == str(world.bot.id)
    world.leave_thread(thread.id)
    world.delete_channel(thread.id)
    ((left, members),) = said.take()
    assert (left, members["removed_member_ids"]) == ("THREAD_MEMBERS_UPDATE", [str(world.bot.id)])


def test_others_in_threads_are_told_of_to_those_who_asked_for_members(
    world: World, channel: Channel, ann: User, said: Said
) -> None:
    thread = world.add_thread(channel.id, "talk")
    said.take()
    world.join_thread(thread.id, ann.id)
    world.leave_thread(thread.id, ann.id)
    assert [dispatch.intents for dispatch in said.dispatches] == [Intent.GUILD_MEMBERS] * 2
    assert said.names() == ["THREAD_MEMBERS_UPDATE"] * 2


def by_overwrite(world: World, channel: Channel) -> None:
    world.grant(channel.id, Right.VIEW_CHANNEL)


def by_role(world: World, channel: Channel) -> None:
    guild = channel.guild
    assert guild is not None
    world.set_overwrite(channel.id, world.bot.id)
    world.set_role(guild.id, guild.id, Right.EVERYONE)


def by_own_roles(world: World, channel: Channel) -> None:
    assert channel.guild is not None
    role = world.add_role(channel.guild.id, "Admin", Right.ADMINISTRATOR)
    world.set_member_roles(channel.guild.id, world.bot.id, [role.id])


@pytest.mark.parametrize("gain", [by_overwrite, by_role, by_own_roles])
@pytest.mark.parametrize("obfuscated", [False, True])
def test_access_that_is_gained_brings_the_threads(
    world: World, channel: Channel, said: Said, gain: Callable[[World, Channel], None], *, obfuscated: bool
) -> None:
    world.obfuscate(on=obfuscated)
    assert channel.guild is not None
    if gain is by_role:
        world.set_role(channel.guild.id, channel.guild.id, 0)
    else:
        world.revoke(channel.id, Right.VIEW_CHANNEL)
    thread, archived = world.add_thread(channel.id, "open", joined=True), world.add_thread(channel.id, "old")
    private = world.add_thread(channel.id, "private", private=True)
    world.archive(archived.id)
    said.take()
    gain(world, channel)
    told = said.take()
    assert told[-1][0] == "THREAD_LIST_SYNC"
    sync = told[-1][1]
    assert sync["channel_ids"] == [str(channel.id)]
    expected = {thread.id, private.id} if gain is by_own_roles else {thread.id}
    assert {int(listed["id"]) for listed in sync["threads"]} == expected
    assert [member["id"] for member in sync["members"]] == [str(thread.id)]
    # A change of the channel's own overwrites tells of it in any case, others only where it was hidden.
    own: dict[Callable[[World, Channel], None], list[str]] = {
        by_overwrite: ["general"],
        by_role: ["___hidden___" if obfuscated else "general"],
        by_own_roles: [],
    }
    shown = ["general"] if obfuscated and gain is not by_overwrite else []
    assert [data["name"] for name, data in told if name == "CHANNEL_UPDATE"] == own[gain] + shown


def test_hidden_channels_say_where_they_are_and_no_more(world: World, guild: Guild, said: Said) -> None:
    category = world.add_channel(guild.id, "Staff", ChannelType.CATEGORY)
    forum = world.add_channel(guild.id, "ideas", ChannelType.FORUM, parent_id=category.id, topic="hush")
    lounge = world.add_channel(guild.id, "Lounge", ChannelType.VOICE, parent_id=category.id)
    forum.tags = {1: "secret"}
    for one in (category, forum):
        world.revoke(one.id, Right.VIEW_CHANNEL)
    world.obfuscate()
    said.take()
    world.change_channel(category.id, name="Staff only")
    world.change_channel(forum.id, name="plans")
    assert [data["name"] for _, data in said.take()] == ["Staff only", "___hidden___"]
    world.revoke(lounge.id, Right.VIEW_CHANNEL)
    world.change_channel(forum.id, name="plans")
    world.change_channel(category.id, name="nobody's")
    told = [data for _, data in said.take()]
    assert [data["name"] for data in told] == ["___hidden___"] * 3
    assert told[1]["available_tags"] == []
    assert (told[1]["topic"], told[1]["parent_id"], told[1]["flags"]) == (None, str(category.id), 1 << 17)
    (denied,) = told[1]["permission_overwrites"]
    assert (denied["id"], int(denied["deny"])) == (str(guild.id), Right.VIEW_CHANNEL)


# guilds, roles, members


def test_guilds_come_and_go(world: World, said: Said) -> None:
    guild = world.add_guild("New")
    world.rename_guild(guild.id, "Newer")
    world.remove_bot(guild.id)
    world.rename_guild(guild.id, "Unheard")
    world.add_channel(guild.id, "unheard")
    world.add_bot(guild.id)
    (create, new), (update, renamed), (delete, gone), (again, back) = said.take()
    assert (create, update, delete, again) == ("GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "GUILD_CREATE")
    assert "unavailable" not in new
    assert (new["member_count"], renamed["name"], gone) == (2, "Newer", {"id": str(guild.id)})
    assert [channel["name"] for channel in back["channels"]] == ["unheard"]
    assert "guild_id" not in back["channels"][0]


def test_roles(world: World, guild: Guild, channel: Channel, said: Said) -> None:
    role = world.add_role(guild.id, "Judges")
    world.rename_role(guild.id, role.id, "Jury")
    world.set_role(guild.id, role.id, Right.MANAGE_THREADS)
    world.set_overwrite(channel.id, role.id, deny=Right.VIEW_CHANNEL)
    world.set_member_roles(guild.id, world.bot.id, [role.id])
    world.delete_role(guild.id, role.id)
    told = said.take()
    assert [name for name, _ in told] == [
        "GUILD_ROLE_CREATE",
        "GUILD_ROLE_UPDATE",
        "GUILD_ROLE_UPDATE",
        "CHANNEL_UPDATE",
        "GUILD_MEMBER_UPDATE",
        "GUILD_ROLE_DELETE",
        "THREAD_LIST_SYNC",  # the role had hidden the channel
    ]
    assert [data["role"]["name"] for _, data in told[:3]] == ["Judges", "Jury", "Jury"]
    assert told[5][1] == {"guild_id": str(guild.id), "role_id": str(role.id)}
    assert guild.members[world.bot.id].roles == []
    with pytest.raises(ValueError, match="everyone"):
        world.delete_role(guild.id, guild.id)


def test_members(world: World, guild: Guild, ann: User, said: Said) -> None:
    bob = world.add_user("bob")
    world.add_member(guild.id, bob.id, nick="Bobby")
    world.rename_user(ann.id, "Anna")
    world.remove_member(guild.id, bob.id)
    world.set_nick(guild.id, world.bot.id, "Scribe")
    assert [dispatch.intents for dispatch in said.dispatches] == [Intent.GUILD_MEMBERS] * 3 + [0]
    added, renamed, removed, own = said.take()
    assert (added[0], added[1]["nick"], added[1]["guild_id"]) == ("GUILD_MEMBER_ADD", "Bobby", str(guild.id))
    assert (renamed[0], renamed[1]["user"]["global_name"]) == ("GUILD_MEMBER_UPDATE", "Anna")
    assert (removed[0], removed[1]["user"]["id"]) == ("GUILD_MEMBER_REMOVE", str(bob.id))
    assert (own[0], own[1]["nick"]) == ("GUILD_MEMBER_UPDATE", "Scribe")
    for nobody in (bob.id, world.bot.id):
        with pytest.raises(LookupError):
            world.remove_member(guild.id, nobody)


@pytest.mark.parametrize(
    ("intents", "flags", "code"),
    [
        (Intent.GUILDS, 0, None),
        (Intent.MESSAGE_CONTENT, 1 << 18, None),
        (Intent.MESSAGE_CONTENT, 1 << 19, None),
        (Intent.MESSAGE_CONTENT, 1 << 15, 4014),
        (Intent.GUILD_MEMBERS, 1 << 15, None),
        (Intent.GUILD_MEMBERS, 1 << 18, 4014),
        (Intent.GUILD_PRESENCES, 1 << 12, None),
        (1 << 17, 0, 4013),
        (True, 0, 4013),
        ("1", 0, 4013),
        (None, 0, 4013),
    ],
)
def test_which_intents_are_refused(intents: object, flags: int, code: int | None) -> None:
    assert refusal(intents, flags) == code
