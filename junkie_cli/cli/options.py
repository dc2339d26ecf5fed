"""Options that several commands share, and how what was typed becomes a value.

A number out of its range is a usage error (exit 2) when it came from a flag, a configuration error (4) when it came from
the environment: so ranges of settings stand in `config`, and flags are checked by typer.
"""

import math
import os
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from junkie_cli import snowflake, values
from junkie_cli.cli import completion
from junkie_cli.config import Settings
from junkie_cli.errors import UsageError

if TYPE_CHECKING:
    from junkie_cli.ingest.selection import Selection

Guilds = Annotated[
    list[str] | None,
    typer.Option(
        "--guild",
        metavar="GUILD",
        autocompletion=completion.guilds,
        help="Only this guild: its name, id or link; repeatable. [env: JUNKIE_GUILDS]",
        show_default=False,
    ),
]
Channels = Annotated[
    list[str] | None,
    typer.Option(
        "--channel",
        metavar="CHANNEL",
        autocompletion=completion.channels,
        help="Only this channel with its threads, this thread or this DM: a name such as general or guild/general, an id "
        "or a link; repeatable. [env: JUNKIE_CHANNELS]",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="PLACE",
        autocompletion=completion.places,
        help="Leave out this guild, category, channel or thread: its name, id or link; repeatable. "
        "[env: JUNKIE_EXCLUDE]",
        show_default=False,
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100,
        help="Channels that send a request or write a page at once (4). [env: BACKFILL_CONCURRENCY]",
        show_default=False,
    ),
]
AcceptUnreadable = Annotated[
    bool,
    typer.Option(
        "--accept-unreadable",
        help="Channels that the bot may not read don't make the run partial. [env: JUNKIE_ACCEPT_UNREADABLE]",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Write events to stdout, one JSON object a line.")]
JsonReport = Annotated[bool, typer.Option("--json", help="Report as JSON on stdout.")]
Since = Annotated[
    str | None,
    typer.Option(metavar="DATE|ID|AGE", help="Nothing older than this: 2024-01-31, an id, or an age such as 7d."),
]

for_all: Final[ContextVar[Mapping[str, Any]]] = ContextVar("for_all", default=MappingProxyType({}))
"""What was given before the command, as fields of `Settings`."""


def _keep_log_format(form: str | None) -> None:
    for_all.set({} if form is None else {"log_format": form})


def log_form() -> str:
    """Return the form of the log as far as it is known without the settings being read."""
    given: str | None = for_all.get().get("log_format")
    return given or os.environ.get("JUNKIE_LOG_FORMAT", "").strip().lower() or "text"


LogFormat = Annotated[
    Literal["text", "json"] | None,
    typer.Option(
        callback=_keep_log_format,
        help="Log for people, or one JSON object a line for machines (text). [env: JUNKIE_LOG_FORMAT]",
        show_default=False,
    ),
]


def finite(number: float) -> float:
    """Let through what a range does not tell from a number: a callback for options. Raises typer.BadParameter."""
    if not math.isfinite(number):
        raise typer.BadParameter(f"{number} is no number to reckon with.")
    return number


def places(guild: Sequence[str] | None, channel: Sequence[str] | None, exclude: Sequence[str] | None) -> dict[str, Any]:
    """Return what `--guild`, `--channel` and `--exclude` say, as `begin` takes it."""
    given = {"guilds": guild, "channels": channel, "exclude": exclude}
    return {field: tuple(texts) if texts else None for field, texts in given.items()}


def read_selection(settings: Settings, *, threads: bool = True) -> "Selection":
    """Return the channels to work on, as named by `--guild`, `--channel` and `--exclude` or by the environment.

    Names in it are yet to be looked up: see `Opened.settled` and `naming.settled`.

    Raises UsageError for a flag that names nothing, ConfigError for a variable that does.
    """
    from junkie_cli.ingest.selection import LABELS, Selection
    from junkie_cli.reference import Label, Wanted

    variables = {
        Wanted.GUILD: "JUNKIE_GUILDS",
        Wanted.CHANNEL: "JUNKIE_CHANNELS",
        Wanted.PLACE: "JUNKIE_EXCLUDE",
    }
    labels = {
        wanted: LABELS[wanted] if (where := settings.origins[name]) == "flag" else Label(f"{name} ({where})", True)
        for wanted, name in variables.items()
    }
    return Selection.read(settings.guilds, settings.channels, settings.exclude, threads=threads, labels=labels)


def read_since(text: str | None, option: str = "since") -> int | None:
    """Return the id that a date, an id or an age stands for, such as the lowest wanted one of `--since`. Raises UsageError."""
    if text is None:
        return None
    now = datetime.now(UTC)
    try:
        since = snowflake.parse(text, now=now)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--{option}: {str(error)[:120]}", hint="give 2024-01-31, an id, or an age such as 7d"
        ) from None
    if since > snowflake.from_datetime(now):
        raise UsageError(f"--{option}: '{text}' lies in the future", hint="give a date that has passed")
    return since


def read_count(text: str | None, option: str) -> int | None:
    """Return the number of an option that also takes 'all' (None). Raises UsageError."""
    if text is None:
        return None
    try:
        return values.integer(1, words={"all": None})(text)
    except ValueError as error:
        raise UsageError(f"--{option} is '{text[:40]}' and {error}", hint=f"give e.g. --{option} 5000") from None
