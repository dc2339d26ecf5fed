"""The only code that writes messages.

Invariant: one transaction per batch holds its rows, their authors and what they prove, so that there is never coverage
without rows. It first locks the status rows of its channels, in id order, in a statement of its own; only then does it
read tombstones, rules and rows. (Otherwise a page that was read before a deletion and committed after it would bring the
message back.) What changes is decided by `reconcile` and `copies`, which are pure. The work may run more than once (the database
retries it after a deadlock or a lost connection) and gives the same result.
"""

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from junkie_cli.coverage import Coverage, Range
from junkie_cli.db import copies, unshown
from junkie_cli.db.arrays import integers, texts
from junkie_cli.db.database import Database
from junkie_cli.db.places import LATE_SECONDS
from junkie_cli.db.queries import query
from junkie_cli.db.reconcile import ADOPTED, Decision, Incoming, Key, Place, Rule, Stored, Tombstone, decide, fold
from junkie_cli.db.rows import columns_of, keys_of, message_of, user_columns
from junkie_cli.models import Page, User
from junkie_cli.quick import quick

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_USERS_REMEMBERED: Final = 20_000

_incoming = quick(Incoming)

Cause = Literal["event", "forget", "inferred"]


@dataclass(frozen=True, slots=True)
class Deletion:
    """That a message was deleted. For 'inferred', `seen` is that of the request whose page lacks the message."""

    key: Key
    seen: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction writes: messages, deletions (applied after them), authors, and claims by channel.

    `asked_at` is a time of the database's clock before the claims' pages were asked for. `shown_at` is the `seen` of the
    page that makes the claims, unless it is empty: rows of another program that it lacks are inferred to be deleted,
    though they were adopted only after it was asked for. Until `heard_at`, a time of the same clock, the gateway
    had told of all that had happened in the channels claimed; None for a page.
    """

    messages: Sequence[Incoming] = ()
    deletions: Sequence[Deletion] = ()
    users: Sequence[User] = ()
    claims: Mapping[int, Coverage] = field(default_factory=dict)
    asked_at: datetime | None = None
    shown_at: int | None = None
    heard_at: datetime | None = None
    fresh: bool = True
    """Whether the messages are likely to be new to the archive: then they are stored without looking them up first."""

    @property
    def channel_ids(self) -> list[int]:
        """All channels concerned, in the order in which they are locked."""
        return sorted(
            {incoming.message.channel_id for incoming in self.messages}
            | {deletion.key.channel_id for deletion in self.deletions}
            | set(self.claims)
        )


@dataclass(frozen=True, slots=True)
class Written:
    """What a batch changed. `held` is each channel's number of messages after it.

    In the channels `blind` a message changed that the archive lacks. That this was missed is on record, but whoever listens
    there must not claim to have heard all.
    """

    new: int = 0
    edited: int = 0
    deleted: int = 0
    kept_out: int = 0
    held: dict[int, int] = field(default_factory=dict)
    blind: frozenset[int] = frozenset()


def page_batch(
    page: Page,
    *,
    seen: int,
    claim: Range | None,
    known: Collection[int] = (),
    asked_at: datetime | None = None,
    complete: bool = True,
) -> Batch:
    """Return what a page writes.

    `seen` was drawn at `asked_at`, before the page was asked for, and `known` are archived ids that were read then: those
    inside the claim that the page lacks are inferred to be deleted, unless the page is empty. `complete` is False where
    the page may lack the content intent.
    """
    channel_id = page.request.channel_id
    own = [_incoming(message, seen, complete) for message in page.messages]
    # What came along in replies is as fresh, but where the page has the message itself, that one counts.
    shown = set(page.ids)
    referenced = [
        Incoming(message, seen, complete=complete, partial=True)
        for message in page.referenced
        if message.channel_id != channel_id or message.message_id not in shown
    ]
    deletions: list[Deletion] = []
    if claim is not None and page.ids:
        lacking = sorted({snowflake for snowflake in known if snowflake in claim} - shown)
        deletions = [Deletion(Key(channel_id, message_id), seen, "inferred") for message_id in lacking]
    return Batch(
        messages=[*referenced, *own],
        deletions=deletions,
        users=page.users,
        claims={} if claim is None else {channel_id: Coverage((claim,))},
        asked_at=asked_at,
        shown_at=seen if page.ids else None,
        fresh=shown.isdisjoint(known),
    )


class Writer:
    """Writes batches. One per process; safe to use from several tasks."""

    def __init__(
        self, database: Database, *, on_delete: Literal["purge", "keep"] = "purge", keep_revisions: bool = False
    ) -> None:
        self._database = database
        self._purge = on_delete == "purge"
        self._keep_revisions = keep_revisions
        self._known_users: OrderedDict[int, User] = OrderedDict()

    async def write(self, batch: Batch) -> Written:
        """Write a batch in one transaction. Raises DatabaseError; then nothing of it is written."""
        if not batch.channel_ids and not batch.users:
            return Written()
        users = [user for user in _once_each(batch.users) if self._known_users.get(user.user_id) != user]
        draft = _Draft.of(batch, users)
        written = await self._store_new(draft) if batch.fresh and draft.plain else None
        if written is None:
            written = await self._database.transaction(lambda connection: self._write(connection, draft))
        for user in users:
            self._known_users[user.user_id] = user
            self._known_users.move_to_end(user.user_id)
        while len(self._known_users) > _USERS_REMEMBERED:
            self._known_users.popitem(last=False)
        return written

    async def _store_new(self, draft: "_Draft") -> Written | None:
        """Store messages none of which the archive knows, in a single statement; None if it knows one of their places."""
        # Newest first, as the pages come: the primary key's index then takes a fifth less room.
        new = list(reversed(draft.messages.values()))
        columns = _store_columns(draft, new, Counter(channel_id for channel_id, _ in draft.messages), unless_known=True)
        rows = await self._database.fetch(query("store"), columns)
        return Written(new=len(new), held=dict(rows)) if rows else None

    async def _write(self, connection: "AsyncConnection[Any]", draft: "_Draft") -> Written:
        batch, messages, origins = draft.batch, draft.messages, draft.origins
        state = await _read_under_locks(connection, draft)
        if origins:
            messages = copies.strip(messages, origins, lambda origin: self._dropped(origin, state, messages))
        decision = decide(
            messages, stored=state.stored, tombstones=state.tombstones, rules=state.rules, places=state.places
        )
        forgotten = [Deletion(incoming.key, incoming.seen, "forget") for incoming in decision.ruled_out]
        deletions = _effective([*batch.deletions, *forgotten], state, decision)
        grown = Counter(incoming.message.channel_id for incoming in decision.new)
        grown.update(key.channel_id for key in decision.taken_back if key in state.stored)
        dropped = [d.key for d in deletions if d.key in state.stored and d.key not in state.tombstones]
        grown.subtract(key.channel_id for key in dropped)
        grown.subtract(state.unshown)

        if decision.taken_back:
            await connection.execute(query("delete_tombstones"), keys_of(decision.taken_back))
        blind = sorted({key.channel_id for key in decision.blind})
        if blind:
            await connection.execute(query("note_unwatched"), {"channel_ids": blind, "late": LATE_SECONDS})
        # Before what is deleted: with a message go its copies, in rows that are new too.
        stored = await connection.execute(
            query("store"), _store_columns(draft, decision.new, grown, unless_known=False)
        )
        if opened := [channel_id for channel_id in blind if channel_id in batch.claims]:
            # Where nothing had been covered, nothing could be on record.
            await connection.execute(query("note_unwatched"), {"channel_ids": opened, "late": LATE_SECONDS})
        await self._change(connection, decision, deletions)
        if state.unshown:
            assert batch.shown_at is not None
            claims = {channel_id: batch.claims[channel_id] for channel_id in state.unshown}
            async for keys in unshown.stretches(connection, claims, _told(batch)):
                await self._delete(connection, [Deletion(key, batch.shown_at, "inferred") for key in keys])
        return Written(
            new=len(decision.new),
            edited=len(decision.edited) - decision.completed,
            deleted=len(dropped) + state.unshown.total(),
            kept_out=decision.kept_out,
            held=dict(await stored.fetchall()),
            blind=frozenset(blind),
        )

    def _dropped(self, origin: copies.Origin, state: "_State", messages: Mapping[Key, Incoming]) -> bool:
        """Say whether the content of a message was dropped, or may not be stored."""
        tombstone = state.tombstones.get(origin.key)
        if tombstone is not None and (self._purge or tombstone.cause == "forget"):
            shown = messages.get(origin.key)
            return shown is None or not tombstone.yields_to(shown.seen)
        return any(origin.ruled_out(rule, state.places.get(origin.key.channel_id)) for rule in state.rules)

    async def _change(
        self, connection: "AsyncConnection[Any]", decision: Decision, deletions: Sequence[Deletion]
    ) -> None:
        changed = [*(incoming for incoming, _ in decision.edited), *decision.confirmed]
        replaced = [incoming for incoming, old in decision.edited if old.mark > ADOPTED]
        if replaced and self._keep_revisions:
            seens = {"seens": integers(incoming.seen for incoming in replaced)}
            await connection.execute(query("insert_revisions"), keys_of(i.key for i in replaced) | seens)
        if changed:
            await connection.execute(query("update_messages"), columns_of(changed))
        if deletions:
            await self._delete(connection, deletions)

    async def _delete(self, connection: "AsyncConnection[Any]", deletions: Sequence[Deletion]) -> None:
        keys = keys_of(deletion.key for deletion in deletions)
        await connection.execute(
            query("upsert_tombstones"),
            keys | {"seens": integers(d.seen for d in deletions), "causes": texts(d.cause for d in deletions)},
        )
        purged = [d.key for d in deletions if self._purge or d.cause == "forget"]
        if purged:
            await purge(connection, purged)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A batch, with its messages folded and without those that it deletes too, and the originals of what they repeat."""

    batch: Batch
    users: Sequence[User]
    messages: dict[Key, Incoming]
    origins: dict[Key, copies.Origin]

    @classmethod
    def of(cls, batch: Batch, users: Sequence[User]) -> "_Draft":
        messages = fold(batch.messages)
        for deletion in batch.deletions:
            if deletion.cause != "inferred":
                messages.pop(deletion.key, None)
        origins = {
            key: origin
            for key, incoming in messages.items()
            if (origin := copies.origin_of(incoming.message)) is not None
        }
        return cls(batch, users, messages, origins)

    @property
    def untold(self) -> list[Key]:
        """The messages that may keep what the archive has of them, were that a copy, too."""
        return [
            key
            for key, incoming in self.messages.items()
            if key not in self.origins and (incoming.patch or incoming.partial or not incoming.complete)
        ]

    @property
    def plain(self) -> bool:
        """Whether the messages are all there is to it, so that only what is archived can have a say in it."""
        return not (self.origins or self.batch.deletions or any(incoming.patch for incoming in self.messages.values()))


