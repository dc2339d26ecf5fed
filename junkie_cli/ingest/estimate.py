"""How much is left, honestly: Discord gives no counts, so what was fetched of a channel is extrapolated over its ids. Pure.

Ids are time, and people don't write evenly, so an estimate is a range: from the thinner to the denser of what is known
of a channel (all of it so far, and its latest page), and wider the less of it is known. Of a channel of which nothing
was fetched only the least is known: one request. Threads are the exception: Discord counts their messages.

Time follows from requests: the longest channel at its own pace, or all of them at the rate that they share, whichever
takes longer. The least counts with what Discord allows, the most with what was observed where that is slower.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil
from typing import Final

from junkie_cli import snowflake
from junkie_cli.coverage import Coverage
from junkie_cli.ingest.steps import Goal, Phase
from junkie_cli.models import PAGE_LIMIT, Channel

WINDOW_REQUESTS: Final = 5
WINDOW_SECONDS: Final = 5.0
"""Discord's limit for GET messages, per channel, as observed."""

GLOBAL_RATE: Final = 45.0
"""Requests per second that all channels share: our part of Discord's 50."""

_COUNTED_TO: Final = 50
_COUNTED_WHOLE_SINCE: Final = snowflake.from_ms(1_656_633_600_000)
"""Threads made before 2022-07-01 were counted only up to 50 (Discord docs, "Channel Object", message_count)."""


@dataclass(frozen=True, slots=True)
class Left:
    """How many requests are left, from `low` to `high`; `high` None: at least `low`, and nobody can say how many."""

    low: int
    high: int | None

    def __add__(self, other: "Left") -> "Left":
        return Left(self.low + other.low, None if self.high is None or other.high is None else self.high + other.high)


