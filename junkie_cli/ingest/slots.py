"""The slots of BACKFILL_CONCURRENCY: how many requests are sent and pages written at once.

Whoever waits for Discord, for a rate limit or for an answer, holds none. Else how far away Discord is would limit what the
rate limit does not (four requests at once, each 200 ms on its way, make 20 a second and not 45), and channels that get no
answer would hold up the others.

Where slots are scarce, whoever begins a window of its channel's rate limit goes first: the sooner a window begins, the
sooner the next one does.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    """So many slots, given to those who go first, then in the order in which they were asked for."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._first: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def slot(self, *, first: bool = False) -> AsyncIterator[None]:
        """Hold a slot for as long as the block lasts."""
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
                # The slot came at the same moment.
                self._leave()
            raise

    def _leave(self) -> None:
        for queue in (self._first, self._others):
            while queue:
                if not (turn := queue.popleft()).done():
                    turn.set_result(None)
                    return
        self._free += 1
