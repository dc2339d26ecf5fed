"""A prompt of a past moment tells nothing of what only came later."""

from datetime import timedelta
from typing import Any

import pytest

from junkie_cli.prompt.past import without_later
from tests.unit.prompt.samples import NOW, message

RESULTS = {"is_finalized": True, "answer_counts": [{"id": 1, "count": 3}]}
LATER = (NOW + timedelta(seconds=1)).isoformat()


def then(**extra: Any) -> dict[str, Any] | None:
    return without_later(message("Alice", 111, "hm", extra=extra, age=timedelta(hours=1)), NOW).extra


@pytest.mark.parametrize("expiry", [LATER, None, "soon"])
def test_the_votes_of_a_poll_that_was_open(expiry: str | None) -> None:
    assert then(poll={"answers": [], "expiry": expiry, "results": RESULTS}) == {
        "poll": {"answers": [], "expiry": expiry}
    }


def test_a_poll_that_had_closed_has_its_votes() -> None:
    poll = {"expiry": NOW.isoformat(), "results": RESULTS}
    assert then(poll=poll) == {"poll": poll}


def test_reactions() -> None:
    assert then(reactions=[{"emoji": {"name": "🔥"}, "count": 3}]) is None


def test_a_thread() -> None:
    earlier = {"name": "Plans", "thread_metadata": {"create_timestamp": NOW.isoformat()}}
    assert then(thread=earlier) == {"thread": earlier}
    assert then(thread={"name": "Plans", "thread_metadata": {"create_timestamp": LATER}}) is None
    # As Discord tells of the oldest ones.
    assert then(thread={"name": "Plans"}) == {"thread": {"name": "Plans"}}


def test_the_end_of_a_call() -> None:
    assert then(call={"ended_timestamp": LATER}) == {"call": {"ended_timestamp": None}}
    call = {"ended_timestamp": NOW.isoformat()}
    assert then(call=call) == {"call": call}


def test_all_else_stays() -> None:
    extra: dict[str, Any] = {"flags": 4, "poll": 5, "call": None, "thread": []}
    assert then(**extra) == extra
    plain = message("Alice", 111, "hm")
    assert without_later(plain, NOW) is plain
