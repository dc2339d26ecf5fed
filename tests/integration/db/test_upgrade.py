"""The embedded server's data folder under a newer major version. PostgreSQL 16 comes with ours; older ones may be installed."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from junkie_cli.config import Settings
from junkie_cli.db import binaries, embedded, upgrade
from junkie_cli.db.account import Account
from junkie_cli.db.cluster import UPGRADED, Cluster
from junkie_cli.db.database import open_database
from junkie_cli.db.embedded import embedded_server
from junkie_cli.db.upgrade import Upgraded
from junkie_cli.db.upgrade import upgrade as run_upgrade
from junkie_cli.errors import EmbeddedServerError
from tests import postgres
from tests.command import Done, junkie

FILL = """
INSERT INTO junkie.messages (channel_id, message_id, author_id, seen, author_name, content)
SELECT 4194304000, i::bigint << 22, 7, nextval('junkie.seen'), 'Ä', 'message ' || i FROM generate_series(1, 1000) AS i;
INSERT INTO junkie.channel_status (channel_id, covered, message_count) VALUES (4194304000, '{[1,4194304001)}', 1000);
CREATE ROLE watcher LOGIN;
GRANT USAGE ON SCHEMA junkie TO watcher;
GRANT SELECT ON junkie.messages TO watcher;
"""


def programs_of(major: int, folder: Path) -> Path:
    try:
        return binaries.of_major(major, None, None, folder).folder
    except EmbeddedServerError as error:
        pytest.skip(error.message)


async def fill(settings: Settings) -> None:
    async with open_database(settings) as database, database.connection() as connection:
        await connection.execute(FILL)


def made_by(major: int, folder: Path) -> Iterator[Path]:
    """A home that a PostgreSQL of that version made and filled."""
    home = postgres.make_home()
    (folder / f"made-{major}").mkdir()
    environ = {"JUNKIE_HOME": str(home), "JUNKIE_PG_BIN": str(programs_of(major, folder))}
    asyncio.run(fill(load(environ, folder / f"made-{major}")))
    yield home
    postgres.remove_home(home)


def load(environ: dict[str, str], folder: Path) -> Settings:
    from junkie_cli import config

    return config.load(environ=environ, folder=folder)


@pytest.fixture(scope="module")
def made_by_16(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield from made_by(16, tmp_path_factory.mktemp("programs"))


@pytest.fixture
def home(made_by_16: Path, junkie_home: Path) -> Path:
    """A home of this test's own, as PostgreSQL 16 left it."""
    subprocess.run(["cp", "-a", made_by_16 / "postgres", junkie_home / "postgres"], check=True)
    return junkie_home


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    return programs_of(16, tmp_path)


def held(home: Path, pg_bin: Path | None = None) -> tuple[Any, ...]:
    """What the archive of a home holds, and the version that serves it."""

    async def read() -> tuple[Any, ...]:
        async with embedded_server(home, pg_bin) as server:
            with psycopg.connect(server.url, application_name=f"junkie test {server.token}") as connection:
                statement = (
                    "SELECT count(*), min(content), max(created_at)::text, nextval('junkie.seen'), "
                    "has_table_privilege('watcher', 'junkie.messages', 'SELECT'), "
                    "(SELECT covered::text FROM junkie.channel_status), current_setting('server_version_num')::int / 10000 "
                    "FROM junkie.messages"
                )
                return connection.execute(statement).fetchone() or ()

    return asyncio.run(read())


WHOLE = (1000, "message 1", "2015-01-01 00:00:01+00", 1001, True, "{[1,4194304001)}")


def names(home: Path) -> set[str]:
    ours = {"lock", "server.log", "upgrade.log"}
    return {path.name for path in (home / "postgres").iterdir() if not path.name.startswith("programs-")} - ours


