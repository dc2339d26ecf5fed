"""Where a demo plays: a local Discord in a process of its own, and a folder for a database, both gone afterwards.

Nothing of the user's is touched: settings are made here, not read from the environment or a `.env`.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, Final

import junkie_cli
from junkie_cli import config
from junkie_cli.cli import keeper
from junkie_cli.config import Settings
from junkie_cli.errors import JunkieError

_START_PATIENCE: Final = 60.0
_KEEPER_PATIENCE: Final = 60.0

log = logging.getLogger(__name__)


@asynccontextmanager
async def stage(user: Settings, *, preset: str, window: float) -> AsyncIterator[Settings]:
    """Set the stage, and clear it whatever happens. `window` is the seconds in which a channel gives five pages.

    `user` only says where things are. Raises JunkieError, and EmbeddedServerError if the home can't be written.
    """
    from junkie_cli.db.cluster import Cluster

    demos = user.home / "demo"
    await asyncio.to_thread(keeper.sweep, demos)
    folder = demos / secrets.token_hex(4)
    Cluster(folder).prepare()
    async with AsyncExitStack() as stack:
        # The keeper comes first, so that it goes last.
        await stack.enter_async_context(_keeper(folder))
        errors = stack.enter_context((folder / "emulator.log").open("wb+"))
        url, token = await stack.enter_async_context(_emulator(preset, window, errors))
        environment = {
            "DISCORD_TOKEN": token,
            "DISCORD_API_URL": url,
            "JUNKIE_HOME": str(folder),
            "LOG_LEVEL": user.log_level,
        }
        if user.pg_bin is not None:
            environment["JUNKIE_PG_BIN"] = str(user.pg_bin)
        yield config.load(environ=environment, folder=folder)


@asynccontextmanager
async def _keeper(folder: Path) -> AsyncIterator[None]:
    process = await _start("junkie_cli.cli.keeper", str(folder))
    try:
        if await _line(process) != "ready":
            raise JunkieError("the demo's clean-up did not start", hint="LOG_LEVEL=DEBUG shows where")
        yield
    finally:
        status = await _end(process, patience=_KEEPER_PATIENCE)
        if status != 0:
            log.warning("the demo's folder %s was not removed; the next demo will", folder)


@asynccontextmanager
async def _emulator(preset: str, window: float, errors: IO[bytes]) -> AsyncIterator[tuple[str, str]]:
    """Start the local Discord and give its address and its bot token."""
    process = await _start(
        *("junkie_cli", "emulator", "--exit-with-parent", "--port", "0"),
        *("--preset", preset, "--window", str(window)),
        errors=errors,
    )
    try:
        lines = [await _line(process), await _line(process)]
        values = [line.partition("=")[2] for line in lines]
        if not all(values):
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip().splitlines()
            raise JunkieError(f"the local Discord did not start: {said[-1] if said else 'it gave no reason'}")
        yield values[0], values[1]
    finally:
        # It has nothing to put in order.
        await _end(process, patience=0)


async def _start(module: str, *arguments: str, errors: IO[bytes] | None = None) -> Process:
    """Start one of our own modules on a leash: its stdin is a pipe that ends when we do."""
    # Not the working folder, which may hold anything, but where we ourselves come from.
    ours = str(Path(junkie_cli.__file__).parents[1])
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")
    environment = {name: os.environ[name] for name in kept if name in os.environ} | {"PYTHONPATH": ours}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module, *arguments),
        stdin=PIPE,
        stdout=PIPE,
        stderr=errors,
        env=environment,
        # Ctrl-C is meant for us; they end when we say so.
        start_new_session=True,
    )


async def _line(process: Process) -> str:
    assert process.stdout is not None
    with contextlib.suppress(TimeoutError):
        return (await asyncio.wait_for(process.stdout.readline(), _START_PATIENCE)).decode().rstrip("\n")
    return ""


async def _end(process: Process, *, patience: float) -> int:
    """Let the process end by itself, and kill it if it has not in so many seconds. An interruption waits for that."""
    assert process.stdin is not None
    process.stdin.close()
    ending = asyncio.ensure_future(process.wait())
    cancelled = False
    try:
        await asyncio.wait([ending], timeout=patience)
    except asyncio.CancelledError:
        cancelled = True
        await asyncio.wait([ending], timeout=patience)
    if not ending.done():
        process.kill()
    status = await ending
    if cancelled:
        raise asyncio.CancelledError
    return status
