"""A clock for clients that talk to a real server: sleeping takes no time, and moves the clock on."""

import asyncio
import time


class Jumping:
    """Pass `clock` and `sleep` to a client; `slept` is what it slept, in seconds."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return time.monotonic() + self._ahead

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._ahead += seconds
        await asyncio.sleep(0)
