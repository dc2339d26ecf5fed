"""`junkie db adopt` as its users run it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from junkie_cli.db.database import Database
from tests.command import Command, Started, junkie
from tests.integration.db.original import Row, execute, insert, insert_many, make_tables


@pytest.fixture
def command(database_url: str, tmp_path: Path) -> Command:
    return junkie({"POSTGRES_URL": database_url, "JUNKIE_HOME": str(tmp_path / "home")}, tmp_path)


async def test_it_says_what_became_of_the_rows(command: Command, database: Database) -> None:
    await make_tables(database)
    await insert(database, Row(1_500), Row(1_501), Row(-1), Row(5, channel_id=0))
    await execute(database, "INSERT INTO junkie.exclusions (user_id) VALUES (8)")
    await insert(database, Row(1_502, author_id=8))
    done = await command.run("db", "adopt")
    assert (done.code, done.stdout) == (0, "")
    lines = [line.split("INFO    ")[-1] for line in done.stderr.splitlines()]
    assert lines == [
        "Adopting 5 rows of schema 'public'",
        "5 of 5 rows (100%)",
        "adopted 2 of 5 rows of schema 'public'",
        "  left out: 1 kept out by a rule of `junkie forget`",
        "  left out: 1 with a message_id that is no Discord id",
        "  left out: 1 with a channel_id that is no Discord id",
        "run `junkie backfill` to have Discord's own word for them, and all that the older bot did not store",
    ]


@pytest.mark.administrator
async def test_json_is_one_object_on_stdout(command: Command, database: Database) -> None:
    await execute(database, "CREATE SCHEMA old")
    await make_tables(database, "old")
    await insert_many(database, 20, "old")
    for adopted, held in ((20, 0), (0, 20)):
        done = await command.run("db", "adopt", "--schema", "old", "--json")
        assert done.code == 0
        assert json.loads(done.stdout) == {
            "schema": "old",
            "resumed": False,
            "rows": 20,
            "adopted": adopted,
            "left_out": {
                "held": held,
                "deleted": 0,
                "forgotten": 0,
                "absent": 0,
                "bad_message_id": 0,
                "bad_channel_id": 0,
                "bad_author_id": 0,
            },
        }


@pytest.mark.parametrize(
    ("schema", "code"), [("nowhere", 5), ("junkie", 2), ("", 2), ("public", 5), ('"; DROP SCHEMA junkie; --\n', 5)]
)
async def test_what_can_not_be_adopted_is_one_line(command: Command, schema: str, code: int) -> None:
    done = await command.run("db", "adopt", "--schema", schema)
    assert (done.code, done.stdout) == (code, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "; " in done.stderr


@asynccontextmanager
async def held_up(database_url: str, channel_id: int) -> AsyncIterator[None]:
    """Hold a channel, so that whoever writes there waits."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        held = "SELECT channel_id FROM junkie.channel_status WHERE channel_id = %s FOR UPDATE"
        await connection.execute(held, [channel_id])
        yield


async def until_it_waits(database: Database, started: Started) -> None:
    """Return as soon as some connection waits for a lock."""
    waiting = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not await execute(database, waiting):
        assert started.returncode is None
        await asyncio.sleep(0.02)


async def test_ctrl_c_keeps_what_is_adopted_and_the_next_run_goes_on(
    command: Command, database: Database, database_url: str
) -> None:
    await make_tables(database)
    await insert_many(database, 11_000)
    # The last row is of a channel that somebody holds.
    await insert(database, Row(2 * 10**18, channel_id=77))
    await execute(database, "INSERT INTO junkie.channel_status (channel_id) VALUES (77)")
    async with held_up(database_url, 77):
        started = await command.start("db", "adopt")
        await until_it_waits(database, started)
        started.terminate_like_ctrl_c()
        done = await command.wait(started)
    assert (done.code, done.stdout) == (130, "")
    assert "run the same command again" in done.stderr.splitlines()[-1]
    assert await execute(database, "SELECT count(*) FROM junkie.messages") == [(10_000,)]

    done = await command.run("db", "adopt", "--json")
    assert done.code == 0
    assert "Going on with 11,001 rows" in done.stderr
    ended = json.loads(done.stdout)
    assert (ended["rows"], ended["adopted"], ended["resumed"]) == (11_001, 11_001, True)
    assert await execute(database, "SELECT count(*) FROM junkie.messages") == [(11_001,)]
