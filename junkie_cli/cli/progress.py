"""How a run is reported: bars on a terminal, log lines elsewhere, NDJSON with `--json`. All three render the same events."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from junkie_cli.cli import lines, ndjson
from junkie_cli.cli.output import is_structured
from junkie_cli.ingest.events import Emit


@contextmanager
def reporter(*, json: bool, quiet: bool = False, accept_unreadable: bool = False) -> Iterator[Emit]:
    """Choose a rendering and give what takes the events. At the end a human is told what was done, and what needs them.

    `quiet` wants lines; that the log leaves out all but warnings is the caller's business.

    Raises JunkieError if NDJSON can't be written any more.
    """
    if json:
        with ndjson.written() as emit:
            yield emit
        return
    if not quiet and not is_structured() and sys.stderr is not None and sys.stderr.isatty():
        from rich.console import Console

        from junkie_cli.cli import bars

        console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        if bars.can_draw(console):
            with bars.drawn(console) as emit:
                yield emit
            return
    with lines.logged(accept_unreadable=accept_unreadable) as emit:
        yield emit
