"""What to ask Discord next, and what its answer proves. Pure: no I/O, no clock.

Invariant: a `Store` claims a range only if every message that Discord had there, when the page was asked for, is on
that page. All claims come from `prove`; Discord's exclusive cursors, and the ±1 that follows from them, live here alone.

- `before=B`, full page: `[lowest id, B)`. Short page: `[channel's own id, B)`, and the start of history is reached.
- `after=A`, full page: `[A + 1, highest id + 1)`. Short page: up to the highest id or the last message id that was known
  before the request, whichever is larger. No claim goes above that.
- A page whose ids are outside its cursor, repeated or out of order proves nothing.
- An empty page proves nothing alone: without the right to read history Discord answers 200 with no messages. It is
  replaced by a page whose cursor is shifted so that a message known to stand there is on it, and, where none is known,
  believed if the rights were read just before and just after it and allowed reading both times.

A walk is a generator: it yields what it needs (`Fetch`, `ReadAccess`, `FindKnown`, `CountTop`) or reports (`Store`,
`Phase…`), and is sent the answer. Whoever drives it does the I/O; so do the property tests, with a simulated Discord.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final

from junkie_cli import snowflake
from junkie_cli.coverage import Coverage, Range
from junkie_cli.errors import ChannelForbidden, MalformedPage
from junkie_cli.models import PAGE_LIMIT, Access, PageRequest

OVERLAP_MS: Final = 10_000
"""Catch-up starts this far below the newest covered id, since messages of one moment may become visible out of order."""

MALFORMED_TRIES: Final = 3
"""How often a page that proves nothing is asked for before its channel fails."""


class Phase(StrEnum):
    """Which part of the work a request belongs to."""

    CATCH_UP = "catch-up"
    INITIAL = "initial"
    DEEPEN = "deepen"


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask Discord for a page; the answer is its ids, as they came. `window` is where the ids may lie."""

    request: PageRequest
    phase: Phase
    window: Range


@dataclass(frozen=True, slots=True)
class Store:
    """Write the page that was fetched last, together with what it proves (None: nothing); no answer.

    `claim_is_empty_page` marks a claim that rests on an empty page: it never deletes.
    """

    request: PageRequest
    claim: Range | None
    phase: Phase
    from_empty_page: bool = False


@dataclass(frozen=True, slots=True)
class ReadAccess:
    """Read the bot's rights in the channel from Discord, now; the answer is an `Access`."""


@dataclass(frozen=True, slots=True)
class FindKnown:
    """Find the archived message nearest to `snowflake`; the answer is its id or None.

    `above` looks at ids >= snowflake, otherwise at ids <= snowflake. Ids in `but_not` were tried already.
    """

    snowflake: int
    above: bool
    but_not: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CountTop:
    """Count the archived messages in `[lo, hi)`, up to `most`, with all that was stored so far; the answer is an int."""

    lo: int
    hi: int
    most: int


@dataclass(frozen=True, slots=True)
class CatchUpBegins:
    """A report: newer messages than the newest covered one are fetched. `after` is that id."""

    after: int


@dataclass(frozen=True, slots=True)
class InitialFetchBegins:
    """A report: nothing of the channel is covered yet."""


@dataclass(frozen=True, slots=True)
class IterationBegins:
    """A report: deepening goes on. `current` of `target` messages (None: all) are held in the range that ends at the last id."""

    number: int
    current: int | None
    target: int | None


@dataclass(frozen=True, slots=True)
class IterationEnds:
    """A report: an initial fetch or a deepen iteration is over."""

    current: int | None
    target: int | None


Action = (
    Fetch
    | Store
    | ReadAccess
    | FindKnown
    | CountTop
    | CatchUpBegins
    | InitialFetchBegins
    | IterationBegins
    | IterationEnds
)
Walk = Generator[Action, Any, None]


