"""`junkie demo`: a real backfill of a make-believe server, with nothing set up and nothing left behind."""

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from junkie_cli import config
from junkie_cli.cli import options
from junkie_cli.cli.options import finite
from junkie_cli.cli.output import note, product, set_up_logging, speaks_unicode
from junkie_cli.cli.runtime import Opened, opened, run_async
from junkie_cli.config import Settings

if TYPE_CHECKING:
    from junkie_cli.db.reader import ChannelState
    from junkie_cli.errors import ConfigError
    from junkie_cli.ingest.events import Emit, Event, Summary
    from junkie_cli.models import Message

WINDOW: Final = 2.0
"""Seconds in which a channel gives five pages, instead of Discord's five: the longest channel takes six windows."""

_PLACES: Final = ("JUNKIE_HOME", "JUNKIE_PG_BIN", "LOG_LEVEL", "JUNKIE_LOG_FORMAT", "HOME", "XDG_DATA_HOME")
_SAMPLE: Final = 6
_NAME: Final = 44
_WIDTH: Final = 80

_NEXT: Final = """\
Next, your own server:
  1. Create a bot at https://discord.com/developers/applications; under "Bot",
     switch on the Message Content Intent.
  2. Invite it: "OAuth2", URL generator, scope "bot", permissions
     "View Channels" and "Read Message History".
  3. Copy its token ("Bot", "Reset Token"), then:

     export DISCORD_TOKEN=...
     junkie backfill

Nothing of this demo is left behind."""


def command(
    *,
    window: Annotated[
        float, typer.Option(hidden=True, min=0.01, callback=finite, help="Seconds in which a channel gives five pages.")
    ] = WINDOW,
    preset: Annotated[str, typer.Option(hidden=True, help="As of `junkie emulator`.")] = "demo",
) -> int:
    """Show what junkie does, without a bot, a database or a network.

    It takes about ten seconds, and nothing is left behind. A local Discord with a small studio's server is archived
    into a PostgreSQL of its own, at Discord's rate limits, only faster. Your own archive and settings are not touched.
    """
    # Where things are is all that matters here: a token or a database of the user's must not be used.
    problems: list[ConfigError] = []
    user = config.load(
        options.for_all.get(),
        environ={name: os.environ[name] for name in _PLACES if name in os.environ},
        problems=problems,
    )
    for problem in problems:
        # What else stands in a .env need not make sense yet.
        if problem.setting in {"", *_PLACES}:
            raise problem
    set_up_logging(user.log_level, user.log_format)
    return run_async(play(user, preset=preset, window=window))


async def play(user: Settings, *, preset: str, window: float) -> int:
    """Set up a local Discord and a database, archive the one into the other, show the result; returns the exit code."""
    import asyncio

    from junkie_cli.cli.progress import reporter
    from junkie_cli.cli.stage import stage

    note(f"A local Discord is starting: Discord's rate limits, but {5 / window:,.1f} times as fast.")
    ended: dict[int, str] = {}
    try:
        async with stage(user, preset=preset, window=window) as settings, opened(settings, "demo") as tools:
            with reporter(json=False, resumable=False) as emit:
                await _backfill(settings, tools, _listening(emit, ended))
            await _show(settings, tools, ended)
            again = await _backfill(settings, tools, lambda _: None)
            product(f"A second backfill, nothing new: {again.requests} message requests, {again.seconds:.1f} s.\n")
    except asyncio.CancelledError:
        note("Interrupted. Nothing of this demo is left behind.")
        raise
    product(_NEXT)
    return 0


async def _backfill(settings: Settings, tools: Opened, emit: "Emit") -> "Summary":
    from junkie_cli.ingest.backfill import BackfillOptions, backfill

    options = BackfillOptions(concurrency=settings.concurrency)
    return await backfill(options, tools.discord, tools.database, tools.presence, emit)


def _listening(emit: "Emit", ended: dict[int, str]) -> "Emit":
    """Pass events on, remembering the channels' names."""
    from junkie_cli.ingest.events import ChannelEnded, Summary

    def listen(event: "Event") -> None:
        if isinstance(event, ChannelEnded):
            ended[event.channel_id] = event.name
        # An interrupted demo can't be gone on with, so nothing is said of how to.
        if not (isinstance(event, Summary) and event.interrupted):
            emit(event)

    return listen


async def _show(settings: Settings, tools: Opened, names: dict[int, str]) -> None:
    """Show what the archive holds now."""
    from junkie_cli.db.messages import newest_messages
    from junkie_cli.db.reader import Reader

    states = await Reader(tools.database).channel_states(list(names))
    product("\nWhat PostgreSQL holds now:\n")
    product("\n".join(holdings([(names[channel_id], state) for channel_id, state in states.items()])))
    busiest = max(states.values(), key=lambda state: state.held, default=None)
    if busiest is not None:
        messages = await newest_messages(tools.database, busiest.channel_id, _SAMPLE)
        product(f"\nThe end of {names[busiest.channel_id]}, as a prompt shows it:\n")
        product("\n".join(sample(messages, names, settings.timezone)) + "\n")


def holdings(channels: Iterable[tuple[str, "ChannelState"]]) -> list[str]:
    """Return a table of channels by name: how many messages are held, and whether that is all."""
    from junkie_cli.cli.cells import fit
    from junkie_cli.cli.figures import count

    ellipsis = "…" if sys.stdout is None or speaks_unicode(sys.stdout) else "..."
    rows = sorted(channels, key=lambda row: -row[1].held)
    lines = [f"{'Channel':{_NAME}}  {'Messages':>9}  State"]
    for name, state in rows:
        complete = "complete" if state.is_fully_backfilled else state.unreadable or "incomplete"
        lines.append(f"{fit(name, _NAME, ellipsis=ellipsis)}  {state.held:>9,}  {complete}")
    total = sum(state.held for _, state in rows)
    lines.append(f"{count(len(rows), 'channel'):{_NAME}}  {total:>9,}")
    return lines


def sample(messages: Sequence["Message"], channels: dict[int, str], timezone: str) -> list[str]:
    """Return the lines of a conversation, as a prompt has them, broken where a terminal ends."""
    import textwrap

    import pytz

    from junkie_cli.prompt.mentions import Names
    from junkie_cli.prompt.safety import SHOWN
    from junkie_cli.prompt.text import history_lines
    from junkie_cli.prompt.timestamps import Clock
    from junkie_cli.prompt.view import View

    names = Names(channels={channel_id: name.removeprefix("#") for channel_id, name in channels.items()})
    known = {message.message_id: message for message in messages}
    view = View(Clock(datetime.now(UTC), pytz.timezone(timezone)), names, SHOWN, lambda: known)
    lines = "\n".join(history_lines(messages, view)).split("\n")
    wrapped = textwrap.TextWrapper(_WIDTH - 1, initial_indent="  ", subsequent_indent="      ")
    return [part for line in lines for part in wrapped.wrap(line)]
