"""`junkie sync`."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from junkie_cli.cli import options
from junkie_cli.cli.backfill import exit_code
from junkie_cli.cli.runtime import GRACE, begin, opened, run_async
from junkie_cli.config import Settings
from junkie_cli.errors import PARTIAL

if TYPE_CHECKING:
    from junkie_cli.ingest.sync import SyncOptions


def command(
    *,
    guild: options.Guilds = None,
    channel: options.Channels = None,
    exclude: options.Exclude = None,
    limit: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            help="Newest archived messages per channel to compare with Discord (200); 'all' clears what is on record as "
            "unwatched. [env: MESSAGE_SYNC_LIMIT]",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DATE|ID|AGE",
            help="Compare everything since then: 2024-01-31, an id, or an age such as 7d; with --limit, at most that.",
        ),
    ] = None,
    reconcile: Annotated[
        bool,
        typer.Option(
            help="Compare what is archived, to find edits and deletions. Without it, an unchanged server costs no request "
            "for messages."
        ),
    ] = True,
    concurrency: options.Concurrency = None,
    accept_unreadable: options.AcceptUnreadable = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what needs a person, as for cron.")] = False,
    json: options.Json = False,
) -> int:
    """Make the archive true again: new messages, edits, deletions.

    Every channel that is archived is caught up, however long nobody looked, and its newest messages are compared with
    Discord. A channel that was never fetched gets its newest messages; `junkie backfill` fetches the rest. Run it from
    cron: nothing new exits 0, and a run that starts while another one goes on gives way to it.
    """
    settings = begin(
        options.places(guild, channel, exclude)
        | {"concurrency": concurrency, "accept_unreadable": accept_unreadable or None},
        quiet=quiet,
    )
    from junkie_cli.ingest.sync import SyncOptions

    # A time that was given outweighs the number that is usual.
    usual = settings.sync_limit if since is None else None
    run_options = SyncOptions.of(
        settings,
        options.read_selection(settings),
        limit=usual if limit is None else options.read_count(limit, "limit"),
        since=options.read_since(since),
        reconcile=reconcile,
    )
    return run_async(run(settings, run_options, json=json, quiet=quiet), grace=GRACE)


async def run(settings: Settings, run_options: "SyncOptions", *, json: bool, quiet: bool) -> int:
    """Sync, reporting as it goes; returns the exit code."""
    from junkie_cli.cli.progress import reporter
    from junkie_cli.ingest.events import AnotherRuns
    from junkie_cli.ingest.sync import sync

    with reporter(json=json, quiet=quiet, accept_unreadable=settings.accept_unreadable) as emit:
        async with opened(settings, "sync") as tools:
            run_options = replace(run_options, selection=await tools.settled(run_options.selection))
            done = await sync(run_options, tools.discord, tools.database, tools.presence, emit)
    if isinstance(done, AnotherRuns):
        return PARTIAL if done.stalled else 0
    return exit_code(done, accept_unreadable=settings.accept_unreadable)
