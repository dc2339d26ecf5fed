"""The bar of a channel's life: whatever is missing shows, however short it is."""

from hypothesis import given
from hypothesis import strategies as st

from junkie_cli.cli.timeline import ASCII, BLOCKS, timeline
from junkie_cli.coverage import Coverage

RANGES = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200)), max_size=6)


def test_whole_nothing_and_halves() -> None:
    assert timeline(Coverage.of([(0, 100)]), 0, 100, 4) == "████"
    assert timeline(Coverage(), 0, 100, 4) == "░░░░"
    assert timeline(Coverage.of([(50, 100)]), 0, 100, 4) == "░░██"
    assert timeline(Coverage.of([(60, 100)]), 0, 100, 4, ASCII) == "..+#"


def test_one_missing_id_of_a_million_shows() -> None:
    covered = Coverage.of([(0, 500_000), (500_001, 1_000_000)])
    assert timeline(covered, 0, 1_000_000, 10) == "█████▒████"


def test_a_channel_without_a_message_has_no_life_to_show() -> None:
    assert timeline(Coverage.of([(5, 9)]), 5, 5, 6) == "      "
    assert timeline(Coverage(), 0, 9, 0) == ""


@given(ranges=RANGES, lo=st.integers(0, 150), length=st.integers(1, 150), cells=st.integers(1, 40))
def test_a_cell_is_full_only_if_all_of_it_is_covered(
    ranges: list[tuple[int, int]], lo: int, length: int, cells: int
) -> None:
    covered, hi = Coverage.of(ranges), lo + length
    bar = timeline(covered, lo, hi, cells)
    assert len(bar) == cells
    assert set(bar) <= set(BLOCKS)
    assert (set(bar) == {BLOCKS.full}) == covered.covers(lo, hi)
    assert (set(bar) == {BLOCKS.none}) == (covered.gaps(lo, hi) == ((lo, hi),))


@given(ranges=RANGES, lo=st.integers(0, 150), length=st.integers(1, 150), cells=st.integers(1, 40))
def test_the_oldest_end_is_on_the_left(ranges: list[tuple[int, int]], lo: int, length: int, cells: int) -> None:
    covered, hi = Coverage.of(ranges), lo + length
    bar = timeline(covered, lo, hi, cells)
    assert (bar[0] == BLOCKS.none) <= (lo not in covered)
    assert (bar[-1] == BLOCKS.none) <= (hi - 1 not in covered)
    assert (bar[0] == BLOCKS.full) <= (lo in covered)
    assert (bar[-1] == BLOCKS.full) <= (hi - 1 in covered)
