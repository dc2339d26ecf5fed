"""Two-tier retrieval: what a prompt's window lacks in the archive is fetched from Discord, stored, and then read.

Invariant: what comes is stored as everything is: the planner says what a page proves, and the writer writes rows and
coverage together. The walk begins at the window's upper end and goes down, so that a long absence costs no more than the
window is long; a gap that remains below is on record as any other.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from junkie_cli import snowflake
from junkie_cli.coverage import Coverage, Range
from junkie_cli.db.places import Places
from junkie_cli.db.reader import Reader
from junkie_cli.db.reconcile import Incoming, Key
from junkie_cli.db.writer import Batch, Writer
from junkie_cli.errors import ChannelError, ChannelForbidden, ChannelNotFound
from junkie_cli.ingest.absence import is_gone
from junkie_cli.ingest.channel import ChannelRun, Tools, content_intent_missing
from junkie_cli.ingest.events import Emit
from junkie_cli.ingest.planner import OVERLAP_MS
from junkie_cli.ingest.slots import Slots
from junkie_cli.ingest.steps import Goal, View
from junkie_cli.ingest.window import Window
from junkie_cli.models import Channel, ChannelType, FoundChannel

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient
    from junkie_cli.db.database import Database
    from junkie_cli.db.workers import Presence

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FillOptions:
    """How what is fetched is stored, and how fast it may be fetched."""

    concurrency: int = 4
    max_fetch_limit: int = 1000
    parallel_batches: int = 1
    on_delete: Literal["purge", "keep"] = "purge"
    keep_revisions: bool = False


@dataclass(slots=True)
class Filler:
    """Brings into the archive what a window lacks there. `absent` are messages that Discord says do not exist."""

    window: Window
    discord: "DiscordClient"
    database: "Database"
    presence: "Presence"
    options: FillOptions
    emit: Emit
    absent: set[Key] = field(default_factory=set)
    _tried: set[Key] = field(default_factory=set)
    _writer: Writer = field(init=False)
    _reader: Reader = field(init=False)
    _places: Places = field(init=False)

    def __post_init__(self) -> None:
        self._writer = Writer(
            self.database, on_delete=self.options.on_delete, keep_revisions=self.options.keep_revisions
        )
        self._reader = Reader(self.database)
        self._places = Places(self.database)

    async def fill_window(self) -> None:
        """Fetch the window's messages, and its answered one, and store them.

        Raises ContentIntentMissing if they would come without their text, ChannelNotFound and ChannelForbidden (which
        are recorded), and all that `DiscordClient.fetch_page` and the database raise; what was stored stays.
        """
        if not self.discord.content_intent:
            raise content_intent_missing()
        channel_id = self.window.channel_id
        # Taken at once or not at all: another command that works here makes this one's pages superfluous at worst.
        locked = await self.presence.try_lock(channel_id)
        try:
            await self._fill()
        finally:
            if locked:
                await self.presence.unlock(channel_id)

    async def fetch_singles(self, keys: Collection[tuple[int, int]]) -> bool:
        """Fetch messages by themselves, each at most once, and store them. Returns whether there were any to ask for.

        A channel that can't be read keeps only its own messages back.
        """
        untried = sorted({Key(*key) for key in keys} - self._tried)
        for key in untried:
            try:
                if await self._type_of(key.channel_id) not in ChannelType.HOLD_ONLY_THREADS:
                    await self._fetch_single(key)
            except ChannelError as error:
                log.debug("channel %s, message %s: %s", *key, error.message, extra=key._asdict())
        return bool(untried)

    async def _type_of(self, channel_id: int) -> int:
        """Return a channel's type; one that the archive does not know is made known first.

        Without its place nobody could tell which rules of `forget` concern its messages.
        """
        kind = await self._places.type_of(channel_id)
        if kind is None:
            found = await self.discord.channel(channel_id)
            await self._store_place(found)
            kind = found.channel.type
        return kind

    async def _fill(self) -> None:
        channel_id = self.window.channel_id
        draw = await self._reader.draw(channel_id, Range(0, 0), ascending=False, most=0)
        found = await self._find_channel()
        await self._store_place(found)
        if not found.channel.holds_messages:
            return
        if not found.access.readable:
            raise ChannelForbidden(f"channel {channel_id} can't be read: {found.access.reason}")
        if found.channel.is_thread and found.channel.parent_id is not None:
            # A thread's pages bring the message that it was started on.
            await self._type_of(found.channel.parent_id)
        try:
            await self._fetch_messages(found.channel)
        except ChannelForbidden as error:
            await self._places.mark_unreadable(channel_id, error.message)
            raise
        except ChannelNotFound:
            if await is_gone(self.discord, channel_id):
                await self._places.mark_gone(channel_id)
            raise
        await self._places.note_checked([channel_id], draw.at)

    async def _fetch_messages(self, channel: Channel) -> None:
        if self.window.message_id is not None:
            key = Key(channel.channel_id, self.window.message_id)
            await self._fetch_single(key)
            if key in self.absent:
                return
        await self._walk(channel)

    async def _find_channel(self) -> FoundChannel:
        """Ask for the channel itself, and record where one that the archive knows is out of reach."""
        channel_id = self.window.channel_id
        known = (await self._reader.channel_states([channel_id]))[channel_id].last_updated is not None
        try:
            try:
                return await self.discord.channel(channel_id)
            except ChannelNotFound:
                if not known:
                    raise
            # One answer may be wrong, here as anywhere.
            return await self.discord.channel(channel_id)
        except ChannelForbidden as error:
            if known:
                await self._places.mark_unreadable(channel_id, error.message)
            raise
        except ChannelNotFound:
            if known:
                await self._places.mark_gone(channel_id)
            raise

    async def _store_place(self, found: FoundChannel) -> None:
        channel = found.channel
        reason = None if found.access.readable else found.access.reason
        unreadable = {channel.channel_id: reason} if channel.holds_messages else {}
        guilds = []
        if channel.guild_id is not None and not await self._places.knows_guild(channel.guild_id):
            guilds = [guild for guild in await self.discord.guilds() if guild.guild_id == channel.guild_id]
        await self._places.store(guilds, [], [channel], unreadable)

    async def _fetch_single(self, key: Key) -> None:
        self._tried.add(key)
        draw = await self._reader.draw(
            key.channel_id, Range(key.message_id, key.message_id + 1), ascending=False, most=0
        )
        parsed = await self.discord.fetch_message(key.channel_id, key.message_id)
        if parsed is None:
            self.absent.add(key)
            return
        complete = self.discord.content_intent
        messages = [
            *(Incoming(message, draw.seen, complete=complete, partial=True) for message in parsed.referenced),
            Incoming(parsed.message, draw.seen, complete=complete),
        ]
        await self._writer.write(Batch(messages=messages, users=parsed.users))
        self.presence.progressed()

    async def _walk(self, channel: Channel) -> None:
        """Fetch downwards from the window's upper end until it is covered."""
        window = self.window
        upper = window.hi
        if window.message_id is None:
            if channel.last_message_id is None:
                return
            upper = min(upper, channel.last_message_id + 1)
        tools = Tools(
            discord=self.discord,
            reader=self._reader,
            writer=self._writer,
            slots=Slots(self.options.concurrency),
            emit=self.emit,
            progressed=self.presence.progressed,
            complete=self.discord.content_intent,
        )
        for goal in self._goals(channel.channel_id):
            state = (await self._reader.channel_states([channel.channel_id]))[channel.channel_id]
            view = View(channel.channel_id, upper, anchored(state.covered, upper))
            if view.last_id >= goal.floor:
                await ChannelRun(tools, f"#{channel.name}", view, goal, state.held).run()

    def _goals(self, channel_id: int) -> list[Goal]:
        window, options = self.window, self.options
        # The answered message counts, which is the newest or stands at the anchor.
        beside = window.answers_newest or window.message_id is not None
        goal = Goal(
            floor=window.lo,
            target=None if window.most is None else window.most + beside,
            batch=options.max_fetch_limit,
            lanes=options.parallel_batches,
        )
        if window.answers_newest and window.floor > channel_id:
            # It may be older than all that is wanted of the history.
            return [Goal(floor=channel_id, target=1), goal]
        return [goal]


def anchored(covered: Coverage, upper: int) -> Coverage:
    """Return coverage below `upper`, and as an anchor the id `upper` itself: a walk closes the gaps below it, downwards.

    The anchor is the walk's alone; what is written is what pages prove. As in catching up, the newest seconds of what is
    covered are fetched again, since messages of one moment may become visible out of order.
    """
    below = [each for each in (found.clamp(0, upper) for found in covered) if not each.empty]
    if below and below[-1].hi < upper:
        newest = below.pop()
        below.append(Range(newest.lo, max(snowflake.shift_ms(newest.hi, -OVERLAP_MS), newest.lo)))
    return Coverage.of([*below, (upper, upper + 1)])
