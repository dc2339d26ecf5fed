"""What `junkie doctor` says of a database in which something is wrong."""

import shutil
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from junkie_cli.checks import Check, Verdict, exit_code
from junkie_cli.config import Settings
from junkie_cli.db import diagnosis, migrations
from junkie_cli.db.cluster import Cluster
from junkie_cli.db.database import open_database
from junkie_cli.db.diagnosis import examine
from junkie_cli.db.workers import present
from tests import postgres

NAMES = {"database", "space", "tables", "rights", "locks", "workers", "vacuum"}
MakeSettings = Callable[..., Settings]


async def asked(settings: Settings, **how: Any) -> dict[str, list[Check]]:
    """All rows, by the name of their check."""
    found: dict[str, list[Check]] = {}
    async for checks in examine(settings, **how):
        for check in checks:
            found.setdefault(check.name, []).append(check)
    # Whatever is wrong, each check has its say.
    assert found.keys() - {"database clock"} == NAMES
    return found


def verdicts(found: dict[str, list[Check]]) -> dict[str, str]:
    """Of every check that is not well."""
    return {name: str(checks[0].verdict) for name, checks in found.items() if checks[0].verdict is not Verdict.PASSED}


@pytest.fixture
def settings(database_url: str, make_settings: MakeSettings) -> Settings:
    return make_settings(POSTGRES_URL=database_url)


