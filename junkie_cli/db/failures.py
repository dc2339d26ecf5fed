"""PostgreSQL's errors in the user's words: what happened, where, and what to do next.

They are told apart by type, that is by SQLSTATE. Only where a connection is refused libpq hands on no SQLSTATE; then
the server is asked whether it answers at all (`PQping`), and libpq whether a password was wanted or used.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection, conninfo, errors, pq

from junkie_cli.db.conninfo import Address
from junkie_cli.db.queries import query
from junkie_cli.errors import DatabaseError, DatabaseUnavailable, SchemaMismatch, ValueRefused

CONFLICTS: Final = (errors.SerializationFailure, errors.DeadlockDetected)
"""Two transactions stood in each other's way; run again, one of them goes through."""

_ENDED: Final = frozenset({"25P03", "57P01", "57P02", "57P03", "57P05"})
"""SQLSTATEs with which the server ends a session; those of class 08 do so too."""


@dataclass(frozen=True, slots=True)
class _Words:
    """`what` is preceded by the place; `{reason}` in it stands for the server's own words."""

    what: str
    next: str
    kind: type[DatabaseError] = DatabaseError


_TABLE: Final[dict[type[psycopg.Error], _Words]] = {
    errors.ReadOnlySqlTransaction: _Words(
        "takes no writes: it is a standby, or default_transaction_read_only is on",
        "point POSTGRES_URL at the primary server",
    ),
    errors.DiskFull: _Words(
        "has no space left on its disk", "make room there and run this again; all that was written is kept"
    ),
    errors.OutOfMemory: _Words(
        "is out of memory", "lower BACKFILL_CONCURRENCY or give the server more", DatabaseUnavailable
    ),
    errors.TooManyConnections: _Words(
        "has no connection to spare", "raise max_connections there, or end other programs", DatabaseUnavailable
    ),
    errors.InsufficientPrivilege: _Words(
        "forbids it: {reason}", "GRANT that to the role of POSTGRES_URL; docs/security.md has what each role needs"
    ),
    errors.InvalidPassword: _Words("rejects the password", "mend the password in POSTGRES_URL"),
    errors.InvalidAuthorizationSpecification: _Words("rejects the user: {reason}", "mend the user in POSTGRES_URL"),
    errors.InvalidCatalogName: _Words("does not exist", "create the database, or mend POSTGRES_URL"),
    errors.CannotConnectNow: _Words(
        "is starting up or shutting down", "run this again in a moment", DatabaseUnavailable
    ),
    errors.LockNotAvailable: _Words(
        "kept a table locked for too long", "run this again in a moment", DatabaseUnavailable
    ),
    errors.UndefinedTable: _Words("lacks a table of junkie's: {reason}", "run `junkie db migrate`", SchemaMismatch),
    errors.UndefinedColumn: _Words("lacks a column of junkie's: {reason}", "run `junkie db migrate`", SchemaMismatch),
    errors.QueryCanceled: _Words(
        "cancelled a statement: {reason}", "raise statement_timeout for the role of POSTGRES_URL"
    ),
    errors.SerializationFailure: _Words("keeps two commands in each other's way", "run this again"),
    errors.DeadlockDetected: _Words("keeps two commands in each other's way", "run this again"),
}


def lost(error: psycopg.Error, connection: AsyncConnection[Any] | None = None) -> bool:
    """Tell whether the connection is gone, so that another one may do better."""
    state = error.sqlstate or ""
    ended = _no_connection(error) or state in _ENDED or state.startswith("08")
    return ended or (connection is not None and connection.closed)


