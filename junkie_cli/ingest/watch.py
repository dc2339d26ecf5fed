"""What the gateway tells, on its way into the archive, and what of it REST must mend.

Messages go to the live writer; guilds, channels, threads and rights wait in `told`. Whatever ends a live range is listed as
a need: a channel, a guild, or everything; and put on record, since edits and deletions may have been missed.

Of a channel that nobody introduced it is not known what it belongs to, and so neither whether it is wanted nor whether
`forget` has a rule for it. Its messages are left to REST, which asks for the channel first.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from junkie_cli.client.live_events import (
    AccessChanged,
    ChannelGone,
    ChannelSeen,
    GuildAvailable,
    GuildGone,
    LiveEvent,
    MessagesDeleted,
    MessageSeen,
    SessionBegan,
    SessionResumed,
    Skipped,
)
from junkie_cli.client.payload import patched
from junkie_cli.db.reconcile import Key
from junkie_cli.ingest.live import LiveWriter
from junkie_cli.ingest.selection import Selection
from junkie_cli.ingest.told import Told
from junkie_cli.models import Channel, ChannelType, FoundChannel

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Needs:
    """What REST must mend. `changed` is set when something is added.

    The lists of threads of `parents` may hold some that nobody told of.
    """

    everything: bool = False
    guilds: set[int] = field(default_factory=set)
    channels: set[int] = field(default_factory=set)
    parents: set[int] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(
        self,
        *,
        everything: bool = False,
        guilds: Iterable[int] = (),
        channels: Iterable[int] = (),
        parents: Iterable[int] = (),
    ) -> None:
        """Add needs."""
        self.everything = self.everything or everything
        self.guilds.update(guilds)
        self.channels.update(channels)
        self.parents.update(parents)
        self.changed.set()

    def take(self) -> "Needs":
        """Return all needs and forget them."""
        taken = Needs(self.everything, set(self.guilds), set(self.channels), set(self.parents))
        self.everything = False
        self.guilds.clear()
        self.channels.clear()
        self.parents.clear()
        self.changed.clear()
        return taken


class Watch:
    """Takes the gateway's events in; `take` never waits.

    `told` is what was told of places. `newborn` are channels that were made while we listened: nothing of them lies before.
    `sessions` counts those that began. `unavailable` are wanted guilds of which nothing is told for a while, with their shards.
    """

    def __init__(self, selection: Selection, live: LiveWriter, needs: Needs, wake: Callable[[], None]) -> None:
        self.needs = needs
        self.skipped = 0
        self.sessions = 0
        self.newborn: set[int] = set()
        self.unavailable: dict[int, int] = {}
        self.told = Told(self._wants, wake)
        self._selection = selection
        self._live = live
        self._channels: dict[int, FoundChannel] = {}
        self._heard: dict[int, tuple[int, int | None]] = {}
        self._guilds: dict[int, int] = {}
        self._shards: set[int] = set()
        self._out_of_reach: set[int] = set()

    def take(self, event: LiveEvent) -> None:
        """Take an event in."""
        match event:
            case MessageSeen():
                self._message(event)
            case MessagesDeleted(guild_id=guild_id, channel_id=channel_id, message_ids=message_ids):
                if self._is_wanted(channel_id, guild_id) and self._belongs(channel_id):
                    self._live.deleted(Key(channel_id, message_id) for message_id in message_ids)
            case SessionBegan():
                self._begin(event)
            case SessionResumed():
                log.info("the gateway session goes on; nothing was missed")
            case Skipped():
                self._skip(event)
            case _:
                self._place(event)

    def missed(self, channel_id: int) -> None:
        """Take in that an event of a channel was missed, for which its range was ended."""
        self.told.miss([channel_id])
        self.needs.add(channels=[channel_id])

    def introduce(self, found: FoundChannel | None, channel_id: int) -> None:
        """Take in what REST says of a channel that nobody introduced; None if it can't be had."""
        if found is None:
            self._out_of_reach.add(channel_id)
        else:
            self._reveal(found)
            self._remember(self._guilds.get(found.channel.guild_id or 0, 0), [found])

    def unknown(self, channel_ids: Iterable[int]) -> list[int]:
        """Return the channels of that list that nobody introduced, and that REST may know."""
        return [each for each in channel_ids if each not in self._channels and each not in self._out_of_reach]

    def guild_of(self, place_id: int) -> int | None:
        """Return the guild that this is, or that a channel is in; None for neither."""
        if place_id in self._guilds:
            return place_id
        known = self._channels.get(place_id)
        return None if known is None else known.channel.guild_id

    def known(self, channel_ids: Iterable[int]) -> list[FoundChannel]:
        """Return the channels of that list of which the gateway has told, and that may be read and are wanted."""
        found = [self._channels[channel_id] for channel_id in channel_ids if channel_id in self._channels]
        return [one for one in found if one.channel.holds_messages and one.access.readable and self._wants(one.channel)]

    def parent_of(self, channel: Channel) -> Channel | None:
        """Return the channel that a thread hangs under, if it is known."""
        parent = self._channels.get(channel.parent_id) if channel.parent_id is not None else None
        return None if parent is None else parent.channel

    def _begin(self, session: SessionBegan) -> None:
        ended = self._of_shard(session.shard_id)
        self._end(ended)
        # Until its guild is told of in this session, nothing of it is; a direct channel has none.
        self._live.ranges.forget(channel_id for channel_id in ended if self._heard[channel_id][1] is not None)
        known = {guild_id for guild_id, shard in self._guilds.items() if shard == session.shard_id}
        for guild_id in known.difference(session.guild_ids):
            # Nothing else tells of a bot that was thrown out while there was no session.
            self._forget(self._of_guild(guild_id))
            del self._guilds[guild_id]
            self.told.tell(GuildGone(session.shard_id, guild_id, unavailable=False))
        self._out_of_reach.clear()
        of_others = {guild: shard for guild, shard in self.unavailable.items() if shard != session.shard_id}
        awaited = {guild_id: session.shard_id for guild_id in session.guild_ids if self._wants_guild(guild_id)}
        self.unavailable = of_others | awaited
        if session.shard_id in self._shards and not self._selection.channels:
            self.told.miss_guilds(known.union(session.guild_ids))
            self.needs.add(guilds=awaited)
        else:
            # Before a shard's first session nobody listened; and a channel that is named may be in no guild.
            self.told.miss_any()
            self.needs.add(everything=True)
        self._shards.add(session.shard_id)
        self.sessions += 1

    # messages

    def _message(self, event: MessageSeen) -> None:
        message = event.parsed.message
        channel_id = message.channel_id
        if not self._is_wanted(channel_id, event.guild_id):
            return
        if not self._is_known(channel_id):
            self._ask_for(channel_id, event.guild_id)
            return
        self._heard[channel_id] = event.shard_id, event.guild_id
        if event.partial is not None:
            key = Key(channel_id, message.message_id)
            self._live.patched(key, partial(patched, partial=event.partial))
            return
        opens = event.created and not self._live.ranges.is_open(channel_id)
        self._live.message(
            message,
            created=event.created,
            nick_known=event.nick_known,
            users=event.parsed.users,
            referenced=event.parsed.referenced,
        )
        if opens:
            # What lies between the archive and the first event that is heard, only REST can tell.
            self.needs.add(channels=[channel_id])

    def _skip(self, event: Skipped) -> None:
        if event.unknown_event:
            log.debug("an event that nobody knows: %s", event.event_name)
            return
        self.skipped += 1
        place = {"channel_id": event.channel_id, "guild_id": event.guild_id}
        log.warning("skipped %s: %s", event.event_name, event.reason, extra=place)
        if event.channel_id is not None:
            self._live.lost(event.channel_id)
        elif event.guild_id is not None:
            self._lose(self._of_guild(event.guild_id))
        else:
            self._lose(self._of_shard(event.shard_id))

    # places

    def _place(self, event: LiveEvent) -> None:
        match event:
            case GuildAvailable(guild=guild, channels=channels):
                self._forget(self._of_guild(guild.guild_id))
                self.unavailable.pop(guild.guild_id, None)
                self._guilds[guild.guild_id] = event.shard_id
                self._remember(event.shard_id, channels)
                self._need_guild(guild.guild_id)
            case GuildGone(guild_id=guild_id, unavailable=unavailable):
                self._forget(self._of_guild(guild_id))
                if unavailable and self._wants_guild(guild_id):
                    self.unavailable[guild_id] = event.shard_id
                else:
                    self.unavailable.pop(guild_id, None)
                    self._guilds.pop(guild_id, None)
            case ChannelSeen(found=found, new=new):
                if not new:
                    self._reveal(found)
                self._remember(event.shard_id, [found])
                if new and found.channel.holds_messages:
                    self.newborn.add(found.channel.channel_id)
                    self.needs.add(channels=[found.channel.channel_id])
            case ChannelGone(channel_id=channel_id):
                self._forget([channel_id])
                self.newborn.discard(channel_id)
            case AccessChanged(guild_id=guild_id, channel_id=None):
                self._end(self._of_guild(guild_id))
                self._need_guild(guild_id)
            case AccessChanged(channel_id=int(channel_id)):
                self._end([channel_id])
                self._access_changed(event, channel_id)
                return
            case _:
                pass
        self.told.tell(event)

    def _access_changed(self, event: AccessChanged, channel_id: int) -> None:
        if (known := self._channels.get(channel_id)) is None:
            self._out_of_reach.discard(channel_id)
            self._ask_for(channel_id, event.guild_id)
            return
        if event.access is not None and event.access != known.access:
            found = FoundChannel(known.channel, event.access)
            self._reveal(found)
            self._channels[channel_id] = found
            self.told.tell(ChannelSeen(event.shard_id, found, new=False))
        self.needs.add(channels=[channel_id])

    def _reveal(self, found: FoundChannel) -> None:
        """Have the threads of a channel listed, if it could not be read before: the gateway tells of active ones alone."""
        channel, known = found.channel, self._channels.get(found.channel.channel_id)
        if known is not None and known.access.readable:
            return
        if found.access.readable and channel.type in ChannelType.THREAD_PARENTS and self._wants_threads(channel):
            self.needs.add(parents=[channel.channel_id])

    def _ask_for(self, channel_id: int, guild_id: int | None) -> None:
        """Have REST introduce a channel, if it may be wanted."""
        if guild_id is not None and self._wants_guild(guild_id):
            self.needs.add(channels=[channel_id])

    def _need_guild(self, guild_id: int) -> None:
        if self._wants_guild(guild_id):
            self.needs.add(guilds=[guild_id])

    def _remember(self, shard_id: int, channels: Iterable[FoundChannel]) -> None:
        for found in channels:
            channel_id = found.channel.channel_id
            self._channels[channel_id] = found
            self._heard[channel_id] = shard_id, found.channel.guild_id
            self._live.ranges.introduce(channel_id)

    def _forget(self, channel_ids: Iterable[int]) -> None:
        """Take in that nothing more is told of channels, or that what was told of them holds no more."""
        channel_ids = list(channel_ids)
        self.told.miss(channel_ids)
        for channel_id in channel_ids:
            self._live.ranges.forget([channel_id])
            self._channels.pop(channel_id, None)
            self._heard.pop(channel_id, None)

    def _of_guild(self, guild_id: int) -> list[int]:
        """Return the channels of a guild, those too that nobody introduced before their first message."""
        return [channel_id for channel_id, (_, guild) in self._heard.items() if guild == guild_id]

    def _of_shard(self, shard_id: int) -> list[int]:
        return [channel_id for channel_id, (shard, _) in self._heard.items() if shard == shard_id]

    # what is wanted

    def _is_wanted(self, channel_id: int, guild_id: int | None) -> bool:
        """Say whether a channel is wanted, or may be where nobody introduced it."""
        known = self._channels.get(channel_id)
        if known is not None:
            return self._wants(known.channel)
        if channel_id in self._selection.exclude:
            return False
        # Direct messages are archived only where they are named.
        return channel_id in self._selection.channels or (guild_id is not None and self._wants_guild(guild_id))

    def _is_known(self, channel_id: int) -> bool:
        """Say whether it is known what a channel belongs to, as far as that matters."""
        return channel_id in self._channels or channel_id in self._selection.channels

    def _belongs(self, channel_id: int) -> bool:
        """Say whether what happens in a channel that may be wanted is wanted."""
        return self._is_known(channel_id) or self._selection == Selection()

    def _wants_guild(self, guild_id: int) -> bool:
        selection = self._selection
        return guild_id not in selection.exclude and (not selection.guilds or guild_id in selection.guilds)

    def _wants_threads(self, parent: Channel) -> bool:
        """Say whether a thread of that channel may be wanted; it may be one that is named itself."""
        selection = self._selection
        if not selection.threads or selection.excludes(parent):
            return False
        return parent.guild_id is not None and self._wants_guild(parent.guild_id)

    def _wants(self, channel: Channel) -> bool:
        selection = self._selection
        parent = self.parent_of(channel) if channel.is_thread else None
        if channel.is_thread and not selection.threads:
            return False
        if selection.guilds and channel.guild_id not in selection.guilds:
            return False
        if selection.channels and selection.channels.isdisjoint({channel.channel_id, channel.parent_id}):
            return False
        return not selection.excludes(channel, None if parent is None else parent.parent_id)

    def _end(self, channel_ids: Iterable[int]) -> None:
        ended = list(channel_ids)
        self.told.miss(ended)
        self._live.ranges.end(ended)

    def _lose(self, channel_ids: Iterable[int]) -> None:
        for channel_id in list(channel_ids):
            self._live.lost(channel_id)
