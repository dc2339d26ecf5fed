"""One data folder below JUNKIE_HOME and the PostgreSQL server that runs on it.

Everything lies in `JUNKIE_HOME/postgres`, which belongs to the server's user: `data` (the data folder, in which the
socket is, too), `server.log`, `lock`, and `programs` where the installed ones can't be reached by that user. What an
upgrade makes lies there too, see upgrade.py.

Invariant: `start` and `stop` are called under the lock only (see embedded.py). Nothing here counts clients.
"""

import contextlib
import hashlib
import logging
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psycopg
from psycopg import pq, sql

from junkie_cli.db import account, binaries, data_folder
from junkie_cli.db.account import Account
from junkie_cli.db.binaries import Binaries
from junkie_cli.db.complaint import complaint
from junkie_cli.db.data_folder import DATABASE, HOME_HINT, MAINTENANCE
from junkie_cli.db.processes import is_running, may_work_in
from junkie_cli.db.queries import query
from junkie_cli.errors import EmbeddedServerError

UPGRADED: Final = "data.upgraded"
"""A whole data folder that has only to take the place of the old one."""

LEAVING: Final = "junkie leaving"
"""What a connection calls itself that is about to be closed: who leaves next need not mind it."""

PORT: Final = 5432
"""Part of the socket's name only: there is no TCP."""

SOCKET_PATH_LIMIT: Final = 103
"""Bytes of a socket's path that every platform takes: Linux has 107, macOS 103."""

START_PATIENCE: Final = 600.0
"""Seconds in which a server may recover from a crash before we stop waiting."""

RETRY_PATIENCE: Final = 15.0
"""Seconds in which processes of a killed server must have let go of its data folder."""

STOP_PATIENCE: Final = 60.0
_LOG_SIZE: Final = 4_000_000
_SHORT_FOLDERS: Final = Path("/tmp")  # noqa: S108 - short by tradition; ours is private, and its owner is checked

# $1 is the log, the rest the command. The shell ends at once, and the server is nobody's child.
_LAUNCH: Final = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & printf %s "$!"'


log = logging.getLogger(__name__)
Wait = Callable[[float], None]


