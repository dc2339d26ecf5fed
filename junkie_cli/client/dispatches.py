"""The gateway's dispatches, raw, to live events. Pure: no socket, no clock but the one that is given.

Invariant: `read` never raises, and never passes over in silence what may have been about a message. What makes no sense
becomes Skipped; a dispatch that can't concern an archive, such as somebody typing, becomes nothing.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from junkie_cli.client.guild_view import GuildView
from junkie_cli.client.live_events import (
    AccessChanged,
    ChannelGone,
    ChannelSeen,
    GuildAvailable,
    GuildGone,
    GuildSeen,
    LiveEvent,
    MessagesDeleted,
    MessageSeen,
    SessionBegan,
    SessionResumed,
    Skipped,
)
from junkie_cli.client.payload import parse_message, read_id
from junkie_cli.client.places import channel_from_payload, guild_from_payload, roles_from_payload
from junkie_cli.models import FoundChannel

log = logging.getLogger(__name__)

WHOLE: Final = frozenset(
    {
        *("id", "channel_id", "author", "content", "timestamp", "edited_timestamp", "tts", "mention_everyone"),
        *("mentions", "mention_roles", "attachments", "embeds", "pinned", "type"),
    }
)
"""What every message object has (docs, "Message Structure": the fields without a question mark)."""

_EPHEMERAL: Final = 1 << 6
"""Shown to one user of a command and to nobody else: no page of the channel has it."""

_MOST_UNKNOWN: Final = 100

_Payload = Mapping[str, Any]
_Events = Sequence[LiveEvent]


class _Wrong(ValueError):
    """A payload lacks what it can't be understood without. The text says what, in few words."""


