"""What comes in: counters, and everything that stands between a request and its answer."""

import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, Final

from junkie_cli.emulator.faults import Faults
from junkie_cli.emulator.limits import Limiter, Limits

LOG_LENGTH: Final = 20_000
INVALID: Final = frozenset({401, 403, 429})


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came: `at` is in seconds of a monotonic clock."""

    at: float
    route: str
    major: int
    query: dict[str, str]


@dataclass(slots=True)
class Counts:
    """Requests since the start or the last reset.

    `routes` and `channels` count all that came, `statuses` what was answered (0: no answer, or a broken one);
    `channels` are page requests alone. `invalid` is what Discord would ban for. `peak` is the most page requests that
    were under way at once.
    """

    total: int = 0
    messages: int = 0
    invalid: int = 0
    peak: int = 0
    routes: Counter[str] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """Return plain values; JSON makes text of the ids."""
        plain = {name: getattr(self, name) for name in ("total", "messages", "invalid", "peak")}
        return plain | {"routes": self.routes, "channels": self.channels, "statuses": self.statuses}


class Traffic:
    """The settings and the record of a server's requests."""

    def __init__(self, *, limits: Limits, latency_ms: float, seed: int) -> None:
        self.limiter = Limiter(limits, clock=time.monotonic, wall=time.time)
        self.faults = Faults(seed)
        self.latency_ms = latency_ms
        self.ahead_s = 0.0
        self.log: deque[Seen] = deque(maxlen=LOG_LENGTH)
        self._counts = Counts()
        self._under_way = 0

    def counts(self) -> Counts:
        """Return the counters; they go on counting."""
        return self._counts

    def reset_counts(self) -> Counts:
        """Begin to count anew, and return what was counted."""
        before, self._counts = self._counts, Counts()
        self.log.clear()
        return before

    def set_latency(self, latency_ms: float) -> None:
        """Let every answer take so long, half of it on either way."""
        self.latency_ms = latency_ms

    def set_clock(self, ahead_s: float) -> None:
        """Let every answer's Date be so many seconds ahead of this machine's clock."""
        self.ahead_s = ahead_s

    def came(self, route: str, major: int, query: dict[str, str]) -> None:
        """Count a request that came."""
        counts = self._counts
        counts.total += 1
        counts.routes[route] += 1
        self.log.append(Seen(time.monotonic(), route, major, query))
        if route == "messages":
            counts.messages += 1
            counts.channels[major] += 1
            self._under_way += 1
            counts.peak = max(counts.peak, self._under_way)

    def went(self, route: str, status: int, *, scope: str | None) -> None:
        """Count its answer; status 0: none, or a broken one."""
        self._counts.statuses[status] += 1
        if status in INVALID and scope != "shared":
            self._counts.invalid += 1
        if route == "messages":
            self._under_way -= 1
