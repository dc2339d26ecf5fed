"""What `junkie context` makes of its options, before anything is opened."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from junkie_cli.cli.app import main
from junkie_cli.cli.context import ContextOptions, Given, read_given
from junkie_cli.cli.delivery import bot_of
from junkie_cli.config import VARIABLES, Settings


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.setenv("JUNKIE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ContextOptions]:
    """Read a command line, and return what would be run."""
    ran: list[ContextOptions] = []

    async def run(_settings: Settings, options: ContextOptions) -> int:
        ran.append(options)
        return 0

    def read(*arguments: str) -> ContextOptions:
        monkeypatch.setattr("junkie_cli.cli.answering.run", run)
        assert main(("context", "general", *arguments)) == 0
        return ran[-1]

    return read


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("general", "--timezone", "Mars/Olympus"),
        ("general", "--limit", "none"),
        ("general", "--limit", "0"),
        ("general", "--since", "soon"),
        ("general", "--since", "2026-03-04", "--as-of", "2026-03-03"),
        ("general", "--as-of", "2999-01-01"),
        ("general", "--as-of", "now"),
        ("general", "--role", "boss"),
        ("general", "--format", "xml"),
        ("general", "--message", "5", "--prompt", "hi"),
        ("general", "--author", "Bob"),
        ("general", "--reply-to", "5"),
        ("general", "--prompt", " \n"),
        ("general", "--max-tokens", "0"),
        ("general", "--max-age", "-1"),
        ("general", "--bot-id", "0"),
    ],
)
def test_nonsense_is_refused_in_one_line(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Should nonsense pass, then nothing must begin.
    monkeypatch.setattr("asyncio.run", pytest.fail)
    assert main(("context", *arguments)) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("error: ")
    assert written.err.count("\n") == 1


def test_a_zone_that_the_environment_spells_wrong_is_a_matter_of_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DISCORD_TIMEZONE", "Mars/Olympus")
    assert main(("context", "general")) == 4


@pytest.mark.parametrize(
    ("environ", "arguments", "limit"),
    [
        ({}, (), 500),
        ({}, ("--limit", "7"), 7),
        ({}, ("--limit", "all"), None),
        ({}, ("--role", "team-leader"), 100),
        ({}, ("--role", "team-leader", "--limit", "7"), 7),
        ({"CONTEXT_AGENT_MAX_MESSAGES": "20"}, (), 20),
        ({"CONTEXT_AGENT_MAX_MESSAGES": "all"}, (), None),
        ({"CONTEXT_AGENT_MAX_MESSAGES": "20"}, ("--role", "team-leader"), 100),
        ({"TEAM_LEADER_CONTEXT_LIMIT": "9"}, ("--role", "team-leader"), 9),
    ],
)
def test_limits(
    options: Callable[..., ContextOptions],
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    arguments: tuple[str, ...],
    limit: int | None,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert options(*arguments).limit == limit


def test_zone_and_age_come_from_the_flag_else_from_the_environment(
    options: Callable[..., ContextOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (str(options().zone), options().max_age.total_seconds()) == ("Asia/Kolkata", 120)
    monkeypatch.setenv("DISCORD_TIMEZONE", "Europe/Berlin")
    monkeypatch.setenv("CACHE_TTL", "5")
    assert (str(options().zone), options().max_age.total_seconds()) == ("Europe/Berlin", 5)
    read = options("--timezone", "UTC", "--max-age", "0")
    assert (str(read.zone), read.max_age.total_seconds()) == ("UTC", 0)


class TestGiven:
    def read(self, prompt: str | None = "hi", **fields: Any) -> Given | None:
        return read_given(prompt, **({"author": None, "reply_to": None, "message": None} | fields))

    @pytest.mark.parametrize(
        ("author", "name", "author_id"),
        [
            (None, "User", 0),
            ("Bob", "Bob", 0),
            ("Bob:5", "Bob", 5),
            ("Bob: yes:5", "Bob: yes", 5),
            ("Bob:", "Bob:", 0),
            (":5", ":5", 0),
            ("Bob:" + "9" * 19, "Bob:" + "9" * 19, 0),
        ],
    )
    def test_author(self, author: str | None, name: str, author_id: int) -> None:
        given = self.read(author=author)
        assert given is not None
        assert (given.author_name, given.author_id) == (name, author_id)

    def test_from_stdin_the_last_line_break_is_the_shells(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("naïve\n\xff\n\n".encode() + b"\xff\n")))
        given = self.read("-")
        assert given is not None
        assert given.text == "naïve\nÿ\n\n\udcff"


@pytest.mark.parametrize(
    ("token", "bot_id"),
    [("OTAw.x.y", 900), ("MTIzNDU2Nzg5MDEyMzQ1Njc4.a.b", 123456789012345678), ("x.y", None), ("", None)],
)
def test_a_token_begins_with_the_bots_id(token: str, bot_id: int | None) -> None:
    assert bot_of(token) == bot_id


def test_a_moment_before_all_messages(options: Callable[..., ContextOptions]) -> None:
    as_of = options("--as-of", "2015-01-01").as_of
    assert as_of is not None
    assert as_of.year == 2015
