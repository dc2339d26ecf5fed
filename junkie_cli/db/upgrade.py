"""The embedded server's data folder, brought to the next major version of PostgreSQL.

Invariants:
- The old data folder is never changed, but for what its own server does when it is started and stopped. `pg_upgrade`
  copies it; a killed, failed or interrupted upgrade leaves it where it was, and usable.
- The new one takes its place only when it is whole, on disk, and holds as many rows of every table. From then on it
  bears the name `data.upgraded`; two renames put it in place, and whoever starts the server next does what a kill
  between them left undone (`Cluster.finish_upgrade`). So no moment looks like an archive that is not there.
- All of it happens under the lock of the home, with no server running but our own.
"""

import contextlib
import logging
import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from junkie_cli.db import account, binaries, data_folder
from junkie_cli.db.account import Account
from junkie_cli.db.binaries import Binaries
from junkie_cli.db.cluster import UPGRADED, Cluster
from junkie_cli.db.complaint import complaint
from junkie_cli.db.embedded import locked, pause, to_its_end
from junkie_cli.db.queries import query
from junkie_cli.errors import EmbeddedServerError

NEW_CLUSTER: Final = 80_000_000
"""Bytes that an empty data folder takes, with its log of changes and some to spare."""

_WORKSPACE: Final = "upgrade-"
_CHECKSUM_DEFAULT: Final = 18
"""From this version on initdb makes checksums unless told otherwise."""

_PATIENCE: Final = 10.0
"""Seconds for a program that is to end at once."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What was done. `kept` is the old data folder, `size` its bytes; `rows` are those of junkie's tables.

    `own_settings` tells that somebody had changed the old server's settings, which were not carried over.
    """

    old: int
    new: str
    kept: Path
    size: int
    rows: Mapping[str, int]
    own_settings: bool


async def upgrade(home: Path, pg_bin: Path | None = None, old_bin: Path | None = None) -> Upgraded | None:
    """Upgrade the data folder of that home to the version of the programs that junkie uses; None: there is nothing to do.

    `old_bin` is where the programs of the old version are, should they have to be told. Raises EmbeddedServerError;
    then, and when it is cancelled, all is as before.
    """
    abandoned = threading.Event()
    return await to_its_end(partial(_locked_upgrade, Cluster(home, pg_bin), pg_bin, old_bin, abandoned), abandoned)


def _locked_upgrade(
    cluster: Cluster, pg_bin: Path | None, old_bin: Path | None, abandoned: threading.Event
) -> Upgraded | None:
    if not cluster.folder.is_dir():
        return None
    wait = partial(pause, abandoned)
    try:
        with locked(cluster, wait):
            cluster.finish_upgrade()
            _clear_away(cluster, wait)
            job = _prepared(cluster, pg_bin, old_bin, wait)
            return None if job is None else job.run()
    except OSError as error:
        what = f" {error.filename}" if error.filename else ""
        raise EmbeddedServerError(
            f"can't upgrade the embedded database:{what} {error.strerror or error}",
            hint="mend that and run `junkie db upgrade` again; nothing was changed",
        ) from error


def _prepared(
    cluster: Cluster, pg_bin: Path | None, old_bin: Path | None, wait: Callable[[float], None]
) -> "_Job | None":
    """See that an upgrade is due and can be done. Raises EmbeddedServerError if it can't."""
    found = binaries.resolve(pg_bin)
    major = cluster.major()
    if major is None or major == found.major():
        return None
    if cluster.postmaster() is not None:
        raise EmbeddedServerError(
            "the embedded database is running",
            hint="end the commands that use it, or run `junkie db stop`, then try again",
        )
    if major > found.major():
        raise EmbeddedServerError(
            f"{cluster.data} was made by PostgreSQL {major}, the programs are PostgreSQL {found.version()}",
            hint=f"set JUNKIE_PG_BIN to the programs of PostgreSQL {major} or newer",
        )
    kept = cluster.data.with_name(f"data.old-{major}")
    if kept.exists():
        raise EmbeddedServerError(
            f"{kept}, which an earlier upgrade kept, is still there", hint="move it away or remove it, then try again"
        )
    who = account.choose(cluster.data)
    old = cluster.place(binaries.of_major(major, old_bin, pg_bin, cluster.folder), who)
    new = cluster.place(found, who)
    size = data_folder.size_of(cluster.data)
    free = shutil.disk_usage(cluster.folder).free
    if size + NEW_CLUSTER > free:
        raise EmbeddedServerError(
            f"the upgrade needs {_megabytes(size + NEW_CLUSTER)} beside {cluster.data}, and {_megabytes(free)} are free",
            hint="make room there and try again",
        )
    return _Job(_Due(cluster, who, major, old, new, kept, size), wait)


