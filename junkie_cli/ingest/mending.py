"""What REST does for a serve: it brings what was there before, and mends what the gateway could not tell.

Invariant: a need is given up only once it is met. What fails, or is in another command's hands, is tried again with
growing pauses, for as long as it takes.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from junkie_cli.db.database import Database
from junkie_cli.db.places import Places
from junkie_cli.db.reader import ChannelState, Reader
from junkie_cli.db.workers import Presence
from junkie_cli.errors import (
    ChannelForbidden,
    ChannelNotFound,
    ConfigError,
    JunkieError,
    TooManyInvalidRequests,
    UsageError,
)
from junkie_cli.ingest.backfill import BackfillOptions, backfill
from junkie_cli.ingest.channel import ChannelRun
from junkie_cli.ingest.events import ChannelEnded, Emit, Event, Outcome, Summary
from junkie_cli.ingest.live import LiveWriter
from junkie_cli.ingest.options import RunOptions
from junkie_cli.ingest.run import Plan, Run, Task
from junkie_cli.ingest.selection import Found, Selection, Target
from junkie_cli.ingest.steps import Goal
from junkie_cli.ingest.survey import Survey
from junkie_cli.ingest.sync import SyncOptions, sync
from junkie_cli.ingest.watch import Needs, Watch
from junkie_cli.models import Channel, FoundChannel

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient

log = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 2.0
"""How long needs are gathered before they are met: a guild's events come in a burst."""

GATHER_SECONDS: Final = 10.0
"""How long to wait for the next shard or guild to be heard of; shards begin five seconds apart."""

GATHER_STEP: Final = 0.25
GATHER_MOST: Final = 600.0
"""How often to look for it, and how long to wait for all, in seconds."""

RETRY_SECONDS: Final = 30.0
"""How long to wait after something failed; doubled each time, up to LONGEST_SECONDS."""

LONGEST_SECONDS: Final = 1800.0

