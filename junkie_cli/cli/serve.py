"""`junkie serve`."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated, Final

import typer

from junkie_cli.cli import options
from junkie_cli.cli.runtime import begin, end_well_if_stopped, opened, run_async
from junkie_cli.config import Settings
from junkie_cli.errors import UsageError

if TYPE_CHECKING:
    from junkie_cli.ingest.selection import Selection

GRACE: Final = 4.0
"""Seconds from when SIGTERM is heeded, which modules that are being imported may delay, to the end, whatever hangs."""


def command(
    *,
    guild: options.Guilds = None,
    channel: options.Channels = None,
    exclude: options.Exclude = None,
    threads: Annotated[bool, typer.Option(help="Archive threads and forum posts too.")] = True,
    concurrency: options.Concurrency = None,
    shards: Annotated[
        int | None,
        typer.Option(min=1, max=1000, help="Gateway connections (as many as Discord recommends)."),
    ] = None,
    health: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Answer /healthz and /metrics (Prometheus) there."),
    ] = None,
) -> int:
    """Keep the archive true while people talk.

    It archives what is there, then every message, edit and deletion as it happens. It runs until SIGTERM or Ctrl-C,
    then writes what it heard and exits 0. It survives lost connections and an absent database; whatever it could not
    hear is fetched afterwards.
    """
    end_well_if_stopped()
    settings = begin(options.places(guild, channel, exclude) | {"concurrency": concurrency})
    address = None if health is None else read_address(health)
    selection = options.read_selection(settings, threads=threads)
    # To be stopped is how a serve ends well.
    return run_async(run(settings, selection, shards=shards, address=address), interrupted=0, grace=GRACE)


async def run(
    settings: Settings, selection: "Selection", *, shards: int | None, address: tuple[str, int] | None
) -> int:
    """Serve until cancelled."""
    from junkie_cli.cli.lines import logged
    from junkie_cli.cli.supervisor import notify, watched
    from junkie_cli.client.gateway import open_gateway
    from junkie_cli.ingest.backfill import BackfillOptions
    from junkie_cli.ingest.mending import ServeOptions
    from junkie_cli.ingest.selection import Selection
    from junkie_cli.ingest.serve import Serve
    from junkie_cli.ingest.sync import SyncOptions

    # What a `serve` of everything watches, `junkie context` takes for fresh.
    name = "serve" if selection == Selection() else "serve in part"
    with logged() as emit:
        async with opened(settings, name) as tools:
            settled = await tools.settled(selection)
            run_options = ServeOptions(
                backfill=BackfillOptions.of(settings, settled),
                sync=SyncOptions.of(settings, settled, limit=settings.sync_limit),
            )
            serve = Serve(run_options, tools.discord, tools.database, tools.presence, emit)
            async with AsyncExitStack() as stack:
                if address is not None:
                    from junkie_cli.cli.health import answering

                    stack.enter_context(answering(*address, serve.vitals))
                await stack.enter_async_context(watched())
                notify("READY=1")
                stack.callback(notify, "STOPPING=1")
                await serve.run(lambda on_event: open_gateway(settings, tools.discord, on_event, shards=shards))
    return 0


def read_address(text: str) -> tuple[str, int]:
    """Return host and port of `--health`. Raises UsageError."""
    host, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdigit() and len(port) <= 5 and 0 <= int(port) <= 65535:
        return host.strip("[]") or "127.0.0.1", int(port)
    raise UsageError(f"--health: '{text[:60]}' is no HOST:PORT", hint="e.g. 127.0.0.1:8080")