def _clear_away(cluster: Cluster, wait: Callable[[float], None]) -> None:
    """Remove what an upgrade that was killed has left, and end the server that its `pg_upgrade` may still run there."""
    for left in (*cluster.folder.glob(f"{_WORKSPACE}*"), cluster.data.with_name(UPGRADED)):
        give_up = time.monotonic() + _PATIENCE
        while not _removed(cluster, left):
            # Its `pg_upgrade` outlived it and still writes there; it ends as soon as it misses a file.
            if time.monotonic() > give_up:
                log.warning("can't remove %s, which an upgrade that was killed has left", left)
                break
            wait(0.05)


def _removed(cluster: Cluster, left: Path) -> bool:
    """Remove a folder, and tell whether it is gone."""
    if left.name.startswith(_WORKSPACE):
        Cluster(cluster.home, data=f"{left.name}/data").stop()
    shutil.rmtree(left, ignore_errors=True)
    return not left.exists()


@dataclass(frozen=True, slots=True)
class _Due:
    """An upgrade that can be done: whose data folder, of which version and size, and the programs of either version."""

    cluster: Cluster
    who: Account
    major: int
    old: Binaries
    new: Binaries
    kept: Path
    size: int


class _Job:
    """One upgrade, in a folder of its own."""

    def __init__(self, due: _Due, wait: Callable[[float], None]) -> None:
        home, folder = due.cluster.home, due.cluster.folder
        # No name is used twice: what a killed upgrade left running can't get in the way of this one.
        self._workspace = folder / f"{_WORKSPACE}{secrets.token_hex(3)}"
        self._log = folder / "upgrade.log"
        self._old = Cluster(home, due.old.folder)
        self._new = Cluster(home, due.new.folder, data=f"{self._workspace.name}/data")
        self._due = due
        self._wait = wait

    def run(self) -> Upgraded:
        """Do it; see the invariants above."""
        version = self._due.new.version()
        log.info(
            "upgrading the embedded database from PostgreSQL %d to %s: %s are copied",
            *(self._due.major, version, _megabytes(self._due.size)),
        )
        try:
            self._workspace.mkdir(mode=0o700)
            self._due.who.adopt(self._workspace)
            rows, checksums = self._look_at_old()
            self._make_new(checksums=checksums)
            self._copy()
            self._check_new(rows)
            own_settings = data_folder.has_own_settings(self._old.data)
            self._swap()
        finally:
            self._clean()
        return Upgraded(self._due.major, version, self._due.kept, self._due.size, rows, own_settings)

    def _look_at_old(self) -> tuple[dict[str, int], bool]:
        """Count the rows of the old tables. Its server ends tidily, which `pg_upgrade` wants of one that was killed."""
        with _running(self._old, self._wait) as connection:
            checksums = connection.execute(query("checksums")).fetchone() == ("on",)
            return _count(connection), checksums

    def _make_new(self, *, checksums: bool) -> None:
        options = ["--data-checksums"] if checksums else []
        if not checksums and self._due.new.major() >= _CHECKSUM_DEFAULT:
            options = ["--no-data-checksums"]
        data_folder.initdb(self._new.data, self._due.new, self._due.who, *options, folder=self._old.folder)

    def _copy(self) -> None:
        # The servers that it starts get by with what ours get by with.
        quiet = "-c dynamic_shared_memory_type=mmap"
        with self._sockets() as sockets:
            self._call(
                [
                    self._due.new.program("pg_upgrade"),
                    *("-b", self._due.old.folder, "-B", self._due.new.folder),
                    *("-d", self._old.data, "-D", self._new.data, "-U", "junkie", "-s", sockets),
                    *("-o", quiet, "-O", quiet, "-j", str(min(os.cpu_count() or 1, 4))),
                ]
            )

    @contextlib.contextmanager
    def _sockets(self) -> Iterator[Path]:
        """Give a private folder whose path is short enough for a socket."""
        folder = self._new.socket_folder
        if folder == self._new.data:
            yield self._workspace
            return
        self._new.make_socket_folder(self._due.who)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _check_new(self, rows: Mapping[str, int]) -> None:
        with _running(self._new, self._wait) as connection:
            # What the planner knows of the tables is not copied by every version.
            self._call(
                [
                    self._due.new.program("vacuumdb"),
                    *("--all", "--analyze-only", "-h", self._new.socket_folder, "-p", str(connection.info.port)),
                    *("-U", "junkie", "--quiet"),
                ]
            )
            found = _count(connection)
        if found != rows:
            wrong = sorted(name for name in found.keys() | rows.keys() if found.get(name) != rows.get(name))
            raise EmbeddedServerError(
                f"after the upgrade other rows are in {', '.join(wrong)}",
                hint=f"nothing was changed; see {self._log}, and please report it",
            )

    def _swap(self) -> None:
        data = self._old.data
        upgraded = data.with_name(UPGRADED)
        self._new.data.rename(upgraded)
        _settle(data.parent)
        data.rename(self._due.kept)
        _settle(data.parent)
        self._old.finish_upgrade()
        _settle(data.parent)

    def _call(self, command: Sequence[str | Path]) -> None:
        """Run a program to its end, or end it when we are to give up. Raises EmbeddedServerError if it fails."""
        descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "ab") as output:
            before = output.seek(0, os.SEEK_END)
            process = self._due.who.launch(command, folder=self._workspace, output=output)
            try:
                while process.poll() is None:
                    self._wait(0.05)
            finally:
                _end(process)
        if process.returncode != 0:
            raise EmbeddedServerError(
                f"{Path(command[0]).name} failed: {_last_words(self._log, before)}",
                hint=f"nothing was changed; see {self._log}",
            )

    def _clean(self) -> None:
        """Leave nothing behind: no server of ours or of a `pg_upgrade` that was ended, and no folder."""
        for cluster in (self._old, self._new):
            cluster.stop()
        shutil.rmtree(self._workspace, ignore_errors=True)


