"""Which channels a command works on: `--guild`, `--channel`, `--exclude`, and what discovery finds.

`--channel` takes a channel with its threads; DM channels are reached only that way, since Discord doesn't list them to bots.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from junkie_cli import reference
from junkie_cli.client.discovery import ListKey, side_by_side
from junkie_cli.client.threads import Listing
from junkie_cli.db.places import Places
from junkie_cli.errors import ChannelError, ChannelForbidden, ChannelNotFound, DiscordError, DiscordUnavailable
from junkie_cli.ingest.events import DiscoveryBegan, Emit
from junkie_cli.ingest.named import named_channels
from junkie_cli.models import Access, Channel, FoundChannel, Guild, Role
from junkie_cli.reference import Asked, Known, Label, Wanted

if TYPE_CHECKING:
    from junkie_cli.client.discovery import GuildInventory, GuildListing
    from junkie_cli.client.session import DiscordClient


LABELS: Final[Mapping[Wanted, Label]] = MappingProxyType(
    {Wanted.GUILD: Label("--guild"), Wanted.CHANNEL: Label("--channel"), Wanted.PLACE: Label("--exclude")}
)
"""Where each part of a selection is said, unless a variable says it."""


MAY_LACK: Final = 8
"""Lists of archived threads for which a guild's others are not given up: with more of them Discord itself is unwell."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The filters of a command, as ids. Empty `guilds` and `channels` mean all.

    `named` is what was given by name and has no id yet (see `settled`); `labels` say where each part was given.
    """

    guilds: frozenset[int] = frozenset()
    channels: frozenset[int] = frozenset()
    exclude: frozenset[int] = frozenset()
    threads: bool = True
    named: tuple[Asked, ...] = ()
    labels: Mapping[Wanted, Label] = field(default_factory=lambda: LABELS, compare=False)

    @classmethod
    def read(
        cls,
        guilds: Iterable[str] = (),
        channels: Iterable[str] = (),
        exclude: Iterable[str] = (),
        *,
        threads: bool = True,
        labels: Mapping[Wanted, Label] = LABELS,
    ) -> "Selection":
        """Read what the user typed: ids, mentions, links, names.

        Raises UsageError, or ConfigError for a variable, for what can't be any of these.
        """
        texts = {Wanted.GUILD: guilds, Wanted.CHANNEL: channels, Wanted.PLACE: exclude}
        asked = [Asked(text, wanted, labels[wanted]) for wanted in texts for text in texts[wanted]]
        read = [(one, reference.read(one)) for one in asked]
        named = tuple(one for one, found in read if found is None)
        ids = [(one.wanted, found) for one, found in read if found is not None]
        return _added(cls(threads=threads, named=named, labels=labels), ids)

    def settled(self, known: Sequence[Known], *, where: str, hint: str) -> "Selection":
        """Return it with ids in the place of names, looked up in a list. For `where` and `hint` see `reference.find`.

        Where guilds are named, a channel's name is looked for in these.

        Raises UsageError, or ConfigError for a variable, for a name that nothing bears, or more than one.
        """
        found: list[tuple[Wanted, int]] = []
        wanted = self.guilds
        for one in sorted(self.named, key=lambda asked: asked.wanted is not Wanted.GUILD):
            within = [each for each in known if not wanted or each.guild_id is None or each.guild_id in wanted]
            found.append((one.wanted, reference.find(one, within, where=where, hint=hint).snowflake))
            if one.wanted is Wanted.GUILD:
                wanted |= {found[-1][1]}
        return _added(replace(self, named=()), found)

    def require_guilds(self, guilds: Iterable[Guild]) -> None:
        """Raise UsageError, or ConfigError for a variable, for a wanted guild that is none of those that the bot is in."""
        if missing := self.guilds - {guild.guild_id for guild in guilds}:
            raise self.labels[Wanted.GUILD].error(
                f"the bot is not in guild {min(missing)}", "invite it, or correct the id"
            )

    def wants_threads_of(self, parent: Channel) -> bool:
        """Say whether threads of a channel may be wanted that are not wanted by their own ids."""
        return (not self.channels or parent.channel_id in self.channels) and not self.excludes(parent)

    def excludes(self, channel: Channel, category_id: int | None = None) -> bool:
        """Say whether the channel, its parent, its category or its guild is left out."""
        return not self.exclude.isdisjoint({channel.channel_id, channel.parent_id, channel.guild_id, category_id})


@dataclass(frozen=True, slots=True)
class Target:
    """A channel to work on. `name` is as people see it."""

    channel: Channel
    access: Access
    name: str


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A guild that could not be listed, or a channel whose archived threads could not: something may be missing."""

    place_id: int
    name: str
    reason: str


