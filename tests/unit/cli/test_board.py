"""What bars show, computed from events at times that the test tells."""

import pytest

from junkie_cli.cli.board import Board, Meter
from junkie_cli.ingest.estimate import Left
from junkie_cli.ingest.events import DiscoveryBegan, Waiting
from tests.unit.cli.runs import began, ended, found, page


def board_with(count: int, now: float = 0.0) -> Board:
    board = Board(0.0)
    board.note(found(count, requests=count), now)
    for number in range(count):
        board.note(began(number, f"#{number}"), now)
    return board


def test_discovery_ends_with_what_was_found() -> None:
    board = Board(0.0)
    seen = [board.looking_at]
    for event in (DiscoveryBegan("Guild"), found(2, unreadable=3)):
        board.note(event, 0.1)
        seen.append(board.looking_at)
    assert seen == ["", "Guild", None]
    assert board.channels == 5


def test_pages_add_up() -> None:
    board = board_with(2)
    board.note(page(0, "#0", requests=1, held=100, left=Left(3, 9)), 1.0)
    board.note(page(0, "#0", requests=2, held=200, left=Left(2, 4)), 2.0)
    board.note(page(1, "#1", requests=1, held=50, left=Left(0, 0), fetched=50), 2.0)
    board.note(ended(1, "#1"), 2.0)
    assert (board.fetched, board.requests, board.ended, list(board.rows)) == (250, 3, 1, [0])
    assert board.rows[0].held == 200
    assert board.rows[0].fraction == pytest.approx(2 / 5)
    assert board.meter.rate(2.0) == 125.0


def test_a_rate_is_taken_over_the_last_ten_seconds() -> None:
    meter = Meter(0.0)
    meter.add(0.1, 50)
    assert meter.rate(0.2) == 50.0
    for second in range(5, 100, 5):
        meter.add(float(second), 500)
    assert meter.rate(95.5) == 100.0
    assert meter.rate(200.0) == 0.0


def test_nothing_fetched_yet_means_at_least() -> None:
    board = board_with(2)
    assert board.left(0.0).high_seconds is None
    assert board.left(0.0).requests == Left(2, None)
    board.note(page(0, "#0", requests=1, held=100, left=Left(10, 20)), 0.5)
    board.note(page(1, "#1", requests=1, held=100, left=Left(1, 1)), 0.5)
    # It is reckoned anew once a second only, so that it can be read.
    assert board.left(0.5).high_seconds is None
    assert board.left(1.5).requests == Left(11, 21)


def test_channels_not_begun_yet_count_with_the_least_that_they_need() -> None:
    board = Board(0.0)
    board.note(found(1000, requests=900), 0.0)
    board.note(began(1, "#1", left=Left(3, 5)), 0.0)
    assert board.left(0.0).requests == Left(900, None)


def test_the_pace_is_learned_from_the_first_wait() -> None:
    board = board_with(1)
    for number in range(1, 6):
        board.note(page(0, "#0", requests=number, held=number * 100, left=Left(20, 20)), 0.1 * number)
    assert board.rows[0].pace is None
    board.note(Waiting(0, "#0", 1.5), 0.5)
    assert board.rows[0].waits(1.9)
    assert not board.rows[0].waits(2.0)
    assert board.rows[0].pace == pytest.approx(2.0 / 5)
    assert board.left(3.0).high_seconds == pytest.approx(8.0)


def test_without_waits_the_pace_is_what_it_took() -> None:
    board = board_with(1)
    for number in range(1, 8):
        board.note(page(0, "#0", requests=number, held=number * 100, left=Left(20, 20)), 0.1 * number)
    assert board.rows[0].pace == pytest.approx(0.1)


def test_a_channel_that_is_held_up_by_others_keeps_the_usual_pace() -> None:
    board = board_with(1)
    for number in range(1, 8):
        board.note(page(0, "#0", requests=number, held=number * 100, left=Left(20, 20)), 9.0 * number)
    assert board.rows[0].pace == 1.0
    # What all share was slow, and so may the rest be.
    assert board.left(63.0).low_seconds == 15.0
    assert board.left(63.0).high_seconds == pytest.approx(100.0)


def test_more_channels_than_fit_the_most_recently_active_are_shown_and_keep_their_places() -> None:
    board = board_with(40)
    for number in (7, 3, 30):
        board.note(page(number, f"#{number}", requests=1, held=1, left=Left(1, 2)), 1.0 + number)
    assert [row.channel_id for row in board.visible(3, 32.0)] == [3, 7, 30]
    board.note(page(5, "#5", requests=1, held=1, left=Left(1, 2)), 33.0)
    assert [row.channel_id for row in board.visible(3, 33.0)] == [5, 7, 30]
    board.note(ended(7, "#7"), 34.0)
    (first, second, third) = [row.channel_id for row in board.visible(3, 34.0)]
    assert (first, third) == (5, 30)
    assert second not in {5, 7, 30}


def test_an_idle_channel_gives_its_place_to_a_busy_one() -> None:
    board = board_with(2)
    assert [row.channel_id for row in board.visible(1, 0.0)] == [1]
    board.note(page(0, "#0", requests=1, held=1, left=Left(1, 2)), 9.0)
    assert [row.channel_id for row in board.visible(1, 9.0)] == [1]
    board.note(page(0, "#0", requests=2, held=2, left=Left(1, 2)), 11.0)
    assert [row.channel_id for row in board.visible(1, 11.0)] == [0]


def test_the_whole_is_done_when_all_channels_are() -> None:
    board = board_with(1)
    assert board.fraction(0.0) == 0.0
    board.note(page(0, "#0", requests=3, held=1, left=Left(3, 3)), 2.0)
    assert board.fraction(2.0) == pytest.approx(0.5)
    board.note(ended(0, "#0"), 3.0)
    assert board.fraction(3.0) == 1.0
