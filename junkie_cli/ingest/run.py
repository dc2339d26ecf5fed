"""One run over all wanted channels: what backfill and sync share.

Channels are worked on side by side, far more of them than BACKFILL_CONCURRENCY has slots: a slot is held only while a
request is sent or a page is written, so that a channel that waits for Discord never holds up another.
A channel's failure stops that channel alone. What ends the run: a rejected token, too many invalid requests, a database
that is gone.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from junkie_cli.db.database import Database
from junkie_cli.db.places import Places
from junkie_cli.db.reader import ChannelState, Reader
from junkie_cli.db.workers import Presence
from junkie_cli.db.writer import Writer
from junkie_cli.errors import (
    ChannelForbidden,
    ChannelNotFound,
    ConfigError,
    DatabaseError,
    DiscordUnavailable,
    JunkieError,
    TooManyInvalidRequests,
)
from junkie_cli.ingest.absence import is_gone
from junkie_cli.ingest.asked import LATE
from junkie_cli.ingest.channel import ChannelRun, Tally, Tools, Watcher, side_by_side
from junkie_cli.ingest.estimate import counted_messages
from junkie_cli.ingest.events import ChannelBegan, ChannelEnded, Emit, Outcome, Summary
from junkie_cli.ingest.options import RunOptions
from junkie_cli.ingest.selection import Found, Target
from junkie_cli.ingest.slots import Slots
from junkie_cli.ingest.steps import Extent, Goal, View
from junkie_cli.ingest.survey import Compared, Survey
from junkie_cli.models import Channel

if TYPE_CHECKING:
    from datetime import datetime

    from junkie_cli.client.session import DiscordClient

log = logging.getLogger(__name__)

CHANNELS_IN_WORK: Final = 128
"""Enough channels to use up the global limit (45 pages/s) while each of them waits for its own (1 page/s) half the time."""

BUSY_RETRIES: Final = 30
BUSY_SECONDS: Final = 1.0
"""How often, and how many seconds apart, a channel that another command works on is tried again at the end."""

FATAL: Final = (ConfigError, TooManyInvalidRequests, DatabaseError)

_CLOCKS_DIFFER: Final = timedelta(hours=1)
"""More than the database's clock and Discord's may differ; what was born within is found out to be known already."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a run wants of one channel: a goal, and how much is to be compared once it is reached (None: nothing)."""

    goal: Goal
    last_id: int
    extent: Extent | None = None


class Plan(Protocol):
    """What a command wants of channels."""

    @property
    def target(self) -> int | None:
        """The number of newest messages that are wanted of each channel; None: all."""

    def task(self, channel: Channel, state: ChannelState) -> Task | None:
        """Return what is to be done in a channel; None if no request is needed."""

    def outcome(self, run: ChannelRun) -> Outcome:
        """Return how the work on a channel ended that met no trouble."""


class Worklist(Protocol):
    """The channels of a run, and where each stood in the archive before it."""

    @property
    def found(self) -> Found:
        """What discovery found."""

    @property
    def states(self) -> Mapping[int, ChannelState]:
        """The state of every channel found."""