@dataclass(slots=True)
class Found:
    """What discovery found: places to store, and the channels that hold messages and are wanted.

    `walked` says, by parent and list of archived threads, down from which moment the list is known. `gone` are archived
    channels that Discord no longer knows, `member_of` all guilds that the bot is in, None where that was not asked.
    """

    guilds: list[Guild] = field(default_factory=list)
    roles: list[Role] = field(default_factory=list)
    channels: list[Channel] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    walked: dict[tuple[int, str], datetime] = field(default_factory=dict)
    unlisted: list[Unlisted] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    member_of: list[int] | None = None

    def add(self, more: "Found") -> None:
        """Take over what was found later."""
        self.guilds += more.guilds
        self.roles += more.roles
        self.channels += more.channels
        self.targets += more.targets
        self.walked |= more.walked
        self.unlisted += more.unlisted
        self.gone += more.gone

    async def store(self, places: Places) -> None:
        """Store guilds, roles, channels, which of them can't be read or are gone, and how far lists of threads were walked."""
        reasons = {t.channel.channel_id: None if t.access.readable else t.access.reason for t in self.targets}
        await places.store(self.guilds, self.roles, self.channels, reasons, self.walked)
        for channel_id in self.gone:
            await places.mark_gone(channel_id)
        if self.member_of is not None:
            await places.mark_left(self.member_of)


def _added(selection: Selection, found: Iterable[tuple[Wanted, int]]) -> Selection:
    ids: dict[Wanted, set[int]] = {wanted: set() for wanted in LABELS}
    for wanted, snowflake in found:
        ids[wanted].add(snowflake)
    return replace(
        selection,
        guilds=selection.guilds | ids[Wanted.GUILD],
        channels=selection.channels | ids[Wanted.CHANNEL],
        exclude=selection.exclude | ids[Wanted.PLACE],
    )


async def find(
    discord: "DiscordClient",
    places: Places,
    selection: Selection,
    emit: Emit,
    *,
    strict: bool = True,
    listing: Callable[[int], object] = lambda _: None,
) -> AsyncIterator[Found]:
    """List what the bot can see and the selection wants: first all channels, then what threads they have.

    Looking through the lists of archived threads takes long, and work on the channels need not wait for it. The lists are
    walked only as far as they are new; the older threads are known from the archive. `strict`, all that is named must be
    there, and some lists may be beyond Discord; not so, what is not there is passed over, and such a list is an error, as
    for whoever tries again. `listing` is told of each guild just before Discord is asked for it.

    The selection is settled. Raises UsageError, or ConfigError for a variable, for a guild or channel that doesn't exist,
    that the bot isn't in, or that is a category.
    """
    assert not selection.named
    first = Found()
    named = await named_channels(discord, selection, strict=strict)
    for single in named:
        if single.channel.guild_id is None and not selection.excludes(single.channel):
            first.channels.append(single.channel)
            first.targets.append(Target(single.channel, single.access, single.channel.name or "DM"))
    known: list[tuple[GuildListing, list[FoundChannel]]] = []
    if not selection.channels or any(one.channel.guild_id is not None for one in named):
        guilds = await discord.guilds()
        first.member_of = [guild.guild_id for guild in guilds]
        wanted = _wanted_guilds(guilds, selection, named, strict=strict)
        for listed in await _listings(discord, wanted, first, emit, listing, strict=strict):
            beside = [*named, *await _hidden(discord, places, listed.inventory, first)]
            _add(first, listed.inventory, beside, [], selection)
            known.append((listed, beside))
    yield first
    if selection.threads and known:
        yield await _threads(discord, places, selection, known, first, may_lack=MAY_LACK if strict else 0)


async def _threads(
    discord: "DiscordClient",
    places: Places,
    selection: Selection,
    known: Sequence[tuple["GuildListing", Sequence[FoundChannel]]],
    first: Found,
    *,
    may_lack: int,
) -> Found:
    """Return the threads of guilds whose channels are known, less those that were among them."""
    whole = Found()
    walked = await places.walked()
    cursors = {ListKey(parent_id, Listing(listing)): newest for (parent_id, listing), newest in walked.items()}
    inventories: dict[int, GuildInventory] = {}

    async def one(listing: "GuildListing") -> None:
        guild = listing.inventory.guild
        try:
            inventories[guild.guild_id] = await discord.with_threads(
                listing, cursors, wanted=selection.wants_threads_of, may_lack=may_lack
            )
        except ChannelError as error:
            whole.unlisted.append(_not_listed(guild, error))

    await side_by_side(one, [listing for listing, _ in known])
    for listing, beside in known:
        guild_id = listing.inventory.guild.guild_id
        if guild_id in inventories:
            _add(whole, inventories[guild_id], beside, await places.threads_of(guild_id), selection)
    had = {channel.channel_id for channel in first.channels}
    aimed = {target.channel.channel_id for target in first.targets}
    return Found(
        channels=[channel for channel in whole.channels if channel.channel_id not in had],
        targets=[target for target in whole.targets if target.channel.channel_id not in aimed],
        walked=whole.walked,
        unlisted=whole.unlisted,
    )


