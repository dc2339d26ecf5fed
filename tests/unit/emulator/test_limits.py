from typing import Any

import pytest

from junkie_cli.emulator.limits import Limiter, Limits, Rate, refusal


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(clock: Clock, **limits: Any) -> Limiter:
    return Limiter(Limits(**limits), clock=clock, wall=lambda: 1_000_000.5)


def test_five_requests_per_channel_in_a_window_that_the_first_opens(clock: Clock) -> None:
    limiter = make(clock)
    remaining = []
    for _ in range(5):
        headers, refused = limiter.admit("messages", 1)
        assert refused is None
        assert headers["X-RateLimit-Limit"] == "5"
        remaining.append(headers["X-RateLimit-Remaining"])
        clock.now += 1
    assert remaining == ["4", "3", "2", "1", "0"]
    assert limiter.admit("messages", 2)[1] is None

    clock.now = 104.25
    _, refused = limiter.admit("messages", 1)
    assert refused is not None
    assert refused.body == {"message": "You are being rate limited.", "retry_after": 0.75, "global": False}
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["X-RateLimit-Scope"] == "user"
    assert refused.headers["X-RateLimit-Reset-After"] == "0.750"
    assert refused.headers["X-RateLimit-Reset"] == "1000001.250"
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    clock.now = 105.0  # exactly as told
    assert limiter.admit("messages", 1)[1] is None


def test_a_refused_request_does_not_prolong_the_window(clock: Clock) -> None:
    limiter = make(clock, messages=Rate(1, 2.0))
    limiter.admit("messages", 1)
    for _ in range(20):
        assert limiter.admit("messages", 1)[1] is not None
    clock.now += 2.0
    assert limiter.admit("messages", 1)[1] is None


def test_the_global_limit_counts_all_routes_and_shows_no_bucket(clock: Clock) -> None:
    limiter = make(clock, messages=Rate(1000, 1.0), total=Rate(3, 1.0))
    for route in ("me", "guilds", "messages"):
        assert limiter.admit(route, 1)[1] is None
    headers, refused = limiter.admit("channel", 9)
    assert headers == {}
    assert refused is not None
    assert refused.body["global"] is True
    assert refused.headers == {"Retry-After": "1", "X-RateLimit-Scope": "global", "X-RateLimit-Global": "true"}


def test_wrong_headers_tell_the_truth_only_when_it_is_too_late(clock: Clock) -> None:
    limiter = make(clock, headers="wrong")
    for _ in range(5):
        headers, _ = limiter.admit("messages", 1)
        assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("1000", "999")
    _, refused = limiter.admit("messages", 1)
    assert refused is not None
    assert (refused.headers["X-RateLimit-Limit"], refused.headers["X-RateLimit-Remaining"]) == ("5", "0")


def test_headers_can_be_left_out(clock: Clock) -> None:
    limiter = make(clock, headers="none")
    assert limiter.admit("messages", 1) == ({}, None)


def test_limits_can_be_off_and_replaced(clock: Clock) -> None:
    limiter = Limiter(Limits.off(), clock=clock, wall=clock)
    assert all(limiter.admit("messages", 1) == ({}, None) for _ in range(200))
    limiter.set(Limits(messages=Rate(1, 5.0)))
    assert [limiter.admit("messages", 1)[1] is None for _ in range(2)] == [True, False]


def test_other_routes_have_a_limit_of_their_own_on_demand(clock: Clock) -> None:
    limiter = make(clock, others=Rate(2, 10.0))
    assert [limiter.admit("public_archived", 1)[1] is None for _ in range(3)] == [True, True, False]
    assert limiter.admit("private_archived", 1)[1] is None


def test_waiting_times_are_rounded_up() -> None:
    refused = refusal(0.0001, scope="shared")
    assert refused.body["retry_after"] == 0.001
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["X-RateLimit-Scope"] == "shared"
