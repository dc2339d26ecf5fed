"""Bars fit the terminal, whatever its size and whatever channels are called."""

import errno
import io
import re
import sys
from typing import Any
from unicodedata import category

import pytest
from rich.cells import cell_len
from rich.console import Console

from junkie_cli.cli.bars import Bars, can_draw, drawn
from junkie_cli.cli.progress import reporter
from junkie_cli.ingest.estimate import Left
from junkie_cli.ingest.events import DiscoveryBegan, Outcome, Waiting
from tests.unit.cli.runs import HOSTILE, began, ended, found, page, run_of, summary

SIZES = [(80, 24), (40, 10), (200, 60), (20, 5), (61, 7), (10, 3), (1, 1)]


def console_of(width: int = 80, height: int = 24, *, encoding: str = "utf-8", **how: Any) -> Console:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    environ = {"TERM": "xterm-256color", "COLORTERM": ""}
    values: dict[str, Any] = {"force_terminal": True, "color_system": "standard", "markup": False, "emoji": False}
    return Console(file=stream, width=width, height=height, _environ=environ, highlight=False, **(values | how))


def screen(bars: Bars, width: int, height: int) -> list[str]:
    return [line.plain for line in bars.lines(width, height)]


def bars_of(events: list[Any], *, now: float = 1.0, console: Console | None = None) -> Bars:
    bars = Bars(console or console_of(), lambda: now)
    for event in events:
        bars.note(event)
    return bars


def test_a_run_at_80_columns() -> None:
    bars = bars_of(run_of(["#general", "#dev › Save format"]))  # noqa: RUF001  Discord's sign
    bars.note(Waiting(1, "", 3.0))
    assert screen(bars, 80, 24) == [
        "#general                      ━━━━━━━━━━━━━━━       100 msgs   100/s fetching  ",
        "#dev › Save format            ━━━━━━━━━━━━━━━       100 msgs   100/s rate limit",  # noqa: RUF001
        "Total ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 0/2 channels",
        "200 messages fetched · 200/s · up to 5 s left",
    ]


def test_a_run_at_40_columns() -> None:
    bars = bars_of(run_of(["#general", "日本語のとても長いチャンネル名です"]))
    assert screen(bars, 40, 10) == [
        "#general                 100 fetching  ",
        "日本語のとても長 …       100 fetching  ",
        "Total ━━━━━━━━━━━━━━━━━━━━ 0/2 channels",
        "200 msgs · 200/s · up to 5 s left",
    ]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_no_line_is_wider_and_no_screen_taller_than_the_terminal(width: int, height: int, encoding: str) -> None:
    bars = bars_of(run_of([*HOSTILE, *HOSTILE, *HOSTILE]), console=console_of(encoding=encoding))
    lines = screen(bars, width, height)
    assert len(lines) <= max(height - 1, 1)
    for line in lines:
        assert cell_len(line) <= max(width - 1, 1)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202e\u2066]", line)
        line.encode(encoding)


def test_signs_that_some_terminals_give_a_cell_have_one() -> None:
    names = ["क्षेत्रीय हिन्दी चैनल लंबा नाम यहाँ है" * 2, "தமிழ் மொழி நீளமான பெயர் கொ" * 3, "👋🏽" * 40]
    for line in screen(bars_of(run_of(names)), 80, 24):
        assert sum(cell_len(sign) or category(sign) in {"Mc", "Sk"} for sign in line) <= 79


def test_channels_that_do_not_fit_are_counted() -> None:
    bars = bars_of(run_of([f"#{n}" for n in range(40)]))
    lines = screen(bars, 80, 24)
    assert len(lines) == 15
    assert lines[12] == "… and 28 more channels in work"
    assert screen(bars, 80, 10)[6] == "… and 34 more channels in work"
    assert len(screen(bars, 80, 10)) == 9


def test_markup_in_a_name_is_shown_as_it_is() -> None:
    bars = bars_of(run_of(["[bold red]x[/] :smile:"]))
    assert screen(bars, 80, 24)[0].startswith("[bold red]x[/] :smile: ")


def test_a_non_unicode_terminal_gets_plain_signs() -> None:
    names = ["#dev › Save format", "日本語", "a" * 100]  # noqa: RUF001  Discord's sign
    lines = screen(bars_of(run_of(names), console=console_of(encoding="ascii")), 80, 24)
    assert lines[0].startswith("#dev > Save format ")
    assert lines[1].startswith("??? ")
    assert "a... ==---" in lines[2]
    assert "=" in lines[3] or "-" in lines[3]
    assert lines[4] == "300 messages fetched - 300/s - up to 5 s left"


def test_without_colours_the_bar_shows_what_is_done() -> None:
    events = [*run_of(["#a"]), page(0, "#a", requests=5, held=500, left=Left(5, 5))]
    (line, *_) = screen(bars_of(events, console=console_of(no_color=True)), 80, 24)
    assert "━━━━━━━────────" in line


def test_discovery_and_connecting_are_told() -> None:
    bars = bars_of([])
    assert screen(bars, 80, 24) == ["Connecting…"]
    bars.note(DiscoveryBegan("a [bold]guild\x1b[2J"))
    assert screen(bars, 80, 24) == ["Looking for channels in a [bold]guild\ufffd[2J…"]


def test_nothing_fetched_yet_is_told_as_at_least() -> None:
    bars = bars_of([found(2, requests=2), began(1, "#a"), began(2, "#b")])
    assert screen(bars, 80, 24)[-1] == "0 messages fetched · 0/s · at least 1 s left"


def test_channels_that_are_done_leave_the_bars_and_are_told_above_them() -> None:
    console = console_of()
    with drawn(console) as emit:
        for event in run_of(["#a", "#b", "#[bold]c\x1b[2J", "#same"]):
            emit(event)
        emit(ended(0, "#a"))
        emit(ended(2, "#[bold]c\x1b[2J", Outcome.FAILED, reason="answered 500"))
        emit(ended(3, "#same", Outcome.UNCHANGED))
        sys.stderr.write("a line of the log\n")
        emit(summary(interrupted=True))
    text = written_to(console)
    lines = text.split("\n")
    assert "Found 4 channels to backfill" in lines[0]
    assert any("✓ Completed #a: 100/100 (100%) - Fetched 100 messages" in line for line in lines)
    assert any("✗ #[bold]c\ufffd[2J failed: answered 500" in line for line in lines)
    assert "Completed #same" not in text
    assert "a line of the log" in text
    assert "Summary: 3/3 channels successful, 0 failed" in text
    assert lines[-2].strip() == "Interrupted. Everything fetched so far is kept; run the same command again to go on."
    # The cursor is shown again, and nothing of a name got through as an escape sequence.
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
    assert "\x1b[2J" not in text


def test_a_terminal_that_is_gone_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

        def flush(self) -> None:
            raise OSError(errno.EIO, "Input/output error")

        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Gone())
    monkeypatch.setenv("TERM", "xterm-256color")
    with reporter(json=False) as emit:
        for event in [*run_of(["#a"]), ended(0, "#a"), summary()]:
            emit(event)


def written_to(console: Console) -> str:
    """Return what was written, colours aside."""
    stream = console.file
    assert isinstance(stream, io.TextIOWrapper)
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return re.sub(r"\x1b\[[0-9;]*m", "", buffer.getvalue().decode("utf-8"))


def test_only_a_terminal_that_can_move_its_cursor_is_drawn_on() -> None:
    assert can_draw(console_of())
    assert not can_draw(Console(file=io.StringIO(), _environ={"TERM": "xterm"}))
    assert not can_draw(Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}))
