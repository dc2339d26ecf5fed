"""Which pages a reconcile asks for, to find edits and deletions that no event told of. Pure: no I/O, no clock.

It goes down through what is covered, from the newest id, and jumps over gaps: what is not archived can't have changed.
What was asked for in the same run already, by catching up, is not asked for again. What a page means for the rows in its
claim is the writer's business; an empty page means nothing for them, so a stretch that only an empty page claims was
not compared.
"""

from junkie_cli.coverage import Coverage, Range
from junkie_cli.ingest.proof import ask
from junkie_cli.ingest.steps import CountTop, Extent, FindCompared, Phase, ReconcileEnds, View, Walk
from junkie_cli.models import PageRequest


def reconcile(view: View, extent: Extent, fresh: Coverage) -> Walk:
    """Compare what is archived with Discord, newest first. `fresh` is what was compared in this run already.

    Raises ChannelForbidden if the bot turns out to lack a right, MalformedPage if a page keeps making no sense.
    """
    if not view.covered:
        return
    lowest = view.covered.ranges[0].lo
    cursor, compared, unproven = view.covered.ranges[-1].hi, 0, False
    while (below := _below(view.covered, cursor)) is not None:
        if (extent.limit is not None and compared >= extent.limit) or below.hi <= extent.floor:
            break
        cursor = below.hi
        if (done := _below(fresh, cursor)) is not None and done.hi == cursor:
            if extent.limit is not None:
                compared += yield CountTop(done.lo, cursor, extent.limit - compared)
            cursor = done.lo
            continue
        request = PageRequest(view.channel_id, before=cursor, limit=extent.page_limit)
        ids, claim = yield from ask(view, request, Phase.RECONCILE)
        assert claim is not None
        part = yield FindCompared()
        compared += sum(part.lo <= snowflake < cursor for snowflake in ids)
        if (not ids and (yield CountTop(claim.lo, cursor, 1))) or part.lo >= cursor:
            # Asked for again, the page would say no more.
            unproven = True
            cursor = claim.lo
        else:
            cursor = max(part.lo, claim.lo)
    yield ReconcileEnds(whole=not unproven and cursor <= lowest)


def _below(coverage: Coverage, cursor: int) -> Range | None:
    """Return the highest part of the coverage below the cursor."""
    parts = [r.clamp(0, cursor) for r in coverage if r.lo < cursor]
    return parts[-1] if parts else None
