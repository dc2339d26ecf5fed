"""What to ask Discord next. Pure: no I/O, no clock; what the answers prove stands in `proof`.

Discord's cursors are exclusive; that ±1 lives here and in `proof` alone. Work goes from the newest message down: first
what is newer than the newest covered id (catch-up), then, where nothing is covered, the newest messages (initial fetch),
then the gaps below (deepening), in iterations. Nothing but coverage says what is left to do, so that a walk that was cut
off anywhere is taken up by the next one.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from junkie_cli import snowflake
from junkie_cli.coverage import Coverage, Range
from junkie_cli.ingest.proof import ask
from junkie_cli.ingest.steps import (
    Action,
    CatchUpBegins,
    CountTop,
    Goal,
    InitialFetchBegins,
    IterationBegins,
    IterationEnds,
    Phase,
    SideBySide,
    View,
    Walk,
)
from junkie_cli.models import PageRequest

OVERLAP_MS: Final = 10_000
"""Catch-up starts this far below the newest covered id, since messages of one moment may become visible out of order."""

PAGES_PER_LANE: Final = 3
"""A lane must be worth at least so many pages, else the pages that straddle two lanes cost more than it saves."""


def walk(view: View, goal: Goal) -> Walk:
    """Bring a channel to its goal: catch up, fetch initially where there is nothing, deepen. Newest first.

    Raises ChannelForbidden if the bot turns out to lack a right, MalformedPage if a page keeps making no sense.
    """
    if view.last_id < goal.floor:
        return
    front = _Front(replace(view, covered=_settled(view.covered)), goal)
    if view.covered and (goal.look or view.last_id not in view.covered):
        yield from _catch_up(front)
    if not front.view.covered:
        yield InitialFetchBegins()
        wanted = goal.batch * goal.lanes
        if goal.target is not None:
            wanted = min(wanted, goal.target)
        yield from _descend(front, wanted, Phase.INITIAL)
        yield IterationEnds((yield from _current(front)), goal.target)
    spent = 0
    while goal.deepen and (goal.max_iterations is None or spent < goal.max_iterations):
        if front.gap is None:
            return
        current = yield from _current(front)
        if goal.target is not None and current is not None and current >= goal.target:
            return
        spent += 1
        yield IterationBegins(spent, current, goal.target)
        wanted = goal.batch * goal.lanes
        if goal.target is not None and current is not None:
            wanted = min(wanted, goal.target - current)
        yield from _descend(front, wanted, Phase.DEEPEN)
        yield IterationEnds((yield from _current(front)), goal.target)


@dataclass(slots=True)
class _Front:
    """What a walk and its lanes share: the view as claims are made, and how dense messages have been over ids."""

    view: View
    goal: Goal
    messages: int = 0
    span: int = 0

    @property
    def gap(self) -> Range | None:
        """The highest gap below the newest covered id, or all there is where nothing is covered."""
        top = self.view.covered.top
        hi = self.view.last_id + 1 if top is None else top.hi
        gaps = self.view.covered.gaps(self.goal.floor, hi)
        return gaps[-1] if gaps else None

    def claimed(self, claim: Range, ids: Sequence[int]) -> int:
        """Take over a claim; return down to which id everything around it is covered now."""
        self.view = self.view.with_claim(claim)
        self.messages += len(ids)
        self.span += claim.hi - claim.lo
        return next(r.lo for r in self.view.covered if claim.lo in r)

    def nears_the_start(self, gap: Range) -> bool:
        """Say whether the next page below may be the last there is.

        It is asked for with its cursor one id higher, so that it shows the message that the page before it ended with:
        should nothing else be left, it proves itself, where an empty page would have to be asked for again. (With a
        target, one message less on a page may cost a page more.)
        """
        if gap.lo > self.goal.floor or self.goal.page_limit == 1 or self.goal.target is not None:
            return False
        reach = self.span_of(self.goal.page_limit)
        return reach is not None and gap.hi - gap.lo < reach

    def span_of(self, messages: int) -> int | None:
        """Return in how many ids so many messages may lie; None until a message was seen."""
        return messages * self.span // self.messages if self.messages else None


def _catch_up(front: _Front) -> Generator[Action, Any, None]:
    """Close the gap above the newest covered id, oldest first, without a cap."""
    view, goal = front.view, front.goal
    top = view.covered.top
    assert top is not None
    if top.hi > view.last_id and not goal.look:
        # The last id lies in a gap below a range that live events opened: deepening closes it.
        return
    newest = top.hi - 1
    yield CatchUpBegins(newest)
    after = snowflake.shift_ms(newest, -OVERLAP_MS) if newest >= goal.floor else goal.floor - 1
    after = max(after, view.channel_id - 1)
    while True:
        request = PageRequest(view.channel_id, after=after, limit=goal.page_limit)
        ids, claim = yield from ask(view, request, Phase.CATCH_UP)
        if claim is None:
            return
        front.claimed(claim, ids)
        if len(ids) < request.limit or (claim.hi > view.last_id and not goal.look):
            return
        after = ids[0]


def _settled(covered: Coverage) -> Coverage:
    """Return coverage without the last ten seconds of each range below a gap.

    What was missed there begins with messages that were to show, or to be told, after younger ones. At the end of the
    highest range it is catch-up that looks for them.
    """
    *below, top = covered.ranges or (Range(0, 0),)
    ended = (Range(r.lo, max(r.lo, snowflake.shift_ms(r.hi - 1, -OVERLAP_MS) + 1)) for r in below)
    return Coverage.of([*(r for r in ended if not r.empty), *((top,) if covered else ())])


def _descend(front: _Front, wanted: int, phase: Phase) -> Generator[Action, Any, None]:
    """Fetch downwards through the highest gap until it is closed or about `wanted` messages came."""
    goal = front.goal
    enough = front.messages + wanted
    whole = front.gap
    while (gap := front.gap) is not None and whole is not None and gap.hi > whole.lo and front.messages < enough:
        left = enough - front.messages
        reach = front.span_of(left)
        lanes = min(goal.lanes, left // (PAGES_PER_LANE * goal.page_limit))
        if lanes <= 1 or reach is None:
            # With lanes to come, one page tells how dense the channel is.
            enough_now = enough if goal.lanes == 1 or reach is not None else front.messages + 1
            yield from _lane(front, _Sections([gap]), enough_now, phase)
        else:
            sections = _Sections(_split(gap.clamp(gap.hi - reach, gap.hi), lanes))
            yield SideBySide(tuple(_lane(front, sections, enough, phase) for _ in range(lanes)))


@dataclass(slots=True)
class _Sections:
    """Ranges that lanes take, highest first; an idle lane takes half of what the slowest has left."""

    free: list[Range]
    taken: "list[_Section]" = field(default_factory=list)

    def take(self, worth: int) -> "_Section | None":
        """Return a section to fetch, or None if no lane has more than twice `worth` ids left."""
        if self.free:
            section = _Section(*self.free.pop())
        else:
            slowest = max(self.taken, key=lambda other: other.cursor - other.lo, default=None)
            if slowest is None or slowest.cursor - slowest.lo <= 2 * worth:
                return None
            middle = (slowest.lo + slowest.cursor) // 2
            section = _Section(slowest.lo, middle)
            slowest.lo = middle
        self.taken.append(section)
        return section


@dataclass(slots=True, eq=False)
class _Section:
    """The ids `[lo, cursor)` that a lane has still to fetch."""

    lo: int
    cursor: int


def _split(region: Range, parts: int) -> list[Range]:
    """Divide a range evenly, ascending."""
    bounds = [region.lo + (region.hi - region.lo) * n // parts for n in range(parts + 1)]
    return [part for part in map(Range, bounds, bounds[1:]) if not part.empty]


def _lane(front: _Front, sections: _Sections, enough: int, phase: Phase) -> Walk:
    """Fetch one section after the other, each downwards."""
    worth = front.span_of(PAGES_PER_LANE * front.goal.page_limit) or 0
    while front.messages < enough and (section := sections.take(worth)) is not None:
        # Another lane's page may have reached into this section.
        while (gaps := front.view.covered.gaps(section.lo, section.cursor)) and front.messages < enough:
            section.cursor = gaps[-1].hi
            before = section.cursor + front.nears_the_start(gaps[-1])
            request = PageRequest(front.view.channel_id, before=before, limit=front.goal.page_limit)
            ids, claim = yield from ask(front.view, request, phase)
            if claim is None:
                return
            section.cursor = front.claimed(claim, ids)
        sections.taken.remove(section)


def _current(front: _Front) -> Generator[Action, Any, int | None]:
    """Count what is held in the range that ends at the last id; None where the target is "all"."""
    top = front.view.covered.top
    if front.goal.target is None:
        return None
    if top is None:
        return 0
    count = yield CountTop(top.lo, top.hi, front.goal.target)
    assert isinstance(count, int)
    return count
