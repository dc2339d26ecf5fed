"""docs/commands/ and docs/settings.md: what the program says of itself, and below it what people wrote.

`nox -s docs` (or `python -m tests.pages`) rewrites the first part of every page and never touches the second. A command
without a page gets one, with the bare command as its example.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from junkie_cli.cli.app import app
from junkie_cli.config import VARIABLES, Variable

ROOT: Final = Path(__file__).resolve().parents[1]
FOLDER: Final = ROOT / "docs" / "commands"
INDEX: Final = "README.md"
BEGIN: Final = "<!-- The command says this of itself: change it there, then run `nox -s docs`. -->"
SETTINGS: Final = ROOT / "docs" / "settings.md"
SETTINGS_BEGIN: Final = "<!-- The table of junkie_cli/config.py: change it there, then run `nox -s docs`. -->"
END: Final = "<!-- From here on the page is written by hand. -->"

_ENV: Final = re.compile(r"\s*\[env: ([A-Z_, ]+)\]")
# A default that typer can't know stands in brackets where a sentence or a part of one ends.
_DEFAULT: Final = re.compile(r"\s\(([^()]+)\)(?=[.;])")
_CODES: Final = "Exit codes: "


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its file's name, what calls the command ("junkie db url"), and the command."""

    name: str
    path: str
    command: Any

    @property
    def file(self) -> Path:
        return FOLDER / self.name


@dataclass(frozen=True, slots=True)
class Option:
    """An option as its help tells it. `default` is empty where there is none to tell."""

    names: str
    meaning: str
    variables: tuple[str, ...]
    default: str


def pages() -> Iterator[Page]:
    """Every page that there has to be: the index, groups, commands."""
    yield Page(INDEX, "junkie", (root := typer.main.get_command(app)))
    yield from _below(root, "junkie")


def _below(group: Any, path: str) -> Iterator[Page]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        below = f"{path} {name}"
        yield Page(f"{'-'.join(below.split()[1:])}.md", below, command)
        if hasattr(command, "commands"):
            yield from _below(command, below)


def options(command: Any) -> list[Option]:
    """Return the options that a command's help shows, but for --help."""
    shown = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    return [option(parameter) for parameter in shown if not parameter.hidden]


def option(parameter: Any) -> Option:
    """Return an option as its help tells it."""
    text = parameter.help
    twins = _ENV.search(text)
    text = _ENV.sub("", text)
    default = ""
    if parameter.default is None and (said := _DEFAULT.search(text)):
        default = said[1]
        text = _DEFAULT.sub("", text, count=1)
    elif parameter.secondary_opts:
        default = f"`{(parameter.opts if parameter.default else parameter.secondary_opts)[0]}`"
    elif not parameter.is_flag and parameter.default is not None:
        default = f"`{getattr(parameter.default, 'value', parameter.default)}`"
    if limits := _limits(parameter.type):
        text = f"{text} {limits}"
    names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    if not parameter.is_flag:
        names = names.removesuffix("`") + f" {_value(parameter)}`"
    return Option(names, text.strip(), tuple(twins[1].split(", ")) if twins else (), default)


def _value(parameter: Any) -> str:
    """Return what an option's value is called."""
    if parameter.metavar:
        return str(parameter.metavar)
    if choices := getattr(parameter.type, "choices", None):
        return "|".join(str(getattr(choice, "value", choice)) for choice in choices)
    return "N" if parameter.type.name.startswith(("int", "float")) else "TEXT"


def _limits(kind: Any) -> str:
    """Return the range of a number, in words."""
    low, high = getattr(kind, "min", None), getattr(kind, "max", None)
    if low is None and high is None:
        return ""
    # Above this it is a database's limit, and nobody's choice.
    if high is None or high >= 2**31 - 1:
        return f"At least {low}."
    return f"{low} to {high}."


def shown_default(variable: Variable) -> str:
    """Return a setting's default as the documents write it."""
    default = variable.default
    if default is None or default == ():
        return "unset"
    return f"`{int(default) if isinstance(default, bool) else default}`"


def exit_codes(command: Any) -> dict[int, str]:
    """Return the exit codes that a command's help names, with their meanings."""
    said = [text for text in _paragraphs(command.help) + _paragraphs(command.epilog) if text.startswith(_CODES)]
    if not said:
        return {}
    parts = re.split(r", (?=\d+ )", said[0].removeprefix(_CODES).rstrip("."))
    return {int(code): meaning for code, _, meaning in (part.partition(" ") for part in parts)}