def explain(error: psycopg.Error, address: Address) -> DatabaseError:
    """Turn an error of a connection that stood into one of ours."""
    reason = address.masked(_first_line(error))
    for kind, words in _TABLE.items():
        if isinstance(error, kind):
            return words.kind(f"{address.place} {words.what.format(reason=reason)}", hint=words.next)
    if _no_connection(error):
        return DatabaseUnavailable(f"{address.place} gives no connection", hint="see whether the server is up and well")
    if lost(error) or (isinstance(error, psycopg.OperationalError) and error.sqlstate is None):
        return DatabaseUnavailable(
            f"lost the connection to {address.place}: {reason}",
            hint="see whether the server is up, then run this again",
        )
    state = f" ({error.sqlstate})" if error.sqlstate else ""
    refused_value = isinstance(error, psycopg.DataError | psycopg.IntegrityError | errors.ProgramLimitExceeded)
    return (ValueRefused if refused_value else DatabaseError)(
        f"{address.place} refused a statement{state}: {reason}",
        hint="run this again with LOG_LEVEL=DEBUG for the details",
    )


async def starting(address: Address) -> bool:
    """Tell whether the server is there and takes no connections for now: it starts up, or shuts down."""
    return await asyncio.to_thread(pq.PGconn.ping, address.conninfo.encode()) == pq.Ping.REJECT


async def explain_refusal(error: psycopg.Error, address: Address) -> DatabaseError:
    """Turn the error of a failed connection attempt into one of ours. `DatabaseUnavailable`: worth another try."""
    if error.sqlstate is not None:
        return explain(error, address)
    reason = address.masked(_first_line(error))
    answer = await asyncio.to_thread(pq.PGconn.ping, address.conninfo.encode())
    if answer == pq.Ping.REJECT:
        return explain(errors.CannotConnectNow(), address)
    if answer == pq.Ping.OK:
        return await _explain_answer(error, address, reason)
    hint = "start it or mend POSTGRES_URL; unset POSTGRES_URL to use the embedded database"
    if address.verifies:
        # Why TLS did not come about is told in words alone.
        hint = "see whether it is up, and has the certificate that sslmode and sslrootcert of POSTGRES_URL ask for"
    return DatabaseUnavailable(f"can't reach {address.place}: {reason}", hint=hint)


async def _explain_answer(error: psycopg.Error, address: Address, reason: str) -> DatabaseError:
    if error.pgconn is not None and error.pgconn.needs_password:
        return DatabaseError(f"{address.place} wants a password", hint="put it into POSTGRES_URL, or into ~/.pgpass")
    if (name := await _missing_database(address)) is not None:
        return DatabaseError(
            f"{address.place} does not exist", hint=f"create it with `createdb -E UTF8 {name}`, or mend POSTGRES_URL"
        )
    # A password that was used need not be the reason: a server that is full refuses only after it was checked.
    used_password = error.pgconn is not None and error.pgconn.used_password
    remedy = "see whether user and password in POSTGRES_URL are right" if used_password else "mend POSTGRES_URL"
    return DatabaseError(f"{address.place} refused the connection: {reason}", hint=remedy)


async def _missing_database(address: Address) -> str | None:
    """Return the database's name if the server, asked through its maintenance database, has no such one."""
    parameters = conninfo.conninfo_to_dict(address.conninfo)
    name = str(parameters.get("dbname") or parameters.get("user") or "")
    try:
        elsewhere = conninfo.make_conninfo(address.conninfo, dbname="postgres")
        async with await AsyncConnection.connect(elsewhere, autocommit=True) as connection:
            cursor = await connection.execute(query("database_exists"), {"name": name})
            row = await cursor.fetchone()
    except psycopg.Error:
        # Then it is not known, and the server's own words have to do.
        return None
    return name if name and row == (False,) else None


def _no_connection(error: psycopg.Error) -> bool:
    """Tell whether the pool gave no connection. A command without one need not import it before."""
    from psycopg_pool import PoolTimeout

    return isinstance(error, PoolTimeout)


def _first_line(error: psycopg.Error) -> str:
    text = (error.diag.message_primary or str(error)).strip() or type(error).__name__
    line = text.splitlines()[0].strip()
    for prefix in ("connection failed: ", "connection is bad: "):
        line = line.removeprefix(prefix)
    return line
