"""Discord's ids, and what they say about time.

A snowflake's upper 42 bits are milliseconds since 2015-01-01 UTC (https://discord.com/developers/docs/reference#snowflakes).
They order messages; they do not promise that a lower id becomes visible first.
"""

import re
from datetime import UTC, datetime, timedelta

EPOCH_MS = 1_420_070_400_000
"""Milliseconds between the Unix epoch and Discord's."""

MAX = (1 << 63) - 1
"""The largest id that fits PostgreSQL's bigint; Discord reaches it in the year 2084."""

_AGE = re.compile(r"(\d{1,6})([smhdw])")
_AGE_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(snowflake: int) -> int:
    """Return the id's creation time in ms since 1970 UTC."""
    return (snowflake >> 22) + EPOCH_MS


def to_datetime(snowflake: int) -> datetime:
    """Return the id's creation time, exact to the millisecond, in UTC."""
    return _UNIX_EPOCH + timedelta(milliseconds=to_ms(snowflake))


def from_ms(ms: int) -> int:
    """Return the lowest id of a millisecond since 1970 UTC, at least 0 and at most MAX."""
    return min(max(ms - EPOCH_MS, 0) << 22, MAX)


def from_datetime(moment: datetime) -> int:
    """Return the lowest id of that moment's millisecond. A naive datetime is a programming error."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone names no snowflake")
    return from_ms((moment - _UNIX_EPOCH) // timedelta(milliseconds=1))


def shift_ms(snowflake: int, ms: int) -> int:
    """Return the id moved by that many ms, not below 0."""
    return max(snowflake + (ms << 22), 0)


def parse(text: str, *, now: datetime | None = None) -> int:
    """Read an id or a date, as a user types it.

    Accepted are an id (15 digits or more), an ISO date or time (without a zone: UTC), and with `now` an age such as
    `90m`, `7d`, `2w`. A date gives the lowest id of its first millisecond.

    Raises ValueError for anything else.
    """
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) >= 15:
        if (snowflake := int(text)) > MAX:
            raise ValueError(f"{text} is larger than any Discord id")
        return snowflake
    if now is not None and (age := _AGE.fullmatch(text)):
        return from_datetime(now - timedelta(**{_AGE_UNIT[age[2]]: int(age[1])}))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is neither a Discord id nor a date such as 2024-01-31") from None
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
