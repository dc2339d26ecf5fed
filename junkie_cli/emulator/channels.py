"""What happens to channels and threads."""

from collections.abc import Mapping
from typing import Any, Final

from junkie_cli import snowflake
from junkie_cli.emulator.entities import (
    Channel,
    ChannelType,
    Message,
    MessageType,
    Overwrite,
    Thread,
)
from junkie_cli.emulator.state import Event
from junkie_cli.emulator.talk import Talk, reference

HAS_THREAD: Final = 1 << 5
"""Message flag: a thread was begun from it."""


class Places(Talk):
    """A Talk with channels and threads to talk in."""

    def add_channel(
        self,
        guild_id: int,
        name: str,
        kind: int = ChannelType.TEXT,
        *,
        parent_id: int | None = None,
        topic: str | None = None,
        at_ms: int | None = None,
    ) -> Channel:
        """Create a channel or category of that type."""
        guild = self.guild(guild_id)
        parent = None if parent_id is None else self.channel(parent_id)
        channel_id = self.made_id(at_ms)
        channel = Channel(channel_id, kind, name, guild, parent, len(guild.channels), topic)
        guild.channels[channel_id] = self.channels[channel_id] = channel
        self.emit(Event("CHANNEL_CREATE", guild, channel))
        return channel

    def open_dm(self, user_id: int, *, at_ms: int | None = None) -> Channel:
        """Create the direct channel between the bot and a user."""
        channel_id = self.made_id(at_ms)
        channel = Channel(channel_id, ChannelType.DM, "", recipients=(self.user(user_id), self.bot))
        self.channels[channel_id] = channel
        self.emit(Event("CHANNEL_CREATE", None, channel))
        return channel

    def change_channel(
        self, channel_id: int, *, name: str | None = None, kind: int | None = None, topic: str | None = None
    ) -> None:
        """Rename a channel or thread, change its type, or its topic."""
        channel = self.channel(channel_id)
        channel.name = channel.name if name is None else name
        channel.type = channel.type if kind is None else kind
        channel.topic = channel.topic if topic is None else topic
        self._changed(channel)

    def delete_channel(self, channel_id: int) -> None:
        """Delete a channel, or a thread. No event tells of the threads that go with their channel."""
        channel = self.channel(channel_id)
        for thread_id in channel.threads:
            del self.channels[thread_id]
        del self.channels[channel_id]
        if channel.is_thread and channel.parent is not None:
            del channel.parent.threads[channel_id]
        elif channel.guild is not None:
            del channel.guild.channels[channel_id]
        self.emit(Event("THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE", channel.guild, channel))

    def set_overwrite(self, channel_id: int, target_id: int, *, allow: int = 0, deny: int = 0) -> None:
        """Replace what a channel allows and denies a role or member; neither removes the overwrite."""
        channel = self.channel(channel_id)
        if channel.guild is None or channel.is_thread:
            raise ValueError(f"channel {channel_id} has no overwrites: a thread inherits its parent's")
        for_member = target_id not in channel.guild.roles
        channel.overwrites.pop(target_id, None)
        if allow or deny:
            channel.overwrites[target_id] = Overwrite(allow, deny, for_member)
        self._changed(channel)

    def revoke(self, channel_id: int, *rights: int) -> None:
        """Deny the bot these rights in a channel."""
        self._overwrite_bot(channel_id, deny=sum(set(rights)))

    def grant(self, channel_id: int, *rights: int) -> None:
        """Allow the bot these rights in a channel."""
        self._overwrite_bot(channel_id, allow=sum(set(rights)))

    # threads

    def add_thread(
        self,
        parent_id: int,
        name: str,
        *,
        content: str = "",
        message_id: int | None = None,
        private: bool = False,
        joined: bool = False,
        owner_id: int | None = None,
        at_ms: int | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> Channel:
        """Begin a thread, or in a forum or media channel a post whose first message has `content` and `fields`.

        A thread begun from a message bears that message's id and starts with a type 21; one begun without leaves a
        type 18 in its parent. A post's first message bears the post's id. `at_ms` may lie in the past.
        """
        parent = self.channel(parent_id)
        if parent.type not in ChannelType.THREAD_PARENTS or parent.guild is None:
            raise ValueError(f"channel {parent_id} can have no threads")
        owner = self._someone(parent) if owner_id is None else self.user(owner_id)
        thread_id = message_id or self.made_id(at_ms)
        created_ms = snowflake.to_ms(thread_id if message_id is None else self.made_id(at_ms))
        kind = ChannelType.PRIVATE_THREAD if private else ChannelType.PUBLIC_THREAD
        if parent.type == ChannelType.ANNOUNCEMENT:
            kind = ChannelType.ANNOUNCEMENT_THREAD
        thread = Channel(thread_id, kind, name, parent.guild, parent, thread=Thread(owner.id, created_ms, created_ms))
        assert thread.thread is not None
        thread.thread.members[owner.id] = created_ms
        if joined:
            thread.thread.members[self.bot.id] = created_ms
        self.channels[thread_id] = parent.threads[thread_id] = thread
        self.emit(Event("THREAD_CREATE", parent.guild, thread))
        if parent.type in ChannelType.POSTS:
            parent.last_message_id = max(thread_id, parent.last_message_id or 0)
            self._show(thread, Message(thread_id, owner, content, dict(fields or {}) or None))
        elif message_id is not None:
            self._begin_from(parent, message_id, thread, at_ms)
        elif not private:
            begun = {"type": 0, "channel_id": str(thread_id), "guild_id": str(parent.guild.id)}
            told = {"type": MessageType.THREAD_CREATED, "message_reference": begun}
            self._show(parent, Message(self.made_id(at_ms), owner, name, told))
        return thread

    def archive(self, thread_id: int, *, at_ms: int | None = None, locked: bool = False) -> None:
        """Archive a thread, by default a little after the newest id."""
        self._set_archived(thread_id, archived=True, at_ms=at_ms, locked=locked)

    def unarchive(self, thread_id: int, *, at_ms: int | None = None) -> None:
        """Bring a thread back among the active ones."""
        self._set_archived(thread_id, archived=False, at_ms=at_ms, locked=False)

    def join_thread(self, thread_id: int, user_id: int | None = None) -> None:
        """Let the bot, or another, into a thread."""
        channel, thread = self._thread(thread_id)
        user_id = self.bot.id if user_id is None else user_id
        thread.members[user_id] = snowflake.to_ms(self.next_id())
        self.emit(Event("THREAD_MEMBERS_UPDATE", channel.guild, channel, ids=(user_id,)))

    def leave_thread(self, thread_id: int, user_id: int | None = None) -> None:
        """Take the bot, or another, out of a thread."""
        channel, thread = self._thread(thread_id)
        user_id = self.bot.id if user_id is None else user_id
        thread.members.pop(user_id, None)
        self.emit(Event("THREAD_MEMBERS_UPDATE", channel.guild, channel, ids=(user_id,)))

    def _begin_from(self, parent: Channel, message_id: int, thread: Channel, at_ms: int | None) -> None:
        begun = self.message(parent.id, message_id)
        fields = dict(begun.fields or {})
        begun.fields, begun.own = fields | {"flags": fields.get("flags", 0) | HAS_THREAD}, None
        self.emit(Event("MESSAGE_UPDATE", parent.guild, parent, begun))
        starter = {"type": MessageType.THREAD_STARTER, "message_reference": reference(parent, message_id)}
        self._show(thread, Message(self.made_id(at_ms), begun.author, "", starter))

    def _set_archived(self, thread_id: int, *, archived: bool, at_ms: int | None, locked: bool) -> None:
        channel, thread = self._thread(thread_id)
        thread.archived, thread.locked = archived, locked
        thread.archived_ms = snowflake.to_ms(self.next_id()) if at_ms is None else at_ms
        self._changed(channel, unarchived=not archived)

    def _thread(self, thread_id: int) -> tuple[Channel, Thread]:
        channel = self.channel(thread_id)
        if channel.thread is None:
            raise ValueError(f"channel {thread_id} is no thread")
        return channel, channel.thread

    def _overwrite_bot(self, channel_id: int, *, allow: int = 0, deny: int = 0) -> None:
        own = self.channel(channel_id).overwrites.get(self.bot.id, Overwrite())
        allowed, denied = own.allow & ~deny | allow, own.deny & ~allow | deny
        self.set_overwrite(channel_id, self.bot.id, allow=allowed, deny=denied)

    def _changed(self, channel: Channel, **detail: bool) -> None:
        name = "THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE"
        self.emit(Event(name, channel.guild, channel, detail=detail))
