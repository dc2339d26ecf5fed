"""Serve: keep the archive true while people talk.

The gateway is opened first and what it tells is taken in from the first moment on. Then REST brings what was there before:
backfill, then sync. After that REST only mends: all of it after a new session, a guild that came back or whose rights
changed, a channel whose live range ended.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from junkie_cli.client.live_events import LiveEvent, OnEvent, Phase, ShardState
from junkie_cli.db.database import Database
from junkie_cli.db.places import Places
from junkie_cli.db.reader import ChannelState, Reader
from junkie_cli.db.workers import Presence
from junkie_cli.db.writer import Writer
from junkie_cli.errors import ConfigError, JunkieError, TooManyInvalidRequests
from junkie_cli.ingest.backfill import BackfillOptions, backfill
from junkie_cli.ingest.channel import ChannelRun
from junkie_cli.ingest.events import ChannelEnded, Emit, Event, Outcome, Summary
from junkie_cli.ingest.live import LiveWriter
from junkie_cli.ingest.run import Run, Task
from junkie_cli.ingest.selection import Found, Target
from junkie_cli.ingest.steps import Goal
from junkie_cli.ingest.sync import SyncOptions, sync
from junkie_cli.ingest.watch import Needs, Watch
from junkie_cli.models import Channel, FoundChannel

if TYPE_CHECKING:
    from junkie_cli.client.gateway import Gateway
    from junkie_cli.client.session import DiscordClient

log = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 2.0
"""How long needs are gathered before REST mends them."""

RETRY_SECONDS: Final = 30.0
"""How long to wait after a mending that failed."""

MOST_DOUBLINGS: Final = 7
"""How often the wait for one more try is doubled: about an hour."""

LOOK_SECONDS: Final = 5.0

FATAL: Final = (ConfigError, TooManyInvalidRequests)

_ENDED_EARLY: Final = frozenset({Outcome.FAILED, Outcome.BUSY, Outcome.UNREADABLE, Outcome.GONE})

OpenGateway = Callable[[OnEvent], AbstractAsyncContextManager["Gateway"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the user asked for: what is fetched at the start, and how it is compared then and after each new session."""

    backfill: BackfillOptions
    sync: SyncOptions


@dataclass(slots=True)
class Vitals:
    """How a serve does, for whoever looks after it. `gaps` counts channels with holes between what is covered."""

    shards: Sequence[ShardState] = ()
    database: bool = True
    gaps: int = 0
    depth: int = 0
    written: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0
    skipped: int = 0
    mending: bool = True

    @property
    def well(self) -> bool:
        """Whether nobody need look at it."""
        return self.connected and self.database

    @property
    def connected(self) -> bool:
        """Whether every shard is in a session."""
        return bool(self.shards) and all(shard.phase is Phase.READY for shard in self.shards)


