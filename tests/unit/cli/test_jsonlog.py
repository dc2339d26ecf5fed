"""Logs for machines: one JSON object a line, ids as fields, and nothing else on stderr."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from junkie_cli.cli import options
from junkie_cli.cli.app import main
from junkie_cli.cli.lines import logged
from junkie_cli.cli.ndjson import as_fields
from junkie_cli.cli.output import error_line, is_structured, note, set_up_logging
from junkie_cli.config import VARIABLES
from junkie_cli.ingest.events import Outcome
from junkie_cli.values import hide
from tests.unit.cli.runs import HOSTILE, ended, found, summary


@pytest.fixture(autouse=True)
def quiet_afterwards() -> Iterator[None]:
    """The log is the process's: leave it as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    options.for_all.set({})


def read(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.isascii()
    return [json.loads(line) for line in written.err.splitlines()]


def test_a_record_is_one_object_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "json")
    log = logging.getLogger("junkie.test")
    log.warning("%s\nis \x1b[31mgone", "channel", extra={"channel_id": 2**63 - 1, "guild_id": None, "shard": 3})
    log.debug("not now")
    (line,) = read(capsys)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "WARNING",
        "logger": "junkie.test",
        "message": "channel\nis \x1b[31mgone",
        "channel_id": str(2**63 - 1),
        "guild_id": None,
        "shard": 3,
    }


def test_a_traceback_shows_no_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("DEBUG", "json")
    try:
        secret = "hun" + "ter2"
        _ = len(secret) / 0
    except ZeroDivisionError:
        logging.getLogger("junkie").debug("unexpected", exc_info=True)
    (line,) = read(capsys)
    assert "ZeroDivisionError" in line["traceback"]
    assert "hunter2" not in json.dumps(line)


def test_no_secret_shows_however_json_spells_it(capsys: pytest.CaptureFixture[str]) -> None:
    hide(secret := 'of "quotes" and \\ ünd ümlauts')
    set_up_logging("DEBUG", "json")
    try:
        int(secret)
    except ValueError:
        logging.getLogger("junkie").debug("for %s", secret, exc_info=True, extra={"place": secret})
    error_line(f"with {secret}", f"not {secret}")
    lines = read(capsys)
    assert [line["message"] for line in lines] == ["for ********", "with ********"]
    assert (lines[0]["place"], lines[1]["hint"]) == ("********", "not ********")
    assert "invalid literal for int() with base 10: '********'" in lines[0]["traceback"]


def test_what_is_said_to_the_user_is_an_object_too(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("CRITICAL", "json")
    error_line("it broke", "mend it", code=5)
    note("done\n")
    error, said = read(capsys)
    assert (error["level"], error["message"], error["hint"], error["exit_code"]) == ("ERROR", "it broke", "mend it", 5)
    assert (said["level"], said["logger"], said["message"]) == ("INFO", "junkie", "done\n")


@pytest.mark.parametrize("name", HOSTILE)
def test_events_come_with_their_fields(capsys: pytest.CaptureFixture[str], name: str) -> None:
    set_up_logging("DEBUG", "json")
    happened = [found(2), ended(7, name, Outcome.FAILED, reason=name), summary()]
    with logged() as emit:
        for event in happened:
            emit(event)
    lines = read(capsys)
    assert [line["event"] for line in lines if "event" in line] == ["channels_found", "channel_ended", "summary"]
    for event, line in zip(happened, [line for line in lines if "event" in line], strict=True):
        assert as_fields(event).items() <= line.items()
    assert lines[1]["channel_id"] == "7"


def test_text_is_text_again(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO", "json")
    assert is_structured()
    set_up_logging("INFO")
    assert not is_structured()
    error_line("it broke", "mend it", code=5)
    assert capsys.readouterr().err == "error: it broke; mend it\n"


class TestEveryError:
    @pytest.fixture(autouse=True)
    def nowhere(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for variable in VARIABLES:
            monkeypatch.delenv(variable.name, raising=False)
        monkeypatch.setenv("JUNKIE_HOME", str(tmp_path / "home"))
        monkeypatch.chdir(tmp_path)

    @pytest.mark.parametrize("arguments", ["", "db", "nonsense", "backfill --nonsense", "backfill --target x", "sync"])
    @pytest.mark.parametrize("by", ["flag", "environment"])
    def test_is_an_object(
        self, by: str, arguments: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if by == "environment":
            monkeypatch.setenv("JUNKIE_LOG_FORMAT", "json")
        code = main([*(["--log-format", "json"] if by == "flag" else []), *arguments.split()])
        (line,) = read(capsys)
        assert (line["level"], line["exit_code"]) == ("ERROR", code)
        assert line["hint"]

    def test_is_an_object_where_a_file_says_so(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path(".env").write_text("JUNKIE_LOG_FORMAT=json\n")
        assert main(["sync"]) == 4
        (line,) = read(capsys)
        assert line["message"] == "no bot token is set"
