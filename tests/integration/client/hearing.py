"""A gateway that runs, and a record of all that it tells."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from junkie_cli.client.gateway import Gateway, open_gateway
from junkie_cli.client.live_events import GuildAvailable, LiveEvent, MessageSeen, SessionBegan, SessionResumed
from tests.integration.client.conftest import Scene

T = TypeVar("T", bound=LiveEvent)


class Heard:
    """What was told so far, oldest first."""

    def __init__(self) -> None:
        self.events: list[LiveEvent] = []
        self.gateway: Gateway
        self._came = asyncio.Event()

    def hear(self, event: LiveEvent) -> None:
        self.events.append(event)
        self._came.set()

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def forget(self) -> None:
        self.events.clear()

    async def until(self, met: Callable[["Heard"], object]) -> None:
        while not met(self):
            self._came.clear()
            await self._came.wait()

    async def many(self, kind: type[T], count: int = 1) -> list[T]:
        await self.until(lambda heard: len(heard.of(kind)) >= count)
        return self.of(kind)

    async def messages(self, count: int) -> list[int]:
        """Wait for so many messages, and return the ids of all that came."""
        return [seen.parsed.message.message_id for seen in await self.many(MessageSeen, count)]

    async def begun(self, times: int = 1, guilds: int = 1) -> None:
        await self.many(SessionBegan, times)
        await self.many(GuildAvailable, guilds)

    async def resumed(self, times: int = 1) -> None:
        await self.many(SessionResumed, times)


@asynccontextmanager
async def opened(scene: Scene, hear: Callable[[LiveEvent], None], **how: Any) -> AsyncIterator[Gateway]:
    """Open a gateway whose waiting takes no time."""
    usual: dict[str, Any] = {"clock": scene.time.clock, "sleep": scene.time.sleep}
    async with open_gateway(scene.settings, scene.discord, hear, **usual | how) as gateway:
        yield gateway


@asynccontextmanager
async def hearing(scene: Scene, *, guilds: int = 1, **how: Any) -> AsyncIterator[Heard]:
    """Run a gateway, from its first guilds on to the end of the block."""
    heard = Heard()
    async with opened(scene, heard.hear, **how) as heard.gateway, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(heard.gateway.run())
        await heard.begun(guilds=guilds)
        yield heard
        running.cancel()


async def ended(scene: Scene, **how: Any) -> None:
    """Run a gateway until it ends by itself."""
    async with opened(scene, lambda _event: None, **how) as gateway:
        with contextlib.suppress(asyncio.CancelledError):
            await gateway.run()
