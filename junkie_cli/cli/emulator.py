"""`junkie emulator`: a local Discord for demonstrations, tests and benchmarks."""

import signal
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from junkie_cli.cli import options
from junkie_cli.cli.figures import count
from junkie_cli.cli.options import finite
from junkie_cli.cli.output import note, set_up_logging
from junkie_cli.errors import JunkieError, UsageError

if TYPE_CHECKING:
    from junkie_cli.emulator.limits import Limits
    from junkie_cli.emulator.world import World


class RateHeaders(StrEnum):
    """What answers say of the rate limit on messages."""

    TRUE = "true"
    WRONG = "wrong"
    NONE = "none"


def emulator(
    *,
    port: Annotated[int, typer.Option(help="TCP port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same guild.")] = 0,
    preset: Annotated[str, typer.Option(help="tiny, demo, hostile, or NxM: N channels of M messages.")] = "demo",
    rate_limit: Annotated[
        int, typer.Option(help="Page requests per channel and window; 0: no limit, nor a global one.", min=0)
    ] = 5,
    window: Annotated[float, typer.Option(help="Seconds of that window.", min=0.001, callback=finite)] = 5.0,
    global_limit: Annotated[int, typer.Option(help="Requests per second in all; 0: no limit.", min=0)] = 50,
    headers: Annotated[
        RateHeaders, typer.Option(help="Rate limit headers: the truth, wrong ones as Discord has sent them, or none.")
    ] = RateHeaders.TRUE,
    latency: Annotated[float, typer.Option(help="Milliseconds that each answer takes.", min=0, callback=finite)] = 0,
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", hidden=True, help="Stop when stdin, a pipe, is closed.")
    ] = False,
) -> None:
    """Run a local Discord until Ctrl-C.

    stdout has two lines for a shell to evaluate: its address and its bot token. POST /_emulator/VERB changes its world.

    Exit codes: 0 stopped, 1 the port is taken, 2 an option makes no sense.
    """
    # Imported here, so that other commands start without aiohttp.
    from junkie_cli.emulator.generator import generate
    from junkie_cli.emulator.limits import Limits, Rate

    # It has no use for any other setting, and none must keep it from starting.
    set_up_logging("WARNING", options.log_form())
    limits = Limits.off()
    if rate_limit:
        total = Rate(global_limit, 1.0) if global_limit else None
        limits = Limits(messages=Rate(rate_limit, window), total=total, headers=headers.value)
    try:
        world = generate(seed, preset)
    except ValueError as error:
        raise UsageError(str(error), hint="see `junkie emulator --help`") from error
    import asyncio

    try:
        asyncio.run(_serve(world, limits=limits, latency_ms=latency, port=port, exit_with_parent=exit_with_parent))
    except OSError as error:
        raise JunkieError(f"port {port} can't be used: {error.strerror}", hint="take another, or --port 0") from error


async def _serve(world: "World", *, limits: "Limits", latency_ms: float, port: int, exit_with_parent: bool) -> None:
    import asyncio

    from junkie_cli.emulator.server import running  # aiohttp only when it runs

    class Leash(asyncio.Protocol):
        """Stops the emulator when nobody holds the other end any more."""

        def connection_lost(self, _error: Exception | None) -> None:
            stopped.set()

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if exit_with_parent:
        # However whoever started us ends, the kernel closes the pipe's other end.
        await loop.connect_read_pipe(Leash, sys.stdin)
    async with running(world, limits=limits, latency_ms=latency_ms, port=port) as emulator:
        emulator.control.warm()
        sys.stdout.write(f"export DISCORD_API_URL={emulator.api_url}\nexport DISCORD_TOKEN={emulator.token}\n")
        sys.stdout.flush()
        messages = sum(len(channel.messages) for channel in world.channels.values())
        note(f"{count(len(world.channels), 'channel')}, {count(messages, 'message')}. Ctrl-C stops the emulator.")
        await stopped.wait()
