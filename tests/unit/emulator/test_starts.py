import pytest

from junkie_cli.emulator.starts import SessionStarts


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def starts(clock: Clock) -> SessionStarts:
    return SessionStarts(clock)


def test_a_day_begins_with_the_first_start(starts: SessionStarts, clock: Clock) -> None:
    clock.now += 500
    assert starts.as_json() == {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 1}
    assert starts.take()
    clock.now += 100.0004
    assert (starts.as_json()["remaining"], starts.as_json()["reset_after"]) == (999, 86_299_999 + 1)
    assert starts.take()
    clock.now += 86_300
    assert (starts.as_json()["remaining"], starts.as_json()["reset_after"]) == (1000, 0)


def test_none_is_left(starts: SessionStarts, clock: Clock) -> None:
    starts.set(remaining=1, reset_after_ms=5000)
    assert starts.take()
    assert not starts.take()
    assert starts.as_json()["reset_after"] == 5000
    clock.now += 5
    assert starts.take()
    assert starts.as_json()["remaining"] == 999
    starts.set(total=10)
    clock.now += 86_400
    assert starts.as_json()["remaining"] == 10


def test_a_bucket_waits_between_two_starts(starts: SessionStarts, clock: Clock) -> None:
    assert [starts.too_soon(0), starts.too_soon(0)] == [False, False]
    starts.set(spacing=5.0, max_concurrency=2, shards=4)
    assert starts.shards == 4
    assert [starts.too_soon(n) for n in (0, 1, 2, 3)] == [True, False, True, True]
    clock.now += 5
    assert [starts.too_soon(n) for n in (2, 0)] == [False, True]
