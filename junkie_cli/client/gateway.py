"""Discord's gateway: what happens in every server of the bot, as it happens."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from discord import Intents

from junkie_cli.client.limiter import Clock, Sleep
from junkie_cli.client.live_events import OnEvent, Phase, ShardState
from junkie_cli.client.session import DiscordClient
from junkie_cli.client.shard import Means, Shard
from junkie_cli.client.starts import SessionStarts
from junkie_cli.client.transport import Patience
from junkie_cli.config import Settings

RECONNECTING: Final = Patience(first=1.0, longest=60.0, timeout=20.0)
"""Between the attempts to reach the gateway, of which there is no last one; `timeout` is for connecting."""

HEARTBEAT_TIMEOUT: Final = 60.0
"""Seconds without a word after which a connection counts as dead."""


@dataclass(slots=True)
class Gateway:
    """The shards of a bot. Use `open_gateway`."""

    _shards: tuple[Shard, ...]
    _running: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def state(self) -> tuple[ShardState, ...]:
        """How each shard does now."""
        return tuple(shard.state for shard in self._shards)

    @property
    def is_ready(self) -> bool:
        """True while every shard hears its events."""
        return all(state.phase is Phase.READY for state in self.state)

    async def run(self) -> None:
        """Hear events until cancelled; then close every session.

        A connection that is lost is taken up again, for as long as it takes. Raises what no retry can help: TokenRejected,
        ContentIntentMissing, ConfigError, TooManyInvalidRequests; and whatever the hearer of the events raises.
        """
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            async with asyncio.TaskGroup() as group:
                for shard in self._shards:
                    group.create_task(shard.run())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            self._running.discard(task)

    async def close(self) -> None:
        """Cancel `run`, and wait for its end."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(tuple(self._running))


@asynccontextmanager
async def open_gateway(
    settings: Settings,
    discord: DiscordClient,
    on_event: OnEvent,
    *,
    shards: int | None = None,
    content: bool = True,
    patience: Patience = RECONNECTING,
    heartbeat_timeout: float = HEARTBEAT_TIMEOUT,
    rng: random.Random | None = None,
    clock: Clock = time.monotonic,
    sleep: Sleep = asyncio.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[Gateway]:
    """Make ready to hear what happens; `run` the gateway to connect. It is closed when the block ends.

    `on_event` is called with each event in the order of its shard. It must not raise: that would end the gateway.
    `shards` is how many connections share the servers, unset as many as Discord recommends. Not `content`, messages come
    without their text: for an application that lacks the MESSAGE_CONTENT intent.

    Raises TokenRejected, DiscordUnavailable, ChannelError, TooManyInvalidRequests.
    """
    starts = SessionStarts(discord.api.get, clock, sleep, settings.api_url)
    info = await starts.read()
    means = Means(
        http=discord.api.http,
        starts=starts,
        # Those two that the archive needs beside the servers themselves; the bot's own member comes without asking.
        intents=Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=content),
        me=discord.me.user_id,
        clock=clock,
        sleep=sleep,
        rng=rng or random.Random(),  # noqa: S311  # jitter, no secret
        now=now,
        patience=patience,
        heartbeat_timeout=heartbeat_timeout,
    )
    count = shards or info.shards
    gateway = Gateway(tuple(Shard(shard_id, count, means, on_event) for shard_id in range(count)))
    try:
        yield gateway
    finally:
        await gateway.close()
