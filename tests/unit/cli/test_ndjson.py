"""NDJSON: what docs/events.md says, one object a line, whoever chose the names."""

import asyncio
import errno
import io
import json
import re
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from junkie_cli.cli.ndjson import encode, event_name, written
from junkie_cli.errors import JunkieError
from junkie_cli.ingest import events
from junkie_cli.ingest.estimate import Left
from junkie_cli.ingest.events import ChannelEvent, Event, Outcome
from tests.unit.cli.runs import HOSTILE, began, ended, page, summary

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)
DOCUMENT = Path(__file__).parents[3] / "docs" / "events.md"
KINDS = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, Event) and kind not in {Event, ChannelEvent}
]


def read(event: Event) -> dict[str, Any]:
    line = encode(event, NOW)
    assert "\n" not in line
    assert line.isascii()
    assert line.isprintable()
    value = json.loads(line)
    assert isinstance(value, dict)
    return value


def test_an_event_as_documented() -> None:
    assert read(page(1 << 60, "#general", requests=3, held=300, left=Left(2, None))) == {
        "event": "page_stored",
        "time": "2024-05-01T12:00:00.000Z",
        "channel_id": str(1 << 60),
        "name": "#general",
        "phase": "initial",
        "fetched": 100,
        "new": 100,
        "edited": 0,
        "deleted": 0,
        "held": 300,
        "remaining": "100000000000000000",
        "requests": 3,
        "left": {"low": 2, "high": None},
    }


def test_ids_are_strings_and_words_have_underscores() -> None:
    assert read(began(5, "#a"))["last_id"] == str(10**18)
    assert read(ended(5, "#a", Outcome.TARGET_MET))["outcome"] == "target_met"
    assert read(summary(outcomes={Outcome.TARGET_MET: 2}, seconds=1.23456)) | {"time": ""} == {
        "event": "summary",
        "time": "",
        "channels": 3,
        "outcomes": {"target_met": 2},
        "fetched": 0,
        "new": 200,
        "edited": 0,
        "deleted": 0,
        "requests": 4,
        "seconds": 1.235,
        "interrupted": False,
        "fatal": "",
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_verbatim_and_harmless(name: str) -> None:
    assert read(ended(1, name))["name"] == name


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_and_field_is_documented(kind: type[Event]) -> None:
    sections = re.split(r"^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    section = next(text for text in sections if text.startswith(event_name(kind) + "\n"))
    documented = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section, flags=re.MULTILINE)
    assert [name for name, _ in documented][: len(fields(kind))] == [field.name for field in fields(kind)]
    for name, described in documented[: len(fields(kind))]:
        assert ("id" in described.split()) == (name.endswith("_id") or name in {"floor", "after"})


def test_every_outcome_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert all(f"| `{outcome.value.replace(' ', '_')}` |" in text for outcome in Outcome)


def test_events_are_written_as_they_happen() -> None:
    stream = io.StringIO()
    with written(stream, now=lambda: NOW) as emit:
        emit(ended(1, "#a"))
        assert stream.getvalue().endswith("\n")
        emit(summary())
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["channel_ended", "summary"]


class Broken(io.StringIO):
    """A stream whose reader has gone."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self._code = code

    def flush(self) -> None:
        raise OSError(self._code, "as the system says")


@pytest.mark.parametrize("code", [errno.EPIPE, errno.ENOSPC])
async def test_a_stream_that_can_not_be_written_ends_the_run_in_good_order(code: int) -> None:
    steps: list[str] = []

    async def run() -> None:
        with written(Broken(code)) as emit:
            try:
                emit(ended(1, "#a"))
                emit(ended(2, "#b"))
                steps.append("the event itself raises nothing")
                await asyncio.sleep(60)
            finally:
                steps.append("cleaned up")

    with pytest.raises(JunkieError, match="stdout can't be written") as caught:
        await asyncio.create_task(run())
    assert steps == ["the event itself raises nothing", "cleaned up"]
    assert "run the same command again" in caught.value.hint
