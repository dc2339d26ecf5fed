"""Where a channel stands: no gap is passed over, and nothing is called a gap that nobody wants."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junkie_cli.coverage import Coverage, Range
from junkie_cli.db.reader import ChannelState
from junkie_cli.db.status import Record
from junkie_cli.ingest.changes import Changes, changes
from junkie_cli.ingest.estimate import NOTHING, Left
from junkie_cli.ingest.selection import Unlisted
from junkie_cli.ingest.standing import Standing, State, Wanted, stand, to_count
from junkie_cli.models import Channel, ChannelType

NOW = datetime(2024, 5, 1, tzinfo=UTC)
ALL = Wanted()


def record(*covered: tuple[int, int], last_id: int | None = 1000, channel_id: int = 100, **fields: Any) -> Record:
    newest = fields.pop("newest", None)
    kind = fields.pop("type", ChannelType.TEXT)
    channel = Channel(channel_id, 1, None, kind, "general", last_id)
    state = ChannelState(channel_id, Coverage.of(covered), **({"held": 500} | fields))
    return Record(channel, known=True, state=state, oldest=None, newest=newest)


def at(one: Record, wanted: Wanted = ALL, current: int | None = None) -> Standing:
    return stand(one, wanted, {} if current is None else {100: current})


def test_complete() -> None:
    assert at(record((100, 1001))) == Standing(State.COMPLETE, 100, 1000)


def test_one_id_short_is_partial() -> None:
    for covered, gap in (([(101, 1001)], (100, 101)), ([(100, 1000)], (1000, 1001)), ([(100, 7), (8, 1001)], None)):
        standing = at(record(*covered))
        if gap is not None:
            assert standing.state is State.PARTIAL
            assert standing.gaps == (gap,)
            assert standing.left.low >= 1


def test_a_channel_that_never_had_a_message_is_complete() -> None:
    assert at(record(last_id=None, held=0)).state is State.COMPLETE


def test_a_channel_of_which_nothing_was_fetched() -> None:
    standing = at(record(held=0))
    assert standing == Standing(State.NEVER_FETCHED, 100, 1000, (Range(100, 1001),), Left(1, None))


def test_rows_without_coverage_are_not_fetched_history() -> None:
    assert at(record(last_id=None, newest=900, held=3)).gaps == (Range(100, 901),)
    assert at(record(last_id=None, newest=900, held=3)).state is State.NEVER_FETCHED
    # Discord never takes back its word of a last message, so that the row came after it.
    assert at(record((100, 1001), newest=1200)).state is State.PARTIAL
    assert at(record((100, 1001), newest=1200)).gaps == (Range(1001, 1201),)


@pytest.mark.parametrize(
    ("fields", "state"), [({"unreadable": "lacks View Channel"}, State.UNREADABLE), ({"gone_at": NOW}, State.GONE)]
)
def test_what_nobody_can_fetch_is_not_left_to_do(fields: dict[str, Any], state: State) -> None:
    standing = at(record((500, 1001), **fields))
    assert (standing.state, standing.left, standing.state.lacks) == (state, NOTHING, False)
    assert standing.gaps == (Range(100, 500),)


def test_gone_outweighs_unreadable() -> None:
    assert at(record(unreadable="lacks View Channel", gone_at=NOW)).state is State.GONE


class TestTarget:
    def test_it_is_met_in_the_range_that_ends_at_the_last_id(self) -> None:
        one = record((700, 1001))
        assert to_count(one, Wanted(target=50)) == Range(700, 1001)
        assert at(one, Wanted(target=50), 50) == Standing(State.TARGET_MET, 700, 1000)

    def test_one_message_less_is_partial(self) -> None:
        standing = at(record((700, 1001)), Wanted(target=50), 49)
        assert standing.state is State.PARTIAL
        assert standing.gaps == (Range(100, 700),)
        assert standing.left == Left(1, 1)

    @pytest.mark.parametrize(
        "one",
        [
            record((700, 900)),
            record((100, 1001)),
            record((700, 1001), held=49),
            record(held=60),
            record(last_id=None),
        ],
    )
    def test_nothing_is_counted_where_it_decides_nothing(self, one: Record) -> None:
        assert to_count(one, Wanted(target=50)) is None

    def test_newer_messages_unmeet_it(self) -> None:
        assert at(record((700, 900)), Wanted(target=50)).state is State.PARTIAL

    def test_without_a_target_nothing_is_counted(self) -> None:
        assert to_count(record((700, 1001)), ALL) is None

    def test_more_than_wanted_may_be_everything(self) -> None:
        assert at(record((100, 1001)), Wanted(target=50)).state is State.COMPLETE


class TestSince:
    def test_what_is_older_is_no_gap(self) -> None:
        assert at(record((700, 1001)), Wanted(since=700)) == Standing(State.TARGET_MET, 700, 1000)
        assert at(record((701, 1001)), Wanted(since=700)).gaps == (Range(700, 701),)

    def test_a_channel_that_was_quiet_since_lacks_nothing(self) -> None:
        assert at(record(held=0), Wanted(since=2000)).state is State.TARGET_MET


@given(
    ranges=st.lists(st.tuples(st.integers(90, 1100), st.integers(90, 1100)), max_size=5),
    since=st.none() | st.integers(0, 1200),
)
def test_a_state_without_gaps_is_the_one_that_lacks_none(ranges: list[tuple[int, int]], since: int | None) -> None:
    one = record(*ranges)
    standing = at(one, Wanted(since=since))
    assert standing.last_id is not None
    whole = one.state.covered.covers(standing.floor, standing.last_id + 1)
    assert standing.state.lacks == (not whole) == bool(standing.gaps)
    assert bool(standing.left.low) == bool(standing.gaps)


class TestChanges:
    def test_nothing(self) -> None:
        assert changes([record((100, 1001))], [record((100, 1001))]) == Changes()

    def test_everything_that_discord_can_say(self) -> None:
        before = [
            record(channel_id=1),
            record(channel_id=2),
            record(channel_id=3, gone_at=NOW),
            record(channel_id=4),
            record(channel_id=5, unreadable="lacks View Channel"),
        ]
        after = [
            record(channel_id=1, last_id=1001),
            record(channel_id=2, gone_at=NOW),
            record(channel_id=3),
            record(channel_id=4, unreadable="lacks View Channel"),
            record(channel_id=5),
            record(channel_id=6),
            record(channel_id=7, type=ChannelType.CATEGORY),
        ]
        unlisted = Unlisted(9, "G", "it could not be listed")
        assert changes(before, after, [unlisted]) == Changes((1,), (6,), (2,), (3,), (4,), (5,), (unlisted,))
