"""What forget and sync refuse before anything is opened, and how a rule is described."""

from pathlib import Path

import pytest

from junkie_cli.cli.app import main
from junkie_cli.cli.forget import _in_place_of, describe
from junkie_cli.config import VARIABLES
from junkie_cli.db.forget import Names
from junkie_cli.db.reconcile import Rule


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.setenv("JUNKIE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("asyncio.run", pytest.fail)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("forget",), "forget what?"),
        (("forget", "--yes"), "forget what?"),
        (("forget", "--list", "--undo", "1"), "one thing at a time"),
        (("forget", "--user", "5", "--list"), "one thing at a time"),
        (("forget", "--user", "9" * 20, "--yes"), f"--user: '{'9' * 20}' is not a Discord id"),
        (("forget", "--user", "@", "--yes"), "--user: '@' names nothing"),
        (("forget", "--guild", "-1", "--yes"), "--guild"),
        (("forget", "--before", "yesterday", "--yes"), "--before: 'yesterday'"),
        (("forget", "--before", "2999-01-01", "--yes"), "lies in the future"),
        (("forget", "--undo", "0"), "--undo"),
        (("sync", "--limit", "0"), "--limit"),
        (("sync", "--limit", "-5"), "--limit"),
        (("sync", "--limit", "some"), "--limit"),
        (("sync", "--since", "whenever"), "--since: 'whenever'"),
        (("sync", "--channel", "https://example.com"), "--channel: 'https://example.com'"),
        (("sync", "--concurrency", "0"), "--concurrency"),
    ],
)
def test_nonsense_is_refused_in_one_line(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(arguments) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("error: ")
    assert written.err.count("\n") == 1
    assert words in written.err
    assert not (tmp_path / "home").exists()


def test_the_options_of_sync_name_their_variables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name in (
        *("JUNKIE_GUILDS", "JUNKIE_CHANNELS", "JUNKIE_EXCLUDE", "JUNKIE_ACCEPT_UNREADABLE"),
        *("MESSAGE_SYNC_LIMIT", "BACKFILL_CONCURRENCY"),
    ):
        assert f"[env: {name}]" in shown


def test_a_rule_in_words() -> None:
    everything = Rule(user_id=7, channel_id=5, guild_id=1, before_id=1_000 << 22)
    assert describe(everything, Names("An\x1bn", "general", "one")) == (
        "messages by An\ufffdn (7) in #general (5) and its threads in the guild one (1) before 2015-01-01 00:00 UTC"
    )
    assert describe(Rule(user_id=7), Names()) == "messages by 7 (not known in the archive)"


def test_rules_that_were_replaced_in_words() -> None:
    assert _in_place_of([]) == ""
    assert _in_place_of([3]) == ", in place of rule 3"
    assert _in_place_of([3, 4]) == ", in place of rules 3, 4"
