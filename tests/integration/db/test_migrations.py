import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from junkie_cli.db import migrations
from junkie_cli.db.migrations import Migration
from junkie_cli.errors import DatabaseUnavailable, ForeignDatabase, SchemaMismatch

Connection = psycopg.AsyncConnection[Any]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        yield connection


async def names_of(connection: Connection) -> set[str]:
    cursor = await connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'junkie'::regnamespace AND relkind IN ('r', 'v', 'S')"
    )
    return {name for (name,) in await cursor.fetchall()}


async def test_a_new_database_gets_them_all_and_a_second_run_none(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connection:
        applied = await migrations.migrate(connection)
        assert applied == migrations.known()
        assert {"messages", "channel_status", "schema_migrations", "original_messages"} <= await names_of(connection)
        assert await migrations.migrate(connection) == ()
        status = await migrations.status(connection)
    assert [line.version for line in status.applied] == [migration.version for migration in applied]
    assert status.pending == ()


async def test_status_changes_nothing(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connection:
        assert (await migrations.status(connection)).pending == migrations.known()
        cursor = await connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'junkie'")
        assert await cursor.fetchone() == (0,)


async def test_starters_of_one_moment_apply_each_once(empty_database_url: str) -> None:
    async def start() -> int:
        async with connected(empty_database_url) as connection:
            return len(await migrations.migrate(connection))

    counts = await asyncio.gather(*(start() for _ in range(8)))
    assert sorted(counts) == [0] * 7 + [len(migrations.known())]


async def test_up_to_date_costs_one_query(database_url: str) -> None:
    class Counting(psycopg.AsyncCursor[Any]):
        queries = 0

        async def execute(self, *args: Any, **kwargs: Any) -> "Counting":
            Counting.queries += 1
            await super().execute(*args, **kwargs)
            return self

    async with connected(database_url) as connection:
        connection.cursor_factory = Counting
        await migrations.migrate(connection)
    assert Counting.queries == 1


async def test_the_advisory_lock_is_given_back(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connection:
        await migrations.migrate(connection)
        # Of this database alone: other tests hold some in theirs, on the same server.
        cursor = await connection.execute(
            "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database"
            " WHERE l.locktype = 'advisory' AND d.datname = current_database()"
        )
        assert await cursor.fetchone() == (0,)


async def test_a_runner_that_holds_the_lock_for_ever_is_reported(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "10ms")
    async with connected(empty_database_url) as other, connected(empty_database_url) as connection:
        await other.execute("SELECT pg_advisory_lock(%s)", [migrations.LOCK_KEY])
        with pytest.raises(DatabaseUnavailable, match="changing junkie's tables"):
            await migrations.migrate(connection)


async def test_a_failing_migration_leaves_no_trace_and_those_before_it_stay(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Migration(1, "good", "CREATE TABLE junkie.one (a int); CREATE TABLE junkie.two (a int)", "a")
    bad = Migration(2, "bad", "CREATE TABLE junkie.three (a int); CREATE TABLE junkie.one (a int)", "b")
    monkeypatch.setattr(migrations, "known", lambda: (good, bad))
    async with connected(empty_database_url) as connection:
        with pytest.raises(psycopg.errors.DuplicateTable):
            await migrations.migrate(connection)
        assert await names_of(connection) == {"one", "two", "schema_migrations"}
        mended = replace(bad, sql="CREATE TABLE junkie.three (a int)")
        monkeypatch.setattr(migrations, "known", lambda: (good, mended))
        assert await migrations.migrate(connection) == (mended,)


@pytest.mark.parametrize(
    "made",
    [
        "CREATE SCHEMA junkie CREATE TABLE junkie.messages (id bigint)",
        "CREATE SCHEMA junkie; CREATE FUNCTION junkie.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA junkie CREATE TABLE junkie.schema_migrations (version varchar(128) PRIMARY KEY)",
    ],
    ids=["a table", "a function", "another program's migrations"],
)
async def test_a_schema_of_another_program_is_refused_and_left_alone(empty_database_url: str, made: str) -> None:
    async with connected(empty_database_url) as connection:
        await connection.execute(made.encode())
        with pytest.raises(ForeignDatabase, match="another program") as caught:
            await migrations.migrate(connection)
        assert "POSTGRES_URL" in caught.value.hint
        assert "channel_status" not in await names_of(connection)


async def test_an_empty_schema_of_the_administrator_is_used(empty_database_url: str) -> None:
    async with connected(empty_database_url) as connection:
        await connection.execute("CREATE SCHEMA junkie")
        assert await migrations.migrate(connection)


async def test_a_newer_database_is_refused(administrator_url: str) -> None:
    newer = len(migrations.known()) + 1
    async with connected(administrator_url) as connection:
        await connection.execute("INSERT INTO junkie.schema_migrations VALUES (%s, 'later', 'x')", [newer])
        with pytest.raises(SchemaMismatch, match=f"version {newer}") as caught:
            await migrations.migrate(connection)
    assert "newer junkie" in caught.value.hint


async def test_an_altered_migration_is_refused(administrator_url: str) -> None:
    async with connected(administrator_url) as connection:
        await connection.execute("UPDATE junkie.schema_migrations SET checksum = 'other' WHERE version = 1")
        with pytest.raises(SchemaMismatch, match="0001_archive"):
            await migrations.migrate(connection)


async def test_a_history_with_a_hole_is_refused(administrator_url: str) -> None:
    async with connected(administrator_url) as connection:
        await connection.execute("UPDATE junkie.schema_migrations SET version = version - 1")
        with pytest.raises(SchemaMismatch, match="hole"):
            await migrations.migrate(connection)
