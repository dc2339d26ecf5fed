"""Adoption: the rows of a database that the original, the older bot that junkie follows, made, copied into ours.

Invariants:
- A batch is one transaction: its rows, the channels' counts and how far the adoption has got. So an interrupted one goes
  on where it stopped, and doing it twice changes nothing.
- It keeps the write invariant: the status rows of a batch's channels are locked in id order, in a statement of its own;
  only then are tombstones, rules, rows and coverage read.
- It grants no coverage, and it never contradicts Discord: what is held, tombstoned or excluded stays as it is, and what
  a covered range lacks is not on Discord. Adopted rows have `seen` 0 and yield to whatever Discord says.
- The original's tables are only read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import sql

from junkie_cli.db.connecting import Connection
from junkie_cli.db.database import Database
from junkie_cli.db.queries import query
from junkie_cli.errors import DatabaseError, UsageError

BATCH_ROWS: Final = 10_000
"""Rows that one transaction deals with: their channels' other writers wait for it, some tenths of a second."""

_ID: Final = ("bigint",)
_TEXT: Final = ("text", "character varying")
_COLUMNS: Final[dict[str, Sequence[str]]] = {
    "message_id": _ID,
    "channel_id": _ID,
    "author_id": _ID,
    "author_name": _TEXT,
    "content": _TEXT,
    # Both follow from the id, and are not read.
    "created_at": (),
    "timestamp_str": (),
}
"""The columns of the original's table, with the types that we can read."""


@dataclass(frozen=True, slots=True)
class Source:
    """The original's table `messages`. `oid` tells one that was made anew from the one that was there before."""

    schema: str
    oid: int


@dataclass(frozen=True, slots=True)
class Adoption:
    """How far an adoption has got, since it was begun: what became of the rows that are dealt with.

    `total` is the number of rows that there were when this run began; `resumed` says that it goes on with one that was
    interrupted. `held` rows were in the archive already. `deleted` ones bear a tombstone, `forgotten` ones are kept out by
    a rule, and `absent` ones lie where Discord was asked and has no such message. The `bad_…` have ids that are no
    snowflakes.
    """

    schema: str
    total: int
    resumed: bool
    adopted: int
    held: int
    deleted: int
    forgotten: int
    absent: int
    bad_message_id: int
    bad_channel_id: int
    bad_author_id: int

    @property
    def done(self) -> int:
        """The number of rows that are dealt with."""
        return (
            self.adopted
            + self.held
            + self.deleted
            + self.forgotten
            + self.absent
            + self.bad_message_id
            + self.bad_channel_id
            + self.bad_author_id
        )


async def find_source(database: Database, schema: str) -> Source:
    """Find the original's table in a schema.

    Raises UsageError for a name that can't be meant, DatabaseError if there is no such table, or if it is another
    program's or may not be read.
    """
    if schema == "junkie":
        raise UsageError(
            "--schema: 'junkie' is where junkie's own tables stand", hint="name the schema of the older bot's tables"
        )
    if not schema or "\x00" in schema or not _is_unicode(schema):
        raise UsageError("--schema names no schema", hint="name the schema of the older bot's tables")
    shown = schema[:80]
    has_schema, oid, readable, names, types = (await database.fetch(query("source_table"), {"schema": schema}))[0]
    if oid is None:
        lacks = f"no table messages in schema '{shown}'" if has_schema else f"no schema '{shown}'"
        raise DatabaseError(f"{database.place} has {lacks}", hint=await _elsewhere(database))
    found = dict(zip(names, types, strict=True))
    if lacking := [name for name in _COLUMNS if name not in found]:
        raise DatabaseError(
            f"the table messages of schema '{shown}' is not the older bot's: it lacks {', '.join(lacking)}",
            hint=await _elsewhere(database),
        )
    for name, allowed in _COLUMNS.items():
        if allowed and found[name] not in allowed:
            raise DatabaseError(
                f"the table messages of schema '{shown}' is not the older bot's: {name} is {found[name]}, not {allowed[0]}",
                hint=await _elsewhere(database),
            )
    if not readable:
        raise DatabaseError(
            f"the role of POSTGRES_URL may not read the table messages of schema '{shown}'",
            hint="GRANT it USAGE on the schema and SELECT on the table",
        )
    return Source(schema, oid)