def assert_untouched(home: Path, programs: Path) -> None:
    """Fail unless the old data folder is where it was, is all there is, and works."""
    assert names(home) == {"data"}
    assert Cluster(home).postmaster() is None
    found = held(home, programs)
    assert found[:3] + found[5:] == (*WHOLE[:3], WHOLE[5], 16)


@pytest.mark.parametrize("major", [14, 15, 16, 17])
def test_all_is_there_afterwards_and_the_old_folder_is_kept(major: int, tmp_path: Path) -> None:
    for home in made_by(major, tmp_path):
        done = asyncio.run(run_upgrade(home))
        assert done is not None
        assert (done.old, done.new.split(".")[0]) == (major, "18")
        assert done.rows["messages"] == 1000
        assert not done.own_settings
        assert done.kept == home / "postgres" / f"data.old-{major}"
        assert names(home) == {"data", done.kept.name}
        assert Cluster(home).postmaster() is None
        assert held(home) == (*WHOLE, 18)

        assert asyncio.run(run_upgrade(home)) is None
        # And back again, as the documentation says.
        shutil.rmtree(home / "postgres" / "data")
        done.kept.rename(home / "postgres" / "data")
        assert held(home, programs_of(major, tmp_path)) == (*WHOLE, major)


def test_a_server_that_was_killed_and_settings_of_the_user_s(home: Path, programs: Path) -> None:
    cluster = Cluster(home, programs)
    cluster.start()
    connection = cluster.connect("test")
    assert connection is not None
    with connection:
        connection.execute("ALTER SYSTEM SET work_mem = '8MB'")
    pid = cluster.postmaster()
    assert pid is not None
    os.kill(pid, 9)
    while cluster.postmaster() is not None:
        pass
    done = asyncio.run(run_upgrade(home, old_bin=programs))
    assert done is not None
    assert done.own_settings
    assert held(home)[0] == 1000


def test_there_is_nothing_to_do(junkie_home: Path) -> None:
    assert asyncio.run(run_upgrade(junkie_home)) is None
    assert list(junkie_home.iterdir()) == []
    Cluster(junkie_home).prepare()
    assert asyncio.run(run_upgrade(junkie_home)) is None


def test_a_running_server_is_spared(home: Path, programs: Path) -> None:
    async def attempt() -> None:
        async with embedded_server(home, programs):
            with pytest.raises(EmbeddedServerError, match="is running") as caught:
                await run_upgrade(home)
            assert "junkie db stop" in caught.value.hint

    asyncio.run(attempt())
    assert_untouched(home, programs)


def test_programs_that_are_not_there(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EmbeddedServerError, match="does not hold the programs of PostgreSQL 16"):
        asyncio.run(run_upgrade(home, old_bin=tmp_path))
    newest = binaries.resolve(None)
    with pytest.raises(EmbeddedServerError, match="does not hold the programs of PostgreSQL 16"):
        asyncio.run(run_upgrade(home, old_bin=newest.folder))
    monkeypatch.setattr(binaries, "_wheels", lambda: [newest])
    monkeypatch.setattr(binaries, "system_folders", lambda: [tmp_path])
    with pytest.raises(EmbeddedServerError, match="PostgreSQL 16, which made the data folder") as caught:
        asyncio.run(run_upgrade(home))
    assert "--old-bin /usr/lib/postgresql/16/bin" in caught.value.hint


