import asyncio
import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from junkie_cli.client.limiter import GlobalLimiter, InvalidRequests
from junkie_cli.errors import TooManyInvalidRequests
from tests.unit.client.virtual import now, run

EPSILON = 1e-6


def starts(
    rates: dict[float, float],
    count: int = 0,
    *,
    pause: tuple[float, float] = (0, 0),
    arrivals: Sequence[float] = (),
) -> list[float]:
    """Let requests start as soon as they may, under rates by the second from which they hold.

    `count` requests come at once, others at the seconds of `arrivals`.
    """

    async def work() -> list[float]:
        began = now()

        def rate() -> float:
            return rate_at(rates, now() - began)

        limiter = GlobalLimiter(rate, clock=asyncio.get_running_loop().time, sleep=asyncio.sleep)
        found: list[float] = []

        async def one(arrival: float) -> None:
            await asyncio.sleep(arrival)
            await limiter.acquire()
            found.append(now() - began)

        async with asyncio.TaskGroup() as group:
            for arrival in [*[0.0] * count, *arrivals]:
                group.create_task(one(arrival))
            if pause[1]:
                await asyncio.sleep(pause[0])
                limiter.pause(pause[1])
        return found

    return run(work())


def rate_at(rates: dict[float, float], time: float) -> float:
    return next(rate for since, rate in sorted(rates.items(), reverse=True) if time >= since)


def most_in_a_second(times: list[float]) -> int:
    """Return the most that start in a half-open second."""
    return max(sum(since <= time < since + 1 - EPSILON for time in times) for since in times)


def test_a_second_s_worth_starts_at_once_and_what_follows_is_paced() -> None:
    times = starts({0: 45.0}, 450)
    assert times[44] == 0
    assert [times[45 + n] for n in range(405)] == pytest.approx([1 + n / 45 for n in range(405)], abs=0.01)
    assert most_in_a_second(times) == 45


def test_a_burst_comes_again_only_after_a_second_of_rest() -> None:
    times = starts({0: 10.0}, 30, arrivals=[*[3.4] * 10, *[20.0] * 15])
    # Paced until 2.9; half a second of rest is worth five.
    assert times[29] == pytest.approx(2.9, abs=0.01)
    assert sum(3.39 < time < 3.41 for time in times) == 5
    assert sum(time == pytest.approx(20) for time in times) == 10
    assert most_in_a_second(times) == 10


moments = st.floats(min_value=0, max_value=20, allow_nan=False)


@example(rate=5.0, arrivals=[[3.5] * 2, [4.5] * 5])
@given(
    rate=st.sampled_from([0.4, 1.0, 2.5, 5.0, 22.5, 45.0]),
    arrivals=st.lists(moments.flatmap(lambda at: st.integers(1, 50).map(lambda n: [at] * n)), min_size=1, max_size=5),
)
@settings(max_examples=25, deadline=None)
def test_no_stretch_of_time_holds_more_than_even_pacing_and_nobody_waits_longer(
    rate: float, arrivals: list[list[float]]
) -> None:
    asked = sorted(itertools.chain.from_iterable(arrivals))[:200]
    times = starts({0: rate}, arrivals=asked)
    at_once = max(int(rate), 1)
    for number, time in enumerate(times):
        earliest = max((times[number - j] + j / rate for j in range(at_once, number + 1)), default=0.0)
        assert time >= earliest - EPSILON
        assert time <= max(earliest, asked[number]) + 0.01


@given(
    rates=st.dictionaries(moments, st.sampled_from([2.5, 5.0, 15.0, 22.5, 45.0]), max_size=4),
    first=st.sampled_from([5.0, 45.0]),
    arrivals=st.lists(moments, max_size=60),
)
@settings(max_examples=25, deadline=None)
def test_no_second_holds_more_than_the_highest_rate_in_it(
    rates: dict[float, float], first: float, arrivals: list[float]
) -> None:
    rates = {0.0: first} | rates
    times = starts(rates, 100, arrivals=arrivals)
    for since in times:
        within = [rate_at(rates, since), *(rate for at, rate in rates.items() if since <= at < since + 1)]
        assert sum(since <= time < since + 1 - EPSILON for time in times) <= math.ceil(max(within))


