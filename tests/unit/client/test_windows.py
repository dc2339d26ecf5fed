import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from junkie_cli.client.windows import Quota, Windows, nicest, read_quota
from tests.unit.client.virtual import now, run


@dataclass
class Server:
    """Discord's limit of one route, at the far end of a line: fixed windows per channel, from their first request on."""

    limit: int = 5
    window: float = 5.0
    there: Callable[[], float] = lambda: 0.05
    back: Callable[[], float] = lambda: 0.05
    headers: str = "true"
    began: dict[int, float] = field(default_factory=dict)
    used: Counter[int] = field(default_factory=Counter)
    refused: Counter[int] = field(default_factory=Counter)
    served: Counter[int] = field(default_factory=Counter)

    async def ask(self, channel: int) -> tuple[int, Quota | None, float]:
        """Return status, headers and retry_after."""
        await asyncio.sleep(self.there())
        if now() - self.began.get(channel, -math.inf) >= self.window:
            self.began[channel], self.used[channel] = now(), 0
        left = math.ceil((self.began[channel] + self.window - now()) * 1000) / 1000
        self.used[channel] += 1
        if self.used[channel] > self.limit:
            self.refused[channel] += 1
            answer: tuple[int, Quota | None, float] = (429, Quota(self.limit, 0, left), left)
            if self.headers == "never":
                answer = (429, None, left)
        else:
            self.served[channel] += 1
            quota = Quota(self.limit, self.limit - self.used[channel], left)
            told = {"true": quota, "wrong": Quota(1000, 999, left)}
            answer = (200, told.get(self.headers), 0.0)
        await asyncio.sleep(self.back())
        return answer


async def fetch(windows: Windows, server: Server, channel: int, pages: int, workers: int = 1) -> None:
    left = pages

    async def work() -> None:
        nonlocal left
        while left:
            await windows.ready(channel)
            if not left or (permit := windows.take(channel)) is None:
                continue
            left -= 1
            windows.sent(channel, permit)
            status, quota, retry_after = await server.ask(channel)
            if status == 200:
                windows.answered(channel, permit, now(), quota)
            else:
                left += 1
                windows.refused(channel, permit, now(), quota, retry_after, shared=False)

    await asyncio.gather(*(work() for _ in range(workers)))


def fresh() -> Windows:
    return Windows(clock=asyncio.get_running_loop().time, sleep=asyncio.sleep)


def took(server: Server, *, channels: int, pages: int, workers: int = 1) -> float:
    async def work() -> float:
        windows = fresh()
        began = now()
        await asyncio.gather(*(fetch(windows, server, channel, pages, workers) for channel in range(channels)))
        return now() - began

    return run(work())


def floor(server: Server, pages: int, *, round_trip: float = 0.1) -> float:
    last = (pages - 1) % server.limit + 1
    return (math.ceil(pages / server.limit) - 1) * server.window + last * round_trip


def test_true_headers_cost_no_429_and_reach_the_floor() -> None:
    server = Server()
    assert floor(server, 60) / took(server, channels=3, pages=60) > 0.98
    assert not server.refused


def test_wrong_headers_cost_one_429_in_all() -> None:
    server = Server(headers="wrong")

    async def work() -> float:
        windows = fresh()
        began = now()
        await fetch(windows, server, 0, 60)
        taken = now() - began
        await asyncio.gather(*(fetch(windows, server, channel, 30) for channel in range(1, 8)))
        return taken

    assert floor(server, 60) / run(work()) > 0.97
    assert server.refused == {0: 1}


@pytest.mark.parametrize("headers", ["none", "never"])
def test_without_headers_the_429s_teach(headers: str) -> None:
    server = Server(headers=headers)
    assert floor(server, 60) / took(server, channels=1, pages=60) > 0.97
    assert server.refused.total() <= 2


@pytest.mark.parametrize("headers", ["true", "wrong"])
@pytest.mark.parametrize("workers", [2, 4, 8])
def test_several_ranges_of_one_channel_share_its_window(headers: str, workers: int) -> None:
    server = Server(limit=20, window=1.0, there=lambda: 0.15, back=lambda: 0.15, headers=headers)
    pages = 480
    alone = 480 * 0.3
    by_limit = 23 * 1.0 + 0.3
    best = max(alone / workers, by_limit)
    assert best / took(server, channels=1, pages=pages, workers=workers) > 0.85
    assert server.refused.total() <= (0 if headers == "true" else 2 * workers)


@pytest.mark.parametrize("seed", range(10))
def test_uneven_latency_costs_few_429s(seed: int) -> None:
    dice = random.Random(seed)
    server = Server(there=lambda: dice.uniform(0.02, 0.15), back=lambda: dice.uniform(0.02, 0.15))
    ratio = floor(server, 100, round_trip=0.17) / took(server, channels=4, pages=100)
    assert ratio > 0.95
    assert server.refused.total() <= 8


