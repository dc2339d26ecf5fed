import asyncio
import contextlib
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from junkie_cli.config import Settings
from junkie_cli.db import database as module
from junkie_cli.db.connecting import Connection, connect
from junkie_cli.db.database import CONFLICT_TRIES, LOSS_TRIES, Database, open_database
from junkie_cli.errors import DatabaseError, DatabaseUnavailable

END_OWN_SESSION = "SELECT pg_terminate_backend(pg_backend_pid())"


async def one(connection: Connection, statement: str, *values: Any) -> Any:
    """Run a statement and return its first row's first column."""
    cursor = await connection.execute(statement.encode(), values)
    row = await cursor.fetchone()
    assert row is not None
    return row[0]


async def execute(database: Database, statement: str) -> None:
    async def work(connection: Connection) -> None:
        await connection.execute(statement.encode())

    await database.transaction(work)


async def guild_names(database: Database) -> list[str]:
    async with database.connection() as connection:
        cursor = await connection.execute("SELECT name FROM junkie.guilds ORDER BY guild_id")
        return [name for (name,) in await cursor.fetchall()]


class Sleeps(list[float]):
    """Stands in for time: remembers how long was slept, and does not."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)

    def clock(self) -> float:
        return sum(self)


async def test_a_transaction_returns_what_its_work_returns_and_commits(database: Database) -> None:
    async def work(connection: Connection) -> str:
        await connection.execute("INSERT INTO junkie.guilds VALUES (1, 'one')")
        return "done"

    assert await database.transaction(work) == "done"
    assert await guild_names(database) == ["one"]


async def test_an_exception_of_the_work_rolls_back_and_passes_through(database: Database) -> None:
    runs = 0

    async def work(connection: Connection) -> None:
        nonlocal runs
        runs += 1
        await connection.execute("INSERT INTO junkie.guilds VALUES (1, 'one')")
        raise LookupError("of its own")

    with pytest.raises(LookupError, match="of its own"):
        await database.transaction(work)
    assert runs == 1
    assert await guild_names(database) == []


async def test_the_isolation_level_is_one_transaction_s(database: Database) -> None:
    async def level(connection: Connection) -> str:
        return str(await one(connection, "SHOW transaction_isolation"))

    assert await database.transaction(level, isolation=IsolationLevel.REPEATABLE_READ) == "repeatable read"
    assert [await database.transaction(level) for _ in range(5)] == ["read committed"] * 5


@pytest.mark.administrator
async def test_a_deadlock_is_run_again(database: Database) -> None:
    await execute(database, "INSERT INTO junkie.guilds VALUES (1, ''), (2, '')")
    runs = []
    both_hold_one = asyncio.Barrier(2)

    def work(name: str, first: int, second: int) -> Callable[[Connection], Any]:
        async def update(connection: Connection) -> None:
            runs.append(name)
            await connection.execute("SET LOCAL deadlock_timeout = '10ms'")
            statement = "UPDATE junkie.guilds SET name = name || %s WHERE guild_id = %s RETURNING guild_id"
            # Statements are sent ahead; only an answer says that one was carried out.
            await (await connection.execute(statement, [name, first])).fetchall()
            if runs.count(name) == 1:
                await both_hold_one.wait()
            await connection.execute(statement, [name, second])

        return update

    await asyncio.gather(database.transaction(work("a", 1, 2)), database.transaction(work("b", 2, 1)))
    assert len(runs) == 3
    assert [sorted(name) for name in await guild_names(database)] == [["a", "b"]] * 2


async def test_a_serialization_failure_is_run_again(database: Database) -> None:
    await execute(database, "INSERT INTO junkie.guilds VALUES (1, '')")
    seen = []

    async def work(connection: Connection) -> None:
        seen.append(await one(connection, "SELECT name FROM junkie.guilds"))
        if len(seen) == 1:
            await execute(database, "UPDATE junkie.guilds SET name = 'meanwhile'")
        await connection.execute("UPDATE junkie.guilds SET name = name || '!'")

    await database.transaction(work, isolation=IsolationLevel.REPEATABLE_READ)
    assert seen == ["", "meanwhile"]
    assert await guild_names(database) == ["meanwhile!"]


async def test_conflicts_without_end_are_reported(database: Database) -> None:
    database._sleep = sleeps = Sleeps()
    runs = 0

    async def work(connection: Connection) -> None:
        nonlocal runs
        runs += 1
        await connection.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")

    with pytest.raises(DatabaseError, match="in each other's way"):
        await database.transaction(work)
    assert runs == CONFLICT_TRIES
    assert len(sleeps) == CONFLICT_TRIES - 1
    assert max(sleeps) <= 0.5


async def test_a_lost_connection_is_replaced_and_the_work_run_again(database: Database) -> None:
    runs = 0

    async def work(connection: Connection) -> None:
        nonlocal runs
        runs += 1
        await connection.execute("INSERT INTO junkie.guilds VALUES (1, 'one')")
        if runs < 3:
            await connection.execute(END_OWN_SESSION)

    await database.transaction(work)
    assert runs == 3
    assert await guild_names(database) == ["one"]


async def test_a_work_that_fells_its_connection_each_time_ends(database: Database) -> None:
    runs = 0

    async def work(connection: Connection) -> None:
        nonlocal runs
        runs += 1
        await connection.execute(END_OWN_SESSION)

    with pytest.raises(DatabaseUnavailable, match="lost the connection"):
        await database.transaction(work)
    assert runs == LOSS_TRIES


async def test_connections_that_broke_while_idle_disturb_nobody(database: Database) -> None:
    together = asyncio.Barrier(4)

    async def meet(_connection: Connection) -> None:
        await together.wait()

    await asyncio.gather(*(database.transaction(meet) for _ in range(4)))
    async with await database.dedicated() as other:
        ended = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE datname = current_database()"
        assert await one(other, f"{ended} AND pid <> pg_backend_pid()") == 4
    losses = []

    async def count(connection: Connection) -> None:
        losses.append(connection.info.backend_pid)
        await one(connection, "SELECT 1")

    await database.transaction(count)
    assert len(losses) <= 2
    assert await guild_names(database) == []


async def test_a_lent_connection_is_alive_and_in_autocommit(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("INSERT INTO junkie.guilds VALUES (1, 'one')")
        async with await database.dedicated() as other:
            await other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
    # The pool has it back, broken, and does not lend it again.
    assert await guild_names(database) == ["one"]


async def test_a_loss_while_it_is_lent_is_an_error_of_ours(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(b"SELECT 1")
    with pytest.raises(DatabaseUnavailable, match="lost the connection"):
        async with database.connection() as connection:
            await connection.execute(END_OWN_SESSION)


@pytest.mark.parametrize("kind", ["transaction", "statement"])
async def test_waiting_for_a_place_in_the_pool_is_no_outage(
    database_url: str, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(module, "_POOL_WAIT", 0.01)
    looks = 0
    held, waited_long = asyncio.Event(), asyncio.Event()

    async def counted(address: Any) -> Connection:
        # The look at the server that comes after a wait in vain.
        nonlocal looks
        looks += 1
        if looks > LOSS_TRIES:
            waited_long.set()
        return await connect(address)

    async with open_database(make_settings(POSTGRES_URL=database_url), size=1, patience=0) as database:

        async def hold(_connection: Connection) -> None:
            held.set()
            await waited_long.wait()

        async def insert() -> None:
            if kind == "transaction":
                await execute(database, "INSERT INTO junkie.guilds VALUES (1, 'one')")
            else:
                await database.fetch("INSERT INTO junkie.guilds VALUES (1, 'one') RETURNING 1")

        async with asyncio.TaskGroup() as group:
            group.create_task(database.transaction(hold))
            await held.wait()
            monkeypatch.setattr(module, "connect", counted)
            group.create_task(insert())
        assert await guild_names(database) == ["one"]


async def test_a_dedicated_connection_keeps_its_locks_until_it_is_closed(database: Database) -> None:
    attempt = "SELECT pg_try_advisory_lock(7)"
    async with await database.dedicated() as first, await database.dedicated() as second:
        assert await one(first, attempt)
        assert not await one(second, attempt)
        await first.close()
        await one(second, "SELECT pg_advisory_lock(7)")


async def test_every_connection_is_set_up_alike(database: Database) -> None:
    async def check(connection: Connection) -> None:
        assert await one(connection, "SHOW TimeZone") == "UTC"
        assert await one(connection, "SHOW client_encoding") == "UTF8"
        assert await one(connection, "SHOW application_name") == "junkie test"
        moment = await one(connection, "SELECT timestamptz '2024-01-01 12:00+05:30'")
        assert (moment, moment.utcoffset()) == (datetime(2024, 1, 1, 6, 30, tzinfo=UTC), UTC.utcoffset(None))
        assert await one(connection, "SELECT sum(x) FROM unnest(%b::int8[]) AS x", [2**62, 1]) == 2**62 + 1

    await database.transaction(check)
    async with database.connection() as connection:
        await check(connection)
    async with await database.dedicated() as connection:
        await check(connection)


async def test_as_many_transactions_run_at_once_as_the_size_says(
    database_url: str, make_settings: Callable[..., Settings]
) -> None:
    async with open_database(make_settings(POSTGRES_URL=database_url), size=3) as database:
        together = asyncio.Barrier(3)

        async def meet(_connection: Connection) -> None:
            await together.wait()

        await asyncio.gather(*(database.transaction(meet) for _ in range(9)))


async def test_opening_brings_the_schema_up_to_date_unless_told_otherwise(
    empty_database_url: str, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(POSTGRES_URL=empty_database_url)
    async with open_database(settings, migrate=False) as database:
        with pytest.raises(DatabaseError, match="lacks a table") as caught:
            await guild_names(database)
        assert "junkie db migrate" in caught.value.hint
    async with open_database(settings) as database:
        assert await guild_names(database) == []


async def test_nothing_stays_connected_or_open(database_url: str, make_settings: Callable[..., Settings]) -> None:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(make_settings(POSTGRES_URL=database_url)))
        await guild_names(database)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        while await one(connection, others):
            await asyncio.sleep(0)
    assert logging.getLogger("psycopg").filters == logging.getLogger("psycopg.pool").filters == []


async def test_a_cancellation_that_is_lost_on_the_way_is_heeded_all_the_same(database: Database) -> None:
    """As by `asyncio.wait_for` before Python 3.12, when what it waits for comes in the same moment."""

    async def lose(_connection: Connection) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)

    task = asyncio.create_task(database.transaction(lose))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_what_was_cancelled_before_may_still_write_what_it_has_to(database: Database) -> None:
    async def end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await execute(database, "INSERT INTO junkie.guilds VALUES (1, 'last words')")
            await database.transaction(rename)

    async def rename(connection: Connection) -> None:
        await connection.execute("UPDATE junkie.guilds SET name = name || '!'")

    task = asyncio.create_task(end())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await guild_names(database) == ["last words!"]
