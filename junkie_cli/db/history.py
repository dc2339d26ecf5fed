"""What a prompt is made of, read for one command: over one connection of its own, and from one snapshot.

Invariant: all that `Snapshot` gives was true in the archive at one moment, so that rows, coverage and tombstones never
contradict each other. Messages with a tombstone or kept out by a rule of `forget` show nowhere.

Starting fast is a promise, so records here are named tuples, which are defined in a tenth of a dataclass's time.
"""

from collections import deque
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import datetime
from itertools import repeat
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg import IsolationLevel

from junkie_cli import snowflake
from junkie_cli.config import Settings
from junkie_cli.db import failures
from junkie_cli.db.connecting import Connection, FirstConnection, first_connection
from junkie_cli.db.queries import query
from junkie_cli.db.reader import ChannelState, coverage_of
from junkie_cli.db.text import DLE, unescape
from junkie_cli.models import Channel, ChannelType, Message

Key = tuple[int, int]
"""A channel's id and a message's; `reconcile.Key` is one. (What writes is not imported for reading.)"""

Row = tuple[Any, ...]


class Stretch(NamedTuple):
    """The newest `most` (None: all) messages of a channel with ids in `[lo, hi)`."""

    channel_id: int
    lo: int
    hi: int
    most: int | None


class Place(NamedTuple):
    """A channel as the archive knows it at `at`; `channel` is None if it doesn't, `parent_type` if it doesn't know the parent.

    `served` says that a live `serve` has kept it up to date since that began; `ruled` that `forget` has rules, so that
    what coverage claims and rows lack need not have been deleted.
    """

    channel: Channel | None
    parent_type: int | None
    guild_name: str | None
    state: ChannelState
    at: datetime
    served: bool
    ruled: bool

    @property
    def parent_id(self) -> int | None:
        """The parent of a thread, unless that is known to hold no messages: what a thread refers to may stand in it, too."""
        channel = self.channel
        if channel is None or not channel.is_thread or self.parent_type in ChannelType.HOLD_ONLY_THREADS:
            return None
        return channel.parent_id


class Singles(NamedTuple):
    """Of messages that were looked up by their keys: those that are there, and the keys of those that were deleted."""

    messages: dict[Key, Message]
    deleted: frozenset[Key]


class Naming(NamedTuple):
    """Names by id, as people see them; `bots` are those of the accounts that are bots."""

    users: dict[int, str]
    channels: dict[int, str]
    roles: dict[int, str]
    bots: frozenset[int]


