"""Lists as PostgreSQL's array literals, for the statements that write messages.

psycopg builds arrays element by element in Python; for pages of a hundred messages in ten columns that costs more than
the insert. Joining strings is several times quicker, and the casts in the queries give the elements their types.
"""

from collections.abc import Iterable
from datetime import datetime


def integers(values: Iterable[int | None]) -> str:
    """Return a literal for a bigint[] or integer[]."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def booleans(values: Iterable[bool]) -> str:
    """Return a literal for a boolean[]."""
    return "{" + ",".join(["t" if value else "f" for value in values]) + "}"


def texts(values: Iterable[str | None]) -> str:
    """Return a literal for a text[]."""
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def timestamps(values: Iterable[datetime | None]) -> str:
    """Return a literal for a timestamptz[]."""
    return "{" + ",".join(["NULL" if value is None else f'"{value.isoformat()}"' for value in values]) + "}"


def _quoted(text: str) -> str:
    # Within the quotes only these two have a meaning (PostgreSQL docs, "Array Input and Output Syntax").
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