class Dispatches:
    """Reads what one shard is told, in order. `me` is the bot's id, `of_no_interest` names events that bring nothing."""

    def __init__(
        self,
        shard_id: int,
        me: int,
        *,
        of_no_interest: Iterable[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._shard_id = shard_id
        self._me = me
        self._now = now
        self._guilds: dict[int, GuildView] = {}
        self._unknown: set[str] = set()
        self._readers: dict[str, Callable[[_Payload], _Events]] = dict.fromkeys(of_no_interest, lambda _: ())
        self._readers |= {
            "READY": self._ready,
            "RESUMED": lambda _: (SessionResumed(shard_id),),
            "MESSAGE_CREATE": self._message_create,
            "MESSAGE_UPDATE": self._message_update,
            "MESSAGE_DELETE": self._message_delete,
            "MESSAGE_DELETE_BULK": self._message_delete_bulk,
            "GUILD_CREATE": self._guild_create,
            "GUILD_UPDATE": self._guild_update,
            "GUILD_DELETE": self._guild_delete,
            "GUILD_ROLE_CREATE": self._role,
            "GUILD_ROLE_UPDATE": self._role,
            "GUILD_ROLE_DELETE": self._role_delete,
            "GUILD_MEMBER_UPDATE": self._member_update,
            "CHANNEL_CREATE": self._channel_create,
            "CHANNEL_UPDATE": self._channel_update,
            "CHANNEL_DELETE": self._channel_delete,
            "THREAD_CREATE": self._thread_create,
            "THREAD_UPDATE": self._thread_update,
            "THREAD_DELETE": self._channel_delete,
            "THREAD_LIST_SYNC": self._thread_list_sync,
            "THREAD_MEMBER_UPDATE": self._thread_member_update,
            "THREAD_MEMBERS_UPDATE": self._thread_members_update,
        }

    def read(self, name: object, data: object) -> _Events:
        """Return what a dispatch of that name tells, in order."""
        reader = self._readers.get(name) if type(name) is str else None
        if reader is None:
            return (self._unheard_of(str(name)[:_MOST_UNKNOWN], data),)
        if type(data) is not dict and name not in {"READY", "RESUMED"}:
            return (self.skipped(str(name), "its data is no object"),)
        try:
            return reader(data if type(data) is dict else {})
        except ValueError as error:
            return (self.skipped(str(name), str(error), data),)
        except Exception as error:  # noqa: BLE001  # whatever else a payload breaks, the next one must not suffer
            return (self.skipped(str(name), f"can't be read ({type(error).__name__})", data),)

    def skipped(self, name: str, reason: str, data: object = None) -> Skipped:
        """Return, and log, that a payload was not understood."""
        channel_id = guild_id = None
        if isinstance(data, dict):
            channel_id = read_id(data.get("id" if name.startswith(("CHANNEL_", "THREAD_")) else "channel_id"))
            guild_id = read_id(data.get("id" if name in {"GUILD_CREATE", "GUILD_DELETE"} else "guild_id"))
        log.debug("shard %d: skipped %s of channel %s: %s", self._shard_id, name, channel_id or "?", reason)
        return Skipped(self._shard_id, channel_id, name, reason, guild_id)

    def _unheard_of(self, name: str, data: object) -> Skipped:
        if name not in self._unknown and len(self._unknown) < _MOST_UNKNOWN:
            self._unknown.add(name)
            log.info("shard %d: Discord sends %s events, which are not known here", self._shard_id, name)
        channel_id, guild_id = (
            (read_id(data.get("channel_id")), read_id(data.get("guild_id"))) if isinstance(data, dict) else (None, None)
        )
        return Skipped(self._shard_id, channel_id, name, "an unknown event", guild_id, unknown_event=True)

    # sessions and messages

    def _ready(self, data: _Payload) -> _Events:
        self._guilds.clear()
        ids = (read_id(guild.get("id")) for guild in _objects(data.get("guilds")))
        return (SessionBegan(self._shard_id, tuple(guild_id for guild_id in ids if guild_id is not None)),)

    def _message_create(self, data: _Payload) -> _Events:
        return self._message(data, created=True)

    def _message_update(self, data: _Payload) -> _Events:
        return self._message(data, created=False)

    def _message(self, data: _Payload, *, created: bool) -> _Events:
        flags = data.get("flags")
        if type(flags) is int and flags & _EPHEMERAL:
            return ()
        channel_id, guild_id = _channel_id(data), _guild_id(data)
        partial = None if created or data.keys() >= WHOLE else data
        parsed = parse_message(data, channel_id, live=True)
        nick_known = type(data.get("member")) is dict
        seen = MessageSeen(self._shard_id, guild_id, parsed, partial, created, nick_known)
        return (*self._introduced(guild_id, channel_id), seen)

    def _message_delete(self, data: _Payload) -> _Events:
        channel_id, guild_id = _channel_id(data), _guild_id(data)
        if (message_id := read_id(data.get("id"))) is None:
            raise _Wrong("names no message")
        return (
            *self._introduced(guild_id, channel_id),
            MessagesDeleted(self._shard_id, guild_id, channel_id, (message_id,)),
        )

    def _message_delete_bulk(self, data: _Payload) -> _Events:
        channel_id, guild_id = _channel_id(data), _guild_id(data)
        named = data.get("ids")
        ids = [read_id(value) for value in named] if isinstance(named, list) else [None]
        good = tuple(message_id for message_id in ids if message_id is not None)
        found: list[LiveEvent] = [*self._introduced(guild_id, channel_id)]
        if good:
            found.append(MessagesDeleted(self._shard_id, guild_id, channel_id, good))
        if len(good) < len(ids):
            found.append(self.skipped("MESSAGE_DELETE_BULK", "names a message without an id", data))
        return found

    def _introduced(self, guild_id: int | None, channel_id: int) -> _Events:
        """Return, of a channel that was never introduced, that whatever was known of it may not hold any more."""
        if guild_id is None:
            return ()
        view = self._guilds.get(guild_id)
        if view is not None and (channel_id in view or not view.note_stray(channel_id)):
            return ()
        return (AccessChanged(self._shard_id, guild_id, channel_id),)

    # guilds, roles, members

    def _guild_create(self, data: _Payload) -> _Events:
        guild = guild_from_payload(data)
        if guild is None:
            raise _Wrong("names no guild")
        if data.get("unavailable") is True:
            self._guilds.pop(guild.guild_id, None)
            return (GuildGone(self._shard_id, guild.guild_id, unavailable=True),)
        view = self._guilds[guild.guild_id] = GuildView(data, guild, self._me, self._now)
        channels = view.note_all(_objects(data.get("channels")))
        threads = view.note_all(_objects(data.get("threads")))
        return (GuildAvailable(self._shard_id, guild, roles_from_payload(data), channels + threads),)

    def _guild_update(self, data: _Payload) -> _Events:
        view = self._view(read_id(data.get("id")))
        touched = view.changed(lambda: view.set_guild(data))
        return (*self._access_changed(view, touched), GuildSeen(self._shard_id, view.guild, roles_from_payload(data)))

    def _guild_delete(self, data: _Payload) -> _Events:
        if (guild_id := read_id(data.get("id"))) is None:
            raise _Wrong("names no guild")
        self._guilds.pop(guild_id, None)
        return (GuildGone(self._shard_id, guild_id, unavailable=data.get("unavailable") is True),)

    def _role(self, data: _Payload) -> _Events:
        view = self._view(_guild_id(data))
        role = data.get("role")
        named = roles_from_payload({"id": view.guild.guild_id, "roles": [role]})
        if not isinstance(role, dict) or not named:
            raise _Wrong("names no role")
        touched = view.changed(lambda: view.set_role(role))
        return (*self._access_changed(view, touched), GuildSeen(self._shard_id, view.guild, named))

    def _role_delete(self, data: _Payload) -> _Events:
        view = self._view(_guild_id(data))
        if (role_id := read_id(data.get("role_id"))) is None:
            raise _Wrong("names no role")
        return self._access_changed(view, view.changed(lambda: view.remove_role(role_id)))

    def _member_update(self, data: _Payload) -> _Events:
        user = data.get("user")
        if not isinstance(user, dict) or (user_id := read_id(user.get("id"))) is None:
            raise _Wrong("names no user")
        if user_id != self._me:
            return ()
        view = self._view(_guild_id(data))
        return self._access_changed(view, view.changed(lambda: view.set_member(data)))

    # channels and threads

    def _channel_create(self, data: _Payload) -> _Events:
        return self._channel(data, created=True)

    def _channel_update(self, data: _Payload) -> _Events:
        return self._channel(data, created=False)

    def _channel(self, data: _Payload, *, created: bool) -> _Events:
        channel_id, guild_id = _own_id(data), _guild_id(data)
        if guild_id is None:
            direct = channel_from_payload(data)
            return self._seen(None if direct is None else FoundChannel(direct), new=False)
        view = self._view(guild_id)
        if channel_id in view:
            found: list[FoundChannel | None] = []
            touched = view.changed(lambda: found.append(view.note(data)), within=channel_id)
            return (*self._access_changed(view, touched), *self._seen(*found, new=False))
        # Its messages were heard before it was introduced, and what it was like then nobody knows.
        touched = (channel_id,) if view.is_stray(channel_id) else ()
        shown = view.note(data)
        return (*self._access_changed(view, touched), *self._seen(shown, new=created))

    def _channel_delete(self, data: _Payload) -> _Events:
        channel_id, guild_id = _own_id(data), _guild_id(data)
        view = None if guild_id is None else self._guilds.get(guild_id)
        gone = (channel_id,) if view is None else view.remove(channel_id)
        return tuple(ChannelGone(self._shard_id, each, guild_id) for each in gone)

    def _thread_create(self, data: _Payload) -> _Events:
        """Tell of a new thread, or of one to which the bot was added."""
        thread_id, view = _own_id(data), self._view(_guild_id(data))
        new = data.get("newly_created") is True
        strange = thread_id not in view
        shown = view.note(data)
        # What was said in it before is unheard.
        touched = not new and (strange or view.is_private(thread_id))
        return (*self._access_changed(view, (thread_id,) if touched else ()), *self._seen(shown, new=new))

    def _thread_update(self, data: _Payload) -> _Events:
        return self._seen(self._view(_guild_id(data)).note(data), new=False)

    def _thread_list_sync(self, data: _Payload) -> _Events:
        """Tell of the threads of channels that the bot can see now and perhaps could not before."""
        view = self._view(_guild_id(data))
        parents = data.get("channel_ids")
        joined = {read_id(member.get("id")) for member in _objects(data.get("members"))}
        threads = [
            thread | ({"member": {}} if read_id(thread.get("id")) in joined else {})
            for thread in _objects(data.get("threads"))
        ]
        shown = view.note_all(threads)
        events: list[LiveEvent] = []
        if isinstance(parents, list):
            ids = dict.fromkeys(
                each for parent in map(read_id, parents) if parent for each in view.with_threads(parent)
            )
            events += self._access_changed(view, ids)
        else:
            events.append(AccessChanged(self._shard_id, view.guild.guild_id, None))
        return (*events, *(ChannelSeen(self._shard_id, found, new=False) for found in shown))

    def _thread_member_update(self, data: _Payload) -> _Events:
        """Tell that the bot is in a thread."""
        thread_id, view = _own_id(data), self._view(_guild_id(data))
        return self._access_changed(view, (thread_id,) if view.join(thread_id) else ())

    def _thread_members_update(self, data: _Payload) -> _Events:
        thread_id, view = _own_id(data), self._view(_guild_id(data))
        removed = data.get("removed_member_ids")
        touched = False
        if isinstance(removed, list) and self._me in map(read_id, removed):
            touched = view.leave(thread_id)
        if self._me in (read_id(member.get("user_id")) for member in _objects(data.get("added_members"))):
            touched = view.join(thread_id) or touched
        return self._access_changed(view, (thread_id,) if touched else ())

    def _seen(self, found: FoundChannel | None, *, new: bool) -> _Events:
        return () if found is None else (ChannelSeen(self._shard_id, found, new),)

    def _access_changed(self, view: GuildView, touched: Iterable[int]) -> _Events:
        guild_id = view.guild.guild_id
        return tuple(AccessChanged(self._shard_id, guild_id, each, view.access(each)) for each in touched)

    def _view(self, guild_id: int | None) -> GuildView:
        view = None if guild_id is None else self._guilds.get(guild_id)
        if view is None:
            raise _Wrong("is about a guild that was not introduced")
        return view


def _channel_id(data: _Payload) -> int:
    if (channel_id := read_id(data.get("channel_id"))) is None:
        raise _Wrong("names no channel")
    return channel_id


def _own_id(data: _Payload) -> int:
    if (channel_id := read_id(data.get("id"))) is None:
        raise _Wrong("names no channel")
    return channel_id


def _guild_id(data: _Payload) -> int | None:
    """Return the guild that a payload names, None for a direct channel's, which names none."""
    if data.get("guild_id") is None:
        return None
    if (guild_id := read_id(data["guild_id"])) is None:
        raise _Wrong("names no guild")
    return guild_id


def _objects(value: object) -> list[dict[str, Any]]:
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []
