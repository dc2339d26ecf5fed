"""What the bot can see: guilds, channels, threads, and what it may do in each.

Invariant: a thread that existed before `discover` began, that the bot may see, and whose parent's lists could be read, is
found: active threads are listed before and after the archived ones, so that one which changes over meanwhile is in either.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from junkie_cli.client.payload import read_id
from junkie_cli.client.permissions import MANAGE_THREADS, Standing, access, permissions, standing
from junkie_cli.client.places import channel_from_payload, guild_from_payload, roles_from_payload
from junkie_cli.client.threads import Listing, ThreadPage, joined_in, walk
from junkie_cli.errors import ChannelError, ChannelForbidden, ChannelNotFound, DiscordUnavailable
from junkie_cli.models import Access, Channel, ChannelType, FoundChannel, Guild, Role

log = logging.getLogger(__name__)

AT_ONCE: Final = 8
"""How many lists are read side by side."""

_GUILDS_PER_PAGE: Final = 200

T = TypeVar("T")
U = TypeVar("U")


class Get(Protocol):
    """`Api.get`."""

    async def __call__(self, path: str, *, subject: str, params: dict[str, str] | None = None, **ids: int) -> Any:
        """Return the JSON value that the path answers."""


class ListKey(NamedTuple):
    """A list of archived threads: whose, and which."""

    parent_id: int
    listing: Listing


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A list of archived threads that could not be read: threads may be missing."""

    key: ListKey
    reason: str


@dataclass(frozen=True, slots=True)
class GuildInventory:
    """What a guild holds, as far as the bot can see: every channel with categories, forums and threads.

    `newest` is, per list of archived threads that was walked to its end or to its cursor, when its newest was archived.
    `unmanaged` are the channels that may have archived private threads which the bot is not shown: it lacks Manage Threads.
    """

    guild: Guild
    roles: tuple[Role, ...]
    channels: tuple[FoundChannel, ...]
    unlisted: tuple[Unlisted, ...] = ()
    newest: Mapping[ListKey, datetime] = field(default_factory=dict)
    unmanaged: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class GuildListing:
    """A guild without its threads, and what it takes to find them: the bot's standing, and channels as Discord sent them."""

    inventory: GuildInventory
    standing: Standing
    shown: tuple[tuple[Channel, Mapping[str, Any]], ...]


@dataclass(slots=True)
class _Threads:
    """Thread objects as they were last seen, by id."""

    found: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    joined: set[int] = field(default_factory=set)
    unlisted: list[Unlisted] = field(default_factory=list)
    newest: dict[ListKey, datetime] = field(default_factory=dict)
    may_lack: int = 0
    """How many more lists may be passed over because Discord gives no sensible answer."""

    def add(self, threads: Iterable[Any], joined: frozenset[int]) -> None:
        """Take over the threads of an answer, and which of them the bot is in."""
        for thread in threads:
            if isinstance(thread, dict) and (thread_id := read_id(thread.get("id"))) is not None:
                self.found[thread_id] = thread
        self.joined |= joined


