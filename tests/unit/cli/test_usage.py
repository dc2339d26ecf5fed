"""What makes no sense is refused in one line before anything is opened."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from junkie_cli import __version__
from junkie_cli.cli.app import app, main
from junkie_cli.config import VARIABLES


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below, with the words that call it."""
    for name, command in getattr(group, "commands", {}).items():
        yield (*path, name), command
        yield from commands(command, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))
LEAVES = [path for path, command in COMMANDS.items() if not hasattr(command, "commands")]


def nonsense() -> Iterator[tuple[str, ...]]:
    """Calls with a numeric option each, and a value that it must refuse."""
    for path in LEAVES:
        for option in COMMANDS[path].params:
            kind = option.type.name.split()[0]
            if kind not in {"int", "float"}:
                continue
            texts = ["x", "", " ", "1e", "--"]
            texts += ["1.5", "1e3"] if kind == "int" else ["nan", "inf", "-inf"]
            texts += ["-1"] if getattr(option.type, "min", None) is not None else []
            texts += ["0"] if (getattr(option.type, "min", None) or 0) > 0 else []
            texts += ["9" * 30] if getattr(option.type, "max", None) is not None else []
            yield from ((*path, option.opts[0], text) for text in texts)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without settings, and a home that must not come into being."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.setenv("JUNKIE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    # Should nonsense pass, then nothing must begin.
    monkeypatch.setattr("asyncio.run", pytest.fail)


def refusal(arguments: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str], home: Path) -> str:
    assert main(arguments) == code
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("error: ")
    assert written.err.count("\n") == 1
    assert "; " in written.err
    assert not home.exists()
    return written.err


@pytest.mark.parametrize("arguments", list(nonsense()), ids=" ".join)
def test_nonsense_in_a_numeric_option(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert arguments[-2] in refusal(arguments, 2, capsys, tmp_path / "home")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("--nonsense",),
        ("backfill", "--nonsense"),
        ("backfill", "extra"),
        ("backfill", "--guild"),
        ("db", "nonsense"),
        ("emulator", "--preset", "huge"),
        ("emulator", "--headers", "some"),
        ("backfill", "--target", "most"),
        ("backfill", "--target", "0"),
        ("backfill", "--target", ""),
        ("backfill", "--since", "yesterday"),
        ("backfill", "--since", "2999-01-01"),
        ("backfill", "--since", "99999999w"),
        ("backfill", "--since", "999999w"),
        ("backfill", "--channel", ""),
        ("backfill", "--channel", "#"),
        ("backfill", "--guild", "-1"),
        ("backfill", "--exclude", "12345678901234567890123"),
        ("backfill", "--channel", "https://example.com/channels/1/2"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    refusal(arguments, 2, capsys, tmp_path / "home")


NONSENSE = {
    "DISCORD_TOKEN": "two\nlines",
    "POSTGRES_URL": "nonsense://hunter2",
    "JUNKIE_HOME": "~nobody-of-this-name",
    "JUNKIE_PG_BIN": "~nobody-of-this-name",
    "JUNKIE_GUILDS": "1,-5",
    "JUNKIE_CHANNELS": "#",
    "JUNKIE_EXCLUDE": "https://example.com/channels/1/2",
}


@pytest.mark.parametrize("name", [variable.name for variable in VARIABLES])
def test_nonsense_in_the_environment(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = NONSENSE.get(name, "~nonsense")
    monkeypatch.setenv(name, text)
    line = refusal(("backfill",), 4, capsys, tmp_path / "home")
    assert name in line
    if next(variable for variable in VARIABLES if variable.name == name).secret:
        assert text.split()[0] not in line


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_an_unknown_option_is_refused_by_every_command(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    if path in {("db", "psql"), ("db", "dump")}:
        pytest.skip("its options are another program's")
    assert "--nonsense" in refusal((*path, "--nonsense"), 2, capsys, tmp_path / "home")


@pytest.mark.parametrize("path", [(), *COMMANDS], ids=" ".join)
def test_every_command_helps(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main((*path, "--help")) == 0
    written = capsys.readouterr()
    assert written.out.startswith(f"Usage: junkie {' '.join(path)}".rstrip())
    assert written.err == ""


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_option_says_what_it_means(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert command.help
    assert [parameter.name for parameter in command.params if not getattr(parameter, "help", None)] == []


def test_flags_that_have_a_variable_name_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backfill", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name in (
        *("JUNKIE_GUILDS", "JUNKIE_CHANNELS", "JUNKIE_EXCLUDE", "JUNKIE_ACCEPT_UNREADABLE"),
        *("CONTEXT_AGENT_MAX_MESSAGES", "BACKFILL_CONCURRENCY", "BACKFILL_MAX_ITERATIONS"),
        *("BACKFILL_MAX_FETCH_LIMIT", "BACKFILL_PARALLEL_BATCHES"),
    ):
        assert f"[env: {name}]" in shown


@pytest.mark.parametrize("arguments", [(), ("db",)], ids=["junkie", "junkie db"])
def test_no_arguments_give_the_help(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("Usage: junkie")
    assert "error" not in written.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"junkie {__version__}\n"
