"""One command among others that share a database: its heartbeat, its part of the rate limit, the channels it has taken.

Heartbeat and channel locks live on one connection of their own, so that they die with the process, however it dies.
Losing that connection loses the locks: then two commands may work on one channel, which wastes a request at worst, and
so may two runs of a command that should run once.
"""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import psycopg

from junkie_cli.db.connecting import Connection
from junkie_cli.db.database import Database
from junkie_cli.db.queries import query
from junkie_cli.errors import DatabaseError

LOOK_SECONDS: Final = 1.0
"""How often the number of workers is looked at."""

BEAT_SECONDS: Final = 4.0

log = logging.getLogger(__name__)


class Presence:
    """This command's place among the workers. Made by `present`.

    `hears_all` says whether nothing happens in Discord of which it is not told; for that others may rely on it.
    """

    def __init__(self, database: Database, connection: Connection, command: str, bot_id: int) -> None:
        self._database = database
        self._connection = connection
        self._command = command
        self._bot_id = bot_id
        self._worker_id = 0
        self._progressed = False
        self.sharing = 1
        self.uses_discord = True
        self.hears_all: Callable[[], bool] = lambda: False

    def progressed(self) -> None:
        """Note that something was stored."""
        self._progressed = True

    async def try_lock(self, channel_id: int) -> bool:
        """Take a channel. Returns False if another command has it."""
        try:
            return bool((await self._row("try_lock_channel", channel_id=channel_id))[0])
        except psycopg.Error as error:
            log.debug("no lock on channel %s: %s", channel_id, type(error).__name__, extra={"channel_id": channel_id})
            return True

    async def unlock(self, channel_id: int) -> None:
        """Give a channel back."""
        try:
            await self._row("unlock_channel", channel_id=channel_id)
        except psycopg.Error as error:
            log.debug("channel %s was unlocked with its connection: %s", channel_id, type(error).__name__)

    async def try_lock_command(self) -> bool:
        """Be the only one of this bot's that runs this command, until the end. Returns False if another one does."""
        try:
            return bool((await self._row("try_lock_command", command=self._command, bot_id=self._bot_id))[0])
        except psycopg.Error as error:
            log.debug("no lock on the command: %s", type(error).__name__)
            return True

    async def idle_seconds(self) -> float:
        """Return how long ago the one that runs this command last got on; 0.0 if it is just gone."""
        with self._database.translated():
            return float((await self._row("idle_seconds", command=self._command, bot_id=self._bot_id))[0])

    async def register(self) -> None:
        """Enter this command, and remove those that died."""
        await self._connection.execute(query("remove_dead_workers"))
        row = await self._row(
            "register_worker", command=self._command, bot_id=self._bot_id, host=socket.gethostname(), pid=os.getpid()
        )
        self._worker_id = row[0]
        await self._look()

    async def leave(self) -> None:
        """Remove this command and give its channels back."""
        with suppress(psycopg.Error):
            # A connection that is gone has taken the locks with it, and the others see that it is gone.
            await self._connection.execute(query("remove_worker"), {"worker_id": self._worker_id})
            await self._connection.execute(query("remove_dead_workers"))
        await self._connection.close()

    async def keep_beating(self, sleep: Callable[[float], Any] = asyncio.sleep) -> None:
        """Beat, and look how many share the rate limit, until cancelled."""
        beaten = 0.0
        while True:
            await sleep(LOOK_SECONDS)
            beaten += LOOK_SECONDS
            try:
                if beaten >= BEAT_SECONDS:
                    beaten = 0.0
                    await self._beat()
                await self._look()
            except psycopg.Error:
                await self._reconnect()

    async def idle(self) -> None:
        """Leave the rate limit to the others until `busy`."""
        self.uses_discord = False
        await self._say()

    async def busy(self) -> None:
        """Take part in the rate limit again."""
        self.uses_discord = True
        await self._say()

    async def _say(self) -> None:
        with suppress(psycopg.Error):
            # If the connection is gone, the next heartbeat opens another and says it there.
            await self._beat()
            await self._look()

    async def _beat(self) -> None:
        progressed, self._progressed = self._progressed, False
        await self._connection.execute(
            query("beat"),
            {
                "worker_id": self._worker_id,
                "progressed": progressed,
                "uses_discord": self.uses_discord,
                "live": self.hears_all(),
            },
        )

    async def _look(self) -> None:
        self.sharing = max((await self._row("count_workers", bot_id=self._bot_id))[0], 1)

    async def _reconnect(self) -> None:
        with suppress(psycopg.Error):
            await self._connection.close()
        try:
            self._connection = await self._database.dedicated()
            await self.register()
        except (DatabaseError, psycopg.Error) as error:
            # The work itself meets the same outage, and decides what it means.
            log.debug("no heartbeat: %s", error)

    async def _row(self, name: str, **parameters: Any) -> tuple[Any, ...]:
        cursor = await self._connection.execute(query(name), parameters)
        row = await cursor.fetchone()
        assert row is not None
        return row


@asynccontextmanager
async def present(database: Database, command: str, bot_id: int) -> AsyncIterator[Presence]:
    """Be counted as a worker while the block runs. Raises DatabaseError."""
    presence = Presence(database, await database.dedicated(), command, bot_id)
    try:
        with database.translated():
            await presence.register()
        heart = asyncio.create_task(presence.keep_beating())
        try:
            yield presence
        finally:
            heart.cancel()
            with suppress(asyncio.CancelledError):
                await heart
    finally:
        await presence.leave()
