"""`junkie status` for people: lines of styled pieces, none wider than the terminal.

Every channel has a line; what is wrong with it stands in a line below, so that the table keeps to 80 columns.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from junkie_cli import snowflake
from junkie_cli.cli.cells import cells_of, crop, fit, wrap
from junkie_cli.cli.figures import age, count, requests, size, time_range
from junkie_cli.cli.output import shown, writable
from junkie_cli.cli.status_view import Entry, Line, Section, Totals
from junkie_cli.cli.timeline import ASCII, BLOCKS, timeline
from junkie_cli.db.status import Archive, Worker
from junkie_cli.ingest.changes import Changes
from junkie_cli.ingest.standing import Standing, State

Piece = tuple[str, str]
"""Text, and the style that it has where there is colour ('' for none)."""

Pieces = list[Piece]

WORDS: Final = {
    State.COMPLETE: "complete",
    State.TARGET_MET: "to its target",
    State.PARTIAL: "partial",
    State.NEVER_FETCHED: "never fetched",
    State.UNREADABLE: "unreadable",
    State.GONE: "gone",
}
_STYLES: Final = {
    State.COMPLETE: "green",
    State.TARGET_MET: "cyan",
    State.PARTIAL: "yellow",
    State.NEVER_FETCHED: "yellow",
    State.UNREADABLE: "red",
    State.GONE: "dim",
}

_LEAST_WIDTH: Final = 24
_DATES_FROM: Final = 120
"""Columns from which on times are dates; ages are shorter."""

_LEAST_NAME: Final = 12
_LEAST_BAR: Final = 10
_MOST_BAR: Final = 60
_LEAST_BAR_TO_SHOW: Final = 4


class Screen(NamedTuple):
    """What the table is shown on. `encoding` None can write everything."""

    width: int = 80
    unicode: bool = True
    encoding: str | None = None

    @property
    def ellipsis(self) -> str:
        """What a name ends in that was cropped."""
        return "…" if self.unicode else "..."

    def plain(self, text: str) -> str:
        """Return text that people wrote, so that it can do no harm and be written."""
        return writable(shown(" ".join(text.split())), self.encoding)


def as_table(archive: Archive, parts: Sequence[Section], screen: Screen) -> list[Pieces]:
    """Return the lines of the guilds."""
    screen = screen._replace(width=max(screen.width, _LEAST_WIDTH))
    columns = _Columns(archive, parts, screen)
    lines: list[Pieces] = []
    for part in parts:
        title = crop(_heading(part, screen), screen.width, ellipsis=screen.ellipsis)
        lines += [[(title, "bold")], columns.heading()]
        for line in part.lines:
            lines += columns.lines(line)
        lines.append([])
    return lines


def _heading(part: Section, screen: Screen) -> str:
    if part.guild is None:
        elsewhere = "Direct messages" if part.known else "Only messages are known, not where they belong"
        return elsewhere if part.guild_id is None else f"Guild {part.guild_id}"
    name = screen.plain(part.guild.name) or f"Guild {part.guild_id}"
    return name if part.guild.gone_at is None else f"{name} (gone since {_date(part.guild.gone_at)})"


class _Columns:
    """The columns that fit, and how wide they are."""

    def __init__(self, archive: Archive, parts: Sequence[Section], screen: Screen) -> None:
        self._at = archive.at
        self._screen = screen
        self._dates = screen.width >= _DATES_FROM
        entries = [line.entry for part in parts for line in part.lines if line.entry is not None]
        least = 10 if self._dates else 4
        sizes = {
            "Messages": max([len("Messages"), *(len(f"{entry.record.state.held:,}") for entry in entries)]),
            "Oldest": max(len("Oldest"), least),
            "Newest": max(len("Newest"), least),
            "Edits": max(len("Edits"), least),
            "Updated": max(len("Updated"), least),
        }
        state = max([len("State"), *(len(WORDS[entry.standing.state]) for entry in entries)])
        # What people need least goes first where it is narrow.
        for dispensable in ("Updated", "Edits", "Oldest", "Newest", "Messages"):
            free = screen.width - state - 2 - sum(cells + 1 for cells in sizes.values())
            if free >= _LEAST_NAME + _LEAST_BAR:
                break
            del sizes[dispensable]
        free = max(screen.width - state - 2 - sum(cells + 1 for cells in sizes.values()), 1)
        names = max([len("Channel"), *(self._needed(line) for part in parts for line in part.lines)])
        # A long name gives way to the bar, down to what either needs.
        self._bar = min(max(free - names, min(free - _LEAST_NAME, _LEAST_BAR)), _MOST_BAR)
        if self._bar < _LEAST_BAR_TO_SHOW:
            self._bar = 0
        self._name = max(min(names, free - self._bar), 1)
        self._sizes = sizes
        self._state = state

    def heading(self) -> Pieces:
        """Return the columns' headings."""
        bar = fit("Timeline", self._bar, ellipsis="") + " " if self._bar else ""
        cells = [name.rjust(cells) for name, cells in self._sizes.items()]
        return [
            (
                " ".join([fit("Channel", self._name, ellipsis=""), *cells[:1], bar + " ".join([*cells[1:], "State"])]),
                "dim",
            )
        ]

    def lines(self, line: Line) -> Iterator[Pieces]:
        """Return a channel's line, and below it what is wrong there."""
        name = fit(self._label(line), self._name, ellipsis=self._screen.ellipsis)
        if line.entry is None:
            yield [(name.rstrip(), "dim")]
            return
        entry = line.entry
        word = entry.standing.state
        values = self._values(entry)
        cells = [values[column].rjust(cells) for column, cells in self._sizes.items()]
        style = _STYLES[word]
        pieces: Pieces = [(" ".join([name, *cells[:1], ""]), "")]
        if self._bar:
            pieces += [(self._timeline(entry), style), (" ", "")]
        pieces += [(" ".join([*cells[1:], ""]), ""), (WORDS[word], style)]
        yield pieces
        if said := detail(entry):
            yield from ([(text, "dim")] for text in _wrapped([said], self._screen, "    ", first="    "))

    def _needed(self, line: Line) -> int:
        return cells_of(self._label(line))

    def _label(self, line: Line) -> str:
        name = self._screen.plain(line.channel.name) or str(line.channel.channel_id)
        if line.is_thread:
            return ("  › " if self._screen.unicode else "  > ") + name  # noqa: RUF001  the sign that Discord itself shows
        return f"#{name}" if line.channel.guild_id is not None else name

    def _values(self, entry: Entry) -> dict[str, str]:
        record, state = entry.record, entry.record.state
        return {
            "Messages": f"{state.held:,}",
            "Oldest": self._when(None if record.oldest is None else snowflake.to_datetime(record.oldest)),
            "Newest": self._when(None if record.newest is None else snowflake.to_datetime(record.newest)),
            "Edits": self._when(state.unwatched_since),
            "Updated": self._when(state.current_at),
        }

    def _when(self, moment: datetime | None) -> str:
        if moment is None:
            return "-"
        return _date(moment) if self._dates else age((self._at - moment).total_seconds())

    def _timeline(self, entry: Entry) -> str:
        last_id = entry.standing.last_id
        signs = BLOCKS if self._screen.unicode else ASCII
        lo = entry.channel.channel_id
        return timeline(entry.record.state.covered, lo, lo if last_id is None else last_id + 1, self._bar, signs)


