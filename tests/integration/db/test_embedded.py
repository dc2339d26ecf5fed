import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg import pq

from junkie_cli.db import account, cluster, data_folder, embedded
from junkie_cli.db.account import Account
from junkie_cli.db.cluster import LEAVING, Cluster
from junkie_cli.db.complaint import complaint
from junkie_cli.db.data_folder import MAINTENANCE
from junkie_cli.db.embedded import EmbeddedServer, embedded_server
from junkie_cli.db.processes import is_running
from junkie_cli.db.queries import query
from junkie_cli.errors import EmbeddedServerError
from tests import postgres
from tests.disks import own_disk

AT_THE_DOOR = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND state = 'starting'"

# A command: joins, says so, and leaves when its standard input ends.
COMMAND = """
import asyncio, sys
from pathlib import Path
from junkie_cli.db.embedded import embedded_server

async def main():
    async with embedded_server(Path(sys.argv[1])):
        print("in", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


class Command:
    """A process of its own that uses the server of a home."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def joined(self) -> bool:
        assert self._process.stdout is not None
        return self._process.stdout.readline() == "in\n"

    def kill(self) -> None:
        self._process.kill()
        self.leave()

    def begin_to_leave(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def leave(self) -> int:
        assert self._process.stdout is not None
        self.begin_to_leave()
        self._process.stdout.close()
        return self._process.wait()


@pytest.fixture(scope="module")
def used_home() -> Iterator[Path]:
    """A home whose database exists already, shared by the tests that leave it usable."""
    home = postgres.make_home()
    asyncio.run(use_once(home))
    yield home
    postgres.remove_home(home)


async def use_once(home: Path) -> None:
    async with embedded_server(home):
        pass


@contextmanager
def moved(used_home: Path, home: Path) -> Iterator[None]:
    """Take the database to another home for a while; creating one takes longer than all that is tested here."""
    home.mkdir(parents=True)
    (used_home / "postgres").rename(home / "postgres")
    try:
        yield
    finally:
        (home / "postgres").rename(used_home / "postgres")


@pytest.fixture
def start() -> Iterator[Callable[[Path], Command]]:
    with contextlib.ExitStack() as stack:

        def started(home: Path) -> Command:
            command = Command(home)
            stack.callback(command.kill)
            return command

        yield started


@contextmanager
def client(server: EmbeddedServer) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the command that holds the server."""
    name = f"junkie test {server.token}"
    with psycopg.connect(server.url, application_name=name, autocommit=True) as connection:
        yield connection


def process_of(who: Account, command: str) -> subprocess.Popen[bytes]:
    identity: dict[str, Any] = {"user": who.uid, "group": who.gid, "extra_groups": []} if who.switch else {}
    return subprocess.Popen(command.split(), **identity)


def environment_of(pid: int | None) -> bytes:
    path = Path(f"/proc/{pid}/environ")
    return path.read_bytes() if path.exists() else b""


def until(condition: Callable[[], bool]) -> None:
    """Wait for what is bound to come; the run's own time limit is the only one."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.005)


def test_eight_commands_race_on_a_cold_start_and_the_last_one_out_stops_it(
    junkie_home: Path, start: Callable[[Path], Command]
) -> None:
    commands = [start(junkie_home) for _ in range(8)]
    assert all(command.joined() for command in commands)
    cluster = Cluster(junkie_home)
    pid = cluster.postmaster()
    assert pid is not None
    # One is killed, the others leave together.
    commands.pop().kill()
    with psycopg.connect(cluster.url, application_name=LEAVING, autocommit=True) as looking:
        # Its backend sees that a moment later.
        until(lambda: len(looking.execute(query("client_backends")).fetchall()) == len(commands))
    for command in commands:
        command.begin_to_leave()
    assert [command.leave() for command in commands] == [0] * 7
    assert cluster.postmaster() is None
    assert not is_running(pid, "postgres")
    # One server only was ever started.
    assert cluster.log.read_text().count("ready to accept connections") == 1


async def test_who_leaves_first_leaves_it_running(used_home: Path) -> None:
    async with embedded_server(used_home) as first:
        async with embedded_server(used_home) as second:
            assert first.url == second.url
            pid = first.cluster.postmaster()
        assert first.cluster.postmaster() == pid
        with client(first) as connection:
            assert connection.execute("SELECT current_user, current_database()").fetchone() == ("junkie", "junkie")
    assert first.cluster.postmaster() is None


async def test_a_client_that_is_no_command_of_ours_keeps_it_running(used_home: Path) -> None:
    async with embedded_server(used_home) as server:
        outsider = psycopg.connect(server.url, autocommit=True)
    assert outsider.execute("SELECT 1").fetchone() == (1,)
    outsider.close()
    # Nobody is left to stop it until the next command leaves.
    async with embedded_server(used_home):
        pass
    assert server.cluster.postmaster() is None


async def test_own_connections_that_are_still_on_the_list_keep_nothing_running(used_home: Path) -> None:
    async with embedded_server(used_home) as server:
        with client(server) as own:
            await server.leave()
            assert server.cluster.postmaster() is None
            assert own.info.status == psycopg.pq.ConnStatus.OK


async def test_what_start_and_stop_looked_with_keeps_nothing_running(
    used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine its backend is still on the list when the command leaves."""
    connect, late = Cluster.connect, contextlib.ExitStack()

    def stay(url: str, **how: Any) -> None:
        late.enter_context(psycopg.connect(url, autocommit=True, **how))

    def connecting(self: Cluster, name: str, *arguments: Any, **how: Any) -> psycopg.Connection[Any] | None:
        if how:
            stay(self._url(how["database"]), application_name=name)
        return connect(self, name, *arguments, **how)

    def pinging(conninfo: bytes) -> int:
        if (answer := pq.PGconn.ping(conninfo)) == pq.Ping.OK:
            stay(conninfo.decode())
        return answer

    monkeypatch.setattr(Cluster, "connect", connecting)
    monkeypatch.setattr(cluster, "pq", SimpleNamespace(Ping=pq.Ping, PGconn=SimpleNamespace(ping=pinging)))
    with late:
        async with embedded_server(used_home) as server:
            with pytest.raises(EmbeddedServerError, match="in use by 1 connection"):
                embedded.stop(used_home)
            with client(server) as connection:
                names = [name for _, name in connection.execute(query("client_backends"))]
            assert names.count(LEAVING) >= 3
        assert server.cluster.postmaster() is None


async def test_a_server_that_ends_while_it_is_looked_at_is_found_to_have_ended(
    used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = Cluster.connect

    def ended(self: Cluster, name: str, *arguments: Any, **how: Any) -> psycopg.Connection[Any] | None:
        connection = connect(self, name, *arguments, **how)
        assert connection is not None
        with psycopg.connect(self.url, application_name=LEAVING) as other:
            other.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.info.backend_pid])
        return connection

    async with embedded_server(used_home) as server:
        with monkeypatch.context() as patch:
            patch.setattr(Cluster, "connect", ended)
            server.cluster.see_to_database()
            assert embedded.stop(used_home)
        assert server.cluster.postmaster() is None


async def test_whoever_is_not_let_in_yet_keeps_nothing_running(used_home: Path) -> None:
    """Such as a connection of our own that was given up."""

    def wait_at_the_door() -> None:
        # Whether it hears of the end before it is let in or after that, makes no difference.
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(server.url, options="-c post_auth_delay=30").close()

    async with embedded_server(used_home) as server:
        waiting = threading.Thread(target=wait_at_the_door)
        waiting.start()
        with client(server) as connection:
            until(lambda: connection.execute(AT_THE_DOOR).fetchone() == (1,))
    assert server.cluster.postmaster() is None
    waiting.join()


async def test_a_killed_command_leaves_no_wrong_count(used_home: Path, start: Callable[[Path], Command]) -> None:
    command = start(used_home)
    assert command.joined()
    async with embedded_server(used_home) as server:
        command.kill()
        with client(server) as connection:
            until(lambda: len(connection.execute(query("client_backends")).fetchall()) == 1)
    assert server.cluster.postmaster() is None


async def test_a_killed_server_is_started_again_and_has_kept_what_was_written(used_home: Path) -> None:
    async with embedded_server(used_home) as server:
        with client(server) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
            connection.execute("INSERT INTO kept VALUES (1)")
        first = server.cluster.postmaster()
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: not is_running(first, "postgres"))
        await server.ensure()
        assert server.cluster.postmaster() not in {None, first}
        with client(server) as connection:
            assert connection.execute("SELECT DISTINCT number FROM kept").fetchall() == [(1,)]
    assert server.cluster.postmaster() is None


async def test_ensure_does_nothing_while_it_runs(used_home: Path) -> None:
    async with embedded_server(used_home) as server:
        pid = server.cluster.postmaster()
        await asyncio.gather(*(server.ensure() for _ in range(5)))
        assert server.cluster.postmaster() == pid


@pytest.mark.parametrize("ended", [False, True], ids=["another program's", "nobody reaps it"])
async def test_a_lock_file_whose_process_id_was_taken_over_stops_no_start(used_home: Path, *, ended: bool) -> None:
    async with embedded_server(used_home) as server:
        cluster = server.cluster
    other = process_of(account.choose(cluster.data), "true" if ended else "sleep 600")
    try:
        if ended:
            until(lambda: not is_running(other.pid, None))
            assert is_running(other.pid, None, zombies=True)
        (cluster.data / "postmaster.pid").write_text(f"{other.pid}\n{cluster.data}\n1\n5432\n{cluster.data}\n\n")
        async with embedded_server(used_home) as server:
            assert server.cluster.postmaster() not in {None, other.pid}
    finally:
        other.kill()
        other.wait()


AS_POSTGRES = """
import ctypes, sys
ctypes.CDLL(None).prctl(15, b"postgres", 0, 0, 0)  # PR_SET_NAME
print("named", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere a process tells nobody where it works")
def test_a_lock_file_whose_process_id_another_server_has_by_now(used_home: Path) -> None:
    """It is not stopped in place of ours, and stops no start."""
    command = [sys.executable, "-c", AS_POSTGRES]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/") as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"named\n"
        assert is_running(other.pid, "postgres")
        cluster = Cluster(used_home)
        (cluster.data / "postmaster.pid").write_text(f"{other.pid}\n{cluster.data}\n1\n5432\n{cluster.data}\n\n")
        assert not embedded.stop(used_home, force=True)
        cluster.start()
        assert cluster.postmaster() not in {None, other.pid}
        assert cluster.stop()
        assert other.poll() is None
        assert other.stdin is not None
        other.stdin.close()


async def test_a_server_that_a_killed_command_had_just_launched_is_joined(
    used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It answered nobody yet when we looked for one, and is there before ours is."""
    launched: list[int | None] = []
    clear = Cluster._clear_stale_locks

    def another_is_first(self: Cluster) -> None:
        clear(self)
        if not launched:
            launched.append(None)
            other = Cluster(used_home)
            other.start()
            launched[:] = [other.postmaster()]

    monkeypatch.setattr(Cluster, "_clear_stale_locks", another_is_first)
    async with embedded_server(used_home) as server:
        assert launched == [server.cluster.postmaster()]
    assert cluster_is_stopped(used_home)


async def test_a_cancelled_start_leaves_nothing_running(used_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = asyncio.Event()
    loop = asyncio.get_running_loop()
    wait = embedded.pause

    def pause(abandoned: threading.Event, seconds: float) -> None:
        loop.call_soon_threadsafe(waiting.set)
        # Until the cancellation has come through.
        abandoned.wait()
        wait(abandoned, seconds)

    async def command() -> None:
        async with embedded_server(used_home):
            raise AssertionError

    monkeypatch.setattr(embedded, "pause", pause)
    task = asyncio.create_task(command())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    assert Cluster(used_home).postmaster() is None
    async with embedded_server(used_home):
        pass


async def test_the_environment_neither_disturbs_it_nor_gets_into_it(
    used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "1", "PGDATA": "/nowhere", "PGUSER": "x", "PGDATABASE": "y", "PGHOST": "z"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DISCORD_TOKEN", "abcdef")
    async with embedded_server(used_home) as server:
        with client(server) as connection:
            assert connection.execute("SHOW port").fetchone() == ("5432",)
        assert b"DISCORD_TOKEN" not in environment_of(server.cluster.postmaster())


async def test_stop_spares_a_server_in_use_unless_forced(used_home: Path) -> None:
    assert not embedded.stop(used_home)
    async with embedded_server(used_home) as server:
        with pytest.raises(EmbeddedServerError, match="in use by 1 connection") as caught:
            embedded.stop(used_home)
        assert "--force" in caught.value.hint
        assert embedded.stop(used_home, force=True)
        assert server.cluster.postmaster() is None
    assert not embedded.stop(used_home / "none such")


async def test_stop_ends_what_a_killed_command_left(used_home: Path, start: Callable[[Path], Command]) -> None:
    command = start(used_home)
    assert command.joined()
    command.kill()
    with psycopg.connect(Cluster(used_home).url, autocommit=True) as connection:
        until(lambda: not connection.execute(query("client_backends")).fetchall())
    # Our own look at it is over, but its backend may take a moment to go.
    embedded.stop(used_home, force=True)
    assert Cluster(used_home).postmaster() is None


# --- the home's path ---


async def test_a_home_of_blanks_quotes_and_foreign_letters(used_home: Path, junkie_home: Path) -> None:
    home = junkie_home / "Mein Archiv" / '日本 it\'s $HOME `x` "q" %20 #1'
    with moved(used_home, home):
        async with embedded_server(home) as server:
            assert server.cluster.socket_folder == server.cluster.data
            with client(server) as connection:
                assert connection.execute("SHOW data_directory").fetchone() == (str(home / "postgres" / "data"),)
    assert server.cluster.postmaster() is None


async def test_a_home_whose_socket_would_not_fit_gets_a_short_private_folder(
    used_home: Path, junkie_home: Path
) -> None:
    home = junkie_home / "a,b" / os.fsdecode(b"\xff") / ("long" * 30)
    with moved(used_home, home):
        async with embedded_server(home) as server:
            folder = server.cluster.socket_folder
            assert folder != server.cluster.data
            assert folder.stat().st_mode & 0o777 == 0o700
            assert folder.stat().st_uid == server.cluster.data.stat().st_uid
            with client(server) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
            # However the home is spelt, its server is the same.
            link = junkie_home / "link"
            link.symlink_to(home)
            assert Cluster(link).url == server.url
    assert not folder.exists()


async def test_a_socket_folder_of_somebody_else_is_not_used(used_home: Path, junkie_home: Path) -> None:
    home = junkie_home / ("long" * 30)
    folder = Cluster(home).socket_folder
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    try:
        with moved(used_home, home), pytest.raises(EmbeddedServerError, match="belongs to another"):
            async with embedded_server(home):
                pass
    finally:
        folder.rmdir()


async def test_a_home_below_a_file_is_one_line_with_the_next_step(junkie_home: Path) -> None:
    (junkie_home / "file").touch()
    with pytest.raises(EmbeddedServerError, match="Not a directory") as caught:
        async with embedded_server(junkie_home / "file" / "home"):
            pass
    assert "JUNKIE_HOME" in caught.value.hint
    assert "\n" not in caught.value.message


REFUSED = """
import asyncio, concurrent.futures.thread, os, sys
from pathlib import Path
from junkie_cli.db.embedded import embedded_server
from junkie_cli.errors import EmbeddedServerError

async def main():
    async with embedded_server(Path(sys.argv[1])):
        pass

{before}
try:
    asyncio.run(main())
except EmbeddedServerError as error:
    print(error.message, "|", error.hint)
"""
BECOME_NOBODY = "os.geteuid() == 0 and (os.setgroups([]), os.setgid(65534), os.setuid(65534))"
# No file may grow past 100 kB: as close to a full disk as a test without a disk of its own comes.
SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"


def run_refused(home: Path, *, before: str) -> str:
    """Run a command that must fail, and return its error's one line."""
    command = [sys.executable, "-c", REFUSED.format(before=before), str(home)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.stderr == ""
    assert answer.stdout.count("\n") == 1
    return answer.stdout


def test_a_home_that_cannot_be_written(junkie_home: Path) -> None:
    junkie_home.chmod(0o555)
    try:
        line = run_refused(junkie_home, before=BECOME_NOBODY)
    finally:
        junkie_home.chmod(0o711)
    assert re.match(r"can't use .*postgres: Permission denied \| set JUNKIE_HOME", line)


def test_a_disk_that_takes_no_more(junkie_home: Path) -> None:
    line = run_refused(junkie_home, before=SMALL_FILES)
    assert line.startswith(f"can't create the embedded database in {junkie_home / 'postgres'}: ")
    assert "| set JUNKIE_HOME" in line
    assert not (junkie_home / "postgres" / "data").exists()
    assert not (junkie_home / "postgres" / "data.new").exists()


@pytest.fixture
def small_disk(junkie_home: Path) -> Iterator[Callable[[int], Path]]:
    """Give a home on a disk of its own, of so many MB; called again, the disk is made that large."""
    with own_disk(junkie_home) as change:
        yield lambda megabytes: change(f"size={megabytes}m,mode=711")


# One of them is full during initdb, one when junkie's database is made, one when the server starts.
@pytest.mark.parametrize("megabytes", [36, 39, 40, 43, 46])
async def test_a_first_start_on_a_full_disk_can_be_repeated_on_a_larger_one(
    small_disk: Callable[[int], Path], megabytes: int
) -> None:
    home = small_disk(megabytes)
    with contextlib.suppress(EmbeddedServerError):
        await use_once(home)
    assert Cluster(home).postmaster() is None
    small_disk(200)
    async with embedded_server(home) as server:
        with client(server) as connection:
            assert connection.execute("SELECT current_database()").fetchone() == ("junkie",)
    assert server.cluster.postmaster() is None


@pytest.mark.parametrize("left", [0, 100_000])
async def test_a_disk_that_has_become_full_is_named_as_the_reason(small_disk: Callable[[int], Path], left: int) -> None:
    home = small_disk(200)
    await use_once(home)
    film = home / "film"
    with film.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(home).free - left)
    with pytest.raises(EmbeddedServerError, match="No space left on device") as caught:
        await use_once(home)
    assert "\n" not in caught.value.message
    assert Cluster(home).postmaster() is None
    film.unlink()
    await use_once(home)


async def test_a_failed_creation_of_the_database_leaves_no_data_folder(
    junkie_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This one is there already, so that creating it fails after initdb has succeeded.
    monkeypatch.setattr(data_folder, "DATABASE", "template1")
    with pytest.raises(EmbeddedServerError, match='database "template1" already exists'):
        async with embedded_server(junkie_home):
            pass
    assert not (junkie_home / "postgres" / "data").exists()
    assert not (junkie_home / "postgres" / "data.new").exists()


@contextmanager
def without_database(home: Path) -> Iterator[Cluster]:
    """Run the server of a home, as a killed command leaves it, and let junkie's own database be missing meanwhile."""
    cluster = Cluster(home)

    def rename(old: str, new: str) -> None:
        cluster.start()
        connection = cluster.connect("test", database=MAINTENANCE)
        assert connection is not None
        with connection:
            connection.execute(f"ALTER DATABASE {old} RENAME TO {new}".encode())

    rename("junkie", "away")
    try:
        yield cluster
    finally:
        cluster.stop()
        rename("away", "junkie")
        cluster.stop()


def closing(home: Path, *, to_all: bool) -> None:
    """Let the server of a home refuse connections to junkie's database, or accept them again."""
    cluster = Cluster(home)
    cluster.start()
    connection = cluster.connect("test", database=MAINTENANCE)
    assert connection is not None
    with connection:
        connection.execute(f"ALTER DATABASE junkie ALLOW_CONNECTIONS {not to_all}".encode())
    cluster.stop()


async def test_a_server_that_was_launched_and_refuses_is_ended(used_home: Path) -> None:
    closing(used_home, to_all=True)
    try:
        with pytest.raises(EmbeddedServerError, match="refuses the connection"):
            await use_once(used_home)
        assert Cluster(used_home).postmaster() is None
    finally:
        closing(used_home, to_all=False)


async def test_a_server_that_lacks_our_database_is_given_it(used_home: Path) -> None:
    """As a disk that was full in the middle of a first start once left it."""
    with without_database(used_home) as cluster:
        cluster.stop()
        async with embedded_server(used_home) as server:
            with client(server) as connection:
                assert connection.execute("SELECT current_database()").fetchone() == ("junkie",)
        cluster.start()
        with psycopg.connect(cluster.url.replace("/junkie?", f"/{MAINTENANCE}?"), autocommit=True) as connection:
            connection.execute("DROP DATABASE junkie")


@pytest.mark.parametrize("content", ["", "nonsense\n"])
@pytest.mark.parametrize("name", ["postmaster.pid", ".s.PGSQL.5432.lock"])
async def test_a_lock_file_that_names_nobody_stops_no_start(used_home: Path, name: str, content: str) -> None:
    """A full disk, or a power failure, leaves it empty; PostgreSQL alone would never start again."""
    data = Cluster(used_home).data
    (data / name).write_text(content)
    await use_once(used_home)
    assert not (data / name).exists()


def test_a_server_without_our_database_can_be_stopped(used_home: Path) -> None:
    with without_database(used_home) as cluster:
        assert cluster.postmaster() is not None
        until(lambda: cluster_is_stopped(used_home))


def cluster_is_stopped(home: Path) -> bool:
    """Stop its server unless a backend that has just been left is still on the list."""
    with contextlib.suppress(EmbeddedServerError):
        embedded.stop(home)
    return Cluster(home).postmaster() is None


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("LOG:  a\nFATAL:  the database system is starting up\nFATAL:  could not b\nLOG:  c", "could not b"),
        ("FATAL:  the database system is not yet accepting connections\nLOG:  shut down", "LOG:  shut down"),
        ("FATAL:  terminated\nPANIC:  could not write to log", "could not write to log"),
        (
            'FATAL:  the database system is starting up\nLOG:  can\'t write "x": No space left on device\nFATAL:  b',
            'can\'t write "x": No space left on device',
        ),
        ("FATAL:  the database system is shutting down", "it gave no reason"),
        ("sh: echo: No space left on device\nchild ended", "sh: echo: No space left on device"),
        ("", "it gave no reason"),
    ],
)
def test_the_reason_is_the_servers_own_and_a_full_disk_before_what_it_led_to(output: str, reason: str) -> None:
    assert complaint(output) == reason


# --- what is in the folder ---


@pytest.mark.parametrize(("version", "remedy"), [("13", "junkie db upgrade"), ("99", "JUNKIE_PG_BIN")])
async def test_data_of_another_major_version_is_refused(junkie_home: Path, version: str, remedy: str) -> None:
    data = junkie_home / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text(f"{version}\n")
    with pytest.raises(EmbeddedServerError, match=f"made by PostgreSQL {version}") as caught:
        async with embedded_server(junkie_home):
            pass
    assert remedy in caught.value.hint


@pytest.mark.parametrize("version", ["", "\0\0\0\0"])
async def test_a_version_that_a_power_failure_took_is_named(junkie_home: Path, version: str) -> None:
    data = junkie_home / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text(version)
    with pytest.raises(EmbeddedServerError, match="no data folder"):
        async with embedded_server(junkie_home):
            pass


async def test_a_folder_that_is_no_database_is_left_alone(junkie_home: Path) -> None:
    data = junkie_home / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "holiday.jpg").touch()
    with pytest.raises(EmbeddedServerError, match="no data folder"):
        async with embedded_server(junkie_home):
            pass
    assert (data / "holiday.jpg").exists()


async def test_a_server_that_cannot_start_says_why(used_home: Path) -> None:
    async with embedded_server(used_home) as server:
        pass
    settings = server.cluster.data / "postgresql.auto.conf"
    sound = settings.read_text()
    settings.write_text("shared_buffers = 'plenty'\n")
    try:
        with pytest.raises(EmbeddedServerError, match="did not start: ") as caught:
            async with embedded_server(used_home):
                pass
    finally:
        settings.write_text(sound)
    assert str(server.cluster.log) in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_server_that_came_up_just_after_it_had_turned_somebody_away(
    used_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(used_home)
    cluster.start()
    connect, calls = psycopg.connect, []

    def turned_away_once(*arguments: Any, **how: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise psycopg.OperationalError("FATAL:  the database system is starting up")
        return connect(*arguments, **how)

    monkeypatch.setattr(psycopg, "connect", turned_away_once)
    try:
        connection = cluster.connect("test")
        assert connection is not None
        connection.close()
        assert len(calls) == 2
    finally:
        cluster.stop()
