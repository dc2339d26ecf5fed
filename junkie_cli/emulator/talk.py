"""What happens to messages."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from junkie_cli import snowflake
from junkie_cli.emulator.entities import Channel, Message, MessageType, User
from junkie_cli.emulator.state import Event, State, UnknownError, find, place_of

_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Talk(State):
    """A State in which people talk."""

    def append(self, channel: Channel, message: Message) -> None:
        """Put a message in its place, without an event. Threads count it, the channel's last id rises."""
        place = len(channel.messages)
        if place and channel.messages[-1].id >= message.id:
            place = place_of(channel, message.id)
        channel.messages.insert(place, message)
        channel.last_message_id = max(message.id, channel.last_message_id or 0)
        if channel.thread is not None:
            channel.thread.total_sent += 1

    def post(
        self,
        channel_id: int,
        content: str = "",
        *,
        author_id: int | None = None,
        at_ms: int | None = None,
        reply_to: int | None = None,
        hidden: bool = False,
        fields: Mapping[str, Any] | None = None,
    ) -> int:
        """Post a message and return its id, which lies above all others.

        `at_ms` is in ms since 1970; unset, a little after the newest id. `fields` is whatever else the payload has.
        With `hidden` the id is allotted, but the message shows only after `reveal`: ids do not become visible in order.
        """
        channel = self.channel(channel_id)
        if not channel.holds_messages:
            raise ValueError(f"channel {channel_id} holds no messages")
        author = self._someone(channel) if author_id is None else self.user(author_id)
        extra = dict(fields or {})
        if reply_to is not None:
            extra |= {"type": MessageType.REPLY, "message_reference": reference(channel, reply_to)}
        message = Message(self.next_id(at_ms), author, content, extra or None)
        if hidden:
            channel.hidden[message.id] = message
        else:
            self._show(channel, message)
        return message.id

    def reveal(self, channel_id: int, message_id: int) -> None:
        """Let a hidden message show."""
        channel = self.channel(channel_id)
        if (message := channel.hidden.pop(message_id, None)) is None:
            raise UnknownError(f"channel {channel_id} hides no message {message_id}")
        self._show(channel, message)

    def edit(
        self,
        channel_id: int,
        message_id: int,
        content: str | None = None,
        *,
        fields: Mapping[str, Any] | None = None,
        at_ms: int | None = None,
        stamped: bool = True,
        told: Iterable[str] | None = None,
    ) -> None:
        """Change a message. Not `stamped`, its edited_timestamp stays, as when Discord adds an embed.

        `told` are the only keys that the event carries beside the ids: an update that lacks `type` and author has been
        seen. Unset, it carries the whole message.
        """
        message = self.message(channel_id, message_id)
        changed = dict(message.fields or {})
        if stamped:
            edited = at_ms if at_ms is not None else snowflake.to_ms(self.next_id())
            changed["edited_timestamp"] = iso(edited)
        message.fields = changed | dict(fields or {})
        message.content = message.content if content is None else content
        message.own = None
        channel = self.channel(channel_id)
        detail = {} if told is None else {"told": tuple(told)}
        self.emit(Event("MESSAGE_UPDATE", channel.guild, channel, message, detail=detail))

    def delete(self, channel_id: int, message_id: int) -> None:
        """Delete one message, shown or hidden."""
        self._remove(channel_id, message_id)
        channel = self.channel(channel_id)
        self.emit(Event("MESSAGE_DELETE", channel.guild, channel, ids=(message_id,)))

    def bulk_delete(self, channel_id: int, message_ids: Iterable[int]) -> None:
        """Delete several messages in one event."""
        ids = tuple(message_ids)
        for message_id in ids:
            self._remove(channel_id, message_id)
        channel = self.channel(channel_id)
        self.emit(Event("MESSAGE_DELETE_BULK", channel.guild, channel, ids=ids))

    def react(self, channel_id: int, message_id: int, emoji: str, count: int = 1) -> None:
        """Let so many people react with a Unicode emoji; a reaction is no edit. One event tells of the last of them."""
        message = self.message(channel_id, message_id)
        fields = dict(message.fields or {})
        others = [r for r in fields.get("reactions", ()) if r["emoji"]["name"] != emoji]
        fields["reactions"] = [*others, reaction(emoji, count)]
        message.fields, message.own = fields, None
        channel = self.channel(channel_id)
        who = self._someone(channel)
        self.emit(Event("MESSAGE_REACTION_ADD", channel.guild, channel, message, (who.id,), {"emoji": emoji}))

    def _show(self, channel: Channel, message: Message) -> None:
        if channel.thread is not None and channel.thread.archived:
            channel.thread.archived, channel.thread.archived_ms = False, snowflake.to_ms(message.id)
            self.emit(Event("THREAD_UPDATE", channel.guild, channel, detail={"unarchived": True}))
        self.append(channel, message)
        self.emit(Event("MESSAGE_CREATE", channel.guild, channel, message))

    def _remove(self, channel_id: int, message_id: int) -> None:
        channel = self.channel(channel_id)
        if channel.hidden.pop(message_id, None) is not None:
            return
        if find(channel, message_id) is None:
            raise UnknownError(f"channel {channel_id} has no message {message_id}")
        del channel.messages[place_of(channel, message_id)]

    def _someone(self, channel: Channel) -> User:
        if channel.guild is None:
            return next(user for user in channel.recipients if user is not self.bot)
        people = [member.user for member in channel.guild.members.values() if not member.user.bot]
        return self.random.choice(people or [self.bot])


def reference(channel: Channel, message_id: int, kind: int = 0) -> dict[str, Any]:
    """Return a message_reference to a message of that channel; kind 1 is a forward."""
    found: dict[str, Any] = {"type": kind, "channel_id": str(channel.id), "message_id": str(message_id)}
    if channel.guild is not None:
        found["guild_id"] = str(channel.guild.id)
    return found


def reaction(emoji: str, count: int, emoji_id: int | None = None) -> dict[str, Any]:
    """Return one element of a message's reactions."""
    return {
        "emoji": {"id": None if emoji_id is None else str(emoji_id), "name": emoji},
        "count": count,
        "count_details": {"burst": 0, "normal": count},
        "burst_colors": [],
        "me_burst": False,
        "me": False,
    }


def iso(ms: int) -> str:
    """Return ms since 1970 as Discord writes times: microseconds where there are any, UTC as +00:00."""
    return (_UNIX_EPOCH + timedelta(milliseconds=ms)).isoformat()