def detail(entry: Entry) -> str:
    """Return in words what is wrong with a channel, '' if nothing is."""
    standing, state = entry.standing, entry.record.state
    match standing.state:
        case State.GONE if state.gone_at is not None:
            return f"gone since {_date(state.gone_at)}"
        case State.UNREADABLE:
            return state.unreadable or ""
        case State.PARTIAL:
            left = requests(standing.left)
            about = left if standing.left.high is None else f"about {left}"
            return f"{_gaps(standing)}; {about} {'request' if standing.left.high == 1 else 'requests'} left"
        case _:
            return ""


def _gaps(standing: Standing) -> str:
    if len(standing.gaps) > 1:
        return count(len(standing.gaps), "gap")
    gap, last_id = standing.gaps[0], standing.last_id or 0
    since, until = (_date(snowflake.to_datetime(end)) for end in gap)
    if gap.hi > last_id:
        return f"1 gap, since {since}"
    if gap.lo <= standing.floor:
        return f"1 gap, before {until}"
    return f"1 gap, on {since}" if since == until else f"1 gap, {since} to {until}"


def heading(archive: Archive, screen: Screen) -> list[Pieces]:
    """Return the lines that say as of when all of it is."""
    heard = [record.state.last_updated for record in archive.records if record.state.last_updated is not None]
    line = f"Archive as of {archive.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if heard:
        line += f", last changed {age((archive.at - max(heard)).total_seconds())} ago"
    return [[(text, "bold")] for text in _wrapped([line], screen, "    ")]