@contextlib.contextmanager
def _running(cluster: Cluster, wait: Callable[[float], None]) -> Iterator[psycopg.Connection[Any]]:
    """Start a server, give a connection to it, and stop it."""
    cluster.start(wait)
    try:
        connection = cluster.connect("junkie upgrade", wait)
        if connection is None:
            raise EmbeddedServerError(
                "the embedded database ended as soon as it had started", hint=f"see {cluster.log}"
            )
        with connection:
            yield connection
    finally:
        cluster.stop()


def _count(connection: psycopg.Connection[Any]) -> dict[str, int]:
    names = [name for (name,) in connection.execute(query("tables"))]
    rows: dict[str, int] = {}
    for name in names:
        counted = sql.SQL(query("count_rows")).format(source=sql.Identifier("junkie", name))
        ((number,),) = connection.execute(counted).fetchall()
        rows[name] = number
    return rows


def _settle(folder: Path) -> None:
    """Have the renames in a folder on disk before the next step."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and those that it runs, if it has not ended by itself. Servers it started are not among them."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _last_words(file: Path, offset: int) -> str:
    with file.open("rb") as opened:
        opened.seek(offset)
        lines = opened.read().decode("utf-8", "replace").splitlines()
    # Its last line says only that it failed.
    said = [line for line in lines if line.strip() and not line.startswith("Failure, exiting")]
    return complaint("\n".join(said))


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.0f} MB"
