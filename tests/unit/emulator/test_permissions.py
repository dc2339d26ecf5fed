import pytest

from junkie_cli.emulator import permissions
from junkie_cli.emulator.entities import ChannelType
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.world import World

READ = Right.VIEW_CHANNEL | Right.READ_MESSAGE_HISTORY


@pytest.fixture
def world() -> World:
    world = World(seed=1)
    guild = world.add_guild("Test")
    world.set_role(guild.id, guild.id, 0)
    world.add_channel(guild.id, "general")
    return world


def bot_rights(world: World) -> int:
    channel = next(iter(world.channels.values()))
    return permissions.in_channel(channel, world.bot.id)


def test_roles_add_up(world: World) -> None:
    guild = next(iter(world.guilds.values()))
    assert bot_rights(world) == 0

    one = world.add_role(guild.id, "sees", Right.VIEW_CHANNEL)
    two = world.add_role(guild.id, "reads", Right.READ_MESSAGE_HISTORY)
    world.set_member_roles(guild.id, world.bot.id, [one.id, two.id])

    assert bot_rights(world) == READ


def test_without_view_channel_nothing_is_left(world: World) -> None:
    guild = next(iter(world.guilds.values()))
    world.set_role(guild.id, guild.id, Right.READ_MESSAGE_HISTORY | Right.CONNECT)
    assert bot_rights(world) == 0


def test_overwrites_go_from_everyone_over_roles_to_the_member(world: World) -> None:
    guild = next(iter(world.guilds.values()))
    channel = next(iter(world.channels.values()))
    world.set_role(guild.id, guild.id, READ)
    role = world.add_role(guild.id, "reader")
    other = world.add_role(guild.id, "barred")
    world.set_member_roles(guild.id, world.bot.id, [role.id, other.id])

    world.set_overwrite(channel.id, guild.id, deny=Right.VIEW_CHANNEL)
    assert bot_rights(world) == 0
    world.set_overwrite(channel.id, role.id, allow=Right.VIEW_CHANNEL)
    world.set_overwrite(channel.id, other.id, deny=Right.VIEW_CHANNEL)
    assert bot_rights(world) == READ  # one role's allow outweighs another's deny
    world.set_overwrite(channel.id, world.bot.id, deny=Right.READ_MESSAGE_HISTORY)
    assert bot_rights(world) == Right.VIEW_CHANNEL


@pytest.mark.parametrize("how", ["administrator", "owner"])
def test_overwrites_do_not_touch_administrators_and_owners(world: World, how: str) -> None:
    guild = next(iter(world.guilds.values()))
    channel = next(iter(world.channels.values()))
    world.set_overwrite(channel.id, guild.id, deny=Right.ALL)
    if how == "owner":
        guild.owner_id = world.bot.id
    else:
        role = world.add_role(guild.id, "admin", Right.ADMINISTRATOR)
        world.set_member_roles(guild.id, world.bot.id, [role.id])
    assert bot_rights(world) == Right.ALL


def test_revoke_and_grant_change_only_what_they_name(world: World) -> None:
    guild = next(iter(world.guilds.values()))
    channel = next(iter(world.channels.values()))
    world.set_role(guild.id, guild.id, READ)
    world.revoke(channel.id, Right.VIEW_CHANNEL, Right.READ_MESSAGE_HISTORY)
    assert bot_rights(world) == 0
    world.grant(channel.id, Right.VIEW_CHANNEL)
    assert bot_rights(world) == Right.VIEW_CHANNEL
    world.grant(channel.id, Right.READ_MESSAGE_HISTORY)
    assert bot_rights(world) == READ


def test_threads_inherit_and_private_ones_want_membership(world: World) -> None:
    guild = next(iter(world.guilds.values()))
    channel = next(iter(world.channels.values()))
    world.set_role(guild.id, guild.id, READ)
    public = world.add_thread(channel.id, "public")
    private = world.add_thread(channel.id, "private", private=True)
    bot = world.bot.id

    assert permissions.may_read(public, bot)
    assert not permissions.may_view(private, bot)
    world.join_thread(private.id)
    assert permissions.may_read(private, bot)
    world.leave_thread(private.id)
    world.grant(channel.id, Right.MANAGE_THREADS)
    assert permissions.may_read(private, bot)
    world.revoke(channel.id, Right.VIEW_CHANNEL)
    assert not permissions.may_view(public, bot)
    with pytest.raises(ValueError, match="inherits"):
        world.revoke(public.id, Right.VIEW_CHANNEL)


def test_voice_text_needs_connect(world: World) -> None:
    guild = next(iter(world.guilds.values()))
    world.set_role(guild.id, guild.id, READ)
    voice = world.add_channel(guild.id, "Lounge", ChannelType.VOICE)
    assert permissions.may_view(voice, world.bot.id)
    assert not permissions.may_open(voice, world.bot.id)
    world.grant(voice.id, Right.CONNECT)
    assert permissions.may_read(voice, world.bot.id)


def test_a_direct_channel_is_its_members_alone(world: World) -> None:
    friend, stranger = world.add_user("friend"), world.add_user("stranger")
    dm = world.open_dm(friend.id)
    assert permissions.may_read(dm, world.bot.id)
    assert not permissions.may_view(dm, stranger.id)


def test_outside_the_guild_nothing_shows(world: World) -> None:
    guild = next(iter(world.guilds.values()))
    world.set_role(guild.id, guild.id, READ)
    world.remove_bot(guild.id)
    assert bot_rights(world) == 0
    world.add_bot(guild.id)
    assert bot_rights(world) == READ


def test_rights_have_names() -> None:
    assert Right.named("view_channel") == Right.VIEW_CHANNEL
    with pytest.raises(ValueError, match="no right"):
        Right.named("named")
