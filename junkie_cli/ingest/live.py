"""Live changes into the archive, in small batches.

Invariant: a claim is written in the transaction of the messages that it rests on, or not at all. Changes are folded per
message while they wait, so that what waits is bounded by the messages concerned, not by events. If they are too many
(the database is away), creates are dropped, and with each the range of its channel ends: a gap on record, which REST
closes. Edits and deletions are kept.

Events are taken in by methods that never wait; one task writes.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from junkie_cli.coverage import Coverage, Range
from junkie_cli.db.reader import Reader
from junkie_cli.db.reconcile import Incoming, Key
from junkie_cli.db.writer import Batch, Deletion, Writer, Written
from junkie_cli.errors import DatabaseError, ValueRefused
from junkie_cli.ingest.live_ranges import LiveRanges
from junkie_cli.models import Message, User

log = logging.getLogger(__name__)

BATCH_SECONDS: Final = 0.2
"""How long changes are gathered before they are written."""

CAPACITY: Final = 50_000
"""How many messages may wait before creates are dropped."""

RETRY_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 2.0


async def _nothing() -> None:
    """Settle nothing."""


@dataclass(slots=True)
class _Pending:
    """What waits to be written, folded per message; `seen` is drawn when it is. `heard_at` is when the first of `claims` was told.

    `breaks` is how often something had been missed in the channels of `claims` when they were made.
    """

    messages: dict[Key, Incoming] = field(default_factory=dict)
    deleted: dict[Key, None] = field(default_factory=dict)
    users: dict[int, User] = field(default_factory=dict)
    claims: dict[int, Coverage] = field(default_factory=dict)
    breaks: dict[int, tuple[int, int]] = field(default_factory=dict)
    heard_at: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.messages or self.deleted or self.users or self.claims)

    @property
    def depth(self) -> int:
        return len(self.messages) + len(self.deleted)

    def batch(self, seen: int, heard_at: datetime) -> Batch:
        return Batch(
            messages=[replace(incoming, seen=seen) for incoming in self.messages.values()],
            deletions=[Deletion(key, seen, "event") for key in self.deleted],
            users=list(self.users.values()),
            claims=self.claims,
            heard_at=heard_at,
        )

    def by_message(self) -> "list[_Pending]":
        """Divide into the smallest parts, without claims."""
        parts = [_Pending(messages={key: incoming}) for key, incoming in self.messages.items()]
        return [*parts, *(_Pending(deleted={key: None}) for key in self.deleted), _Pending(users=self.users)]

    def channel_ids(self) -> set[int]:
        return {key.channel_id for key in (*self.messages, *self.deleted)} | set(self.claims)


class LiveWriter:
    """Takes live changes in and writes them.

    `on_gap` is told of a channel whose range ended in a way that REST must mend. `settle` stores what was told of channels:
    before their messages, since rules of `forget` go by the place, and what was missed counts from the last that was heard.
    `silence` says how many seconds ago whatever happened had been told for sure.

    `accepted` is False from when the database could not take something until it takes something again.
    """

    def __init__(
        self,
        reader: Reader,
        writer: Writer,
        on_gap: Callable[[int], None],
        settle: Callable[[], Awaitable[object]] = _nothing,
        *,
        capacity: int = CAPACITY,
        silence: Callable[[], float] = lambda: 0.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.ranges = LiveRanges()
        self.written = Written()
        self.dropped = 0
        self.accepted = True
        self._reader = reader
        self._writer = writer
        self._on_gap = on_gap
        self._settle = settle
        self._capacity = capacity
        self._silence = silence
        self._clock = clock
        self._sleep = sleep
        self._pending = _Pending()
        self._in_flight = _Pending()
        self._waits_since: float | None = None
        self._written_since: float | None = None
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()

    @property
    def depth(self) -> int:
        """How many messages wait to be written, those too that are being written."""
        return self._pending.depth + self._in_flight.depth

    def message(
        self,
        message: Message,
        *,
        created: bool,
        nick_known: bool = True,
        users: Iterable[User] = (),
        referenced: Iterable[Message] = (),
    ) -> None:
        """Take in a message as an event showed it whole; `created` for a new one, which proves a range.

        `nick_known` says that the author's name is the one in the guild.
        """
        key = Key(message.channel_id, message.message_id)
        if created and self.depth >= self._capacity and key not in self._pending.messages:
            self.dropped += 1
            self.lost(message.channel_id)
            return
        if key in self._pending.deleted:
            return
        self._put(key, Incoming(message, 0, live=True, nick_known=nick_known))
        for copy in referenced:
            self._put(Key(copy.channel_id, copy.message_id), Incoming(copy, 0, live=True, partial=True))
        self._pending.users |= {user.user_id: user for user in users}
        if created and (claim := self.ranges.message(*key)) is not None:
            self._claim(key.channel_id, claim)
        self._waits()

    def _put(self, key: Key, incoming: Incoming) -> None:
        """Let a whole message, or a copy of it, wait."""
        before = self._pending.messages.get(key)
        if before is not None and incoming.partial:
            # What waits says more than a copy does.
            return
        if before is not None and before.patch is None and not incoming.nick_known:
            now, was = incoming.message, before.message
            if now.author_id == was.author_id and was.author_name:
                incoming = replace(incoming, message=replace(now, author_name=was.author_name))
        self._pending.messages[key] = incoming

    def patched(self, key: Key, patch: Callable[[Message], Message]) -> None:
        """Take in an event that tells only some keys of a message."""
        if key in self._pending.deleted:
            return
        waiting = self._pending.messages.get(key)
        if waiting is None:
            nobody = Message(key.channel_id, key.message_id, author_id=0, author_name="", content="")
            self._pending.messages[key] = Incoming(nobody, 0, live=True, patch=patch)
        elif waiting.patch is None:
            self._pending.messages[key] = replace(waiting, message=patch(waiting.message))
        else:
            earlier = waiting.patch
            self._pending.messages[key] = replace(waiting, patch=lambda message: patch(earlier(message)))
        self._waits()

    def deleted(self, keys: Iterable[Key]) -> None:
        """Take in deletions, of any message, archived or not."""
        for key in keys:
            self._pending.messages.pop(key, None)
            self._pending.deleted[key] = None
        self._waits()

    def watch(self, channel_id: int) -> tuple[int, int] | None:
        """Return a token that changes whenever an event of the channel may have been missed; None if all are."""
        return self.ranges.watch(channel_id)

    def joined(self, channel_id: int, hi: int, watch: tuple[int, int]) -> None:
        """Take in that everything below `hi` was on a page that was asked for during `watch`, and is stored."""
        if (claim := self.ranges.join(channel_id, hi, watch)) is not None:
            self._claim(channel_id, claim)
            self._wake.set()

    def _claim(self, channel_id: int, claim: Range) -> None:
        if not self._pending.claims:
            self._pending.heard_at = self._clock() - self._silence()
        covered = self._pending.claims.get(channel_id, Coverage())
        self._pending.claims[channel_id] = covered.add(claim.lo, claim.hi)
        self._pending.breaks.setdefault(channel_id, self.ranges.breaks(channel_id))

    async def heard_at(self) -> datetime:
        """Put on record what was missed, and return until when all else that happened is in the archive.

        That is a time of the database's clock, and stays true however long it takes to write it down.

        Raises DatabaseError.
        """
        waiting = [since for since in (self._waits_since, self._written_since) if since is not None]
        heard_at = min([self._clock() - self._silence(), *waiting])
        await self._settle()
        _, now = await self._reader.draw_seen_now()
        return self._on_database_clock(heard_at, now)

    def _on_database_clock(self, moment: float, now: datetime) -> datetime:
        """Return a moment of our clock on the database's, on which it was `now` at most as long ago as its answer took."""
        return now - timedelta(seconds=max(self._clock() - moment, 0.0))

    def lost(self, channel_id: int) -> None:
        """Take in that an event of a channel was missed."""
        self.ranges.end([channel_id])
        self._on_gap(channel_id)

    def _waits(self) -> None:
        """Have what was taken in written."""
        if self._waits_since is None:
            self._waits_since = self._clock()
        self._wake.set()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._wake.wait()
            await self._sleep(BATCH_SECONDS)
            await self.flush()

    async def close(self) -> None:
        """Write what still waits, if the database takes it within a few seconds."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                written = await self._write_once()
        except TimeoutError:
            written = False
        if not written:
            log.warning("the database is away: %d messages were not written; the next run fetches them", self.depth)

    async def flush(self) -> None:
        """Write all that waits, trying until the database takes it."""
        while not await self._write_once():
            await self._sleep(RETRY_SECONDS)

    async def _write_once(self) -> bool:
        """Write what waits; False if the database is away, and then nothing of it is lost."""
        async with self._writing:
            self._wake.clear()
            try:
                await self._settle()
            except DatabaseError as error:
                log.warning("%s; %d messages wait", error.message, self.depth)
                self.accepted = False
                return False
            pending, self._pending = self._pending, _Pending()
            self._in_flight = pending
            self._written_since, self._waits_since = self._waits_since, None
            if not pending:
                self._written_since = None
                self.accepted = True
                return True
            try:
                await self._write(pending)
            except DatabaseError as error:
                log.warning("%s; %d messages wait", error.message, self.depth)
                self._take_back(pending)
                self.accepted = False
                return False
            except BaseException:
                self._take_back(pending)
                raise
            self._in_flight, self._written_since = _Pending(), None
            self.accepted = True
            for channel_id, breaks in pending.breaks.items():
                if breaks != self.ranges.breaks(channel_id):
                    # If nothing was covered there before, what was missed since could not be put on record.
                    self._on_gap(channel_id)
            return True

    async def _write(self, pending: _Pending) -> None:
        try:
            written = await self._write_batch(pending)
        except ValueRefused as error:
            # Some message of it can't be written. The others can; and no range goes on past the one that can't.
            log.warning("a batch of %d messages was refused: %s", len(pending.messages), error.message)
            for channel_id in pending.channel_ids():
                self.lost(channel_id)
            for part in pending.by_message():
                await self._write_part(part)
        else:
            self._count(written)

    async def _write_batch(self, pending: _Pending) -> Written:
        seen, now = await self._reader.draw_seen_now()
        return await self._writer.write(pending.batch(seen, self._on_database_clock(pending.heard_at, now)))

    async def _write_part(self, part: _Pending) -> None:
        try:
            self._count(await self._write_batch(part))
        except ValueRefused as error:
            key = next(iter(part.messages), None)
            place = key._asdict() if key else {}
            log.warning("message %s can't be written: %s", key.message_id if key else "?", error.message, extra=place)

    def _count(self, written: Written) -> None:
        for channel_id in written.blind:
            self.lost(channel_id)
        self.written = Written(
            new=self.written.new + written.new,
            edited=self.written.edited + written.edited,
            deleted=self.written.deleted + written.deleted,
            kept_out=self.written.kept_out + written.kept_out,
        )

    def _take_back(self, pending: _Pending) -> None:
        """Put what was not written under what has come since."""
        since, self._pending, self._in_flight = self._pending, pending, _Pending()
        self._waits_since, self._written_since = self._written_since, None
        for key, incoming in since.messages.items():
            if incoming.patch is None:
                self._put(key, incoming)
            else:
                self.patched(key, incoming.patch)
        self.deleted(since.deleted)
        pending.users |= since.users
        if not pending.claims:
            pending.heard_at = since.heard_at
        for channel_id, covered in since.claims.items():
            before = pending.claims.get(channel_id, Coverage())
            pending.claims[channel_id] = Coverage.of((*before, *covered))
            pending.breaks.setdefault(channel_id, since.breaks[channel_id])
        self._waits()
