"""The planner's invariant, against a simulated Discord that misbehaves in every way it is known to."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junkie_cli import snowflake
from junkie_cli.coverage import Coverage, Range
from junkie_cli.errors import ChannelForbidden, MalformedPage
from junkie_cli.ingest.planner import OVERLAP_MS, walk
from junkie_cli.ingest.proof import MALFORMED_TRIES, prove
from junkie_cli.ingest.steps import Action, Fetch, Goal, Store, View
from junkie_cli.models import PageRequest
from tests.unit.ingest.simulated import CHANNEL, SECOND, Archive, Crash, Discord, World, changes, held, ids, run


@settings(max_examples=300, deadline=None)
@given(
    history=st.sets(ids, max_size=60),
    script=changes,
    page_limit=st.integers(1, 7),
    batch=st.integers(1, 20),
    target=st.none() | st.integers(1, 40),
    lanes=st.integers(1, 4),
    data=st.data(),
)
def test_what_coverage_claims_is_there(  # noqa: PLR0917  hypothesis passes by name
    history: set[int],
    script: list[str],
    page_limit: int,
    batch: int,
    target: int | None,
    lanes: int,
    data: st.DataObject,
) -> None:
    discord, archive = Discord(), Archive()
    for message_id in history:
        discord.post(message_id)
    world = World(discord, script, data)
    goal = Goal(floor=CHANNEL, target=target, batch=batch, page_limit=page_limit, lanes=lanes)

    def pick(ready: int) -> int:
        return data.draw(st.integers(0, ready - 1)) if ready > 1 else 0

    while world.script:
        remaining = len(world.script)
        with suppress(Crash, ChannelForbidden, MalformedPage):
            run(discord, archive, goal, world.step, pick)
        assert held(discord, archive) <= archive.excused
        if len(world.script) == remaining:
            world.script.pop(0)

    # The world comes to rest: everything is visible, the bot may read, and somebody says one more thing.
    discord.visible |= discord.hidden
    discord.hidden.clear()
    discord.readable = True
    discord.post((discord.newest or CHANNEL) + SECOND)
    run(discord, archive, Goal(floor=CHANNEL, batch=batch, page_limit=page_limit, lanes=lanes), pick=pick)
    assert held(discord, archive) == set()
    assert discord.newest is not None
    assert archive.covered.covers(CHANNEL, discord.newest + 1)
    assert discord.visible <= archive.rows

    # Unchanged: no request.
    asked = discord.requests
    run(discord, archive, Goal(floor=CHANNEL, batch=batch, page_limit=page_limit))
    assert discord.requests == asked


@pytest.mark.parametrize("messages", [20, 27, 39, 40, 41, 79, 80])
def test_where_history_ends_with_a_full_page_the_next_one_proves_it(messages: int) -> None:
    discord, archive = Discord(), Archive()
    for n in range(1, messages + 1):
        discord.post(CHANNEL + n * SECOND)
    run(discord, archive, Goal(floor=CHANNEL, page_limit=20))
    assert archive.covered.covers(CHANNEL, CHANNEL + messages * SECOND + 1)
    assert discord.requests == messages // 20 + 1


@settings(max_examples=200, deadline=None)
@given(history=st.sets(ids, min_size=1, max_size=60), target=st.integers(1, 80), page_limit=st.integers(2, 9))
def test_a_target_is_met_by_one_range_at_the_top_and_asks_for_no_more_than_it_needs(
    history: set[int], target: int, page_limit: int
) -> None:
    discord, archive = Discord(), Archive()
    for message_id in history:
        discord.post(message_id)
    run(discord, archive, Goal(floor=CHANNEL, target=target, page_limit=page_limit))
    newest = sorted(history)[-target:]
    assert archive.covered.covers(newest[0], newest[-1] + 1)
    assert set(newest) <= archive.rows
    full_pages = -(-min(target, len(history)) // page_limit)
    # Where history ends within the target, the proof of its start costs a short page, or an empty one and one more.
    assert discord.requests <= full_pages + (2 if target >= len(history) else 0)


@settings(max_examples=200, deadline=None)
@given(history=st.sets(ids, min_size=1, max_size=60), since=ids, page_limit=st.integers(1, 9))
def test_since_is_a_floor(history: set[int], since: int, page_limit: int) -> None:
    discord, archive = Discord(), Archive()
    for message_id in history:
        discord.post(message_id)
    run(discord, archive, Goal(floor=since, page_limit=page_limit))
    wanted = {i for i in history if i >= since}
    assert wanted <= archive.rows
    assert len(archive.rows) <= len(wanted) + page_limit


def test_an_iteration_bound_keeps_a_known_gap() -> None:
    discord, archive = Discord(), Archive()
    for n in range(1, 101):
        discord.post(CHANNEL + n * SECOND)
    run(discord, archive, Goal(floor=CHANNEL, batch=10, page_limit=10, max_iterations=2))
    assert len(archive.rows) == 30
    assert archive.covered.gaps(CHANNEL, CHANNEL + 100 * SECOND) == (Range(CHANNEL, CHANNEL + 71 * SECOND),)


def test_a_live_range_above_an_outage_does_not_hide_the_gap_below_it() -> None:
    discord, archive = Discord(), Archive()
    for n in range(1, 51):
        discord.post(CHANNEL + n * SECOND)
    run(discord, archive, Goal(floor=CHANNEL, page_limit=10))
    for n in range(51, 80):
        discord.post(CHANNEL + n * SECOND)
    live = CHANNEL + 79 * SECOND
    archive.rows.add(live)
    archive.covered = archive.covered.add(live, live + 1)
    run(discord, archive, Goal(floor=CHANNEL, page_limit=10))
    assert archive.covered.covers(CHANNEL, live + 1)
    assert archive.rows == discord.visible


def test_an_empty_channel_without_the_right_to_read_is_forbidden_not_complete() -> None:
    discord, archive = Discord(readable=False), Archive()
    discord.post(CHANNEL + SECOND)
    with pytest.raises(ChannelForbidden):
        run(discord, archive, Goal(floor=CHANNEL))
    assert not archive.covered


def test_rows_that_a_rule_keeps_out_do_not_make_an_empty_page_unprovable() -> None:
    """More messages than a page holds lie between the cursor and the nearest known one."""
    discord = Discord()
    for n in range(1, 31):
        discord.post(CHANNEL + n * SECOND)
    archive = Archive(Coverage.of([(CHANNEL + SECOND, CHANNEL + 31 * SECOND)]), {CHANNEL + 30 * SECOND})
    run(discord, archive, Goal(floor=CHANNEL, page_limit=5))
    assert archive.covered.covers(CHANNEL, CHANNEL + 31 * SECOND)
    assert discord.requests < 10


@pytest.mark.parametrize(
    ("request_", "page", "claim"),
    [
        (PageRequest(5, before=100, limit=3), (90, 80, 70), Range(70, 100)),
        (PageRequest(5, before=100, limit=3), (90, 80), Range(5, 100)),
        (PageRequest(5, before=100, limit=3), (), None),
        (PageRequest(5, after=100, limit=3), (130, 120, 110), Range(101, 131)),
        (PageRequest(5, after=100, limit=3), (130, 120), Range(101, 201)),
        (PageRequest(5, after=100, limit=3), (230, 120), Range(101, 231)),
        (PageRequest(5, after=100, limit=3), (), None),
    ],
)
def test_prove(request_: PageRequest, page: tuple[int, ...], claim: Range | None) -> None:
    assert prove(request_, page, last_id=200) == claim


def test_prove_believes_an_empty_page_only_when_told() -> None:
    assert prove(PageRequest(5, before=100), (), last_id=200, believe_empty=True) == Range(5, 100)
    assert prove(PageRequest(5, after=100), (), last_id=200, believe_empty=True) == Range(101, 201)
    assert prove(PageRequest(5, after=200), (), last_id=200, believe_empty=True) is None


@pytest.mark.parametrize(
    "page", [(100, 90), (90, 90), (80, 90), (90, 80, 70, 60)], ids=["outside", "repeated", "out of order", "too many"]
)
def test_a_page_that_makes_no_sense_proves_nothing(page: tuple[int, ...]) -> None:
    with pytest.raises(MalformedPage):
        prove(PageRequest(5, before=100, limit=3), page, last_id=200)


def test_a_senseless_page_is_asked_for_again_and_never_stored() -> None:
    steps = walk(View(CHANNEL, CHANNEL + 9, Coverage()), Goal(floor=CHANNEL, page_limit=2))
    seen: list[Action] = []

    def drive() -> None:
        reply: Any = None
        while True:
            seen.append(steps.send(reply))
            reply = [CHANNEL + 3, CHANNEL + 5] if isinstance(seen[-1], Fetch) else None

    with pytest.raises(MalformedPage):
        drive()
    assert [type(a) for a in seen].count(Fetch) == MALFORMED_TRIES
    assert not any(isinstance(action, Store) for action in seen)


@pytest.mark.parametrize("unheard", range(1, 9))
@pytest.mark.parametrize("deepen", ["one lane", "several"])
def test_ten_seconds_below_a_gap_are_looked_at_again_wherever_its_pages_end(unheard: int, deepen: str) -> None:
    """What was heard ended there, and an older message was told or shown only after that."""
    discord = Discord()
    last_heard = CHANNEL + 100 * SECOND
    for n in range(20):
        discord.post(CHANNEL + n * SECOND)
    discord.post(late := last_heard - SECOND, hidden=True)
    discord.post(last_heard)
    archive = Archive(Coverage.of([(CHANNEL, last_heard + 1)]), set(discord.visible))
    discord.visible |= discord.hidden
    for n in range(unheard):
        discord.post(last_heard + (n + 1) * 60 * SECOND)
    discord.post(live := last_heard + 1_000 * SECOND)
    archive.covered = archive.covered.add(live, live + 1)
    archive.rows.add(live)
    lanes = 1 if deepen == "one lane" else 4
    run(discord, archive, Goal(floor=CHANNEL, page_limit=4, lanes=lanes, look=True))
    assert late in archive.rows
    assert archive.covered.covers(CHANNEL, live + 1)


def test_catch_up_looks_ten_seconds_below_the_newest_covered_id() -> None:
    discord, archive = Discord(), Archive()
    for n in range(1, 31):
        discord.post(CHANNEL + n * SECOND)
    run(discord, archive, Goal(floor=CHANNEL))
    late = CHANNEL + 25 * SECOND + 1
    discord.visible.add(late)
    discord.post(CHANNEL + 31 * SECOND)
    actions = run(discord, archive, Goal(floor=CHANNEL))
    assert late in archive.rows
    first = next(a for a in actions if isinstance(a, Fetch))
    assert first.request.after is not None
    assert snowflake.to_ms(CHANNEL + 30 * SECOND) - snowflake.to_ms(first.request.after) == OVERLAP_MS


@settings(max_examples=100, deadline=None)
@given(
    history=st.sets(ids, min_size=1, max_size=200),
    lanes=st.integers(2, 8),
    page_limit=st.integers(2, 6),
    data=st.data(),
)
def test_lanes_fetch_everything_with_few_pages_more_than_one_would(
    history: set[int], lanes: int, page_limit: int, data: st.DataObject
) -> None:
    discord, archive = Discord(), Archive()
    for message_id in history:
        discord.post(message_id)
    goal = Goal(floor=CHANNEL, page_limit=page_limit, lanes=lanes, batch=50)
    run(discord, archive, goal, pick=lambda ready: data.draw(st.integers(0, ready - 1)) if ready > 1 else 0)
    assert archive.rows == discord.visible
    assert archive.covered.covers(CHANNEL, max(history) + 1)
    alone = len(history) // page_limit + 2
    # Where messages stand close together in one part of the span, most lanes look in vain, again and again.
    assert discord.requests <= lanes * (alone + 4)


def test_a_history_that_shows_less_than_it_holds_is_not_believed() -> None:
    """Rights allow reading, yet pages come empty, and a message that is known can still be fetched alone."""
    discord, archive = Discord(), Archive()
    for n in range(1, 31):
        discord.post(CHANNEL + n * SECOND)
    run(discord, archive, Goal(floor=CHANNEL, target=10, page_limit=10))
    held_before = archive.covered
    discord.shows = False
    with pytest.raises(MalformedPage):
        run(discord, archive, Goal(floor=CHANNEL, page_limit=10))
    assert archive.covered == held_before


def test_known_messages_that_are_gone_make_no_empty_page_suspicious() -> None:
    discord, archive = Discord(), Archive()
    for n in range(1, 11):
        discord.post(CHANNEL + n * SECOND)
    run(discord, archive, Goal(floor=CHANNEL, target=5, page_limit=5))
    discord.visible.clear()
    run(discord, archive, Goal(floor=CHANNEL, page_limit=5))
    assert archive.covered.covers(CHANNEL, CHANNEL + 10 * SECOND)
