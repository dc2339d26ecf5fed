"""How fast the bot may ask: the limit over all routes, and the count of requests that Discord took badly.

Discord allows a bot 50 requests a second over all routes, and bans an address for 10,000 invalid requests in ten minutes
(docs, "Rate Limits"). All time is monotonic and in seconds.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from junkie_cli.errors import TooManyInvalidRequests

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]

DEFAULT_RATE: Final = 45.0
"""Requests a second that all of one bot's processes together may make: Discord's 50, less a margin."""

BURST: Final = 4.0
"""How many may start at once after a quiet moment: with DEFAULT_RATE, at most 49 start in any second."""

LONGEST_YIELD: Final = 0.2
"""Seconds for which a request that need not be quick lets others go first."""

_LOOK_EVERY: Final = 0.01

INVALID_LIMIT: Final = 1_000
INVALID_WINDOW: Final = 600.0


class GlobalLimiter:
    """A token bucket over all requests. `rate()` is asked anew each time, in requests a second; math.inf switches it off.

    Callers are served in the order in which they came, but for those that yield.
    """

    def __init__(self, rate: Callable[[], float], *, clock: Clock, sleep: Sleep) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._tokens = BURST
        self._filled = clock()
        self._paused_until = 0.0
        self._turn = asyncio.Lock()
        self._behind = asyncio.Lock()
        self._ahead = 0

    async def acquire(self, *, yielding: bool = False) -> None:
        """Wait until one more request may start; a `yielding` one lets those that are not go first, for a while."""
        if yielding:
            async with self._behind:
                deadline = self._clock() + LONGEST_YIELD
                while self._ahead and self._clock() < deadline:
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
        """Let nobody start for that long: Discord said so, of all routes."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def _take(self) -> float:
        """Take a token and return 0, or return how long to wait for one."""
        now = self._clock()
        if now < self._paused_until:
            return self._paused_until - now
        rate = max(self._rate(), 0.1)
        if rate == float("inf"):
            return 0.0
        # A process that has a part of the rate has the same part of the burst, else many could exceed the limit together.
        burst = max(1.0, BURST * min(rate / DEFAULT_RATE, 1.0))
        self._tokens = min(burst, self._tokens + (now - self._filled) * rate)
        self._filled = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        # Never so little that the clock does not move.
        return max((1.0 - self._tokens) / rate, 1e-4)


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