class Run:
    """The channels of one run and what became of them."""

    def __init__(
        self,
        options: RunOptions,
        discord: "DiscordClient",
        database: Database,
        presence: Presence,
        emit: Emit,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        watcher: Watcher | None = None,
        survey: Survey | None = None,
    ) -> None:
        """`presence` keeps two commands from working on one channel; short pages join what `watcher` hears.

        `survey` is what `prepare` finds channels with.
        """
        self._options = options
        self._presence = presence
        self._clock = clock
        self._sleep = sleep
        self._places = Places(database)
        self._reader = Reader(database)
        self._emit = emit
        self._survey = survey or Survey()
        self._tools = Tools(
            discord=discord,
            reader=self._reader,
            writer=Writer(database, on_delete=options.on_delete, keep_revisions=options.keep_revisions),
            slots=Slots(options.concurrency),
            emit=emit,
            progressed=presence.progressed,
            complete=discord.content_intent,
            watcher=watcher,
        )
        self._found = 0
        self._guilds: list[int] = []
        self._began_at: datetime | None = None
        self._current: list[int] = []
        self._ended: list[ChannelEnded] = []
        self._tallies: list[Tally] = []

    async def carry_out(self, plan: Plan, prepare: Callable[[], AsyncGenerator[Worklist, None]]) -> Summary:
        """Work on all channels, while `prepare` may find more, and return what was done.

        That is emitted too, also when the run is cancelled or fails.

        Raises what ends a run (see FATAL), and what `prepare` raises.
        """
        began = self._clock()
        fatal, interrupted = "", False
        try:
            self._began_at = began_at = self._survey.began(await self._places.now())
            async with aclosing(prepare()) as worklists:
                await self._work_through(plan, worklists)
            await self._note_visit(began_at)
        except asyncio.CancelledError:
            interrupted = True
            raise
        except JunkieError as error:
            fatal = error.message
            raise
        finally:
            summary = self._summary(self._clock() - began, interrupted=interrupted, fatal=fatal)
            self._emit(summary)
        return summary

    async def _note_visit(self, began_at: "datetime") -> None:
        """Record that threads born before the run were found and worked on, unless some may have been left out."""
        selection = self._options.selection
        left_out = any(ended.outcome in {Outcome.FAILED, Outcome.BUSY} for ended in self._ended)
        if selection.threads and not selection.channels and not left_out:
            await self._places.note_visit(self._guilds, began_at - _CLOCKS_DIFFER)

    async def _work_through(self, plan: Plan, worklists: AsyncIterator[Worklist]) -> None:
        """Work on all channels, on the first ones while others are looked for. Raises the first error that ends the run."""
        busy: list[tuple[Target, ChannelState]] = []

        async def work(worklist: Worklist) -> None:
            found = worklist.found
            self._found += len(found.targets)
            self._guilds += [guild.guild_id for guild in found.guilds]
            for unlisted in found.unlisted:
                self._end(_nothing_done(unlisted.place_id, unlisted.name, Outcome.FAILED, reason=unlisted.reason))
            stands = [(target, worklist.states[target.channel.channel_id]) for target in found.targets]
            busy.extend(await self._pass(plan, stands))

        async def work_on_more() -> DiscordUnavailable | None:
            try:
                async for worklist in worklists:
                    await work(worklist)
            except DiscordUnavailable as error:
                # What was found until then is worked on to its end.
                return error
            return None

        _, unavailable = await side_by_side(work(await anext(worklists)), work_on_more())
        if unavailable is not None:
            raise unavailable
        await self._note_checked(self._current)
        for _ in range(BUSY_RETRIES):
            if not busy:
                return
            # Those who have our channels may have the rate limit too.
            await self._presence.idle()
            await self._sleep(BUSY_SECONDS)
            await self._presence.busy()
            busy = await self._pass(plan, busy)
        for target, _ in busy:
            self._end(_ended(target, Outcome.BUSY, 0, plan.target, reason="another command works on it"))

    async def _pass(
        self, plan: Plan, stands: Sequence[tuple[Target, ChannelState]]
    ) -> list[tuple[Target, ChannelState]]:
        """Work on these channels, and return those that other commands have."""
        queue = iter(stands)
        busy: list[tuple[Target, ChannelState]] = []

        async def work() -> None:
            for target, state in queue:
                try:
                    if not await self._one(plan, target, state):
                        busy.append((target, state))
                finally:
                    self._tools.slots.settled(target.channel.channel_id)

        workers = min(CHANNELS_IN_WORK, len(stands))
        self._tools.slots.expect(target.channel.channel_id for target, _ in stands[:workers])
        await side_by_side(*(work() for _ in range(workers)))
        return busy

    def _end(self, ended: ChannelEnded) -> None:
        self._ended.append(ended)
        self._emit(ended)

    async def _one(self, plan: Plan, target: Target, state: ChannelState) -> bool:
        """Work on one channel. Returns False if another command has it."""
        channel = target.channel
        if not target.access.readable:
            reason = target.access.reason
            self._end(_ended(target, Outcome.UNREADABLE, state.held, plan.target, reason=reason))
        elif plan.task(channel, state) is None:
            self._current.append(channel.channel_id)
            self._end(_ended(target, Outcome.UNCHANGED, state.held, plan.target))
        elif await self._presence.try_lock(channel.channel_id):
            try:
                self._end(await self._locked(plan, target))
            finally:
                await self._presence.unlock(channel.channel_id)
        else:
            return False
        return True

    async def _locked(self, plan: Plan, target: Target) -> ChannelEnded:
        """Do a channel's task. Its state is read under the lock: another command may just have left it."""
        channel = target.channel
        state = (await self._reader.channel_states([channel.channel_id]))[channel.channel_id]
        if (task := plan.task(channel, state)) is None:
            return _ended(target, Outcome.UNCHANGED, state.held, plan.target)
        view = View(channel.channel_id, task.last_id, state.covered)
        total = counted_messages(channel)
        run = ChannelRun(self._tools, target.name, view, task.goal, state.held, total=total, extent=task.extent)
        self._tallies.append(run.tally)
        floor = task.goal.floor
        self._emit(
            ChannelBegan(channel.channel_id, target.name, floor, view.last_id, state.held, run.remaining, run.left)
        )
        watch = self._watch(channel.channel_id)
        tally = run.tally
        self._take_over(channel.channel_id, tally, watch)
        outcome, reason = await self._outcome(plan, target, run)
        self._hand_on(channel.channel_id, tally, watch)
        if view.last_id in tally.covered:
            await self._note_checked([channel.channel_id])
        if tally.whole and tally.first_asked_at is not None:
            # Last: that nobody had listened is on record only now, where a killed serve was the last to say so.
            await self._note_watched(channel.channel_id, tally.first_asked_at - LATE, watch)
        return ChannelEnded(
            channel.channel_id,
            target.name,
            outcome=outcome,
            held=tally.held,
            target=plan.target,
            fetched=tally.fetched,
            new=tally.new,
            edited=tally.edited,
            deleted=tally.deleted,
            requests=tally.requests,
            reason=reason,
        )

    def _watch(self, channel_id: int) -> object:
        """Return what stays the same as long as every event of the channel is heard; None if none is."""
        watcher = self._tools.watcher
        return None if watcher is None else watcher.watch(channel_id)

    def _take_over(self, channel_id: int, tally: Tally, watch: object) -> None:
        """Count what an earlier run of the survey compared as compared in this one, if all was heard since."""
        compared = self._survey.compared.get(channel_id)
        if compared is not None and compared.watch == watch:
            tally.fresh, tally.first_asked_at = compared.fresh, compared.first_asked_at

    def _hand_on(self, channel_id: int, tally: Tally, watch: object) -> None:
        """Keep for the next run of the survey what was compared, if all was heard meanwhile."""
        if watch is not None and watch == self._watch(channel_id) and tally.first_asked_at is not None:
            self._survey.compared[channel_id] = Compared(watch, tally.fresh, tally.first_asked_at)

    async def _note_watched(self, channel_id: int, since: "datetime", watch: object) -> None:
        """Record that all of a channel was compared; nothing is missing if its events were heard since before that began."""
        watcher = self._tools.watcher
        heard_at = None if watcher is None or watch is None else await watcher.heard_at()
        heard = heard_at is not None and watch == self._watch(channel_id)
        await self._places.note_watched(channel_id, None if heard else since, heard_at=heard_at)
        if heard and watch != self._watch(channel_id):
            # What was missed just now had no effect on a channel that was on record as unwatched.
            await self._places.note_unwatched([channel_id])

    async def _note_checked(self, channel_ids: Sequence[int]) -> None:
        """Record that whatever had been posted in these channels when they were listed is archived or a known gap."""
        assert self._began_at is not None
        watcher = self._tools.watcher
        heard = [channel_id for channel_id in channel_ids if self._watch(channel_id) is not None]
        if heard and watcher is not None:
            await self._places.note_checked(heard, self._began_at, heard_at=await watcher.heard_at())
        await self._places.note_checked(set(channel_ids).difference(heard), self._began_at)

    async def _outcome(self, plan: Plan, target: Target, run: ChannelRun) -> tuple[Outcome, str]:
        """Run a channel's walks. Raises only what ends the whole run."""
        try:
            await run.run()
        except FATAL:
            raise
        except Exception as error:  # noqa: BLE001  a bug that one channel lays bare must not cost the others theirs
            return await self._trouble(target, error), _reason(error)
        return plan.outcome(run), ""

    async def _trouble(self, target: Target, error: Exception) -> Outcome:
        """Record what Discord said of a channel that ended early."""
        if isinstance(error, ChannelForbidden):
            await self._places.mark_unreadable(target.channel.channel_id, error.message)
            return Outcome.UNREADABLE
        if isinstance(error, ChannelNotFound) and await is_gone(self._tools.discord, target.channel.channel_id):
            await self._places.mark_gone(target.channel.channel_id)
            return Outcome.GONE
        log.debug("%s failed", target.name, exc_info=error, extra={"channel_id": target.channel.channel_id})
        return Outcome.FAILED

    def _summary(self, seconds: float, *, interrupted: bool, fatal: str) -> Summary:
        """Add up what became of the channels; what was done in one that did not end is done, too."""
        tallies = self._tallies
        return Summary(
            channels=self._found,
            outcomes=dict(Counter(end.outcome for end in self._ended)),
            fetched=sum(tally.fetched for tally in tallies),
            new=sum(tally.new for tally in tallies),
            edited=sum(tally.edited for tally in tallies),
            deleted=sum(tally.deleted for tally in tallies),
            requests=sum(tally.requests for tally in tallies),
            seconds=seconds,
            interrupted=interrupted,
            fatal=fatal,
        )


def _reason(error: Exception) -> str:
    if isinstance(error, JunkieError):
        return error.message
    return f"unexpected {type(error).__name__}; LOG_LEVEL=DEBUG shows where"


def _ended(target: Target, outcome: Outcome, held: int, wanted: int | None, reason: str = "") -> ChannelEnded:
    """Return the end of a channel for which nothing was asked."""
    ended = _nothing_done(target.channel.channel_id, target.name, outcome, reason=reason)
    return replace(ended, held=held, target=wanted)


def _nothing_done(channel_id: int, name: str, outcome: Outcome, *, reason: str) -> ChannelEnded:
    return ChannelEnded(
        channel_id,
        name,
        outcome=outcome,
        held=0,
        target=None,
        fetched=0,
        new=0,
        edited=0,
        deleted=0,
        requests=0,
        reason=reason,
    )