class Directory:
    """Asks Discord for places. `now` is the wall clock, for time-outs of the bot."""

    def __init__(self, get: Get, me: int, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._get = get
        self._me = me
        self._now = now

    async def guilds(self) -> list[Guild]:
        """Return every guild that the bot is in, by ascending id."""
        subject = "the bot's guilds"
        found: dict[int, Guild] = {}
        after = 0
        while True:
            params = {"limit": str(_GUILDS_PER_PAGE), "after": str(after)}
            page = _list(await self._get("/users/@me/guilds", subject=subject, params=params), subject)
            guilds = [guild for guild in map(guild_from_payload, page) if guild is not None]
            found.update({guild.guild_id: guild for guild in guilds})
            highest = max((guild.guild_id for guild in guilds), default=0)
            if len(page) < _GUILDS_PER_PAGE or highest <= after:
                return [found[guild_id] for guild_id in sorted(found)]
            after = highest

    async def channels(self, guild: Guild) -> list[Channel]:
        """List a guild's categories, channels and active threads, without what the bot may do there.

        Raises ChannelForbidden or ChannelNotFound if the bot is not in the guild any more.
        """
        listed = await self._channels(guild)
        found = _Threads()
        await self._active(guild.guild_id, found)
        threads = (channel_from_payload(payload, guild.guild_id) for payload in found.found.values())
        return [*(channel for channel, _ in listed), *filter(None, threads)]

    async def listing(self, guild: Guild) -> GuildListing:
        """List a guild's channels. Raises ChannelForbidden or ChannelNotFound if the bot is not in the guild any more."""
        (shown, bot), shown_channels = await _both(self._standing(guild.guild_id, _named(guild)), self._channels(guild))
        channels = tuple(FoundChannel(channel, access(bot, payload)) for channel, payload in shown_channels)
        unmanaged = tuple(
            channel.channel_id for channel, payload in shown_channels if _unmanaged(bot, channel, payload)
        )
        inventory = GuildInventory(
            guild_from_payload(shown) or guild, roles_from_payload(shown), channels, unmanaged=unmanaged
        )
        return GuildListing(inventory, bot, tuple(shown_channels))

    async def with_threads(
        self,
        listing: GuildListing,
        cursors: Mapping[ListKey, datetime] | None = None,
        *,
        wanted: Callable[[Channel], bool] = lambda _: True,
        may_lack: int = 0,
    ) -> GuildInventory:
        """Add a guild's threads: the active ones, and the archived ones of `wanted` channels.

        A list of `cursors` is walked only down to the threads archived at that moment. So many lists `may_lack` because
        Discord gives no sensible answer about them; they are `unlisted` then, as those that may not be read.

        Raises ChannelForbidden or ChannelNotFound if the bot is not in the guild any more.
        """
        inventory, bot = listing.inventory, listing.standing
        found = _Threads(may_lack=may_lack)
        await self._threads(bot, [shown for shown in listing.shown if wanted(shown[0])], found, cursors or {})
        parents = {channel.channel_id: payload for channel, payload in listing.shown}
        threads: list[FoundChannel] = []
        for thread_id, payload in found.found.items():
            if (thread := channel_from_payload(payload, inventory.guild.guild_id)) is not None:
                may = await self._thread_access(bot, thread, payload, parents, joined=thread_id in found.joined)
                threads.append(FoundChannel(thread, may))
        return replace(
            inventory,
            channels=(*inventory.channels, *threads),
            unlisted=tuple(found.unlisted),
            newest=found.newest,
        )

    async def channel(self, channel_id: int) -> FoundChannel:
        """Return a channel, thread or DM by its id. Raises ChannelNotFound, ChannelForbidden."""
        payload = await self._channel(channel_id)
        channel = channel_from_payload(payload)
        if channel is None:
            raise ChannelNotFound(f"channel {channel_id}: Discord's answer names no channel")
        return FoundChannel(channel, await self._access(channel, payload))

    async def access(self, channel_id: int) -> Access:
        """Read the bot's rights in a channel anew. Raises ChannelNotFound."""
        try:
            return (await self.channel(channel_id)).access
        except ChannelForbidden as error:
            return Access(readable=False, reason=error.message)

    async def archived(self, key: ListKey, until: datetime | None = None) -> AsyncGenerator[ThreadPage, None]:
        """Walk one list of archived threads, see `threads.walk`. Raises ChannelForbidden, ChannelNotFound."""

        async def read(params: dict[str, str]) -> Any:
            path = "/channels/{channel_id}/" + key.listing
            return await self._get(path, subject=f"channel {key.parent_id}", params=params, channel_id=key.parent_id)

        async with aclosing(walk(read, key.listing, until)) as pages:
            async for page in pages:
                yield page

    async def _standing(self, guild_id: int, subject: str) -> tuple[Mapping[str, Any], Standing]:
        path = "/guilds/{guild_id}/members/{user_id}"
        shown, member = await _both(
            self._get("/guilds/{guild_id}", subject=subject, guild_id=guild_id),
            self._get(path, subject=subject, guild_id=guild_id, user_id=self._me),
        )
        if not isinstance(shown, dict) or not isinstance(member, dict):
            raise _nonsense(subject)
        return shown, standing(shown, member, self._me, self._now())

    async def _channels(self, guild: Guild) -> list[tuple[Channel, Mapping[str, Any]]]:
        listed = await self._get("/guilds/{guild_id}/channels", subject=_named(guild), guild_id=guild.guild_id)
        return [
            (channel, payload)
            for payload in _list(listed, _named(guild))
            if (channel := channel_from_payload(payload, guild.guild_id)) is not None
        ]

    async def _channel(self, channel_id: int) -> Mapping[str, Any]:
        subject = f"channel {channel_id}"
        payload = await self._get("/channels/{channel_id}", subject=subject, channel_id=channel_id)
        if not isinstance(payload, dict):
            raise _nonsense(subject)
        return payload

    async def _access(self, channel: Channel, payload: Mapping[str, Any]) -> Access:
        if channel.guild_id is None:
            return Access(readable=True)
        _, bot = await self._standing(channel.guild_id, f"guild {channel.guild_id}")
        if not channel.is_thread:
            return access(bot, payload)
        return await self._thread_access(bot, channel, payload, {}, joined="member" in payload)

    async def _thread_access(
        self,
        bot: Standing,
        thread: Channel,
        payload: Mapping[str, Any],
        parents: Mapping[int, Mapping[str, Any]],
        *,
        joined: bool,
    ) -> Access:
        if thread.parent_id is None:
            return Access(readable=False, reason="is a thread without a parent")
        parent = parents.get(thread.parent_id)
        if parent is None:
            try:
                parent = await self._channel(thread.parent_id)
            except (ChannelForbidden, ChannelNotFound) as error:
                return Access(readable=False, reason=error.message)
        return access(bot, payload, parent=parent, joined=joined)

    async def _threads(
        self,
        bot: Standing,
        channels: Iterable[tuple[Channel, Mapping[str, Any]]],
        found: _Threads,
        cursors: Mapping[ListKey, datetime],
    ) -> None:
        """Fill `found`: the active threads, the archived ones of each parent, and the active ones again."""
        await self._active(bot.guild_id, found)
        keys = [
            key
            for channel, payload in channels
            if channel.type in ChannelType.THREAD_PARENTS and access(bot, payload).readable
            for key in _lists_of(bot, channel, payload)
        ]

        async def one(key: ListKey) -> None:
            await self._archived(key, found, cursors.get(key))

        await side_by_side(one, keys)
        await self._active(bot.guild_id, found)

    async def _active(self, guild_id: int, found: _Threads) -> None:
        subject = f"guild {guild_id}"
        answer = await self._get("/guilds/{guild_id}/threads/active", subject=subject, guild_id=guild_id)
        if not isinstance(answer, dict):
            raise _nonsense(subject)
        found.add(_list(answer.get("threads"), subject), joined_in(answer))

    async def _archived(self, key: ListKey, found: _Threads, until: datetime | None) -> None:
        newest: datetime | None = None
        try:
            async with aclosing(self.archived(key, until)) as pages:
                async for page in pages:
                    found.add(page.threads, page.joined)
                    newest = max(filter(None, (newest, page.newest)), default=None)
        except ChannelNotFound:
            # Deleted since the channels were listed.
            place = {"channel_id": key.parent_id}
            log.info("channel %s is gone; its archived threads are not listed", key.parent_id, extra=place)
        except (ChannelError, DiscordUnavailable) as error:
            if isinstance(error, DiscordUnavailable):
                if not found.may_lack:
                    raise
                found.may_lack -= 1
            found.unlisted.append(Unlisted(key, error.message))
            place = {"channel_id": key.parent_id}
            log.warning("archived threads (%s) can't be listed: %s", key.listing.name.lower(), error, extra=place)
        else:
            if newest is not None and key.listing is not Listing.JOINED:
                found.newest[key] = newest


def _lists_of(bot: Standing, channel: Channel, payload: Mapping[str, Any]) -> list[ListKey]:
    """Return the lists of archived threads that the channel has and the bot may read. Only text channels have private ones."""
    lists = [ListKey(channel.channel_id, Listing.PUBLIC)]
    if channel.type == ChannelType.TEXT:
        manages = permissions(bot, payload) & MANAGE_THREADS
        lists.append(ListKey(channel.channel_id, Listing.PRIVATE if manages else Listing.JOINED))
    return lists


def _unmanaged(bot: Standing, channel: Channel, payload: Mapping[str, Any]) -> bool:
    readable = channel.type == ChannelType.TEXT and access(bot, payload).readable
    return readable and not permissions(bot, payload) & MANAGE_THREADS


async def side_by_side(work: Callable[[T], Awaitable[None]], items: Iterable[T]) -> None:
    """Call `work` for every item, some at once. If one fails, the others are cancelled and its error raised."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> None:
        async with slots:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(one(item))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _both(one: Coroutine[Any, Any, T], other: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Await two at once: each answer takes a round trip. If one fails, the other is cancelled and its error raised."""
    try:
        async with asyncio.TaskGroup() as group:
            first, second = group.create_task(one), group.create_task(other)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return first.result(), second.result()


def _named(guild: Guild) -> str:
    return f"guild {guild.guild_id} ('{guild.name}')"


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise _nonsense(what)
    return value


def _nonsense(subject: str) -> DiscordUnavailable:
    return DiscordUnavailable(
        f"an answer about {subject} that is not Discord's",
        hint="check DISCORD_API_URL",
    )
