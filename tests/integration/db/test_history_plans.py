"""How a prompt's queries go about it, beside much that does not concern them: nothing is read but what is shown."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from junkie_cli import snowflake
from junkie_cli.db.queries import query
from tests import partitions, postgres
from tests.postgres import Template

CHANNEL, CHANNELS, ROWS, RULES, MOST = 10, 20, 6_000, 400, 200

FILL = (
    "INSERT INTO junkie.channels (channel_id, type, name) SELECT c, 0, 'c' FROM generate_series(1, 200) AS c",
    (
        "INSERT INTO junkie.messages (channel_id, message_id, author_id, seen, author_name, content)"
        f" SELECT c, n * 2, n % 40, 1, 'x', repeat('x', 80) FROM generate_series({CHANNEL}, {CHANNEL + CHANNELS}) AS c,"
        f" generate_series(1, CASE WHEN c = {CHANNEL} THEN {ROWS} ELSE {ROWS // 10} END) AS n"
    ),
    (
        "INSERT INTO junkie.tombstones (channel_id, message_id, seen, cause)"
        " SELECT m.channel_id, m.message_id + 1, 2, 'event' FROM junkie.messages AS m"
    ),
    f"INSERT INTO junkie.exclusions (user_id) SELECT 1000 + n FROM generate_series(1, {RULES}) AS n",
)


@pytest.fixture(scope="module", params=["analyzed", "never analyzed"])
def filled(request: pytest.FixtureRequest, server_url: str, template: Template) -> Iterator[str]:
    with postgres.database(server_url, template.name) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in FILL:
                connection.execute(statement)
            if request.param == "analyzed":
                connection.execute("VACUUM ANALYZE")
        yield url


def plan(url: str, name: str, **parameters: Any) -> list[dict[str, Any]]:
    """Run a query and return the nodes of its plan."""
    with psycopg.connect(url) as connection:
        row = connection.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + query(name), parameters).fetchone()
    assert row is not None
    return list(nodes(row[0][0]["Plan"]))


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from nodes(below)


def read_of(table: str, found: list[dict[str, Any]]) -> int:
    """Return how many rows of a table were looked at."""
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in found
        if node.get("Relation Name", "").startswith(table)
    )


@pytest.mark.parametrize("name", ["history_messages", "history_visible_messages"])
@pytest.mark.parametrize("most", [MOST, None])
def test_the_newest_come_by_the_index_in_order(filled: str, name: str, most: int | None) -> None:
    rules: dict[str, Any] = {}
    if name == "history_visible_messages":
        rules = {"authors": [*range(1000, 1000 + RULES)], "befores": [snowflake.MAX] * RULES}
    found = plan(filled, name, channel_id=CHANNEL, lo=0, hi=snowflake.MAX, most=most, **rules)
    assert read_of("messages", found) == (most or ROWS)
    assert read_of("tombstones", found) == 0
    if most is not None:
        assert not [node for node in found if "Sort" in node["Node Type"]]


def test_single_messages_are_probed(filled: str) -> None:
    ids = [n * 2 for n in range(1, 51)]
    found = plan(filled, "history_singles", channel_ids=[CHANNEL] * 50, message_ids=ids)
    assert read_of("messages", found) == 50
    # Of partitions that were never analyzed the planner believes that they are empty.
    assert read_of("tombstones", found) == 0 or partitions.wanted()
    found = plan(filled, "history_elsewhere", channel_id=CHANNEL, message_id=ROWS * 2)
    assert read_of("messages", found) == 0
    # By the whole key: with a part of it, all of an index might be gone through.
    probes = [node["Index Cond"] for node in found if node.get("Relation Name", "").startswith("messages")]
    assert probes
    assert all("channel_id" in probe and "message_id" in probe for probe in probes)


def test_what_was_deleted_is_counted_within_its_channel(filled: str) -> None:
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    found = plan(filled, "history_deleted_since", channel_id=CHANNEL, lo=ROWS, hi=ROWS * 2, moment=moment)
    assert read_of("tombstones", found) <= ROWS