def test_who_comes_beside_others_has_no_burst() -> None:
    """At login nobody knows yet of the others; the rate that is told then is to be kept from the first second on."""
    times = starts({0: 45.0, 0.5: 15.0}, 3, arrivals=[1.0] * 60)
    assert [times[3 + n] for n in range(15)] == pytest.approx([1 + (n + 1) / 15 for n in range(15)], abs=0.01)


def test_processes_that_share_the_rate_share_the_burst() -> None:
    together = sorted(starts({0: 15.0}, 150) * 3)
    assert most_in_a_second(together) == 45


def test_a_rate_that_changes_holds_at_once() -> None:
    times = starts({0: 45.0, 2: 5.0}, 120)
    assert sum(time < 2 for time in times) == pytest.approx(90, abs=1)
    assert most_in_a_second([time for time in times if time > 2]) == 5


def test_without_a_rate_nobody_waits() -> None:
    assert starts({0: math.inf}, 10_000)[-1] == 0


def test_a_pause_stops_all_who_wait() -> None:
    times = starts({0: 10.0}, 30, pause=(1.05, 60))
    assert not [time for time in times if 1.06 < time < 61.04]
    # Who has been told to be quiet begins with no burst.
    assert [time for time in times if time > 61] == pytest.approx([61.15 + n / 10 for n in range(19)], abs=0.01)


def test_a_pause_holds_without_a_rate_too() -> None:
    async def work() -> float:
        limiter = GlobalLimiter(lambda: math.inf, clock=asyncio.get_running_loop().time, sleep=asyncio.sleep)
        began = now()
        limiter.pause(3)
        limiter.pause(1)
        await limiter.acquire()
        return now() - began

    assert run(work()) == pytest.approx(3)


def test_who_yields_lets_others_go_first_but_not_for_long() -> None:
    async def work() -> tuple[list[str], float]:
        limiter = GlobalLimiter(lambda: 10.0, clock=asyncio.get_running_loop().time, sleep=asyncio.sleep)
        order: list[str] = []

        async def pages() -> None:
            for _ in range(20):
                await limiter.acquire()
                order.append("page")

        async def lists() -> float:
            began = now()
            await limiter.acquire(yielding=True)
            order.append("list")
            return now() - began

        for _ in range(10):
            await limiter.acquire()
        await asyncio.sleep(0.9)
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(pages())
            asked = group.create_task(lists())
        return order, asked.result()

    order, waited = run(work())
    # 0.2 s, and then for the four who stand before it, ten of whom start in a second.
    assert 4 < order.index("list") < 15
    assert 0.2 <= waited <= 0.8


def test_who_yields_leaves_to_others_what_may_start_at_once() -> None:
    async def work() -> tuple[list[float], list[float]]:
        limiter = GlobalLimiter(lambda: 40.0, clock=asyncio.get_running_loop().time, sleep=asyncio.sleep)
        began = now()
        lists: list[float] = []
        pages: list[float] = []

        async def one(found: list[float], at: float, *, yielding: bool) -> None:
            await asyncio.sleep(at)
            await limiter.acquire(yielding=yielding)
            found.append(now() - began)

        async with asyncio.TaskGroup() as group:
            for _ in range(30):
                group.create_task(one(lists, 0, yielding=True))
            for _ in range(20):
                group.create_task(one(pages, 0.3, yielding=False))
        return lists, pages

    lists, pages = run(work())
    # A few at once, and then as many as a second allows.
    assert [sum(time < until for time in lists) for until in (0.01, 0.29)] == [8, pytest.approx(18, abs=2)]
    assert pages == pytest.approx([0.3] * 20)
    # And all that the rate allows: 50 requests at 40 a second.
    assert max(lists) <= 1.25


def test_a_waiter_that_is_cancelled_leaves_its_turn_to_the_next() -> None:
    async def work() -> float:
        limiter = GlobalLimiter(lambda: 1.0, clock=asyncio.get_running_loop().time, sleep=asyncio.sleep)
        began = now()
        await limiter.acquire()
        first, second = asyncio.create_task(limiter.acquire()), asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.5)
        first.cancel()
        await second
        return now() - began

    assert run(work()) < 1.1


def test_refusals_of_ten_minutes_count() -> None:
    time = 0.0
    invalid = InvalidRequests(lambda: time)
    for _ in range(999):
        invalid.note()
    invalid.check()
    time = 599.0
    invalid.note()
    with pytest.raises(TooManyInvalidRequests, match="1000 refused requests"):
        invalid.check()
    time = 601.0
    invalid.check()
