"""What the bot may do in a channel, computed as Discord does (docs, "Permissions", "Permission Overwrites"). Pure.

Asked of Discord's own objects as they come; what of them makes no sense counts as absent, and so grants nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from junkie_cli.client.payload import read_id, read_time
from junkie_cli.models import Access, ChannelType

ADMINISTRATOR: Final = 1 << 3
VIEW_CHANNEL: Final = 1 << 10
READ_MESSAGE_HISTORY: Final = 1 << 16
CONNECT: Final = 1 << 20
MANAGE_THREADS: Final = 1 << 34
EVERYTHING: Final = (1 << 64) - 1

_NAMES: Final = {VIEW_CHANNEL: "View Channel", READ_MESSAGE_HISTORY: "Read Message History", CONNECT: "Connect"}
_LEFT_IN_TIMEOUT: Final = VIEW_CHANNEL | READ_MESSAGE_HISTORY
_NEED_CONNECT: Final = (ChannelType.VOICE, ChannelType.STAGE)


@dataclass(frozen=True, slots=True)
class Standing:
    """The bot in a guild. `roles` are the rights of its roles by id, @everyone's (the guild's id) among them."""

    guild_id: int
    member_id: int
    owner: bool
    roles: Mapping[int, int]
    timed_out: bool = False


def standing(guild: Mapping[str, Any], member: Mapping[str, Any], member_id: int, now: datetime) -> Standing:
    """Read a guild object and the bot's member object; `now` decides whether a time-out is over."""
    guild_id = read_id(guild.get("id")) or 0
    held = {guild_id, *(read_id(role) for role in _list(member.get("roles")))}
    roles = {
        role_id: _bits(role.get("permissions"))
        for role in _list(guild.get("roles"))
        if isinstance(role, dict) and (role_id := read_id(role.get("id"))) is not None and role_id in held
    }
    until = read_time(member.get("communication_disabled_until"))
    return Standing(
        guild_id,
        member_id,
        owner=read_id(guild.get("owner_id")) == member_id,
        roles=roles,
        timed_out=until is not None and until > now,
    )


def permissions(bot: Standing, channel: Mapping[str, Any]) -> int:
    """Return the bits that the bot has in a channel that is no thread; 0 if it can't view it."""
    granted = 0
    for bits in bot.roles.values():
        granted |= bits
    if bot.owner or granted & ADMINISTRATOR:
        return EVERYTHING
    granted = _overwritten(granted, bot, channel)
    if bot.timed_out:
        granted &= _LEFT_IN_TIMEOUT
    return granted if granted & VIEW_CHANNEL else 0


def access(
    bot: Standing, channel: Mapping[str, Any], *, parent: Mapping[str, Any] | None = None, joined: bool = False
) -> Access:
    """Say whether the bot may read the channel's messages, and if not, which right it lacks.

    A thread has its `parent`'s rights; a private one is for those who `joined` it or may manage threads.
    """
    place = channel if parent is None else parent
    granted = permissions(bot, place)
    if not granted & VIEW_CHANNEL:
        return Access(readable=False, reason=f"lacks {_NAMES[VIEW_CHANNEL]}")
    needed = [READ_MESSAGE_HISTORY, CONNECT] if place.get("type") in _NEED_CONNECT else [READ_MESSAGE_HISTORY]
    if missing := [_NAMES[right] for right in needed if not granted & right]:
        return Access(readable=False, reason=f"lacks {' and '.join(missing)}")
    if channel.get("type") == ChannelType.PRIVATE_THREAD and not joined and not granted & MANAGE_THREADS:
        return Access(readable=False, reason="is not in this private thread, and lacks Manage Threads")
    return Access(readable=True)


def _overwritten(granted: int, bot: Standing, channel: Mapping[str, Any]) -> int:
    """Apply @everyone's overwrite, then those of all roles at once, then the bot's own."""
    everyone = (0, 0)
    own = (0, 0)
    denied = allowed = 0
    for overwrite in _list(channel.get("permission_overwrites")):
        if not isinstance(overwrite, dict):
            continue
        target, deny, allow = read_id(overwrite.get("id")), _bits(overwrite.get("deny")), _bits(overwrite.get("allow"))
        if overwrite.get("type") == 1:
            if target == bot.member_id:
                own = (deny, allow)
        elif target == bot.guild_id:
            everyone = (deny, allow)
        elif target in bot.roles:
            denied |= deny
            allowed |= allow
    for deny, allow in (everyone, (denied, allowed), own):
        granted = granted & ~deny | allow
    return granted


def _bits(value: object) -> int:
    """Read a permission set, which Discord sends as a decimal string."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= 30:
        return int(value)
    return 0


def _list(value: object) -> list[Any]:
    return value if type(value) is list else []