def test_a_slow_first_request_does_not_blur_what_is_learned() -> None:
    delays = iter([4.0])
    server = Server(there=lambda: next(delays, 0.05), headers="wrong", window=1.0)
    assert floor(server, 60) / (took(server, channels=1, pages=60) - 4.0) > 0.85
    assert server.refused.total() <= 3


def test_what_another_process_used_counts() -> None:
    server = Server(there=lambda: 0, back=lambda: 0)

    async def work() -> None:
        for _ in range(3):
            await server.ask(0)
        windows = fresh()
        await fetch(windows, server, 0, 7)

    run(work())
    assert not server.refused


def test_a_limit_that_changes_is_learned_and_believed() -> None:
    server = Server()

    async def work() -> float:
        windows = fresh()
        await fetch(windows, server, 0, 20)
        server.limit = 2
        began = now()
        await fetch(windows, server, 0, 20)
        return now() - began

    assert run(work()) < 11 * 5.2
    assert server.refused.total() <= 1


def test_a_shared_limit_blocks_one_channel_and_teaches_nothing() -> None:
    async def work() -> tuple[float, float]:
        windows = fresh()
        await windows.ready(1)
        permit = windows.take(1)
        assert permit is not None
        windows.sent(1, permit)
        windows.refused(1, permit, now(), None, 30.0, shared=True)
        began = now()
        server = Server(there=lambda: 0, back=lambda: 0)
        await fetch(windows, server, 2, 5)
        other = now() - began
        await fetch(windows, server, 1, 1)
        return other, now() - began

    other, blocked = run(work())
    assert other == 0
    assert blocked == pytest.approx(30, abs=0.01)


def test_a_request_without_an_answer_blocks_nobody() -> None:
    async def work() -> None:
        windows = fresh()
        for _ in range(20):
            await windows.ready(1)
            permit = windows.take(1)
            assert permit is not None
            windows.sent(1, permit)
            windows.lost(1, permit)
        assert now() == 1000.0

    run(work())


def test_the_first_request_of_all_goes_alone() -> None:
    async def work() -> None:
        windows = fresh()
        first = windows.take(1)
        assert first is not None
        assert windows.take(1) is None
        waiting = asyncio.create_task(windows.ready(1))
        await asyncio.sleep(1)
        assert not waiting.done()
        windows.sent(1, first)
        windows.answered(1, first, now(), Quota(5, 4, 5.0))
        await waiting
        assert [windows.take(1) is not None for _ in range(5)] == [True, True, True, True, False]

    run(work())


def test_who_begins_a_window_can_be_told() -> None:
    async def work() -> None:
        windows = fresh()
        server = Server(limit=2, window=1.0)
        assert windows.opens(1)
        await fetch(windows, server, 1, 1)
        assert not windows.opens(1)
        await fetch(windows, server, 1, 1)
        assert not windows.opens(1)
        await windows.ready(1)
        assert windows.opens(1)

    run(work())


def test_waits_are_told() -> None:
    told: list[float] = []

    async def work() -> None:
        windows = fresh()
        server = Server(limit=1, window=2.0)
        await fetch(windows, server, 1, 1)
        await windows.ready(1, told.append)

    run(work())
    assert told == [pytest.approx(1.90, abs=0.01)]


def test_thousands_of_channels_leave_no_trace() -> None:
    server = Server(there=lambda: 0, back=lambda: 0)

    async def work() -> int:
        windows = fresh()
        for channel in range(5000):
            await fetch(windows, server, channel, 1)
            await asyncio.sleep(0.03)
        return len(windows._channels)

    assert run(work()) <= 256


def test_headers_that_make_no_sense_are_no_headers() -> None:
    good = {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "4", "X-RateLimit-Reset-After": "4.997"}
    assert read_quota(good) == Quota(5, 4, 4.997)
    for bad in (
        {"X-RateLimit-Limit": "0"},
        {"X-RateLimit-Limit": "x"},
        {"X-RateLimit-Remaining": "6"},
        {"X-RateLimit-Remaining": "-1"},
        {"X-RateLimit-Reset-After": "nan"},
        {"X-RateLimit-Reset-After": "-1"},
        {"X-RateLimit-Reset-After": "1e9"},
    ):
        assert read_quota(good | bad) is None
    assert read_quota({}) is None


@pytest.mark.parametrize(
    ("lo", "hi", "round_number"),
    [(4.9, 5.1, 5.0), (0.98, 1.05, 1.0), (0.24, 0.26, 0.25), (2.9, 3.2, 3.0), (0.3331, 0.3339, 0.3335)],
)
def test_the_roundest_length_is_the_likeliest(lo: float, hi: float, round_number: float) -> None:
    assert nicest(lo, hi) == pytest.approx(round_number)
