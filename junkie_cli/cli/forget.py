"""`junkie forget`."""

import logging
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from junkie_cli import snowflake
from junkie_cli.cli import completion, options
from junkie_cli.cli.figures import count
from junkie_cli.cli.output import note, product, shown
from junkie_cli.cli.runtime import begin, run_async
from junkie_cli.config import Settings
from junkie_cli.errors import INTERRUPTED, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from junkie_cli.db.database import Database
    from junkie_cli.db.forget import Exclusion, Extent, Names
    from junkie_cli.db.reconcile import Rule
    from junkie_cli.reference import Asked

log: Final = logging.getLogger("junkie")

_EVERY: Final = 50_000
"""Deleted messages between two lines that say how far it is."""


def command(
    *,
    user: Annotated[
        str | None, typer.Option(metavar="USER", help="What this account wrote: its username or id.")
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(
            metavar="CHANNEL",
            autocompletion=completion.channels,
            help="What stands in this channel with its threads: its name, id or link.",
        ),
    ] = None,
    guild: Annotated[
        str | None,
        typer.Option(
            metavar="GUILD", autocompletion=completion.guilds, help="What stands in this guild: its name, id or link."
        ),
    ] = None,
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
    settings = begin()
    from junkie_cli.reference import Asked, Label, Wanted

    if show:
        return run_async(_list(settings, json=json))
    if undo is not None:
        return run_async(_undo(settings, undo, json=json))
    given = Given(
        user=None if user is None else Asked(user, Wanted.USER, Label("--user")),
        channel=None if channel is None else Asked(channel, Wanted.CHANNEL, Label("--channel")),
        guild=None if guild is None else Asked(guild, Wanted.GUILD, Label("--guild")),
        before_id=options.read_since(before, "before"),
    )
    if not yes and not (sys.stdin is not None and sys.stdin.isatty()):
        raise UsageError("forget asks before it deletes, and here is nobody to answer", hint="give --yes")
    if not yes:
        if code := run_async(_preview(settings, given)):
            return code
        # Outside the event loop, where Ctrl-C ends the question as everywhere.
        if not typer.confirm("Forget them?", err=True):
            note("Nothing was changed.")
            return INTERRUPTED
    return run_async(_forget(settings, given, json=json))


@dataclass(slots=True)
class Given:
    """What is to be forgotten, as typed. Once a name is looked up its id stands for it: what was shown is what goes."""

    user: "Asked | None"
    channel: "Asked | None"
    guild: "Asked | None"
    before_id: int | None

    def __post_init__(self) -> None:
        from junkie_cli.reference import read

        for asked in filter(None, (self.user, self.channel, self.guild)):
            # What is no id, nor anybody's name, is refused before anything is opened.
            read(asked)

    async def rule(self, database: "Database") -> "Rule":
        """Return the rule. Raises UsageError for a name that nothing bears, or more than one, and for a category."""
        from junkie_cli.cli.naming import find_id, refuse_category
        from junkie_cli.db.reconcile import Rule

        async def of(asked: "Asked | None", guild_id: int | None = None) -> int | None:
            return None if asked is None else await find_id(asked, database.fetch, guild_id=guild_id)

        guild_id = await of(self.guild)
        channel_id = await of(self.channel, guild_id)
        if self.channel is not None and channel_id is not None:
            await refuse_category(self.channel, channel_id, database.fetch)
        rule = Rule(
            user_id=await of(self.user),
            channel_id=channel_id,
            guild_id=guild_id,
            before_id=self.before_id,
        )
        self.user = _settled(self.user, rule.user_id)
        self.channel = _settled(self.channel, rule.channel_id)
        self.guild = _settled(self.guild, rule.guild_id)
        return rule


def _settled(asked: "Asked | None", found: int | None) -> "Asked | None":
    return None if asked is None else asked._replace(text=str(found))


async def _preview(settings: Settings, given: Given) -> int:
    """Say what would be deleted."""
    from junkie_cli.db.database import open_database
    from junkie_cli.db.forget import Forgetting

    async with open_database(settings, size=1, command="forget") as database:
        rule = await given.rule(database)
        forgetting = Forgetting(database, rule)
        extent, names = await forgetting.count(), await forgetting.names()
    note(f"This deletes {_extent(extent)} for good: {describe(rule, names)}. They will not be archived again.")
    return 0


async def _forget(settings: Settings, given: Given, *, json: bool) -> int:
    import asyncio

    from junkie_cli.db.database import open_database
    from junkie_cli.db.forget import Forgetting

    async with open_database(settings, size=1, command="forget") as database:
        rule = await given.rule(database)
        forgetting = Forgetting(database, rule)
        names = await forgetting.names()
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
            {
                "rule": str(forgetting.rule_id),
                "replaced": [str(rule_id) for rule_id in forgetting.replaced],
                "messages": deleted.messages,
                "channels": deleted.channels,
            }
            | _fields(rule)
        )
    else:
        instead = _in_place_of(forgetting.replaced)
        note(f"forgot {_extent(deleted)}: {describe(rule, names)}; rule {forgetting.rule_id} keeps them out{instead}")
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


def _in_place_of(replaced: "Sequence[int]") -> str:
    if not replaced:
        return ""
    numbers = ", ".join(str(rule_id) for rule_id in replaced)
    return f", in place of rule{'' if len(replaced) == 1 else 's'} {numbers}"


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