@dataclass(frozen=True, slots=True)
class Goal:
    """What the user wants of a channel.

    `floor` is the lowest wanted id (never below the channel's own), `target` the number of newest messages (None: all),
    `batch` the messages per iteration, `max_iterations` the bound for deepening (None: none), `deepen` False leaves gaps
    below the newest covered id alone. `page_limit` is Discord's; only tests lower it.
    """

    floor: int
    target: int | None = None
    batch: int = 1000
    max_iterations: int | None = None
    deepen: bool = True
    page_limit: int = PAGE_LIMIT


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a channel when a walk begins, and how it grows as claims are made.

    `last_id` is the channel's last message id as Discord gave it before the walk. (A channel that never had a message
    has none, and needs no walk.)
    """

    channel_id: int
    last_id: int
    covered: Coverage

    def with_claim(self, claim: Range) -> "View":
        """Return the view with one more claim."""
        return replace(self, covered=self.covered.add(claim.lo, claim.hi))


def check(request: PageRequest, ids: Sequence[int]) -> None:
    """Raise MalformedPage if the ids are not strictly descending, outside the cursor, or more than were asked for."""
    where = f"channel {request.channel_id}"
    if len(ids) > request.limit:
        raise MalformedPage(f"{where}: a page of {len(ids)} messages where {request.limit} were asked for")
    if any(a <= b for a, b in pairwise(ids)):
        raise MalformedPage(f"{where}: a page with ids repeated or out of order")
    if ids and request.before is not None and ids[0] >= request.before:
        raise MalformedPage(f"{where}: a page with ids that are not below its cursor")
    if ids and request.after is not None and ids[-1] <= request.after:
        raise MalformedPage(f"{where}: a page with ids that are not above its cursor")


def prove(request: PageRequest, ids: Sequence[int], *, last_id: int, believe_empty: bool = False) -> Range | None:
    """Return the half-open range that this page proves to be fetched whole, or None.

    `ids` are the page's, newest first. `last_id` is the channel's last message id as known before the request was sent.
    `believe_empty` says that the right to read history was confirmed around an empty page.

    Raises MalformedPage as `check` does.
    """
    check(request, ids)
    if not ids and not believe_empty:
        return None
    full = len(ids) == request.limit
    if request.before is not None:
        lowest = ids[-1] if full else min((request.channel_id, *ids[-1:]))
        claim = Range(lowest, request.before)
    elif request.after is not None:
        highest = ids[0] if full else max((last_id, *ids[:1]))
        claim = Range(request.after + 1, highest + 1)
    else:
        raise ValueError("a page without a cursor proves nothing")
    return None if claim.empty else claim


def walk(view: View, goal: Goal) -> Walk:
    """Bring a channel to its goal: catch up, fetch initially where there is nothing, deepen. Newest first.

    Raises ChannelForbidden if the bot turns out to lack a right, MalformedPage if a page keeps making no sense.
    """
    if view.last_id < goal.floor:
        return
    if view.covered and view.last_id not in view.covered:
        view = yield from catch_up(view, goal)
    if not view.covered:
        yield InitialFetchBegins()
        wanted = goal.batch if goal.target is None else min(goal.batch, goal.target)
        view = yield from descend(view, Range(goal.floor, view.last_id + 1), wanted, Phase.INITIAL, goal.page_limit)
        yield IterationEnds((yield from _current(view, goal)), goal.target)
    spent = 0
    while goal.deepen and (goal.max_iterations is None or spent < goal.max_iterations):
        top = view.covered.top
        if top is None or not (gaps := view.covered.gaps(goal.floor, top.hi)):
            return
        current = yield from _current(view, goal)
        if goal.target is not None and current is not None and current >= goal.target:
            return
        spent += 1
        yield IterationBegins(spent, current, goal.target)
        need = None if goal.target is None or current is None else goal.target - current
        wanted = goal.batch if need is None else min(goal.batch, need)
        view = yield from descend(view, gaps[-1], wanted, Phase.DEEPEN, goal.page_limit)
        yield IterationEnds((yield from _current(view, goal)), goal.target)


def catch_up(view: View, goal: Goal) -> Generator[Action, Any, View]:
    """Close the gap above the newest covered id, oldest first, without a cap."""
    top = view.covered.top
    assert top is not None
    if top.hi > view.last_id:
        # The last id lies in a gap below a range that live events opened: deepening closes it.
        return view
    newest = top.hi - 1
    yield CatchUpBegins(newest)
    after = snowflake.shift_ms(newest, -OVERLAP_MS) if newest >= goal.floor else goal.floor - 1
    after = max(after, view.channel_id - 1)
    while True:
        request = PageRequest(view.channel_id, after=after, limit=goal.page_limit)
        ids, claim = yield from _ask(view, request, Phase.CATCH_UP)
        if claim is None:
            return view
        view = view.with_claim(claim)
        if len(ids) < request.limit or claim.hi > view.last_id:
            return view
        after = ids[0]


def descend(
    view: View, gap: Range, wanted: int, phase: Phase, page_limit: int = PAGE_LIMIT
) -> Generator[Action, Any, View]:
    """Fetch pages downwards through `gap` until it is closed, history starts, or `wanted` messages came."""
    before, fetched = gap.hi, 0
    while before > gap.lo and fetched < wanted:
        ids, claim = yield from _ask(view, PageRequest(view.channel_id, before=before, limit=page_limit), phase)
        if claim is None:
            return view
        view = view.with_claim(claim)
        fetched += len(ids)
        # The claim may have joined a range that was covered already: go on below that.
        joined = next(r for r in view.covered if claim.lo in r)
        before = joined.lo
    return view


def _current(view: View, goal: Goal) -> Generator[Action, Any, int | None]:
    """Count what is held in the range that ends at the last id; None where the target is "all"."""
    top = view.covered.top
    if goal.target is None:
        return None
    if top is None:
        return 0
    count = yield CountTop(top.lo, top.hi, goal.target)
    assert isinstance(count, int)
    return count


def _ask(view: View, request: PageRequest, phase: Phase) -> Generator[Action, Any, tuple[Sequence[int], Range | None]]:
    """Fetch one page, have it stored with what it proves, and return its ids and its claim."""
    ids = yield from _fetch(view, request, phase)
    empty = False
    if not ids:
        request, ids = yield from _examine_empty(view, request, phase)
        empty = not ids
    claim = prove(request, ids, last_id=view.last_id, believe_empty=empty)
    yield Store(request, claim, phase, from_empty_page=empty)
    return ids, claim


def _fetch(view: View, request: PageRequest, phase: Phase) -> Generator[Action, Any, Sequence[int]]:
    """Fetch a page whose order and cursor make sense. Raises MalformedPage if it never comes."""
    if request.before is not None:
        window = Range(0, request.before)
    else:
        assert request.after is not None
        window = Range(request.after + 1, snowflake.MAX)
    for attempt in range(MALFORMED_TRIES):
        ids: Sequence[int] = yield Fetch(request, phase, window)
        try:
            check(request, ids)
        except MalformedPage:
            # Its rows are worth having, its order proves nothing.
            yield Store(request, None, phase)
            if attempt == MALFORMED_TRIES - 1:
                raise
        else:
            return ids
    raise AssertionError(view)  # the loop returns or raises


def _examine_empty(
    view: View, request: PageRequest, phase: Phase
) -> Generator[Action, Any, tuple[PageRequest, Sequence[int]]]:
    """Return a request and its ids that may be believed in place of an empty page.

    First the same request with its cursor moved just past a message that is known: where that message shows, the page
    proves itself. A known message may have been deleted, so a second one is tried. Then the rights, read before and
    after the empty page is asked for once more.

    Raises ChannelForbidden if the rights don't allow reading.
    """
    tried: tuple[int, ...] = ()
    for _ in range(2):
        above = request.before is not None
        cursor = request.before if request.before is not None else request.after
        assert cursor is not None
        known = yield FindKnown(cursor, above=above, but_not=tried)
        if known is None:
            break
        shifted = replace(request, before=known + 1) if above else replace(request, after=known - 1)
        ids = yield from _fetch(view, shifted, phase)
        # A full page that ends before the cursor says nothing of what lies beyond it.
        beyond = bool(ids) and (ids[-1] < cursor if above else ids[0] > cursor)
        if ids and (beyond or len(ids) < shifted.limit):
            return shifted, ids
        tried = (*tried, known)
    yield from _require_access()
    ids = yield from _fetch(view, request, phase)
    if not ids:
        yield from _require_access()
    return request, ids


def _require_access() -> Generator[Action, Any, None]:
    access = yield ReadAccess()
    assert isinstance(access, Access)
    if not access.readable:
        raise ChannelForbidden(access.reason)