NOTHING: Final = Left(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a channel is.

    `held` messages lie in `covered` ids of the wanted span. `above` ids are left above the newest covered one, all of
    which are fetched; `below` ids are left in `gaps` gaps below it, of which at least `least` and at most `wanted`
    messages are fetched (None: all there are). `page_messages` in `page_span` ids describe the
    latest page, 0 where there is none. `total` is how many messages the channel has, where Discord told.
    """

    held: int = 0
    covered: int = 0
    above: int = 0
    below: int = 0
    gaps: int = 1
    least: int | None = None
    wanted: int | None = None
    page_messages: int = 0
    page_span: int = 0
    total: int | None = None


def progress_of(
    goal: Goal,
    last_id: int | None,
    covered: Coverage,
    *,
    held: int = 0,
    current: int | None = None,
    total: int | None = None,
    most_pages: int | None = None,
) -> Progress:
    """Return how far a channel is, from what the archive covers of it.

    `current` counts the messages in the range that ends at the last id, None where they were not counted. `most_pages`
    bounds what deepening may still ask for (see `deepening_bound`).
    """
    if last_id is None or last_id < goal.floor:
        return Progress(held=held, total=total)
    gaps = covered.gaps(goal.floor, last_id + 1)
    top = covered.top
    above = last_id + 1 - max(top.hi, goal.floor) if top is not None and top.hi <= last_id else 0
    wanted = None if most_pages is None else most_pages * PAGE_LIMIT
    least = wanted
    if goal.target is not None:
        # Not all that is held need lie in the range that ends at the last id, and nothing does where nothing is covered.
        current_least, current_most = current or 0, (held if current is None else current)
        if top is None:
            current_least = current_most = 0
        bound = goal.target if wanted is None else wanted
        wanted = max(min(bound, goal.target - current_least), 0)
        # Messages that catch-up brings may meet the target.
        least = 0 if above else max(min(bound, goal.target - current_most), 0)
    return Progress(
        held=held,
        covered=sum(min(r.hi, last_id + 1) - r.lo for r in covered if r.lo <= last_id),
        above=above,
        below=sum(gap.hi - gap.lo for gap in gaps) - above,
        gaps=max(len(gaps) - bool(above), 1),
        least=least,
        wanted=wanted,
        total=total,
    )


def deepening_bound(goal: Goal, covered: Coverage) -> int | None:
    """Return how many pages an initial fetch and deepening may ask for in one run, None where there is no bound."""
    if goal.deepen and goal.max_iterations is None:
        return None
    rounds = (goal.max_iterations or 0) if goal.deepen else 0
    # Where nothing is covered, an initial fetch of one batch comes before the first iteration.
    return ceil(goal.batch / PAGE_LIMIT) * (rounds + (not covered))


def counted_messages(channel: Channel) -> int | None:
    """Return how many messages a thread has by Discord's own count, None where there is none that can be believed."""
    count = channel.message_count
    if not channel.is_thread or count is None:
        return None
    if count >= _COUNTED_TO and channel.channel_id < _COUNTED_WHOLE_SINCE:
        return None
    # Its first message is not counted.
    return count + 1


def requests_left(progress: Progress) -> Left:
    """Return the least and the most requests that a channel still needs."""
    below = progress.below if progress.wanted != 0 else 0
    left = _walk(progress, progress.above) if progress.above > 0 else NOTHING
    if below <= 0:
        return left
    part = _walk(progress, below)
    # A gap may end in a page that is not full.
    short = progress.gaps - 1
    if part.high is not None:
        part = Left(part.low, part.high + short)
    if progress.wanted is not None:
        most = ceil(progress.wanted / PAGE_LIMIT) + short
        part = Left(min(part.low, most), most if part.high is None else min(part.high, most))
    if progress.least is not None:
        part = Left(min(part.low, ceil(progress.least / PAGE_LIMIT)), part.high)
    return left + part


class Outlook:
    """What is left of one channel, as its pages come in."""

    def __init__(self, goal: Goal, last_id: int, covered: Coverage, *, held: int = 0, total: int | None = None) -> None:
        self._goal = goal
        self._last_id = last_id
        self._total = total
        self._current: int | None = None
        self._most_pages = deepening_bound(goal, covered)
        self._progress = progress_of(goal, last_id, covered, held=held, total=total, most_pages=self._most_pages)

    @property
    def left(self) -> Left:
        """The requests that are left."""
        return requests_left(self._progress)

    def counted(self, current: int) -> None:
        """Note how many messages are held in the range that ends at the last id."""
        self._current = current

    def page(self, phase: Phase, covered: Coverage, *, messages: int, held: int) -> Left:
        """Note a page that was stored, after which that much is covered and held; return what is left.

        Reconciling is not reckoned with here.
        """
        before = self._progress
        if phase is not Phase.CATCH_UP:
            if self._most_pages is not None:
                self._most_pages = max(self._most_pages - 1, 0)
            # Deepening extends the range that ends at the last id; so does an initial fetch, from nothing.
            if self._current is not None or phase is Phase.INITIAL:
                self._current = (self._current or 0) + messages
        now = progress_of(
            self._goal,
            self._last_id,
            covered,
            held=held,
            current=self._current,
            total=self._total,
            most_pages=self._most_pages,
        )
        span = before.above + before.below - now.above - now.below
        self._progress = replace(now, page_messages=messages, page_span=span)
        return self.left


@dataclass(frozen=True, slots=True)
class Share:
    """One channel's part of what is left. `pace` is how many seconds a request takes there, waits included, if known."""

    left: Left
    pace: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """Requests and seconds that are left; `high_seconds` None: at least `low_seconds`."""

    requests: Left
    low_seconds: float
    high_seconds: float | None


def estimate(shares: Iterable[Share], *, queued: int = 0, observed_rate: float = GLOBAL_RATE) -> Estimate:
    """Return what a run still takes over channels in work and `queued` requests at least in channels not yet begun.

    `observed_rate` is how many requests a second all channels together have made of late.
    """
    requests = Left(queued, None if queued else 0)
    low = high = 0.0
    for share in shares:
        requests += share.left
        low = max(low, _seconds(share.left.low, share.pace)[0])
        if share.left.high is not None:
            high = max(high, _seconds(share.left.high, share.pace)[1])
    low = max(low, requests.low / GLOBAL_RATE)
    if requests.high is None:
        return Estimate(requests, low, None)
    return Estimate(requests, low, max(high, requests.high / min(observed_rate, GLOBAL_RATE), low))


def _walk(progress: Progress, ids: int) -> Left:
    """Return the requests of a walk over a stretch of ids, by how densely people are known to write."""
    if progress.total is not None:
        # Where it is split in two, any part of the rest may lie on this side.
        most = _to_the_end(max(progress.total - progress.held, 0))
        return Left(1 if progress.above > 0 and progress.below > 0 else most, most)
    densities = []
    if progress.covered > 0 and progress.held:
        densities.append(progress.held / progress.covered)
    if progress.page_span > 0 and progress.page_messages:
        densities.append(progress.page_messages / progress.page_span)
    if not densities:
        return Left(1, None)
    # The less of the channel is known, the wider the range: up to three times either way.
    known = progress.covered / (progress.covered + progress.above + progress.below)
    spread = 1 + 2 * (1 - known)
    return Left(_to_the_end(ids * min(densities) / spread), _to_the_end(ids * max(densities) * spread))


def _to_the_end(messages: float) -> int:
    """Return the pages of a walk over that many messages: only a page that is not full shows its end."""
    return int(messages // PAGE_LIMIT) + 1


def _seconds(requests: int, pace: float | None) -> tuple[float, float]:
    """Return the least and the most seconds that one channel takes for its requests."""
    usual = max(ceil(requests / WINDOW_REQUESTS) - 1, 0) * WINDOW_SECONDS
    if pace is None:
        return usual, usual
    observed = requests * pace
    return min(usual, observed), observed
