"""`junkie doctor`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from junkie_cli import config
from junkie_cli.cli import options
from junkie_cli.cli.output import set_up_logging
from junkie_cli.cli.runtime import GRACE, run_async
from junkie_cli.config import Settings
from junkie_cli.errors import ConfigError

if TYPE_CHECKING:
    from junkie_cli.checks import Check
    from junkie_cli.client.diagnosis import Scope
    from junkie_cli.client.session import DiscordClient
    from junkie_cli.db.names import Catalogue
    from junkie_cli.errors import JunkieError
    from junkie_cli.ingest.selection import Selection
    from junkie_cli.models import Channel, Guild

EXIT_CODES = (
    "Exit codes: 0 no failure (warnings are none), 1 Discord can't be reached, 2 usage, 3 a server that the bot is in can't "
    "be looked at, 4 the configuration or the token, 5 the database (of several failures the highest), 130 interrupted."
)

MACHINE, DATABASE, DISCORD = "This machine", "Database", "Discord"


def command(
    *,
    guild: options.Guilds = None,
    channel: options.Channels = None,
    exclude: options.Exclude = None,
    accept_unreadable: options.AcceptUnreadable = False,
    json: options.JsonReport = False,
) -> int:
    """Look whether all is well, and say how to mend what is not.

    It looks at settings, the database, Discord, and what the bot may read. Nothing is changed, fetched or migrated.
    Without a token, what needs one is skipped. --guild, --channel and --exclude choose the channels whose rights
    matter.
    """
    problems: list[ConfigError] = []
    settings: Settings | None = None
    flags = {**options.for_all.get(), **options.places(guild, channel, exclude)}
    try:
        settings = config.load({**flags, "accept_unreadable": accept_unreadable or None}, problems=problems)
    except ConfigError as error:
        problems.append(error)
    if settings is not None:
        set_up_logging(settings.log_level, settings.log_format)
    selection = _selection(settings, problems)
    return run_async(_examine(settings, selection, problems, json=json), grace=GRACE)


def _selection(settings: Settings | None, problems: list[ConfigError]) -> "Selection":
    """Return the channels whose rights matter; a variable that names nothing is a problem. Raises UsageError."""
    from junkie_cli.ingest.selection import Selection

    try:
        return Selection() if settings is None else options.read_selection(settings)
    except ConfigError as error:
        problems.append(error)
        return Selection()


def _scope(selection: "Selection", archive: "Catalogue") -> "Callable[[DiscordClient], Awaitable[Scope]]":
    """Return what says where rights matter. Names are looked up as other commands do it."""

    async def scope(discord: "DiscordClient") -> "Scope":
        from junkie_cli.client.diagnosis import Scope
        from junkie_cli.ingest.naming import look_up
        from junkie_cli.reference import Wanted

        settled = await look_up(selection, discord, archive)

        def guilds(every: Sequence["Guild"]) -> Sequence["Guild"]:
            settled.require_guilds(every)
            wanted = settled.guilds or {guild.guild_id for guild in every}
            return [guild for guild in every if guild.guild_id in wanted - settled.exclude]

        def matters(channel: "Channel") -> bool:
            wanted = not settled.channels or channel.channel_id in settled.channels
            return wanted and not settled.excludes(channel)

        def absent(channel_id: int, why: str) -> "JunkieError":
            hint = "correct the id, let the bot view it, or leave it out"
            return settled.labels[Wanted.CHANNEL].error(f"channel {channel_id} {why}", hint)

        return Scope(guilds, matters, settled.channels, absent)

    return scope


async def _examine(
    settings: Settings | None, selection: "Selection", problems: Sequence[ConfigError], *, json: bool
) -> int:
    from junkie_cli.checks import exit_code
    from junkie_cli.cli.findings import Findings

    findings = Findings(as_json=json)
    async for section, found in _every(settings, selection, problems):
        findings.add(section, found)
    findings.end()
    return exit_code(findings.checks)


async def _every(
    settings: Settings | None, selection: "Selection", problems: Sequence[ConfigError]
) -> AsyncIterator[tuple[str, "Sequence[Check]"]]:
    """Make all checks, one part after another."""
    from junkie_cli.checks import skipped
    from junkie_cli.cli import machine
    from junkie_cli.db.names import Catalogue

    yield MACHINE, machine.examine(settings, problems)
    if settings is None:
        yield DATABASE, [skipped("database", "the settings can't be read")]
        yield DISCORD, [skipped("api", "the settings can't be read")]
        return
    known: list[Catalogue] = []
    if misread := _misread(problems):
        # The default would be another database.
        yield DATABASE, [skipped("database", f"{misread} is wrong")]
    else:
        from junkie_cli.db import diagnosis as of_database

        async for found in of_database.examine(settings, places=known.append if selection.named else None):
            yield DATABASE, found
    from junkie_cli.client import diagnosis as of_discord

    archive = known[0] if known else Catalogue([], [], frozenset())
    async for found in of_discord.examine(settings, scope=_scope(selection, archive)):
        yield DISCORD, found


def _misread(problems: Sequence[ConfigError]) -> str | None:
    """Return the variable that says where the database is, if it has an error."""
    named = {problem.setting for problem in problems}
    return next((name for name in ("POSTGRES_URL", "JUNKIE_PG_BIN", "JUNKIE_HOME") if name in named), None)
