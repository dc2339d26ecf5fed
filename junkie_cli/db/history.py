"""What a prompt is made of, read for one command: over one connection of its own, and from one snapshot.

Invariant: all that `Snapshot` gives was true in the archive at one moment, so that rows, coverage and tombstones never
contradict each other. Messages with a tombstone or kept out by a rule of `forget` show nowhere.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg import IsolationLevel

from junkie_cli import snowflake
from junkie_cli.config import Settings
from junkie_cli.db import failures
from junkie_cli.db.database import Connection, FirstConnection, first_connection
from junkie_cli.db.queries import query
from junkie_cli.db.reader import ChannelState, coverage_of
from junkie_cli.db.reconcile import Key
from junkie_cli.db.text import escape, unescape
from junkie_cli.db.writer import message_of
from junkie_cli.models import Channel, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The newest `most` (None: all) messages of a channel with ids in `[lo, hi)`."""

    channel_id: int
    lo: int
    hi: int = snowflake.MAX
    most: int | None


@dataclass(frozen=True, slots=True)
class Place:
    """A channel as the archive knows it at `at`; `channel` is None if it doesn't.

    `served` says that a live `serve` has kept it up to date since that began; `ruled` that `forget` has rules, so that
    what coverage claims and rows lack need not have been deleted.
    """

    channel: Channel | None
    guild_name: str | None
    state: ChannelState
    at: datetime
    served: bool
    ruled: bool


@dataclass(frozen=True, slots=True)
class Singles:
    """Of messages that were looked up by their keys: those that are there, and the keys of those that were deleted."""

    messages: dict[Key, Message] = field(default_factory=dict)
    deleted: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Naming:
    """Names by id, as people see them; `bots` are those of the accounts that are bots."""

    users: dict[int, str]
    channels: dict[int, str]
    roles: dict[int, str]
    bots: frozenset[int]


@dataclass(frozen=True, slots=True)
class NamedChannel:
    """A channel that bears a name; `path` is its name after its guild's and its parent's."""

    channel: Channel
    path: str
    gone: bool


