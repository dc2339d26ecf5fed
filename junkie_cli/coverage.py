"""Coverage: which ids of a channel the archive has fetched, as a set of half-open ranges.

Invariant: the ranges of a `Coverage` are sorted, not empty, and neither overlap nor touch. PostgreSQL's
int8multirange keeps the same normal form, so that a value survives the round trip unchanged.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


class Range(NamedTuple):
    """The ids `lo <= id < hi`."""

    lo: int
    hi: int

    def __contains__(self, snowflake: object) -> bool:
        return isinstance(snowflake, int) and self.lo <= snowflake < self.hi

    @property
    def empty(self) -> bool:
        """True if no id lies in it."""
        return self.lo >= self.hi

    def clamp(self, lo: int, hi: int) -> "Range":
        """Return the part that lies in `[lo, hi)`; may be empty."""
        return Range(max(self.lo, lo), min(self.hi, hi))


@dataclass(frozen=True, slots=True)
class Coverage:
    """A normalised set of ranges, ascending. Build one with `Coverage.of`."""

    ranges: tuple[Range, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> "Coverage":
        """Normalise any ranges: sort, drop the empty, join what overlaps or touches."""
        joined: list[Range] = []
        for lo, hi in sorted(ranges):
            if lo >= hi:
                continue
            if joined and lo <= joined[-1].hi:
                joined[-1] = Range(joined[-1].lo, max(joined[-1].hi, hi))
            else:
                joined.append(Range(lo, hi))
        return cls(tuple(joined))

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __iter__(self) -> Iterator[Range]:
        return iter(self.ranges)

    def __contains__(self, snowflake: int) -> bool:
        return any(snowflake in r for r in self.ranges)

    def add(self, lo: int, hi: int) -> "Coverage":
        """Return this and `[lo, hi)` together."""
        return Coverage.of((*self.ranges, (lo, hi)))

    def covers(self, lo: int, hi: int) -> bool:
        """Return True if every id of `[lo, hi)` lies within."""
        return lo >= hi or any(r.lo <= lo and hi <= r.hi for r in self.ranges)

    def gaps(self, lo: int, hi: int) -> tuple[Range, ...]:
        """Return what `[lo, hi)` has beyond this, ascending."""
        found: list[Range] = []
        for r in self.ranges:
            if r.hi <= lo:
                continue
            if r.lo >= hi:
                break
            if r.lo > lo:
                found.append(Range(lo, r.lo))
            lo = r.hi
        if lo < hi:
            found.append(Range(lo, hi))
        return tuple(found)

    @property
    def top(self) -> Range | None:
        """The range that holds the newest covered ids."""
        return self.ranges[-1] if self.ranges else None
