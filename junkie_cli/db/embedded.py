"""The embedded PostgreSQL, shared by all commands of one JUNKIE_HOME.

Invariant: whoever starts, joins or leaves the server does so under one file lock. A command that joined holds a
connection of its own, the anchor, from before it gives the lock back until it takes the lock again to leave. So the
server's own list of connections tells who is there; a killed command's connections end with it, and no counter can
be wrong. The last one out stops the server.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg

from junkie_cli.db.cluster import LEAVING, START_PATIENCE, Cluster
from junkie_cli.db.data_folder import MAINTENANCE
from junkie_cli.db.queries import query
from junkie_cli.errors import EmbeddedServerError

_LOCK_PATIENCE: Final = START_PATIENCE + 60
_OWN_PATIENCE: Final = 2.0
"""Seconds for our own closed connections to vanish from the server's list."""

T = TypeVar("T")
log = logging.getLogger(__name__)

_at_work: Final[set[object]] = set()


class EmbeddedServer:
    """A command's hold on the server of its JUNKIE_HOME. Made by `embedded_server`."""

    def __init__(self, home: Path, pg_bin: Path | None = None) -> None:
        self.cluster = Cluster(home, pg_bin)
        self.token = secrets.token_hex(4)
        """Ends the application_name of every connection of this command, so that it knows its own."""
        self._anchor: psycopg.Connection[Any] | None = None
        self._turn = asyncio.Lock()

    @property
    def url(self) -> str:
        """The libpq URI of the database, over the socket. It holds no secret."""
        return self.cluster.url

    async def ensure(self) -> None:
        """See that the server runs, and start it again if it died. Raises EmbeddedServerError if that fails."""
        async with self._turn:
            abandoned = threading.Event()
            await to_its_end(partial(self._join, partial(pause, abandoned)), abandoned)

    async def leave(self) -> None:
        """Let go of the server, and stop it if nobody else is connected. The caller's connections are closed by now."""
        async with self._turn:
            await to_its_end(self._leave)

    # --- in a thread ---

    def _join(self, wait: Callable[[float], None]) -> None:
        if self._anchor is not None:
            # A backend may outlive a killed postmaster for a moment.
            if self.cluster.postmaster() is not None and _answers(self._anchor):
                return
            self._anchor.close()
            self._anchor = None
        self.cluster.prepare()
        with locked(self.cluster, wait):
            self._anchor = self.cluster.connect(self._name("anchor"), wait)
            if self._anchor is None:
                self.cluster.start(wait)
                try:
                    self.cluster.see_to_database()
                    self._anchor = self.cluster.connect(self._name("anchor"), wait)
                except BaseException:
                    # Nobody would be left to stop it, and why it refused us matters more than how it ended.
                    with contextlib.suppress(EmbeddedServerError):
                        self.cluster.stop()
                    raise
            if self._anchor is None:
                raise EmbeddedServerError(
                    "the embedded database ended as soon as it had started", hint=f"see {self.cluster.log}"
                )

    def _leave(self) -> None:
        anchor, self._anchor = self._anchor, None
        if anchor is None:
            return
        try:
            with locked(self.cluster, time.sleep):
                if not _answers(anchor):
                    anchor.close()
                    anchor = self.cluster.connect(self._name("anchor"))
                if anchor is not None and self._is_last(anchor):
                    anchor.close()
                    self.cluster.stop()
                elif anchor is not None:
                    anchor.execute(query("set_application_name"), {"name": LEAVING})
        except (EmbeddedServerError, psycopg.Error, OSError) as error:
            # The command's work is done and kept; a server that is left running is stopped by the next one out.
            log.warning("the embedded database was left running: %s", str(error).partition("\n")[0])
        finally:
            if anchor is not None:
                anchor.close()

    def _is_last(self, anchor: psycopg.Connection[Any]) -> bool:
        """Tell whether nobody else is connected; if somebody is, wait first until our own are off the list."""
        deadline = time.monotonic() + _OWN_PATIENCE
        while True:
            names = [name for _, name in anchor.execute(query("client_backends"))]
            own = [name for name in names if name.endswith(self.token)]
            if all(name == LEAVING for name in names if name not in own):
                return True
            if not own or time.monotonic() >= deadline:
                return False
            time.sleep(0.002)

    def _name(self, role: str) -> str:
        return f"junkie {role} {self.token}"


@asynccontextmanager
async def embedded_server(home: Path, pg_bin: Path | None = None) -> AsyncIterator[EmbeddedServer]:
    """Join the server of that home, starting it if it does not run; stop it on leaving if nobody else uses it.

    The caller closes its connections before it leaves. Raises EmbeddedServerError.
    """
    server = EmbeddedServer(home, pg_bin)
    try:
        await server.ensure()
        yield server
    finally:
        await server.leave()


def stop(home: Path, *, force: bool = False) -> bool:
    """Stop the server of that home and return True; False if it did not run.

    Raises EmbeddedServerError if others are connected, unless `force` is set: a running command would start it again.
    """
    cluster = Cluster(home)
    if not cluster.folder.is_dir():
        return False
    with locked(cluster, time.sleep):
        if not force and (others := _connections(cluster)):
            plural = "" if others == 1 else "s"
            raise EmbeddedServerError(
                f"the embedded database is in use by {others} connection{plural}",
                hint="end those commands first, or add --force",
            )
        return cluster.stop()


def _connections(cluster: Cluster) -> int:
    # Not junkie's own database: it may be missing, and the server is to be stopped all the same.
    connection = cluster.connect(LEAVING, database=MAINTENANCE)
    if connection is None:
        return 0
    with connection:
        try:
            return sum(name != LEAVING for _, name in connection.execute(query("client_backends")))
        except psycopg.OperationalError:
            if connection.broken:
                # The server is ending as it is.
                return 0
            raise


def pause(abandoned: threading.Event, seconds: float) -> None:
    """Wait so long. Raises EmbeddedServerError as soon as the work is to be given up."""
    if abandoned.wait(seconds):
        raise EmbeddedServerError("interrupted while the embedded database was being prepared", hint="run this again")


def _answers(connection: psycopg.Connection[Any]) -> bool:
    try:
        connection.execute("")
    except psycopg.Error:
        return False
    return True


@contextmanager
def locked(cluster: Cluster, wait: Callable[[float], object]) -> Iterator[None]:
    """Hold the home's file lock. The kernel gives it back when the process dies, however it dies."""
    path = cluster.folder / "lock"
    try:
        # The folder may belong to another user than ours when we are root: a link there is not followed.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EmbeddedServerError(
            f"can't write {path}: {error.strerror}",
            hint="set JUNKIE_HOME to a folder that you can write, or POSTGRES_URL to a server",
        ) from error
    try:
        deadline = time.monotonic() + _LOCK_PATIENCE
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() >= deadline:
                raise EmbeddedServerError(
                    f"another command has held {path} for {_LOCK_PATIENCE:.0f} s", hint="see what it is waiting for"
                )
            wait(0.005)
        yield
    finally:
        os.close(descriptor)


def at_work() -> bool:
    """Say whether a server is just being started, joined or left: one that is left behind meanwhile nobody stops."""
    return bool(_at_work)


async def to_its_end(work: Callable[[], T], abandoned: threading.Event | None = None) -> T:
    """Run blocking work in a thread and return its result.

    A cancellation asks it to give up, and is passed on only when it has ended.
    """
    mark = object()
    _at_work.add(mark)
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        if abandoned is not None:
            abandoned.set()
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        # What the work raised no longer matters, but asyncio wants it looked at.
        if not future.cancelled():
            future.exception()
        raise
    finally:
        _at_work.discard(mark)