FATAL: Final = (ConfigError, TooManyInvalidRequests)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What the user asked for: what is fetched at the start, and how it is compared then and after each new session."""

    backfill: BackfillOptions
    sync: SyncOptions


class Mending:
    """Meets needs, one after the other. `active` says that something is not met yet."""

    def __init__(
        self,
        options: ServeOptions,
        discord: "DiscordClient",
        database: Database,
        presence: Presence,
        emit: Emit,
        *,
        needs: Needs,
        watch: Watch,
        live: LiveWriter,
        connecting: Callable[[], int] = lambda: 0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`watch` tells of channels, and pages join what `live` hears. So many shards are still `connecting`."""
        self.active = True
        self._options = options
        self._discord = discord
        self._database = database
        self._presence = presence
        self._emit = emit
        self._needs = needs
        self._watch = watch
        self._live = live
        self._connecting = connecting
        self._sleep = sleep
        self._places = Places(database)
        self._unmet: set[int] = set()
        self._failures = 0
        self._gathered = 0

    async def run(self) -> None:
        """Bring what was there before, as soon as something is heard, and meet needs from then on, until cancelled.

        Raises ConfigError, TooManyInvalidRequests, and UsageError for a name that fits nothing at the start.
        """
        await self._needs.changed.wait()
        await self._insist(self._begin, (*FATAL, UsageError))
        while True:
            if not self._needs.changed.is_set():
                self.active = bool(self._unmet)
                # Whoever asks Discord for something meanwhile need not share the rate limit with us.
                await self._presence.idle()
                await (self._wait_again() if self._unmet else self._needs.changed.wait())
                self.active = True
                await self._presence.busy()
            await self._sleep(SETTLE_SECONDS)
            await self._insist(self._meet, FATAL)

    async def _wait_again(self) -> None:
        """Wait before what failed is tried again; something new is not kept waiting by it."""
        pause = min(RETRY_SECONDS * 2**self._failures, LONGEST_SECONDS)
        self._failures = min(self._failures + 1, 10)
        waits = [asyncio.ensure_future(self._needs.changed.wait()), asyncio.ensure_future(self._sleep(pause))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _insist(self, work: Callable[[], Awaitable[None]], fatal: tuple[type[JunkieError], ...]) -> None:
        """Do the work until it is done, whatever is away meanwhile."""
        while True:
            try:
                return await work()
            except fatal:
                raise
            except JunkieError as error:
                log.warning("%s; trying again in %.0f s", error.message, RETRY_SECONDS)
            await self._sleep(RETRY_SECONDS)

    async def _begin(self) -> None:
        """Bring what was there before, in the seeds' order, from one look at what there is."""
        await self._gather()
        # What can be listed is found now.
        strangers = self._watch.unknown(self._needs.take().channels)
        survey = self._survey()
        try:
            self._unmet.clear()
            await self._do(backfill, self._options.backfill, survey)
            await self._do(_sync, self._options.sync, survey)
        finally:
            if strangers:
                self._needs.add(channels=strangers)

    async def _gather(self) -> None:
        """Wait until every shard is in a session and every guild was told of, as long as there is headway.

        What is listed only then need not be listed again. A guild or a shard that stays away is not waited for.
        """
        self._gathered = self._watch.sessions
        left, idle, waited = self._unheard, 0.0, 0.0
        while left and idle < GATHER_SECONDS and waited < GATHER_MOST:
            await self._sleep(GATHER_STEP)
            before, left = left, self._unheard
            idle = idle + GATHER_STEP if left == before else 0.0
            waited += GATHER_STEP

    @property
    def _unheard(self) -> int:
        """How many shards and guilds are still to be heard of."""
        return self._connecting() + len(self._watch.unavailable)

    def _survey(self) -> Survey:
        """Return a survey that meets the needs of the guilds that it lists.

        What ended a guild's live ranges, or announced it, came before the listing then, and so before every page that
        will be asked for. What comes later is a need again. Should the run fail, all that it was to list is listed anew.
        """
        return Survey(self._needs.guilds.discard)

    async def _meet(self) -> None:
        if self._gathered != self._watch.sessions:
            await self._gather()
        needs = self._needs.take()
        again, self._unmet = self._unmet, set()
        try:
            # What was told is written first, places before messages: gaps are measured against it.
            await self._live.flush()
            await self._mend(needs, again)
        except BaseException:
            self._needs.add(
                everything=needs.everything, guilds=needs.guilds, channels=needs.channels, parents=needs.parents
            )
            self._unmet |= again
            raise
        if not self._unmet:
            self._failures = 0

    async def _mend(self, needs: Needs, again: Collection[int]) -> None:
        guilds = set(needs.guilds)
        channels = set(needs.channels)
        for place_id in again:
            guild_id = self._watch.guild_of(place_id)
            # What could not even be listed stands for its whole guild.
            (channels if guild_id is None else guilds).add(place_id if guild_id is None else guild_id)
            channels.add(place_id)
        own = self._options.sync.selection
        if needs.everything:
            await self._bring(own, self._survey())
        elif guilds:
            await self._bring(replace(own, guilds=frozenset(guilds)), self._survey())
        parents = {each for each in needs.parents if self._watch.guild_of(each) not in guilds}
        if parents and not needs.everything:
            # It lists their guild, but meets no other need there.
            await self._bring(replace(own, channels=own.channels or frozenset(parents)), Survey())
        await self._introduce(channels)
        if known := self._watch.known(channels):
            await self._close_gaps(known)

    async def _bring(self, selection: Selection, survey: Survey) -> None:
        """Make it true again first; then fetch what was never fetched."""
        own = self._options
        await self._do(_sync, replace(own.sync, selection=selection, strict=False), survey)
        await self._do(backfill, replace(own.backfill, selection=selection, strict=False), survey)

    async def _do(self, work: Callable[..., Awaitable[object]], options: RunOptions, survey: Survey) -> None:
        await work(
            options,
            self._discord,
            self._database,
            self._presence,
            self._note,
            sleep=self._sleep,
            watcher=self._live,
            survey=survey,
        )

    async def _introduce(self, channel_ids: Collection[int]) -> None:
        """Ask for channels that nobody introduced, and for the newest message of those of which nothing is archived."""
        known = [one.channel.channel_id for one in self._watch.known(channel_ids)]
        states = await Reader(self._database).channel_states(known)
        bare = [channel_id for channel_id in known if not states[channel_id].covered]
        for channel_id in (*self._watch.unknown(channel_ids), *bare):
            try:
                found = await self._discord.channel(channel_id)
            except (ChannelForbidden, ChannelNotFound) as error:
                log.debug("channel %d: %s", channel_id, error.message)
                if channel_id not in known:
                    self._watch.introduce(None, channel_id)
                continue
            self._watch.introduce(found, channel_id)
        await self._watch.told.settle(self._places)

    async def _close_gaps(self, channels: Sequence[FoundChannel]) -> None:
        """Close the gaps of channels, and fetch what was never fetched of them, without listing anything anew."""
        await self._carry_out(_CloseGaps(self._watch.newborn), channels)
        met = [one for one in channels if one.channel.channel_id not in self._unmet]
        await self._carry_out(self._options.backfill, met)

    async def _carry_out(self, plan: Plan, channels: Sequence[FoundChannel]) -> None:
        async def prepare() -> AsyncGenerator[_Worklist, None]:
            states = await Reader(self._database).channel_states([one.channel.channel_id for one in channels])
            targets = [
                Target(
                    _no_longer_empty(one.channel, states[one.channel.channel_id]), one.access, f"#{one.channel.name}"
                )
                for one in channels
            ]
            yield _Worklist(Found(targets=targets), states)

        run = Run(
            self._options.sync,
            self._discord,
            self._database,
            self._presence,
            self._note_trouble,
            sleep=self._sleep,
            watcher=self._live,
        )
        await run.carry_out(plan, prepare)

    def _note(self, event: Event) -> None:
        """Pass an event on, and remember what has to be tried again."""
        if isinstance(event, ChannelEnded) and self._ended_early(event):
            self._unmet.add(event.channel_id)
        self._emit(event)

    def _ended_early(self, ended: ChannelEnded) -> bool:
        if ended.outcome in {Outcome.UNREADABLE, Outcome.GONE}:
            # The gateway would have told, and contradicts.
            return bool(self._watch.known([ended.channel_id]))
        return ended.outcome in {Outcome.FAILED, Outcome.BUSY}

    def _note_trouble(self, event: Event) -> None:
        """Do the same, without what is of no interest in so small a run."""
        if isinstance(event, ChannelEnded) and (event.outcome.is_trouble or self._ended_early(event)):
            self._note(event)
        elif isinstance(event, Summary) and event.new:
            log.info("%d messages were mended", event.new)


_sync = partial(sync, alone=False)
"""Another sync, which may run now, does not know since when we listen."""


def _no_longer_empty(channel: Channel, state: ChannelState) -> Channel:
    """Return the channel with a last message, if it was told of as empty and one was heard since.

    What lies below that message is not known to be nothing: only a page proves it.
    """
    top = state.covered.top
    if channel.last_message_id is not None or top is None:
        return channel
    return replace(channel, last_message_id=top.hi - 1)


@dataclass(frozen=True, slots=True)
class _Worklist:
    found: Found
    states: Mapping[int, ChannelState]


@dataclass(frozen=True, slots=True)
class _CloseGaps:
    """What is wanted of channels of which something was missed: everything between what is covered, and whatever is newer."""

    newborn: Collection[int]

    @property
    def target(self) -> int | None:
        return None

    def task(self, channel: Channel, state: ChannelState) -> Task | None:
        top = state.covered.top
        last_id = max(channel.last_message_id or 0, 0 if top is None else top.hi - 1)
        floor = channel.channel_id
        if channel.channel_id not in self.newborn:
            if top is None:
                # That is backfill's business.
                return None
            floor = state.covered.ranges[0].lo
        return None if last_id < floor else Task(Goal(floor, look=top is not None), last_id)

    def outcome(self, run: ChannelRun) -> Outcome:
        return Outcome.UNCHANGED if run.tally.requests == 0 else Outcome.SYNCED
