"""A server of the test's own, which dies, is away and comes back, and refuses."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from junkie_cli.config import Settings
from junkie_cli.db import connecting, embedded
from junkie_cli.db.cluster import Cluster
from junkie_cli.db.connecting import Connection
from junkie_cli.db.database import Database, open_database
from junkie_cli.errors import DatabaseError, DatabaseUnavailable
from tests import postgres

PASSWORD = "correct horse"
GUARDED = "local all guarded scram-sha-256\n"


@pytest.fixture(scope="module")
def own_home() -> Iterator[Path]:
    """A home with a migrated database, and with a role `guarded` that needs a password."""
    home = postgres.make_home()
    asyncio.run(lay_out(home))
    yield home
    postgres.remove_home(home)


async def lay_out(home: Path) -> None:
    from junkie_cli import config

    settings = config.load(environ={"JUNKIE_HOME": str(home)}, folder=home)
    async with open_database(settings) as database, database.connection() as connection:
        await connection.execute(f"CREATE ROLE guarded LOGIN PASSWORD '{PASSWORD}'".encode())
        await connection.execute("GRANT ALL ON SCHEMA junkie TO guarded")
    access = home / "postgres" / "data" / "pg_hba.conf"
    access.write_text(GUARDED + access.read_text())


@pytest.fixture
def embedded_settings(own_home: Path, make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(JUNKIE_HOME=str(own_home))


@pytest.fixture
def cluster(own_home: Path) -> Iterator[Cluster]:
    """The home's server, run by hand: it is nobody's to start but the test's."""
    cluster = Cluster(own_home)
    cluster.start()
    yield cluster
    embedded.stop(own_home, force=True)


async def names(database: Database) -> list[str]:
    async def work(connection: Connection) -> list[str]:
        cursor = await connection.execute("SELECT name FROM junkie.guilds ORDER BY name")
        return [name for (name,) in await cursor.fetchall()]

    return await database.transaction(work)


async def put(database: Database, guild_id: int, then: Callable[[], Any]) -> int:
    """Write a row, end the server, write another, all in one transaction; return how often that was run."""
    runs = 0

    async def work(connection: Connection) -> None:
        nonlocal runs
        runs += 1
        statement = "INSERT INTO junkie.guilds VALUES (%s, %s) ON CONFLICT DO NOTHING"
        await connection.execute(statement, [guild_id, f"{guild_id} first"])
        if runs == 1:
            then()
            # A backend outlives its postmaster for a moment, but not while it waits.
            await connection.execute("SELECT pg_sleep(60)")
        await connection.execute(statement, [guild_id + 1, f"{guild_id} second"])

    await database.transaction(work)
    return runs


@pytest.mark.parametrize("kind", ["killed", "stopped"])
async def test_the_embedded_server_ends_in_mid_transaction_and_comes_back(
    embedded_settings: Settings, own_home: Path, kind: str
) -> None:
    def end() -> None:
        if kind == "killed":
            os.kill(Cluster(own_home).postmaster() or 0, signal.SIGKILL)
        else:
            embedded.stop(own_home, force=True)

    first = {"killed": 10, "stopped": 20}[kind]
    async with open_database(embedded_settings, command="test") as database:
        assert await put(database, first, end) == 2
        assert {f"{first} first", f"{first} second"} <= set(await names(database))
    assert Cluster(own_home).postmaster() is None


@pytest.mark.parametrize("moment", ["connects", "migrates"])
async def test_the_embedded_server_ends_before_anything_was_done(
    embedded_settings: Settings, own_home: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    name = {"connects": "_first_connection", "migrates": "_migrate"}[moment]
    step = getattr(connecting, name)
    ended = False

    async def ending_first(*arguments: Any) -> Any:
        nonlocal ended
        if not ended:
            ended = True
            embedded.stop(own_home, force=True)
        return await step(*arguments)

    monkeypatch.setattr(connecting, name, ending_first)
    async with open_database(embedded_settings, command="test") as database:
        assert isinstance(await names(database), list)
    assert ended
    assert Cluster(own_home).postmaster() is None


async def test_all_transactions_of_a_command_survive_it_together(embedded_settings: Settings, own_home: Path) -> None:
    together = asyncio.Barrier(4)
    runs = 0

    async def work(connection: Connection) -> None:
        nonlocal runs
        runs += 1
        await connection.execute("SELECT 1")
        if runs <= 4:
            await together.wait()
            embedded.stop(own_home, force=True)
            await connection.execute("SELECT pg_sleep(60)")

    async with open_database(embedded_settings) as database:
        await asyncio.gather(*(database.transaction(work) for _ in range(4)))
        assert await names(database) is not None


class Outage:
    """Stands in for time: an outage ends after so many pauses, or never."""

    def __init__(self, cluster: Cluster, pauses: int | None) -> None:
        self.cluster = cluster
        self.pauses = pauses
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) == self.pauses:
            await asyncio.to_thread(self.cluster.start)

    def clock(self) -> float:
        return sum(self.slept)

    def take(self, database: Database) -> None:
        database._sleep, database._clock = self.sleep, self.clock
        embedded.stop(self.cluster.home, force=True)


