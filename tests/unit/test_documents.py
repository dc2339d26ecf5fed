"""What the documents say of the program is true."""

import ast
import re
from pathlib import Path

import pytest

from junkie_cli import __version__, errors
from junkie_cli.config import VARIABLES, Variable
from junkie_cli.emulator.permissions import Right
from junkie_cli.errors import JunkieError
from tests.pages import COMMANDS, shown_default

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if ".nox" not in path.parts)


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, without what indents them."""
    found = re.findall(rf"^([ ]*)```{language}\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", body, flags=re.MULTILINE).strip() for indent, body in found]


def table(heading: str) -> list[list[str]]:
    """The cells of the rows of the table below a heading of the README."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def test_the_first_screen_has_the_two_commands() -> None:
    first, second, *_ = blocks(README, "sh")
    assert first == "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/junkie demo"
    assert second == "python3 -m venv .venv && .venv/bin/pip install nox uv && .venv/bin/nox -s tests"
    assert README.index(second) < README.index("\n## ")
    assert len(README[: README.index(second)].splitlines()) < 20


def test_continuous_integration_runs_the_readmes_command_and_nothing_cleverer() -> None:
    script = ROOT / ".ci" / "run"
    lines = [line for line in script.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert lines == ["set -euo pipefail", 'cd "$(dirname "${BASH_SOURCE[0]}")/.."', blocks(README, "sh")[1]]
    assert script.stat().st_mode & 0o111 == 0o111
    assert "run: .ci/run" in (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")


def row(variable: Variable) -> list[str]:
    return [f"`{variable.name}`", shown_default(variable), variable.meaning]


def test_the_table_of_settings_is_that_of_the_program() -> None:
    assert table("Settings") == [row(variable) for variable in VARIABLES]


def test_the_table_of_commands_is_that_of_the_program() -> None:
    assert {cells[0].strip("`") for cells in table("Commands")} == set(COMMANDS)


def test_the_table_of_exit_codes_is_that_of_the_program() -> None:
    own = {
        value.exit_code for value in vars(errors).values() if isinstance(value, type) and issubclass(value, JunkieError)
    }
    assert [int(code) for code, _ in table("Exit codes")] == sorted(own | {0, errors.PARTIAL, errors.INTERRUPTED})


def test_the_invitation_asks_for_the_permissions_that_are_named() -> None:
    little = Right.VIEW_CHANNEL | Right.READ_MESSAGE_HISTORY | Right.CONNECT
    assert f"(`permissions={little}`)" in README
    page = (ROOT / "docs" / "discord-bot.md").read_text(encoding="utf-8")
    assert f" {little}," in page
    for text in (README, page):
        assert f"scope=bot&permissions={little | Right.MANAGE_THREADS}\n" in text
    rows = re.findall(r"^\| ([A-Z][A-Za-z ]+) \| (\d+) \|", page, re.MULTILINE)
    assert {name: int(value) for name, value in rows} == {
        "View Channels": Right.VIEW_CHANNEL,
        "Read Message History": Right.READ_MESSAGE_HISTORY,
        "Connect": Right.CONNECT,
        "Manage Threads": Right.MANAGE_THREADS,
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_links_to_is_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target


def test_the_index_leads_to_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", index))
    assert linked >= {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_that_a_document_shows_is_python(document: Path) -> None:
    for block in blocks(document.read_text(encoding="utf-8"), "python"):
        ast.parse(block)


def test_files_that_the_layout_names_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    path: list[str] = []
    for line in blocks(text, "text")[0].splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        path[depth:] = [line.split()[0]]
        assert ROOT.joinpath(*path).exists(), line


def test_the_changelog_has_the_form_that_it_names() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for version in re.findall(r"^## (.*)$", text, re.MULTILINE):
        assert re.fullmatch(r"\[(Unreleased|\d+\.\d+\.\d+)\]( - \d{4}-\d\d-\d\d)?", version), version
    kinds = re.findall(r"^### (.*)$", text, re.MULTILINE)
    assert set(kinds) <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    for section in re.split(r"^##.*$", text, flags=re.MULTILINE)[1:]:
        _, *entries = re.split(r"^- ", section, flags=re.MULTILINE)
        assert all(entry[0] == "`" or entry[0].isupper() for entry in entries)


def test_the_changelog_begins_with_what_is_to_come_and_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert __version__ in headings
