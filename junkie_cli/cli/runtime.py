"""What commands open, and how they are interrupted."""

import gc
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from junkie_cli import config
from junkie_cli.cli import options
from junkie_cli.cli.output import set_up_logging, wipe_drawings
from junkie_cli.config import Settings
from junkie_cli.errors import INTERRUPTED

if TYPE_CHECKING:
    import threading

    from junkie_cli.client.session import DiscordClient
    from junkie_cli.db.database import Database
    from junkie_cli.db.workers import Presence
    from junkie_cli.ingest.selection import Selection

GRACE: Final = 0.9
"""Seconds from Ctrl-C to the end of what may stop anywhere, though a database should stand still."""

LONGEST_GRACE: Final = 4.5
"""Seconds from a signal to the end, whatever hangs."""


def begin(flags: Mapping[str, Any] | None = None, *, quiet: bool = False) -> Settings:
    """Read the settings and set up the log: how every command begins. `flags` are fields of `Settings`; None: not given.

    `quiet` leaves out of the log what needs nobody. Raises ConfigError.
    """
    settings = config.load({**options.for_all.get(), **(flags or {})})
    loud = settings.log_level in {"DEBUG", "INFO"}
    set_up_logging("WARNING" if quiet and loud else settings.log_level, settings.log_format)
    return settings


def run_async(main: Coroutine[Any, Any, int], *, interrupted: int = INTERRUPTED, grace: float | None = None) -> int:
    """Run a command and return its exit code.

    Ctrl-C, SIGTERM and a terminal that is closed cancel it, and give the code `interrupted` once it has cleaned up. Should
    that take longer than `grace` seconds, since a database or a disk hangs, the process ends; see `_end_after`.
    """
    with closing(main):
        # Told to end before it has begun, it is not waited for: no warning need say so.
        return _run(main, interrupted, grace)


def _run(main: Coroutine[Any, Any, int], interrupted: int, grace: float | None) -> int:
    # Of all that help and --version import it would take the longest.
    import asyncio

    async def guarded() -> int:
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()

        def cancel() -> None:
            # A second signal while cleaning up must not leave a server behind.
            if task.cancelling():
                return
            if grace is not None:
                ending.callback(_end_after(grace, interrupted).cancel)
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup, and a shell that starts us in the background, mean what they say.
            if signal.getsignal(number) is signal.SIG_IGN:
                continue
            loop.add_signal_handler(number, cancel)
        try:
            return await main
        except asyncio.CancelledError:
            return interrupted

    with ExitStack() as ending, closing(guarded()) as work:
        return asyncio.run(work)


def end_well_if_stopped() -> None:
    """Let the process exit with 0 if it is told to end before it has begun, as `run_async` does from then on."""

    def leave(_number: int, _frame: object) -> None:
        raise SystemExit(0)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, leave)


def _end_after(seconds: float, code: int) -> "threading.Timer":
    """End the process after so many seconds, whatever it waits for: as if it were killed, which it must bear anyway.

    Should the embedded server be starting or stopping then, it gets LONGEST_GRACE.
    """
    import threading

    def end() -> None:
        from junkie_cli.db import embedded

        deadline = time.monotonic() + LONGEST_GRACE - seconds
        while embedded.at_work() and time.monotonic() < deadline:
            # It would be left behind, and running.
            time.sleep(0.01)
        wipe_drawings()
        logging.getLogger(__name__).warning(
            "what was to be cleaned up takes too long; ending without it, as if killed. Everything fetched so far is kept, "
            "and the next run fetches what is missing"
        )
        logging.shutdown()
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


@dataclass(frozen=True, slots=True)
class Opened:
    """A Discord client and a database, open, and this command's place among others."""

    discord: "DiscordClient"
    database: "Database"
    presence: "Presence"

    async def settled(self, selection: "Selection") -> "Selection":
        """Return the selection with ids in the place of names. Raises UsageError or ConfigError for what nothing bears."""
        from junkie_cli.ingest.naming import settle

        return await settle(selection, self.discord, self.database)


@asynccontextmanager
async def opened(settings: Settings, command: str) -> AsyncIterator[Opened]:
    """Open the database, then the Discord client, and close them the other way round.

    The commands of one bot that are alive share its rate limit.

    Raises ConfigError without a token, TokenRejected, DiscordUnavailable and DatabaseError.
    """
    # Before the imports, which take longer than all else that needs no token.
    settings.require_token()
    from junkie_cli.client.limiter import DEFAULT_RATE
    from junkie_cli.client.session import open_client
    from junkie_cli.db.database import open_database
    from junkie_cli.db.workers import present

    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_database(settings, size=settings.concurrency + 2, command=command)
        )
        sharing: list[Presence] = []
        discord = await stack.enter_async_context(
            open_client(settings, rate=lambda: DEFAULT_RATE / (sharing[0].sharing if sharing else 1))
        )
        presence = await stack.enter_async_context(present(database, command, discord.me.user_id))
        sharing.append(presence)
        collect_less()
        yield Opened(discord, database, presence)


def collect_less() -> None:
    """Let the garbage collector look less often, and not at what was loaded at the start.

    A page makes thousands of objects, all of them gone with it and hardly any in a cycle.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
