"""A channel's life as a bar of cells: which stretches of it are archived. Pure.

Invariant: a stretch that is missing shows, however short it is: a cell is full only if all of its ids are covered.
"""

from typing import Final, NamedTuple

from junkie_cli.coverage import Coverage


class Signs(NamedTuple):
    """What a cell looks like: all of it archived, some of it, nothing."""

    full: str
    part: str
    none: str


BLOCKS: Final = Signs("█", "▒", "░")
ASCII: Final = Signs("#", "+", ".")


def timeline(covered: Coverage, lo: int, hi: int, cells: int, signs: Signs = BLOCKS) -> str:
    """Return the ids `[lo, hi)` as that many cells, oldest first; blank if there is no id in it."""
    span = hi - lo
    if span <= 0 or cells <= 0:
        return " " * max(cells, 0)
    bar: list[str] = []
    ranges = iter(covered)
    current = next(ranges, None)
    for cell in range(cells):
        begin = lo + span * cell // cells
        # Where there are more cells than ids, several cells show one id.
        end = max(lo + span * (cell + 1) // cells, begin + 1)
        while current is not None and current.hi <= begin:
            current = next(ranges, None)
        if current is None or current.lo >= end:
            bar.append(signs.none)
        else:
            bar.append(signs.full if current.lo <= begin and end <= current.hi else signs.part)
    return "".join(bar)
