"""A run as bars at the bottom of a terminal: one for each channel in work, as many as fit, and one for the whole.

Channels that are done leave the bars and are told in a line above them. Names come from Discord and are hostile: they are
cropped by display width, and go through `rich.text.Text`, never through markup.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from junkie_cli.cli.board import Board, Row
from junkie_cli.cli.cells import crop, fit
from junkie_cli.cli.closing import Closing
from junkie_cli.cli.figures import count, time_range
from junkie_cli.cli.lines import another, ending
from junkie_cli.cli.output import discard, drawing, shown, speaks_unicode, writable
from junkie_cli.ingest.events import AnotherRuns, ChannelEnded, ChannelsFound, Emit, Event, Summary

REFRESH_PER_SECOND: Final = 8
MOST_ROWS: Final = 12
"""Channels shown at once, however tall the terminal is: more are not read, and what is above them is."""

_FOOTER: Final = 3
"""Lines below the channels: how many more, the whole, and the figures."""

_COUNT: Final = 14  # "1,234,567 msgs"
_RATE: Final = 7
_STATE: Final = 10  # "rate limit"
_NAME: Final = 40
_BAR: Final = 30


class Enduring:
    """A terminal that may go away, as when its window is closed: then nobody is told any more, and the work goes on."""

    def __init__(self, terminal: IO[str]) -> None:
        self._terminal = terminal

    def write(self, text: str) -> int:
        """Write to the terminal if there is one."""
        try:
            self._terminal.write(text)
        except OSError:
            discard(self._terminal)
        return len(text)

    def flush(self) -> None:
        """Send what was written."""
        try:
            self._terminal.flush()
        except OSError:
            discard(self._terminal)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._terminal, name)


def can_draw(console: Console) -> bool:
    """Say whether the console is a terminal that can move its cursor."""
    return console.is_terminal and console.is_interactive and not console.is_dumb_terminal


@contextmanager
def drawn(console: Console, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Emit]:
    """Draw events as bars until the run's end, then leave what matters as lines."""
    bars = Bars(console, clock)
    closing = Closing()
    live = Live(
        bars,
        console=console,
        refresh_per_second=REFRESH_PER_SECOND,
        transient=True,
        # stdout is the product's; stderr has the log, whose lines go above the bars.
        redirect_stdout=False,
        redirect_stderr=True,
    )

    def emit(event: Event) -> None:
        closing.note(event)
        bars.note(event)
        if isinstance(event, Summary):
            live.stop()
            for _, text in closing.lines(event):
                bars.say(text)
        elif isinstance(event, ChannelsFound):
            bars.say(f"Found {event.channels} channels to {event.work}")
        elif isinstance(event, AnotherRuns):
            bars.say(another(event))
        elif isinstance(event, ChannelEnded) and ending(event).level >= logging.INFO:
            bars.say(ending(event).text)

    with live, drawing(live.stop):
        yield emit


class Bars:
    """Draws a board. Events come from one thread while another draws."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.Lock()
        self._board = Board(clock())
        self._unicode = speaks_unicode(console.file)
        self._ellipsis = "…" if self._unicode else "..."

    def note(self, event: Event) -> None:
        """Take an event into account."""
        with self._lock:
            self._board.note(event, self._clock())

    def say(self, line: str) -> None:
        """Leave a line above the bars."""
        line = self._in_words(shown(line))
        style = {"✓": "green", "✗": "red"}.get(line[:1], "")
        text = Text(line)
        text.stylize(style, 0, 1)
        self._console.print(text, soft_wrap=True)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the board into the size that the terminal has now."""
        with self._lock:
            lines = self.lines(options.max_width, options.size.height)
        for line in lines:
            line.no_wrap, line.overflow = True, "crop"
            yield line

    def lines(self, width: int, height: int) -> list[Text]:
        """Return the lines to show in a terminal of that size; each is narrower, and they are fewer."""
        now = self._clock()
        # A terminal that writes into its last column may wrap, and what it thinks of a character's width may differ.
        width = max(width - 1, 1)
        board = self._board
        if board.looking_at is not None:
            where = f"Looking for channels in {board.looking_at}" if board.looking_at else "Connecting"
            return [Text(self._crop(where + self._ellipsis, width), style="dim")]
        room = height - 1
        rows = board.visible(max(min(room - _FOOTER, MOST_ROWS), 0), now)
        lines = [self._channel(row, width, now) for row in rows]
        if (hidden := len(board.rows) - len(rows)) and room >= _FOOTER:
            more = f"{self._ellipsis} and {count(hidden, 'more channel')} in work"
            lines.append(Text(self._crop(more, width), style="dim"))
        footer = [self._whole(width, now), self._figures(width, now)]
        return (lines + footer)[-max(room, 1) :]

    def _channel(self, row: Row, width: int, now: float) -> Text:
        """Return a channel's line. What matters least goes first as the terminal gets narrower."""
        state, style = ("rate limit", "yellow") if row.waits(now) else ("fetching", "")
        columns: list[tuple[str, str]] = []
        room = width
        if width >= 30:
            columns.insert(0, (state.ljust(_STATE), style))
            room -= _STATE + 1
        if width >= 55:
            columns.insert(0, (f"{row.meter.rate(now):,.0f}/s".rjust(_RATE), ""))
            room -= _RATE + 1
        messages = f"{row.held:,} msgs".rjust(_COUNT) if width >= 45 else f"{row.held:,}".rjust(_COUNT - 5)
        columns.insert(0, (messages, ""))
        room -= len(messages) + 1
        bar = min(room // 3, _BAR) if room >= 24 else 0
        name = max(min(room - bar - bool(bar), _NAME), 1)
        text = Text(self._fit(row.name, name))
        if bar:
            text.append(" ").append_text(self._bar(row.fraction, bar))
        for column, style in columns:
            text.append(" ").append(column, style=style)
        return text

    def _whole(self, width: int, now: float) -> Text:
        board = self._board
        done = f"{board.ended:,}/{board.channels:,} channels"
        bar = min(width - len("Total ") - len(done) - 1, _NAME + _BAR)
        if bar < 4:
            return Text(self._crop(f"Total {done}", width))
        return Text("Total ").append_text(self._bar(board.fraction(now), bar)).append(f" {done}")

    def _figures(self, width: int, now: float) -> Text:
        board = self._board
        fetched = f"{count(board.fetched, 'message')} fetched" if width >= 55 else f"{board.fetched:,} msgs"
        figures = [fetched, f"{board.meter.rate(now):,.0f}/s"]
        left = board.left(now)
        if left.requests.high != 0:
            figures.append(f"{time_range(left.low_seconds, left.high_seconds)} left")
        return Text(self._crop(" · ".join(figures), width))

    def _bar(self, fraction: float, width: int) -> Text:
        # Where colours can't tell what is done from what is not, the signs must.
        coloured = self._console.color_system is not None and not self._console.no_color
        full, empty = ("━", "━") if self._unicode and coloured else ("━", "─")
        done = int(min(max(fraction, 0.0), 1.0) * width)
        bar = Text(self._in_words(full * done), style="cyan")
        return bar.append(self._in_words(empty * (width - done)), style="bright_black")

    def _in_words(self, text: str) -> str:
        return writable(text, self._console.encoding)

    def _fit(self, text: str, width: int) -> str:
        return fit(self._in_words(shown(text)), width, ellipsis=self._ellipsis)

    def _crop(self, text: str, width: int) -> str:
        return crop(self._in_words(shown(text)), width, ellipsis=self._ellipsis)
