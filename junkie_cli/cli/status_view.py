"""What `junkie status` shows, in its order: guilds, their channels, threads under their parents. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from junkie_cli.db.status import Archive, GuildRecord, Record
from junkie_cli.ingest.estimate import Estimate, Share, estimate
from junkie_cli.ingest.selection import Selection
from junkie_cli.ingest.standing import Standing, State
from junkie_cli.models import Channel, ChannelType

Sort = Literal["place", "name", "messages", "oldest", "newest", "gaps", "updated"]

_VOICE: Final = frozenset({ChannelType.VOICE, ChannelType.STAGE})


class Entry(NamedTuple):
    """A channel or thread that holds messages, and where it stands."""

    record: Record
    standing: Standing

    @property
    def channel(self) -> Channel:
        """The channel itself."""
        return self.record.channel


class Line(NamedTuple):
    """A line of the table. `entry` is None for a parent that is there only to show whose threads follow."""

    channel: Channel
    entry: Entry | None
    is_thread: bool = False


class Section(NamedTuple):
    """A guild's lines. `guild` is None for what belongs to none, as DMs do, and for a guild that is not known.

    `known` is False for channels of which nothing but rows is there: nobody knows where they belong.
    """

    guild_id: int | None
    guild: GuildRecord | None
    lines: list[Line]
    known: bool = True


class Totals(NamedTuple):
    """Sums over entries. `states` counts them by state, `gaps` and `left` are of what can be fetched."""

    channels: int
    messages: int
    states: Mapping[State, int]
    gaps: int
    left: Estimate


def selected(archive: Archive, selection: Selection) -> list[Record]:
    """Return the records that hold messages and are wanted."""
    by_id = {record.channel.channel_id: record.channel for record in archive.records}
    wanted: list[Record] = []
    for record in archive.records:
        channel = record.channel
        if not channel.holds_messages:
            continue
        if selection.guilds and channel.guild_id not in selection.guilds:
            continue
        if selection.channels and selection.channels.isdisjoint({channel.channel_id, channel.parent_id}):
            continue
        parent = by_id.get(channel.parent_id or 0)
        category_id = parent.parent_id if parent is not None and channel.is_thread else None
        if not selection.excludes(channel, category_id):
            wanted.append(record)
    return wanted


def add_up(entries: Iterable[Entry]) -> Totals:
    """Return the sums over entries."""
    entries = list(entries)
    lacking = [entry.standing for entry in entries if entry.standing.state.lacks]
    return Totals(
        channels=len(entries),
        messages=sum(entry.record.state.held for entry in entries),
        states=Counter(entry.standing.state for entry in entries),
        gaps=sum(len(standing.gaps) for standing in lacking),
        left=estimate([Share(standing.left) for standing in lacking]),
    )


def sections(archive: Archive, entries: Sequence[Entry], sort: Sort) -> list[Section]:
    """Return the entries as they are shown; guilds by name, what belongs to none last."""
    by_id = {record.channel.channel_id: record.channel for record in archive.records}
    by_guild: dict[tuple[int | None, bool], list[Entry]] = {}
    for entry in entries:
        by_guild.setdefault((entry.channel.guild_id, entry.record.known), []).append(entry)

    def rank(place: tuple[int | None, bool]) -> tuple[bool, bool, bool, str, int]:
        guild_id, known = place
        guild = archive.guilds.get(guild_id or 0)
        name = "" if guild is None else guild.name.casefold()
        return guild_id is None, not known, guild is None, name, guild_id or 0

    key = _key(sort, by_id)
    return [
        Section(place[0], archive.guilds.get(place[0] or 0), _lines(by_guild[place], by_id, key), known=place[1])
        for place in sorted(by_guild, key=rank)
    ]


def _lines(entries: Sequence[Entry], by_id: Mapping[int, Channel], key: "_Key") -> list[Line]:
    """Return a guild's lines: each channel with its threads under it."""
    top = {entry.channel.channel_id: entry for entry in entries if not entry.channel.is_thread}
    threads: dict[int, list[Entry]] = {channel_id: [] for channel_id in top}
    for entry in entries:
        if entry.channel.is_thread:
            threads.setdefault(entry.channel.parent_id or 0, []).append(entry)
    ranks: dict[int, Any] = {}
    for parent_id, below in threads.items():
        below.sort(key=lambda thread: key(thread.channel, thread))
        parent = by_id.get(parent_id, _unknown(parent_id))
        # A parent without messages of its own stands where the first of its threads would.
        one = top.get(parent_id)
        ranks[parent_id] = key(parent, one if one is not None or not below else below[0])
    lines: list[Line] = []
    for parent_id in sorted(threads, key=ranks.__getitem__):
        lines.append(Line(by_id.get(parent_id, _unknown(parent_id)), top.get(parent_id)))
        lines += [Line(thread.channel, thread, is_thread=True) for thread in threads[parent_id]]
    return lines


def _unknown(channel_id: int) -> Channel:
    return Channel(channel_id, None, None, ChannelType.TEXT, "", None)


_Key = Callable[[Channel, Entry | None], Any]


def _key(sort: Sort, by_id: Mapping[int, Channel]) -> _Key:
    """Return what to sort by: a channel, and the entry whose figures count for it."""

    def place(channel: Channel) -> tuple[int, ...]:
        # As Discord shows them: what is in no category first, voice below text. Threads: the newest first.
        if channel.is_thread:
            return (-channel.channel_id,)
        category = by_id.get(channel.parent_id or 0)
        above = (-1, 0) if category is None else (category.position, category.channel_id)
        return *above, channel.type in _VOICE, channel.position, channel.channel_id

    if sort == "place":
        return lambda channel, _entry: place(channel)
    if sort == "name":
        return lambda channel, _entry: (channel.name.casefold(), channel.channel_id)
    return lambda channel, entry: (_figure(sort, entry), place(channel))


def _figure(sort: Sort, entry: Entry | None) -> float:
    """Return what an entry is sorted by, the most interesting first."""
    if entry is None:
        return 0
    record, standing = entry
    match sort:
        case "messages":
            return -record.state.held
        case "gaps":
            return -len(standing.gaps) if standing.state.lacks else 0
        case "oldest":
            return record.oldest or float("inf")
        case "newest":
            return -(record.newest or 0)
        case _:
            current_at = record.state.current_at
            return 0 if current_at is None else -current_at.timestamp()
