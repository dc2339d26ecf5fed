"""The two streams: stdout carries the product (prompt, table, JSON), stderr all else.

What people on Discord wrote, channel and guild names too, is hostile: `shown` makes it safe for a terminal. Where a stream
can't take Unicode, `writable` says it in what it can.
"""

import contextlib
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Final

from junkie_cli.errors import JunkieError
from junkie_cli.values import masked

# Controls, invisible characters, and what embeds or overrides a direction. U+200C and U+200D stay: scripts and emoji
# need them, and they do no harm.
_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff0-\ufffb"
    "\U000e0000-\U000e0fff]"
)

_PLAIN: Final = {
    "✓": "OK",
    "✗": "X",
    "↑": "^",
    "↓": "v",
    "⚡": "*",
    "…": "...",
    "›": ">",  # noqa: RUF001  the sign that Discord itself shows
    "–": "-",  # noqa: RUF001  a range's dash
    "·": "-",
    "≥": ">=",
    "→": "->",
    "━": "=",
    "─": "-",
    "\ufffd": "?",
}
_TO_PLAIN: Final = str.maketrans(_PLAIN)

_drawings: Final[list[Callable[[], object]]] = []


def shown(text: str) -> str:
    """Return text without anything that moves a terminal's cursor, sets colours or reorders what people read."""
    return _UNSAFE.sub("\ufffd", text)


def writable(text: str, encoding: str | None) -> str:
    """Return text that can be written in that encoding (None: any), with plain signs for those that it lacks."""
    try:
        text.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return text.translate(_TO_PLAIN).encode(encoding or "utf-8", "replace").decode(encoding or "utf-8")
    return text


def speaks_unicode(stream: IO[str]) -> bool:
    """Say whether the signs of our own can be written to the stream."""
    signs = "".join(_PLAIN)
    return writable(signs, getattr(stream, "encoding", None)) == signs


def error_line(message: str, hint: str = "", *, code: int = 1) -> None:
    """Write an error as one line on stderr: what happened, to what, and what to do next. `code` is the exit code."""
    if handler := _structured():
        fields = {"hint": hint, "exit_code": code}
        handler.say(logging.ERROR, message, {name: value for name, value in fields.items() if value})
        return
    line = f"error: {message}" + (f"; {hint}" if hint else "")
    note(" ".join(line.split()))


def note(text: str) -> None:
    """Write a line for the user on stderr."""
    if handler := _structured():
        handler.say(logging.INFO, text, {})
        return
    # It may have been closed when we were started.
    if sys.stderr is None:
        return
    # Whoever read it is gone: there is nobody left to tell, and the work goes on.
    with contextlib.suppress(OSError):
        sys.stderr.write(writable(shown(masked(text)), sys.stderr.encoding) + "\n")
        sys.stderr.flush()


def product(text: str) -> None:
    """Write what was asked for to stdout, as a line or several. Raises JunkieError if it can't be written.

    Whoever read it may have seen enough and be gone: that is no error, and the command goes on to its end unheard.
    """
    painted("\n".join(shown(line) for line in text.split("\n")))


def painted(text: str) -> None:
    """Write to stdout, as `product` does, what holds colours of our own; all else in it must have been made safe."""
    if sys.stdout is None:
        return
    with writing():
        sys.stdout.write("\n".join(writable(line, sys.stdout.encoding) for line in text.split("\n")) + "\n")
        sys.stdout.flush()


@contextlib.contextmanager
def writing() -> Iterator[None]:
    """Write to stdout in the block. Raises JunkieError if it can't be written; that its reader has gone is no error."""
    try:
        yield
    except BrokenPipeError:
        discard(sys.stdout)
    except OSError as error:
        discard(sys.stdout)
        raise JunkieError(
            f"can't write to stdout: {error.strerror}", hint="see where it leads, and try again"
        ) from error


def discard(stream: IO[str]) -> None:
    """Let what the stream still buffers, and all that follows, go nowhere: Python would fail over it once more at exit."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def drawing(wipe: Callable[[], object]) -> Iterator[None]:
    """Draw on the terminal in the block. Should the process end within it, `wipe` puts the terminal in order."""
    _drawings.append(wipe)
    try:
        yield
    finally:
        _drawings.remove(wipe)


def wipe_drawings() -> None:
    """Put the terminal in order for a process that ends at once."""
    for wipe in _drawings:
        with contextlib.suppress(Exception):
            wipe()


def is_structured() -> bool:
    """Say whether stderr is read by machines: one JSON object a line, and nothing else."""
    return _structured() is not None


def set_up_logging(level: str, form: str = "text") -> None:
    """Log to stderr at the level that LOG_LEVEL names, in the form that JUNKIE_LOG_FORMAT names.

    What other packages log shows only from WARNING on, DEBUG included.
    """
    handler = _StderrHandler()
    if form == "json":
        from junkie_cli.cli.jsonlog import JsonFormatter

        handler.structured = True
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(_Formatter("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S"))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # At DEBUG these show request headers, and with them the token.
    for noisy in ("discord", "asyncio", "aiohttp", "psycopg", "psycopg.pool"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class _StderrHandler(logging.Handler):
    """Writes to what is stderr at the moment: while bars are drawn, lines go above them."""

    structured = False

    def say(self, level: int, message: str, fields: Mapping[str, Any]) -> None:
        """Write what is no log record, but a word to the user, as if it were one: whatever LOG_LEVEL is."""
        record = {"name": "junkie", "levelno": level, "levelname": logging.getLevelName(level), "msg": message}
        self.emit(logging.makeLogRecord(record | {"fields": fields}))

    def emit(self, record: logging.LogRecord) -> None:
        # With nobody to read it, a log is no reason to fail.
        if sys.stderr is not None:
            with contextlib.suppress(OSError):
                sys.stderr.write(writable(self.format(record), sys.stderr.encoding) + "\n")
                sys.stderr.flush()


def _structured() -> _StderrHandler | None:
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _StderrHandler) and handler.structured:
            return handler
    return None


class _Formatter(logging.Formatter):
    """Makes a record safe to show: its message is one line, and a traceback's lines hold no controls."""

    def format(self, record: logging.LogRecord) -> str:
        head, *rest = masked(super().format(record)).split("\n")
        if record.exc_info or record.stack_info:
            return "\n".join(shown(line) for line in (head, *rest))
        return shown(" ".join((head, *(line.strip() for line in rest))))
