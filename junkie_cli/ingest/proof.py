"""What a page proves. Pure: no I/O, no clock.

Invariant: a range is claimed only if every message that Discord had there, when the page was asked for, is on that page.
All claims come from `prove`.

- `before=B`, full page: `[lowest id, B)`. Short page: `[channel's own id, B)`, and the start of history is reached.
- `after=A`, full page: `[A + 1, highest id + 1)`. Short page: up to the highest id or the last message id that was known
  before the request, whichever is larger. No claim goes above that.
- A page whose ids are outside its cursor, repeated or out of order proves nothing.
- An empty page proves nothing alone: without the right to read history Discord answers 200 with no messages. It is
  replaced by a page whose cursor is shifted so that a message known to stand there is on it, and, where none is known,
  believed if the rights were read just before and just after it and allowed reading both times.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from junkie_cli import snowflake
from junkie_cli.coverage import Range
from junkie_cli.errors import ChannelForbidden, MalformedPage
from junkie_cli.ingest.steps import Action, Fetch, FindKnown, IsThere, Phase, ReadAccess, Store, View
from junkie_cli.models import Access, PageRequest

MALFORMED_TRIES: Final = 3
"""How often a page that proves nothing is asked for before its channel fails."""


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


def ask(view: View, request: PageRequest, phase: Phase) -> Generator[Action, Any, tuple[Sequence[int], Range | None]]:
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
    proves itself. One that does not show must be gone, else Discord shows less than it has; then a second one is tried.
    Last the rights, read before and after the empty page is asked for once more.

    Raises ChannelForbidden if the rights don't allow reading, MalformedPage if a message is there and not shown.
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
        if known not in ids:
            yield from _require_access()
            if (yield IsThere(known)):
                raise MalformedPage(f"channel {view.channel_id}: an empty page where message {known} stands")
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
