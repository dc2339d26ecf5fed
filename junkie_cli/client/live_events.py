"""What `junkie serve` hears of Discord, in the order in which one shard heard it.

A *session* is what holds between two `SessionBegan` of a shard: within it nothing is missed, unless an event here says so
(`GuildGone`, `AccessChanged`, `Skipped`). `SessionResumed` says that a lost connection cost nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from junkie_cli.client.payload import Parsed
from junkie_cli.models import Access, FoundChannel, Guild, Role


class Phase(Enum):
    """Where a shard's connection stands. While one is RESUMING, what happens will be told later; else it is missed."""

    CONNECTING = "connecting"
    READY = "ready"
    RESUMING = "resuming"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ShardState:
    """How a shard does. Times are in seconds.

    `latency` is that of the last heartbeat, `event_age` the time since the last event. What happened more than `silence` ago
    has been told, or is missed on record; None before the first session.
    """

    shard_id: int
    phase: Phase
    latency: float | None = None
    event_age: float | None = None
    silence: float | None = None


@dataclass(frozen=True, slots=True)
class SessionBegan:
    """A new session: whatever was before it is over, and what happened since then was missed.

    `guild_ids` are those of which GuildAvailable will tell, as soon as each of them is available.
    """

    shard_id: int
    guild_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionResumed:
    """The connection was lost and the session goes on: every event of the time in between has been delivered."""

    shard_id: int


@dataclass(frozen=True, slots=True)
class GuildAvailable:
    """A guild that the bot is in, whole: from now on its events are told.

    `channels` are all that the gateway shows, with categories, forums and the active threads.
    """

    shard_id: int
    guild: Guild
    roles: tuple[Role, ...]
    channels: tuple[FoundChannel, ...]


@dataclass(frozen=True, slots=True)
class GuildSeen:
    """A guild or some of its `roles` have perhaps got other names."""

    shard_id: int
    guild: Guild
    roles: tuple[Role, ...]


@dataclass(frozen=True, slots=True)
class GuildGone:
    """Nothing more is told of a guild: for a while if `unavailable`, else because the bot is not in it any more."""

    shard_id: int
    guild_id: int
    unavailable: bool


@dataclass(frozen=True, slots=True)
class ChannelSeen:
    """A channel or thread as it is now. `new`: it was made a moment ago, so that nothing lies before it."""

    shard_id: int
    found: FoundChannel
    new: bool


@dataclass(frozen=True, slots=True)
class ChannelGone:
    """A channel or thread was deleted. The threads of a channel are told one by one, as far as they are known."""

    shard_id: int
    channel_id: int
    guild_id: int | None


@dataclass(frozen=True, slots=True)
class AccessChanged:
    """What the bot may read in a channel changed, or may have; of its threads each is told.

    `channel_id` None is any channel of the guild. `access` is what now holds as far as it is known.
    """

    shard_id: int
    guild_id: int
    channel_id: int | None
    access: Access | None = None


@dataclass(frozen=True, slots=True)
class MessageSeen:
    """A message was `created`, else it changed.

    With `partial`, a raw payload that lacks some of what every message has, only the ids in `parsed` are to be relied on;
    what it says replaces what is known, key by key. `nick_known`: the payload said under which nick, or none, the author
    goes in the guild.
    """

    shard_id: int
    guild_id: int | None
    parsed: Parsed
    partial: Mapping[str, Any] | None = None
    created: bool = True
    nick_known: bool = False


@dataclass(frozen=True, slots=True)
class MessagesDeleted:
    """Messages were deleted, one alone or several at once."""

    shard_id: int
    guild_id: int | None
    channel_id: int
    message_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A payload that could not be understood: it may have been about a message of the channel; None: of any.

    `guild_id` is its guild if it named one. An `unknown_event` is one whose name nobody has heard of: Discord adds such at
    any time, and what they tell has so far never been a message.
    """

    shard_id: int
    channel_id: int | None
    event_name: str
    reason: str
    guild_id: int | None = None
    unknown_event: bool = False


LiveEvent = (
    SessionBegan
    | SessionResumed
    | GuildAvailable
    | GuildSeen
    | GuildGone
    | ChannelSeen
    | ChannelGone
    | AccessChanged
    | MessageSeen
    | MessagesDeleted
    | Skipped
)

OnEvent = Callable[[LiveEvent], None]
