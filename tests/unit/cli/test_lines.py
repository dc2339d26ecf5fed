"""The log lines, in the forms that people grep for."""

import logging
from typing import Any

import pytest

from junkie_cli.cli.lines import line_of, logged
from junkie_cli.ingest import events
from junkie_cli.ingest.estimate import Left
from junkie_cli.ingest.events import Event, Outcome
from tests.unit.cli.runs import HOSTILE, ended, found, page, summary


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (found(12), "Found 12 channels to backfill"),
        (events.CatchUpBegan(1, "#general", 123), "↑ Catching up #general (after ID 123)"),
        (events.InitialFetchBegan(1, "#general"), "⚡ No existing data for #general. Performing initial fetch..."),
        (events.IterationBegan(1, "#general", 3, 400, 1000), "↓ #general iteration 3: 400/1000 (need 600 more)"),
        (events.IterationBegan(1, "#general", 3, 400, None), "↓ #general iteration 3: 400/400 (need 0 more)"),
        (events.IterationEnded(1, "#general", 700, 1000), "✓ Progress: 700/1000 (70%)"),
        (events.IterationEnded(1, "#general", 700, None), "✓ Progress: 700/700 (100%)"),
        (
            ended(1, "#general", Outcome.TARGET_MET, held=1040, target=1000, fetched=300),
            "✓ Completed #general: 1040/1000 (100%) - Fetched 300 messages",
        ),
        (
            ended(1, "#general", held=999, target=1000, fetched=999),
            "✓ Completed #general: 999/1000 (99%) - Fetched 999 messages",
        ),
        (ended(1, "#general", held=0, fetched=0), "✓ Completed #general: 0/0 (100%) - Fetched 0 messages"),
    ],
)
def test_the_seeds_lines(event: Event, line: str) -> None:
    assert line_of(event) == (logging.INFO, line)


@pytest.mark.parametrize(
    ("outcome", "how", "level", "words"),
    [
        (Outcome.UNCHANGED, {}, logging.DEBUG, "✓ Completed #a"),
        (Outcome.PARTIAL, {}, logging.INFO, "↓ Stopped #a: 100 messages held, older ones remain"),
        (Outcome.PARTIAL, {"target": 400}, logging.INFO, "↓ Stopped #a: 100/400 (25%), older ones remain"),
        (Outcome.BUSY, {}, logging.INFO, "another command"),
        (Outcome.GONE, {}, logging.INFO, "✗ #a no longer exists"),
        (Outcome.SYNCED, {"edited": 2, "deleted": 1}, logging.INFO, "✓ Synced #a: 100 new, 2 edited, 1 deleted"),
        (Outcome.SYNCED, {"new": 0}, logging.DEBUG, "✓ Synced #a: 0 new, 0 edited, 0 deleted"),
        (Outcome.UNREADABLE, {"reason": "lacks View Channel"}, logging.INFO, "✗ #a can't be read: lacks View Channel"),
        (Outcome.FAILED, {"reason": "answered 500"}, logging.INFO, "✗ #a failed: answered 500"),
    ],
)
def test_each_outcome_has_a_line(outcome: Outcome, how: dict[str, Any], level: int, words: str) -> None:
    line = line_of(ended(1, "#a", outcome, **how))
    assert line is not None
    assert line.level == level
    assert words in line.text


@pytest.mark.parametrize(
    ("event", "level", "words"),
    [
        (events.ChannelsFound(12, 0, 1, work="sync"), logging.INFO, "Found 12 channels to sync"),
        (events.AnotherRuns(2.0, stalled=False), logging.INFO, "last got on 2.0 s ago"),
        (events.AnotherRuns(700.0, stalled=True), logging.WARNING, "no progress for 11 min 40 s"),
    ],
)
def test_the_lines_of_sync(event: Event, level: int, words: str) -> None:
    line = line_of(event)
    assert line is not None
    assert line.level == level
    assert words in line.text


def test_every_outcome_is_tried_above() -> None:
    assert all(line_of(ended(1, "#a", outcome)) is not None for outcome in Outcome)


def test_pages_and_waits_are_for_debugging() -> None:
    stored = line_of(page(1, "#a", requests=1, held=5, left=Left(0, 0)))
    waiting = line_of(events.Waiting(1, "#a", 2.5))
    assert stored is not None
    assert waiting is not None
    assert stored.level == waiting.level == logging.DEBUG


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_on_one_line_and_move_no_cursor(name: str) -> None:
    for event in (events.InitialFetchBegan(1, name), ended(1, name), events.DiscoveryBegan(name)):
        line = line_of(event)
        assert line is not None
        assert not any(ch < " " or "\x7f" <= ch <= "\x9f" or ch in "\u202e\u2066\u2028" for ch in line.text)


def test_a_run_is_logged_at_its_levels(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with logged() as emit:
        emit(found(2, unreadable=1))
        emit(ended(1, "#a"))
        emit(ended(2, "#same", Outcome.UNCHANGED))
        emit(ended(3, "#staff", Outcome.UNREADABLE, reason="lacks View Channel"))
        emit(summary(channels=3, outcomes={Outcome.COMPLETE: 1, Outcome.UNCHANGED: 1, Outcome.UNREADABLE: 1}))
    texts = [record.message for record in caplog.records]
    assert not any("#same" in text for text in texts)
    assert "Summary: 2/3 channels successful, 1 failed" in texts
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING][-1] == (
        "  lacks View Channel: #staff"
    )
    assert {record.name for record in caplog.records} == {"junkie"}
