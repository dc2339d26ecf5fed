"""`junkie config`: every setting, its value, and where it came from. Secrets are masked; what is wrong shows in its place."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from junkie_cli import config
from junkie_cli.cli import options
from junkie_cli.cli.output import product, set_up_logging, shown
from junkie_cli.config import DEFAULT, VARIABLES, Settings, Variable
from junkie_cli.errors import ConfigError, UsageError
from junkie_cli.values import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION: Final = 1
"""Of the shape of `--json`."""


@dataclass(frozen=True, slots=True)
class Row:
    """A setting as it is shown: `value` is what JSON has, None where there is none or where it makes no sense."""

    variable: Variable
    value: Any
    source: str
    problems: tuple[ConfigError, ...]


def command(*, json: options.JsonReport = False) -> int:
    """Show every setting, its value, and where it came from.

    Settings are flags, variables of the environment, and lines of .env in the working folder and in JUNKIE_HOME; the first of
    these that says something counts. Secrets are masked. Exits 4 if something is wrong, once all is shown.
    """
    problems: list[ConfigError] = []
    settings = config.load(options.for_all.get(), problems=problems)
    set_up_logging(settings.log_level, settings.log_format)
    problems += _of_names(settings)
    rows = [_row(settings, variable, problems) for variable in VARIABLES]
    files = [error for error in problems if not error.setting]
    product(as_json(rows, files) if json else as_text(rows, files))
    return ConfigError.exit_code if any(row.problems for row in rows) or files else 0


def as_text(rows: list[Row], files: list[ConfigError]) -> str:
    """Return the settings as a table, each problem on a line of its own below what it is about."""
    width = max(len(row.variable.name) for row in rows)
    lines = []
    for row in rows:
        source = "" if row.source == DEFAULT else f"  ({row.source})"
        # A folder's name may hold a line break, and must not pass for another row.
        lines.append(shown(f"{row.variable.name:<{width}}  {'wrong' if row.problems else _words(row.value)}{source}"))
        lines += [_problem(error) for error in row.problems]
    return "\n".join(lines + [_problem(error) for error in files])


def as_json(rows: list[Row], files: list[ConfigError]) -> str:
    """Return the same for machines; `docs/commands/config.md` describes it."""
    from junkie_cli.cli.ndjson import dump

    settings = [
        {
            "name": row.variable.name,
            "value": row.value,
            "source": row.source,
            "secret": row.variable.secret,
            "problems": [_fields(error) for error in row.problems],
        }
        for row in rows
    ]
    return dump({"version": VERSION, "settings": settings, "problems": [_fields(error) for error in files]})


def _row(settings: Settings, variable: Variable, problems: list[ConfigError]) -> Row:
    found = tuple(error for error in problems if error.setting == variable.name)
    value = getattr(settings, variable.field)
    if isinstance(value, Secret) and variable.name == "POSTGRES_URL":
        from junkie_cli.db.conninfo import masked

        try:
            value = masked(value.reveal())
        except ConfigError as error:
            found = (*found, error)
    return Row(variable, None if found else _plain(value), settings.origins[variable.name], found)


def _of_names(settings: Settings) -> "Iterator[ConfigError]":
    """Give what is wrong with places in variables, which is found out only where they are used."""
    from junkie_cli.reference import Asked, Label, Wanted, read

    for name, texts, wanted in (
        ("JUNKIE_GUILDS", settings.guilds, Wanted.GUILD),
        ("JUNKIE_CHANNELS", settings.channels, Wanted.CHANNEL),
        ("JUNKIE_EXCLUDE", settings.exclude, Wanted.PLACE),
    ):
        for text in texts:
            try:
                read(Asked(text, wanted, Label(f"{name} ({settings.origins[name]})", configured=True)))
            except (ConfigError, UsageError) as error:
                wrong = ConfigError(error.message, hint=error.hint)
                wrong.setting = name
                yield wrong


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return "********"
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


def _words(value: Any) -> str:
    if value is None or value == []:
        return "unset"
    if isinstance(value, bool):
        return str(int(value))
    return ", ".join(value) if isinstance(value, list) else str(value)


def _problem(error: ConfigError) -> str:
    return f"  ✗ {' '.join(f'{error.message}; {error.hint}'.split())}"


def _fields(error: ConfigError) -> dict[str, str]:
    return {"message": error.message, "hint": error.hint}
