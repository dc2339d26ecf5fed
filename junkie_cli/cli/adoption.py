"""How an adoption is reported: a bar on a terminal, log lines elsewhere, and what became of the rows at its end."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from junkie_cli.cli.figures import count, percent
from junkie_cli.cli.ndjson import dump
from junkie_cli.cli.output import is_structured

if TYPE_CHECKING:
    from rich.console import Console

    from junkie_cli.db.adopt import Adoption

log: Final = logging.getLogger("junkie")

Report = Callable[["Adoption"], None]


@contextmanager
def reporter() -> Iterator[Report]:
    """Choose a rendering and give what takes the states of an adoption."""
    if sys.stderr is not None and sys.stderr.isatty() and not is_structured():
        from rich.console import Console

        from junkie_cli.cli import bars

        console = Console(stderr=True, highlight=False, markup=False, emoji=False)
        if bars.can_draw(console):
            with drawn(console) as report:
                yield report
            return
    yield logged()


@contextmanager
def drawn(console: "Console") -> Iterator[Report]:
    """Draw a bar, which is gone at the end."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Adopting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=None)

        def report(state: "Adoption") -> None:
            progress.update(task, completed=state.done, total=max(state.total, state.done))

        yield report


def logged() -> Report:
    """Log the beginning, and a line whenever another tenth is done."""
    last: int | None = None

    def report(state: "Adoption") -> None:
        nonlocal last
        tenth = percent(state.done, state.total) // 10
        if last is None:
            verb = "Going on with" if state.resumed else "Adopting"
            log.info("%s %s of schema '%s'", verb, count(state.total, "row"), state.schema[:80])
        elif tenth > last:
            log.info("%s of %s (%d%%)", f"{state.done:,}", count(state.total, "row"), percent(state.done, state.total))
        last = tenth

    return report


def closing(state: "Adoption") -> list[str]:
    """Return the lines that say what became of the rows."""
    lines = [f"adopted {state.adopted:,} of {count(state.done, 'row')} of schema '{state.schema[:80]}'"]
    left_out = (
        (state.held, "in the archive already"),
        (state.deleted, "deleted: the archive knows that, or infers it"),
        (state.forgotten, "kept out by a rule of `junkie forget`"),
        (state.absent, "not on Discord any more, where the archive is complete"),
        (state.bad_message_id, "with a message_id that is no Discord id"),
        (state.bad_channel_id, "with a channel_id that is no Discord id"),
        (state.bad_author_id, "with an author_id that is no Discord id"),
    )
    lines += [f"  left out: {number:,} {reason}" for number, reason in left_out if number]
    if state.adopted:
        lines.append(
            "run `junkie backfill` to have Discord's own word for them, and all that the older bot did not store"
        )
    return lines


def as_json(state: "Adoption") -> str:
    """Return the same as one line of JSON."""
    return dump(
        {
            "schema": state.schema,
            "resumed": state.resumed,
            "rows": state.done,
            "adopted": state.adopted,
            "left_out": {
                "held": state.held,
                "deleted": state.deleted,
                "forgotten": state.forgotten,
                "absent": state.absent,
                "bad_message_id": state.bad_message_id,
                "bad_channel_id": state.bad_channel_id,
                "bad_author_id": state.bad_author_id,
            },
        }
    )
