"""How fast the bot may ask: the limit over all routes, and the count of requests that Discord took badly.

Discord allows a bot 50 requests a second over all routes, and bans an address for 10,000 invalid requests in ten minutes
(docs, "Rate Limits"). All time is monotonic and in seconds.
"""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from junkie_cli.errors import TooManyInvalidRequests

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

DEFAULT_RATE: Final = 45.0
"""Requests a second that all of one bot's processes together may make: Discord's 50, less a margin."""

LONGEST_YIELD: Final = 0.2
"""Seconds for which a request that need not be quick lets others go first."""

FEW: Final = 8
"""How many requests may have begun at once when one that need not be quick joins them: bursts are for the others."""

_LOOK_EVERY: Final = 0.01

INVALID_LIMIT: Final = 1_000
INVALID_WINDOW: Final = 600.0


class GlobalLimiter:
    """Lets requests start at a rate. `rate()` is asked anew each time, in requests a second; math.inf switches it off.

    As many as a second allows may start at once, so that many channels' windows begin together. Invariant: any longer
    stretch of time holds no more than if all were evenly paced. So whatever follows a burst is paced, and the next burst
    comes after a second of rest; requests that are held up on their way crowd into one of Discord's seconds no more
    than paced ones would.

    Callers are served in the order in which they came, but for those that yield.
    """

    def __init__(self, rate: Callable[[], float], *, clock: Clock, sleep: Sleep) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._last_rate = math.nan
        self._starts: deque[float] = deque()
        self._due = -math.inf
        self._paused_until = 0.0
        self._turn = asyncio.Lock()
        self._behind = asyncio.Lock()
        self._ahead = 0

    async def acquire(self, *, yielding: bool = False) -> None:
        """Wait until one more request may start.

        A `yielding` one lets those that are not go first, and leaves them what may start at once; but not for long.
        """
        if yielding:
            async with self._behind:
                deadline = self._clock() + LONGEST_YIELD
                while (self._ahead or self._crowded()) and self._clock() < deadline:
                    await self._sleep(_LOOK_EVERY)
                await self._acquire()
            return
        self._ahead += 1
        try:
            await self._acquire()
        finally:
            self._ahead -= 1

    async def _acquire(self) -> None:
        async with self._turn:
            while (wait := self._take()) > 0:
                await self._sleep(wait)

    def pause(self, seconds: float) -> None:
        """Let nobody start for that long, and no burst thereafter: Discord said so, of all routes."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)
        self._due = max(self._due, self._paused_until)

    def _crowded(self) -> bool:
        """Say whether the last few requests started closer together than if evenly paced."""
        if len(self._starts) < FEW:
            return False
        # Whoever looks only so often must not fall behind the rate for that.
        return self._clock() < self._starts[-FEW] + FEW / max(self._rate(), 0.1) - _LOOK_EVERY

    def _take(self) -> float:
        """Count one start and return 0, or return how long to wait for it."""
        now = self._clock()
        if now < self._paused_until:
            return self._paused_until - now
        rate = max(self._rate(), 0.1)
        if rate == math.inf:
            return 0.0
        if rate != self._last_rate:
            # Others have come or gone: what was not used until now was theirs, too.
            if not math.isnan(self._last_rate):
                self._due = max(self._due, now)
            self._last_rate = rate
        # The n-th start comes j / rate or more after the (n - j)-th, for every j from `at_once` on: for `at_once` itself
        # that is looked up, for all beyond it holds if it does for the start before this one.
        at_once = max(math.floor(rate), 1)
        due = self._due + 1 / rate
        if len(self._starts) >= at_once:
            due = max(due, self._starts[-at_once] + at_once / rate)
        if now < due:
            # Never so little that the clock does not move.
            return max(due - now, 1e-4)
        self._due = due
        self._starts.append(now)
        # For so long one counts: a second, and then as long as rest may be saved up.
        while len(self._starts) > 1 and self._starts[0] < now - 2.0:
            self._starts.popleft()
        return 0.0


class InvalidRequests:
    """Counts answers 401, 403 and 429 in the last ten minutes, and stops everything long before Discord's ban."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: deque[float] = deque()

    def note(self) -> None:
        """Count one."""
        self._times.append(self._clock())

    def check(self) -> None:
        """Call it before each request. Raises TooManyInvalidRequests."""
        now = self._clock()
        while self._times and self._times[0] <= now - INVALID_WINDOW:
            self._times.popleft()
        if len(self._times) >= INVALID_LIMIT:
            raise TooManyInvalidRequests(
                f"stopped after {len(self._times)} refused requests (401, 403, 429) in ten minutes;"
                " at 10,000 Discord bans this address",
                hint="wait ten minutes, see what else uses this bot token, and run it again",
            )
