"""Reconciling finds every deletion that it should, and never one that did not happen."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junkie_cli.coverage import Coverage, Range
from junkie_cli.errors import ChannelForbidden, MalformedPage
from junkie_cli.ingest.steps import Extent, Goal
from tests.unit.ingest.simulated import (
    CHANNEL,
    SECOND,
    Archive,
    Crash,
    Discord,
    World,
    changes,
    compare,
    held,
    ids,
    run,
)


def posted(history: set[int]) -> Discord:
    discord = Discord()
    for message_id in history:
        discord.post(message_id)
    return discord


def backfilled(discord: Discord, gaps: list[tuple[int, int]], page_limit: int = 7) -> Archive:
    """An archive of it all, less what lies in the gaps."""
    archive = Archive()
    run(discord, archive, Goal(floor=CHANNEL, page_limit=page_limit))
    covered = archive.covered
    for lo, hi in gaps:
        parts = [(part.lo, min(part.hi, lo)) for part in covered] + [(max(part.lo, hi), part.hi) for part in covered]
        covered = Coverage.of(parts)
    archive.covered = covered
    archive.rows = {i for i in archive.rows if i in covered}
    return archive


gaps = st.lists(st.tuples(ids, st.integers(1, 600)).map(lambda g: (g[0], g[0] + g[1] * SECOND // 10)), max_size=3)


@settings(max_examples=200, deadline=None)
@given(
    history=st.sets(ids, max_size=60),
    gaps=gaps,
    script=changes,
    page_limit=st.integers(2, 7),
    known_most=st.integers(3, 9),
    limit=st.none() | st.integers(1, 40),
    data=st.data(),
)
def test_whatever_changes_meanwhile_not_one_valid_row_is_lost(  # noqa: PLR0917  hypothesis passes by name
    history: set[int],
    gaps: list[tuple[int, int]],
    script: list[str],
    page_limit: int,
    known_most: int,
    limit: int | None,
    data: st.DataObject,
) -> None:
    discord = posted(history)
    archive = backfilled(discord, gaps)
    valid = set(archive.rows)
    world = World(discord, script, data)
    extent = Extent(limit=limit, page_limit=page_limit)
    while world.script:
        remaining = len(world.script)
        with suppress(Crash, ChannelForbidden, MalformedPage):
            run(discord, archive, Goal(floor=CHANNEL, page_limit=page_limit), world.step, known_most=known_most)
            compare(discord, archive, extent, world.step, known_most=known_most)
        assert held(discord, archive) <= archive.excused
        assert valid & discord.visible <= archive.rows
        assert not archive.deleted & discord.visible
        if len(world.script) == remaining:
            world.script.pop(0)

    # The world comes to rest: what is left of the difference is found.
    discord.visible |= discord.hidden
    discord.hidden.clear()
    discord.readable = True
    discord.post((discord.newest or CHANNEL) + SECOND)
    run(discord, archive, Goal(floor=CHANNEL, page_limit=page_limit))
    assert compare(discord, archive, Extent(page_limit=page_limit), known_most=known_most)
    assert archive.rows == discord.visible


@settings(max_examples=300, deadline=None)
@given(
    history=st.sets(ids, min_size=1, max_size=60),
    gaps=gaps,
    page_limit=st.integers(2, 7),
    known_most=st.integers(3, 9),
    limit=st.none() | st.integers(1, 70),
    data=st.data(),
)
def test_the_newest_are_compared_and_gaps_are_left(  # noqa: PLR0917  hypothesis passes by name
    history: set[int],
    gaps: list[tuple[int, int]],
    page_limit: int,
    known_most: int,
    limit: int | None,
    data: st.DataObject,
) -> None:
    discord = posted(history)
    archive = backfilled(discord, gaps)
    archived = set(archive.rows)
    for message_id in data.draw(st.sets(st.sampled_from(sorted(history)))):
        discord.visible.discard(message_id)
    asked = discord.requests
    whole = compare(discord, archive, Extent(limit=limit, page_limit=page_limit), known_most=known_most)
    assert archived & discord.visible <= archive.rows
    newest = sorted(archived)[-(limit or len(archived)) :] if archived else []
    left = {i for i in newest if i in archive.rows} - discord.visible
    if discord.visible and whole:
        assert {i for i in archive.rows if i in archive.covered} <= discord.visible
        assert not left
    # Only an empty page leaves what it could have shown, and says so.
    if left:
        assert not any(i <= max(left) for i in discord.visible)
        assert not whole
    if limit is None and not left:
        assert whole == bool(archive.covered)
    if archived <= discord.visible and limit is not None:
        pages = -(-min(limit, len(archived)) // page_limit)
        # A range that ends between two messages costs a page more, and an empty one another two.
        assert discord.requests - asked <= pages + 3 * len(archive.covered.ranges) + len(archived) // known_most + 1


def test_what_was_caught_up_in_the_same_run_is_not_asked_for_again() -> None:
    discord = posted({CHANNEL + n * SECOND for n in range(1, 101)})
    archive = backfilled(discord, [])
    asked = discord.requests
    assert compare(discord, archive, Extent(page_limit=10), fresh=archive.covered)
    assert discord.requests == asked
    upper = Coverage.of([(CHANNEL + 71 * SECOND, CHANNEL + 101 * SECOND)])
    assert not compare(discord, archive, Extent(limit=50, page_limit=10), fresh=upper)
    assert discord.requests == asked + 2


def test_more_deletions_than_ids_were_read_are_found_all_the_same() -> None:
    discord = posted({CHANNEL + n * SECOND for n in range(1, 201)})
    archive = backfilled(discord, [])
    discord.visible = {CHANNEL + 1 * SECOND, CHANNEL + 199 * SECOND}
    assert compare(discord, archive, Extent(page_limit=10), known_most=20)
    assert archive.rows == discord.visible


def test_a_channel_that_shows_nothing_any_more_loses_nothing_and_does_not_count_as_compared() -> None:
    discord = posted({CHANNEL + n * SECOND for n in range(1, 30)})
    archive = backfilled(discord, [])
    discord.visible.clear()
    assert not compare(discord, archive, Extent(page_limit=10))
    assert len(archive.rows) == 29
    # One message is enough to show that the others are gone.
    discord.post(CHANNEL + 31 * SECOND)
    run(discord, archive, Goal(floor=CHANNEL))
    assert compare(discord, archive, Extent(page_limit=10))
    assert archive.rows == discord.visible


def test_without_the_right_to_read_nothing_is_lost() -> None:
    discord = posted({CHANNEL + n * SECOND for n in range(1, 30)})
    archive = backfilled(discord, [])
    discord.readable = False
    with pytest.raises(ChannelForbidden):
        compare(discord, archive, Extent(page_limit=10))
    assert len(archive.rows) == 29


def test_since_is_a_floor() -> None:
    discord = posted({CHANNEL + n * SECOND for n in range(1, 101)})
    archive = backfilled(discord, [(CHANNEL + 40 * SECOND, CHANNEL + 45 * SECOND)])
    asked = discord.requests
    assert not compare(discord, archive, Extent(floor=CHANNEL + 75 * SECOND, page_limit=10))
    assert discord.requests == asked + 3
    assert archive.covered.gaps(CHANNEL, CHANNEL + 100 * SECOND) == (
        Range(CHANNEL + 40 * SECOND, CHANNEL + 45 * SECOND),
    )


def test_only_what_was_compared_counts_towards_the_limit() -> None:
    """A page may span more archived rows than were read before it."""
    ids = [CHANNEL + n * SECOND for n in range(1, 9)]
    discord = posted(set(ids))
    archive = backfilled(discord, [])
    discord.visible.discard(ids[1])
    assert compare(discord, archive, Extent(limit=7, page_limit=4), known_most=3)
    assert ids[1] not in archive.rows