class Serve:
    """One serve. `run` ends only when it is cancelled, or when nothing can be done any more."""

    def __init__(
        self,
        options: ServeOptions,
        discord: "DiscordClient",
        database: Database,
        presence: Presence,
        emit: Emit,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._options = options
        self._discord = discord
        self._database = database
        self._presence = presence
        self._emit = emit
        self._sleep = sleep
        self._places = Places(database)
        self._needs = Needs()
        self._told = asyncio.Event()
        writer = Writer(database, on_delete=options.sync.on_delete, keep_revisions=options.sync.keep_revisions)
        self._live = LiveWriter(Reader(database), writer, lambda channel_id: self._needs.add(channels=[channel_id]))
        self._watch = Watch(options.sync.selection, self._live, self._needs, self._told.set)
        self._gateway: Gateway | None = None
        self._left = Needs()
        self._tries: Counter[int] = Counter()
        self._mending = True
        self._database_answers = True
        self._gaps = 0
        presence.hears_all = self._hears_all

    async def run(self, open_gateway: OpenGateway) -> None:
        """Serve until cancelled; then everything told is written and the gateway closed.

        Raises ConfigError and TooManyInvalidRequests: with these there is no going on.
        """
        try:
            async with open_gateway(self._take) as self._gateway, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._gateway.run())
                tasks.create_task(self._live.run())
                tasks.create_task(self._keep_places())
                tasks.create_task(self._mend())
                tasks.create_task(self._try_again())
                tasks.create_task(self._look_after())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            await self._live.close()

    def vitals(self) -> Vitals:
        """Return how it does, from memory alone."""
        written = self._live.written
        return Vitals(
            shards=() if self._gateway is None else self._gateway.state,
            database=self._database_answers,
            gaps=self._gaps,
            depth=self._live.depth,
            written={"new": written.new, "edited": written.edited, "deleted": written.deleted},
            dropped=self._live.dropped,
            skipped=self._watch.skipped,
            mending=self._mending,
        )

    def _hears_all(self) -> bool:
        """Say whether all that happens is heard, and all that was not has been fetched."""
        return self.vitals().connected and not self._mending and not self._needs.changed.is_set()

    def _take(self, event: LiveEvent) -> None:
        try:
            self._watch.take(event)
        except Exception:
            # A payload that lays a bug of ours bare must not end the session; what it told is missed, so all is mended.
            log.exception("an event could not be taken in")
            self._live.ranges.end_all()
            self._needs.add(everything=True)

    async def _keep_places(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            try:
                await self._watch.settle(self._places)
            except JunkieError as error:
                log.warning("%s", error.message)
                self._told.set()
                await self._sleep(RETRY_SECONDS / 10)

    async def _look_after(self) -> None:
        """Look at the database now and then, for `vitals`."""
        reader = Reader(self._database)
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    self._gaps = await reader.channels_with_gaps()
                self._database_answers = True
            except (JunkieError, TimeoutError):
                self._database_answers = False
            await self._sleep(LOOK_SECONDS)

    async def _mend(self) -> None:
        await self._needs.changed.wait()
        await self._insist(self._begin)
        while True:
            self._mending = bool(self._needs.changed.is_set())
            await self._needs.changed.wait()
            self._mending = True
            # A guild's events come in a burst, and so do their needs.
            await self._sleep(SETTLE_SECONDS)
            needs = self._needs.take()
            await self._insist(partial(self._meet, needs))

    async def _insist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work until it is done, whatever is away meanwhile. Raises what there is no going on with."""
        while True:
            try:
                return await work()
            except FATAL:
                raise
            except JunkieError as error:
                log.warning("%s; trying again in %.0f s", error.message, RETRY_SECONDS)
            await self._sleep(RETRY_SECONDS)

    async def _try_again(self) -> None:
        """Have channels whose work ended early mended once more, ever more rarely: nothing else would ask for them."""
        while True:
            await self._left.changed.wait()
            left = self._left.take().channels
            await self._sleep(RETRY_SECONDS * 2 ** min(max(self._tries[each] for each in left) - 1, MOST_DOUBLINGS))
            self._needs.add(channels=left)

    def _note_end(self, ended: ChannelEnded) -> None:
        """Remember a channel that the gateway says can be read, and whose work ended early all the same."""
        if ended.outcome not in _ENDED_EARLY:
            self._tries.pop(ended.channel_id, None)
        elif self._watch.known([ended.channel_id]):
            self._tries[ended.channel_id] += 1
            self._left.add(channels=[ended.channel_id])

    def _emit_noting(self, event: Event) -> None:
        if isinstance(event, ChannelEnded):
            self._note_end(event)
        self._emit(event)

    async def _begin(self) -> None:
        """Bring what was there before, in the seeds' order."""
        self._needs.take()
        await backfill(
            self._options.backfill, self._discord, self._database, self._presence, self._emit_noting, watcher=self._live
        )
        await self._sync(self._options.sync)

    async def _sync(self, options: SyncOptions) -> None:
        await sync(
            options,
            self._discord,
            self._database,
            self._presence,
            self._emit_noting,
            watcher=self._live,
            # Another sync does not know since when we listen.
            alone=False,
        )

    async def _meet(self, needs: Needs) -> None:
        # What was told is written first, places before messages: gaps are measured against it.
        await self._watch.settle(self._places)
        await self._live.flush()
        if needs.everything:
            await self._sync(self._options.sync)
        elif needs.guilds:
            selection = replace(self._options.sync.selection, guilds=frozenset(needs.guilds))
            await self._sync(replace(self._options.sync, selection=selection))
        # Sync leaves what was never fetched; of what began while nobody listened, all is wanted.
        again = self._watch.heard_of(None if needs.everything else needs.guilds)
        if channels := self._watch.known(needs.channels.union(again)):
            await self._close_gaps(channels)

    async def _close_gaps(self, channels: Sequence[FoundChannel]) -> None:
        """Close the gaps of channels without listing anything anew."""
        found = Found(targets=[Target(one.channel, one.access, f"#{one.channel.name}") for one in channels])

        async def prepare() -> _Worklist:
            ids = [one.channel.channel_id for one in channels]
            return _Worklist(found, await Reader(self._database).channel_states(ids))

        run = Run(
            self._options.sync,
            self._discord,
            self._database,
            self._presence,
            self._emit_trouble,
            sleep=self._sleep,
            watcher=self._live,
        )
        await run.carry_out(_CloseGaps(self._options.backfill, self._watch.newborn), prepare)

    def _emit_trouble(self, event: Event) -> None:
        if isinstance(event, ChannelEnded):
            self._note_end(event)
            if event.outcome.is_trouble:
                self._emit(event)
        elif isinstance(event, Summary) and event.new:
            log.info("%d messages were mended", event.new)


@dataclass(frozen=True, slots=True)
class _Worklist:
    found: Found
    states: Mapping[int, ChannelState]


@dataclass(frozen=True, slots=True)
class _CloseGaps:
    """What is wanted of channels whose live range began anew.

    Everything between what is covered, all of new ones, and what backfill wants of any: it may have been unreadable, or
    unknown, when backfill ran.
    """

    backfill: BackfillOptions
    newborn: frozenset[int] | set[int]

    @property
    def target(self) -> int | None:
        return None

    def task(self, channel: Channel, state: ChannelState) -> Task | None:
        covered = state.covered
        last_id = max(channel.last_message_id or 0, 0 if covered.top is None else covered.top.hi - 1)
        goal = self.backfill.goal(channel.channel_id)
        if channel.channel_id in self.newborn:
            goal = Goal(channel.channel_id)
        elif covered and goal.target is not None:
            # Deeper than so many messages, only backfill goes.
            goal = Goal(covered.ranges[0].lo)
        elif covered:
            goal = replace(goal, floor=min(goal.floor, covered.ranges[0].lo), max_iterations=None)
        if last_id < goal.floor or covered.covers(goal.floor, last_id + 1):
            return None
        return Task(goal, last_id)

    def outcome(self, run: ChannelRun) -> Outcome:
        return Outcome.UNCHANGED if run.tally.requests == 0 else Outcome.SYNCED
