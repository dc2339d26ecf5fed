"""What the gateway tells, on its way into the archive, and what of it REST must mend.

Messages go to the live writer. Places (guilds, channels, threads, rights) are stored by `settle`, in the order in which they
were told. Whatever ends a live range is listed as a need: a channel, a guild, or everything.
"""

import asyncio
import logging
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from functools import partial

from junkie_cli.client.live_events import (
    AccessChanged,
    ChannelGone,
    ChannelSeen,
    GuildAvailable,
    GuildGone,
    GuildSeen,
    LiveEvent,
    MessagesDeleted,
    MessageSeen,
    SessionBegan,
    SessionResumed,
    Skipped,
)
from junkie_cli.client.payload import patched
from junkie_cli.db.places import Places
from junkie_cli.db.reconcile import Key
from junkie_cli.ingest.live import LiveWriter
from junkie_cli.ingest.selection import Selection
from junkie_cli.models import Channel, FoundChannel

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Needs:
    """What REST must mend. `changed` is set when something is added."""

    everything: bool = False
    guilds: set[int] = field(default_factory=set)
    channels: set[int] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, *, everything: bool = False, guilds: Iterable[int] = (), channels: Iterable[int] = ()) -> None:
        """Add needs."""
        self.everything = self.everything or everything
        self.guilds.update(guilds)
        self.channels.update(channels)
        self.changed.set()

    def take(self) -> "Needs":
        """Return all needs and forget them."""
        taken = Needs(self.everything, set(self.guilds), set(self.channels))
        self.everything = False
        self.guilds.clear()
        self.channels.clear()
        self.changed.clear()
        return taken


