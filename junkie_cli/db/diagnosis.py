"""What `junkie doctor` sees of the database. Nothing is migrated or changed, and no database is made.

The embedded server is started if it is not running, as every command does, and stopped afterwards.
"""

import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import psycopg

from junkie_cli.checks import Check, failure, made, passed, skipped, warning
from junkie_cli.config import Settings
from junkie_cli.db import binaries, failures, migrations
from junkie_cli.db.cluster import UPGRADED, Cluster
from junkie_cli.db.connecting import FirstConnection, first_connection
from junkie_cli.db.names import Catalogue, catalogue
from junkie_cli.db.queries import query
from junkie_cli.errors import DatabaseError

OPENING: Final = 90.0
"""Seconds for the connection: a server that was killed has to recover first."""

_STATEMENT_LIMIT: Final = "10s"
LONG_WAIT: Final = 5.0
"""Seconds: who waits longer for a lock is worth a row."""

LONG_IDLE: Final = 300.0
"""Seconds that a transaction may be open with nothing happening in it."""

MOST_AHEAD: Final = 5.0
"""Seconds that the server's clock may differ from ours. `unwatched_since` allows for ten in all."""

FEW_DEAD: Final = 10_000
"""Dead rows that are nothing to speak of."""

SHORT_OF_SPACE: Final = 1_000_000_000
NO_SPACE: Final = 50_000_000

_NAMES: Final = ("tables", "rights", "locks", "workers", "vacuum")


