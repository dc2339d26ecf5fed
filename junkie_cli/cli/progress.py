"""How a run is reported: bars on a terminal, log lines elsewhere, NDJSON with `--json`. All three render the same events."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from junkie_cli.cli import lines, ndjson
from junkie_cli.cli.closing import RESUME
from junkie_cli.cli.output import is_structured, note
from junkie_cli.ingest.events import Emit, Event, Summary


@contextmanager
def reporter(
    *, json: bool, quiet: bool = False, accept_unreadable: bool = False, resumable: bool = True
) -> Iterator[Emit]:
    """Choose a rendering and give what takes the events. At the end a human is told what was done, and what needs them.

    `quiet` wants lines; that the log leaves out all but warnings is the caller's business. `resumable`: who interrupts
    it before there is a summary is told how to go on.

    Raises JunkieError if NDJSON can't be written any more.
    """
    summed_up = False

    def listen(event: Event) -> None:
        nonlocal summed_up
        summed_up = summed_up or isinstance(event, Summary)
        emit(event)

    try:
        with _rendering(json=json, quiet=quiet, accept_unreadable=accept_unreadable) as emit:
            yield listen
    except asyncio.CancelledError:
        if resumable and not summed_up:
            note(RESUME)
        raise


@contextmanager
def _rendering(*, json: bool, quiet: bool, accept_unreadable: bool) -> Iterator[Emit]:
    if json:
        with ndjson.written() as emit:
            yield emit
        return
    if not quiet and not is_structured() and sys.stderr is not None and sys.stderr.isatty():
        from rich.console import Console

        from junkie_cli.cli import bars

        terminal = cast("IO[str]", bars.Enduring(sys.stderr))
        console = Console(file=terminal, highlight=False, markup=False, emoji=False)
        if bars.can_draw(console):
            with bars.drawn(console) as emit:
                yield emit
            return
    with lines.logged(accept_unreadable=accept_unreadable) as emit:
        yield emit
