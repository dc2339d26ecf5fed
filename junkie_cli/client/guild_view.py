"""What the gateway last said of one guild, as far as it decides what the bot may read there.

Invariant: `changed` names every channel and thread of which the bot may have missed something because of a change. One
that was never introduced (a stray) counts as touched by every change. That holds as long as no event of the guild is lost.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from junkie_cli.client.payload import read_id
from junkie_cli.client.permissions import (
    CONNECT,
    MANAGE_THREADS,
    READ_MESSAGE_HISTORY,
    VIEW_CHANNEL,
    Standing,
    access,
    permissions,
    standing,
)
from junkie_cli.client.places import channel_from_payload, guild_from_payload
from junkie_cli.models import Access, ChannelType, FoundChannel, Guild

_OBFUSCATED: Final = 1 << 17
"""A channel of which all but id, type, position and parent is made up (docs, "Obfuscated Channels")."""

_TO_READ: Final = VIEW_CHANNEL | READ_MESSAGE_HISTORY
_SPOKEN: Final = frozenset({ChannelType.VOICE, ChannelType.STAGE})

_Payload = Mapping[str, Any]


class GuildView:
    """One guild. Of Discord's objects only what is needed is kept: roles, overwrites, and who a thread belongs to."""

    def __init__(self, payload: _Payload, guild: Guild, me: int, now: Callable[[], datetime]) -> None:
        self.guild = guild
        self._me = me
        self._now = now
        self._owner_id = payload.get("owner_id")
        self._roles = _roles(payload.get("roles"))
        self._member: _Payload = {}
        self._channels: dict[int, _Payload] = {}
        self._threads: dict[int, _Payload] = {}
        self._joined: set[int] = set()
        self._strays: set[int] = set()
        for member in _objects(payload.get("members")):
            if _user_id(member) == me:
                self._member = _standing_of(member)

    def __contains__(self, channel_id: int) -> bool:
        """Tell whether a channel or thread was introduced."""
        return channel_id in self._channels or channel_id in self._threads

    def note_stray(self, channel_id: int) -> bool:
        """Remember a channel that was never introduced; False if it is remembered already."""
        known = channel_id in self._strays
        self._strays.add(channel_id)
        return not known

    def is_stray(self, channel_id: int) -> bool:
        """Tell whether something was heard of a channel that was never introduced."""
        return channel_id in self._strays

    def note(self, payload: _Payload) -> FoundChannel | None:
        """Take in a channel or thread, and return it; None for one that is hidden from the bot.

        Raises ValueError for what is none.
        """
        channel = channel_from_payload(payload, self.guild.guild_id)
        if channel is None:
            raise ValueError("a channel without a usable id")
        channel_id = channel.channel_id
        self._strays.discard(channel_id)
        if channel.is_thread:
            self._threads[channel_id] = {"type": channel.type, "parent_id": channel.parent_id}
            if "member" in payload:
                self._joined.add(channel_id)
        else:
            overwrites = payload.get("permission_overwrites")
            self._channels[channel_id] = {"type": channel.type, "permission_overwrites": overwrites}
        flags = payload.get("flags")
        if type(flags) is int and flags & _OBFUSCATED:
            return None
        return FoundChannel(channel, self.access(channel_id))

    def note_all(self, payloads: Iterable[_Payload]) -> tuple[FoundChannel, ...]:
        """Take in several, of which those without an id don't count."""
        payloads = [payload for payload in payloads if read_id(payload.get("id")) is not None]
        return tuple(found for found in map(self.note, payloads) if found is not None)

    def remove(self, channel_id: int) -> tuple[int, ...]:
        """Forget a channel with its threads, or a thread; return the ids of all that went."""
        gone = self.with_threads(channel_id)
        self._channels.pop(channel_id, None)
        for thread_id in gone:
            self._threads.pop(thread_id, None)
            self._joined.discard(thread_id)
            self._strays.discard(thread_id)
        return gone

    def join(self, thread_id: int) -> bool:
        """Note that the bot is in a thread. Return True if that is new, and may change what it can read."""
        if thread_id in self._joined:
            return False
        self._joined.add(thread_id)
        return self.is_private(thread_id)

    def leave(self, thread_id: int) -> bool:
        """Note that the bot is not in a thread any more. Return True if that may change what it can read."""
        self._joined.discard(thread_id)
        return self.is_private(thread_id)

    def is_private(self, thread_id: int) -> bool:
        """Tell whether a thread is private, or not known."""
        thread = self._threads.get(thread_id)
        return thread is None or thread["type"] == ChannelType.PRIVATE_THREAD

    def with_threads(self, channel_id: int) -> tuple[int, ...]:
        """Return a channel's id and those of its threads."""
        return (channel_id, *self._threads_of(channel_id))

    def access(self, channel_id: int) -> Access:
        """Say what the bot may do in a channel or thread."""
        bot = self._standing()
        if (channel := self._channels.get(channel_id)) is not None:
            return access(bot, channel)
        thread = self._threads.get(channel_id)
        parent = None if thread is None else self._channels.get(thread["parent_id"])
        if thread is None or parent is None:
            return Access(readable=False, reason="is in no channel that is known")
        return access(bot, thread, parent=parent, joined=channel_id in self._joined)

    def changed(self, change: Callable[[], object], within: int | None = None) -> tuple[int, ...]:
        """Apply a change of roles, of the member or of overwrites; return which channels and threads it touches.

        `within` is the only channel that it can touch, with its threads.
        """
        before = self._rights(within)
        change()
        after = self._rights(within)
        touched = [channel_id for channel_id, bits in before.items() if after.get(channel_id, bits) != bits]
        if touched or within is None:
            touched += self._strays
        return tuple(touched)

    def set_guild(self, payload: _Payload) -> None:
        """Take over name, owner and roles."""
        self.guild = guild_from_payload(payload) or self.guild
        self._owner_id = payload.get("owner_id", self._owner_id)
        if isinstance(payload.get("roles"), list):
            self._roles = _roles(payload["roles"])

    def set_role(self, role: _Payload) -> None:
        """Take over one role."""
        self._roles.update(_roles([role]))

    def remove_role(self, role_id: int) -> None:
        """Forget a role."""
        self._roles.pop(role_id, None)

    def set_member(self, member: _Payload) -> None:
        """Take over the bot's own roles and time-out."""
        self._member = _standing_of(member)

    def _threads_of(self, channel_id: int) -> list[int]:
        return [thread_id for thread_id, thread in self._threads.items() if thread["parent_id"] == channel_id]

    def _standing(self) -> Standing:
        guild = {"id": self.guild.guild_id, "owner_id": self._owner_id, "roles": list(self._roles.values())}
        return standing(guild, self._member, self._me, self._now())

    def _rights(self, within: int | None) -> dict[int, int]:
        """Return, per channel and thread, the bits on which it depends whether the bot hears and reads its messages."""
        bot = self._standing()
        channels = self._channels if within is None else {within: self._channels.get(within, {})}
        whole = {channel_id: permissions(bot, channel) for channel_id, channel in channels.items()}
        found = {
            channel_id: whole[channel_id] & (_TO_READ | CONNECT if channel.get("type") in _SPOKEN else _TO_READ)
            for channel_id, channel in channels.items()
        }
        for thread_id, thread in self._threads.items():
            if (bits := found.get(thread["parent_id"])) is None:
                continue
            if thread["type"] == ChannelType.PRIVATE_THREAD and thread_id not in self._joined:
                bits |= whole[thread["parent_id"]] & MANAGE_THREADS
            found[thread_id] = bits
        return found


def _roles(value: object) -> dict[int, _Payload]:
    return {
        role_id: {"id": role_id, "permissions": role.get("permissions")}
        for role in _objects(value)
        if (role_id := read_id(role.get("id"))) is not None
    }


def _standing_of(member: _Payload) -> _Payload:
    return {key: member.get(key) for key in ("roles", "communication_disabled_until")}


def _user_id(member: _Payload) -> int | None:
    user = member.get("user")
    return read_id(user.get("id")) if isinstance(user, dict) else None


def _objects(value: object) -> list[_Payload]:
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []
