"""`junkie forget`."""

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from junkie_cli import config, snowflake
from junkie_cli.cli import options
from junkie_cli.cli.figures import count
from junkie_cli.cli.output import note, product, set_up_logging, shown
from junkie_cli.cli.runtime import run_async
from junkie_cli.config import Settings
from junkie_cli.errors import INTERRUPTED, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from junkie_cli.db.forget import Exclusion, Extent, Names
    from junkie_cli.db.reconcile import Rule

log: Final = logging.getLogger("junkie")

_EVERY: Final = 50_000
"""Deleted messages between two lines that say how far it is."""


def command(
    *,
    user: Annotated[str | None, typer.Option(metavar="ID", help="What this account wrote.")] = None,
    channel: Annotated[
        str | None, typer.Option(metavar="ID", help="What stands in this channel with its threads; an id or a link.")
    ] = None,
    guild: Annotated[str | None, typer.Option(metavar="ID", help="What stands in this guild.")] = None,
    before: Annotated[
        str | None, typer.Option(metavar="DATE|ID|AGE", help="What is older than this: 2024-01-31, an id, 365d.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    show: Annotated[bool, typer.Option("--list", help="List the rules that stand, and do nothing else.")] = False,
    undo: Annotated[
        int | None, typer.Option(min=1, metavar="RULE", help="Remove a rule, so that Discord is asked again.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Report as JSON on stdout.")] = False,
) -> int:
    """Remove content for good, and keep it out from now on.

    Messages that match all that is given go: rows, earlier texts, and what forwards repeat of them. A rule stays behind, so
    that they don't come back, neither from Discord nor with history that was not archived yet. What `--undo` gives back,
    `junkie backfill` fetches anew, as far as Discord still has it.
    """
    typed = (user, channel, guild, before)
    jobs = any(text is not None for text in typed), show, undo is not None
    if sum(jobs) != 1:
        raise UsageError(
            "forget what?" if not any(jobs) else "forget does one thing at a time",
            hint="give any of --user, --channel, --guild, --before; or --list alone, or --undo RULE alone",
        )
    settings = config.load()
    set_up_logging(settings.log_level)
    if show:
        return run_async(_list(settings, json=json))
    if undo is not None:
        return run_async(_undo(settings, undo, json=json))
    rule = _rule(user, channel, guild, before)
    if not yes and not (sys.stdin is not None and sys.stdin.isatty()):
        raise UsageError("forget asks before it deletes, and here is nobody to answer", hint="give --yes")
    if not yes:
        if code := run_async(_preview(settings, rule)):
            return code
        # Outside the event loop, where Ctrl-C ends the question as everywhere.
        if not typer.confirm("Forget them?", err=True):
            note("Nothing was changed.")
            return INTERRUPTED
    return run_async(_forget(settings, rule, json=json))


def _rule(user: str | None, channel: str | None, guild: str | None, before: str | None) -> "Rule":
    from junkie_cli.db.reconcile import Rule
    from junkie_cli.ingest.selection import read_id

    return Rule(
        user_id=None if user is None else read_id(user, "user"),
        channel_id=None if channel is None else read_id(channel, "channel"),
        guild_id=None if guild is None else read_id(guild, "guild"),
        before_id=options.read_since(before, "before"),
    )


async def _preview(settings: Settings, rule: "Rule") -> int:
    """Say what would be deleted."""
    from junkie_cli.db.database import open_database
    from junkie_cli.db.forget import Forgetting

    async with open_database(settings, size=1, command="forget") as database:
        forgetting = Forgetting(database, rule)
        extent, names = await forgetting.count(), await forgetting.names()
    note(f"This deletes {_extent(extent)} for good: {describe(rule, names)}. They will not be archived again.")
    return 0


async def _forget(settings: Settings, rule: "Rule", *, json: bool) -> int:
    from junkie_cli.db.database import open_database
    from junkie_cli.db.forget import Forgetting

    async with open_database(settings, size=1, command="forget") as database:
        forgetting = Forgetting(database, rule)
        try:
            deleted = await forgetting.run(_progress())
        except asyncio.CancelledError:
            if forgetting.rule_id is not None:
                note(
                    "Interrupted. The rule stands and nothing comes back; run the same command again to delete the rest."
                )
            raise
    if json:
        _write(
            {"rule": str(forgetting.rule_id), "messages": deleted.messages, "channels": deleted.channels}
            | _fields(rule)
        )
    else:
        note(f"forgot {_extent(deleted)}; rule {forgetting.rule_id} keeps them out")
    return 0


async def _list(settings: Settings, *, json: bool) -> int:
    from junkie_cli.db.database import open_database
    from junkie_cli.db.forget import rules

    async with open_database(settings, size=1, command="forget") as database:
        found = await rules(database)
    if json:
        from junkie_cli.cli.ndjson import dump

        product(dump([_exclusion(each) for each in found]))
    else:
        lines = [f"{each.rule_id:>4}  {each.created_at:%Y-%m-%d}  {describe(each.rule, each.names)}" for each in found]
        product("\n".join(["Rule  Since       Keeps out", *lines]) if lines else "Nothing is kept out.")
    return 0


async def _undo(settings: Settings, rule_id: int, *, json: bool) -> int:
    from junkie_cli.db.database import open_database
    from junkie_cli.db.forget import undo

    async with open_database(settings, size=1, command="forget") as database:
        withdrawn = await undo(database, rule_id)
    if json:
        _write({"rule": str(rule_id), "messages": withdrawn.messages, "channels": withdrawn.channels})
    else:
        note(f"rule {rule_id} is gone; run `junkie backfill` to fetch {_extent(withdrawn)} anew")
    return 0


def describe(rule: "Rule", names: "Names") -> str:
    """Return in words what a rule concerns."""
    parts = [
        *([] if rule.user_id is None else [f"by {_named('', names.user, rule.user_id)}"]),
        *([] if rule.channel_id is None else [f"in {_named('#', names.channel, rule.channel_id)} and its threads"]),
        *([] if rule.guild_id is None else [f"in the guild {_named('', names.guild, rule.guild_id)}"]),
        *([] if rule.before_id is None else [f"before {snowflake.to_datetime(rule.before_id):%Y-%m-%d %H:%M} UTC"]),
    ]
    return "messages " + " ".join(parts)


def _named(sign: str, name: str | None, snowflake_id: int) -> str:
    return f"{snowflake_id} (not known in the archive)" if name is None else f"{sign}{shown(name)} ({snowflake_id})"


def _extent(extent: "Extent") -> str:
    return f"{count(extent.messages, 'message')} in {count(extent.channels, 'channel')}"


def _fields(rule: "Rule") -> dict[str, Any]:
    values = {
        "user_id": rule.user_id,
        "channel_id": rule.channel_id,
        "guild_id": rule.guild_id,
        "before_id": rule.before_id,
    }
    return {name: None if value is None else str(value) for name, value in values.items()}


def _exclusion(each: "Exclusion") -> dict[str, Any]:
    from junkie_cli.cli.ndjson import iso

    return {"rule": str(each.rule_id), "created_at": iso(each.created_at)} | _fields(each.rule)


def _write(value: dict[str, Any]) -> None:
    from junkie_cli.cli.ndjson import dump

    product(dump(value))


def _progress() -> "Callable[[int], None]":
    """Return what logs a line whenever many more messages are gone."""
    said = 0

    def report(deleted: int) -> None:
        nonlocal said
        if deleted >= said + _EVERY:
            said = deleted
            log.info("%s deleted so far", count(deleted, "message"))

    return report
