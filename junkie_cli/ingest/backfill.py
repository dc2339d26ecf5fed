"""Backfill: bring every wanted channel to its goal.

Channels are worked on side by side, far more of them than BACKFILL_CONCURRENCY has places: a place is held only while a
request or a write is in flight, so that a channel that waits for its own rate limit never holds up another.
A channel's failure stops that channel alone. What ends the run: a rejected token, too many invalid requests, a database
that is gone.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

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
    JunkieError,
    TooManyInvalidRequests,
)
from junkie_cli.ingest.channel import ChannelRun, Tally, Tools, content_intent_missing, side_by_side
from junkie_cli.ingest.estimate import Progress, counted_messages, deepening_bound, progress_of, requests_left
from junkie_cli.ingest.events import ChannelBegan, ChannelEnded, ChannelsFound, Emit, Outcome, Summary
from junkie_cli.ingest.selection import Found, Selection, Target, find
from junkie_cli.ingest.steps import Goal, View
from junkie_cli.models import Channel

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient

log = logging.getLogger(__name__)

CHANNELS_IN_WORK: Final = 128
"""Enough channels to use up the global limit (45 pages/s) while each of them waits for its own (1 page/s) half the time."""

BUSY_RETRIES: Final = 30
BUSY_SECONDS: Final = 1.0
"""How often, and how many seconds apart, a channel that another command works on is tried again at the end."""

FATAL: Final = (ConfigError, TooManyInvalidRequests, DatabaseError)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillOptions:
    """What the user asked for. `since` is the lowest wanted id; `target` None means all messages."""

    selection: Selection = field(default_factory=Selection)
    target: int | None = None
    since: int | None = None
    concurrency: int = 4
    max_iterations: int | None = None
    max_fetch_limit: int = 1000
    parallel_batches: int = 1
    allow_empty_content: bool = False
    on_delete: Literal["purge", "keep"] = "purge"
    keep_revisions: bool = False

    def goal(self, channel_id: int) -> Goal:
        """Return the goal for a channel."""
        return Goal(
            floor=max(channel_id, self.since or 0),
            target=self.target,
            batch=self.max_fetch_limit,
            max_iterations=self.max_iterations,
            lanes=self.parallel_batches,
        )


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run would work on: the channels found, where each stands in the archive, and what it still lacks."""

    found: Found
    states: Mapping[int, ChannelState]
    progress: Mapping[int, Progress]


async def prepare(
    options: BackfillOptions, discord: "DiscordClient", database: Database, emit: Emit, *, store: bool = True
) -> Prepared:
    """Discover channels, store what was found, and read where each stands.

    Raises ContentIntentMissing if pages would come without their text, UsageError for a selection that fits nothing.
    """
    if not discord.content_intent and not options.allow_empty_content:
        raise content_intent_missing()
    places = Places(database)
    found = await find(discord, places, options.selection, emit)
    if store:
        await found.store(places)
    states = await Reader(database).channel_states([target.channel.channel_id for target in found.targets])
    readable = [target.channel for target in found.targets if target.access.readable]
    progress = {channel.channel_id: _progress(options, channel, states[channel.channel_id]) for channel in readable}
    least = sum(requests_left(each).low for each in progress.values())
    emit(ChannelsFound(len(readable), len(found.targets) - len(readable), len(found.guilds), least))
    return Prepared(found, states, progress)


async def settle(prepared: Prepared, options: BackfillOptions, database: Database) -> Prepared:
    """Count where only a count tells whether a target is met already: worth it for a plan, not for a run."""
    progress = dict(prepared.progress)
    reader = Reader(database)
    for target in prepared.found.targets:
        channel, state = target.channel, prepared.states[target.channel.channel_id]
        before = progress.get(channel.channel_id)
        if before is None or before.least == before.wanted or before.above or options.target is None:
            continue
        top = state.covered.top
        assert top is not None
        current = await reader.count_between(channel.channel_id, top.lo, top.hi, most=options.target)
        progress[channel.channel_id] = _progress(options, channel, state, current)
    return Prepared(prepared.found, prepared.states, progress)