async def adopt(
    database: Database,
    source: Source,
    report: Callable[[Adoption], None],
    *,
    batch_rows: int = BATCH_ROWS,
) -> Adoption:
    """Copy all rows of the source that nothing speaks against, and return what became of them.

    `report` is called at the beginning and after each batch. An adoption that was interrupted is gone on with; after one
    that was finished all rows are looked at again. Raises DatabaseError; what was copied by then is kept.
    """
    return await _Adopter(database, source, report, batch_rows).run()


class _Adopter:
    def __init__(self, database: Database, source: Source, report: Callable[[Adoption], None], batch_rows: int) -> None:
        self._database = database
        self._source = source
        self._report = report
        self._batch_rows = batch_rows
        # Where there are parameters, psycopg takes a % for one, even in a name.
        self._table = sql.Identifier(source.schema.replace("%", "%%"), "messages")

    async def run(self) -> Adoption:
        row = await self._database.transaction(self._begin)
        started_at, last_id = row[0], row[1]
        remaining = await self._database.transaction(lambda connection: self._remaining(connection, last_id))
        total = self._adoption(row, 0, last_id).done + remaining
        more = True
        while more:
            self._report(self._adoption(row, total, last_id))
            more, row = await self._database.transaction(lambda connection: self._batch(connection, started_at))
        return self._adoption(row, total, last_id)

    def _adoption(self, row: tuple[Any, ...], total: int, began_after: int) -> Adoption:
        return Adoption(self._source.schema, total, began_after > 0, *row[2:])

    async def _begin(self, connection: Connection) -> tuple[Any, ...]:
        await connection.execute(
            self._sql("begin_adoption"), {"schema": self._source.schema, "source": self._source.oid}
        )
        return await self._read(connection)

    async def _remaining(self, connection: Connection, last_id: int) -> int:
        cursor = await connection.execute(self._sql("rows_to_adopt"), {"last_id": last_id})
        (count,) = await cursor.fetchone() or (0,)
        return int(count)

    async def _read(self, connection: Connection) -> tuple[Any, ...]:
        cursor = await connection.execute(query("read_adoption"), {"schema": self._source.schema})
        row = await cursor.fetchone()
        assert row is not None
        return row

    async def _batch(self, connection: Connection, started_at: datetime) -> tuple[bool, tuple[Any, ...]]:
        """Deal with the next rows. Return whether there were any, and how far the adoption has got."""
        schema = {"schema": self._source.schema}
        cursor = await connection.execute(query("lock_adoption"), schema | {"started_at": started_at})
        more = False
        if (locked := await cursor.fetchone()) is not None:
            more = await self._copy(connection, schema | {"last_id": locked[0]})
            if not more:
                await connection.execute(query("finish_adoption"), schema)
        return more, await self._read(connection)

    async def _copy(self, connection: Connection, parameters: dict[str, Any]) -> bool:
        await connection.execute(query("without_jit"))
        # Not prepared: a plan for any batch at all is a bad one for each.
        cursor = await connection.execute(
            self._sql("next_rows"), parameters | {"most": self._batch_rows}, prepare=False
        )
        if (batch := await cursor.fetchone()) is None:
            return False
        parameters |= {"to_id": batch[0], "channel_ids": batch[1]}
        await connection.execute(query("ensure_status"), parameters)
        await connection.execute(query("lock_channels"), parameters)
        cursor = await connection.execute(self._sql("adopt_rows"), parameters, prepare=False)
        counted = await cursor.fetchone() or ()
        counts = dict(zip((column.name for column in cursor.description or ()), counted, strict=True))
        await connection.execute(query("advance_adoption"), parameters | counts)
        return True

    def _sql(self, name: str) -> sql.Composed:
        return sql.SQL(query(name)).format(source=self._table)


async def _elsewhere(database: Database) -> str:
    """Say where the original's table is, if it is in this database at all."""
    rows = await database.fetch(query("source_schemas"), {"columns": list(_COLUMNS)})
    if schemas := [f"'{schema[:80]}'" for (schema,) in rows[:5]]:
        return f"name the older bot's schema with --schema: {', '.join(schemas)}"
    return "set POSTGRES_URL to the older bot's database, or name its schema with --schema"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
