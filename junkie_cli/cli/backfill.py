"""`junkie backfill`."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from junkie_cli.cli import options
from junkie_cli.cli.runtime import GRACE, begin, opened, run_async
from junkie_cli.config import Settings
from junkie_cli.errors import PARTIAL

if TYPE_CHECKING:
    from junkie_cli.ingest.backfill import BackfillOptions
    from junkie_cli.ingest.events import Summary


def command(
    *,
    guild: options.Guilds = None,
    channel: options.Channels = None,
    exclude: options.Exclude = None,
    threads: Annotated[bool, typer.Option(help="Archive threads and forum posts too.")] = True,
    target: Annotated[
        str | None,
        typer.Option(metavar="N|all", help="Newest messages per channel (all). [env: CONTEXT_AGENT_MAX_MESSAGES]"),
    ] = None,
    since: options.Since = None,
    concurrency: options.Concurrency = None,
    max_iterations: Annotated[
        int | None,
        typer.Option(min=1, help="Deepen iterations per channel in this run. [env: BACKFILL_MAX_ITERATIONS]"),
    ] = None,
    max_fetch_limit: Annotated[
        int | None,
        typer.Option(min=1, help="Messages per deepen iteration (1000). [env: BACKFILL_MAX_FETCH_LIMIT]"),
    ] = None,
    parallel_batches: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=64,
            help="Ranges of one channel fetched at once (1); worth it where answers take long. "
            "[env: BACKFILL_PARALLEL_BATCHES]",
        ),
    ] = None,
    accept_unreadable: options.AcceptUnreadable = False,
    allow_empty_content: Annotated[
        bool,
        typer.Option(help="Go on without the MESSAGE CONTENT intent; pages are stored as not yet archived."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be fetched, and fetch nothing.")] = False,
    json: options.Json = False,
) -> int:
    """Archive every message of every channel that the bot can read.

    What is archived already is not asked for again: an unchanged server costs no message request. Interrupt it at any
    time; the next run goes on where this one stopped.
    """
    settings = begin(
        options.places(guild, channel, exclude)
        | {
            "concurrency": concurrency,
            "max_iterations": max_iterations,
            "max_fetch_limit": max_fetch_limit,
            "parallel_batches": parallel_batches,
            "accept_unreadable": accept_unreadable or None,
        }
    )
    from junkie_cli.ingest.backfill import BackfillOptions

    own = {} if target is None else {"target": options.read_count(target, "target")}
    run_options = BackfillOptions.of(
        settings,
        options.read_selection(settings, threads=threads),
        since=options.read_since(since),
        allow_empty_content=allow_empty_content,
        **own,
    )
    work = plan(settings, run_options, json=json) if dry_run else run(settings, run_options, json=json)
    return run_async(work, grace=GRACE)


async def run(settings: Settings, run_options: "BackfillOptions", *, json: bool) -> int:
    """Backfill, reporting as it goes; returns the exit code."""
    from junkie_cli.cli.progress import reporter
    from junkie_cli.ingest.backfill import backfill

    with reporter(json=json) as emit:
        async with opened(settings, "backfill") as tools:
            run_options = replace(run_options, selection=await tools.settled(run_options.selection))
            summary = await backfill(run_options, tools.discord, tools.database, tools.presence, emit)
    return exit_code(summary, accept_unreadable=settings.accept_unreadable)


async def plan(settings: Settings, run_options: "BackfillOptions", *, json: bool) -> int:
    """Show what a backfill would fetch; returns the exit code."""
    from junkie_cli.cli.plan import show_plan
    from junkie_cli.cli.progress import reporter
    from junkie_cli.ingest.backfill import prepare_all, settle

    # The plan is one object: on the way to it stdout stays empty.
    with reporter(json=False) as emit:
        async with opened(settings, "backfill") as tools:
            run_options = replace(run_options, selection=await tools.settled(run_options.selection))
            prepared = await prepare_all(run_options, tools.discord, tools.database, emit, store=False)
            prepared = await settle(prepared, run_options, tools.database)
    show_plan(prepared, run_options, json=json)
    # Where something could not be listed nobody knows what there is.
    return PARTIAL if prepared.found.unlisted else 0


def exit_code(summary: "Summary", *, accept_unreadable: bool) -> int:
    """Return 3 if a channel failed, is another command's still, or can't be read and that was not accepted; else 0."""
    from junkie_cli.ingest.events import Outcome

    failed = summary.outcomes.get(Outcome.FAILED, 0)
    unreadable = 0 if accept_unreadable else summary.outcomes.get(Outcome.UNREADABLE, 0)
    # Whoever has it may die yet: this run can't say that it is done.
    busy = summary.outcomes.get(Outcome.BUSY, 0)
    return PARTIAL if failed or unreadable or busy else 0
