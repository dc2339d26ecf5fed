"""Estimates: never below what is known, "at least" where nothing is, and wider the less is known."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junkie_cli import snowflake
from junkie_cli.coverage import Coverage
from junkie_cli.ingest.estimate import (
    NOTHING,
    Left,
    Outlook,
    Progress,
    Share,
    counted_messages,
    deepening_bound,
    estimate,
    progress_of,
    requests_left,
)
from junkie_cli.ingest.steps import Goal, Phase
from junkie_cli.models import Channel, ChannelType

SPAN = 10**15
ids = st.integers(0, SPAN)
counts = st.integers(0, 10**6)
progresses = st.builds(
    Progress,
    held=counts,
    covered=ids,
    above=ids,
    below=ids,
    gaps=st.integers(1, 5),
    least=st.just(None),
    wanted=st.none() | counts,
    page_messages=st.integers(0, 100),
    page_span=ids,
    total=st.none() | counts,
)


@given(progresses)
def test_a_range_is_a_range_and_nothing_is_left_only_where_nothing_lacks(progress: Progress) -> None:
    left = requests_left(progress)
    assert left.low >= 0
    assert left.high is None or left.low <= left.high
    wants_below = progress.below > 0 and progress.wanted != 0
    if progress.above > 0 or wants_below:
        assert left.low >= 1
    if not progress.above and not wants_below:
        assert left == NOTHING


@given(progresses)
def test_a_target_bounds_what_is_left_below(progress: Progress) -> None:
    left = requests_left(progress)
    if progress.wanted is not None and progress.above == 0 and progress.total is None:
        assert left.high is not None
        assert left.high <= -(-progress.wanted // 100) + progress.gaps - 1


def test_of_a_channel_of_which_nothing_was_fetched_only_the_least_is_known() -> None:
    assert requests_left(Progress(below=SPAN)) == Left(1, None)


def test_a_target_makes_the_unknown_finite() -> None:
    assert requests_left(Progress(below=SPAN, wanted=1000)) == Left(1, 10)


def test_the_first_page_of_an_even_channel_tells_how_long_it_is() -> None:
    # 100 messages in a hundredth of the channel: 9,900 are left.
    left = requests_left(Progress(held=100, covered=SPAN // 100, below=SPAN - SPAN // 100))
    assert left.high is not None
    assert left.low <= 100 <= left.high


@given(st.integers(1, 98), st.integers(1, 10**6))
def test_the_less_is_known_the_wider_the_range(known: int, density: int) -> None:
    def ratio(percent: int) -> float:
        # The same rest, of which more or less is known beside it.
        covered = SPAN * percent // (100 - percent)
        held = density * 1000 * percent // (100 - percent)
        left = requests_left(Progress(held=held or 1, covered=covered, below=SPAN))
        assert left.high is not None
        return left.high / left.low

    assert ratio(known) >= ratio(known + 1) * 0.9


def test_a_denser_page_raises_the_most_and_a_thinner_one_lowers_the_least() -> None:
    whole = Progress(held=1000, covered=SPAN, below=SPAN)
    denser = Progress(held=1000, covered=SPAN, below=SPAN, page_messages=100, page_span=SPAN // 50)
    thinner = Progress(held=1000, covered=SPAN, below=SPAN, page_messages=100, page_span=SPAN)
    assert requests_left(denser).low == requests_left(whole).low
    assert (requests_left(denser).high or 0) > (requests_left(whole).high or 0)
    assert requests_left(thinner).low < requests_left(whole).low


class TestProgress:
    goal = Goal(floor=1000)

    def test_a_new_channel_lacks_everything(self) -> None:
        assert progress_of(self.goal, 1999, Coverage()) == Progress(below=1000)

    def test_a_channel_that_is_covered_lacks_nothing(self) -> None:
        progress = progress_of(self.goal, 1999, Coverage.of([(1000, 2000)]), held=7)
        assert requests_left(progress) == NOTHING

    def test_a_channel_without_messages_in_the_span_lacks_nothing(self) -> None:
        assert requests_left(progress_of(self.goal, 999, Coverage())) == NOTHING
        assert requests_left(progress_of(self.goal, None, Coverage())) == NOTHING

    def test_what_is_newer_than_the_newest_covered_id_is_told_from_what_is_older(self) -> None:
        progress = progress_of(self.goal, 1999, Coverage.of([(1200, 1300), (1400, 1900)]))
        assert (progress.above, progress.below, progress.gaps, progress.covered) == (100, 300, 2, 600)

    def test_a_gap_below_a_range_that_live_events_opened_is_no_catch_up(self) -> None:
        progress = progress_of(self.goal, 1999, Coverage.of([(1000, 1500), (2050, 2100)]))
        assert (progress.above, progress.below) == (0, 500)

    def test_a_target_that_may_be_met_is_not_counted_as_certain(self) -> None:
        goal = Goal(floor=1000, target=50)
        covered = Coverage.of([(1500, 2000)])
        uncounted = progress_of(goal, 1999, covered, held=60)
        assert (uncounted.least, uncounted.wanted) == (0, 50)
        assert requests_left(progress_of(goal, 1999, covered, held=60)) == Left(0, 1)
        assert requests_left(progress_of(goal, 1999, covered, held=60, current=60)) == NOTHING
        assert requests_left(progress_of(goal, 1999, covered, held=60, current=10)).low == 1
        assert progress_of(goal, 1999, covered, held=40).least == 10

    def test_catch_up_is_not_bounded_by_a_target(self) -> None:
        goal = Goal(floor=0, target=50)
        covered = Coverage.of([(0, 10**9)])
        left = requests_left(progress_of(goal, 10**11, covered, held=10**4, current=10**4))
        assert left.low > 100

    def test_iterations_bound_what_is_left(self) -> None:
        goal = Goal(floor=0, batch=250, max_iterations=2)
        assert deepening_bound(goal, Coverage()) == 9
        assert deepening_bound(goal, Coverage.of([(1, 2)])) == 6
        assert deepening_bound(Goal(floor=0, deepen=False), Coverage.of([(1, 2)])) == 0
        assert deepening_bound(Goal(floor=0), Coverage()) is None
        assert requests_left(progress_of(goal, SPAN, Coverage(), most_pages=9)) == Left(1, 9)


def thread(count: int | None, *, made: int = 2024, kind: int = ChannelType.PUBLIC_THREAD) -> Channel:
    at = snowflake.from_datetime(datetime(made, 1, 1, tzinfo=UTC))
    return Channel(at, 1, 2, kind, "thread", at + 1, message_count=count)


@pytest.mark.parametrize(
    ("channel", "total"),
    [
        (thread(35), 36),
        (thread(5000), 5001),
        (thread(49, made=2021), 50),
        (thread(50, made=2021), None),
        (thread(None), None),
        (thread(35, kind=ChannelType.TEXT), None),
    ],
)
def test_discords_own_count_of_a_thread_is_believed_where_it_is_whole(channel: Channel, total: int | None) -> None:
    assert counted_messages(channel) == total


@pytest.mark.parametrize(
    ("total", "held", "left"), [(36, 0, Left(1, 1)), (250, 0, Left(3, 3)), (250, 200, Left(1, 1)), (5, 9, Left(1, 1))]
)
def test_a_thread_that_discord_counted_is_known_before_anything_is_fetched(total: int, held: int, left: Left) -> None:
    assert requests_left(Progress(below=SPAN, held=held, total=total)) == left


class TestOutlook:
    def test_it_narrows_as_pages_come_in_and_ends_at_nothing(self) -> None:
        outlook = Outlook(Goal(floor=0), 9_999, Coverage())
        assert outlook.left == Left(1, None)
        widths = []
        for page in range(1, 101):
            left = outlook.page(
                Phase.INITIAL, Coverage.of([(10_000 - page * 100, 10_000)]), messages=100, held=page * 100
            )
            assert left.high is not None
            truly = 100 - page
            assert left.low <= truly + 1
            assert left.high >= truly
            widths.append(left.high - left.low)
        assert outlook.left == NOTHING
        assert widths[-2] < widths[0]

    def test_a_target_counts_down(self) -> None:
        outlook = Outlook(Goal(floor=0, target=300), 9_999, Coverage())
        assert outlook.left == Left(1, 3)
        left = outlook.page(Phase.INITIAL, Coverage.of([(9_900, 10_000)]), messages=100, held=100)
        assert left == Left(2, 2)
        outlook.counted(250)
        left = outlook.page(Phase.DEEPEN, Coverage.of([(9_800, 10_000)]), messages=50, held=300)
        assert left == NOTHING

    def test_iterations_count_down(self) -> None:
        outlook = Outlook(Goal(floor=0, batch=100, max_iterations=1), 9_999, Coverage())
        assert outlook.left == Left(1, 2)
        assert outlook.page(Phase.INITIAL, Coverage.of([(9_900, 10_000)]), messages=100, held=100) == Left(1, 1)
        assert outlook.page(Phase.DEEPEN, Coverage.of([(9_800, 10_000)]), messages=100, held=200) == NOTHING


class TestEstimate:
    def test_the_longest_channel_decides_where_the_rest_is_quick(self) -> None:
        assert estimate([Share(Left(60, 60)), Share(Left(5, 5))]).low_seconds == 55.0

    def test_all_channels_together_decide_where_there_are_many(self) -> None:
        whole = estimate([Share(Left(10, 20))] * 900)
        assert (whole.requests, whole.low_seconds, whole.high_seconds) == (Left(9000, 18000), 200.0, 400.0)

    def test_one_channel_without_an_upper_bound_leaves_the_whole_without_one(self) -> None:
        whole = estimate([Share(Left(60, 60)), Share(Left(1, None))])
        assert (whole.requests, whole.low_seconds, whole.high_seconds) == (Left(61, None), 55.0, None)

    def test_channels_not_begun_yet_add_to_the_least_and_leave_the_most_open(self) -> None:
        whole = estimate([], queued=4500)
        assert (whole.requests, whole.low_seconds, whole.high_seconds) == (Left(4500, None), 100.0, None)

    def test_nothing_left_takes_no_time(self) -> None:
        whole = estimate([Share(NOTHING)])
        assert (whole.requests, whole.low_seconds, whole.high_seconds) == (NOTHING, 0.0, 0.0)

    def test_a_slower_pace_than_the_usual_raises_the_most_and_a_quicker_one_lowers_both(self) -> None:
        slow = estimate([Share(Left(60, 60), pace=3.0)])
        assert (slow.low_seconds, slow.high_seconds) == (55.0, 180.0)
        quick = estimate([Share(Left(60, 60), pace=0.1)])
        assert (quick.low_seconds, quick.high_seconds) == (6.0, 6.0)

    @given(st.lists(st.builds(Share, st.integers(0, 10**4).map(lambda n: Left(n, n + 5)), st.none() | st.floats(0, 9))))
    def test_least_and_most_never_cross(self, shares: list[Share]) -> None:
        whole = estimate(shares)
        assert whole.high_seconds is not None
        assert 0 <= whole.low_seconds <= whole.high_seconds
        assert whole.low_seconds >= whole.requests.low / 45
