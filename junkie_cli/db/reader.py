"""What the archive is asked, each question one named query."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from junkie_cli.coverage import Coverage, Range
from junkie_cli.db.database import Database
from junkie_cli.db.queries import query


@dataclass(frozen=True, slots=True)
class ChannelState:
    """Where a channel stands in the archive. `held` counts the messages that readers see.

    Whatever was posted before `checked_at` is archived or a gap in `covered`; None: nobody knows.
    """

    channel_id: int
    covered: Coverage = field(default_factory=Coverage)
    held: int = 0
    is_fully_backfilled: bool = False
    unreadable: str | None = None
    gone_at: datetime | None = None
    unwatched_since: datetime | None = None
    last_updated: datetime | None = None
    checked_at: datetime | None = None

    @property
    def current_at(self) -> datetime | None:
        """Until when new messages are known, or when what is known of the channel last changed, whichever is later."""
        return max(filter(None, (self.last_updated, self.checked_at)), default=None)


@dataclass(frozen=True, slots=True)
class Draw:
    """What is read before a request is sent: its `seen`, the database's time, and the archived ids the answer may span.

    `spare` are a `seen` each for the requests after it.
    """

    seen: int
    at: datetime
    known: tuple[int, ...]
    spare: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """What the archive holds in all."""

    guilds: int
    channels: int
    messages: int
    complete: int


def coverage_of(multirange: Iterable[Any]) -> Coverage:
    """Return PostgreSQL's int8multirange (in its normal form, all bounds finite) as coverage."""
    return Coverage(tuple(Range(r.lower, r.upper) for r in multirange))


class Reader:
    """Reads the archive. Raises DatabaseError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def channel_states(self, channel_ids: Sequence[int]) -> dict[int, ChannelState]:
        """Return the state of every channel of the list, one that the archive doesn't know as a fresh one."""
        states = {channel_id: ChannelState(channel_id) for channel_id in channel_ids}
        for row in await self._rows("channel_states", channel_ids=list(channel_ids)):
            states[row[0]] = ChannelState(row[0], coverage_of(row[1]), *row[2:])
        return states

    async def draw(self, channel_id: int, window: Range, *, ascending: bool, most: int, spare: int = 0) -> Draw:
        """Draw a `seen`, and `spare` more, and read up to `most` archived ids of the window, from where the answer begins."""
        name = "draw_ascending" if ascending else "draw"
        row = await self._row(name, channel_id=channel_id, lo=window.lo, hi=window.hi, most=most, spare=spare)
        seen, *rest = sorted((row[0], *row[3]))
        return Draw(seen, row[1], tuple(row[2]), tuple(rest))

    async def channels_with_gaps(self) -> int:
        """Count the channels with holes between what is covered."""
        return int((await self._row("channels_with_gaps"))[0])

    async def draw_seen(self) -> int:
        """Draw a `seen` for a batch of events."""
        return (await self.draw_seen_now())[0]

    async def draw_seen_now(self) -> tuple[int, datetime]:
        """Draw a `seen` for a batch of events, and return the database's time with it."""
        seen, now = await self._row("draw_seen")
        return int(seen), now

    async def known_near(
        self, channel_id: int, snowflake: int, *, above: bool, but_not: Sequence[int] = ()
    ) -> int | None:
        """Return the archived id nearest to `snowflake`: at or above it, or at or below it."""
        name = "known_above" if above else "known_below"
        rows = await self._rows(name, channel_id=channel_id, snowflake=snowflake, but_not=list(but_not))
        return None if not rows else int(rows[0][0])

    async def count_between(self, channel_id: int, lo: int, hi: int, *, most: int) -> int:
        """Count the visible messages in `[lo, hi)`, up to `most`."""
        row = await self._row("count_between", channel_id=channel_id, lo=lo, hi=hi, most=most)
        return int(row[0])

    async def totals(self) -> Totals:
        """Return the sums over the archive; its cost grows with the channels, not with the messages."""
        return Totals(*await self._row("totals"))

    async def _rows(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        return await self._database.fetch(query(name), parameters)

    async def _row(self, name: str, **parameters: Any) -> tuple[Any, ...]:
        rows = await self._rows(name, **parameters)
        return rows[0]
