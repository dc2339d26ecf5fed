"""`junkie context`: a stretch of a channel as a prompt on stdout, to the byte; all else goes to stderr."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from junkie_cli import snowflake
from junkie_cli.cli import completion, options
from junkie_cli.cli.runtime import GRACE, begin, run_async
from junkie_cli.config import Settings
from junkie_cli.errors import UsageError

if TYPE_CHECKING:
    from datetime import tzinfo

    from junkie_cli.prompt.formats import Format

DEFAULT_LIMIT: Final = 500

EXIT_CODES: Final = (
    "Exit codes: 0 done, 1 unexpected failure, 2 usage (also: there is no such channel or message), 3 the channel can't be "
    "read, the message is not archived, or there is a gap and --strict is set, 4 configuration or authentication, "
    "5 database, 130 interrupted."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A current message that the user typed. `reply_to` is what he answers: an id or a link."""

    text: str
    author_name: str = "User"
    author_id: int = 0
    reply_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextOptions:
    """What the user asked for. `channel`, `message` and `given.reply_to` are as typed: the archive knows what they name.

    The current message is `message`, or `given`, or the channel's newest. `as_of` stands for the present if it is set;
    `since` is the lowest wanted id.
    """

    channel: str
    message: str | None = None
    given: Given | None = None
    limit: int | None = DEFAULT_LIMIT
    since: int | None = None
    as_of: datetime | None = None
    starter: bool = True
    zone: "tzinfo"
    style: "Format" = "text"
    bot_ids: frozenset[int] = frozenset()
    max_tokens: int | None = None
    count: bool = False
    strict: bool = False
    max_age: timedelta = timedelta(seconds=120)
    offline: bool = False


def command(
    *,
    channel: Annotated[
        str,
        typer.Argument(
            metavar="CHANNEL",
            autocompletion=completion.channels,
            help="The channel: a name such as general or guild/general, an id or a link.",
        ),
    ],
    message: Annotated[
        str | None, typer.Option(metavar="ID|LINK", help="The message to answer (the channel's newest).")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="TEXT|-", help="Answer this text instead; '-' reads it from stdin.")
    ] = None,
    author: Annotated[
        str | None, typer.Option(metavar="NAME[:ID]", help="Who says the text of --prompt (User:0).")
    ] = None,
    reply_to: Annotated[
        str | None, typer.Option(metavar="ID|LINK", help="The message that the text of --prompt answers.")
    ] = None,
    limit: Annotated[
        str | None,
        typer.Option(metavar="N|all", help="Messages of history (500). [env: CONTEXT_AGENT_MAX_MESSAGES]"),
    ] = None,
    since: options.Since = None,
    role: Annotated[
        Literal["agent", "team-leader"],
        typer.Option(help="Whose --limit holds. [env: CONTEXT_AGENT_MAX_MESSAGES, TEAM_LEADER_CONTEXT_LIMIT]"),
    ] = "agent",
    thread: Annotated[bool, typer.Option(help="Begin a thread with the message that it was started on.")] = True,
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="DATE|ID|AGE", help="Show the channel as it was before this moment, which becomes the present."
        ),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Zone of absolute times (Asia/Kolkata). [env: DISCORD_TIMEZONE]"),
    ] = None,
    style: Annotated[
        Literal["text", "json", "messages"],
        typer.Option("--format", help="A text, a JSON document, or an array for chat completions."),
    ] = "text",
    bot_id: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            max=snowflake.MAX,
            metavar="ID",
            help="Whose messages are the assistant's in --format messages; repeatable (the token's bot).",
            show_default=False,
        ),
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Leave out the oldest messages so that all of it fits.")
    ] = None,
    count: Annotated[
        bool, typer.Option("--count", help="Print messages, characters and tokens instead of the prompt.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 3 rather than show a gap in the history.")] = False,
    max_age: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**31 - 1,
            metavar="SECONDS",
            help="Ask Discord for newer messages if the archive is older than this (120). [env: CACHE_TTL]",
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never ask Discord.")] = False,
) -> int:
    """Write a stretch of a channel as a prompt for a language model.

    The archive is read first. Discord is asked only for what it lacks, or for newer messages if it is old and no
    `junkie serve` keeps it fresh; what comes is stored. Nothing but the prompt goes to stdout.
    """
    settings = begin({"cache_ttl": max_age})
    from junkie_cli.prompt.timestamps import find_zone

    now = datetime.now(UTC)
    run_options = ContextOptions(
        channel=channel,
        message=message,
        given=read_given(prompt, author=author, reply_to=reply_to, message=message),
        limit=read_limit(settings, limit, role),
        since=options.read_since(since),
        as_of=read_moment(as_of, now),
        starter=thread,
        zone=find_zone(settings.timezone if timezone is None else timezone),
        style=style,
        bot_ids=frozenset(bot_id or ()),
        max_tokens=max_tokens,
        count=count,
        strict=strict,
        max_age=timedelta(seconds=settings.cache_ttl),
        offline=offline,
    )
    since_id, until = run_options.since, run_options.as_of
    if since_id is not None and until is not None and since_id >= snowflake.from_datetime(until):
        raise UsageError("--since does not lie before --as-of", hint="give an earlier date")
    from junkie_cli.cli.answering import run

    return run_async(run(settings, run_options), grace=GRACE)


def read_given(prompt: str | None, *, author: str | None, reply_to: str | None, message: str | None) -> Given | None:
    """Return the message that the user typed, None without `--prompt`. Raises UsageError."""
    if prompt is None:
        for option, value in (("author", author), ("reply-to", reply_to)):
            if value is not None:
                raise UsageError(f"--{option} says more about the text of --prompt", hint="add --prompt TEXT")
        return None
    if message is not None:
        raise UsageError("--message and --prompt both name the current message", hint="leave out one of them")
    text = _stdin() if prompt == "-" else prompt
    if not text.strip():
        raise UsageError("the text of --prompt is empty", hint="give a text, or '-' and the text on stdin")
    if author is None:
        return Given(text=text, reply_to=reply_to)
    name, _, digits = author.rpartition(":")
    if name and digits.isascii() and digits.isdigit() and len(digits) < 20 and int(digits) <= snowflake.MAX:
        return Given(text=text, author_name=name, author_id=int(digits), reply_to=reply_to)
    return Given(text=text, author_name=author, reply_to=reply_to)


def read_limit(settings: Settings, limit: str | None, role: str) -> int | None:
    """Return how many messages of history are wanted, None for all. Raises UsageError."""
    if limit is not None:
        return options.read_count(limit, "limit")
    if role == "team-leader":
        return settings.team_leader_limit
    is_set = settings.origins["CONTEXT_AGENT_MAX_MESSAGES"] != "default"
    return settings.max_messages if is_set else DEFAULT_LIMIT


def read_moment(text: str | None, now: datetime) -> datetime | None:
    """Return the moment of `--as-of`. Raises UsageError."""
    if text is None:
        return None
    try:
        moment = snowflake.to_datetime(snowflake.parse(text, now=now))
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"--as-of: {str(error)[:120]}", hint="give 2024-01-31T12:00, an id, or an age such as 7d"
        ) from None
    if moment > now:
        raise UsageError(f"--as-of: '{text}' lies in the future", hint="give a moment that has passed")
    return moment


def _stdin() -> str:
    if sys.stdin is None:
        raise UsageError("there is no stdin to read --prompt from", hint="give the text itself")
    # Whatever encoding the terminal has, a prompt is UTF-8.
    return sys.stdin.buffer.read().decode("utf-8", "surrogateescape").removesuffix("\n")
