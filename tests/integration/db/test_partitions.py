"""The schema distributed by channel_id, as partitions of plain PostgreSQL: the keys allow it, and nothing reads wider.

`nox -s partitioned` runs all tests of the database and of ingest on such a schema.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import sql

from junkie_cli.config import Settings
from junkie_cli.coverage import Range
from junkie_cli.db.database import Database, open_database
from junkie_cli.db.messages import newest_messages
from junkie_cli.db.queries import query
from junkie_cli.db.reconcile import Key
from junkie_cli.db.writer import Batch, Deletion, Writer, page_batch
from junkie_cli.models import Message, Page, PageRequest
from tests import partitions, postgres

CHANNELS = range(1_000, 1_020)


@pytest.fixture(scope="module")
def partitioned_url(server_url: str) -> Iterator[str]:
    with postgres.database(server_url) as url:
        asyncio.run(migrate(url))
        yield url


async def migrate(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await partitions.migrate(connection)


@pytest.fixture
async def partitioned(partitioned_url: str, make_settings: Callable[..., Settings]) -> AsyncIterator[Database]:
    async with open_database(make_settings(POSTGRES_URL=partitioned_url), command="test") as opened:
        yield opened


async def fetch(database: Database, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    async with database.connection() as connection:
        cursor = await connection.execute(sql.SQL(statement), parameters)
        return await cursor.fetchall()


async def test_all_that_grows_with_messages_is_distributed_and_all_that_is_not_holds_no_messages(
    partitioned: Database,
) -> None:
    kinds = await fetch(
        partitioned,
        "SELECT relname::text, relkind::text FROM pg_class"
        " WHERE relnamespace = 'junkie'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition",
    )
    distributed = {name for name, kind in kinds if kind == "p"}
    assert {"messages", "tombstones", "revisions", "channel_status"} <= distributed
    keyed = await fetch(
        partitioned,
        "SELECT DISTINCT attrelid::regclass::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE attname = 'message_id' AND relnamespace = 'junkie'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition",
    )
    assert {name.removeprefix("junkie.") for (name,) in keyed} <= distributed


async def test_a_page_an_edit_and_a_deletion(partitioned: Database) -> None:
    writer = Writer(partitioned, keep_revisions=True)
    for channel_id in CHANNELS:
        first = [Message(channel_id, n, 7, "Ann", f"text {n}") for n in range(channel_id + 30, channel_id, -10)]
        request = PageRequest(channel_id, before=channel_id + 100)
        page = Page(request, tuple(message.message_id for message in first), tuple(first))
        await writer.write(page_batch(page, seen=1, claim=Range(channel_id, channel_id + 100)))
        edited = replace(first[0], content="edited")
        again = Page(request, (edited.message_id, first[1].message_id), (edited, first[1]))
        await writer.write(page_batch(again, seen=2, claim=None))
        await writer.write(Batch(deletions=[Deletion(Key(channel_id, first[1].message_id), 3, "event")]))
        held = await newest_messages(partitioned, channel_id, 10)
        assert [message.content for message in held] == [f"text {channel_id + 10}", "edited"]
    revisions = await fetch(partitioned, "SELECT channel_id, content FROM junkie.revisions ORDER BY channel_id")
    assert revisions == [(channel_id, f"text {channel_id + 30}") for channel_id in CHANNELS]
    spread = await fetch(partitioned, "SELECT count(DISTINCT tableoid), count(*) FROM junkie.messages")
    assert spread == [(4, 2 * len(CHANNELS))]


async def test_what_reads_one_channel_reads_one_partition(partitioned: Database) -> None:
    async with partitioned.connection() as connection:
        cursor = await connection.execute(
            "EXPLAIN " + query("newest_messages"), {"channel_id": CHANNELS[0], "most": 500}
        )
        plan = str(await cursor.fetchall())
    assert len(set(re.findall(r"\bmessages_\d\b", plan))) == 1
    assert len(set(re.findall(r"\btombstones_\d\b", plan))) == 1