class _Patient:
    """One connection, and what every check asks through it."""

    def __init__(self, opened: FirstConnection) -> None:
        self._opened = opened

    @property
    def place(self) -> str:
        return self._opened.address.place

    @property
    def embedded(self) -> Cluster | None:
        server = self._opened.server
        return None if server is None else server.cluster

    async def rows(self, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
        statement: LiteralString = query(name)
        try:
            cursor = await self._opened.connection.execute(statement, parameters)
            return await cursor.fetchall()
        except psycopg.Error as error:
            raise failures.explain(error, self._opened.address) from error

    async def migrations(self) -> migrations.Status:
        try:
            return await migrations.status(self._opened.connection)
        except psycopg.Error as error:
            raise failures.explain(error, self._opened.address) from error


async def examine(
    settings: Settings,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    places: Callable[[Catalogue], object] | None = None,
) -> AsyncIterator[Sequence[Check]]:
    """Make every check that can be made, in order. `now` is the wall clock; `places` is told what the archive knows by name."""
    rest = ("space", *_NAMES)
    if settings.postgres_url is None and (missing := _not_made(settings)) is not None:
        yield [missing]
        reason = "there is no database yet" if missing.exit_code == 0 else "no database could be made"
        yield [skipped(name, reason) for name in rest]
        return
    async with AsyncExitStack() as stack:
        opened: list[FirstConnection] = []

        async def connect() -> Sequence[Check]:
            opened.append(await stack.enter_async_context(first_connection(settings, migrate=False, command="doctor")))
            patient = _Patient(opened[0])
            await patient.rows("limit_statement", timeout=_STATEMENT_LIMIT)
            return await _server(patient, now)

        yield await made("database", connect, patience=OPENING, kind=DatabaseError)
        if not opened:
            yield [skipped(name, "no connection") for name in rest]
            return
        patient = _Patient(opened[0])
        yield await made("space", lambda: _space(patient), kind=DatabaseError)
        has_tables: list[bool] = []
        yield await made("tables", lambda: _tables(patient, has_tables), kind=DatabaseError)
        yield await made("locks", lambda: _locks(patient), kind=DatabaseError)
        if not any(has_tables):
            # Where the look at them failed, it said why.
            reason = "there are no tables of junkie's" if has_tables else "its tables are none that this junkie can use"
            yield [skipped(name, reason) for name in ("rights", "workers", "vacuum")]
            return
        yield await made("rights", lambda: _rights(patient), kind=DatabaseError)
        yield await made("workers", lambda: _workers(patient), kind=DatabaseError)
        yield await made("vacuum", lambda: _vacuum(patient), kind=DatabaseError)
        if places is not None:
            # What keeps it from being read has its row by now.
            with suppress(DatabaseError):
                places(catalogue(await patient.rows("named_guilds"), await patient.rows("named_channels")))


def _not_made(settings: Settings) -> Check | None:
    """Return what is to be said where no embedded database was made yet; None where there is one."""
    cluster = Cluster(settings.home, settings.pg_bin)
    try:
        if cluster.data.exists() or cluster.data.with_name(UPGRADED).exists():
            return None
        version = binaries.resolve(settings.pg_bin).version()
    except DatabaseError as error:
        return failure("database", error)
    except OSError as error:
        problem = DatabaseError(
            f"can't look into {cluster.folder}: {error.strerror}", hint="set JUNKIE_HOME to a folder of your own"
        )
        return failure("database", problem)
    return passed(
        "database",
        f"the embedded database, PostgreSQL {version}; the first `junkie backfill` makes it in {cluster.folder}",
        version=version,
        exists=False,
    )


async def _server(patient: _Patient, now: Callable[[], datetime]) -> list[Check]:
    before = now()
    ((version, standby, read_only, clock, size),) = await patient.rows("server_state")
    after = now()
    if standby or read_only:
        why = "it is a standby" if standby else "default_transaction_read_only is on"
        error = DatabaseError(
            f"{patient.place} (PostgreSQL {version}) takes no writes: {why}",
            hint="point POSTGRES_URL at the primary server, or let this role write",
        )
        return [failure("database", error)]
    found = f"{patient.place}: PostgreSQL {version}, {_bytes(size)}"
    checks = [passed("database", found, version=version, bytes=size, exists=True)]
    ahead = (clock - (before + (after - before) / 2)).total_seconds()
    if patient.embedded is None and abs(ahead) > MOST_AHEAD:
        checks.append(
            warning(
                "database clock",
                f"the server's clock is {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's",
                "let both keep time by NTP: since when edits may be missing is told by the server's",
                seconds_ahead=round(ahead, 1),
            )
        )
    return checks


async def _space(patient: _Patient) -> list[Check]:
    ((*_, size),) = await patient.rows("server_state")
    if patient.embedded is None:
        return [skipped("space", f"a server of your own does not tell; the database takes {_bytes(size)}")]
    try:
        free = shutil.disk_usage(patient.embedded.data).free
    except OSError as error:
        return [skipped("space", f"can't look at {patient.embedded.data}: {error.strerror}")]
    found = f"{_bytes(free)} free for {patient.embedded.data}; the database takes {_bytes(size)}"
    kept = [str(folder) for folder in sorted(patient.embedded.folder.glob("data.old-*"))]
    fix = "make room there, or move JUNKIE_HOME to a larger disk"
    if free < NO_SPACE:
        return [failure("space", DatabaseError(found, hint=fix))]
    if free < max(SHORT_OF_SPACE, size // 10):
        return [warning("space", found, fix, free=free, bytes=size)]
    if kept:
        found += f", and an upgrade has kept {', '.join(kept)}"
    return [passed("space", found, free=free, bytes=size, kept=kept)]


async def _tables(patient: _Patient, has_tables: list[bool]) -> list[Check]:
    """Compare the tables with this program. `has_tables` gets whether there are any of junkie's."""
    status = await patient.migrations()
    has_tables.append(bool(status.applied))
    version = len(status.applied)
    if not status.applied:
        return [passed("tables", "none yet; the first command that writes makes them", version=0)]
    if status.pending:
        missing = ", ".join(migration.label for migration in status.pending)
        return [
            warning(
                "tables",
                f"at version {version}; {missing} will be applied by the next command",
                "run `junkie db migrate`, as the tables' owner",
                version=version,
                pending=[migration.label for migration in status.pending],
            )
        ]
    return [passed("tables", f"up to date at version {version}", version=version)]


async def _rights(patient: _Patient) -> list[Check]:
    missing = await patient.rows("missing_rights")
    unreadable = [table for table, right in missing if right == "SELECT"]
    if unreadable:
        error = DatabaseError(
            f"the role of POSTGRES_URL may not read junkie.{unreadable[0]}{_and_others(unreadable)}",
            hint="grant it what docs/security.md lists",
        )
        return [failure("rights", error)]
    if missing:
        first = f"{missing[0][1]} on junkie.{missing[0][0]}"
        return [
            warning(
                "rights",
                f"the role of POSTGRES_URL lacks {first}{_and_others(missing)}",
                "enough for `status` and `context --offline`; for the rest grant it what docs/security.md lists",
                missing=[{"table": table, "right": right} for table, right in missing],
            )
        ]
    return [passed("rights", "reads and writes junkie's tables")]


async def _locks(patient: _Patient) -> list[Check]:
    checks: list[Check] = []
    for pid, program, blocker, blocker_program, seconds in await patient.rows("blocked"):
        if seconds >= LONG_WAIT:
            checks.append(
                warning(
                    "locks",
                    f"{_process(pid, program)} has waited {seconds:,.0f} s for {_process(blocker, blocker_program)}",
                    f"let that one end, or end it: SELECT pg_terminate_backend({blocker})",
                    pid=pid,
                    blocker=blocker,
                    seconds=round(seconds, 1),
                )
            )
    for pid, program, seconds in await patient.rows("idle_transactions"):
        if seconds >= LONG_IDLE:
            checks.append(
                warning(
                    "locks",
                    f"{_process(pid, program)} has left a transaction open for {seconds / 60:,.0f} min",
                    f"let it end, or end it: SELECT pg_terminate_backend({pid})",
                    pid=pid,
                    seconds=round(seconds, 1),
                )
            )
    held = await patient.rows("advisory_locks")
    migrating = [(pid, program) for pid, program, form, number in held if (form, number) == (1, migrations.LOCK_KEY)]
    for pid, program in migrating:
        fix = f"wait for it; should it hang, SELECT pg_terminate_backend({pid})"
        checks.append(warning("locks", f"{_process(pid, program)} is changing junkie's tables", fix, pid=pid))
    channels = [number for _, _, form, number in held if form == 1 and number != migrations.LOCK_KEY]
    if not checks:
        holders = len({pid for pid, *_ in held})
        found = f"nobody waits; {_many(holders, 'command')} at work on {_many(len(channels), 'channel')}"
        checks.append(passed("locks", found, commands=holders, channels=[str(number) for number in channels]))
    return checks


async def _workers(patient: _Patient) -> list[Check]:
    checks: list[Check] = []
    for command, host, pid, seconds, connected in await patient.rows("stale_workers"):
        who = f"`{command}` on {host} (process {pid})"
        if connected:
            found = f"{who} is connected and has not been heard of for {seconds:,.0f} s"
            fix = "see whether it hangs, and end it if it does"
        else:
            found, fix = f"{who} ended without saying so", "nothing to do: the next command clears it away"
        checks.append(warning("workers", found, fix, command=command, host=host, pid=pid, connected=connected))
    return checks or [passed("workers", "nobody who does not answer")]


async def _vacuum(patient: _Patient) -> list[Check]:
    checks: list[Check] = []
    for table, dead, due, vacuumed, automatic in await patient.rows("dead_rows"):
        if automatic and dead <= max(2 * due, FEW_DEAD):
            continue
        if not automatic and dead <= max(due, FEW_DEAD):
            continue
        since = "never vacuumed" if vacuumed is None else f"last vacuumed {vacuumed:%Y-%m-%d %H:%M} UTC"
        off = "" if automatic else "; autovacuum is off"
        checks.append(
            warning(
                "vacuum",
                f"junkie.{table} has {dead:,} dead rows, {since}{off}",
                f"run `junkie db psql -c 'VACUUM ANALYZE junkie.{table}'`"
                + ("" if automatic else ", and switch autovacuum on"),
                table=table,
                dead_rows=dead,
                automatic=automatic,
            )
        )
    return checks or [passed("vacuum", "autovacuum keeps up")]


def _process(pid: int | None, program: str) -> str:
    return f"process {pid} ({program or 'no name'})" if pid else "a prepared transaction"


def _and_others(names: Sequence[object]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""


def _many(number: int, one: str) -> str:
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def _bytes(size: int) -> str:
    return f"{size / 1_000_000:,.0f} MB" if size < 10_000_000_000 else f"{size / 1_000_000_000:,.0f} GB"
