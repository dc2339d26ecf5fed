"""When a session may begin.

Discord resets the token of a bot that begins 1,000 sessions in a day, and refuses one that begins them too fast (docs,
"Session Start Limit Object", "Sharding"). So nobody sends an IDENTIFY but in a `turn`. A RESUME costs nothing.
"""

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from junkie_cli.client.discovery import Get
from junkie_cli.client.limiter import Clock, Sleep
from junkie_cli.errors import DiscordUnavailable

log = logging.getLogger(__name__)

RESERVE: Final = 100
"""So many starts are left for whoever else uses the token, and for the user's own tries."""

SPACING: Final = 5.0
"""Seconds between two IDENTIFYs of one bucket, `shard % max_concurrency`."""


@dataclass(frozen=True, slots=True)
class GatewayInfo:
    """What `GET /gateway/bot` says. `shards` is how many Discord recommends, `reset_after` is in seconds."""

    url: str
    shards: int
    total: int
    remaining: int
    reset_after: float
    max_concurrency: int


class SessionStarts:
    """Lets shards begin sessions one after another. `clock` is monotonic, in seconds."""

    def __init__(self, get: Get, clock: Clock, sleep: Sleep, api_url: str) -> None:
        self._get = get
        self._clock = clock
        self._sleep = sleep
        self._api_url = api_url
        self._concurrency = 1
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._last: dict[int, float] = {}

    async def read(self) -> GatewayInfo:
        """Ask Discord for the gateway's address and limits.

        Raises TokenRejected, DiscordUnavailable, ChannelError, TooManyInvalidRequests.
        """
        info = info_from_payload(await self._get("/gateway/bot", subject="the gateway"))
        if info is None:
            raise DiscordUnavailable(
                f"what answers at {self._api_url} about the gateway is not Discord",
                hint="correct DISCORD_API_URL, or unset it",
            )
        self._concurrency = info.max_concurrency
        return info

    @asynccontextmanager
    async def turn(self, shard_id: int) -> AsyncIterator[str]:
        """Wait until the shard may begin a session; it sends its IDENTIFY, to the address that is given, inside the block.

        Raises what `read` does.
        """
        bucket = shard_id % self._concurrency
        async with self._turns[bucket]:
            while (info := await self.read()).remaining < min(RESERVE, info.total // 10):
                wait = max(info.reset_after, 1.0)
                log.warning(
                    "only %d of %d session starts are left; the next one is in %.0f s, when Discord counts anew",
                    *(info.remaining, info.total, wait),
                )
                await self._sleep(wait)
            if (wait := self._last.get(bucket, -math.inf) + SPACING - self._clock()) > 0:
                await self._sleep(wait)
            try:
                yield info.url
            finally:
                self._last[bucket] = self._clock()


def info_from_payload(payload: Any) -> GatewayInfo | None:
    """Read what Discord says of its gateway; None for what makes no sense."""
    payload = payload if isinstance(payload, dict) else {}
    limit = payload.get("session_start_limit")
    limit = limit if isinstance(limit, dict) else {}
    url = payload.get("url")
    numbers = (payload.get("shards"), *(limit.get(key) for key in ("total", "remaining", "reset_after")))
    if not _is_address(url) or not all(type(number) is int and number >= 0 for number in numbers):
        return None
    shards, total, remaining, reset_after_ms = numbers
    concurrency = limit.get("max_concurrency")
    concurrency = concurrency if type(concurrency) is int and concurrency > 0 else 1
    return GatewayInfo(url, max(shards, 1), total, remaining, reset_after_ms / 1000, concurrency)


def _is_address(url: object) -> bool:
    if type(url) is not str:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"ws", "wss"} and bool(parts.hostname)