def execute(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


async def test_all_is_well_and_nothing_is_changed(settings: Settings, database_url: str) -> None:
    found = await asked(settings)
    # A server of one's own tells nothing of its disk.
    assert verdicts(found) == {"space": "skipped"}
    assert found["tables"][0].facts["version"] == len(migrations.known())
    assert found["database"][0].facts["version"] in found["database"][0].found
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM junkie.workers").fetchone() == (0,)


class TestTheServer:
    async def test_nobody_listens(self, make_settings: MakeSettings) -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            url = f"postgresql://me:hunter2@127.0.0.1:{bound.getsockname()[1]}/archive"
            found = await asked(make_settings(POSTGRES_URL=url))
        (database,) = found["database"]
        assert (database.verdict, database.exit_code) == (Verdict.FAILURE, 5)
        assert "hunter2" not in database.found + database.fix
        assert set(verdicts(found).values()) == {"failure", "skipped"}

    async def test_the_database_does_not_exist(self, server_url: str, make_settings: MakeSettings) -> None:
        url = urlsplit(server_url)._replace(path="/of_this_name_there_is_none").geturl()
        (database,) = (await asked(make_settings(POSTGRES_URL=url)))["database"]
        assert database.exit_code == 5
        assert "of_this_name_there_is_none" in database.found

    @pytest.mark.administrator
    async def test_it_takes_no_writes_and_the_rest_is_looked_at(self, settings: Settings, database_url: str) -> None:
        name = urlsplit(database_url).path[1:]
        execute(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        found = await asked(settings)
        (database,) = found["database"]
        assert (database.verdict, database.exit_code) == (Verdict.FAILURE, 5)
        assert "default_transaction_read_only is on" in database.found
        assert found["tables"][0].verdict is Verdict.PASSED

    async def test_it_is_not_in_unicode(self, server_url: str, make_settings: MakeSettings) -> None:
        with postgres.database(server_url, encoding="LATIN1") as url:
            (database,) = (await asked(make_settings(POSTGRES_URL=url)))["database"]
        assert (database.verdict, database.exit_code) == (Verdict.FAILURE, 5)
        assert "LATIN1" in database.found

    @pytest.mark.parametrize(("minutes", "said"), [(-10, "ahead of this machine's"), (10, "behind this machine's")])
    async def test_its_clock_is_another(self, settings: Settings, minutes: int, said: str) -> None:
        found = await asked(settings, now=lambda: datetime.now(UTC) + timedelta(minutes=minutes))
        (clock,) = found["database clock"]
        assert clock.verdict is Verdict.WARNING
        assert said in clock.found


class TestTables:
    async def test_there_are_none_yet(self, empty_database_url: str, make_settings: MakeSettings) -> None:
        found = await asked(make_settings(POSTGRES_URL=empty_database_url))
        assert found["tables"][0].verdict is Verdict.PASSED
        assert {name for name, verdict in verdicts(found).items() if verdict == "skipped"} == {
            *("space", "rights", "workers", "vacuum")
        }
        with psycopg.connect(empty_database_url) as connection:
            assert connection.execute("SELECT to_regnamespace('junkie')").fetchone() == (None,)

    @pytest.mark.administrator
    async def test_they_are_behind(self, settings: Settings, database_url: str) -> None:
        last = migrations.known()[-1]
        execute(database_url, f"DELETE FROM junkie.schema_migrations WHERE version = {last.version}")
        (tables,) = (await asked(settings))["tables"]
        assert tables.verdict is Verdict.WARNING
        assert last.label in tables.found
        assert "junkie db migrate" in tables.fix

    @pytest.mark.parametrize(
        ("statement", "said"),
        [
            ("INSERT INTO junkie.schema_migrations VALUES (99, 'later', 'x')", "version 99"),
            ("UPDATE junkie.schema_migrations SET checksum = 'other' WHERE version = 1", "0001_archive"),
            ("ALTER TABLE junkie.schema_migrations RENAME TO other", "another program"),
        ],
    )
    @pytest.mark.administrator
    async def test_they_are_not_this_program_s(
        self, settings: Settings, database_url: str, statement: str, said: str
    ) -> None:
        execute(database_url, statement)
        found = await asked(settings)
        (tables,) = found["tables"]
        assert (tables.verdict, tables.exit_code) == (Verdict.FAILURE, 5)
        assert said in tables.found
        assert "this junkie can use" in found["rights"][0].found
        assert found["locks"][0].verdict is Verdict.PASSED

    @pytest.fixture
    def role(self, database_url: str, server_url: str) -> Any:
        """A role without rights, and a way to log in as it."""
        name = f"{urlsplit(database_url).path[1:]}_role"
        execute(database_url, f"CREATE ROLE {name} LOGIN PASSWORD 'secret'", f"GRANT USAGE ON SCHEMA junkie TO {name}")
        parts = urlsplit(database_url)
        yield name, parts._replace(netloc=f"{name}:secret@{parts.netloc.rpartition('@')[2]}").geturl()
        execute(database_url, f"DROP OWNED BY {name}")
        execute(server_url, f"DROP ROLE {name}")

    @pytest.mark.administrator
    async def test_the_role_may_read_and_no_more(
        self, database_url: str, make_settings: MakeSettings, role: tuple[str, str]
    ) -> None:
        name, url = role
        execute(database_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA junkie TO {name}")
        (rights,) = (await asked(make_settings(POSTGRES_URL=url)))["rights"]
        assert rights.verdict is Verdict.WARNING
        assert {"table": "messages", "right": "INSERT"} in rights.facts["missing"]
        assert {"table": "seen", "right": "USAGE"} in rights.facts["missing"]

    @pytest.mark.administrator
    async def test_the_role_may_not_even_read(
        self, database_url: str, make_settings: MakeSettings, role: tuple[str, str]
    ) -> None:
        name, url = role
        execute(database_url, f"GRANT SELECT ON junkie.schema_migrations TO {name}")
        (rights,) = (await asked(make_settings(POSTGRES_URL=url)))["rights"]
        assert (rights.verdict, rights.exit_code) == (Verdict.FAILURE, 5)
        execute(database_url, f"REVOKE ALL ON junkie.schema_migrations FROM {name}")
        (tables,) = (await asked(make_settings(POSTGRES_URL=url)))["tables"]
        assert (tables.verdict, tables.exit_code) == (Verdict.FAILURE, 5)


class TestLocks:
    async def test_who_waits_and_for_whom(
        self, settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(diagnosis, "LONG_WAIT", 0.0)
        with (
            psycopg.connect(database_url, application_name="first") as first,
            psycopg.connect(database_url, application_name="evil\x1b[2J", autocommit=True) as second,
        ):
            first.execute("LOCK TABLE junkie.users")
            second.pgconn.send_query(b"SELECT count(*) FROM junkie.users")
            found = await self._blocked(settings)
            (lock,) = found["locks"]
            assert lock.verdict is Verdict.WARNING
            assert f"for process {first.info.backend_pid} (first)" in lock.found
            assert str(second.info.backend_pid) in lock.found
            assert f"pg_terminate_backend({first.info.backend_pid})" in lock.fix
            first.rollback()
            while second.pgconn.get_result() is not None:
                pass

    async def _blocked(self, settings: Settings) -> dict[str, list[Check]]:
        """Look until the second one has begun to wait."""
        while (found := await asked(settings))["locks"][0].verdict is Verdict.PASSED:
            pass
        return found

    async def test_a_transaction_that_is_left_open(
        self, settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(diagnosis, "LONG_IDLE", 0.0)
        with psycopg.connect(database_url, application_name="forgotten") as connection:
            connection.execute("SELECT 1")
            (lock,) = (await asked(settings))["locks"]
        assert lock.verdict is Verdict.WARNING
        assert "(forgotten) has left a transaction open" in lock.found

    async def test_who_changes_the_tables(self, settings: Settings, database_url: str) -> None:
        with psycopg.connect(database_url, application_name="junkie db migrate", autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", [migrations.LOCK_KEY])
            (lock,) = (await asked(settings))["locks"]
        assert lock.verdict is Verdict.WARNING
        assert "(junkie db migrate) is changing junkie's tables" in lock.found

    async def test_commands_at_work_are_no_fault(self, settings: Settings) -> None:
        channel_id = 1170693999822564005
        async with open_database(settings) as database, present(database, "backfill", 7) as presence:
            assert await presence.try_lock(channel_id)
            found = await asked(settings)
        assert verdicts(found) == {"space": "skipped"}
        (lock,) = found["locks"]
        assert lock.facts == {"commands": 1, "channels": [str(channel_id)]}
        assert "1 command at work on 1 channel" in lock.found


class TestWorkers:
    ROW = "INSERT INTO junkie.workers (command, bot_id, host, pid, backend_pid, heartbeat_at) VALUES "

    async def test_one_that_died(self, settings: Settings, database_url: str) -> None:
        execute(database_url, self.ROW + "('sync', 7, 'elsewhere', 4711, -1, now())")
        (worker,) = (await asked(settings))["workers"]
        assert worker.verdict is Verdict.WARNING
        assert "`sync` on elsewhere (process 4711) ended without saying so" in worker.found

    async def test_one_that_died_and_whose_process_id_another_has_now(
        self, settings: Settings, database_url: str
    ) -> None:
        with psycopg.connect(database_url, application_name="psql") as connection:
            execute(database_url, self.ROW + f"('sync', 7, 'here', 4711, {connection.info.backend_pid}, now())")
            (worker,) = (await asked(settings))["workers"]
        assert "ended without saying so" in worker.found

    async def test_one_that_hangs(self, settings: Settings, database_url: str) -> None:
        with psycopg.connect(database_url, application_name="junkie serve") as connection:
            pid = connection.info.backend_pid
            execute(database_url, self.ROW + f"('serve', 7, 'here', 4711, {pid}, now() - interval '1 minute')")
            (worker,) = (await asked(settings))["workers"]
        assert worker.verdict is Verdict.WARNING
        assert "has not been heard of for" in worker.found
        assert worker.facts["connected"] is True


class TestVacuum:
    @pytest.mark.parametrize("automatic", [True, False])
    @pytest.mark.administrator
    async def test_dead_rows_that_nobody_removes(
        self, settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch, *, automatic: bool
    ) -> None:
        monkeypatch.setattr(diagnosis, "FEW_DEAD", 100)
        # Off in either case, lest it comes before us; where it is to be on, that is what the check is told.
        execute(
            database_url,
            "ALTER TABLE junkie.roles SET (autovacuum_enabled = off, autovacuum_vacuum_scale_factor = 0)",
            "INSERT INTO junkie.roles SELECT i, 1, 'role' FROM generate_series(1, 500) AS i",
            "DELETE FROM junkie.roles",
        )
        if automatic:
            monkeypatch.setattr(diagnosis._Patient, "rows", _switched_on(diagnosis._Patient.rows))
        # What was done is counted when the connection that did it has ended on the server, too.
        while (row := (await asked(settings))["vacuum"][0]).verdict is Verdict.PASSED:
            pass
        assert row.verdict is Verdict.WARNING
        assert "junkie.roles has 500 dead rows, never vacuumed" in row.found
        assert ("autovacuum is off" in row.found) is not automatic
        assert "VACUUM ANALYZE junkie.roles" in row.fix
        execute(database_url, "VACUUM junkie.roles")
        assert (await asked(settings))["vacuum"][0].verdict is Verdict.PASSED


def _switched_on(rows: Any) -> Any:
    async def told(self: Any, name: str, **parameters: Any) -> Any:
        found = await rows(self, name, **parameters)
        return [(*row[:-1], True) for row in found] if name == "dead_rows" else found

    return told


class TestEmbedded:
    async def test_it_is_not_made_by_looking(self, junkie_home: Path, make_settings: MakeSettings) -> None:
        home = junkie_home / "home"
        found = await asked(make_settings(JUNKIE_HOME=str(home)))
        assert found["database"][0].verdict is Verdict.PASSED
        assert found["database"][0].facts["exists"] is False
        assert not home.exists()

    async def test_it_is_started_looked_at_and_stopped(
        self, junkie_home: Path, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = make_settings(JUNKIE_HOME=str(junkie_home))
        async with open_database(settings):
            pass
        kept = junkie_home / "postgres" / "data.old-16"
        kept.mkdir()
        found = await asked(settings)
        assert verdicts(found) == {}
        assert str(kept) in found["space"][0].found
        for free, verdict in ((500_000_000, Verdict.WARNING), (1_000_000, Verdict.FAILURE)):
            monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
            (space,) = (await asked(settings))["space"]
            assert space.verdict is verdict
            assert str(junkie_home) in space.found
        assert space.exit_code == 5
        assert Cluster(junkie_home).postmaster() is None

    async def test_it_is_of_another_major_version(self, junkie_home: Path, make_settings: MakeSettings) -> None:
        data = junkie_home / "postgres" / "data"
        data.mkdir(parents=True)
        (data / "PG_VERSION").write_text("16\n")
        found = await asked(make_settings(JUNKIE_HOME=str(junkie_home)))
        (database,) = found["database"]
        assert (database.verdict, database.exit_code) == (Verdict.FAILURE, 5)
        assert "junkie db upgrade" in database.fix
        assert [path.name for path in data.iterdir()] == ["PG_VERSION"]

    async def test_there_are_no_programs_for_it(self, tmp_path: Path, make_settings: MakeSettings) -> None:
        found = await asked(make_settings(JUNKIE_PG_BIN=str(tmp_path)))
        (database,) = found["database"]
        assert (database.verdict, database.exit_code) == (Verdict.FAILURE, 5)
        assert "JUNKIE_PG_BIN" in database.found
        assert exit_code([check for checks in found.values() for check in checks]) == 5