class Snapshot:
    """The archive at one moment. Made by `History.snapshot`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def stretch(self, wanted: Stretch, keys: Collection[Key] = ()) -> tuple[Place, list[Message], Singles]:
        """Return a channel's place, messages of it, oldest first, and single messages."""
        place, rows = await self.fetch(wanted)
        rows.reverse()
        return place, messages_of(wanted.channel_id, rows), await self._singles(keys)

    async def fetch(self, wanted: Stretch) -> tuple[Place, list[Row]]:
        """Return a channel's place and the rows of messages, newest first, for `messages_of`."""
        (row,) = await self._rows("history_place", channel_id=wanted.channel_id)
        at, served, ruled, buried, *rest = row
        place = _place(wanted.channel_id, rest, at, served=served, ruled=ruled)
        bounds = wanted._asdict()
        if not ruled and not buried:
            # Most channels have nothing to hide, and are read in two thirds of the time.
            return place, await self._rows("history_messages", **bounds)
        rules: dict[int | None, int] = {}
        if ruled:
            rules.update(await self._rows("history_rules", channel_id=wanted.channel_id))
        # What is kept out whoever wrote it ends the stretch.
        bounds["lo"] = max(wanted.lo, rules.pop(None, 0))
        authors, befores = list(rules), list(rules.values())
        return place, await self._rows("history_visible_messages", **bounds, authors=authors, befores=befores)

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
        rows: Sequence[Row] = ()
        if users or channels or roles:
            rows = await self._rows(
                "history_names", user_ids=_ids(users), channel_ids=_ids(channels), role_ids=_ids(roles)
            )
        return singles, _naming(rows)

    async def as_they_were(self, messages: Sequence[Message], moment: datetime) -> list[Message]:
        """Return messages of one channel with the texts that they had at a moment, where those were kept."""
        if not messages:
            return []
        rows = await self._rows(
            "history_revisions",
            channel_id=messages[0].channel_id,
            message_ids=[message.message_id for message in messages],
        )
        revisions: dict[int, list[_Revision]] = {}
        for message_id, *rest in rows:
            revisions.setdefault(message_id, []).append(_Revision(*rest))
        return [_at(message, revisions.get(message.message_id, ()), moment) for message in messages]

    async def deleted_since(self, wanted: Stretch, moment: datetime) -> int:
        """Count the messages with ids in `[lo, hi)` that were deleted after a moment."""
        (row,) = await self._rows(
            "history_deleted_since", channel_id=wanted.channel_id, lo=wanted.lo, hi=wanted.hi, moment=moment
        )
        return int(row[0])

    async def _singles(self, keys: Collection[Key]) -> Singles:
        # References in payloads may hold numbers that no id can be.
        keys = [key for key in keys if max(key) <= snowflake.MAX]
        if not keys:
            return Singles({}, frozenset())
        rows = await self._rows(
            "history_singles",
            channel_ids=[channel_id for channel_id, _ in keys],
            message_ids=[message_id for _, message_id in keys],
        )
        messages: dict[Key, Message] = {}
        deleted: set[Key] = set()
        for is_deleted, channel_id, *columns in rows:
            if is_deleted:
                deleted.add((channel_id, columns[0]))
            else:
                messages[channel_id, columns[0]] = messages_of(channel_id, [columns])[0]
        return Singles(messages, frozenset(deleted))

    async def _rows(self, name: str, **parameters: Any) -> list[Row]:
        # Numbers and times are read quicker in binary.
        cursor = await self._connection.cursor(binary=True).execute(query(name), parameters)
        return await cursor.fetchall()


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
            async with self._connection.transaction():
                yield Snapshot(self._connection)
        except psycopg.Error as error:
            raise failures.explain(error, self._address) from error

    async def elsewhere(self, channel_id: int, message_id: int) -> tuple[int, str] | None:
        """Return id and name of another channel that holds the message."""
        rows = await self.fetch(query("history_elsewhere"), {"channel_id": channel_id, "message_id": message_id})
        return (rows[0][0], unescape(rows[0][1])) if rows else None

    async def fetch(self, statement: LiteralString, parameters: dict[str, Any] | None = None) -> list[Row]:
        """Run one reading statement and return its rows."""
        try:
            return await (await self._connection.execute(statement, parameters)).fetchall()
        except psycopg.Error as error:
            raise failures.explain(error, self._address) from error


@asynccontextmanager
async def open_history(settings: Settings) -> AsyncIterator[History]:
    """Open the database for one prompt, with one connection and no pool. Raises ConfigError, DatabaseError."""
    async with first_connection(settings, command="context") as first:
        yield History(first)


class _Revision(NamedTuple):
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


def _place(channel_id: int, columns: Sequence[Any], at: datetime, *, served: bool, ruled: bool) -> Place:
    known, guild_id, parent_id, kind, name, last_id, archived_at, parent_type, guild_name, covered, *rest = columns
    channel = None
    if known is not None:
        channel = Channel(channel_id, guild_id, parent_id, kind, unescape(name), last_id, archived_at=archived_at)
    state = ChannelState(channel_id) if covered is None else ChannelState(channel_id, coverage_of(covered), *rest)
    guild_name = None if guild_name is None else unescape(guild_name)
    return Place(channel, parent_type, guild_name, state, at, served, ruled)


# A frozen dataclass's own constructor takes thrice as long, which is as long as it takes to fetch the row.
_SETTERS: Final = tuple(getattr(Message, each.name).__set__ for each in fields(Message))


def messages_of(channel_id: int, rows: Sequence[Sequence[Any]]) -> list[Message]:
    """Return the messages of a channel's rows, in their order; a row has all of a message's fields but its channel."""
    messages = list(map(object.__new__, repeat(Message, len(rows))))
    if not rows:
        return messages
    ids, authors, names, contents, *rest = zip(*rows, strict=True)
    columns = [repeat(channel_id), ids, authors, _unescaped(names), _unescaped(contents), *rest]
    for setter, column in zip(_SETTERS, columns, strict=True):
        deque(map(setter, messages, column), maxlen=0)
    return messages


def _unescaped(texts: Sequence[str]) -> Sequence[str]:
    return [unescape(text) for text in texts] if DLE in "".join(texts) else texts


def _naming(rows: Iterable[Row]) -> Naming:
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
