"""The database as the rest of junkie sees it: transactions that are run again when that can help.

Invariant: what is handed to `Database.transaction` may run more than once. After a conflict it is known not to have
committed; where the connection was lost during COMMIT nobody knows, so the work must come to the same result when it
is done twice.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final, LiteralString, TypeVar

import psycopg
from psycopg import IsolationLevel

from junkie_cli.config import Settings
from junkie_cli.db import failures
from junkie_cli.db.connecting import Connection, connect, connection_pool, first_connection
from junkie_cli.db.conninfo import Address
from junkie_cli.db.embedded import EmbeddedServer
from junkie_cli.errors import DatabaseError

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

CONFLICT_TRIES: Final = 10
"""How often one transaction is run before conflicts with others are reported."""

LOSS_TRIES: Final = 8
"""How often one transaction may lose its connection: a statement that fells the server must not do so for ever."""

_POOL_WAIT: Final = 1.0
"""Seconds after which a wait for a pooled connection is worth a look at the server."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class Database:
    """An open database. Made by `open_database`, which also closes it."""

    def __init__(
        self,
        address: Address,
        pool: "AsyncConnectionPool[Connection]",
        server: EmbeddedServer | None,
        *,
        patience: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._address = address
        self._pool = pool
        self._server = server
        self._patience = patience
        self._clock = clock
        self._sleep = sleep

    @property
    def place(self) -> str:
        """What messages call this database; never holds a secret."""
        return self._address.place

    async def transaction(
        self, work: Callable[[Connection], Awaitable[T]], *, isolation: IsolationLevel | None = None
    ) -> T:
        """Run `work` in one transaction and return its result; READ COMMITTED unless `isolation` says otherwise.

        The work is run again from its start after a serialization failure or a deadlock, and after the connection was
        lost: then for as long as the database's patience lasts. It must therefore bear being done twice. Exceptions
        of its own roll back and pass through.

        Raises DatabaseUnavailable when patience ends, DatabaseError for all else that PostgreSQL refuses.
        """
        with _heeding_cancellation():
            return await self._insist(work, isolation)

    async def _insist(self, work: Callable[[Connection], Awaitable[T]], isolation: IsolationLevel | None) -> T:
        conflicts = losses = 0
        while True:
            try:
                return await self._attempt(work, isolation)
            except failures.CONFLICTS as error:
                conflicts += 1
                await self._yield_way(error, conflicts)
            except _LostError as loss:
                losses += loss.in_work
                if losses >= LOSS_TRIES:
                    raise failures.explain(loss.error, self._address) from loss.error
                await self._regain(loss.error)

    async def fetch(
        self, statement: LiteralString, parameters: Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own and return its rows; it is run again as `transaction`'s work is.

        Raises DatabaseUnavailable when patience ends, DatabaseError for all else that PostgreSQL refuses.
        """
        conflicts = losses = 0
        while True:
            connection: Connection | None = None
            try:
                with _heeding_cancellation():
                    async with self._borrowed() as connection:
                        try:
                            cursor = await connection.execute(statement, parameters)
                            return await cursor.fetchall()
                        except psycopg.Error as error:
                            if failures.lost(error, connection):
                                await connection.close()
                            raise
            except failures.CONFLICTS as error:
                conflicts += 1
                await self._yield_way(error, conflicts)
            except psycopg.Error as error:
                # To wait for a place in the pool is no loss.
                losses += connection is not None
                if not failures.lost(error, connection) or losses >= LOSS_TRIES:
                    raise failures.explain(error, self._address) from error
                await self._regain(error)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection of the pool in autocommit mode.

        It is alive when it is handed out; a loss after that raises DatabaseUnavailable, as all that PostgreSQL
        refuses raises DatabaseError.
        """
        async with AsyncExitStack() as stack:
            while True:
                try:
                    with _heeding_cancellation():
                        connection = await stack.enter_async_context(self._borrowed())
                        await self._pool.check_connection(connection)
                    break
                except psycopg.Error as error:
                    await stack.aclose()
                    await self._regain(error)
            with self.translated():
                yield connection

    async def dedicated(self) -> Connection:
        """Open a connection of its own, outside the pool, in autocommit mode. The caller closes it.

        Use it with `async with await database.dedicated() as connection`. Raises DatabaseUnavailable when patience
        ends.
        """
        while True:
            try:
                return await connect(self._address)
            except psycopg.Error as error:
                await self._regain(error)

    async def _attempt(self, work: Callable[[Connection], Awaitable[T]], isolation: IsolationLevel | None) -> T:
        connection: Connection | None = None
        try:
            async with self._borrowed() as connection:
                await connection.set_isolation_level(isolation)
                try:
                    # Statements are sent without waiting for the answers of those before them.
                    async with connection.pipeline(), connection.transaction():
                        return await work(connection)
                except psycopg.Error as error:
                    if failures.lost(error, connection):
                        # Whatever state it is in, the pool must not lend it again.
                        await connection.close()
                        raise _LostError(error, in_work=True) from error
                    raise
        except failures.CONFLICTS:
            raise
        except psycopg.Error as error:
            if failures.lost(error, connection):
                raise _LostError(error, in_work=False) from error
            raise failures.explain(error, self._address) from error

    async def _yield_way(self, error: psycopg.Error, conflicts: int) -> None:
        """Wait after a conflict with another transaction. Raises DatabaseError after too many."""
        if conflicts >= CONFLICT_TRIES:
            raise failures.explain(error, self._address) from error
        await self._sleep(_jittered(0.005 * 2**conflicts, longest=0.5))

    def _borrowed(self) -> AbstractAsyncContextManager[Connection]:
        return self._pool.connection(timeout=_POOL_WAIT)

    async def _regain(self, cause: psycopg.Error) -> None:
        """Come back when the database answers again, having started the embedded server if need be.

        Raises the last refusal once patience has ended.
        """
        deadline = self._clock() + self._patience
        reported = False
        pause = 0.05
        while True:
            try:
                if self._server is not None:
                    await self._server.ensure()
                async with await connect(self._address):
                    pass
            except psycopg.Error as error:
                refusal = await failures.explain_refusal(error, self._address)
            except DatabaseError as error:
                refusal = error
            else:
                # Connections that broke together must not fail their next borrowers one by one.
                await self._pool.check()
                return
            if self._clock() >= deadline:
                raise refusal from cause
            if not reported:
                log.warning("%s; trying again for %.0f s", refusal.message, self._patience)
                reported = True
            await self._sleep(_jittered(pause, longest=2.0))
            pause *= 2

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what PostgreSQL refuses within the block into DatabaseError, where a connection is used directly."""
        try:
            yield
        except psycopg.Error as error:
            raise failures.explain(error, self._address) from error


@contextmanager
def _heeding_cancellation() -> Iterator[None]:
    """Cancel the task at the end of the block if it was asked to end within, and the request was lost on the way.

    Before Python 3.12 `asyncio.wait_for`, on which psycopg and its pool rest, forgets a cancellation that comes in the moment in
    which what it waits for is there.
    """
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


class _LostError(Exception):
    """The connection is gone; `in_work` if that happened while a transaction used it."""

    def __init__(self, error: psycopg.Error, *, in_work: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.in_work = in_work


@asynccontextmanager
async def open_database(
    settings: Settings,
    *,
    size: int = 4,
    migrate: bool = True,
    patience: float = 30.0,
    command: str = "",
) -> AsyncIterator[Database]:
    """Open the database of the settings, starting the embedded server where no other is named.

    `size` is how many transactions run at once; `patience` how many seconds an outage is borne; `command` is what the
    server's list of connections shows after "junkie". With `migrate` the schema is brought up to date.

    Raises ConfigError for a malformed URI, DatabaseError and its kinds for all else.
    """
    async with first_connection(settings, migrate=migrate, command=command) as first:
        # What it was opened for is done; the pool's connections follow.
        await first.connection.close()
        pool = connection_pool(first.address, size)
        await pool.open()
        try:
            yield Database(first.address, pool, first.server, patience=patience)
        finally:
            await pool.close()


def _jittered(seconds: float, *, longest: float) -> float:
    # Two that collided must not come back in step.
    return min(seconds, longest) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
