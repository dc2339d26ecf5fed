"""Numbers and times in words."""

from math import ceil, floor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from junkie_cli.ingest.estimate import Left

_MINUTE = 60
_HOUR = 3600
_DAY = 86_400
_UNITS = ((120, 1, "s"), (120 * _MINUTE, _MINUTE, "min"), (48 * _HOUR, _HOUR, "h"))


def percent(count: int, target: int) -> int:
    """Return how much of the target is reached, from 0 to 100."""
    return 100 if target <= 0 else min(100 * count // target, 100)


def count(number: int, one: str, several: str = "") -> str:
    """Return a number and what it counts."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def requests(left: "Left") -> str:
    """Return a number of requests as a range: `12`, `12 to 40` with a dash, `at least 12`."""
    if left.high is None:
        return f"at least {left.low:,}"
    return f"{left.low:,}" if left.low == left.high else f"{left.low:,}–{left.high:,}"  # noqa: RUF001  a range's dash


def time_range(low: float, high: float | None) -> str:
    """Return a time as a range, low rounded down and high rounded up: `3 to 8 min` with a dash, `up to 5 s`, `at least 2 h`."""
    size, unit = _unit(low)
    least = floor(low / size)
    if high is None:
        return f"at least {max(least, 1):,} {unit}"
    high_size, high_unit = _unit(high)
    most = max(ceil(high / high_size), 1)
    if unit != high_unit and low >= high_size:
        size, unit, least = high_size, high_unit, floor(low / high_size)
    if least == 0:
        return f"up to {most:,} {high_unit}"
    if unit != high_unit:
        return f"{least:,} {unit}–{most:,} {high_unit}"  # noqa: RUF001  a range's dash
    return f"{most:,} {unit}" if least >= most else f"{least:,}–{most:,} {unit}"  # noqa: RUF001  a range's dash


def duration(seconds: float) -> str:
    """Return how long something took: `8.4 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR:,} h {whole % _HOUR // _MINUTE} min"


def _unit(seconds: float) -> tuple[int, str]:
    for below, size, unit in _UNITS:
        if seconds < below:
            return size, unit
    return _DAY, "days"


def size(number: int) -> str:
    """Return a number of bytes: `512 B`, `12.3 MB`, in powers of 1000."""
    value, unit = float(number), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 999.95:
            break
        value, unit = value / 1000, larger
    return f"{number} B" if unit == "B" else f"{value:,.1f} {unit}"


def age(seconds: float) -> str:
    """Return how long ago something was, in at most four cells: `45s`, `12m`, `47h`, `99d`, `23mo`, `3y`; what is ahead is `0s`."""
    for unit, length, below in _AGES:
        if seconds < below * length:
            return f"{max(int(seconds // length), 0)}{unit}"
    return f"{int(seconds // _YEAR)}y"


_YEAR = 365.25 * _DAY
_AGES = (("s", 1, 60), ("m", _MINUTE, 60), ("h", _HOUR, 48), ("d", _DAY, 100), ("mo", _YEAR / 12, 24))
