"""Tells a supervisor such as systemd how a service does (sd_notify(3)), where one asked for it."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

_MICROSECONDS: Final = 1_000_000

log: Final = logging.getLogger(__name__)


def notify(state: str, *, patience: float = 5.0) -> None:
    """Send a state such as READY=1 to NOTIFY_SOCKET; does nothing where there is none.

    A supervisor that does not listen within `patience` seconds is no reason to stop: that is logged.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.settimeout(patience)
        try:
            # An abstract socket's name begins with a NUL.
            sender.connect("\0" + address[1:] if address.startswith("@") else address)
            sender.sendall(state.encode())
        except OSError as error:
            log.warning("NOTIFY_SOCKET %s could not be told %s: %s", address, state, error.strerror or error)


def watchdog_seconds(environ: Mapping[str, str], pid: int) -> float | None:
    """Return the seconds after which a supervisor takes a silent process for hung; None where it does not watch this one."""
    interval = environ.get("WATCHDOG_USEC", "")
    if not (interval.isascii() and interval.isdigit() and int(interval)):
        return None
    # The variables are inherited, but mean one process.
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(interval) / _MICROSECONDS


@asynccontextmanager
async def watched() -> AsyncIterator[None]:
    """While the block runs, tell a supervisor that watches us, twice in its interval, that the event loop goes round."""
    interval = watchdog_seconds(os.environ, os.getpid())
    if interval is None:
        yield
        return
    reporting = asyncio.create_task(_report(interval / 2))
    try:
        yield
    finally:
        reporting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporting


async def _report(pause: float) -> None:
    while True:
        # To wait here would be to stand still for want of somebody to tell that we don't.
        notify("WATCHDOG=1", patience=0)
        await asyncio.sleep(pause)