@dataclass(slots=True)
class _State:
    """What the archive says of a batch, read under the locks of its channels."""

    places: dict[int, Place]
    tombstones: dict[Key, Tombstone]
    rules: list[Rule]
    stored: dict[Key, Stored]
    unshown: Counter[int] = field(default_factory=Counter)
    """By channel, how many rows of another program the batch's page should show and lacks."""


async def purge(connection: "AsyncConnection[Any]", keys: Collection[Key]) -> None:
    """Drop messages, their revisions and every copy of their content, in a transaction that locked their channels."""
    columns = keys_of(keys)
    await connection.execute(query("delete_messages"), columns)
    await connection.execute(query("delete_revisions"), columns)
    originals = {"originals": texts(str(message_id) for _, message_id in keys)}
    await connection.execute(query("purge_copies_in_revisions"), originals)
    await connection.execute(query("purge_copies"), originals)


async def _read_under_locks(connection: "AsyncConnection[Any]", draft: _Draft) -> _State:
    """Lock the channels of a batch, and those whose messages it repeats, as far as they are known; then read."""
    batch, messages = draft.batch, draft.messages
    originals = [origin.key for origin in draft.origins.values()]
    channel_ids = batch.channel_ids
    locking = integers(sorted({*channel_ids, *(key.channel_id for key in originals)}))
    keys = keys_of({**dict.fromkeys(messages), **{d.key: None for d in batch.deletions}, **dict.fromkeys(originals)})
    for _ in range(2):
        # All are sent together; still each statement has a snapshot of its own, the last one taken under the locks.
        locked = await connection.execute(query("lock_channels"), {"channel_ids": locking})
        if draft.untold:
            await connection.execute(query("lock_copies"), keys_of(draft.untold))
        met = await connection.execute(query("meet"), keys)
        places = await locked.fetchall()
        if {place[0] for place in places}.issuperset(channel_ids):
            break
        await connection.execute(query("ensure_status"), {"channel_ids": integers(channel_ids)})
    else:
        raise AssertionError("a status row vanished under its lock")
    rows = await met.fetchall()
    rules = await (await connection.execute(query("read_rules"))).fetchall() if rows[0][0] else []
    state = _State(
        places={channel_id: Place(guild_id, parent_id) for channel_id, guild_id, parent_id, *_ in places},
        tombstones={Key(row[1], row[2]): Tombstone(row[3], row[4]) for row in rows if row[3] is not None},
        rules=[Rule(*row) for row in rules],
        stored={Key(row[1], row[2]): Stored(message_of(row[5:]), row[14]) for row in rows if row[5] is not None},
    )
    if batch.shown_at is not None and (adopted := {row[0] for row in places if row[3]}.intersection(batch.claims)):
        claims = {channel_id: batch.claims[channel_id] for channel_id in adopted}
        state.unshown = await unshown.count(connection, claims, _told(batch))
    return state