async def _listings(
    discord: "DiscordClient",
    guilds: Sequence[Guild],
    first: Found,
    emit: Emit,
    listing: Callable[[int], object],
    *,
    strict: bool,
) -> list["GuildListing"]:
    """List guilds, some at once; what can't be listed is added to `first.unlisted`.

    Raises DiscordUnavailable if Discord gives no sensible answer about any of them; not `strict`, about one of them.
    """
    listed: dict[int, GuildListing] = {}
    unavailable: list[DiscordUnavailable] = []

    async def one(guild: Guild) -> None:
        emit(DiscoveryBegan(guild.name))
        listing(guild.guild_id)
        try:
            listed[guild.guild_id] = await discord.listing(guild)
        except ChannelError as error:
            first.unlisted.append(_not_listed(guild, error))
        except DiscordUnavailable as error:
            if not strict:
                raise
            unavailable.append(error)
            first.unlisted.append(_not_listed(guild, error))

    await side_by_side(one, guilds)
    if unavailable and not listed:
        raise unavailable[0]
    return [listed[guild.guild_id] for guild in guilds if guild.guild_id in listed]


def _not_listed(guild: Guild, error: DiscordError) -> Unlisted:
    return Unlisted(guild.guild_id, guild.name, f"it could not be listed: {error.message}")


async def _hidden(
    discord: "DiscordClient", places: Places, inventory: "GuildInventory", found: Found
) -> list[FoundChannel]:
    """Return archived channels that are not listed any more, because the bot may not view them.

    Discord lists only what the bot may view (discord-api-docs #8454), so that a deleted channel looks the same: each is
    asked for once. The deleted ones are added to `found.gone`.
    """
    hidden: list[FoundChannel] = []
    listed = [one.channel.channel_id for one in inventory.channels]
    for channel, lacking in await places.unlisted(inventory.guild.guild_id, listed):
        reason = lacking
        if reason is None:
            try:
                hidden.append(await discord.channel(channel.channel_id))
            except ChannelNotFound:
                found.gone.append(channel.channel_id)
                continue
            except ChannelForbidden:
                reason = "lacks View Channel"
        if reason is not None:
            hidden.append(FoundChannel(channel, Access(readable=False, reason=reason)))
    return hidden


def _add(
    found: Found,
    inventory: "GuildInventory",
    named: Sequence[FoundChannel],
    older: Sequence[Channel],
    selection: Selection,
) -> None:
    """Add a guild: what was listed, what was named and is in no list, and the `older` threads of the archive."""
    found.guilds.append(inventory.guild)
    found.roles += inventory.roles
    listed = {one.channel.channel_id: one for one in inventory.channels}
    # A thread that was named and is in no list: archived, private and not joined, or --no-threads.
    unlisted = [
        one
        for one in named
        if one.channel.guild_id == inventory.guild.guild_id and one.channel.channel_id not in listed
    ]
    found.channels += [one.channel for one in (*listed.values(), *unlisted)]
    known = [*listed.values(), *unlisted]
    found.targets += _targets([*known, *_known_threads(older, known)], selection)
    found.walked |= {(key.parent_id, key.listing.value): newest for key, newest in inventory.newest.items()}
    for one in inventory.unlisted:
        name = f"#{listed[one.key.parent_id].channel.name}" if one.key.parent_id in listed else "?"
        found.unlisted.append(
            Unlisted(one.key.parent_id, name, f"its archived threads could not be listed: {one.reason}")
        )


def _known_threads(threads: Iterable[Channel], listed: Sequence[FoundChannel]) -> list[FoundChannel]:
    """Return the archive's threads that no list showed this time; they can be read if their parent can."""
    by_id = {one.channel.channel_id: one for one in listed}
    known: list[FoundChannel] = []
    for thread in threads:
        parent = by_id.get(thread.parent_id) if thread.parent_id is not None else None
        if thread.channel_id not in by_id and parent is not None:
            known.append(FoundChannel(thread, parent.access))
    return known


def _wanted_guilds(
    guilds: Sequence[Guild], selection: Selection, named: Sequence[FoundChannel], *, strict: bool
) -> list[Guild]:
    """Return the guilds to list. Raises UsageError or ConfigError for one that the bot is not in, if `strict`."""
    if strict:
        selection.require_guilds(guilds)
    holding = {one.channel.guild_id for one in named}
    return [
        guild
        for guild in guilds
        if (not selection.guilds or guild.guild_id in selection.guilds)
        and (not selection.channels or guild.guild_id in holding)
        and guild.guild_id not in selection.exclude
    ]


def _targets(channels: Sequence[FoundChannel], selection: Selection) -> list[Target]:
    by_id = {one.channel.channel_id: one.channel for one in channels}
    targets: list[Target] = []
    for one in channels:
        channel = one.channel
        parent = by_id.get(channel.parent_id) if channel.parent_id else None
        category_id = parent.parent_id if parent is not None and channel.is_thread else None
        wanted = not selection.channels or not selection.channels.isdisjoint({channel.channel_id, channel.parent_id})
        if channel.holds_messages and wanted and not selection.excludes(channel, category_id):
            name = f"#{channel.name}"
            if channel.is_thread:
                name = f"#{parent.name if parent else '?'} › {channel.name}"  # noqa: RUF001  the sign that Discord itself shows
            targets.append(Target(channel, one.access, name))
    # Channels before threads: they are the long ones, and a long one begun last would be waited for alone.
    return sorted(targets, key=lambda target: target.channel.is_thread)
