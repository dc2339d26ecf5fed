"""`junkie config`: everything shows, secrets don't, and what is wrong stands where it belongs."""

import json
from pathlib import Path

import pytest

from junkie_cli.cli import output
from junkie_cli.cli.app import main
from junkie_cli.config import VARIABLES
from junkie_cli.db.conninfo import masked
from junkie_cli.errors import ConfigError
from tests.unit.cli.runs import HOSTILE

TOKEN = "MTAx.token.of-a-bot"


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only setting: a home without a file."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("JUNKIE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(["config", *arguments]) == code
    written = capsys.readouterr()
    assert written.err == ""
    return written.out


def rows(text: str) -> dict[str, str]:
    """The lines by the names that they begin with; a problem is part of the line above."""
    return dict(line.split(maxsplit=1) for line in text.replace("\n  ✗", " ✗").splitlines())


def test_every_setting_shows_once_and_in_order(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    found = rows(shown(capsys))
    assert list(found) == [variable.name for variable in VARIABLES]
    assert found["JUNKIE_HOME"] == f"{home}  (environment)"
    assert found["DISCORD_TOKEN"] == "unset"
    assert found["BACKFILL_CONCURRENCY"] == "4"


def test_where_a_value_came_from(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (home / ".env").write_text("CACHE_TTL=7\nMESSAGE_SYNC_LIMIT=8\nDISCORD_TIMEZONE=UTC\n")
    (tmp_path / ".env").write_text("CACHE_TTL=9\nMESSAGE_SYNC_LIMIT=10\n")
    monkeypatch.setenv("CACHE_TTL", "11")
    found = rows(shown(capsys))
    assert found["CACHE_TTL"] == "11  (environment)"
    assert found["MESSAGE_SYNC_LIMIT"] == f"10  ({tmp_path}/.env)"
    assert found["DISCORD_TIMEZONE"] == f"UTC  ({home}/.env)"
    assert main(["--log-format", "text", "config"]) == 0
    assert rows(capsys.readouterr().out)["JUNKIE_LOG_FORMAT"] == "text  (flag)"


def test_secrets_are_masked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", TOKEN)
    monkeypatch.setenv("POSTGRES_URL", "postgresql://ann:hunter2@db/archive?sslmode=require")
    for text in (shown(capsys), shown(capsys, "--json")):
        assert "hunter2" not in text
        assert TOKEN not in text
        assert "postgresql://ann:********@db/archive?sslmode=require" in text


def test_what_is_wrong_stands_in_its_place(
    capsys: pytest.CaptureFixture[str], home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CACHE_TTL", "soon")
    monkeypatch.setenv("POSTGRES_URL", "postgresql://ann:hunter2@x@db/archive")
    monkeypatch.setenv("JUNKIE_CHANNELS", "general,-1")
    (tmp_path / ".env").write_text("JUNKIE_PG_BIN=bin\nCACHE_TTL=5\n")
    (home / ".env").write_bytes(b"\xff")
    text = shown(capsys, code=4)
    found = rows(text)
    assert "CACHE_TTL (environment) is 'soon'" in found["CACHE_TTL"]
    assert "has an @ that does not part" in found["POSTGRES_URL"]
    assert "'-1' is not a Discord id" in found["JUNKIE_CHANNELS"]
    assert "which programs run" in found["JUNKIE_PG_BIN"]
    assert "is not UTF-8 text" in text.splitlines()[-1]
    assert found["BACKFILL_CONCURRENCY"] == "4"
    assert "hunter2" not in text
    report = json.loads(shown(capsys, "--json", code=4))
    assert report["version"] == 1
    assert [each["name"] for each in report["settings"]] == [variable.name for variable in VARIABLES]
    wrong = {each["name"]: each["problems"] for each in report["settings"] if each["problems"]}
    assert set(wrong) == {"CACHE_TTL", "POSTGRES_URL", "JUNKIE_CHANNELS", "JUNKIE_PG_BIN"}
    assert all(problem["hint"] for problems in wrong.values() for problem in problems)
    assert len(report["problems"]) == 1


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_move_no_cursor(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    # What no variable can hold is left out.
    monkeypatch.setenv("JUNKIE_CHANNELS", text.replace("\0", "").encode("utf-8", "replace").decode())
    main(["config"])
    written = capsys.readouterr().out
    assert "\n".join(map(output.shown, written.split("\n"))) == written


def test_a_folder_s_name_is_no_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "a\nLOG_LEVEL  DEBUG"
    folder.mkdir()
    (folder / ".env").write_text("CACHE_TTL=5\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("JUNKIE_HOME", str(folder))
    assert len(shown(capsys, code=0).splitlines()) == len(VARIABLES)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgres://u@h:1/d", "postgresql://u@h:1/d"),
        ("postgresql://u:p%40w@h/d", "postgresql://u:********@h/d"),
        ("postgresql://u:p@[::1]:5433,b/d", "postgresql://u:********@[::1]:5433,b/d"),
        ("postgresql:///d?host=/run/pg&p%61ssword=pw", "postgresql://:********@%2Frun%2Fpg/d"),
        ("postgresql://h/d?sslpassword=pw&sslmode=require", "postgresql://h/d?sslmode=require&sslpassword=********"),
    ],
)
def test_a_uri_without_its_secrets(url: str, expected: str) -> None:
    assert masked(url) == expected


def test_a_uri_that_is_none() -> None:
    with pytest.raises(ConfigError):
        masked("postgresql://h:port/d")