def _paragraphs(text: str | None) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in (text or "").split("\n\n") if paragraph.strip()]


def generated(page: Page) -> str:
    """Return the part of a page that the command says of itself, both markers included."""
    pieces = page.command.collect_usage_pieces(typer.Context(page.command, info_name=page.path))
    usage = " ".join(piece.strip("{}") for piece in pieces)
    parts = [f"# {page.path}", BEGIN]
    parts += [text for text in _paragraphs(page.command.help) if not text.startswith(_CODES)]
    parts.append(f"```text\n{page.path} {usage}\n```")
    if below := [other for other in pages() if other.path.startswith(f"{page.path} ")]:
        rows = [[f"[`{other.path}`]({other.name})", _paragraphs(other.command.help)[0]] for other in below]
        parts += ["## Commands", _table(["command", "what it does"], rows)]
    arguments = [parameter for parameter in page.command.params if parameter.param_type_name == "argument"]
    if arguments:
        rows = [[f"`{parameter.metavar or parameter.name}`", parameter.help] for parameter in arguments]
        parts += ["## Arguments", _table(["argument", "meaning"], rows)]
    if told := options(page.command):
        rows = [
            [each.names, each.meaning, "<br>".join(f"`{name}`" for name in each.variables), _default(each)]
            for each in told
        ]
        parts += ["## Options", _table(["option", "meaning", "environment", "default"], rows)]
    if codes := exit_codes(page.command):
        rows = [[str(code), meaning] for code, meaning in codes.items()]
        parts += ["## Exit codes", _table(["code", "meaning"], rows)]
    return "\n\n".join([*parts, END]) + "\n"


def _default(told: Option) -> str:
    """Return an option's default: the setting's, if it has a twin that has one."""
    own = [variable for variable in VARIABLES if told.variables[:1] == (variable.name,)]
    if own and shown_default(own[0]) not in {"unset", "`0`"}:
        return shown_default(own[0])
    return told.default


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join("".join(f"| {cell} " if cell else "| " for cell in cells) + "|" for cells in lines)


def written(page: Page) -> str:
    """Return the part of a page that people wrote; of a new page, the bare command as an example."""
    if page.file.exists():
        return by_hand(page.file)
    if hasattr(page.command, "commands"):
        return ""
    wanted = [p.metavar or p.name for p in page.command.params if p.param_type_name == "argument" and p.required]
    return f"\n## Examples\n\n```sh\n{' '.join([page.path, *wanted])}\n```\n"


COMMANDS: Final = {page.path: page.command for page in pages() if not hasattr(page.command, "commands")}
"""Every command by what calls it, such as "junkie db url"."""


def by_hand(file: Path) -> str:
    """Return what stands below a file's second marker. Raises ValueError if that is gone."""
    _, end, rest = file.read_text(encoding="utf-8").partition(f"{END}\n")
    if not end:
        raise ValueError(f"{file} has lost the line {END}")
    return rest


def settings() -> str:
    """Return the table of settings, with the options that do the same, both markers included."""
    uses = [
        (variable, path.removeprefix("junkie "), told.names.split("`")[1].split()[0])
        for path, command in {"junkie": typer.main.get_command(app), **COMMANDS}.items()
        for told in options(command)
        for variable in told.variables
    ]
    rows = []
    for variable in VARIABLES:
        flags = sorted({flag for name, _, flag in uses if name == variable.name})
        # A flag that means one setting here and another one there is named with its commands.
        common = {flag for flag in flags if len({name for name, _, other in uses if other == flag}) == 1}
        told = [f"`{flag}`" for flag in flags if flag in common]
        told += [f"`{path} {flag}`" for name, path, flag in uses if name == variable.name and flag not in common]
        rows.append([f"`{variable.name}`", shown_default(variable), variable.meaning, ", ".join(told)])
    table = _table(["variable", "default", "meaning", "option"], rows)
    return f"# Settings\n\n{SETTINGS_BEGIN}\n\n{table}\n\n{END}\n"


def main() -> None:
    """Write every page anew."""
    SETTINGS.write_text(settings() + by_hand(SETTINGS), encoding="utf-8")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for page in pages():
        page.file.write_text(generated(page) + written(page), encoding="utf-8")


if __name__ == "__main__":
    main()
