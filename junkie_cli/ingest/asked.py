"""What was known when a page was asked for, and so what the page can tell of deletions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from junkie_cli import snowflake
from junkie_cli.coverage import Range
from junkie_cli.db.reader import Draw
from junkie_cli.models import Page

KNOWN_PER_PAGE: Final = 1000
"""How many archived ids are compared with a page: what it should show, and what was deleted in between."""

MOST_KNOWN_PER_PAGE: Final = 100_000
"""As many are read once more was deleted than KNOWN_PER_PAGE."""

LATE: Final = timedelta(seconds=10)
"""A message that is younger than this when a page is asked for is not missed there: it may not be visible yet."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was known when a page was asked for: what was drawn, up to `most` ids, and what the page before it brought."""

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
