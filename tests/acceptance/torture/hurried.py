"""A process that becomes `junkie` as often as it is asked to, with short pauses.

    python hurried.py

It has imported everything, so that a command begins after milliseconds: it forks, and the child runs the command line's
own `main` in a session, an environment and a folder of its own. Only times are other than a user's: how long is waited
before something is tried again, and for an answer.

Requests come as lines of JSON on stdin, `{"arguments", "environ", "folder", "output"}`; on stdout is told
`{"started": pid}` to each, in order, and `{"ended": pid, "status": code}` (a signal's number negative).
"""

import contextlib
import gc
import json
import os
import random
import select
import signal
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NoReturn

HEARTBEAT_TIMEOUT: Final = 3.0
"""Seconds without a word from the gateway; its heartbeats are as often as `walk` says."""

_PAUSES: Final = {
    "client.starts": {"SPACING": 0.1},
    # A third of what users have: the walk is to find out if more is missed than what is told this late.
    "db.places": {"LATE_SECONDS": 3.0},
    "db.workers": {"LOOK_SECONDS": 0.2, "BEAT_SECONDS": 0.6},
    "ingest.live": {"BATCH_SECONDS": 0.02, "RETRY_SECONDS": 0.1},
    "ingest.run": {"BUSY_SECONDS": 0.05, "BUSY_RETRIES": 600},
    "ingest.mending": {"SETTLE_SECONDS": 0.05, "RETRY_SECONDS": 0.3},
    "ingest.serve": {"RETRY_SECONDS": 0.1, "LOOK_SECONDS": 0.2},
}


def hurry() -> None:
    """Shorten the pauses, before anything has taken a copy of them."""
    set_all("client.limiter", DEFAULT_RATE=2000.0)
    transport = import_module("junkie_cli.client.transport")
    wait = transport.Patience.wait
    transport.Patience.wait = lambda self, failures, rng: wait(self, failures, rng) / 50
    transport.Patience.__init__.__defaults__ = (6, 0.5, 30.0, 2.5)
    set_all("client.gateway", random=SimpleNamespace(Random=_Hasty))
    gateway = import_module("junkie_cli.client.gateway")
    gateway.open_gateway.__wrapped__.__kwdefaults__.update(
        patience=replace(gateway.RECONNECTING, timeout=2.0), heartbeat_timeout=HEARTBEAT_TIMEOUT
    )
    for module, pauses in _PAUSES.items():
        set_all(module, **pauses)
    for module in (
        "ingest.backfill",
        "ingest.sync",
        "ingest.filling",
        "db.forget",
        "cli.app",
        "cli.health",
        "cli.lines",
    ):
        import_module(f"junkie_cli.{module}")
    import_module("psycopg_pool")


def set_all(module: str, **names: Any) -> None:
    """Give names of a module of junkie's other values. Raises AttributeError for one that it does not have."""
    found = import_module(f"junkie_cli.{module}")
    for name, value in names.items():
        getattr(found, name)
        setattr(found, name, value)


class _Hasty(random.Random):
    """Draws how long is waited before a new session."""

    def uniform(self, a: float, b: float) -> float:
        return super().uniform(a, b) / 20


def main() -> None:
    """Serve requests until stdin ends."""
    hurry()
    gc.freeze()
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    waiting = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            reap()
        if 0 in ready:
            read = os.read(0, 65536)
            if not read:
                return
            *requests, waiting = (waiting + read).split(b"\n")
            for request in requests:
                tell(started=start(json.loads(request), (woken, wake)))


def reap() -> None:
    """Tell of every command that has ended."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            tell(ended=ended[0], status=os.waitstatus_to_exitcode(ended[1]))


def start(request: dict[str, Any], own: tuple[int, ...]) -> int:
    """Start a command and return its process id. `own` are our open files, none of its business."""
    if pid := os.fork():
        return pid
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    os.setsid()
    for end in own:
        os.close(end)
    with Path(os.devnull).open("rb") as nothing, Path(request["output"]).open("ab", buffering=0) as output:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir(request["folder"])
    random.seed()
    return become(request["arguments"])


def become(arguments: list[str]) -> NoReturn:
    """Run the command and end as it ends."""
    from junkie_cli.cli.app import main as run

    code = 70
    try:
        sys.argv = ["junkie", *arguments]
        code = run(arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def tell(**what: Any) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
