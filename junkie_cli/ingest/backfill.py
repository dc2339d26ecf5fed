"""Backfill: bring every wanted channel to its goal."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from junkie_cli.config import Settings
from junkie_cli.db.database import Database
from junkie_cli.db.places import Places
from junkie_cli.db.reader import ChannelState, Reader
from junkie_cli.db.workers import Presence
from junkie_cli.ingest.asked import looked_early
from junkie_cli.ingest.channel import ChannelRun, Watcher
from junkie_cli.ingest.estimate import Progress, counted_messages, deepening_bound, progress_of, requests_left
from junkie_cli.ingest.events import ChannelsFound, Emit, Outcome, Summary
from junkie_cli.ingest.options import RunOptions
from junkie_cli.ingest.run import Run, Task
from junkie_cli.ingest.selection import Found, Selection
from junkie_cli.ingest.steps import Goal
from junkie_cli.ingest.survey import Survey, discover
from junkie_cli.models import Channel

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillOptions(RunOptions):
    """What the user asked for. `since` is the lowest wanted id; `target` None means all messages."""

    target: int | None = None
    since: int | None = None
    max_iterations: int | None = None
    max_fetch_limit: int = 1000
    parallel_batches: int = 1

    @classmethod
    def of(cls, settings: Settings, selection: Selection, **own: Any) -> Self:
        """Return the options of a backfill as the settings have them; see `RunOptions.of`."""
        usual = {
            "target": settings.max_messages,
            "max_iterations": settings.max_iterations,
            "max_fetch_limit": settings.max_fetch_limit,
            "parallel_batches": settings.parallel_batches,
        }
        return super(BackfillOptions, cls).of(settings, selection, **(usual | own))

    def goal(self, channel_id: int) -> Goal:
        """Return the goal for a channel."""
        return Goal(
            floor=max(channel_id, self.since or 0),
            target=self.target,
            batch=self.max_fetch_limit,
            max_iterations=self.max_iterations,
            lanes=self.parallel_batches,
        )

    def task(self, channel: Channel, state: ChannelState) -> Task | None:
        """Return the goal if anything of a channel is not covered, or may have become visible late.

        One that never had a message lacks none.
        """
        goal, last_id = self.goal(channel.channel_id), channel.last_message_id
        if last_id is None:
            return None
        if looked_early(state):
            return Task(replace(goal, look=True), last_id)
        return None if state.covered.covers(goal.floor, last_id + 1) else Task(goal, last_id)

    def outcome(self, run: ChannelRun) -> Outcome:
        """Say whether the goal was reached."""
        if run.tally.requests == 0:
            return Outcome.UNCHANGED
        if run.remaining == 0:
            return Outcome.COMPLETE
        current = run.tally.current
        met = self.target is not None and current is not None and current >= self.target
        return Outcome.TARGET_MET if met else Outcome.PARTIAL


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run would work on: the channels found, where each stands in the archive, and what it still lacks."""

    found: Found
    states: Mapping[int, ChannelState]
    progress: Mapping[int, Progress]


async def prepare(
    options: BackfillOptions,
    discord: "DiscordClient",
    database: Database,
    emit: Emit,
    *,
    store: bool = True,
    survey: Survey | None = None,
) -> AsyncGenerator[Prepared, None]:
    """Discover channels, then threads, store what was found, and read where each stands.

    Raises ContentIntentMissing if pages would come without their text, UsageError for a selection that fits nothing.
    """
    readable = unreadable = guilds = 0
    told = False
    async for found in discover(options, discord, Places(database), emit, store=store, survey=survey):
        states = await Reader(database).channel_states([target.channel.channel_id for target in found.targets])
        channels = [target.channel for target in found.targets if target.access.readable]
        progress = {channel.channel_id: _progress(options, channel, states[channel.channel_id]) for channel in channels}
        readable += len(channels)
        unreadable += len(found.targets) - len(channels)
        guilds += len(found.guilds)
        # That there are no threads goes without saying.
        if found.targets or not told:
            told = True
            least = sum(requests_left(each).low for each in progress.values())
            emit(ChannelsFound(readable, unreadable, guilds, least))
        yield Prepared(found, states, progress)


async def prepare_all(
    options: BackfillOptions, discord: "DiscordClient", database: Database, emit: Emit, *, store: bool = True
) -> Prepared:
    """Return all that `prepare` gives, at once. Raises as it does."""
    whole = Prepared(Found(), {}, {})
    async for part in prepare(options, discord, database, emit, store=store):
        whole.found.add(part.found)
        whole = Prepared(whole.found, {**whole.states, **part.states}, {**whole.progress, **part.progress})
    return whole


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
    watcher: Watcher | None = None,
    survey: Survey | None = None,
) -> Summary:
    """Archive all wanted channels. Returns what was done; also emits it, even when the run is cancelled or fails.

    `presence` keeps two commands from working on one channel; a `survey` is shared with a sync just before or after.

    Raises what ends a run (see FATAL), ContentIntentMissing and UsageError.
    """
    run = Run(options, discord, database, presence, emit, clock=clock, sleep=sleep, watcher=watcher, survey=survey)
    return await run.carry_out(options, lambda: prepare(options, discord, database, emit, survey=survey))


def _progress(options: BackfillOptions, channel: Channel, state: ChannelState, current: int | None = None) -> Progress:
    goal = options.goal(channel.channel_id)
    progress = progress_of(
        goal,
        channel.last_message_id,
        state.covered,
        held=state.held,
        current=current,
        total=counted_messages(channel),
        most_pages=deepening_bound(goal, state.covered),
    )
    # One page tells whether something has shown since.
    return replace(progress, above=1) if looked_early(state) and not progress.above else progress