async def backfill(
    options: BackfillOptions,
    discord: "DiscordClient",
    database: Database,
    presence: Presence,
    emit: Emit,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> Summary:
    """Archive all wanted channels. Returns what was done; also emits it, even when the run is cancelled or fails.

    `presence` keeps two commands from working on one channel.

    Raises what ends a run (see FATAL), ContentIntentMissing and UsageError.
    """
    began = clock()
    run = _Run(options, discord, database, presence, emit, sleep=sleep)
    fatal, interrupted = "", False
    try:
        prepared = await prepare(options, discord, database, emit)
        await run.work_through(prepared)
    except asyncio.CancelledError:
        interrupted = True
        raise
    except JunkieError as error:
        fatal = error.message
        raise
    finally:
        summary = run.summary(clock() - began, interrupted=interrupted, fatal=fatal)
        emit(summary)
    return summary


class _Run:
    """The channels of one run and what became of them."""

    def __init__(
        self,
        options: BackfillOptions,
        discord: "DiscordClient",
        database: Database,
        presence: Presence,
        emit: Emit,
        *,
        sleep: Callable[[float], Awaitable[object]],
    ) -> None:
        self._options = options
        self._presence = presence
        self._sleep = sleep
        self._places = Places(database)
        self._reader = Reader(database)
        self._emit = emit
        self._tools = Tools(
            discord=discord,
            reader=self._reader,
            writer=Writer(database, on_delete=options.on_delete, keep_revisions=options.keep_revisions),
            slots=asyncio.Semaphore(options.concurrency),
            emit=emit,
            progressed=presence.progressed,
            complete=discord.content_intent,
        )
        self._found = 0
        self._ended: list[ChannelEnded] = []
        self._tallies: list[Tally] = []

    async def work_through(self, prepared: Prepared) -> None:
        """Work on all channels. Raises the first error that ends the run."""
        targets = prepared.found.targets
        self._found = len(targets)
        for unlisted in prepared.found.unlisted:
            self._end(_nothing_done(unlisted.place_id, unlisted.name, Outcome.FAILED, reason=unlisted.reason))
        busy = await self._pass(targets, prepared.states)
        for _ in range(BUSY_RETRIES):
            if not busy:
                return
            # Those who have our channels may have the rate limit too.
            await self._presence.idle()
            await self._sleep(BUSY_SECONDS)
            await self._presence.busy()
            busy = await self._pass(busy, prepared.states)
        for target in busy:
            self._end(_ended(target, Outcome.BUSY, 0, self._options.target, reason="another command works on it"))

    async def _pass(self, targets: Sequence[Target], states: Mapping[int, ChannelState]) -> list[Target]:
        """Work on these channels, and return those that other commands have."""
        queue = iter(targets)
        busy: list[Target] = []

        async def work() -> None:
            busy.extend([t for t in queue if not await self._one(t, states[t.channel.channel_id])])

        await side_by_side(*(work() for _ in range(min(CHANNELS_IN_WORK, len(targets)))))
        return busy

    def _end(self, ended: ChannelEnded) -> None:
        self._ended.append(ended)
        self._emit(ended)

    async def _one(self, target: Target, state: ChannelState) -> bool:
        """Work on one channel. Returns False if another command has it."""
        channel = target.channel
        if not target.access.readable:
            reason = target.access.reason
            self._end(_ended(target, Outcome.UNREADABLE, state.held, self._options.target, reason=reason))
        elif not self._lacks(channel, state):
            self._end(_ended(target, Outcome.UNCHANGED, state.held, self._options.target))
        elif await self._presence.try_lock(channel.channel_id):
            try:
                self._end(await self._locked(target))
            finally:
                await self._presence.unlock(channel.channel_id)
        else:
            return False
        return True

    def _lacks(self, channel: Channel, state: ChannelState) -> bool:
        """Say whether anything of a channel is not covered. One that never had a message lacks none."""
        if channel.last_message_id is None:
            return False
        return not state.covered.covers(self._options.goal(channel.channel_id).floor, channel.last_message_id + 1)

    async def _locked(self, target: Target) -> ChannelEnded:
        """Bring a channel to its goal. Its state is read under the lock: another command may just have left it."""
        channel = target.channel
        assert channel.last_message_id is not None
        state = (await self._reader.channel_states([channel.channel_id]))[channel.channel_id]
        goal = self._options.goal(channel.channel_id)
        view = View(channel.channel_id, channel.last_message_id, state.covered)
        run = ChannelRun(self._tools, target.name, view, goal, state.held, total=counted_messages(channel))
        self._tallies.append(run.tally)
        self._emit(
            ChannelBegan(channel.channel_id, target.name, goal.floor, view.last_id, state.held, run.remaining, run.left)
        )
        outcome, reason = await self._outcome(target, run, goal)
        tally = run.tally
        return ChannelEnded(
            channel.channel_id,
            target.name,
            outcome=outcome,
            held=tally.held,
            target=goal.target,
            fetched=tally.fetched,
            new=tally.new,
            edited=tally.edited,
            deleted=tally.deleted,
            requests=tally.requests,
            reason=reason,
        )

    async def _outcome(self, target: Target, run: ChannelRun, goal: Goal) -> tuple[Outcome, str]:
        """Run a channel's walk. Raises only what ends the whole run."""
        try:
            await run.run()
        except FATAL:
            raise
        except Exception as error:  # noqa: BLE001  a bug that one channel lays bare must not cost the others theirs
            return await self._trouble(target, error), _reason(error)
        if run.tally.requests == 0:
            return Outcome.UNCHANGED, ""
        if run.remaining == 0:
            return Outcome.COMPLETE, ""
        met = goal.target is not None and run.tally.held >= goal.target
        return (Outcome.TARGET_MET if met else Outcome.PARTIAL), ""

    async def _trouble(self, target: Target, error: Exception) -> Outcome:
        """Record what Discord said of a channel that ended early."""
        if isinstance(error, ChannelForbidden):
            await self._places.mark_unreadable(target.channel.channel_id, error.message)
            return Outcome.UNREADABLE
        if isinstance(error, ChannelNotFound):
            await self._places.mark_gone(target.channel.channel_id)
            return Outcome.GONE
        log.debug("%s failed", target.name, exc_info=error)
        return Outcome.FAILED

    def summary(self, seconds: float, *, interrupted: bool, fatal: str) -> Summary:
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


def _progress(options: BackfillOptions, channel: Channel, state: ChannelState, current: int | None = None) -> Progress:
    goal = options.goal(channel.channel_id)
    return progress_of(
        goal,
        channel.last_message_id,
        state.covered,
        held=state.held,
        current=current,
        total=counted_messages(channel),
        most_pages=deepening_bound(goal, state.covered),
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
