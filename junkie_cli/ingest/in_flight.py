"""The places of BACKFILL_CONCURRENCY: how many requests and writes are in flight at once.

Where places are scarce, whoever begins a window of its channel's rate limit goes first: the sooner a window begins, the
sooner the next one does.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class InFlight:
    """So many places, given to those who go first, then in the order in which they were asked for."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._first: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def place(self, *, first: bool = False) -> AsyncIterator[None]:
        """Hold a place for as long as the block lasts."""
        await self._enter(self._first if first else self._others)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, queue: deque[asyncio.Future[None]]) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                # The place came at the same moment.
                self._leave()
            raise

    def _leave(self) -> None:
        for queue in (self._first, self._others):
            while queue:
                if not (turn := queue.popleft()).done():
                    turn.set_result(None)
                    return
        self._free += 1
