"""Times as a prompt shows them: relative to one `now` that is passed in, absolute in one zone.

The stamps and their boundaries are the original's: below a minute, an hour, a day, seven days, and an absolute stamp from
there on. A message whose clock is ahead of `now` is `[just now]`. All arithmetic is in whole microseconds of UTC, so that
daylight saving never moves a boundary.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, cast

import pytz
from pytz.tzfile import build_tzinfo

from junkie_cli.errors import UsageError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE: Final = 60_000_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_WEEK: Final = 7 * _DAY

# strftime's names would follow the process's locale.
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_SHORT: Final = tuple(month[:3] for month in _MONTHS)
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# A day and a month in numbers would be read the wrong way round by half of the readers.
_STYLES: Final = {
    "t": "{local.hour:02d}:{local.minute:02d}",
    "T": "{local.hour:02d}:{local.minute:02d}:{local.second:02d}",
    "d": "{local.year:04d}-{local.month:02d}-{local.day:02d}",
    "D": "{local.day} {month} {local.year}",
    "f": "{local.day} {month} {local.year} {local.hour:02d}:{local.minute:02d}",
    "F": "{weekday}, {local.day} {month} {local.year} {local.hour:02d}:{local.minute:02d}",
    "s": "{local.year:04d}-{local.month:02d}-{local.day:02d} {local.hour:02d}:{local.minute:02d}",
    "S": "{local.year:04d}-{local.month:02d}-{local.day:02d} {local.hour:02d}:{local.minute:02d}:{local.second:02d}",
}
_TWO_DIGITS: Final = tuple(f"{number:02d}" for number in range(60))
_ZONE_NAME: Final = re.compile(r"[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_-]+){1,2}")
_UNITS: Final = (
    ("year", 365 * 86_400),
    ("month", 30 * 86_400),
    ("day", 86_400),
    ("hour", 3_600),
    ("minute", 60),
    ("second", 1),
)


def find_zone(name: str) -> tzinfo:
    """Return pytz's zone of that name, e.g. `Asia/Kolkata`.

    Raises UsageError if there is no such zone.
    """
    if (zone := _zone_in(name)) is not None:
        return zone
    try:
        return pytz.timezone(name)
    except pytz.UnknownTimeZoneError:
        raise UsageError(
            f"'{name[:60]}' is no time zone",
            hint="use a name of the tz database such as Asia/Kolkata, Europe/Berlin or UTC",
        ) from None


def _zone_in(name: str) -> tzinfo | None:
    """Return the zone in pytz's file of exactly that name. `pytz.timezone` opens all of its 600 files before the one."""
    if _ZONE_NAME.fullmatch(name) is None:
        return None
    try:
        with pytz.open_resource(name) as file:  # type: ignore[attr-defined]  # it is documented, but not in the stubs
            return cast("tzinfo", build_tzinfo(name, file))
    except (OSError, ValueError):
        return None


class Clock:
    """One prompt's notion of time: `now` (aware) and the zone of absolute times."""

    def __init__(self, now: datetime, zone: tzinfo) -> None:
        if now.tzinfo is None:
            raise ValueError("a prompt's time needs a time zone")
        self.now = now.astimezone(UTC)
        self.zone = zone
        self._now_us = (self.now - _EPOCH) // timedelta(microseconds=1)
        # Converting each time by pytz would take longer than all else that is done to a plain message.
        self._days: dict[int, str] = {}
        self._offsets: dict[int, int] = {}

    def stamp(self, ms: int) -> str:
        """Return a message's stamp, brackets included, from its creation time in ms since 1970 UTC."""
        age = self._now_us - ms * 1000
        if age < _MINUTE:
            return "[just now]"
        if age < _HOUR:
            return f"[{age // _MINUTE}m ago]"
        if age < _DAY:
            return f"[{age // _HOUR}h ago]"
        if age < _WEEK:
            return f"[{age // _DAY}d ago]"
        minute = ms // 60_000
        offset = self._offsets.get(minute // 1440)
        local_day, local_minute = divmod(minute + (self._offset(minute) if offset is None else offset), 1440)
        day = self._days.get(local_day) or self._day(local_day)
        return f"{day}{_TWO_DIGITS[local_minute // 60]}:{_TWO_DIGITS[local_minute % 60]}]"

    def current(self) -> str:
        """Return `now` for the header, in UTC."""
        return f"{self.now:%Y-%m-%d %H:%M:%S} UTC"

    def absolute(self, ms: int) -> str:
        """Return a time in full, in the prompt's zone, to the second: `2026-03-04 21:00:00`."""
        local = self._local(ms // 1000)
        return f"{local:%Y-%m-%d %H:%M:%S}" if local else "an unknown time"

    def is_past(self, ms: int) -> bool:
        """Return whether that time, in ms since 1970 UTC, has been reached."""
        return ms * 1000 <= self._now_us

    def markup(self, unix: int, style: str) -> str | None:
        """Return what people see of `<t:unix:style>`, in the prompt's zone; None where Discord shows the markup itself.

        The styles are Discord's (docs, "Message Formatting: Timestamp Styles"), in a form of no locale.
        """
        local = self._local(unix)
        if local is None:
            return None
        if style == "R":
            return self._relative(unix)
        form = _STYLES.get(style, _STYLES["f"])
        return form.format(local=local, weekday=_WEEKDAYS[local.weekday()], month=_MONTHS[local.month - 1])

    def _offset(self, minute: int) -> int:
        """Return the zone's offset from UTC in minutes, kept for the day if it is the same at the day's both ends."""
        day = minute // 1440
        start, end = self._utc_offset(day * 1440), self._utc_offset((day + 1) * 1440)
        if start == end:
            self._offsets[day] = start
            return start
        return self._utc_offset(minute)

    def _utc_offset(self, minute: int) -> int:
        # Whole minutes: Discord is younger than the last zone that had an offset with seconds.
        offset = datetime.fromtimestamp(minute * 60, self.zone).utcoffset()
        assert offset is not None
        return offset // timedelta(minutes=1)

    def _day(self, local_day: int) -> str:
        date = _EPOCH + timedelta(days=local_day)
        self._days[local_day] = f"[{_SHORT[date.month - 1]} {date.day:02d}, "
        return self._days[local_day]

    def _local(self, unix: int) -> datetime | None:
        try:
            return datetime.fromtimestamp(unix, self.zone)
        except (ValueError, OverflowError, OSError):
            return None

    def _relative(self, unix: int) -> str:
        distance = unix - self._now_us // 1_000_000
        for unit, seconds in _UNITS:
            if count := abs(distance) // seconds:
                counted = f"{count} {unit}" if count == 1 else f"{count} {unit}s"
                return f"in {counted}" if distance > 0 else f"{counted} ago"
        return "now"
