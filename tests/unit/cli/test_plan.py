"""The plan of a dry run: honest, sorted, and as wide as the terminal."""

import json
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len

from junkie_cli import snowflake
from junkie_cli.cli.plan import Row, as_json, as_table, lacks, show_plan
from junkie_cli.coverage import Coverage, Range
from junkie_cli.db.reader import ChannelState
from junkie_cli.ingest.backfill import BackfillOptions, Prepared
from junkie_cli.ingest.estimate import Left, Progress
from junkie_cli.ingest.selection import Found, Target, Unlisted
from junkie_cli.models import Access, Channel, ChannelType, Guild
from tests.unit.cli.runs import HOSTILE


def at(month: int) -> int:
    return snowflake.from_datetime(datetime(2024, month, 1, tzinfo=UTC))


FRESH = Row(at(1), "#fresh", 0, at(6), (Range(at(1), at(6)),), fresh=True, left=Left(1, None))
BEHIND = Row(at(1), "#behind", 1200, at(6), (Range(at(5), at(6) + 1),), left=Left(20, 45))
SHALLOW = Row(at(1), "#shallow", 500, at(6), (Range(at(1), at(4)),), at(1), left=Left(3, 3))
TORN = Row(at(1), "#torn", 7, at(6), (Range(at(1), at(2)), Range(at(3), at(4))), left=Left(2, 9))
HOLED = Row(at(1), "#holed", 7, at(6), (Range(at(2), at(3)),), at(1), left=Left(2, 9))
CURRENT = Row(at(1), "#current", 90, at(6))
STAFF = Row(at(1), "#staff", 0, reason="lacks View Channel")


def test_a_plan() -> None:
    assert as_table([CURRENT, SHALLOW, FRESH, BEHIND, TORN, STAFF], 1, width=80) == [
        "Channel                    Archived    Requests              Lacks          Time",
        "#behind                       1,200       20–45   since 2024-05-01       15–40 s",  # noqa: RUF001  a dash
        "#shallow                        500           3  before 2024-04-01     up to 1 s",
        "#torn                             7         2–9        2 stretches     up to 5 s",  # noqa: RUF001  a dash
        "#fresh                            0  at least 1         everything  at least 1 s",
        "",
        "6 channels in 1 guild: 4 to fetch, 1 up to date, 1 unreadable",
        "Requests: at least 26. Time: at least 15 s.",
        "Discord gives no counts: where nothing was fetched yet, only the least is known.",
        "",
        "1 channel can't be read (give the bot the right, or use --exclude):",
        "  lacks View Channel: #staff",
    ]


def test_nothing_to_do_needs_no_table() -> None:
    assert as_table([CURRENT], 2, width=80) == ["1 channel in 2 guilds: 0 to fetch, 1 up to date, 0 unreadable"]


def test_a_plan_without_the_unknown_has_an_upper_bound() -> None:
    assert "Requests: 23–48. Time: 15–40 s." in as_table([SHALLOW, BEHIND], 1, width=80)  # noqa: RUF001  a dash


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_hostile_names_keep_to_the_width(width: int) -> None:
    rows = [Row(at(1), name, 0, at(6), (), fresh=True, left=Left(1, None)) for name in HOSTILE]
    for line in as_table(rows, 1, width=width):
        assert cell_len(line) <= max(width, 20)
        assert line.isprintable() or "\u200d" in line


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (FRESH, "everything"),
        (BEHIND, "since 2024-05-01"),
        (SHALLOW, "before 2024-04-01"),
        (TORN, "2 stretches"),
        (HOLED, "1 stretch"),
    ],
)
def test_what_lacks_in_words(row: Row, words: str) -> None:
    assert lacks(row) == words


def test_a_plan_for_programs() -> None:
    plan = as_json([BEHIND, FRESH, STAFF], 1)
    assert plan["requests"] == {"low": 21, "high": None}
    assert plan["seconds"] == {"low": 15.0, "high": None}
    assert plan["channels"][0] == {
        "channel_id": str(at(1)),
        "name": "#behind",
        "readable": True,
        "reason": "",
        "archived": 1200,
        "gaps": [{"lo": str(at(5)), "hi": str(at(6) + 1)}],
        "requests": {"low": 20, "high": 45},
        "seconds": {"low": 15.0, "high": 40.0},
    }
    assert plan["channels"][2]["readable"] is False


CLOSED = Unlisted(7, "a guild\x1b[2J", "it could not be listed: guild 7: Missing Access (403, code 50001)")


def test_what_could_not_be_listed_is_told_and_leaves_the_end_open() -> None:
    assert as_table([SHALLOW], 1, [CLOSED], width=80)[2:] == [
        "",
        "1 channel in 1 guild: 1 to fetch, 0 up to date, 0 unreadable",
        "Requests: at least 3. Time: at least 1 s.",
        "",
        "What could not be looked at is not in this plan:",
        "  a guild\ufffd[2J: it could not be listed: guild 7: Missing Access (403, code 50001)",
    ]
    plan = as_json([SHALLOW], 1, [CLOSED])
    assert plan["requests"] == {"low": 3, "high": None}
    assert plan["unlisted"] == [{"id": "7", "name": CLOSED.name, "reason": CLOSED.reason}]


@pytest.fixture
def prepared() -> Prepared:
    channels = [
        Channel(at(1), 1, None, ChannelType.TEXT, "done", at(3)),
        Channel(at(2), 1, None, ChannelType.TEXT, "new", at(3)),
        Channel(at(3), 1, None, ChannelType.TEXT, "staff", at(4)),
    ]
    access = [Access(readable=True), Access(readable=True), Access(readable=False, reason="lacks View Channel")]
    targets = [Target(channel, right, f"#{channel.name}") for channel, right in zip(channels, access, strict=True)]
    done = ChannelState(at(1), Coverage.of([(at(1), at(3) + 1)]), held=10)
    states = {at(1): done, at(2): ChannelState(at(2)), at(3): ChannelState(at(3))}
    progress = {at(1): Progress(held=10, covered=1), at(2): Progress(below=at(3) - at(2) + 1)}
    return Prepared(Found(guilds=[Guild(1, "G")], targets=targets), states, progress)


def test_a_plan_is_made_of_what_was_prepared(prepared: Prepared, capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(prepared, BackfillOptions(), json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["#new", "0", "at", "least", "1", "everything", "at", "least", "1", "s"]
    assert "3 channels in 1 guild: 1 to fetch, 1 up to date, 1 unreadable" in lines


def test_a_plan_as_json_is_one_object_on_one_line(prepared: Prepared, capsys: pytest.CaptureFixture[str]) -> None:
    show_plan(prepared, BackfillOptions(), json=True)
    (line,) = capsys.readouterr().out.splitlines()
    plan = json.loads(line)
    assert [channel["name"] for channel in plan["channels"]] == ["#done", "#new", "#staff"]
    assert plan["channels"][0]["gaps"] == []
    assert plan["channels"][1]["gaps"] == [{"lo": str(at(2)), "hi": str(at(3) + 1)}]
