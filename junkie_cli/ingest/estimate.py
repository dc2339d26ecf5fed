"""How much is left, honestly: Discord gives no counts, so what was fetched of a channel is extrapolated over its ids. Pure.

Ids are time, and people don't write evenly, so an estimate is a range: from the thinner to the denser of what is known
of a channel (all of it so far, and its latest page), and wider the less of it is known. Of a channel of which nothing
was fetched only the least is known: one request.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Final

from junkie_cli.models import PAGE_LIMIT

WINDOW_REQUESTS: Final = 5
WINDOW_SECONDS: Final = 5.0
"""Discord's limit for GET messages, per channel, as observed."""

GLOBAL_RATE: Final = 45.0
"""Requests per second that all channels share: our part of Discord's 50."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a channel is: `held` messages lie in `covered` ids, `remaining` ids are left.

    `page_messages` in `page_span` ids describe its latest page, 0 where there is none. `wanted` bounds the messages
    still to come (a target), None where there is no bound.
    """

    held: int
    covered: int
    remaining: int
    page_messages: int = 0
    page_span: int = 0
    wanted: int | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """Requests and seconds that are left, each from `low` to `high`; `high` None: at least `low`."""

    low_requests: int
    high_requests: int | None
    low_seconds: float
    high_seconds: float | None


def requests_left(progress: Progress) -> tuple[int, int | None]:
    """Return the least and the most requests that a channel still needs; None: nobody can say."""
    if progress.remaining <= 0 or progress.wanted == 0:
        return 0, 0
    densities = []
    if progress.covered and progress.held:
        densities.append(progress.held / progress.covered)
    if progress.page_span and progress.page_messages:
        densities.append(progress.page_messages / progress.page_span)
    most = None if progress.wanted is None else _pages(progress.wanted)
    if not densities:
        return 1, most
    # The less of the channel is known, the wider the range: up to three times either way.
    known = progress.covered / (progress.covered + progress.remaining)
    spread = 1 + 2 * (1 - known)
    low = _pages(progress.remaining * min(densities) / spread)
    high = _pages(progress.remaining * max(densities) * spread)
    return (low, high) if most is None else (min(low, most), min(high, most))


def estimate(channels: Iterable[Progress], *, rate: float = GLOBAL_RATE) -> Estimate:
    """Return what a run over these channels still takes: its longest channel or the sum, whichever is slower."""
    lows, highs = [], []
    for low, high in map(requests_left, channels):
        lows.append(low)
        highs.append(high)
    known_highs = [high for high in highs if high is not None]
    open_ended = len(known_highs) < len(highs)
    return Estimate(
        low_requests=sum(lows),
        high_requests=None if open_ended else sum(known_highs),
        low_seconds=_seconds(lows, rate),
        high_seconds=None if open_ended else _seconds(known_highs, rate),
    )


def _pages(messages: float) -> int:
    return int(messages // PAGE_LIMIT) + 1


def _seconds(requests: list[int], rate: float) -> float:
    longest = max(requests, default=0)
    windows = max(ceil(longest / WINDOW_REQUESTS) - 1, 0)
    return max(windows * WINDOW_SECONDS, sum(requests) / rate)
