"""A process that becomes `junkie` as often as it is asked to, with nothing of others' left to import.

    python tests/forkserver.py DESCRIPTOR

Importing libraries is nine tenths of what a short command costs. They are imported here, once; junkie's own modules are
not: each command imports those itself, in a session, a folder and an environment of its own, and ends as it ends.

Requests come on the socket of that number, one line of JSON each, `{"arguments", "environ", "folder"}`, together with four
descriptors: the command's stdin, stdout and stderr, and a socket on which its process id is told, and later its exit
code, or a signal's number, negative: a line each. When the first socket's other end is closed, it is over.
"""

import contextlib
import gc
import json
import os
import random
import runpy
import select
import signal
import socket
import sys
from importlib import import_module
from typing import Any, Final

LIBRARIES: Final = (
    *("aiohttp", "discord", "dotenv", "msgspec", "platformdirs", "psycopg", "psycopg_pool", "pytz", "typer"),
    *("rich.console", "rich.live", "rich.progress", "rich.table", "typer.completion", "typer.core", "typer.rich_utils"),
    *("logging.handlers", "secrets", "subprocess", "tempfile", "zoneinfo"),
)


class Server:
    """Forks, and tells of beginnings and ends."""

    def __init__(self, asked: socket.socket) -> None:
        self._asked = asked
        self._listeners: dict[int, int] = {}
        self._woken, self._wake = os.pipe()
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake)

    def serve(self) -> dict[str, Any] | None:
        """Serve requests; come back with one in the process that is to become it, and with None when it is over."""
        while True:
            ready, _, _ = select.select([self._asked.fileno(), self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if self._asked.fileno() in ready:
                read, descriptors, _, _ = socket.recv_fds(self._asked, 65536, 4)
                if not read:
                    return None
                while not read.endswith(b"\n"):
                    read += self._asked.recv(65536)
                *streams, listener = descriptors
                if not (pid := os.fork()):
                    self._leave()
                    settle(streams, listener)
                    request: dict[str, Any] = json.loads(read)
                    return request
                for stream in streams:
                    os.close(stream)
                self._listeners[pid] = listener

    def _reap(self) -> None:
        while self._listeners and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            listener = self._listeners.pop(ended[0])
            tell(listener, os.waitstatus_to_exitcode(ended[1]))
            os.close(listener)

    def _leave(self) -> None:
        """In a child: let go of all that is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._asked.close()
        for descriptor in (self._woken, self._wake, *self._listeners.values()):
            os.close(descriptor)


def tell(listener: int, number: int) -> None:
    # A test may have ended without it.
    with contextlib.suppress(BrokenPipeError):
        os.write(listener, b"%d\n" % number)


def settle(streams: list[int], listener: int) -> None:
    """Be a process that was just started, with these for stdin, stdout and stderr, and say so."""
    os.setsid()
    tell(listener, os.getpid())
    os.close(listener)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)


def main() -> None:
    """Serve, or become a command."""
    for library in LIBRARIES:
        import_module(library)
    gc.collect()
    gc.freeze()
    request = Server(socket.socket(fileno=int(sys.argv[1]))).serve()
    if request is None:
        return
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    random.seed()
    sys.path[0] = request["folder"]
    sys.argv = ["junkie", *request["arguments"]]
    runpy.run_module("junkie_cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
