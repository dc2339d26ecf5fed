"""The two streams: stdout carries the product (prompt, table, JSON), stderr all else.

What people on Discord wrote, channel and guild names too, is hostile: `shown` makes it safe for a terminal.
"""

import logging
import re
import sys
from typing import Final

_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")


def shown(text: str) -> str:
    """Return text without anything that moves a terminal's cursor, sets colours or reorders what people read."""
    return _UNSAFE.sub("\ufffd", text)


def error_line(message: str, hint: str = "") -> None:
    """Write an error as one line on stderr: what happened, to what, and what to do next."""
    line = f"error: {message}" + (f"; {hint}" if hint else "")
    print(shown(" ".join(line.split())), file=sys.stderr)


def note(text: str) -> None:
    """Write a line for the user on stderr."""
    print(shown(text), file=sys.stderr)


def set_up_logging(level: str) -> None:
    """Log to stderr at the level that LOG_LEVEL names; discord.py and asyncio only from WARNING on, DEBUG included."""
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S", force=True
    )
    # At DEBUG these show request headers, and with them the token.
    for noisy in ("discord", "asyncio", "aiohttp", "psycopg", "psycopg.pool"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
