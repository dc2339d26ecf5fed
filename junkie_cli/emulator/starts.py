"""How often a bot may IDENTIFY (docs, "Session Start Limit Object")."""

import math
from collections.abc import Callable
from typing import Any, Final

DAY_S: Final = 86_400.0


class SessionStarts:
    """Counts IDENTIFYs in a window that begins with the first one. `clock` is monotonic, in seconds.

    `spacing` is the seconds that must lie between two of them in one bucket, `shard % max_concurrency`: Discord's are 5,
    here it is off until it is set.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.shards = 1
        self.total = self._remaining = 1000
        self.max_concurrency = 1
        self.spacing = 0.0
        self._clock = clock
        self._ends: float | None = None
        self._last: dict[int, float] = {}

    def set(
        self,
        *,
        total: int | None = None,
        remaining: int | None = None,
        reset_after_ms: int | None = None,
        max_concurrency: int | None = None,
        spacing: float | None = None,
        shards: int | None = None,
    ) -> None:
        """Change what is given; `shards` is how many of them Discord recommends."""
        self.total = self.total if total is None else total
        if remaining is not None:
            self._remaining = remaining
            self._ends = self._ends or self._clock() + DAY_S
        if reset_after_ms is not None:
            self._ends = self._clock() + reset_after_ms / 1000
        self.max_concurrency = max_concurrency or self.max_concurrency
        self.spacing = self.spacing if spacing is None else spacing
        self.shards = shards or self.shards

    def as_json(self) -> dict[str, Any]:
        """Return a session start limit object; `reset_after` in ms."""
        self._pass_time()
        left = 0.0 if self._ends is None else self._ends - self._clock()
        return {
            "total": self.total,
            "remaining": self._remaining,
            "reset_after": math.ceil(left * 1000),
            "max_concurrency": self.max_concurrency,
        }

    def take(self) -> bool:
        """Count one IDENTIFY; False if none is left, for which Discord resets the token."""
        self._pass_time()
        if self._remaining <= 0:
            return False
        self._remaining -= 1
        self._ends = self._ends or self._clock() + DAY_S
        return True

    def too_soon(self, shard: int) -> bool:
        """Tell whether a shard's bucket had its IDENTIFY just now; if not, it has it with this call."""
        bucket, now = shard % self.max_concurrency, self._clock()
        if now - self._last.get(bucket, -math.inf) < self.spacing:
            return True
        self._last[bucket] = now
        return False

    def _pass_time(self) -> None:
        if self._ends is not None and self._clock() >= self._ends:
            self._remaining, self._ends = self.total, None
