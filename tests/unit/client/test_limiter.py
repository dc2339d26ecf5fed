import asyncio
import math

import pytest

from junkie_cli.client.limiter import GlobalLimiter, InvalidRequests
from junkie_cli.errors import TooManyInvalidRequests
from tests.unit.client.virtual import now, run


def starts(rates: dict[float, float], count: int, *, pause: tuple[float, float] = (0, 0)) -> list[float]:
    """Let that many requests start as soon as they may, under rates by the second from which they hold."""

    async def work() -> list[float]:
        began = now()

        def rate() -> float:
            return next(rate for since, rate in sorted(rates.items(), reverse=True) if now() - began >= since)

        limiter = GlobalLimiter(rate, clock=asyncio.get_running_loop().time, sleep=asyncio.sleep)
        found: list[float] = []

        async def one() -> None:
            await limiter.acquire()
            found.append(now() - began)

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(one())
            if pause[1]:
                await asyncio.sleep(pause[0])
                limiter.pause(pause[1])
        return found

    return run(work())


def most_in_a_second(times: list[float]) -> int:
    return max(sum(since <= time <= since + 1 for time in times) for since in times)


def test_never_more_than_fifty_start_in_a_second() -> None:
    times = starts({0: 45.0}, 450)
    assert most_in_a_second(times) <= 49
    assert times[-1] == pytest.approx(450 / 45, rel=0.02)


def test_processes_that_share_the_rate_share_the_burst() -> None:
    together = sorted(starts({0: 15.0}, 150) * 3)
    assert most_in_a_second(together) <= 50


def test_a_rate_that_changes_holds_at_once() -> None:
    times = starts({0: 45.0, 2: 5.0}, 120)
    assert sum(time < 2 for time in times) == pytest.approx(93, abs=2)
    assert most_in_a_second([time for time in times if time > 2.1]) <= 6


def test_without_a_rate_nobody_waits() -> None:
    assert starts({0: math.inf}, 10_000)[-1] == 0


def test_a_pause_stops_all_who_wait() -> None:
    times = starts({0: 10.0}, 30, pause=(1.05, 60))
    assert not [time for time in times if 1.06 < time < 61.04]


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

        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(pages())
            asked = group.create_task(lists())
        return order, asked.result()

    order, waited = run(work())
    # 0.2 s, and then for the four who stand before it, ten of whom start in a second.
    assert 4 < order.index("list") < 15
    assert 0.2 <= waited <= 0.8


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