class Cluster:
    """The server of one JUNKIE_HOME. Nothing is touched until `prepare`.

    `data` is the data folder's path within the server's folder; only an upgrade has another.
    """

    def __init__(self, home: Path, pg_bin: Path | None = None, *, data: str = "data") -> None:
        # One data folder has one socket, however its path is spelt.
        self.home = Path(os.path.realpath(home))
        self.folder = self.home / "postgres"
        self.data = self.folder / data
        self.log = self.folder / "server.log"
        self._pg_bin = pg_bin

    @property
    def url(self) -> str:
        """The libpq URI of the database; it works while the server runs."""
        return self._url(DATABASE)

    @property
    def socket_folder(self) -> Path:
        """Where the socket is: the data folder, or a short private one where that path won't do.

        libpq takes a comma for the end of a host, and both sides want UTF-8.
        """
        path = os.fsencode(self.data / f".s.PGSQL.{PORT}")
        try:
            path.decode("utf-8")
            if len(path) <= SOCKET_PATH_LIMIT and b"," not in path:
                return self.data
        except UnicodeDecodeError:
            pass
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        return _SHORT_FOLDERS / f"junkie-{digest}"

    def prepare(self) -> None:
        """Make the folder. Raises EmbeddedServerError if the home can't be written."""
        try:
            self._make_folder()
        except OSError as error:
            raise self._unusable(error) from error

    def connect(
        self, application_name: str, wait: Wait = time.sleep, *, database: str = DATABASE
    ) -> psycopg.Connection[Any] | None:
        """Connect to the server if it runs, waiting out its start or its end; None if it does not run.

        Raises EmbeddedServerError if it runs and refuses.
        """
        deadline = time.monotonic() + START_PATIENCE
        refusals = 0
        while True:
            try:
                return psycopg.connect(
                    self._url(database), autocommit=True, application_name=application_name, connect_timeout=30
                )
            except psycopg.OperationalError as error:
                answer = self._ping()
                refusals += answer == pq.Ping.OK
                # Once is no refusal: it may have come up just after it had turned us away.
                if refusals > 1:
                    raise EmbeddedServerError(
                        f"the embedded database refuses the connection: {str(error).splitlines()[0]}",
                        hint=f"see {self.log}",
                    ) from error
                if answer not in {pq.Ping.OK, pq.Ping.REJECT}:
                    return None
            if time.monotonic() >= deadline:
                raise EmbeddedServerError(
                    "the embedded database has been starting up for too long", hint=f"see {self.log}"
                )
            wait(0.02)

    def start(self, wait: Wait = time.sleep) -> None:
        """Start the server, creating the data folder at first, and come back when it takes connections.

        Raises EmbeddedServerError, whose message is the server's own where it gave one.
        """
        try:
            self.finish_upgrade()
            who = account.choose(self.data)
            who.adopt(self.folder)
            programs = self._reachable(who)
            self._check_version(programs)
            if not self.data.exists():
                data_folder.create(self.data, programs, who)
            self.make_socket_folder(who)
            self._launch(programs, who, wait)
        except OSError as error:
            raise self._unusable(error) from error

    def see_to_database(self) -> None:
        """Create our database where a running server lacks it: a disk was full once, or somebody has dropped it.

        Raises EmbeddedServerError.
        """
        # Its backend may take a moment longer to go than a short command.
        if (connection := self.connect(LEAVING, database=MAINTENANCE)) is None:
            return
        with connection:
            try:
                if connection.execute(query("database_exists"), {"name": DATABASE}).fetchone() != (True,):
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
            except psycopg.Error as error:
                if connection.broken:
                    # The server has ended, as whoever connects next finds out.
                    return
                raise EmbeddedServerError(
                    f"can't create the embedded database: {str(error).splitlines()[0]}", hint=f"see {self.log}"
                ) from error

    def stop(self) -> bool:
        """Stop the server, ending its connections; return whether one was running.

        Raises EmbeddedServerError if it does not end in time.
        """
        pid = self.postmaster()
        if pid is None:
            return False
        if not _end(pid):
            raise EmbeddedServerError(f"the embedded database (process {pid}) does not stop", hint=f"see {self.log}")
        if self.socket_folder != self.data:
            shutil.rmtree(self.socket_folder, ignore_errors=True)
        return True

    def postmaster(self) -> int | None:
        """Return the process id of the running server, None if there is none."""
        pid = _pid_in(self.data / "postmaster.pid")
        return pid if pid is not None and self._serves(pid) else None

    def _serves(self, pid: int) -> bool:
        """Tell whether a process is a server of this data folder, which each works in, and not one of another's."""
        return is_running(pid, "postgres") and may_work_in(pid, self.data)

    def finish_upgrade(self) -> None:
        """Put an upgraded data folder in its place, should the upgrade have been killed when only that was left to do."""
        upgraded = self.data.with_name(UPGRADED)
        if not self.data.exists() and upgraded.exists():
            upgraded.rename(self.data)

    def major(self) -> int | None:
        """Return the major version that made the data folder; as `data_folder.major_of`."""
        return data_folder.major_of(self.data)

    def _url(self, database: str) -> str:
        return f"postgresql://junkie@/{database}?host={quote(str(self.socket_folder), safe='')}&port={PORT}"

    def _ping(self) -> pq.Ping:
        # Without an end a stopped process would be waited for without end. What asks connects, and may be on the list yet.
        asking = f"{self.url}&connect_timeout=30&application_name={quote(LEAVING)}"
        return pq.Ping(pq.PGconn.ping(asking.encode()))

    # --- the steps of a start ---

    def _make_folder(self) -> None:
        """Make the home, readable as root's umask would not leave it, and in it the server's private folder."""
        # The server's user must pass through root's; nobody else looks inside.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        for missing in reversed([each for each in (self.home, *self.home.parents) if not each.exists()]):
            with contextlib.suppress(FileExistsError):
                missing.mkdir()
                missing.chmod(mode)
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def _reachable(self, who: Account) -> Binaries:
        """Return programs that the server's user can run, copied beside the data if need be."""
        if barrier := who.barrier(self.folder):
            raise EmbeddedServerError(
                f"the user '{who.name}' that PostgreSQL must run as can't enter {barrier}",
                hint="set JUNKIE_HOME to a folder that others can pass through, such as /var/lib/junkie",
            )
        return self.place(binaries.resolve(self._pg_bin), who)

    def place(self, found: Binaries, who: Account) -> Binaries:
        """Return programs that the server's user can run: those that were found, or a copy of them."""
        if who.barrier(found.folder) is None:
            return found
        copy = self.folder / f"programs-{found.version()}"
        if not copy.exists():
            # An upgrade will need those that made the data folder.
            for older in self.folder.glob("programs-*"):
                if not older.name.startswith(f"programs-{self.major()}."):
                    shutil.rmtree(older)
            fresh = self.folder / "programs-new"
            shutil.rmtree(fresh, ignore_errors=True)
            binaries.copy_wheel(found, fresh)
            fresh.rename(copy)
        return Binaries(next(copy.rglob("bin/postgres")).parent)

    def _check_version(self, programs: Binaries) -> None:
        if (ours := self.major()) is not None and ours != (theirs := programs.major()):
            raise EmbeddedServerError(
                f"{self.data} was made by PostgreSQL {ours}, the programs are PostgreSQL {theirs}",
                hint="run `junkie db upgrade`"
                if ours < theirs
                else f"set JUNKIE_PG_BIN to the programs of PostgreSQL {ours}",
            )

    def make_socket_folder(self, who: Account) -> None:
        """Make the private folder of the socket where the data folder won't do."""
        folder = self.socket_folder
        if folder == self.data:
            return
        try:
            folder.mkdir(mode=0o700)
            who.adopt(folder)
        except FileExistsError:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != who.uid or found.st_mode & 0o077:
                raise EmbeddedServerError(
                    f"{folder}, the socket folder of {self.home}, belongs to another",
                    hint="remove it, or set JUNKIE_HOME to a shorter path",
                ) from None

    def _launch(self, programs: Binaries, who: Account, wait: Wait) -> None:
        options = {
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            "jit": "off",
            "logging_collector": "off",
            "log_destination": "stderr",
            "log_checkpoints": "off",
            # Segments in /dev/shm go when the user logs out (systemd), and containers have little of it.
            "dynamic_shared_memory_type": "mmap",
            # A failed statement may hold what people wrote.
            "log_min_error_statement": "panic",
        }
        command: list[str | Path] = [programs.program("postgres"), "-D", self.data]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self._rotate_log(who)
        deadline = time.monotonic() + RETRY_PATIENCE
        while True:
            # One that a command launched that was killed then has got no further, when we looked, than to be a process.
            if self._ping() != pq.Ping.NO_RESPONSE and (other := self.postmaster()) and self._comes_up(other, wait):
                return
            self._clear_stale_locks()
            before = self.log.stat().st_size
            unclean = (self.data / "postmaster.pid").exists()
            launched = who.run(["/bin/sh", "-c", _LAUNCH, "sh", self.log, *command], folder=self.folder)
            if launched.returncode != 0:
                raise EmbeddedServerError(
                    f"can't run {command[0]}: {complaint(launched.stderr)}", hint=f"see {self.log}"
                )
            if self._comes_up(int(launched.stdout), wait):
                return
            # Where there was a server before, its processes may have held the data a moment longer than it lived.
            if not (unclean or (self.data / "postmaster.pid").exists()) or time.monotonic() >= deadline:
                raise EmbeddedServerError(
                    f"the embedded database did not start: {self._last_words(before)}", hint=f"see {self.log}"
                )
            wait(0.1)

    def _comes_up(self, pid: int, wait: Wait) -> bool:
        """Wait as `_await_start` does, and let no server run whose start is given up."""
        try:
            return self._await_start(pid, wait)
        except BaseException:
            # Nobody would be left to stop it.
            _end(pid)
            raise

    def _await_start(self, pid: int, wait: Wait) -> bool:
        """Wait until the server takes connections; False if its process ended before that."""
        started = time.monotonic()
        told = False
        while is_running(pid, None):
            # Another one's answer must not be taken for ours: a pid file of ours comes first.
            if _pid_in(self.data / "postmaster.pid") == pid and self._ping() == pq.Ping.OK:
                return True
            passed = time.monotonic() - started
            if passed > START_PATIENCE:
                raise EmbeddedServerError(
                    "the embedded database has been starting up for too long", hint=f"see {self.log}"
                )
            if passed > 5 and not told:
                log.info("the embedded database is still starting up; after a crash that can take a while")
                told = True
            wait(0.005)
        return False

    def _clear_stale_locks(self) -> None:
        """Remove lock files that name nobody, or a process id that another program or server, or a dead one nobody reaps, has.

        PostgreSQL itself would refuse to start for ever: it sees only that the id is in use, or that there is none, as
        where a full disk or a power failure left the file empty.
        """
        for file in (self.data / "postmaster.pid", self.socket_folder / f".s.PGSQL.{PORT}.lock"):
            pid = _pid_in(file)
            if pid is None or (not self._serves(pid) and is_running(pid, None, zombies=True)):
                file.unlink(missing_ok=True)

    def _rotate_log(self, who: Account) -> None:
        if self.log.exists() and self.log.stat().st_size > _LOG_SIZE:
            self.log.replace(self.log.with_suffix(".log.1"))
        if not self.log.exists():
            self.log.touch(mode=0o600)
            who.adopt(self.log)

    def _last_words(self, offset: int) -> str:
        with self.log.open("rb") as file:
            file.seek(offset)
            return complaint(file.read().decode("utf-8", "replace"))

    def _unusable(self, error: OSError) -> EmbeddedServerError:
        reason = error.strerror or str(error)
        return EmbeddedServerError(f"can't use {error.filename or self.folder}: {reason}", hint=HOME_HINT)


def _pid_in(file: Path) -> int | None:
    try:
        return abs(int(file.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0]))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def _end(pid: int) -> bool:
    """End a server as `pg_ctl stop -m fast` does, without its tenths of a second; False if it takes too long."""
    deadline = time.monotonic() + STOP_PATIENCE
    pause = 0.005
    while is_running(pid, None):
        if time.monotonic() >= deadline:
            return False
        # Again and again: one that has only just been launched does not listen yet, and a second one does no harm.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return True
