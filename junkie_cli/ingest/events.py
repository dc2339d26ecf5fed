"""What ingest reports while it works. It never prints: a terminal's bars, log lines and NDJSON are three renderings of these.

Each event is a frozen dataclass. Ids are snowflakes; counts are messages unless their name says otherwise. `docs/events.md`
lists them all as NDJSON; there `Snowflake` and `Span`, which need 64 bits, are strings.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final

from junkie_cli.ingest.estimate import NOTHING, Left
from junkie_cli.ingest.steps import Phase

WIDE: Final = "64 bits"
"""Marks a number that doesn't fit a double, which is all that some readers of JSON have."""

Snowflake = Annotated[int, WIDE]
Span = Annotated[int, WIDE]
"""A number of ids. Shifted right by 22 bits it is a number of ms."""


class Outcome(StrEnum):
    """How a channel's work ended."""

    COMPLETE = "complete"
    """All of it is archived, from its beginning (or the floor that was asked for) to its last message."""

    TARGET_MET = "target met"
    PARTIAL = "partial"
    """Gaps remain because a bound of the run was reached; the next run goes on."""

    UNCHANGED = "unchanged"
    """It was at its goal already: no request was made."""

    SYNCED = "synced"
    """It was caught up, and compared with Discord as far as was asked for."""

    UNREADABLE = "unreadable"
    GONE = "gone"
    BUSY = "busy"
    """Another command works on it."""

    FAILED = "failed"

    @property
    def is_trouble(self) -> bool:
        """Say whether somebody should look at it."""
        return self in {Outcome.UNREADABLE, Outcome.FAILED}


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True)
class DiscoveryBegan(Event):
    """Guilds, channels and threads are being listed."""

    guild: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelsFound(Event):
    """What the run will work on, as far as it was found: threads are found while channels are worked on already.

    `channels` counts those that can be read; `requests` is the least that those need which were not counted before.

    `work` is the command that it does.
    """

    channels: int
    unreadable: int
    guilds: int
    requests: int = 0
    work: str = "backfill"


@dataclass(frozen=True, slots=True)
class AnotherRuns(Event):
    """The run does nothing, since another one of its kind goes on. `idle` is how many seconds ago that one last got on.

    `stalled` says that this is too long.
    """

    idle: float
    stalled: bool


@dataclass(frozen=True, slots=True)
class ChannelEvent(Event):
    """Base of what concerns one channel. `name` is as people see it: `#general`, a thread after its channel."""

    channel_id: Snowflake
    name: str


@dataclass(frozen=True, slots=True)
class ChannelBegan(ChannelEvent):
    """Work on a channel begins. The ids say what its life spans: `[floor, last_id]`; `held` messages are archived."""

    floor: Snowflake
    last_id: Snowflake
    held: int
    remaining: Span
    """How many ids of the span are not covered yet: a measure of time, not of messages."""

    left: Left = NOTHING


@dataclass(frozen=True, slots=True)
class CatchUpBegan(ChannelEvent):
    """Messages newer than `after` are fetched."""

    after: Snowflake


@dataclass(frozen=True, slots=True)
class InitialFetchBegan(ChannelEvent):
    """Nothing of the channel is archived yet."""


@dataclass(frozen=True, slots=True)
class IterationBegan(ChannelEvent):
    """A deepen iteration begins. `target` None means all; then `held` so far stands for it."""

    number: int
    current: int
    target: int | None


@dataclass(frozen=True, slots=True)
class IterationEnded(ChannelEvent):
    """An initial fetch or a deepen iteration is over."""

    current: int
    target: int | None


@dataclass(frozen=True, slots=True)
class PageStored(ChannelEvent):
    """A page is in the archive. `remaining` is as in ChannelBegan; `requests` counts the channel's so far, `left` what it still needs."""

    phase: Phase
    fetched: int
    new: int
    edited: int
    deleted: int
    held: int
    remaining: Span
    requests: int
    left: Left = NOTHING


@dataclass(frozen=True, slots=True)
class Waiting(ChannelEvent):
    """The channel's rate limit allows its next request in that many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class ChannelEnded(ChannelEvent):
    """Work on a channel is over. `reason` says what went wrong, '' if nothing did."""

    outcome: Outcome
    held: int
    target: int | None
    fetched: int
    new: int
    edited: int
    deleted: int
    requests: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Summary(Event):
    """How a run ended. `fatal` is the error that stopped it before its end, '' if none did."""

    channels: int
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    fetched: int = 0
    new: int = 0
    edited: int = 0
    deleted: int = 0
    requests: int = 0
    seconds: float = 0.0
    interrupted: bool = False
    fatal: str = ""

    @property
    def successes(self) -> int:
        """Channels that ended without trouble, less those that another command has."""
        done = {outcome: count for outcome, count in self.outcomes.items() if not outcome.is_trouble}
        return sum(done.values()) - done.get(Outcome.BUSY, 0)

    @property
    def errors(self) -> int:
        """Channels that somebody should look at."""
        return sum(count for outcome, count in self.outcomes.items() if outcome.is_trouble)


Emit = Callable[[Event], None]