def test_data_that_is_newer_than_the_programs(home: Path, programs: Path) -> None:
    (home / "postgres" / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 17, the programs are PostgreSQL 16\.") as caught:
        asyncio.run(run_upgrade(home, programs))
    assert "JUNKIE_PG_BIN" in caught.value.hint


def test_an_old_folder_that_is_still_kept_is_not_overwritten(home: Path, programs: Path) -> None:
    kept = home / "postgres" / "data.old-16"
    kept.mkdir()
    with pytest.raises(EmbeddedServerError, match=r"data\.old-16, which an earlier upgrade kept"):
        asyncio.run(run_upgrade(home))
    kept.rmdir()
    assert_untouched(home, programs)


def test_what_pg_upgrade_refuses_is_said_in_one_line(home: Path, programs: Path) -> None:
    cluster = Cluster(home, programs)
    cluster.start()
    connection = cluster.connect("test")
    assert connection is not None
    with connection:
        connection.execute("CREATE TABLE public.bad (what regoperator)")
    cluster.stop()
    with pytest.raises(EmbeddedServerError, match="pg_upgrade failed: ") as caught:
        asyncio.run(run_upgrade(home))
    assert "\n" not in caught.value.message
    assert str(home / "postgres" / "upgrade.log") in caught.value.hint
    assert_untouched(home, programs)


def test_other_rows_than_before_are_not_put_in_place(
    home: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([{"messages": 1000, "users": 3}, {"messages": 999, "users": 3}])
    monkeypatch.setattr(upgrade, "_count", lambda _: next(counts))
    with pytest.raises(EmbeddedServerError, match="other rows are in messages"):
        asyncio.run(run_upgrade(home))
    assert_untouched(home, programs)


def test_an_interruption_leaves_all_as_it_was(home: Path, programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted() -> None:
        loop, launched = asyncio.get_running_loop(), asyncio.Event()
        launch = Account.launch

        def telling(self: Account, *arguments: Any, **how: Any) -> "subprocess.Popen[bytes]":
            process = launch(self, *arguments, **how)
            loop.call_soon_threadsafe(launched.set)
            return process

        monkeypatch.setattr(Account, "launch", telling)
        job = asyncio.create_task(run_upgrade(home))
        await launched.wait()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    asyncio.run(interrupted())
    assert_untouched(home, programs)


def test_what_a_kill_between_the_two_renames_left_is_done_by_the_next_start(home: Path) -> None:
    assert asyncio.run(run_upgrade(home)) is not None
    data = home / "postgres" / "data"
    data.rename(data.with_name(UPGRADED))
    assert held(home) == (*WHOLE, 18)
    assert names(home) == {"data", "data.old-16"}


def test_what_a_killed_upgrade_left_behind_is_removed(home: Path) -> None:
    folder = home / "postgres"
    for left in (folder / "upgrade-abcdef" / "data", folder / UPGRADED):
        left.mkdir(parents=True)
        (left / "PG_VERSION").write_text("18\n")
    assert asyncio.run(run_upgrade(home)) is not None
    assert names(home) == {"data", "data.old-16"}
    assert held(home) == (*WHOLE, 18)


def test_a_command_that_is_killed_is_followed_by_one_that_ends_its_servers(home: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "JUNKIE_HOME": str(home)}
    command = subprocess.Popen([sys.executable, "-m", "junkie_cli", "db", "upgrade"], env=environ, cwd="/")
    folder = home / "postgres"
    while not (found := list(folder.glob("upgrade-*/data/postmaster.pid"))):
        assert command.poll() is None
    command.kill()
    command.wait()
    abandoned = Cluster(home, data=f"{found[0].parents[1].name}/data")
    while (done := upgraded_unless_running(home)) is None:
        embedded.stop(home, force=True)
    assert done.rows["messages"] == 1000
    assert abandoned.postmaster() is None
    assert names(home) == {"data", "data.old-16"}
    assert held(home) == (*WHOLE, 18)


def test_what_still_writes_where_a_killed_upgrade_worked_is_waited_for(home: Path) -> None:
    left = home / "postgres" / "upgrade-abcdef"
    left.mkdir()
    writes = "import pathlib\nfor i in range(20000): pathlib.Path(str(i)).touch()"
    writer = subprocess.Popen([sys.executable, "-c", writes], cwd=left)
    while not any(left.iterdir()):
        assert writer.poll() is None
    assert asyncio.run(run_upgrade(home)) is not None
    writer.wait()
    assert names(home) == {"data", "data.old-16"}


def upgraded_unless_running(home: Path) -> Upgraded | None:
    """Upgrade; None if what was killed still has a server on the old data folder."""
    try:
        return asyncio.run(run_upgrade(home))
    except EmbeddedServerError as error:
        if "is running" not in error.message:
            raise
        return None


@pytest.fixture
def disk_of() -> Iterator[Callable[[Path, int], None]]:
    """Put a disk of so many MB below a folder of a home's own server, with what is there."""
    mounted: list[Path] = []

    def put(home: Path, megabytes: int) -> None:
        folder = home / "postgres"
        aside = folder.with_name("aside")
        folder.rename(aside)
        folder.mkdir()
        options = f"size={megabytes}m"
        answer = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False)
        if answer.returncode != 0:
            pytest.skip("no disk can be mounted here")
        mounted.append(folder)
        subprocess.run(["cp", "-aT", aside, folder], check=True)
        shutil.rmtree(aside)

    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk, and only Linux has such")
    yield put
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def test_a_disk_without_room_for_it_twice_is_refused_beforehand(
    home: Path, programs: Path, disk_of: Callable[[Path, int], None]
) -> None:
    disk_of(home, 120)
    with pytest.raises(EmbeddedServerError, match=r"the upgrade needs \d+ MB beside .*data, and \d+ MB are free"):
        asyncio.run(run_upgrade(home))
    assert_untouched(home, programs)


@pytest.mark.parametrize("megabytes", [70, 90])
def test_a_disk_that_becomes_full_leaves_all_as_it_was(
    home: Path, programs: Path, disk_of: Callable[[Path, int], None], monkeypatch: pytest.MonkeyPatch, megabytes: int
) -> None:
    monkeypatch.setattr(upgrade, "NEW_CLUSTER", -(10**12))
    disk_of(home, megabytes)
    with pytest.raises(EmbeddedServerError) as caught:
        asyncio.run(run_upgrade(home))
    assert "\n" not in caught.value.message
    assert_untouched(home, programs)


class TestCommand:
    def run(self, home: Path, *arguments: str, **environ: str) -> Done:
        return asyncio.run(junkie({"JUNKIE_HOME": str(home)} | environ).run(*arguments))

    @pytest.mark.parametrize(
        "arguments",
        [
            "backfill",
            "sync",
            "serve",
            "context 4194304000",
            "status",
            "forget --list",
            "db psql",
            "db dump",
            "db migrate",
        ],
    )
    def test_every_other_one_refuses_and_names_it(self, home: Path, arguments: str) -> None:
        answer = self.run(home, *arguments.split(), DISCORD_TOKEN="MTIz.a.token")
        assert (answer.code, answer.stdout) == (5, "")
        assert answer.stderr.count("\n") == 1
        assert answer.stderr.startswith("error: ")
        assert "was made by PostgreSQL 16" in answer.stderr
        assert "run `junkie db upgrade`" in answer.stderr

    def test_it_says_what_it_did_and_what_may_be_removed(self, home: Path) -> None:
        answer = self.run(home, "db", "upgrade")
        assert (answer.code, answer.stdout) == (0, "")
        kept = home / "postgres" / "data.old-16"
        assert re.search(r"from PostgreSQL 16 to 18\.\d+; its 1,000 messages are all there", answer.stderr)
        assert f"rm -r {kept}" in answer.stderr
        answer = self.run(home, "db", "upgrade")
        assert (answer.code, answer.stdout) == (0, "")
        assert answer.stderr == "the embedded database needs no upgrade\n"
        answer = self.run(home, "db", "upgrade", "--json")
        assert json.loads(answer.stdout) == {"upgraded": None}

    def test_a_server_of_the_user_s_own_is_the_user_s_business(self, tmp_path: Path) -> None:
        answer = self.run(tmp_path, "db", "upgrade", POSTGRES_URL="postgresql://me@db.example/archive")
        assert (answer.code, answer.stdout) == (4, "")
        assert "POSTGRES_URL" in answer.stderr
