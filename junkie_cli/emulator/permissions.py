"""Who may see what: Discord's permission arithmetic (docs, "Permissions", "Permission Overwrites").

Rights are plain integers. Threads have no overwrites of their own: they inherit their parent's.
"""

from typing import Final

from junkie_cli.emulator.entities import Channel, ChannelType, Guild


class Right:
    """The bits that the emulator knows by name."""

    MANAGE_CHANNELS: Final = 1 << 4
    ADMINISTRATOR: Final = 1 << 3
    VIEW_CHANNEL: Final = 1 << 10
    SEND_MESSAGES: Final = 1 << 11
    MANAGE_MESSAGES: Final = 1 << 13
    ATTACH_FILES: Final = 1 << 15
    READ_MESSAGE_HISTORY: Final = 1 << 16
    CONNECT: Final = 1 << 20
    MANAGE_ROLES: Final = 1 << 28
    MANAGE_THREADS: Final = 1 << 34

    ALL: Final = (1 << 53) - 1
    EVERYONE: Final = VIEW_CHANNEL | SEND_MESSAGES | ATTACH_FILES | READ_MESSAGE_HISTORY | CONNECT

    @classmethod
    def named(cls, name: str) -> int:
        """Return the bit called that, in any case. Raises ValueError for a name that is none."""
        bits = {bit: value for bit, value in vars(cls).items() if isinstance(value, int)}
        if name.upper() not in bits:
            raise ValueError(f"'{name}' is no right that the emulator knows")
        return bits[name.upper()]


def in_guild(guild: Guild, user_id: int) -> int:
    """Return the rights that owner, administrator and roles give, before any overwrite."""
    if user_id == guild.owner_id:
        return Right.ALL
    rights = guild.roles[guild.id].permissions
    for role_id in guild.members[user_id].roles:
        rights |= guild.roles[role_id].permissions
    return Right.ALL if rights & Right.ADMINISTRATOR else rights


def in_channel(channel: Channel, user_id: int) -> int:
    """Return a member's rights in a channel or thread; 0 without View Channel, which all others depend on."""
    guild = channel.guild
    if guild is None:
        return Right.ALL if any(user.id == user_id for user in channel.recipients) else 0
    if user_id not in guild.members:
        return 0
    rights = in_guild(guild, user_id)
    if rights == Right.ALL:
        return rights
    place = channel.parent if channel.is_thread and channel.parent is not None else channel
    overwrites = place.overwrites
    if (everyone := overwrites.get(guild.id)) is not None:
        rights = rights & ~everyone.deny | everyone.allow
    allow = deny = 0
    for role_id in guild.members[user_id].roles:
        if (overwrite := overwrites.get(role_id)) is not None:
            allow |= overwrite.allow
            deny |= overwrite.deny
    rights = rights & ~deny | allow
    if (own := overwrites.get(user_id)) is not None:
        rights = rights & ~own.deny | own.allow
    return rights if rights & Right.VIEW_CHANNEL else 0


def may_view(channel: Channel, user_id: int) -> bool:
    """Tell whether the channel exists for a member: View Channel; in a private thread membership or Manage Threads too."""
    rights = in_channel(channel, user_id)
    if channel.type == ChannelType.PRIVATE_THREAD and channel.thread is not None:
        return bool(rights) and (user_id in channel.thread.members or bool(rights & Right.MANAGE_THREADS))
    return bool(rights)


def is_shown(channel: Channel, user_id: int) -> bool:
    """Tell whether a member sees it in the list: what they may view, and categories of such (docs, "Obfuscated Channels")."""
    if channel.type != ChannelType.CATEGORY or channel.guild is None:
        return may_view(channel, user_id)
    inside = [of for of in channel.guild.channels.values() if of.parent is channel]
    return may_view(channel, user_id) or any(may_view(of, user_id) for of in inside)


def may_open(channel: Channel, user_id: int) -> bool:
    """Tell whether its messages may be asked for; voice and stage text also need Connect."""
    if channel.type in ChannelType.SPOKEN and not in_channel(channel, user_id) & Right.CONNECT:
        return False
    return may_view(channel, user_id)


def may_read(channel: Channel, user_id: int) -> bool:
    """Tell whether a page of messages comes with its messages, not empty."""
    return may_open(channel, user_id) and bool(in_channel(channel, user_id) & Right.READ_MESSAGE_HISTORY)