async def test_a_server_that_is_away_for_a_while_is_waited_for(
    cluster: Cluster, make_settings: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    outage = Outage(cluster, pauses=7)
    async with open_database(make_settings(POSTGRES_URL=cluster.url)) as database:
        with caplog.at_level(logging.WARNING, logger="junkie_cli"):
            assert await put(database, 30, lambda: outage.take(database)) == 2
        assert len(outage.slept) == 7
        assert outage.slept[0] < outage.slept[5] <= 2
        told = [record.getMessage() for record in caplog.records if record.name.startswith("junkie_cli")]
        assert len(told) == 1
        assert "trying again for 30 s" in told[0]


async def test_patience_ends(
    cluster: Cluster, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("junkie_cli.db.database._POOL_WAIT", 0.01)
    outage = Outage(cluster, pauses=None)
    async with open_database(make_settings(POSTGRES_URL=cluster.url), patience=20.0) as database:
        outage.take(database)
        for ask in (names(database), database.dedicated()):
            outage.slept.clear()
            with pytest.raises(DatabaseUnavailable, match="can't reach PostgreSQL") as caught:
                await ask
            assert 20 <= outage.clock() < 23
            assert caught.value.hint
        with pytest.raises(DatabaseUnavailable):
            async with database.connection():
                pass


async def test_what_was_committed_when_the_server_is_killed_is_kept(
    embedded_settings: Settings, own_home: Path
) -> None:
    async with open_database(embedded_settings) as database:
        async with database.connection() as connection:
            await connection.execute("INSERT INTO junkie.guilds VALUES (40, 'kept')")
        os.kill(Cluster(own_home).postmaster() or 0, signal.SIGKILL)
        assert "kept" in await names(database)


# --- refusals at the door ---


async def refusal(settings: Settings) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught:
        async with open_database(settings):
            pass
    error = caught.value
    assert error.hint
    for text in (error.message, error.hint):
        assert "\n" not in text
        assert "wrong-password" not in text
        assert PASSWORD not in text
    return error


def guarded(cluster: Cluster, credentials: str) -> str:
    return cluster.url.replace("junkie@", f"{credentials}@")


async def test_the_right_password_opens(cluster: Cluster, make_settings: Callable[..., Settings]) -> None:
    url = guarded(cluster, "guarded:correct%20horse")
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA junkie TO guarded")
    async with open_database(make_settings(POSTGRES_URL=url)) as database:
        assert await names(database) is not None


async def test_a_wrong_or_a_missing_password(cluster: Cluster, make_settings: Callable[..., Settings]) -> None:
    error = await refusal(make_settings(POSTGRES_URL=guarded(cluster, "guarded:wrong-password")))
    assert "password authentication failed" in error.message
    assert "password in POSTGRES_URL" in error.hint
    error = await refusal(make_settings(POSTGRES_URL=guarded(cluster, "guarded")))
    assert "wants a password" in error.message


async def test_no_such_role(cluster: Cluster, make_settings: Callable[..., Settings]) -> None:
    error = await refusal(make_settings(POSTGRES_URL=guarded(cluster, "nobody_here")))
    assert 'role "nobody_here" does not exist' in error.message


async def test_a_server_that_has_no_connection_to_spare(
    cluster: Cluster, make_settings: Callable[..., Settings]
) -> None:
    with psycopg.connect(cluster.url, autocommit=True) as connection:
        connection.execute("ALTER ROLE guarded CONNECTION LIMIT 0")
        try:
            error = await refusal(make_settings(POSTGRES_URL=guarded(cluster, "guarded:correct%20horse")))
        finally:
            connection.execute("ALTER ROLE guarded CONNECTION LIMIT -1")
    assert "too many connections" in error.message


async def test_a_server_that_is_shutting_down_is_given_a_moment(
    cluster: Cluster, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("junkie_cli.db.connecting._START_PAUSES", (0.0, 0.0))
    with psycopg.connect(cluster.url, autocommit=True):
        # "Smart": it waits for its last client, and takes no others.
        os.kill(cluster.postmaster() or 0, signal.SIGTERM)
        error = await refusal(make_settings(POSTGRES_URL=cluster.url))
    assert isinstance(error, DatabaseUnavailable)
    assert "starting up or shutting down" in error.message
