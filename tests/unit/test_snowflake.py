from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junkie_cli import snowflake

# https://discord.com/developers/docs/reference#snowflakes
EXAMPLE = 175928847299117063
EXAMPLE_TIME = datetime(2016, 4, 30, 11, 18, 25, 796000, tzinfo=UTC)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)

ids = st.integers(0, snowflake.MAX)


def test_reads_the_example_of_discords_documentation() -> None:
    assert snowflake.to_datetime(EXAMPLE) == EXAMPLE_TIME
    assert snowflake.to_ms(EXAMPLE) == 1462015105796
    assert snowflake.from_datetime(EXAMPLE_TIME) == EXAMPLE >> 22 << 22


@given(ids)
def test_a_moment_gives_the_lowest_id_of_its_millisecond(some_id: int) -> None:
    lowest = some_id >> 22 << 22
    assert snowflake.from_ms(snowflake.to_ms(some_id)) == lowest
    assert snowflake.from_datetime(snowflake.to_datetime(some_id)) == lowest


@given(ids, ids)
def test_order_of_ids_is_order_of_time(one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert snowflake.to_datetime(low) <= snowflake.to_datetime(high)


@given(st.datetimes(datetime(2015, 1, 1), datetime(2084, 1, 1), timezones=st.timezones()))  # noqa: DTZ001  hypothesis adds the zone
def test_every_zone_gives_the_same_id(moment: datetime) -> None:
    assert snowflake.from_datetime(moment) == snowflake.from_datetime(moment.astimezone(UTC))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(1969, 12, 31, tzinfo=UTC), 0),
        (datetime(2015, 1, 1, tzinfo=UTC), 0),
        (datetime(2015, 1, 1, microsecond=999, tzinfo=UTC), 0),
        (datetime(2015, 1, 1, microsecond=1000, tzinfo=UTC), 1 << 22),
        (datetime(9999, 12, 31, tzinfo=UTC), snowflake.MAX),
    ],
)
def test_moments_beyond_discords_time_are_clamped(moment: datetime, expected: int) -> None:
    assert snowflake.from_datetime(moment) == expected


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        snowflake.from_datetime(datetime(2024, 1, 31))  # noqa: DTZ001  the point


def test_shifts_by_milliseconds_but_not_below_zero() -> None:
    assert snowflake.to_ms(snowflake.shift_ms(EXAMPLE, -10_000)) == snowflake.to_ms(EXAMPLE) - 10_000
    assert snowflake.shift_ms(EXAMPLE, 0) == EXAMPLE
    assert snowflake.shift_ms(5 << 22, -10_000) == 0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-31", datetime(2024, 1, 31, tzinfo=UTC)),
        (" 2024-01-31T14:30 ", datetime(2024, 1, 31, 14, 30, tzinfo=UTC)),
        ("2024-01-31 14:30:05", datetime(2024, 1, 31, 14, 30, 5, tzinfo=UTC)),
        ("2024-01-31T14:30:00Z", datetime(2024, 1, 31, 14, 30, tzinfo=UTC)),
        ("2024-01-31T14:30:00+05:30", datetime(2024, 1, 31, 14, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))),
        ("20240131", datetime(2024, 1, 31, tzinfo=UTC)),
        ("90m", NOW - timedelta(minutes=90)),
        ("45s", NOW - timedelta(seconds=45)),
        ("36h", NOW - timedelta(hours=36)),
        ("7d", NOW - timedelta(days=7)),
        ("2w", NOW - timedelta(weeks=2)),
    ],
)
def test_parses_dates_and_ages(text: str, moment: datetime) -> None:
    assert snowflake.parse(text, now=NOW) == snowflake.from_datetime(moment)


@given(st.integers(10**14, snowflake.MAX))
def test_parses_ids(some_id: int) -> None:
    assert snowflake.parse(f" {some_id}\n") == some_id


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "yesterday", "-1", "123", "7", "7y", "1.5d", "2024-13-01", "2024-02-30"),
        *("٣" * 18, str(2**63), "9" * 30, "1" * 17 + "x"),
        *("1_000_000_000_000_000", "+175928847299117063", "0x271056c5a400000"),
    ],
)
def test_refuses_all_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither a Discord id nor a date|larger than any"):
        snowflake.parse(text, now=NOW)


def test_an_age_needs_a_clock() -> None:
    with pytest.raises(ValueError, match="'7d' is neither"):
        snowflake.parse("7d")


def test_an_age_before_the_year_one_is_an_overflow() -> None:
    with pytest.raises(OverflowError):
        snowflake.parse("999999w", now=NOW)
