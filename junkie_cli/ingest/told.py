"""What was told of places, and where something was missed, on its way into the archive.

Invariant: it is stored in the order in which it was told, and before the messages that were told after it. What is told
of a place anew outdoes what waits, so that what waits is bounded by the places, however long the database is away.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from junkie_cli.client.live_events import ChannelGone, ChannelSeen, GuildAvailable, GuildGone, GuildSeen, LiveEvent
from junkie_cli.db.places import Places
from junkie_cli.errors import ValueRefused
from junkie_cli.models import Channel, FoundChannel

log = logging.getLogger(__name__)


class Told:
    """Keeps what was told until `settle` stores it. `wants` says of which channels it matters whether they can be read."""

    def __init__(self, wants: Callable[[Channel], bool], wake: Callable[[], None]) -> None:
        self._wants = wants
        self._wake = wake
        self._events: dict[tuple[object, ...], LiveEvent] = {}
        self._missed: set[int] = set()
        self._missed_guilds: set[int] = set()
        self._missed_any = False
        self._settling = asyncio.Lock()

    def tell(self, event: LiveEvent) -> None:
        """Take in what was told of a place."""
        key = _about(event)
        self._events.pop(key, None)
        self._events[key] = event
        self._wake()

    def miss(self, channel_ids: Iterable[int]) -> None:
        """Take in that events of these channels may have been missed."""
        self._missed.update(channel_ids)
        self._wake()

    def miss_guilds(self, guild_ids: Iterable[int]) -> None:
        """Take in that events of any channel of these guilds may have been missed."""
        self._missed_guilds.update(guild_ids)
        self._wake()

    def miss_any(self) -> None:
        """Take in that events of any channel may have been missed."""
        self._missed_any = True
        self._wake()

    async def settle(self, places: Places) -> None:
        """Store what waits. Raises DatabaseError; then it is stored by the next call."""
        async with self._settling:
            while self._anything_missed or self._events:
                # What was missed while something else was stored, too: of what was told since then, messages come next.
                if self._anything_missed:
                    await self._store_missed(places)
                    continue
                key, event = next(iter(self._events.items()))
                try:
                    await self._store(event, places)
                except ValueRefused as error:
                    log.warning("what was told of a place can't be stored: %s", error.message)
                if self._events.get(key) is event:
                    del self._events[key]

    @property
    def _anything_missed(self) -> bool:
        return bool(self._missed or self._missed_guilds or self._missed_any)

    async def _store_missed(self, places: Places) -> None:
        missed, guilds, everywhere = self._missed, self._missed_guilds, self._missed_any
        self._missed, self._missed_guilds, self._missed_any = set(), set(), False
        try:
            if everywhere or missed:
                await places.note_unwatched(None if everywhere else missed)
            if guilds and not everywhere:
                await places.note_guilds_unwatched(guilds)
        except BaseException:
            self._missed |= missed
            self._missed_guilds |= guilds
            self._missed_any |= everywhere
            raise

    async def _store(self, event: LiveEvent, places: Places) -> None:
        match event:
            case GuildAvailable(guild=guild, roles=roles, channels=channels):
                await places.store([guild], roles, [found.channel for found in channels], self._reasons(channels))
            case GuildSeen(guild=guild, roles=roles):
                await places.store([guild], roles, [], {})
            case ChannelSeen(found=found):
                await places.store([], [], [found.channel], self._reasons([found]))
            case ChannelGone(channel_id=channel_id):
                await places.mark_gone(channel_id)
            case GuildGone(guild_id=guild_id, unavailable=False):
                await places.mark_guild_gone(guild_id)
            case _:
                pass

    def _reasons(self, channels: Iterable[FoundChannel]) -> dict[int, str | None]:
        return {
            found.channel.channel_id: None if found.access.readable else found.access.reason
            for found in channels
            if found.channel.holds_messages and self._wants(found.channel)
        }


def _about(event: LiveEvent) -> tuple[object, ...]:
    """Return what an event is about: a later one about the same says all that matters."""
    match event:
        case GuildSeen(guild=guild, roles=roles):
            return GuildSeen, guild.guild_id, tuple(role.role_id for role in roles)
        case GuildAvailable(guild=guild):
            return GuildAvailable, guild.guild_id
        case GuildGone(guild_id=guild_id):
            return GuildGone, guild_id
        case ChannelSeen(found=found):
            return ChannelSeen, found.channel.channel_id
        case ChannelGone(channel_id=channel_id):
            return ChannelGone, channel_id
        case _:
            return (type(event),)
