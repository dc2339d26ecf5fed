"""What was known when a page was asked for, and so what the page can tell of deletions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from junkie_cli import snowflake
from junkie_cli.coverage import Range
from junkie_cli.db.reader import ChannelState, Draw, Reader
from junkie_cli.models import Page

KNOWN_PER_PAGE: Final = 1000
"""How many archived ids are compared with a page: what it should show, and what was deleted in between."""

MOST_KNOWN_PER_PAGE: Final = 100_000
"""As many are read once more was deleted than KNOWN_PER_PAGE."""

PAGES_PER_DRAW: Final = 10
"""How many pages one draw may serve."""

DRAW_HOLDS: Final = 1.0
"""Seconds for which it may."""

LATE: Final = timedelta(seconds=10)
"""A message that is younger than this when a page is asked for is not missed there: it may not be visible yet."""


def looked_early(state: ChannelState) -> bool:
    """Say whether a channel was last looked at so soon after its newest message that an older one may have shown since.

    Nothing else would tell of that one if nobody wrote any more.
    """
    top = state.covered.top
    return (
        top is not None and state.checked_at is not None and snowflake.to_datetime(top.hi - 1) + LATE > state.checked_at
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What was known when a page was asked for: what was drawn, up to `most` ids, and what pages since then brought."""

    draw: Draw
    most: int
    brought: Sequence[int] = ()
    watch: tuple[int, int] | None = None

    def compared(self, claim: Range, *, ascending: bool) -> Range:
        """Return the part of a claim in which all archived ids were read."""
        known = self.draw.known
        if len(known) < self.most:
            return claim
        return claim.clamp(claim.lo, known[-1] + 1) if ascending else claim.clamp(known[-1], claim.hi)

    def outreached_by(self, page: Page) -> bool:
        """Say whether the page spans archived ids that were not read."""
        known = self.draw.known
        if len(known) < self.most or not page.ids:
            return False
        full = len(page.ids) == page.request.limit
        if page.request.after is not None:
            return not full or page.ids[0] > known[-1]
        return not full or page.ids[-1] < known[-1]

    def missable(self) -> list[int]:
        """Return the archived ids that the page should show."""
        young = snowflake.from_datetime(self.draw.at - LATE)
        return [known for known in (*self.draw.known, *self.brought) if known < young]


class Draws:
    """What the requests of one walk draw before they are sent.

    Where nothing is archived that the next pages could span, as in a first backfill, one draw serves several of them, each
    with a `seen` of its own. They are sent later than it says, and that is the safe side: what happens in between counts as
    something that they do not show.
    """

    def __init__(self, reader: Reader, channel_id: int, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._channel_id = channel_id
        self._clock = clock
        self._spare: Draw | None = None
        self._window = Range(0, 0)
        self._ends = 0.0
        self._brought: set[int] = set()

    async def draw(
        self, window: Range, *, ascending: bool, most: int, unwritten: Iterable[int] = ()
    ) -> tuple[Draw, Sequence[int]]:
        """Draw for a request whose answer may span `window`: up to `most` archived ids are read.

        With it comes which ids pages brought inside replies since: of those whose rows are `unwritten`, and of those that
        `brought` was told of. Raises DatabaseError.
        """
        if (spare := self._spare) is not None and self._clock() < self._ends and spare.spare and self._holds(window):
            draw = replace(spare, seen=spare.spare[0], spare=spare.spare[1:])
        else:
            began = self._clock()
            draw = await self._reader.draw(
                self._channel_id, window, ascending=ascending, most=most, spare=PAGES_PER_DRAW - 1
            )
            self._window, self._ends, self._brought = window, began + DRAW_HOLDS, set(unwritten)
        self._spare = None if draw.known else draw
        return draw, sorted(self._brought)

    def brought(self, message_ids: Iterable[int]) -> None:
        """Take in which messages of the channel a page brought inside replies."""
        self._brought.update(message_ids)

    def _holds(self, window: Range) -> bool:
        return self._window.lo <= window.lo and window.hi <= self._window.hi
