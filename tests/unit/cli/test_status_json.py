"""`status --json`: what docs/status.md says, safe on any terminal, whoever chose the names."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from junkie_cli.cli.ndjson import dump
from junkie_cli.cli.status_json import as_json
from junkie_cli.cli.status_table import WORDS
from junkie_cli.cli.status_view import add_up
from junkie_cli.db.status import Record, Worker
from junkie_cli.ingest.changes import Changes
from junkie_cli.ingest.selection import Unlisted
from junkie_cli.ingest.standing import State, Wanted
from tests.unit.cli.runs import HOSTILE
from tests.unit.cli.test_status_table import (
    DM,
    EVERYTHING,
    FORUM,
    GENERAL,
    NOW,
    POST,
    SHALLOW,
    archive,
    entries_of,
    record,
    table,
)

DOCUMENT = (Path(__file__).parents[3] / "docs" / "status.md").read_text(encoding="utf-8")
WORKER = Worker("serve", 5, "box", 77, NOW, NOW, NOW - timedelta(seconds=8), uses_discord=True)
CHANGES = Changes(newer=(1 << 60,), unlisted=(Unlisted(7, "#staff", "lacks Manage Threads"),))


def status(*records: Record, changes: Changes | None = CHANGES, wanted: Wanted = Wanted()) -> dict[str, Any]:  # noqa: B008  frozen
    whole = archive(*records, workers=(WORKER,))
    entries = entries_of(whole, wanted=wanted)
    line = dump(as_json(whole, entries, add_up(entries), wanted, changes))
    assert line.isascii()
    assert line.isprintable()
    value = json.loads(line)
    assert isinstance(value, dict)
    return value


def documented(heading: str) -> list[str]:
    section = DOCUMENT.partition(f"{heading}\n")[2].partition("\n#")[0]
    return re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_every_field_is_documented_and_there_is_no_other() -> None:
    found = status(*EVERYTHING)
    assert documented("## For monitoring") == list(found)
    assert documented("### A channel") == list(found["channels"][0])
    assert documented("### A worker") == list(found["workers"][0])
    assert documented("### What `--live` changed") == list(found["live"])


def test_every_state_has_its_word_and_is_documented() -> None:
    for state in State:
        assert f"`{state.value}`" in DOCUMENT
        assert f"| {WORDS[state]} |" in DOCUMENT


def test_the_documented_table_is_what_is_shown() -> None:
    (example,) = re.findall(r"```text\n(.*?)\n```", DOCUMENT, re.DOTALL)
    shown = [line for line in table(*EVERYTHING) if line]
    assert [line for line in example.split("\n")[2:] if line not in shown] == []


def test_a_channel() -> None:
    found = status(SHALLOW)["channels"][0]
    channel, last_id = SHALLOW.channel, SHALLOW.channel.last_message_id
    assert last_id is not None
    assert found == {
        "channel_id": str(channel.channel_id),
        "guild_id": "1",
        "parent_id": str(channel.parent_id),
        "parent_name": None,
        "type": 0,
        "name": "shallow",
        "archived_at": None,
        "state": "partial",
        "reason": None,
        "gone_at": None,
        "messages": 500,
        "oldest": str(SHALLOW.oldest),
        "newest": str(SHALLOW.newest),
        "last_message_id": str(last_id),
        "floor": str(channel.channel_id),
        "covered": [{"lo": str(SHALLOW.oldest), "hi": str(last_id + 1)}],
        "gaps": [{"lo": str(channel.channel_id), "hi": str(SHALLOW.oldest)}],
        "requests": {"low": 3, "high": 10},
        "seconds": {"low": 0.1, "high": 5.0},
        "unwatched_since": "2024-04-28T12:00:00.000Z",
        "last_updated": "2024-05-01T11:55:00.000Z",
        "checked_at": None,
    }


def test_the_rest() -> None:
    found = status(*EVERYTHING, wanted=Wanted(target=10, since=5))
    assert (found["version"], found["as_of"]) == (1, "2024-05-01T12:00:00.000Z")
    assert found["last_changed"] == "2024-05-01T11:55:00.000Z"
    assert found["wanted"] == {"target": 10, "since": "5"}
    assert found["guilds"] == [
        {"guild_id": "1", "name": "The Guild", "gone_at": None},
        {"guild_id": "2", "name": "An old one", "gone_at": "2024-04-22T12:00:00.000Z"},
    ]
    assert found["totals"]["states"] == {
        "complete": 4,
        "target_met": 0,
        "partial": 2,
        "never_fetched": 1,
        "unreadable": 1,
        "gone": 1,
    }
    assert found["totals"]["requests"]["high"] >= found["totals"]["requests"]["low"] > 0
    assert found["workers"][0]["progress_at"] == "2024-05-01T11:59:52.000Z"
    assert found["live"]["newer"] == [str(1 << 60)]
    assert found["live"]["unlisted"] == [{"id": "7", "reason": "lacks Manage Threads"}]
    assert status(GENERAL, changes=None)["live"] is None


def test_a_thread_names_its_parent_and_what_is_not_known_is_null() -> None:
    assert status(FORUM, POST)["channels"][0]["parent_name"] == "help"
    assert status(DM)["channels"][0]["guild_id"] is None
    unknown = GENERAL._replace(known=False)
    found = status(unknown)["channels"][0]
    assert (found["name"], found["type"]) == (None, None)


def test_hostile_names_come_back_as_they_were() -> None:
    names = [name for name in HOSTILE if "\ud800" not in name]
    records = [record(n + 1, name, unreadable=name) for n, name in enumerate(names)]
    found = status(*records)["channels"]
    assert [each["name"] for each in found] == names
    assert [each["reason"] for each in found] == names


def test_a_guild_that_is_not_known() -> None:
    found = status(record(5, "x", guild_id=9))
    assert found["guilds"] == [{"guild_id": "9", "name": None, "gone_at": None}]
