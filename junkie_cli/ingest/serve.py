"""Serve: keep the archive true while people talk.

The gateway is opened first and what it tells is taken in from the first moment on. Then REST brings what was there before:
backfill, then sync. After that REST only mends: a shard's guilds after a new session, a guild that came back or whose
rights changed, a channel whose live range ended (`mending`).
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from junkie_cli.client.live_events import LiveEvent, OnEvent, Phase, ShardState
from junkie_cli.db.database import Database
from junkie_cli.db.places import Places
from junkie_cli.db.reader import Reader
from junkie_cli.db.workers import Presence
from junkie_cli.db.writer import Writer
from junkie_cli.errors import JunkieError
from junkie_cli.ingest.events import Emit
from junkie_cli.ingest.live import LiveWriter
from junkie_cli.ingest.mending import Mending, ServeOptions
from junkie_cli.ingest.watch import Needs, Watch

if TYPE_CHECKING:
    from junkie_cli.client.gateway import Gateway
    from junkie_cli.client.session import DiscordClient

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 3.0
"""How long to wait before what was told of places is stored, should the database not take it."""

END_SECONDS: Final = 0.5
LOOK_SECONDS: Final = 5.0
STILL_SECONDS: Final = 60.0
"""After so long without a turn the event loop counts as standing still."""

OpenGateway = Callable[[OnEvent], AbstractAsyncContextManager["Gateway"]]


@dataclass(slots=True)
class Vitals:
    """How a serve does, for whoever looks after it. `gaps` counts channels with holes between what is covered.

    `database` says whether it answers, `writes` whether it took what was to be written last: a full disk or a standby answers
    and takes nothing. Not `responsive`, the event loop stands still, and all else is as it was then.
    """

    shards: Sequence[ShardState] = ()
    database: bool = True
    writes: bool = True
    responsive: bool = True
    gaps: int = 0
    depth: int = 0
    written: Mapping[str, int] = field(default_factory=dict)
    dropped: int = 0
    skipped: int = 0
    mending: bool = True

    @property
    def well(self) -> bool:
        """Whether nobody need look at it."""
        return self.connected and self.database and self.writes and self.responsive

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
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sleep = sleep
        self._places = Places(database)
        self._needs = Needs()
        self._told = asyncio.Event()
        writer = Writer(database, on_delete=options.sync.on_delete, keep_revisions=options.sync.keep_revisions)
        self._live = LiveWriter(
            Reader(database),
            writer,
            self._missed,
            self._settle,
            silence=self._silence,
        )
        self._watch = Watch(options.sync.selection, self._live, self._needs, self._told.set)
        self._mending = Mending(
            options,
            discord,
            database,
            presence,
            emit,
            needs=self._needs,
            watch=self._watch,
            live=self._live,
            connecting=self._connecting,
            sleep=sleep,
        )
        self._gateway: Gateway | None = None
        self._database_answers = True
        self._gaps = 0
        self._turned_at = math.inf
        presence.hears_all = self._hears_all

    async def run(self, open_gateway: OpenGateway) -> None:
        """Serve until cancelled; then everything told is written and the gateway closed.

        Raises ConfigError, TooManyInvalidRequests and UsageError: with these there is no going on.
        """
        try:
            async with open_gateway(self._take) as self._gateway, asyncio.TaskGroup() as tasks:
                tasks.create_task(self._gateway.run())
                tasks.create_task(self._live.run())
                tasks.create_task(self._keep_places())
                tasks.create_task(self._mending.run())
                tasks.create_task(self._look_after())
                tasks.create_task(self._turn())
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None
        finally:
            await self._live.close()
            await self._note_end()

    async def _note_end(self) -> None:
        """Record that nobody listens from now on. Where that fails, the next session finds out."""
        self._watch.told.miss_any()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self._settle()
        except (JunkieError, TimeoutError) as error:
            log.debug("the end could not be recorded: %s", error)

    def vitals(self) -> Vitals:
        """Return how it does, from memory alone."""
        written = self._live.written
        return Vitals(
            shards=() if self._gateway is None else self._gateway.state,
            database=self._database_answers,
            writes=self._live.accepted,
            responsive=self._clock() - self._turned_at < STILL_SECONDS,
            gaps=self._gaps,
            depth=self._live.depth,
            written={"new": written.new, "edited": written.edited, "deleted": written.deleted},
            dropped=self._live.dropped,
            skipped=self._watch.skipped,
            mending=self._mending.active or self._needs.changed.is_set(),
        )

    def _connecting(self) -> int:
        """Return how many shards are in no session."""
        return sum(shard.phase is not Phase.READY for shard in self.vitals().shards)

    def _silence(self) -> float:
        """Return how many seconds ago whatever had happened had been told, on every shard that was ever in a session."""
        return max((shard.silence for shard in self.vitals().shards if shard.silence is not None), default=0.0)

    def _missed(self, channel_id: int) -> None:
        self._watch.missed(channel_id)

    async def _settle(self) -> None:
        await self._watch.told.settle(self._places)

    def _hears_all(self) -> bool:
        """Say whether all that happens is heard, and all that was not has been fetched."""
        now = self.vitals()
        return now.connected and not now.mending and not self._watch.unavailable

    def _take(self, event: LiveEvent) -> None:
        try:
            self._watch.take(event)
        except Exception:
            # A payload that lays a bug of ours bare must not end the session; what it told is missed, so all is mended.
            log.exception("an event could not be taken in")
            self._live.ranges.end_all()
            self._watch.told.miss_any()
            self._needs.add(everything=True)

    async def _keep_places(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            try:
                await self._settle()
            except JunkieError as error:
                log.warning("%s", error.message)
                self._told.set()
                await self._sleep(RETRY_SECONDS)

    async def _turn(self) -> None:
        """Show `vitals`, which another thread may ask for, that the event loop goes round."""
        while True:
            self._turned_at = self._clock()
            await self._sleep(LOOK_SECONDS)

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
