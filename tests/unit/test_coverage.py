from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from junkie_cli.coverage import Coverage, Range

LIMIT = 40

bounds = st.integers(0, LIMIT)
pairs = st.lists(st.tuples(bounds, bounds), max_size=8)
coverages = pairs.map(Coverage.of)


def ids(coverage: Coverage) -> set[int]:
    return {i for r in coverage for i in range(r.lo, r.hi)}


@given(pairs)
def test_holds_exactly_the_ids_of_its_ranges(given_pairs: list[tuple[int, int]]) -> None:
    assert ids(Coverage.of(given_pairs)) == {i for lo, hi in given_pairs for i in range(lo, hi)}


@given(pairs)
def test_ranges_are_sorted_not_empty_and_apart(given_pairs: list[tuple[int, int]]) -> None:
    coverage = Coverage.of(given_pairs)
    assert all(r.lo < r.hi for r in coverage)
    assert all(one.hi < other.lo for one, other in pairwise(coverage))


@given(pairs, st.randoms(use_true_random=False))
def test_order_and_repetition_make_no_difference(given_pairs: list[tuple[int, int]], shuffler: Random) -> None:
    mixed = given_pairs + given_pairs[:3]
    shuffler.shuffle(mixed)
    assert Coverage.of(mixed) == Coverage.of(given_pairs)
    assert Coverage.of(Coverage.of(given_pairs)) == Coverage.of(given_pairs)


@given(coverages, bounds, bounds)
def test_add_is_union(coverage: Coverage, lo: int, hi: int) -> None:
    assert ids(coverage.add(lo, hi)) == ids(coverage) | set(range(lo, hi))


@given(coverages, bounds, bounds)
def test_covers_means_every_id_between(coverage: Coverage, lo: int, hi: int) -> None:
    assert coverage.covers(lo, hi) == (set(range(lo, hi)) <= ids(coverage))


@given(coverages, bounds, bounds)
def test_gaps_and_coverage_make_up_the_whole(coverage: Coverage, lo: int, hi: int) -> None:
    gaps = coverage.gaps(lo, hi)
    assert {i for gap in gaps for i in range(gap.lo, gap.hi)} == set(range(lo, hi)) - ids(coverage)
    # Normalised, and each as large as can be.
    assert Coverage.of(gaps).ranges == gaps


@given(coverages, bounds)
def test_membership(coverage: Coverage, some_id: int) -> None:
    assert (some_id in coverage) == (some_id in ids(coverage))


@given(coverages)
def test_top_holds_the_newest(coverage: Coverage) -> None:
    if coverage:
        assert coverage.top is not None
        assert coverage.top.hi - 1 == max(ids(coverage))
    else:
        assert coverage.top is None
        assert coverage == Coverage()


@given(bounds, bounds, bounds, bounds)
def test_clamp_is_intersection(lo: int, hi: int, low: int, high: int) -> None:
    clamped = Range(lo, hi).clamp(low, high)
    assert set(range(*clamped)) == set(range(lo, hi)) & set(range(low, high))
    assert clamped.empty == (clamped.lo >= clamped.hi)


def test_the_upper_bound_is_exclusive() -> None:
    assert 5 in Range(5, 6)
    assert 6 not in Range(5, 6)
    assert Coverage.of([(1, 5), (5, 9)]).ranges == (Range(1, 9),)
    assert Coverage.of([(1, 5), (6, 9)]).gaps(1, 9) == (Range(5, 6),)
