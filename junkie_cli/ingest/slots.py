"""The slots of BACKFILL_CONCURRENCY: how many requests are sent and pages written at once.

Whoever waits for Discord, for a rate limit or for an answer, holds none. Else how far away Discord is would limit what the
rate limit does not (four requests at once, each 200 ms on its way, make 20 a second and not 45), and channels that get no
answer would hold up the others.

Whoever begins a window of its channel's rate limit goes first: the sooner a window begins, the sooner the next one does.
So do channels of which one is expected that does: a second's worth of requests may start at once, and what other channels'
further pages take of it, those would have to wait a second for. That is waited for a moment only, since with many channels
somebody always begins one.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final

AHEAD: Final = 0.3
"""So many seconds before its window is over a channel is expected to begin the next one."""

LONGEST_WAIT: Final = 0.5
"""Seconds for which a page that begins no window lets those go first that do. Five in a window of five seconds can bear it."""


class Slots:
    """So many slots, given to those who go first, then in the order in which they were asked for."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._first: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()
        self._expected: set[int] = set()
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._all_asked = asyncio.Event()
        self._all_asked.set()

    def expect(self, channel_ids: Iterable[int]) -> None:
        """Let pages that begin no window wait until these channels have asked for one that does, or are `settled`."""
        self._expected.update(channel_ids)
        if self._expected:
            self._all_asked.clear()

    def waits(self, channel_id: int, seconds: float) -> None:
        """Expect a channel to begin a window in so many seconds."""
        self.settled(channel_id)
        loop = asyncio.get_running_loop()
        self._timers[channel_id] = loop.call_later(max(seconds - AHEAD, 0.0), self.expect, [channel_id])

    def settled(self, channel_id: int) -> None:
        """Expect nothing of a channel any more: it has asked for a page, or needs none."""
        if (timer := self._timers.pop(channel_id, None)) is not None:
            timer.cancel()
        self._expected.discard(channel_id)
        if not self._expected:
            self._all_asked.set()

    @asynccontextmanager
    async def for_page(self, channel_id: int, *, opens: bool) -> AsyncIterator[None]:
        """Hold a slot while a page of a channel is asked for; `opens` says that this begins a window."""
        if not opens:
            self.settled(channel_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_WAIT):
                    await self._all_asked.wait()
        async with self._slot(self._first if opens else self._others):
            try:
                yield
            finally:
                self.settled(channel_id)

    def for_write(self) -> AbstractAsyncContextManager[None]:
        """Hold a slot while a page is written."""
        return self._slot(self._others)

    @asynccontextmanager
    async def _slot(self, queue: deque[asyncio.Future[None]]) -> AsyncIterator[None]:
        await self._enter(queue)
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
