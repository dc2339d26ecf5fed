"""Commands, options, settings and metrics that a document names exist."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from junkie_cli.cli.health import _Collector
from junkie_cli.config import VARIABLES
from junkie_cli.ingest.serve import Vitals
from tests.pages import COMMANDS, ROOT, pages

DOCUMENTS = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if ".nox" not in path.parts)
BY_PATH: Final[dict[str, Any]] = {page.path: page.command for page in pages()}
SETTINGS: Final = {variable.name for variable in VARIABLES}

_BLOCK = re.compile(r"^([ ]*)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
# Where a shell would look for a command, also behind another that runs it in a container or as a user.
_CALL = re.compile(r"(?:^|[|;&] ?|bin/|exec (?:-T )?junkie |\d  )junkie( [^|;&#>\n]*)?", re.MULTILINE)
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_SETTING = re.compile(r"\b(?:JUNKIE|DISCORD|POSTGRES|BACKFILL)_[A-Z_]+\b")


def of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def calls(text: str) -> Iterator[str]:
    """What stands behind `junkie` where a document shows how to call it."""
    for _, language, body in _BLOCK.findall(text):
        if language in {"sh", "text"}:
            for found in _CALL.finditer(body):
                yield found[1] or ""
    for code in _INLINE.findall(text):
        if code.startswith("junkie "):
            yield code.removeprefix("junkie")


def command_of(words: list[str]) -> tuple[str, Any]:
    """The command or group that words call."""
    path = "junkie"
    while words and f"{path} {words[0]}" in BY_PATH:
        path = f"{path} {words.pop(0)}"
    return path, BY_PATH[path]


def options_of(command: Any) -> set[str]:
    own = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return own | {"--help"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_their_options_exist(document: Path) -> None:
    for call in calls(of(document)):
        words = call.split()
        path, command = command_of(words)
        # A group, or junkie itself, is named with nothing behind it but its own options.
        assert path in COMMANDS or not words or words[0].startswith(("-", "[", "COMMAND")), f"junkie{call}"
        if not command.context_settings.get("ignore_unknown_options"):
            assert set(_OPTION.findall(" ".join(words))) <= options_of(command), f"junkie{call}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_options_that_stand_alone_exist(document: Path) -> None:
    known = {option for command in BY_PATH.values() for option in options_of(command)}
    # pg_dump's, of which the page on backups speaks.
    known |= {"--no-privileges"}
    for code in _INLINE.findall(of(document)):
        if code.startswith("--"):
            assert set(_OPTION.findall(code)) <= known, code


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_exist(document: Path) -> None:
    # Besides junkie's own there are those of its tests, and that of compose.yaml.
    others = (path.read_text(encoding="utf-8") for path in [*ROOT.glob("tests/**/*.py"), ROOT / "compose.yaml"])
    foreign = {name for text in others for name in _SETTING.findall(text)}
    assert set(_SETTING.findall(of(document))) <= SETTINGS | foreign


def test_the_settings_table_and_the_commands_name_every_setting() -> None:
    assert set(_SETTING.findall(of(ROOT / "docs" / "settings.md"))) >= {
        name for name in SETTINGS if _SETTING.fullmatch(name)
    }


def test_metrics_are_those_that_are_served() -> None:
    page = of(ROOT / "docs" / "operating.md")
    told = set(re.findall(r"^\| `(junkie_[a-z_]+)` \|", page, re.MULTILINE))
    served = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name
        for metric in _Collector(lambda: Vitals(written={"new": 1})).collect()
    }
    # It is there once something was heard.
    assert told == served | {"junkie_last_event_seconds"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```sh\njunkie sync --quiet\n```", [" sync --quiet"]),
        ("```sh\n.venv/bin/junkie\n```", [""]),
        ("```text\n30 4 * * 0    /x/bin/junkie sync\n```", [" sync"]),
        ("```sh\ngunzip x | junkie db psql; junkie status\n```", [" db psql", " status"]),
        ("```sh\ndocker compose exec -T junkie junkie sync --limit all\n```", [" sync --limit all"]),
        ("```sql\nSELECT 1\n```\nSay `junkie db url`, not `junkie.messages`.", [" db url"]),
    ],
)
def test_calls_are_found(text: str, expected: list[str]) -> None:
    assert [call.rstrip() for call in calls(text)] == expected
