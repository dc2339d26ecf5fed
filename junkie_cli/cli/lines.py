"""A run as log lines, each event in at most one: what a cron job's mail or a container's log shows."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from junkie_cli.cli.closing import Closing
from junkie_cli.cli.figures import duration, percent
from junkie_cli.cli.output import is_structured, shown
from junkie_cli.ingest import events
from junkie_cli.ingest.events import ChannelEnded, Emit, Event, Outcome, Summary

log: Final = logging.getLogger("junkie")


class Line(NamedTuple):
    """A line and how much it matters, in the levels of `logging`."""

    level: int
    text: str


@contextmanager
def logged(*, accept_unreadable: bool = False) -> Iterator[Emit]:
    """Log events, and a closing word at the end of the run."""
    closing = Closing(accept_unreadable=accept_unreadable)

    def emit(event: Event) -> None:
        closing.note(event)
        if isinstance(event, Summary):
            # What is told in several lines has its figures beside the first.
            fields: dict[str, Any] | None = _fields(event)
            for level, text in closing.lines(event):
                log.log(level, "%s", text, extra={"fields": fields or {}})
                fields = None
        elif (line := line_of(event)) is not None and log.isEnabledFor(line.level):
            log.log(line.level, "%s", line.text, extra={"fields": _fields(event)})

    yield emit


def _fields(event: Event) -> dict[str, Any]:
    """Return an event's own fields, where machines read the log."""
    if not is_structured():
        return {}
    from junkie_cli.cli.ndjson import as_fields

    return as_fields(event)


def line_of(event: Event) -> Line | None:  # noqa: C901, PLR0911  one case and return for each kind of event
    """Return the line for an event, None where there is nothing to say.

    Where the target is "all", the number known so far stands for it.
    """
    match event:
        case events.DiscoveryBegan(guild):
            return Line(logging.INFO, f"Looking for channels in {shown(guild)}" if guild else "Looking for channels")
        case events.ChannelsFound(channels=channels, work=work):
            return Line(logging.INFO, f"Found {channels} channels to {work}")
        case events.AnotherRuns(stalled=stalled):
            return Line(logging.WARNING if stalled else logging.INFO, another(event))
        case events.CatchUpBegan(_, name, after):
            return Line(logging.INFO, f"↑ Catching up {shown(name)} (after ID {after})")
        case events.InitialFetchBegan(_, name):
            return Line(logging.INFO, f"⚡ No existing data for {shown(name)}. Performing initial fetch...")
        case events.IterationBegan(_, name, number, current, target):
            target = current if target is None else target
            need = max(target - current, 0)
            return Line(logging.INFO, f"↓ {shown(name)} iteration {number}: {current}/{target} (need {need} more)")
        case events.IterationEnded(current=current, target=target):
            return Line(logging.INFO, f"✓ Progress: {_of(current, target)}")
        case events.PageStored():
            changes = f"{event.new} new, {event.edited} edited, {event.deleted} deleted"
            return Line(logging.DEBUG, f"{shown(event.name)}: stored a page of {event.fetched}: {changes}")
        case events.Waiting(_, name, seconds):
            return Line(logging.DEBUG, f"{shown(name)}: its rate limit allows the next request in {seconds:.1f} s")
        case ChannelEnded():
            return ending(event)
        case _:
            return None


def ending(end: ChannelEnded) -> Line:
    """Return the line for a channel whose work is over."""
    name, level = shown(end.name), logging.INFO
    fetched = f"Fetched {end.fetched} messages"
    match end.outcome:
        case Outcome.COMPLETE | Outcome.TARGET_MET | Outcome.UNCHANGED:
            text = f"✓ Completed {name}: {_of(end.held, end.target)} - {fetched}"
            if end.outcome is Outcome.UNCHANGED:
                # A server has thousands of them, and there is nothing to tell.
                level = logging.DEBUG
        case Outcome.PARTIAL:
            held = f"{end.held} messages held" if end.target is None else _of(end.held, end.target)
            text = f"↓ Stopped {name}: {held}, older ones remain - {fetched}"
        case Outcome.SYNCED:
            text = f"✓ Synced {name}: {end.new:,} new, {end.edited:,} edited, {end.deleted:,} deleted"
            if not (end.new or end.edited or end.deleted):
                level = logging.DEBUG
        case Outcome.BUSY:
            text = f"✗ {name} was left out: another command works on it"
        case Outcome.GONE:
            text = f"✗ {name} no longer exists on Discord; what is archived of it is kept"
        case Outcome.UNREADABLE:
            # What needs a person is told once more at the end, and then it is a warning.
            text = f"✗ {name} can't be read: {shown(end.reason)}"
        case Outcome.FAILED:
            text = f"✗ {name} failed: {shown(end.reason)}"
    return Line(level, text)


def another(event: events.AnotherRuns) -> str:
    """Return the line for a run that gives way to another one."""
    ago = duration(event.idle)
    if event.stalled:
        return f"✗ Another one runs and has made no progress for {ago}; see what holds it up, or end it"
    return f"Another one runs, and last got on {ago} ago: nothing is left to do here"


def _of(current: int, target: int | None) -> str:
    target = current if target is None else target
    return f"{current}/{target} ({percent(current, target)}%)"
