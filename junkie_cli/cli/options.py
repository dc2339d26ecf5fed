"""Options that several commands share, and how what was typed becomes a value.

A number out of its range is a usage error (exit 2) when it came from a flag, a configuration error (4) when it came from
the environment: so ranges of settings stand in `config`, and flags are checked by typer.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer

from junkie_cli import snowflake
from junkie_cli.errors import UsageError

Guilds = Annotated[
    list[str] | None,
    typer.Option("--guild", metavar="ID", help="Only this guild; repeatable. [env: JUNKIE_GUILDS]", show_default=False),
]
Channels = Annotated[
    list[str] | None,
    typer.Option(
        "--channel",
        metavar="ID",
        help="Only this channel with its threads, this thread or this DM; an id or a link; repeatable. "
        "[env: JUNKIE_CHANNELS]",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="ID",
        help="Leave out this guild, category, channel or thread; repeatable. [env: JUNKIE_EXCLUDE]",
        show_default=False,
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100,
        help="Channels with a request or a write in flight (4). [env: BACKFILL_CONCURRENCY]",
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
Since = Annotated[
    str | None,
    typer.Option(metavar="DATE|ID|AGE", help="Nothing older than this: 2024-01-31, an id, or an age such as 7d."),
]


def read_since(text: str | None) -> int | None:
    """Return the lowest wanted id of `--since`. Raises UsageError."""
    if text is None:
        return None
    now = datetime.now(UTC)
    try:
        since = snowflake.parse(text, now=now)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--since: {error}", hint="give 2024-01-31, an id, or an age such as 7d") from None
    if since > snowflake.from_datetime(now):
        raise UsageError(f"--since: '{text}' lies in the future", hint="give a date that has passed")
    return since


def read_count(text: str | None, option: str) -> int | None:
    """Return the number of an option that also takes 'all' (None). Raises UsageError."""
    if text is None or text.strip().lower() == "all":
        return None
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) >= 1:
        return int(text)
    raise UsageError(f"--{option}: '{text[:40]}' is neither a whole number from 1 nor 'all'", hint="e.g. --target 5000")
