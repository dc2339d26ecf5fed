"""What the user wants forgotten: content that goes for good, and the rule that keeps it out.

Invariant: the rule is written in the transaction that deletes first, and every channel concerned is locked once after
that, so that a page which was read before the rule is seen and cleaned up after it. A page that comes later finds the
rule. Deletion goes on in batches, each a transaction; where it is cut off, the rule stands, and forgetting the same again
deletes the rest.

Of rules that differ only in how far they reach, the one that reaches furthest stands alone: it comes and the others go in one
transaction, so that whoever looks at the rules finds all of it kept out.
"""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from junkie_cli.db.arrays import integers, texts
from junkie_cli.db.database import Database
from junkie_cli.db.queries import query
from junkie_cli.db.reconcile import Key, Rule
from junkie_cli.db.text import unescape
from junkie_cli.db.writer import purge
from junkie_cli.errors import UsageError

if TYPE_CHECKING:
    from psycopg import AsyncConnection

BATCH: Final = 2000
"""Rows deleted in one transaction: pages of the same channel wait for it."""


@dataclass(frozen=True, slots=True)
class Names:
    """What people call those whom a rule names; None where the archive does not know, or the rule names none."""

    user: str | None = None
    channel: str | None = None
    guild: str | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a rule concerns."""

    messages: int
    channels: int


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A rule that stands."""

    rule_id: int
    created_at: datetime
    rule: Rule
    names: Names


class Forgetting:
    """Forgets what one rule says; `rule_id` is the rule that keeps it out from then on. Raises DatabaseError."""

    def __init__(self, database: Database, rule: Rule, *, batch: int = BATCH) -> None:
        self._database = database
        self._rule = rule
        self._parameters = asdict(rule)
        self._batch = batch
        self._deleted = 0
        self.rule_id: int | None = None
        self.replaced: list[int] = []
        """The rules that went because this one contains them."""

    async def count(self) -> Extent:
        """Return how many archived messages the rule deletes."""
        rows = await self._database.fetch(query("count_doomed"), self._parameters)
        return Extent(*rows[0])

    async def names(self) -> Names:
        """Return what people call those whom the rule names."""
        rows = await self._database.fetch(query("names_of"), self._parameters)
        return _names(rows[0])

    async def run(self, report: Callable[[int], None] = lambda _deleted: None) -> Extent:
        """Write the rule and delete all that it concerns; `report` is told how many messages are gone so far."""
        self._deleted = channels = 0
        done: set[int] = set()
        todo = await self._scope()
        while True:
            for channel_id in todo:
                channels += await self._channel(channel_id, report)
            done.update(todo)
            await self._database.transaction(lambda connection: self._finish(connection, done))
            # The rule stands, at the latest now. A channel that came in before may have come with a page that was read
            # without it.
            todo = [channel_id for channel_id in await self._scope() if channel_id not in done]
            if not todo:
                return Extent(self._deleted, channels)

    async def _scope(self) -> list[int]:
        return [row[0] for row in await self._database.fetch(query("forget_scope"), self._parameters)]

    async def _channel(self, channel_id: int, report: Callable[[int], None]) -> bool:
        """Delete all that the rule concerns in a channel. Returns whether there was anything."""
        after, any_yet = 0, False
        while True:
            doomed = await self._database.transaction(
                lambda connection, after=after: self._delete(connection, channel_id, after)  # type: ignore[misc]
            )
            self._deleted += len(doomed)
            any_yet |= bool(doomed)
            if doomed:
                report(self._deleted)
            if len(doomed) < self._batch:
                return any_yet
            after = doomed[-1]

    async def _delete(self, connection: "AsyncConnection[Any]", channel_id: int, after: int) -> list[int]:
        """Delete the next rows of a channel. The rule is in force when this is committed."""
        await self._enact(connection)
        await connection.execute(query("lock_channels"), {"channel_ids": integers([channel_id])})
        cursor = await connection.execute(
            query("doomed"), self._parameters | {"in_channel": channel_id, "after": after, "most": self._batch}
        )
        rows = await cursor.fetchall()
        if not rows:
            return []
        keys = [Key(channel_id, row[0]) for row in rows]
        marks = {
            "channel_ids": integers(key.channel_id for key in keys),
            "message_ids": integers(key.message_id for key in keys),
            "seens": integers(row[2] for row in rows),
            "causes": texts("forget" for _ in rows),
        }
        await connection.execute(query("upsert_tombstones"), marks)
        await purge(connection, keys)
        visible = sum(row[1] for row in rows)
        await connection.execute(query("count_down"), {"channel_id": channel_id, "fewer": visible})
        return [key.message_id for key in keys]

    async def _enact(self, connection: "AsyncConnection[Any]") -> None:
        """See to it that the rule stands, or one that contains it. Looked up each time, since a transaction may be run again."""
        found = await (await connection.execute(query("find_rule"), self._parameters)).fetchone()
        if found is None:
            cursor = await connection.execute(query("drop_contained_rules"), self._parameters)
            self.replaced = sorted(row[0] for row in await cursor.fetchall())
            found = await (await connection.execute(query("add_rule"), self._parameters)).fetchone()
        assert found is not None
        self.rule_id = found[0]

    async def _finish(self, connection: "AsyncConnection[Any]", scope: Collection[int]) -> None:
        """Drop what forwards elsewhere repeat; whose text that is can't be told by a rule on its author."""
        await self._enact(connection)
        if self._rule.user_id is None:
            named = {*scope, *([] if self._rule.channel_id is None else [self._rule.channel_id])}
            parameters = {key: value for key, value in self._parameters.items() if key != "user_id"}
            parameters["scope"] = texts(str(channel_id) for channel_id in sorted(named))
            await connection.execute(query("purge_foreign_copies"), parameters)


async def rules(database: Database) -> list[Exclusion]:
    """Return all rules, the oldest first. Raises DatabaseError."""
    rows = await database.fetch(query("every_rule"))
    return [Exclusion(row[0], row[1], Rule(*row[2:6]), _names(row[6:9])) for row in rows]


async def undo(database: Database, rule_id: int) -> Extent:
    """Remove a rule, and the coverage of what it may have kept out, so that it is fetched again.

    Returns how many messages are known to have been kept out or deleted. Raises UsageError if there is no such rule,
    DatabaseError.
    """

    async def work(connection: "AsyncConnection[Any]") -> Extent:
        found = await (await connection.execute(query("lock_rule"), {"rule_id": rule_id})).fetchone()
        if found is None:
            raise UsageError(f"there is no rule {rule_id}", hint="`junkie forget --list` shows the rules")
        parameters = asdict(Rule(*found))
        scope = [row[0] for row in await (await connection.execute(query("forget_scope"), parameters)).fetchall()]
        # Pages that were read while the rule stood wait here, and find it gone.
        await connection.execute(query("lock_channels"), {"channel_ids": integers(scope)})
        await connection.execute(query("remove_rule"), {"rule_id": rule_id})
        cursor = await connection.execute(
            query("withdraw"), {"channel_ids": integers(scope), "before_id": parameters["before_id"]}
        )
        rows = await cursor.fetchall()
        return Extent(sum(row[1] for row in rows), len(rows))

    return await database.transaction(work)


def _names(row: tuple[Any, ...]) -> Names:
    return Names(*(None if name is None else unescape(name) for name in row))
