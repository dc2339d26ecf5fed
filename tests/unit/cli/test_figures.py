import pytest

from junkie_cli.cli.figures import age, count, duration, percent, requests, size, time_range
from junkie_cli.ingest.estimate import Left


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (3.2, 8.1, "3–9 s"),  # noqa: RUF001  a range's dash
        (0.0, 0.0, "up to 1 s"),
        (0.4, 5.0, "up to 5 s"),
        (5.0, 5.0, "5 s"),
        (100.0, 700.0, "1–12 min"),  # noqa: RUF001
        (20.0, 700.0, "20 s–12 min"),  # noqa: RUF001
        (0.5, 700.0, "up to 12 min"),
        (119.0, 121.0, "1–3 min"),  # noqa: RUF001
        (7300.0, 20_000.0, "2–6 h"),  # noqa: RUF001
        (100_000.0, 900_000.0, "1–11 days"),  # noqa: RUF001
        (0.2, None, "at least 1 s"),
        (130.0, None, "at least 2 min"),
    ],
)
def test_a_time_is_a_range_that_is_never_narrower_than_known(low: float, high: float | None, words: str) -> None:
    assert time_range(low, high) == words


@pytest.mark.parametrize(
    ("left", "words"),
    [(Left(1, None), "at least 1"), (Left(1200, 4000), "1,200–4,000"), (Left(3, 3), "3")],  # noqa: RUF001
)
def test_requests_are_a_range(left: Left, words: str) -> None:
    assert requests(left) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(8.44, "8.4 s"), (59.9, "59.9 s"), (185.0, "3 min 5 s"), (7800.0, "2 h 10 min")]
)
def test_a_duration_has_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_percentage_is_rounded_down_and_ends_at_a_hundred() -> None:
    assert [percent(999, 1000), percent(1040, 1000), percent(0, 0), percent(0, 5)] == [99, 100, 100, 0]


def test_one_is_singular() -> None:
    assert [count(1, "message"), count(0, "message"), count(2, "box", "boxes")] == [
        "1 message",
        "0 messages",
        "2 boxes",
    ]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (1234567890123456, "1,234.6 TB"),
    ],
)
def test_a_size_in_bytes(number: int, words: str) -> None:
    assert size(number) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5.0, "0s"),
        (59.9, "59s"),
        (60.0, "1m"),
        (3599.0, "59m"),
        (3600.0, "1h"),
        (47 * 3600.0, "47h"),
        (48 * 3600.0, "2d"),
        (99 * 86_400.0, "99d"),
        (100 * 86_400.0, "3mo"),
        (729 * 86_400.0, "23mo"),
        (731 * 86_400.0, "2y"),
    ],
)
def test_an_age_is_never_more_than_it_is(seconds: float, words: str) -> None:
    assert age(seconds) == words
