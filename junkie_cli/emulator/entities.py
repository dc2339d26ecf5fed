"""What a Discord is made of. Plain state; every change goes through `world.World`."""

from dataclasses import dataclass, field
from typing import Any, Final


class ChannelType:
    """Discord's channel types (docs, "Channel Types")."""

    TEXT: Final = 0
    DM: Final = 1
    VOICE: Final = 2
    CATEGORY: Final = 4
    ANNOUNCEMENT: Final = 5
    ANNOUNCEMENT_THREAD: Final = 10
    PUBLIC_THREAD: Final = 11
    PRIVATE_THREAD: Final = 12
    STAGE: Final = 13
    FORUM: Final = 15
    MEDIA: Final = 16

    THREADS: Final = frozenset({10, 11, 12})
    SPOKEN: Final = frozenset({2, 13})
    WITHOUT_MESSAGES: Final = frozenset({4, 14, 15, 16})
    THREAD_PARENTS: Final = frozenset({0, 5, 15, 16})
    POSTS: Final = frozenset({15, 16})


class MessageType:
    """The message types that the emulator makes (docs, "Message Types")."""

    DEFAULT: Final = 0
    CALL: Final = 3
    PIN: Final = 6
    JOIN: Final = 7
    BOOST: Final = 8
    FOLLOW: Final = 12
    THREAD_CREATED: Final = 18
    REPLY: Final = 19
    COMMAND: Final = 20
    THREAD_STARTER: Final = 21
    AUTO_MODERATION: Final = 24
    STAGE_START: Final = 27
    POLL_RESULT: Final = 46

    RESOLVED: Final = frozenset({19, 21})
    """Those that come with the message they refer to."""


@dataclass(slots=True, eq=False)
class User:
    """An account."""

    id: int
    username: str
    global_name: str | None = None
    bot: bool = False
    avatar: str | None = None
    discriminator: str = "0"


@dataclass(slots=True, eq=False)
class Role:
    """A role; the one that bears the guild's id is @everyone."""

    id: int
    name: str
    permissions: int
    position: int = 0
    color: int = 0


@dataclass(slots=True, eq=False)
class Member:
    """An account inside a guild. `joined_ms` is in ms since 1970 UTC."""

    user: User
    joined_ms: int
    nick: str | None = None
    roles: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Overwrite:
    """What a channel allows and denies a role, or a member."""

    allow: int = 0
    deny: int = 0
    for_member: bool = False


@dataclass(slots=True, eq=False)
class Guild:
    """A server. The bot is in it as long as it is among the members."""

    id: int
    name: str
    owner_id: int
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    channels: dict[int, "Channel"] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Message:
    """A message. `fields` is all of its payload that a plain message lacks.

    `own` caches the encoded payload without what Discord works out at each fetch: signatures in URLs, the message
    replied to, the thread begun here.
    """

    id: int
    author: User
    content: str
    fields: dict[str, Any] | None = None
    own: bytes | None = None


@dataclass(slots=True, eq=False)
class Thread:
    """What a thread has beyond a channel. `archived_ms` is when its archived state last changed, ms since 1970."""

    owner_id: int
    archived_ms: int
    created_ms: int
    archived: bool = False
    locked: bool = False
    members: dict[int, int] = field(default_factory=dict)
    """User ids, and when each joined, in ms since 1970."""
    total_sent: int = 0
    tags: list[int] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Channel:
    """A channel, thread, category or DM. `messages` ascend by id; `hidden` have their id but don't show yet."""

    id: int
    type: int
    name: str
    guild: Guild | None = None
    parent: "Channel | None" = None
    position: int = 0
    topic: str | None = None
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    hidden: dict[int, Message] = field(default_factory=dict)
    last_message_id: int | None = None
    recipients: tuple[User, ...] = ()
    thread: Thread | None = None
    threads: dict[int, "Channel"] = field(default_factory=dict)
    tags: dict[int, str] = field(default_factory=dict)

    @property
    def is_thread(self) -> bool:
        """True for every kind of thread, posts too."""
        return self.thread is not None

    @property
    def holds_messages(self) -> bool:
        """False for categories, forum and media channels."""
        return self.type not in ChannelType.WITHOUT_MESSAGES
