"""From settings to a connection: where the database is, whether it will do, and how each connection to it is set up.

Invariant: whether a connection is pooled or stands alone, statements run alike on it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import AsyncConnection
from psycopg.adapt import AdaptersMap
from psycopg.types.array import ListBinaryDumper
from psycopg.types.json import set_json_loads

from junkie_cli.config import Settings
from junkie_cli.db import conninfo, failures, migrations
from junkie_cli.db.conninfo import Address
from junkie_cli.db.embedded import EmbeddedServer, embedded_server
from junkie_cli.db.queries import query
from junkie_cli.db.text import load_json
from junkie_cli.errors import DatabaseError, DatabaseUnavailable

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

MINIMUM_VERSION: Final = 140_000
"""PostgreSQL 14, as `server_version` numbers it: the first one with multiranges."""

_START_PAUSES: Final = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds between the looks at a server that says, when we open it, that it is starting up."""

_PREPARE_AFTER: Final = 3
"""Executions of one statement on a connection before it is prepared there."""

Connection = AsyncConnection[tuple[Any, ...]]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FirstConnection:
    """A connection to a database that was checked and is up to date; where that is, and its server if it is embedded."""

    connection: Connection
    address: Address
    server: EmbeddedServer | None


@asynccontextmanager
async def first_connection(
    settings: Settings, *, migrate: bool = True, command: str = ""
) -> AsyncIterator[FirstConnection]:
    """Open one connection to the database of the settings, in autocommit mode, starting the embedded server for it if need be.

    `command` is what the server's list of connections shows after "junkie". With `migrate` the schema is brought up to date.

    Raises ConfigError for a malformed URI, DatabaseError and its kinds for all else.
    """
    async with AsyncExitStack() as stack:
        name = f"junkie {command}".rstrip()
        server: EmbeddedServer | None = None
        if settings.postgres_url is None:
            server = await stack.enter_async_context(embedded_server(settings.home, settings.pg_bin))
            address = conninfo.read(
                server.url, application_name=f"{name} {server.token}", place="the embedded database"
            )
        else:
            address = conninfo.read(settings.postgres_url.reveal(), application_name=name)
        stack.enter_context(_masked_log(address))
        async with await _made_ready(address, server, migrate=migrate) as connection:
            yield FirstConnection(connection, address, server)


async def connect(address: Address) -> Connection:
    """Open one connection, in autocommit mode and set up like those of the pool. Raises psycopg.Error."""
    connection = await AsyncConnection.connect(address.conninfo, **_options())
    try:
        await _configure(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


def connection_pool(address: Address, size: int) -> "AsyncConnectionPool[Connection]":
    """Make a pool, not open yet, of at most `size` connections like that of `connect`."""
    # A prompt needs one connection and no pool.
    from psycopg_pool import AsyncConnectionPool

    return AsyncConnectionPool(
        address.conninfo,
        kwargs=_options(),
        configure=_configure,
        min_size=1,
        max_size=max(size, 1),
        open=False,
        name="junkie",
        # `Database` waits out an outage itself; a pool that backs off on its own would wait on after it.
        reconnect_timeout=0,
    )


def _options() -> dict[str, Any]:
    adapters = AdaptersMap(psycopg.adapters)
    adapters.register_dumper(list, ListBinaryDumper)
    set_json_loads(load_json, adapters)
    return {"autocommit": True, "prepare_threshold": _PREPARE_AFTER, "context": adapters}


async def _configure(connection: Connection) -> None:
    await connection.execute(query("set_session"))


async def _made_ready(address: Address, server: EmbeddedServer | None, *, migrate: bool) -> Connection:
    """Connect, check the server, and bring the schema up to date with `migrate`.

    An embedded server that ends meanwhile, since somebody killed it, is started again; another's outage is reported.
    """
    for last in (server is None, server is None, True):
        try:
            connection = await _first_connection(address)
            try:
                _check_server(connection, address)
                if migrate:
                    await _migrate(connection, address)
            except BaseException:
                await connection.close()
                raise
        except DatabaseUnavailable:
            if last or server is None:
                raise
            await server.ensure()
        else:
            return connection
    raise AssertionError


async def _first_connection(address: Address) -> Connection:
    """Connect, waiting a little only for a server that says it is starting up."""
    for pause in (*_START_PAUSES, None):
        try:
            return await connect(address)
        except psycopg.Error as error:
            if pause is None or not await failures.starting(address):
                raise await failures.explain_refusal(error, address) from error
        await asyncio.sleep(pause)
    raise AssertionError


def _check_server(connection: Connection, address: Address) -> None:
    if connection.info.server_version < MINIMUM_VERSION:
        raise DatabaseError(
            f"{address.place} is PostgreSQL {connection.info.server_version // 10_000}, junkie needs 14 or newer",
            hint="upgrade it, or unset POSTGRES_URL to use the embedded database",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DatabaseError(
            f"{address.place} is encoded in {encoding}, which can't hold every message",
            hint="create one with `createdb -E UTF8 -T template0 …`",
        )


async def _migrate(connection: Connection, address: Address) -> None:
    try:
        await migrations.migrate(connection)
    except psycopg.Error as error:
        raise failures.explain(error, address) from error


@contextmanager
def _masked_log(address: Address) -> Iterator[None]:
    """Keep passwords out of what psycopg logs, should libpq ever put one into a message.

    Its warnings say what `Database` says better, once: they show at DEBUG only.
    """

    def mask(record: logging.LogRecord) -> bool:
        record.msg, record.args = address.masked(record.getMessage()), ()
        return record.levelno >= logging.ERROR or log.isEnabledFor(logging.DEBUG)

    loggers = [logging.getLogger("psycopg"), logging.getLogger("psycopg.pool")]
    for logger in loggers:
        logger.addFilter(mask)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(mask)
