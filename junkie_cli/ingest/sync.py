"""Sync: make the archive true again after any absence.

First every channel that has coverage is caught up, without a cap, and holes between what is covered are closed; what was
never fetched below stays a known gap. A channel that was never fetched gets its newest messages, a thread that was born
since the last run all of it. Then what is archived is compared with Discord, which finds edits and deletions.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from junkie_cli import snowflake
from junkie_cli.db.database import Database
from junkie_cli.db.places import Places
from junkie_cli.db.reader import ChannelState, Reader
from junkie_cli.db.workers import Presence
from junkie_cli.ingest.asked import looked_early
from junkie_cli.ingest.channel import ChannelRun, Watcher
from junkie_cli.ingest.events import AnotherRuns, ChannelsFound, Emit, Event, Outcome, Summary, Waiting
from junkie_cli.ingest.options import RunOptions
from junkie_cli.ingest.run import Run, Task
from junkie_cli.ingest.selection import Found
from junkie_cli.ingest.steps import Extent, Goal
from junkie_cli.ingest.survey import Survey, discover, whole
from junkie_cli.models import PAGE_LIMIT, Channel

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient

STALLED: Final = 600.0
"""Seconds without progress after which a sync that runs is worth somebody's attention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions(RunOptions):
    """What the user asked for.

    At least the newest `limit` archived messages of each channel are compared (None: all), or all down to the id `since`;
    so much of a channel that was never fetched is fetched, too. `reconcile` False compares nothing.
    """

    limit: int | None = 200
    since: int | None = None
    reconcile: bool = True


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What a run works on."""

    found: Found
    states: Mapping[int, ChannelState]


@dataclass(slots=True)
class SyncPlan:
    """What sync wants of channels. `visits` says up to when all threads born in a guild were worked on.

    With `look`, newer messages are asked for where none are known, too: a page that says so joins what is heard live. The
    first message in an archived thread comes with news of the thread, so that there it need not be asked.
    """

    options: SyncOptions
    look: bool = False
    visits: Mapping[int, datetime] = field(default_factory=dict)

    @property
    def target(self) -> int | None:
        """No number of messages is wanted of a channel."""
        return None

    def task(self, channel: Channel, state: ChannelState) -> Task | None:
        """Return what is to be done; None if there is nothing to fetch and nothing is to be compared."""
        options, top = self.options, state.covered.top
        if top is None:
            return None if channel.last_message_id is None else Task(self._fresh(channel), channel.last_message_id)
        # Below the lowest covered id is what was never fetched: that is backfill's business, but for what a run left of a
        # thread that it was to fetch whole.
        floor = channel.channel_id if self._born_since(channel) else state.covered.ranges[0].lo
        last_id = max(channel.last_message_id or 0, top.hi - 1)
        extent = Extent(options.since or 0, options.limit) if options.reconcile else None
        look = (self.look and channel.archived_at is None) or looked_early(state)
        if extent is None and not look and state.covered.covers(floor, last_id + 1):
            return None
        return Task(Goal(floor, look=look), last_id, extent)

    def outcome(self, run: ChannelRun) -> Outcome:
        """Say that what was wanted is done."""
        return Outcome.UNCHANGED if run.tally.requests == 0 else Outcome.SYNCED

    def least(self, channel: Channel, state: ChannelState) -> int:
        """Return the least number of requests that a channel needs."""
        if (task := self.task(channel, state)) is None:
            return 0
        gaps = task.goal.floor <= task.last_id and not state.covered.covers(task.goal.floor, task.last_id + 1)
        if task.extent is None or task.extent.floor > channel.channel_id:
            return int(gaps)
        messages = state.held if task.extent.limit is None else min(state.held, task.extent.limit)
        return max(int(gaps), messages // PAGE_LIMIT)

    def _fresh(self, channel: Channel) -> Goal:
        """Return how much to fetch of a channel that was never fetched."""
        options = self.options
        if self._born_since(channel):
            return Goal(channel.channel_id)
        return Goal(max(channel.channel_id, options.since or 0), options.limit)

    def _born_since(self, channel: Channel) -> bool:
        """Say whether it is a thread that was born since the guild's last run; by its id only where nothing else tells."""
        visited = self.visits.get(channel.guild_id or 0)
        if not channel.is_thread or visited is None:
            return False
        return (channel.begun_at or snowflake.to_datetime(channel.channel_id)) >= visited


async def sync(
    options: SyncOptions,
    discord: "DiscordClient",
    database: Database,
    presence: Presence,
    emit: Emit,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    watcher: Watcher | None = None,
    alone: bool = True,
    survey: Survey | None = None,
) -> Summary | AnotherRuns:
    """Make the archive of all wanted channels true again. Returns what was done, or that another sync is at it.

    Not `alone`, it shares the work with another one instead, channel by channel. A `survey` is shared with a backfill just
    before or after.

    Raises what ends a run (see `run.FATAL`), ContentIntentMissing and UsageError.
    """
    if alone and not await presence.try_lock_command():
        idle = await presence.idle_seconds()
        another = AnotherRuns(idle, stalled=idle >= STALLED)
        emit(another)
        return another

    def emit_progress(event: Event) -> None:
        # Looking for channels is progress too; waiting is none.
        if not isinstance(event, Waiting):
            presence.progressed()
        emit(event)

    places = Places(database)
    plan = SyncPlan(options, look=watcher is not None)

    async def prepare() -> AsyncGenerator[_Prepared, None]:
        plan.visits = await places.visits()
        found = await whole(discover(options, discord, places, emit_progress, survey=survey))
        states = await Reader(database).channel_states([target.channel.channel_id for target in found.targets])
        readable = [target.channel for target in found.targets if target.access.readable]
        fresh = survey.compared if survey is not None else {}
        least = sum(plan.least(each, states[each.channel_id]) for each in readable if each.channel_id not in fresh)
        unreadable = len(found.targets) - len(readable)
        emit_progress(ChannelsFound(len(readable), unreadable, len(found.guilds), least, work="sync"))
        yield _Prepared(found, states)

    run = Run(
        options, discord, database, presence, emit_progress, clock=clock, sleep=sleep, watcher=watcher, survey=survey
    )
    return await run.carry_out(plan, prepare)
