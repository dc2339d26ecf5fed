import logging

from junkie_cli.cli.closing import RESUME, Closing
from junkie_cli.ingest.events import ChannelsFound, Outcome
from tests.unit.cli.runs import ended, summary


def test_what_was_done_in_two_lines() -> None:
    assert Closing().lines(summary(new=1234, edited=3, deleted=1, requests=56)) == [
        (logging.INFO, "Summary: 3/3 channels successful, 0 failed"),
        (logging.INFO, "1,234 new messages, 3 edited, 1 deleted; 56 requests in 8.4 s"),
    ]


def test_troubles_are_grouped_by_reason_the_commonest_first_and_long_lists_cut() -> None:
    closing = Closing()
    closing.note(ended(99, "#staff", Outcome.UNREADABLE, reason="lacks View Channel"))
    for number in range(11):
        closing.note(ended(number, f"#c{number}", Outcome.UNREADABLE, reason="lacks Read Message History"))
    closing.note(ended(98, "#odd\x1b[2J" + "x" * 100, Outcome.FAILED, reason="answered\n500"))
    closing.note(ended(97, "#fine"))
    lines = [text for level, text in closing.lines(summary()) if level == logging.WARNING]
    assert lines[0].startswith("12 channels can't be read")
    assert lines[1] == "  lacks Read Message History: #c0, #c1, #c2, #c3, #c4, #c5, #c6, #c7 and 3 more"
    assert lines[2] == "  lacks View Channel: #staff"
    assert lines[3] == "1 channel failed:"
    assert "\x1b" not in lines[4]
    assert "\n" not in lines[4]
    assert len(lines[4]) < 90


def test_an_interrupted_run_says_how_to_go_on() -> None:
    assert Closing().lines(summary(interrupted=True))[-1] == (logging.WARNING, RESUME)
    # Before a channel was found there is nothing else to tell.
    assert Closing().lines(summary(channels=0, outcomes={}, interrupted=True)) == [(logging.WARNING, RESUME)]


def test_what_was_fatal_at_once_is_left_to_the_error() -> None:
    assert Closing().lines(summary(channels=0, outcomes={}, fatal="401")) == []
    assert Closing().lines(summary(fatal="401"))[0][1] == "Summary: 3/3 channels successful, 0 failed"


def test_nothing_to_do_is_told_with_what_to_do_about_it() -> None:
    for guilds, words in ((0, "Invite it"), (2, "View Channels and Read Message History")):
        closing = Closing()
        closing.note(ChannelsFound(0, 0, guilds))
        *_, (level, text) = closing.lines(summary(channels=0, outcomes={}))
        assert level == logging.WARNING
        assert words in text
        assert closing.lines(summary(channels=0, outcomes={}, interrupted=True)) == [(logging.WARNING, RESUME)]
        # What could not be listed says so itself.
        assert words not in closing.lines(summary(channels=0, outcomes={Outcome.FAILED: 1}))[-1][1]
