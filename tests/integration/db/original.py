"""A database as the original makes it."""

from typing import Any, NamedTuple

from psycopg import sql

from junkie_cli.db.database import Database

# To the letter, but for the schema.
TABLES = """
CREATE TABLE {schema}.messages (
    message_id BIGINT PRIMARY KEY,
    channel_id BIGINT NOT NULL,
    author_id BIGINT NOT NULL,
    author_name TEXT NOT NULL,
    content TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    timestamp_str TEXT NOT NULL
);
CREATE INDEX idx_messages_channel_created
ON {schema}.messages (channel_id, created_at DESC);
CREATE TABLE {schema}.channel_status (
    channel_id BIGINT PRIMARY KEY,
    is_fully_backfilled BOOLEAN DEFAULT FALSE,
    last_updated TIMESTAMP WITH TIME ZONE DEFAULT CURRENT_TIMESTAMP
);
"""

INSERT = """
INSERT INTO {schema}.messages (message_id, channel_id, author_id, author_name, content, created_at, timestamp_str)
SELECT u.message_id, u.channel_id, u.author_id, u.author_name, u.content,
    to_timestamp(((u.message_id >> 22) + 1420070400000) / 1000.0), '2024-01-31 12:00:00'
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[])
    AS u (message_id, channel_id, author_id, author_name, content)
"""

# n rows over 50 channels, ids as far apart as a busy server's.
MANY = """
INSERT INTO {schema}.messages (message_id, channel_id, author_id, author_name, content, created_at, timestamp_str)
SELECT 1000000000000000000 + n * 4194304, 900000000000000000 + n %% 50, 800000000000000000 + n %% 300,
    'member ' || n %% 300, 'message ' || n || repeat(' and so on', (n %% 9)::integer), now(), '2024-01-31 12:00:00'
FROM generate_series(1::bigint, %s) AS n
"""


class Row(NamedTuple):
    """A row of the original's table `messages`, as far as it matters."""

    message_id: int
    channel_id: int = 1_000
    author_id: int = 7
    author_name: str = "Ann"
    content: str = "hello"


async def execute(database: Database, statement: Any, *parameters: Any, schema: str = "public") -> list[Any]:
    """Run a statement, whose {schema} is the original's."""
    # Where there are parameters, psycopg takes a % for one, even in a name.
    name = sql.Identifier(schema.replace("%", "%%") if parameters else schema)
    async with database.connection() as connection:
        cursor = await connection.execute(sql.SQL(statement).format(schema=name), parameters or None)
        return await cursor.fetchall() if cursor.description else []


async def make_tables(database: Database, schema: str = "public") -> None:
    """Make the original's tables, empty."""
    for statement in TABLES.split(";\n")[:-1]:
        await execute(database, statement, schema=schema)


async def insert(database: Database, *rows: Row, schema: str = "public") -> None:
    """Store rows as the original does."""
    await execute(database, INSERT, *(list(column) for column in zip(*rows, strict=True)), schema=schema)


async def insert_many(database: Database, number: int, schema: str = "public") -> None:
    """Store that many rows, of 50 channels."""
    await execute(database, MANY, number, schema=schema)
