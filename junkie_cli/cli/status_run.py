"""`junkie status` at work: read the archive, ask Discord if that is wanted, write the table or the JSON.

Invariant: discord.py is imported only for `--live`, and no message is fetched.
"""

import shutil
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from junkie_cli.cli.output import product, speaks_unicode
from junkie_cli.cli.status import StatusOptions
from junkie_cli.cli.status_view import Entry, Totals, add_up, sections, selected
from junkie_cli.config import Settings
from junkie_cli.db.status import Archive, StatusReader, open_status
from junkie_cli.errors import PARTIAL
from junkie_cli.ingest.standing import stand, to_count
from junkie_cli.models import ChannelType, Guild
from junkie_cli.reference import Wanted, known_places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from junkie_cli.ingest.changes import Changes
    from junkie_cli.ingest.selection import Selection, Unlisted

_WIDTH: Final = 80
"""Columns where stdout is no terminal."""

_HINT: Final = "correct it, or let `--live` ask Discord"


class Overview(NamedTuple):
    """The archive at one moment, and the wanted channels of it, each with where it stands."""

    archive: Archive
    entries: list[Entry]
    totals: Totals

    @property
    def empty(self) -> bool:
        """Whether the archive knows no channel at all."""
        return not any(record.channel.holds_messages for record in self.archive.records)

    @property
    def lacks(self) -> bool:
        """Whether something is incomplete that could be read. An archive of nothing is."""
        return self.empty or any(entry.standing.state.lacks for entry in self.entries)


async def run(settings: Settings, options: StatusOptions) -> int:
    """Show the status; returns the exit code. Raises UsageError, and what the database and Discord raise."""
    changes: Changes | None = None
    async with open_status(settings) as reader:
        if options.live:
            from junkie_cli.ingest.changes import changes as compared

            async with reader.snapshot() as snapshot:
                before = await snapshot.archive()
            options, unlisted = await ask(settings, options)
            overview = await look(reader, options)
            changes = compared(before.records, overview.archive.records, unlisted)
        else:
            overview = await look(reader, options)
    if options.json:
        _write_json(overview, options, changes)
    else:
        _write_table(overview, settings, options, changes)
    # Where something could not be listed nobody knows what there is.
    lacks = overview.lacks or (changes is not None and bool(changes.unlisted))
    return PARTIAL if options.fail_on_gaps and lacks else 0


async def look(reader: StatusReader, options: StatusOptions) -> Overview:
    """Read the archive, and say where each wanted channel stands.

    Raises DatabaseError; UsageError, or ConfigError for a variable, if the archive lacks what was chosen.
    """
    wanted = options.wanted
    async with reader.snapshot() as snapshot:
        archive = await snapshot.archive()
        records = selected(archive, settled(options.selection, archive))
        ranges = {r.channel.channel_id: found for r in records if (found := to_count(r, wanted)) is not None}
        counts = await snapshot.counts(ranges, most=wanted.target or 0)
    entries = [Entry(record, stand(record, wanted, counts)) for record in records]
    return Overview(archive, entries, add_up(entries))


def settled(selection: "Selection", archive: Archive) -> "Selection":
    """Return the selection with ids in the place of names, once it is seen that the archive knows what was chosen.

    An archive of nothing knows no names, and has something else to say. Raises UsageError, or ConfigError for a variable.
    """
    if not archive.records:
        return selection
    if selection.named:
        guilds = [Guild(guild.guild_id, guild.name) for guild in archive.guilds.values()]
        gone = [guild.guild_id for guild in archive.guilds.values() if guild.gone_at is not None]
        gone += [record.channel.channel_id for record in archive.records if record.state.gone_at is not None]
        known = known_places(guilds, [record.channel for record in archive.records if record.known], gone)
        selection = selection.settled(known, where="the archive", hint=_HINT)
    for kind, chosen, there in (
        (Wanted.GUILD, selection.guilds, {*archive.guilds, *(record.channel.guild_id for record in archive.records)}),
        (Wanted.CHANNEL, selection.channels, {record.channel.channel_id for record in archive.records}),
    ):
        if unknown := chosen - there:
            raise selection.labels[kind].error(f"the archive knows no {kind.noun} {min(unknown)}", _HINT)
    for channel in (record.channel for record in archive.records):
        if channel.channel_id in selection.channels and channel.type in ChannelType.HOLD_NOTHING:
            raise selection.labels[Wanted.CHANNEL].error(
                f"channel {channel.channel_id} ('{channel.name}') is a category and holds no messages",
                "name its channels; --exclude takes a category",
            )
    return selection


async def ask(settings: Settings, options: StatusOptions) -> "tuple[StatusOptions, Sequence[Unlisted]]":
    """Ask Discord which channels there are and what their newest messages are, and store that.

    Returns the options with ids in the place of names, and what could not be listed. Raises what the Discord client and
    the database raise.
    """
    # These import discord.py.
    from junkie_cli.cli.runtime import opened
    from junkie_cli.db.places import Places
    from junkie_cli.ingest.options import RunOptions
    from junkie_cli.ingest.survey import discover, whole

    async with opened(settings, "status") as tools:
        selection = await tools.settled(options.selection)
        # No text is fetched, so that nothing depends on the right to see it.
        asked = RunOptions.of(settings, selection, allow_empty_content=True)
        found = await whole(discover(asked, tools.discord, Places(tools.database), lambda _event: None))
    return replace(options, selection=selection), found.unlisted


def _write_json(overview: Overview, options: StatusOptions, changes: "Changes | None") -> None:
    from junkie_cli.cli.ndjson import dump
    from junkie_cli.cli.status_json import as_json

    listed = [
        line.entry
        for section in sections(overview.archive, overview.entries, options.sort)
        for line in section.lines
        if line.entry is not None
    ]
    product(dump(as_json(overview.archive, listed, overview.totals, options.wanted, changes)))


def _write_table(overview: Overview, settings: Settings, options: StatusOptions, changes: "Changes | None") -> None:
    from junkie_cli.cli.colour import paint
    from junkie_cli.cli.status_table import Screen, as_table, closing, first_steps, heading, legend, told

    terminal = sys.stdout is not None and sys.stdout.isatty()
    screen = Screen(
        shutil.get_terminal_size((_WIDTH, 24)).columns if terminal else _WIDTH,
        sys.stdout is None or speaks_unicode(sys.stdout),
        getattr(sys.stdout, "encoding", None),
    )
    archive = overview.archive
    lines = heading(archive, screen)
    if changes is not None:
        lines += told(changes, screen)
    lines.append([])
    if overview.empty:
        lines += [*first_steps(screen, token=settings.token is not None), []]
    parts = sections(archive, overview.entries, options.sort)
    lines += [*as_table(archive, parts, screen), *closing(archive, overview.totals, screen)]
    if overview.entries:
        lines += legend(screen)
    paint(lines)
