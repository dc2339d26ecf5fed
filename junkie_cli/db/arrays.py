"""Lists as PostgreSQL's array literals, for the statements that write messages.

psycopg builds arrays element by element in Python; for pages of a hundred messages in ten columns that costs more than
the insert. Joining strings is several times quicker, and the casts in the queries give the elements their types.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

_BETWEEN: Final = "\x00"
"""Stands between texts while they are quoted at one go: PostgreSQL's text has no NUL."""


def integers(values: Iterable[int | None]) -> str:
    """Return a literal for a bigint[] or integer[]."""
    literal = "{" + ",".join(map(str, values)) + "}"
    return literal.replace("None", "NULL") if "N" in literal else literal


def booleans(values: Iterable[bool]) -> str:
    """Return a literal for a boolean[]."""
    return "{" + ",".join(["t" if value else "f" for value in values]) + "}"


def texts(values: Iterable[str | None]) -> str:
    """Return a literal for a text[]. Raises ValueError for a text with a NUL, which no database takes."""
    values = list(values)
    held = [value for value in values if value is not None]
    joined = _BETWEEN.join(held)
    if joined.count(_BETWEEN) != max(len(held) - 1, 0):
        raise ValueError("a text that was not escaped")
    quoted = _quoted(joined).split(_BETWEEN)
    if len(held) < len(values):
        rest = iter(quoted)
        return "{" + ",".join(["NULL" if value is None else f'"{next(rest)}"' for value in values]) + "}"
    return '{"' + '","'.join(quoted) + '"}' if held else "{}"


def timestamps(values: Iterable[datetime | None]) -> str:
    """Return a literal for a timestamptz[]."""
    return "{" + ",".join(["NULL" if value is None else f'"{value.isoformat()}"' for value in values]) + "}"


def _quoted(text: str) -> str:
    # Within the quotes only these two have a meaning (PostgreSQL docs, "Array Input and Output Syntax").
    return text.replace("\\", "\\\\").replace('"', '\\"')
