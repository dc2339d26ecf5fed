"""The state of a Discord, its ids, and the events that tell of every change.

Invariant: what a test or a gateway can observe changes only through the verbs of `World`, each of which ends in one
`emit`. A listener is called at once, in order, while the entities still show that very state.
"""

import random
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final

from junkie_cli import snowflake
from junkie_cli.emulator.entities import Channel, Guild, Message, User

REFERENCE: Final = datetime(2025, 6, 30, 12, 0, tzinfo=UTC)
"""When generated history ends, so that a run can be repeated on any day."""

STEP_MS: Final = 1500
"""How much later than the newest id a new one is, unless told."""

CONTENT_INTENT: Final = 1 << 18
"""Application flag GATEWAY_MESSAGE_CONTENT; small bots have the next bit instead (docs, "Application Flags")."""
CONTENT_INTENT_LIMITED: Final = 1 << 19

_BY_ID: Final = attrgetter("id")


class UnknownError(LookupError):
    """No guild, channel, message or user bears that id."""


@dataclass(frozen=True, slots=True)
class Event:
    """A change, named as the gateway names it.

    `ids` are the messages of a deletion, or whom the event is about. `detail` is what the entities don't show: `emoji` of
    a reaction, `told` of an update that names only some keys, `unarchived` of a thread.
    """

    name: str
    guild: Guild | None = None
    channel: Channel | None = None
    message: Message | None = None
    ids: tuple[int, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


class State:
    """Guilds, channels, users, and the bot that looks at them."""

    def __init__(self, *, seed: int = 0, end: datetime = REFERENCE) -> None:
        self.random = random.Random(seed)  # noqa: S311  # repeatable, no secret
        self.seed = seed
        self.end_ms = snowflake.to_ms(snowflake.from_datetime(end))
        self.newest_id = 0
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.users: dict[int, User] = {}
        self.application_flags = CONTENT_INTENT
        self.obfuscates = False
        self.listeners: list[Callable[[Event], None]] = []
        self._silent = False
        self.bot = User(self.id_at(self.end_ms - 400 * 86_400_000), "archivist", bot=True, discriminator="4821")
        self.users[self.bot.id] = self.bot

    def id_at(self, ms: int) -> int:
        """Return an id of that millisecond since 1970 UTC."""
        found = snowflake.from_ms(ms) | self.random.getrandbits(22)
        self.newest_id = max(self.newest_id, found)
        return found

    def next_id(self, at_ms: int | None = None) -> int:
        """Return an id above all that exist: of that millisecond, or a little later than the newest."""
        newest = self.newest_id
        found = self.id_at(snowflake.to_ms(newest) + STEP_MS if at_ms is None else at_ms)
        if found <= newest:
            found = self.newest_id = newest + 1
        return found

    def made_id(self, at_ms: int | None) -> int:
        """Return an id of that millisecond, even if it is long past, or the next one."""
        return self.next_id() if at_ms is None else self.id_at(at_ms)

    def guild(self, guild_id: int) -> Guild:
        """Return the guild, or raise UnknownError."""
        if (guild := self.guilds.get(guild_id)) is None:
            raise UnknownError(f"there is no guild {guild_id}")
        return guild

    def channel(self, channel_id: int) -> Channel:
        """Return the channel, thread or DM, or raise UnknownError."""
        if (channel := self.channels.get(channel_id)) is None:
            raise UnknownError(f"there is no channel {channel_id}")
        return channel

    def user(self, user_id: int) -> User:
        """Return the account, or raise UnknownError."""
        if (user := self.users.get(user_id)) is None:
            raise UnknownError(f"there is no user {user_id}")
        return user

    def message(self, channel_id: int, message_id: int) -> Message:
        """Return a message that shows, or raise UnknownError."""
        if (message := find(self.channel(channel_id), message_id)) is None:
            raise UnknownError(f"channel {channel_id} has no message {message_id}")
        return message

    @property
    def sees_content(self) -> bool:
        """True if the application has the MESSAGE_CONTENT intent."""
        return bool(self.application_flags & (CONTENT_INTENT | CONTENT_INTENT_LIMITED))

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Make changes that no event tells of, as while a gateway is down."""
        before, self._silent = self._silent, True
        try:
            yield
        finally:
            self._silent = before

    def emit(self, event: Event) -> None:
        """Tell the listeners."""
        if not self._silent:
            for listener in tuple(self.listeners):
                listener(event)


def place_of(channel: Channel, message_id: int) -> int:
    """Return how many of the channel's messages have a lower id."""
    return bisect_left(channel.messages, message_id, key=_BY_ID)


def find(channel: Channel, message_id: int) -> Message | None:
    """Return the channel's message of that id if it shows."""
    place = place_of(channel, message_id)
    if place < len(channel.messages) and channel.messages[place].id == message_id:
        return channel.messages[place]
    return None
