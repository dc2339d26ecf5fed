"""A run as NDJSON on stdout: one object an event. `docs/events.md` describes them, and a test holds it to the code."""

import asyncio
import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from json import JSONEncoder
from typing import Any, Final, TextIO, get_args, get_type_hints

from junkie_cli.cli.output import discard
from junkie_cli.errors import JunkieError
from junkie_cli.ingest.events import WIDE, Emit, Event

_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")
# ASCII only: no locale fails on it, no name can play tricks in a terminal.
_ENCODER: Final = JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(", ", ": "))


@contextmanager
def written(stream: TextIO | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Iterator[Emit]:
    """Write events to stdout, or another stream, each as soon as it happens.

    When the stream can't be written any more, its reader being gone or the disk full, the current task is cancelled, so
    that the run ends in good order: nobody would ever see how it went on. Raises JunkieError then.
    """
    writer = _Writer(sys.stdout if stream is None else stream, now)
    try:
        yield writer.emit
    finally:
        if writer.failure is not None:
            raise JunkieError(
                f"stopped, since stdout can't be written: {writer.failure.strerror}",
                hint="everything fetched so far is kept; run the same command again to go on",
            ) from writer.failure


class _Writer:
    def __init__(self, stream: TextIO | None, now: Callable[[], datetime]) -> None:
        self._stream = stream
        self._now = now
        self.failure: OSError | None = None
        self._task: asyncio.Task[Any] | None = None
        with contextlib.suppress(RuntimeError):
            self._task = asyncio.current_task()

    def emit(self, event: Event) -> None:
        # It must never raise: the error would be taken for the channel's that was being worked on.
        if self._stream is None or self.failure is not None:
            return
        try:
            self._stream.write(encode(event, self._now()) + "\n")
            self._stream.flush()
        except OSError as error:
            self.failure = error
            discard(self._stream)
            if self._task is not None:
                self._task.cancel()


def encode(event: Event, now: datetime) -> str:
    """Return an event as one line of JSON. Numbers of 64 bits, ids above all, are strings: JavaScript can't hold them."""
    name, *rest = as_fields(event).items()
    return dump(dict([name, ("time", iso(now)), *rest]))


def as_fields(event: Event) -> dict[str, Any]:
    """Return an event's name and fields, as JSON has them."""
    return {"event": event_name(type(event))} | _fields(event)


def dump(value: Any) -> str:
    """Return JSON on one line that is safe in any terminal and locale."""
    return _ENCODER.encode(value).replace("\x7f", "\\u007f")


def iso(moment: datetime) -> str:
    """Return a moment in UTC, to the millisecond: `2024-05-01T12:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_name(kind: type[Event]) -> str:
    """Return an event's name, `page_stored` for `PageStored`."""
    return _WORD.sub("_", kind.__name__).lower()


def _fields(value: Any) -> dict[str, Any]:
    kind: Any = type(value)
    wide = _wide(kind)
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: str(item) if name in wide and item is not None else _plain(item) for name, item in found.items()}


@cache
def _wide(kind: type) -> frozenset[str]:
    """Return the names of a dataclass' fields that need 64 bits."""
    hints = get_type_hints(kind, include_extras=True)
    return frozenset(name for name, hint in hints.items() if _is_wide(hint))


def _is_wide(hint: Any) -> bool:
    return WIDE in getattr(hint, "__metadata__", ()) or any(map(_is_wide, get_args(hint)))


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return str(value.value).replace(" ", "_").replace("-", "_")
    if is_dataclass(value):
        return _fields(value)
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return round(value, 3) if isinstance(value, float) else value
