"""What `junkie status` shows, read over one connection of its own and from one snapshot.

Invariant: nothing here costs more for more messages, but for counts up to a number that the caller names.

Starting fast is a promise, so records here are named tuples, which are defined in a tenth of a dataclass's time.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import IsolationLevel

from junkie_cli.config import Settings
from junkie_cli.coverage import Coverage, Range
from junkie_cli.db import failures
from junkie_cli.db.connecting import Connection, FirstConnection, first_connection
from junkie_cli.db.places import LATE_SECONDS
from junkie_cli.db.queries import query
from junkie_cli.db.reader import ChannelState
from junkie_cli.db.text import unescape
from junkie_cli.models import Channel

_RANGES: Final = re.compile(r"\[(-?\d+),(-?\d+)\)")


class GuildRecord(NamedTuple):
    """A guild; `gone_at` is since when the bot is known not to be in it any more."""

    guild_id: int
    name: str
    gone_at: datetime | None


class Record(NamedTuple):
    """A channel, category or thread and where it stands. `oldest` and `newest` are the ids of visible messages.

    `known` is False where nothing but rows is there, as after an adoption: then the channel has no name.
    """

    channel: Channel
    known: bool
    state: ChannelState
    oldest: int | None
    newest: int | None


class Worker(NamedTuple):
    """A command that is alive; `progress_at` is when it last stored anything."""

    command: str
    bot_id: int
    host: str
    pid: int
    started_at: datetime
    heartbeat_at: datetime
    progress_at: datetime
    uses_discord: bool


class Archive(NamedTuple):
    """All of the archive but its messages, as of `at`, the database's time; `size` is in bytes."""

    at: datetime
    size: int
    guilds: dict[int, GuildRecord]
    records: list[Record]
    workers: list[Worker]


class Snapshot:
    """The archive at one moment. Made by `StatusReader.snapshot`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def archive(self) -> Archive:
        """Return all of the archive but its messages."""
        ((at, size),) = await self._rows("status_archive")
        guilds = [GuildRecord(row[0], unescape(row[1]), row[2]) for row in await self._rows("status_guilds")]
        records = [_record(row) for row in await self._rows("status_channels", late=LATE_SECONDS)]
        workers = [Worker(*row) for row in await self._rows("status_workers")]
        return Archive(at, size, {guild.guild_id: guild for guild in guilds}, records, workers)

    async def counts(self, ranges: Mapping[int, Range], *, most: int) -> dict[int, int]:
        """Count the visible messages in a range of each channel, up to `most`."""
        if not ranges:
            return {}
        rows = await self._rows(
            "status_counts",
            channel_ids=list(ranges),
            los=[each.lo for each in ranges.values()],
            his=[each.hi for each in ranges.values()],
            most=most,
        )
        return dict(rows)

    async def _rows(self, name: str, **parameters: Any) -> list[Any]:
        # Numbers and times are read quicker in binary.
        cursor = await self._connection.cursor(binary=True).execute(query(name), parameters)
        return await cursor.fetchall()


class StatusReader:
    """Reads what `junkie status` shows. Made by `open_status`. Raises DatabaseError."""

    def __init__(self, first: FirstConnection) -> None:
        self._connection = first.connection
        self._address = first.address

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """Read from one snapshot while the block runs."""
        try:
            await self._connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
            await self._connection.set_read_only(True)
            async with self._connection.transaction():
                await self._connection.execute(query("status_session"))
                yield Snapshot(self._connection)
        except psycopg.Error as error:
            raise failures.explain(error, self._address) from error


@asynccontextmanager
async def open_status(settings: Settings) -> AsyncIterator[StatusReader]:
    """Open the database with one connection and no pool. Raises ConfigError, DatabaseError."""
    async with first_connection(settings, command="status") as first:
        yield StatusReader(first)


def _record(row: Sequence[Any]) -> Record:
    channel_id, known, guild_id, parent_id, kind, name, last_id, position, archived_at, covered, *rest = row
    *standing, oldest, newest = rest
    channel = Channel(channel_id, guild_id, parent_id, kind, unescape(name), last_id, position, archived_at=archived_at)
    state = ChannelState(channel_id) if covered is None else ChannelState(channel_id, _coverage(covered), *standing)
    return Record(channel, known, state, oldest, newest)


def _coverage(covered: str) -> Coverage:
    """Return PostgreSQL's text of an int8multirange, in its normal form, as coverage: a fifth of the time of psycopg's."""
    return Coverage(tuple(Range(int(lo), int(hi)) for lo, hi in _RANGES.findall(covered)))
