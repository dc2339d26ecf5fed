"""The schema's history: `sql/migrations/NNNN_name.sql`, applied in order, each once.

Invariant: a migration and its line in `junkie.schema_migrations` commit together, and only under the advisory lock,
so that commands that start at the same moment apply each one once. Files that were applied are never edited; their
checksums prove it.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Final

import psycopg
from psycopg import AsyncConnection

from junkie_cli.db import sqlfiles
from junkie_cli.db.queries import query
from junkie_cli.errors import DatabaseError, DatabaseUnavailable, ForeignDatabase, SchemaMismatch

LOCK_KEY: Final = int.from_bytes(b"junkie-m")
"""The advisory lock's key: eight letters, so that a stray program hardly takes the same one."""

LOCK_TIMEOUT: Final = "60s"
"""How long another runner is waited for."""

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `checksum` is the SHA-256 of its text, in hex, whatever line endings a checkout gave it."""

    version: int
    name: str
    sql: str
    checksum: str

    @property
    def label(self) -> str:
        """The file's name without its ending."""
        return f"{self.version:04}_{self.name}"


@dataclass(frozen=True, slots=True)
class Applied:
    """One line of the database's history."""

    version: int
    name: str
    checksum: str
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """What the database has, and what this program would still apply."""

    applied: tuple[Applied, ...]
    pending: tuple[Migration, ...]


@cache
def known() -> tuple[Migration, ...]:
    """Return this program's migrations in order. Raises ValueError if a file is misnamed or a number is missing."""
    found = [_read(file, text) for file, text in sqlfiles.read("migrations").items()]
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError("the migrations are not numbered 1, 2, 3 …")
    return tuple(found)


async def status(connection: AsyncConnection[Any]) -> Status:
    """Compare the database with this program, changing nothing.

    Raises ForeignDatabase or SchemaMismatch where they don't fit together.
    """
    applied = await _history(connection)
    return Status(applied, _pending(applied, known()))


async def migrate(connection: AsyncConnection[Any]) -> tuple[Migration, ...]:
    """Bring the schema up to date and return what was applied now; one query where nothing is to be done.

    `connection` is in autocommit mode and outside a transaction. Raises ForeignDatabase, SchemaMismatch, DatabaseError
    where its role may not do that, or DatabaseUnavailable if another runner does not finish in time.
    """
    current = await status(connection)
    if not current.pending:
        return ()
    await _lock(connection)
    try:
        return await _apply(connection)
    except psycopg.errors.InsufficientPrivilege as error:
        missing = ", ".join(migration.label for migration in current.pending)
        raise DatabaseError(
            f"the database lacks {missing}, and the role of POSTGRES_URL may not bring it up to date: "
            f"{error.diag.message_primary}",
            hint="run `junkie db migrate` as the role that owns the tables; to make them it needs GRANT CREATE ON DATABASE",
        ) from error
    finally:
        # A connection that broke has given its lock back already.
        if not connection.closed:
            await connection.execute(query("unlock_migrations"), {"key": LOCK_KEY})


async def _lock(connection: AsyncConnection[Any]) -> None:
    try:
        async with connection.transaction():
            # The lock belongs to the session and outlives this transaction.
            await connection.execute(query("limit_lock_wait"), {"timeout": LOCK_TIMEOUT})
            await connection.execute(query("lock_migrations"), {"key": LOCK_KEY})
    except psycopg.errors.LockNotAvailable as error:
        raise DatabaseUnavailable(
            "another command has been changing junkie's tables for a minute",
            hint="wait until it ends, then run this again",
        ) from error


async def _apply(connection: AsyncConnection[Any]) -> tuple[Migration, ...]:
    """Apply what is still pending now that the lock is held."""
    applied = await _history(connection)
    pending = _pending(applied, known())
    if not applied:
        await _create_history(connection)
    for migration in pending:
        async with connection.transaction():
            # Bytes, since a migration is a script of several statements and has no parameters.
            await connection.execute(migration.sql.encode())
            await connection.execute(
                query("record_migration"),
                {"version": migration.version, "name": migration.name, "checksum": migration.checksum},
            )
    return pending


async def _history(connection: AsyncConnection[Any]) -> tuple[Applied, ...]:
    """Read what was applied; nothing where there is no schema yet, or an empty one that an administrator made."""
    try:
        cursor = await connection.execute(query("applied_migrations"))
        return tuple(Applied(*row) for row in await cursor.fetchall())
    except psycopg.errors.UndefinedColumn as error:
        raise _foreign("its table schema_migrations has other columns") from error
    except psycopg.errors.UndefinedTable:
        pass
    cursor = await connection.execute(query("schema_contents"))
    _, objects, has_history = await cursor.fetchone() or (False, 0, False)
    # With a history by now, another command has just made it.
    if objects and not has_history:
        raise _foreign("it lacks the table schema_migrations")
    return ()


async def _create_history(connection: AsyncConnection[Any]) -> None:
    async with connection.transaction():
        cursor = await connection.execute(query("schema_contents"))
        schema_exists, _, has_history = await cursor.fetchone() or (False, 0, False)
        if not schema_exists:
            await connection.execute(query("create_schema"))
        if not has_history:
            await connection.execute(query("create_history"))


def _pending(applied: Sequence[Applied], ours: Sequence[Migration]) -> tuple[Migration, ...]:
    if applied and applied[-1].version > len(ours):
        raise SchemaMismatch(
            f"the database is at version {applied[-1].version}, this junkie knows only {len(ours)}",
            hint="install the newer junkie that made it",
        )
    if [line.version for line in applied] != list(range(1, len(applied) + 1)):
        raise SchemaMismatch(
            "the database's table junkie.schema_migrations has a hole",
            hint="restore the database from a backup, or use another one",
        )
    for line, migration in zip(applied, ours, strict=False):
        if line.checksum != migration.checksum:
            raise SchemaMismatch(
                f"migration {migration.label} is not the one that was applied on {line.applied_at:%Y-%m-%d}",
                hint="install an unaltered junkie; a change to the schema needs a migration of its own",
            )
    return tuple(ours[len(applied) :])


def _read(file: str, text: str) -> Migration:
    if not (match := _FILE_NAME.fullmatch(file)):
        raise ValueError(f"sql/migrations/{file} is not named like 0001_name.sql")
    return Migration(int(match[1]), match[2], text, hashlib.sha256(text.encode()).hexdigest())


def _foreign(reason: str) -> ForeignDatabase:
    return ForeignDatabase(
        f"the database has a schema 'junkie' that another program made: {reason}",
        hint="point POSTGRES_URL at another database",
    )
