"""Discord's rate limits, and what their headers say (docs, "Rate Limits").

Each limit is a fixed window that begins with the first request in it. A refused request does not prolong it.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

VIA: Final = "1.1 google"
"""What Discord's proxy adds to every answer; clients take a 429 without it for a ban."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in a window of so many seconds."""

    limit: int
    window: float


@dataclass(frozen=True, slots=True)
class Limits:
    """Which limits hold; None switches one off.

    `messages` is per channel, for GET messages; `total` is the bot's, over all routes; `others` is per route and
    channel or guild. `headers` is what answers to GET messages say of their limit: the truth; "wrong", as Discord has
    done (discord-api-docs #8161): 999 of 1000 left, until a 429 says 0 of 5; or nothing.
    """

    messages: Rate | None = Rate(5, 5.0)
    total: Rate | None = Rate(50, 1.0)
    others: Rate | None = None
    headers: Literal["true", "wrong", "none"] = "true"

    @classmethod
    def off(cls) -> "Limits":
        """Return no limits at all."""
        return cls(messages=None, total=None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 429: headers and body."""

    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(slots=True)
class _Window:
    began: float
    used: int = 0


class Limiter:
    """Counts requests. `clock` is monotonic, in seconds; `wall` is the time that X-RateLimit-Reset is told in."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self.limits = limits
        self._clock = clock
        self._wall = wall
        self._windows: dict[tuple[str, int], _Window] = {}

    def set(self, limits: Limits) -> None:
        """Replace the limits and forget what was used."""
        self.limits = limits
        self._windows.clear()

    def admit(self, route: str, major: int) -> tuple[dict[str, str], Refusal | None]:
        """Count a request to a route of that channel or guild; return the headers of its answer, or a refusal."""
        now = self._clock()
        if (total := self.limits.total) is not None:
            used, left = self._use(("", 0), total, now)
            if used > total.limit:
                return {}, refusal(left, scope="global")
        rate = self.limits.messages if route == "messages" else self.limits.others
        if rate is None:
            return {}, None
        used, left = self._use((route, major), rate, now)
        headers = self._headers(route, rate.limit, max(rate.limit - used, 0), left)
        if used > rate.limit:
            return {}, refusal(left, scope="user", headers=headers)
        if route == "messages" and self.limits.headers != "true":
            headers = self._headers(route, 1000, 999, left) if self.limits.headers == "wrong" else {}
        return headers, None

    def _use(self, key: tuple[str, int], rate: Rate, now: float) -> tuple[int, float]:
        window = self._windows.get(key)
        if window is None or now - window.began >= rate.window:
            window = self._windows[key] = _Window(now)
        window.used += 1
        return window.used, window.began + rate.window - now

    def _headers(self, route: str, limit: int, remaining: int, left: float) -> dict[str, str]:
        left = _ceil_ms(left)
        return {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": f"{self._wall() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": hashlib.md5(route.encode(), usedforsecurity=False).hexdigest(),
        }


def refusal(left: float, *, scope: str, headers: dict[str, str] | None = None) -> Refusal:
    """Return a 429 that asks to wait so many seconds; a global one has no bucket headers."""
    left = _ceil_ms(left)
    found = dict(headers or {}) | {"Retry-After": str(math.ceil(left)), "X-RateLimit-Scope": scope}
    if scope == "global":
        found["X-RateLimit-Global"] = "true"
    body = {"message": "You are being rate limited.", "retry_after": left, "global": scope == "global"}
    return Refusal(found, body)


def _ceil_ms(seconds: float) -> float:
    """Round up, so that whoever waits as told is never early."""
    return math.ceil(seconds * 1000) / 1000
