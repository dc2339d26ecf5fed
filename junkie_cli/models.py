"""What the parts hand to each other. Frozen, free of discord.py and of psycopg.

Discord grows new channel and message types at any time, so types are plain integers everywhere.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from junkie_cli import snowflake
from junkie_cli.quick import quick

PAGE_LIMIT: Final = 100
"""The most messages that one page holds (Discord docs, "Get Channel Messages")."""


class ChannelType:
    """The channel types that junkie treats in a way of their own (Discord docs, "Channel Types")."""

    TEXT: Final = 0
    DM: Final = 1
    VOICE: Final = 2
    GROUP_DM: Final = 3
    CATEGORY: Final = 4
    ANNOUNCEMENT: Final = 5
    ANNOUNCEMENT_THREAD: Final = 10
    PUBLIC_THREAD: Final = 11
    PRIVATE_THREAD: Final = 12
    STAGE: Final = 13
    DIRECTORY: Final = 14
    FORUM: Final = 15
    MEDIA: Final = 16

    THREADS: Final = frozenset({10, 11, 12})
    THREAD_PARENTS: Final = frozenset({0, 5, 15, 16})
    HOLD_ONLY_THREADS: Final = frozenset({15, 16})
    HOLD_NOTHING: Final = frozenset({4, 14})


@dataclass(frozen=True, slots=True)
class Guild:
    """A Discord server."""

    guild_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Role:
    """A role's name, kept so that a prompt can show `<@&id>` as people saw it."""

    guild_id: int
    role_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Channel:
    """Anything that holds messages or threads: text, announcement, voice or stage text, DM, thread, forum, media.

    `guild_id` is None for a DM; `parent_id` is the category of a channel and the channel of a thread.
    `last_message_id` is what Discord said when asked; it may name a message that was deleted since.
    `archived_at` is set for an archived thread: the time that its parent's archived list is ordered by. `begun_at` is when
    a thread was begun, where Discord told: its id may be that of an older message.
    """

    channel_id: int
    guild_id: int | None
    parent_id: int | None
    type: int
    name: str
    last_message_id: int | None
    position: int = 0
    message_count: int | None = None
    archived_at: datetime | None = None
    begun_at: datetime | None = None

    @property
    def is_thread(self) -> bool:
        """True for every kind of thread, forum posts too."""
        return self.type in ChannelType.THREADS

    @property
    def holds_messages(self) -> bool:
        """False for categories, directories, forums and media channels."""
        return self.type not in ChannelType.HOLD_ONLY_THREADS and self.type not in ChannelType.HOLD_NOTHING


@dataclass(frozen=True, slots=True)
class User:
    """An account as Discord last showed it. `extra` is what else its payload said (avatar, flags, …)."""

    user_id: int
    username: str
    global_name: str | None
    bot: bool
    extra: dict[str, Any] | None = None

    @property
    def display_name(self) -> str:
        """The name that people see where no nick is known."""
        return self.global_name or self.username


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the archive.

    `content` is Discord's text, verbatim. `extra` is all else of the payload that is neither in a column nor empty
    nor a default; None for a plain message. `reply_to` is the id of the message that this one answers.
    """

    channel_id: int
    message_id: int
    author_id: int
    author_name: str
    content: str
    edited_at: datetime | None = None
    type: int = 0
    reply_to: int | None = None
    extra: dict[str, Any] | None = None

    @property
    def created_at(self) -> datetime:
        """When it was posted, by its id: exact to the millisecond, UTC."""
        return snowflake.to_datetime(self.message_id)


new_message = quick(Message)
"""Makes a `Message`, for where there are many."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """One `GET /channels/{id}/messages`: at most `limit` messages, ids below `before` or above `after` (both exclusive)."""

    channel_id: int
    before: int | None = None
    after: int | None = None
    limit: int = PAGE_LIMIT


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a `PageRequest`, parsed.

    `ids` are the message ids exactly as they came (newest first where Discord is well-behaved), an id for every
    element of the answer; `messages` the same, as rows. `users` are the authors, once each. `referenced` are
    messages that came along inside replies: rows worth having, of any channel, without any claim to completeness.
    """

    request: PageRequest
    ids: tuple[int, ...]
    messages: tuple[Message, ...]
    users: tuple[User, ...] = ()
    referenced: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Access:
    """Whether the bot may read a channel's history. `reason` says which right is missing, '' when none is."""

    readable: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FoundChannel:
    """A channel as discovery found it, with what the bot may do in it."""

    channel: Channel
    access: Access = field(default=Access(readable=True))
