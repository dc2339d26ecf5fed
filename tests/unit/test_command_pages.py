"""docs/commands/ says what the commands say of themselves."""

import re
from pathlib import Path

import pytest
import typer

from junkie_cli.config import VARIABLES
from tests.pages import COMMANDS as BY_PATH
from tests.pages import FOLDER, SETTINGS, Page, by_hand, exit_codes, generated, options, pages, settings, written

PAGES = list(pages())
COMMANDS = [page for page in PAGES if page.path in BY_PATH]
REWRITE = "run `nox -s docs` (or `python -m tests.pages`) and commit what it writes"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_page_says_what_its_command_says(page: Page) -> None:
    assert page.file.exists(), f"`{page.path}` has no page: {REWRITE}"
    differs = f"docs/commands/{page.name} differs from `{page.path} --help`: {REWRITE}"
    assert page.file.read_text(encoding="utf-8") == generated(page) + written(page), differs


def test_the_page_of_settings_says_what_the_program_says() -> None:
    assert SETTINGS.read_text(encoding="utf-8") == settings() + by_hand(SETTINGS), (
        f"docs/settings.md differs: {REWRITE}"
    )


def test_every_page_has_a_command() -> None:
    left = {path.name for path in FOLDER.iterdir()} - {page.name for page in PAGES}
    assert not left, "these pages have no command any more: remove them"


@pytest.mark.parametrize("page", COMMANDS, ids=lambda page: page.path)
def test_a_page_has_an_example(page: Page) -> None:
    assert re.search(rf"```sh\n(?:.*\n)*?.*\b{page.path}\b", written(page))


@pytest.mark.parametrize("page", COMMANDS, ids=lambda page: page.path)
def test_a_commands_help_ends_in_its_exit_codes(page: Page) -> None:
    assert 0 in exit_codes(page.command)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in COMMANDS], ids=lambda page: page.path)
def test_a_group_lists_its_commands_in_whole_sentences(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    help_text = page.command.get_help(typer.Context(page.command, info_name=page.path))
    told = help_text.partition("\nCommands:\n")[2]
    assert told
    assert "..." not in told, "the first sentence of a command's help is to fit the line; say the rest in another one"


@pytest.mark.parametrize("page", COMMANDS, ids=lambda page: page.path)
def test_a_default_in_brackets_is_the_settings(page: Page) -> None:
    defaults = {variable.name: variable.default for variable in VARIABLES}
    for option in options(page.command):
        if option.variables:
            assert set(option.variables) <= set(defaults), option
            default = defaults[option.variables[0]]
            if default not in {None, False, ()} and option.default:
                assert option.default.strip("`") == str(default), option


def test_what_people_wrote_is_kept_and_a_new_page_has_an_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.pages.FOLDER", tmp_path)
    page = next(page for page in PAGES if page.path == "junkie context")
    assert re.search(r"\njunkie context CHANNEL\w*\n", written(page))
    page.file.write_text(generated(page).replace("Options", "Old") + "\nMine.\n", encoding="utf-8")
    assert written(page) == "\nMine.\n"
    page.file.write_text("no marker", encoding="utf-8")
    with pytest.raises(ValueError, match="has lost the line"):
        written(page)
