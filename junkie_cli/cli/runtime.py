"""What commands open, and how they are interrupted."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from junkie_cli.config import Settings
from junkie_cli.errors import INTERRUPTED

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient
    from junkie_cli.db.database import Database


def run_async(main: Coroutine[Any, Any, int]) -> int:
    """Run a command and return its exit code; Ctrl-C and SIGTERM cancel it, and give 130 once it has cleaned up."""

    async def guarded() -> int:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            # A second signal while cleaning up must not leave a server behind.
            loop.add_signal_handler(number, lambda: task.cancel() if not task.cancelling() else None)
        try:
            return await main
        except asyncio.CancelledError:
            return INTERRUPTED

    return asyncio.run(guarded())


@dataclass(frozen=True, slots=True)
class Opened:
    """A Discord client and a database, open."""

    discord: "DiscordClient"
    database: "Database"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Opened]:
    """Open the database, then the Discord client, and close them the other way round.

    Raises ConfigError without a token, TokenRejected, DiscordUnavailable and DatabaseError.
    """
    from junkie_cli.client.session import open_client
    from junkie_cli.db.database import open_database

    settings.require_token()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, size=settings.concurrency + 2))
        discord = await stack.enter_async_context(open_client(settings))
        yield Opened(discord, database)