class Snapshot:
    """The archive at one moment. Made by `History.snapshot`; statements of one call are sent together."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def stretch(self, wanted: Stretch, keys: Collection[Key] = ()) -> tuple[Place, list[Message], Singles]:
        """Return a channel's place, messages of it, oldest first, and single messages."""
        place = await self._execute("history_place", channel_id=wanted.channel_id)
        rows = await self._execute(
            "history_messages", channel_id=wanted.channel_id, lo=wanted.lo, hi=wanted.hi, most=wanted.most
        )
        singles = await self._singles(keys)
        found = _place(wanted.channel_id, await place.fetchone())
        messages = [message_of(row) for row in await rows.fetchall()]
        messages.reverse()
        return found, messages, _found(await singles.fetchall() if singles else ())

    async def look_up(
        self,
        keys: Collection[Key],
        *,
        users: Collection[int] = (),
        channels: Collection[int] = (),
        roles: Collection[int] = (),
    ) -> tuple[Singles, Naming]:
        """Return single messages and names."""
        singles = await self._singles(keys)
        names = None
        if users or channels or roles:
            names = await self._execute(
                "history_names", user_ids=_ids(users), channel_ids=_ids(channels), role_ids=_ids(roles)
            )
        return (
            _found(await singles.fetchall() if singles else ()),
            _naming(await names.fetchall() if names else ()),
        )

    async def as_they_were(self, messages: Sequence[Message], moment: datetime) -> list[Message]:
        """Return messages of one channel with the texts that they had at a moment, where those were kept."""
        if not messages:
            return []
        cursor = await self._execute(
            "history_revisions",
            channel_id=messages[0].channel_id,
            message_ids=[message.message_id for message in messages],
        )
        revisions: dict[int, list[_Revision]] = {}
        for message_id, *rest in await cursor.fetchall():
            revisions.setdefault(message_id, []).append(_Revision(*rest))
        return [_at(message, revisions.get(message.message_id, ()), moment) for message in messages]

    async def deleted_since(self, wanted: Stretch, moment: datetime) -> int:
        """Count the messages with ids in `[lo, hi)` that were deleted after a moment."""
        cursor = await self._execute(
            "history_deleted_since", channel_id=wanted.channel_id, lo=wanted.lo, hi=wanted.hi, moment=moment
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def _singles(self, keys: Collection[Key]) -> psycopg.AsyncCursor[tuple[Any, ...]] | None:
        # References in payloads may hold numbers that no id can be.
        keys = [key for key in keys if max(key) <= snowflake.MAX]
        if not keys:
            return None
        return await self._execute(
            "history_singles",
            channel_ids=[channel_id for channel_id, _ in keys],
            message_ids=[message_id for _, message_id in keys],
        )

    async def _execute(self, name: str, **parameters: Any) -> psycopg.AsyncCursor[tuple[Any, ...]]:
        return await self._connection.cursor(binary=True).execute(query(name), parameters)


class History:
    """Reads the archive for one prompt. Made by `open_history`. Raises DatabaseError."""

    def __init__(self, first: FirstConnection) -> None:
        self._connection = first.connection
        self._address = first.address

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """Read from one snapshot while the block runs."""
        try:
            await self._connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
            await self._connection.set_read_only(True)
            async with self._connection.pipeline(), self._connection.transaction():
                yield Snapshot(self._connection)
        except psycopg.Error as error:
            raise failures.explain(error, self._address) from error

    async def channels_named(self, name: str) -> list[NamedChannel]:
        """Return the channels of that name, in whatever case; `guild/name` and `parent/name` name them too."""
        rows = await self._fetch("history_channels_named", {"name": escape(name)})
        return [
            NamedChannel(
                Channel(row[0], row[1], row[2], row[3], unescape(row[4]), row[5], row[6], archived_at=row[7]),
                "/".join(unescape(part) for part in (row[8], row[9], row[4]) if part),
                row[10],
            )
            for row in rows
        ]

    async def elsewhere(self, channel_id: int, message_id: int) -> tuple[int, str] | None:
        """Return id and name of another channel that holds the message."""
        rows = await self._fetch("history_elsewhere", {"channel_id": channel_id, "message_id": message_id})
        return (rows[0][0], unescape(rows[0][1])) if rows else None

    async def _fetch(self, name: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
        try:
            return await (await self._connection.execute(query(name), parameters)).fetchall()
        except psycopg.Error as error:
            raise failures.explain(error, self._address) from error


@asynccontextmanager
async def open_history(settings: Settings) -> AsyncIterator[History]:
    """Open the database for one prompt, with one connection and no pool. Raises ConfigError, DatabaseError."""
    async with first_connection(settings, command="context") as first:
        yield History(first)


@dataclass(frozen=True, slots=True)
class _Revision:
    """An earlier text of a message, replaced at that moment (as far as the archive saw)."""

    replaced_at: datetime
    edited_at: datetime | None
    content: str
    extra: dict[str, Any] | None


def _at(message: Message, revisions: Sequence[_Revision], moment: datetime) -> Message:
    """Return a message as it was: `revisions` are its earlier texts, oldest first."""
    edits = [revision.edited_at for revision in revisions[1:]]
    edits.append(message.edited_at)
    for revision, edited_at in zip(revisions, edits, strict=False):
        # An edit tells its time; what changed without one (an embed, a pin) was replaced when the archive saw it.
        ended = edited_at if edited_at is not None and edited_at != revision.edited_at else revision.replaced_at
        if ended > moment:
            return replace(
                message, content=unescape(revision.content), edited_at=revision.edited_at, extra=revision.extra
            )
    return message


def _place(channel_id: int, row: tuple[Any, ...] | None) -> Place:
    assert row is not None
    at, served, ruled, known, guild_id, parent_id, kind, name, last_id, archived_at, guild_name, covered, *rest = row
    channel = None
    if known is not None:
        channel = Channel(channel_id, guild_id, parent_id, kind, unescape(name), last_id, archived_at=archived_at)
    state = ChannelState(channel_id) if covered is None else ChannelState(channel_id, coverage_of(covered), *rest)
    return Place(channel, None if guild_name is None else unescape(guild_name), state, at, served, ruled)


def _found(rows: Iterable[tuple[Any, ...]]) -> Singles:
    messages: dict[Key, Message] = {}
    deleted: set[Key] = set()
    for row in rows:
        key = Key(row[1], row[2])
        if row[0]:
            deleted.add(key)
        else:
            messages[key] = message_of(row[1:])
    return Singles(messages, frozenset(deleted))


def _naming(rows: Iterable[tuple[Any, ...]]) -> Naming:
    names: dict[str, dict[int, str]] = {"user": {}, "channel": {}, "role": {}}
    bots: set[int] = set()
    for kind, known_id, name, bot in rows:
        names[kind][known_id] = unescape(name)
        if bot:
            bots.add(known_id)
    return Naming(names["user"], names["channel"], names["role"], frozenset(bots))


def _ids(ids: Collection[int]) -> list[int]:
    # Markup may hold numbers that no id can be.
    return [number for number in ids if number <= snowflake.MAX]