def _told(batch: Batch) -> set[Key]:
    """Return the messages that a batch itself says something of."""
    return {incoming.key for incoming in batch.messages} | {deletion.key for deletion in batch.deletions}


def _effective(deletions: Sequence[Deletion], state: _State, decision: Decision) -> list[Deletion]:
    """Return the deletions that hold: an inferred one needs a row that nothing newer than its page has shown."""
    shown = {incoming.key: incoming.seen for incoming in decision.new}
    shown |= {incoming.key: incoming.seen for incoming, _ in decision.edited}
    effective: dict[Key, Deletion] = {}
    for deletion in deletions:
        key = deletion.key
        if (mark := state.tombstones.get(key)) is not None and (
            mark.cause != "inferred" or deletion.cause == "inferred"
        ):
            continue
        if deletion.cause == "inferred":
            row = state.stored.get(key)
            if row is None or row.seen >= deletion.seen or key in shown:
                continue
        effective[key] = deletion
    return [effective[key] for key in sorted(effective)]


def _once_each(users: Iterable[User]) -> list[User]:
    by_id = {user.user_id: user for user in users}
    return [by_id[user_id] for user_id in sorted(by_id)]


def _store_columns(
    draft: _Draft, new: Sequence[Incoming], grown: Mapping[int, int], *, unless_known: bool
) -> dict[str, Any]:
    """Return what `store` takes: rows to insert, and for every channel of the batch by how many its count changes."""
    channel_ids = draft.batch.channel_ids
    seen = max((incoming.seen for incoming in draft.messages.values()), default=0)
    return {
        "unless_known": unless_known,
        "batch_channel_ids": integers(channel_ids),
        "batch_grown": integers([grown.get(channel_id, 0) for channel_id in channel_ids]),
        **columns_of(new),
        **user_columns(draft.users, seen),
        **_claim_columns(draft.batch),
    }


def _claim_columns(batch: Batch) -> dict[str, Any]:
    claims = [(channel_id, claim) for channel_id, claimed in batch.claims.items() for claim in claimed]
    return {
        "claimed_ids": integers(channel_id for channel_id, _ in claims),
        "los": integers(claim.lo for _, claim in claims),
        "his": integers(claim.hi for _, claim in claims),
        "asked_at": batch.asked_at,
        "heard_at": batch.heard_at,
    }