def legend(screen: Screen) -> list[Pieces]:
    """Return the lines that explain the columns."""
    signs = BLOCKS if screen.unicode else ASCII
    line = (
        f"Timeline: creation to last message, {signs.full} archived {signs.part} partly {signs.none} missing. "
        "Edits: since when edits and deletions may be missing (- never)."
    )
    return [[(text, "dim")] for text in _wrapped([line], screen, "    ")]


def told(changes: Changes, screen: Screen) -> list[Pieces]:
    """Return the lines that say what Discord's answer changed."""
    parts = [
        f"{count(len(ids), 'channel')} {one if len(ids) == 1 else several}"
        for ids, one, several in (
            (changes.newer, "has newer messages", "have newer messages"),
            (changes.found, "is new", "are new"),
            (changes.gone, "is gone", "are gone"),
            (changes.back, "is back", "are back"),
            (changes.unreadable, "can't be read any more", "can't be read any more"),
            (changes.readable, "can be read again", "can be read again"),
        )
        if ids
    ]
    texts = [f"Discord was asked just now: {', '.join(parts) or 'nothing has changed'}"]
    texts += [f"{unlisted.name}: {unlisted.reason}" for unlisted in changes.unlisted]
    return [[(text, "")] for text in _wrapped(texts, screen, "    ")]


def first_steps(screen: Screen, *, token: bool) -> list[Pieces]:
    """Return the lines that say what to do with an empty archive."""
    text = "The archive is empty. "
    if not token:
        text += "Create a bot as the README says, set DISCORD_TOKEN, and then "
    text += "run `junkie backfill` to fill it." if not token else "Run `junkie backfill` to fill it."
    return [[(line, "")] for line in _wrapped([text], screen, "    ")]


def closing(archive: Archive, totals: Totals, screen: Screen) -> list[Pieces]:
    """Return the lines of the sums, the size on disk and the workers."""
    return [[(text, "")] for text in _wrapped(_sums(archive, totals), screen, "    ")]


def _sums(archive: Archive, totals: Totals) -> Iterator[str]:
    states = ", ".join(f"{totals.states[state]:,} {WORDS[state]}" for state in State if totals.states.get(state))
    if states:
        yield f"{count(totals.channels, 'channel')}, {count(totals.messages, 'message')}: {states}"
    if totals.gaps:
        left, low, high = totals.left.requests, totals.left.low_seconds, totals.left.high_seconds
        yield (
            f"To fetch: {count(totals.gaps, 'gap')}, {requests(left)} {'request' if left.high == 1 else 'requests'}, "
            f"{time_range(low, high)}; `junkie backfill` does it"
        )
    yield f"On disk: {size(archive.size)}"
    if not archive.workers:
        yield "Workers: none is alive"
    for worker in archive.workers:
        yield _worker(worker, archive.at)


def _worker(worker: Worker, at: datetime) -> str:
    began = age((at - worker.started_at).total_seconds())
    stored = age((at - worker.progress_at).total_seconds())
    return f"Worker: {worker.command} on {worker.host} (process {worker.pid}) for {began}, last got on {stored} ago"


def _wrapped(texts: Sequence[str] | Iterator[str], screen: Screen, indent: str, *, first: str = "") -> Iterator[str]:
    """Return texts as lines, each cropped should a word be longer than the screen is wide."""
    width = max(screen.width, _LEAST_WIDTH)
    for text in texts:
        safe = writable(shown(" ".join(text.split())), screen.encoding)
        for line in wrap(safe, width, initial_indent=first, subsequent_indent=indent):
            yield crop(line, width, ellipsis=screen.ellipsis)


def _date(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"
