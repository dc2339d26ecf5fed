from datetime import UTC, datetime, timedelta

import pytest
import pytz
from hypothesis import given
from hypothesis import strategies as st

from junkie_cli.errors import UsageError
from junkie_cli.prompt.timestamps import Clock, find_zone
from tests.unit.prompt.samples import NOW, clock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ms(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def original_stamp(created: datetime, now: datetime, zone: str) -> str:
    """Compute a stamp as the original's documentation has it."""
    created, now = created.astimezone(pytz.timezone(zone)), now.astimezone(pytz.timezone(zone))
    age = now - created
    if age < timedelta(minutes=1):
        return "[just now]"
    if age < timedelta(hours=1):
        return f"[{int(age.total_seconds() / 60)}m ago]"
    if age < timedelta(days=1):
        return f"[{int(age.total_seconds() / 3600)}h ago]"
    if age < timedelta(days=7):
        return f"[{age.days}d ago]"
    return f"[{created.strftime('%b %d, %H:%M')}]"


@pytest.mark.parametrize(
    ("age", "stamp"),
    [
        (timedelta(), "[just now]"),
        (timedelta(seconds=59), "[just now]"),
        (timedelta(seconds=59, milliseconds=999), "[just now]"),
        (timedelta(seconds=60), "[1m ago]"),
        (timedelta(minutes=5), "[5m ago]"),
        (timedelta(minutes=59), "[59m ago]"),
        (timedelta(minutes=59, seconds=59, milliseconds=999), "[59m ago]"),
        (timedelta(minutes=60), "[1h ago]"),
        (timedelta(hours=23, minutes=59), "[23h ago]"),
        (timedelta(hours=24, milliseconds=-1), "[23h ago]"),
        (timedelta(hours=24), "[1d ago]"),
        (timedelta(days=6, hours=23), "[6d ago]"),
        (timedelta(days=7, milliseconds=-1), "[6d ago]"),
        (timedelta(days=7), "[Feb 25, 21:00]"),
        (timedelta(days=48, hours=6, minutes=30), "[Jan 15, 14:30]"),
        (timedelta(days=48, hours=7, minutes=35), "[Jan 15, 13:25]"),
    ],
)
def test_the_originals_boundaries(age: timedelta, stamp: str) -> None:
    assert clock().stamp(ms(NOW - age)) == stamp


@pytest.mark.parametrize("ahead", [timedelta(milliseconds=1), timedelta(seconds=90), timedelta(days=400)])
def test_a_message_whose_clock_is_ahead(ahead: timedelta) -> None:
    assert clock().stamp(ms(NOW + ahead)) == "[just now]"


@pytest.mark.parametrize(
    ("moment", "zone", "stamp"),
    [
        # New York sprang forward at 07:00 UTC, Berlin fell back at 01:00 UTC.
        (datetime(2025, 3, 9, 6, 59, tzinfo=UTC), "America/New_York", "[Mar 09, 01:59]"),
        (datetime(2025, 3, 9, 7, 0, tzinfo=UTC), "America/New_York", "[Mar 09, 03:00]"),
        (datetime(2025, 10, 26, 0, 30, tzinfo=UTC), "Europe/Berlin", "[Oct 26, 02:30]"),
        (datetime(2025, 10, 26, 1, 30, tzinfo=UTC), "Europe/Berlin", "[Oct 26, 02:30]"),
        (datetime(2025, 10, 26, 23, 59, tzinfo=UTC), "Europe/Berlin", "[Oct 27, 00:59]"),
        (datetime(2025, 12, 31, 18, 29, tzinfo=UTC), "Asia/Kolkata", "[Dec 31, 23:59]"),
        (datetime(2025, 12, 31, 18, 30, tzinfo=UTC), "Asia/Kolkata", "[Jan 01, 00:00]"),
        (datetime(2025, 6, 1, 12, 0, tzinfo=UTC), "Asia/Kathmandu", "[Jun 01, 17:45]"),
        # Half an hour of daylight saving, which began at 15:30 UTC.
        (datetime(2025, 10, 4, 15, 29, tzinfo=UTC), "Australia/Lord_Howe", "[Oct 05, 01:59]"),
        (datetime(2025, 10, 4, 15, 30, tzinfo=UTC), "Australia/Lord_Howe", "[Oct 05, 02:30]"),
        # Samoa skipped a day long before Discord, Kiribati is a day ahead.
        (datetime(2025, 6, 1, 10, 0, tzinfo=UTC), "Pacific/Kiritimati", "[Jun 02, 00:00]"),
        (datetime(2025, 6, 1, 10, 0, tzinfo=UTC), "UTC", "[Jun 01, 10:00]"),
    ],
)
def test_absolute_stamps_across_zones_and_daylight_saving(moment: datetime, zone: str, stamp: str) -> None:
    assert clock(zone=zone).stamp(ms(moment)) == stamp


def test_daylight_saving_moves_no_boundary() -> None:
    now = datetime(2025, 3, 10, 6, 59, tzinfo=UTC)
    # 23 h 59 min of real time; the clocks on the wall moved by 24 h 59 min.
    assert clock(now, "America/New_York").stamp(ms(datetime(2025, 3, 9, 7, 0, tzinfo=UTC))) == "[23h ago]"


@given(
    created=st.datetimes(datetime(2015, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 -- naive bounds are what hypothesis takes
    age=st.timedeltas(timedelta(hours=-1), timedelta(days=900)),
    zone=st.sampled_from(
        ["Asia/Kolkata", "UTC", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Pyongyang"]
    ),
)
def test_equals_the_original(created: datetime, age: timedelta, zone: str) -> None:
    created = created.replace(microsecond=created.microsecond // 1000 * 1000)
    assert clock(created + age, zone).stamp(ms(created)) == original_stamp(created, created + age, zone)


def test_one_clock_stamps_many_messages_of_a_day_with_a_change() -> None:
    berlin = clock(zone="Europe/Berlin")
    start = datetime(2025, 10, 25, 22, 0, tzinfo=UTC)
    for minutes in range(0, 3 * 1440, 7):
        moment = start + timedelta(minutes=minutes)
        assert berlin.stamp(ms(moment)) == original_stamp(moment, NOW, "Europe/Berlin")


def test_the_headers_time_is_utc() -> None:
    assert clock(datetime.fromisoformat("2026-03-04T21:00:00.999+05:30")).current() == "2026-03-04 15:30:00 UTC"


def test_a_time_without_a_zone_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Clock(NOW.replace(tzinfo=None), UTC)


@pytest.mark.parametrize("name", ["", "Nowhere", "../etc/passwd", "Asia/Kolkata ", "+05:30", "é", "\ud800"])
def test_a_wrong_zone_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_zone(name)
    assert caught.value.exit_code == 2
    assert "Asia/Kolkata" in caught.value.hint


@pytest.mark.parametrize(
    ("style", "seen"),
    [
        ("t", "14:31"),
        ("T", "14:31:00"),
        ("d", "2018-11-28"),
        ("D", "28 November 2018"),
        ("f", "28 November 2018 14:31"),
        ("F", "Wednesday, 28 November 2018 14:31"),
        ("s", "2018-11-28 14:31"),
        ("S", "2018-11-28 14:31:00"),
        ("R", "7 years ago"),
    ],
)
def test_discords_styles(style: str, seen: str) -> None:
    assert clock().markup(1543395660, style) == seen


@pytest.mark.parametrize(
    ("seconds", "seen"),
    [
        (0, "now"),
        (1, "in 1 second"),
        (-59, "59 seconds ago"),
        (-60, "1 minute ago"),
        (3 * 3600 + 60, "in 3 hours"),
        (-86_400 * 29, "29 days ago"),
        (86_400 * 61, "in 2 months"),
        (-86_400 * 366, "1 year ago"),
    ],
)
def test_relative_times(seconds: int, seen: str) -> None:
    assert clock().markup(ms(NOW) // 1000 + seconds, "R") == seen


@pytest.mark.parametrize("unix", [10**12, -(10**12), 9_999_999_999_999])
def test_a_time_beyond_all_calendars(unix: int) -> None:
    assert clock().markup(unix, "f") is None
    assert clock().absolute(unix * 1000) == "an unknown time"
