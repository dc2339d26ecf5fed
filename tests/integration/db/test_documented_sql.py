"""The data model's page against the real database: it names every table, and its examples run."""

import re
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "data-model.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
STATEMENTS = sorted(
    {
        statement
        for document in DOCUMENTS
        for line in re.findall(r"junkie db psql (.*)", document.read_text(encoding="utf-8"))
        for statement in re.findall(r"-c '([^']+)'", line)
    }
)

RELATIONS = """
SELECT 'junkie.' || c.relname FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'junkie'::regnamespace AND c.relkind IN ('r', 'v', 'p', 'S')
AND NOT c.relispartition AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'i' AND c.relkind = 'S'
)
"""


def test_every_table_view_and_sequence_is_named(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        there = {row[0] for row in connection.execute(RELATIONS)}
    assert there == set(re.findall(r"junkie\.[a-z_]+", PAGE))


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_run(database_url: str, example: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO junkie.channels (channel_id, type, name) VALUES (100, 0, 'general')")
        connection.execute(
            "INSERT INTO junkie.channel_status (channel_id, covered) VALUES (100, '{[120, 140), [150, 160)}')"
        )
        connection.execute(
            "INSERT INTO junkie.messages (channel_id, message_id, author_id, seen, author_name, content, extra)"
            """ VALUES (100, 130, 1, 1, 'ada', 'hi', '{"attachments": [{"filename": "a.png", "url": "https://x/"}]}')"""
        )
        connection.execute("INSERT INTO junkie.users (user_id, username, bot, seen) VALUES (1, 'ada', false, 1)")
        rows = connection.execute(sql.SQL(example)).fetchall()
    assert rows or "1170693999822564005" in example


@pytest.mark.parametrize("statement", STATEMENTS)
def test_statements_that_documents_hand_to_psql_run(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        # What the page on adoption drops in the end.
        connection.execute("CREATE TABLE public.messages (); CREATE TABLE public.channel_status ()")
        connection.execute(sql.SQL(statement))


def test_gaps_are_counted_as_coverage_does(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO junkie.channels (channel_id, type, name) VALUES (100, 0, 'general')")
        connection.execute(
            "INSERT INTO junkie.channel_status (channel_id, covered) VALUES (100, '{[120, 140), [150, 160)}')"
        )
        (counting,) = [example for example in EXAMPLES if "gaps DESC" in example]
        assert connection.execute(sql.SQL(counting)).fetchall() == [("general", 0, 2)]
