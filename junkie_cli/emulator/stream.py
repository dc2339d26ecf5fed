"""People who talk without pause: so many events a second, for benchmarks and the demo."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from junkie_cli.emulator import chatter
from junkie_cli.emulator.state import find
from junkie_cli.emulator.world import World

TICK_S: Final = 0.005
TEXTS: Final = 512
RECENT: Final = 2000
"""How many of its latest messages a stream may edit or delete."""


@dataclass(slots=True)
class Streamed:
    """What a stream did, in how many seconds."""

    posted: int = 0
    edited: int = 0
    deleted: int = 0
    seconds: float = 0.0

    @property
    def events(self) -> int:
        """All of them."""
        return self.posted + self.edited + self.deleted


class Stream:
    """Posts into channels in turn; `edits` and `deletes` are the shares of events that change what it posted lately.

    `clock` is monotonic, in seconds; `now_ms` is when a message says it was posted, in ms since 1970.
    """

    def __init__(
        self,
        world: World,
        channel_ids: Sequence[int],
        *,
        edits: float = 0.0,
        deletes: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        if not channel_ids:
            raise ValueError("a stream needs a channel to flow into")
        self._world = world
        self._channels = [world.channel(channel_id).id for channel_id in channel_ids]
        self._edits, self._deletes = edits, deletes
        self._clock, self._now_ms, self._sleep = clock, now_ms, sleep
        self._random = random.Random(world.seed)  # noqa: S311  # repeatable, no secret
        self._texts = chatter.plain(self._random, TEXTS)
        self._recent: deque[tuple[int, int]] = deque(maxlen=RECENT)
        self._done = Streamed()

    async def run(self, rate: float, seconds: float) -> Streamed:
        """Make `rate` events a second for so many seconds, evenly; what comes late is made up for at once."""
        began = self._clock()
        total = round(rate * seconds)
        while self._done.events < total:
            passed = self._clock() - began
            for _ in range(min(int(passed * rate) + 1, total) - self._done.events):
                self._act()
            await self._sleep(TICK_S)
        self._done.seconds = self._clock() - began
        return self._done

    def _act(self) -> None:
        dice = self._random.random()
        text = self._texts[self._done.events % TEXTS]
        if dice < self._edits + self._deletes and (chosen := self._choose()) is not None:
            channel_id, message_id = chosen
            if dice < self._edits:
                self._world.edit(channel_id, message_id, f"{text} (again)", at_ms=self._now_ms())
                self._recent.append(chosen)
                self._done.edited += 1
            else:
                self._world.delete(channel_id, message_id)
                self._done.deleted += 1
            return
        channel_id = self._channels[self._done.posted % len(self._channels)]
        self._recent.append((channel_id, self._world.post(channel_id, text, at_ms=self._now_ms())))
        self._done.posted += 1

    def _choose(self) -> tuple[int, int] | None:
        """Take one of the latest messages that nobody else has deleted; None if there is none."""
        while self._recent:
            self._recent.rotate(self._random.randrange(len(self._recent)))
            channel_id, message_id = self._recent.popleft()
            channel = self._world.channels.get(channel_id)
            if channel is not None and find(channel, message_id) is not None:
                return channel_id, message_id
        return None