class Watch:
    """Takes the gateway's events in. `take` never waits; `settle` stores what was told of places.

    `newborn` are channels that were made while we listened: nothing of them lies before.
    """

    def __init__(self, selection: Selection, live: LiveWriter, needs: Needs, wake: Callable[[], None]) -> None:
        self.needs = needs
        self.skipped = 0
        self.newborn: set[int] = set()
        self._selection = selection
        self._live = live
        self._wake = wake
        self._channels: dict[int, FoundChannel] = {}
        self._heard: dict[int, tuple[int, int | None]] = {}
        self._told: list[LiveEvent] = []
        self._settling = asyncio.Lock()

    def take(self, event: LiveEvent) -> None:
        """Take an event in."""
        match event:
            case MessageSeen():
                self._message(event)
            case MessagesDeleted(guild_id=guild_id, channel_id=channel_id, message_ids=message_ids):
                if self._wanted(channel_id, guild_id):
                    self._live.deleted(Key(channel_id, message_id) for message_id in message_ids)
            case SessionBegan(shard_id=shard_id):
                self._end(self._of_shard(shard_id))
                self.needs.add(everything=True)
                self._tell(event)
            case SessionResumed():
                log.info("the gateway session goes on; nothing was missed")
            case Skipped():
                self._skip(event)
            case _:
                self._place(event)

    async def settle(self, places: Places) -> None:
        """Store what was told of places since the last call. Raises DatabaseError; then it is stored by the next call."""
        async with self._settling:
            while self._told:
                await self._store(self._told[0], places)
                self._told.pop(0)

    def known(self, channel_ids: Iterable[int]) -> list[FoundChannel]:
        """Return the channels of that list of which the gateway has told, and that may be read and are wanted."""
        found = [self._channels[channel_id] for channel_id in channel_ids if channel_id in self._channels]
        return [one for one in found if one.channel.holds_messages and one.access.readable and self._wants(one.channel)]

    def heard_of(self, guild_ids: Container[int] | None) -> list[int]:
        """Return the channels of these guilds (None: of any) of which the gateway has told."""
        return [
            channel_id
            for channel_id, found in self._channels.items()
            if guild_ids is None or found.channel.guild_id in guild_ids
        ]

    def parent_of(self, channel: Channel) -> Channel | None:
        """Return the channel that a thread hangs under, if it is known."""
        parent = self._channels.get(channel.parent_id) if channel.parent_id is not None else None
        return None if parent is None else parent.channel

    # messages

    def _message(self, event: MessageSeen) -> None:
        message = event.parsed.message
        channel_id = message.channel_id
        if not self._wanted(channel_id, event.guild_id):
            return
        self._heard[channel_id] = event.shard_id, event.guild_id
        if event.partial is not None:
            key = Key(channel_id, message.message_id)
            self._live.patched(key, partial(patched, partial=event.partial))
            return
        opens = event.created and not self._live.ranges.is_open(channel_id)
        self._live.message(message, created=event.created, users=event.parsed.users, referenced=event.parsed.referenced)
        if opens:
            # What lies between the archive and the first event that is heard, only REST can tell.
            self.needs.add(channels=[channel_id])

    def _skip(self, event: Skipped) -> None:
        if event.unknown_event:
            log.debug("an event that nobody knows: %s", event.event_name)
            return
        self.skipped += 1
        log.warning("skipped %s: %s", event.event_name, event.reason)
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
                self._end(self._of_guild(guild.guild_id))
                self._remember(event.shard_id, channels)
                self.needs.add(guilds=[guild.guild_id])
            case GuildGone(guild_id=guild_id):
                self._end(self._of_guild(guild_id))
            case ChannelSeen(found=found, new=new):
                self._remember(event.shard_id, [found])
                if new and found.channel.holds_messages:
                    self.newborn.add(found.channel.channel_id)
                    self.needs.add(channels=[found.channel.channel_id])
            case ChannelGone(channel_id=channel_id):
                self._end([channel_id])
                self._channels.pop(channel_id, None)
            case AccessChanged(guild_id=guild_id, channel_id=channel_id):
                self._end(self._of_guild(guild_id) if channel_id is None else [channel_id])
                if channel_id is None:
                    self.needs.add(guilds=[guild_id])
                else:
                    self._set_access(event)
                    self.needs.add(channels=[channel_id])
            case _:
                pass
        self._tell(event)

    def _set_access(self, event: AccessChanged) -> None:
        assert event.channel_id is not None
        known = self._channels.get(event.channel_id)
        if known is not None and event.access is not None:
            self._channels[event.channel_id] = FoundChannel(known.channel, event.access)

    def _remember(self, shard_id: int, channels: Iterable[FoundChannel]) -> None:
        for found in channels:
            self._channels[found.channel.channel_id] = found
            self._heard[found.channel.channel_id] = shard_id, found.channel.guild_id

    def _of_guild(self, guild_id: int) -> list[int]:
        """Return the channels of a guild, those too that nobody introduced before their first message."""
        return [channel_id for channel_id, (_, guild) in self._heard.items() if guild == guild_id]

    def _of_shard(self, shard_id: int) -> list[int]:
        return [channel_id for channel_id, (shard, _) in self._heard.items() if shard == shard_id]

    def _tell(self, event: LiveEvent) -> None:
        self._told.append(event)
        self._wake()

    async def _store(self, event: LiveEvent, places: Places) -> None:
        match event:
            case SessionBegan():
                await places.note_unwatched()
            case GuildAvailable(guild=guild, roles=roles, channels=channels):
                wanted = [found for found in channels if self._wants(found.channel)]
                await places.store([guild], roles, [f.channel for f in channels], _reasons(wanted))
            case GuildSeen(guild=guild, roles=roles):
                await places.store([guild], roles, [], {})
            case ChannelSeen(found=found):
                reasons = _reasons([found]) if self._wants(found.channel) else {}
                await places.store([], [], [found.channel], reasons)
            case ChannelGone(channel_id=channel_id):
                await places.mark_gone(channel_id)
            case GuildGone(guild_id=guild_id, unavailable=False):
                await places.mark_guild_gone(guild_id)
            case AccessChanged(channel_id=int(channel_id), access=access) if access is not None:
                if (
                    not access.readable
                    and channel_id in self._channels
                    and self._wants(self._channels[channel_id].channel)
                ):
                    await places.mark_unreadable(channel_id, access.reason)
            case _:
                pass

    # what is wanted

    def _wanted(self, channel_id: int, guild_id: int | None) -> bool:
        known = self._channels.get(channel_id)
        if known is not None:
            return self._wants(known.channel)
        selection = self._selection
        if guild_id is None:
            # Direct messages are archived only where they are named.
            return channel_id in selection.channels
        named = not selection.channels or channel_id in selection.channels
        in_guild = not selection.guilds or guild_id in selection.guilds
        return named and in_guild and selection.exclude.isdisjoint({channel_id, guild_id})

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
        self._live.ranges.end(list(channel_ids))

    def _lose(self, channel_ids: Iterable[int]) -> None:
        for channel_id in list(channel_ids):
            self._live.lost(channel_id)


def _reasons(channels: Iterable[FoundChannel]) -> dict[int, str | None]:
    return {
        found.channel.channel_id: None if found.access.readable else found.access.reason
        for found in channels
        if found.channel.holds_messages
    }
