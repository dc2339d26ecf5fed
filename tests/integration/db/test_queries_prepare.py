import re
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from junkie_cli.db import queries
from tests import postgres
from tests.postgres import Template


@pytest.fixture(scope="module")
def shared_database_url(server_url: str, template: Template) -> Iterator[str]:
    with postgres.database(server_url, template.name) as url:
        yield template.url_of(url)


PREPARABLE = [name for name, query in queries.every().items() if query.sql.split()[0] not in {"CREATE", "SET"}]


@pytest.mark.parametrize("name", PREPARABLE)
def test_prepares_on_the_real_database(name: str, shared_database_url: str) -> None:
    # What `db adopt` reads has the columns of this view.
    text = queries.query(name).replace("{source}", "junkie.original_messages")
    numbers: dict[str, str] = {}
    for parameter in re.findall(r"%\((\w+)\)s", text):
        numbers.setdefault(parameter, f"${len(numbers) + 1}")
    prepared = re.sub(r"%\((\w+)\)s", lambda match: numbers[match[1]], text).replace("%%", "%")
    with psycopg.connect(shared_database_url) as connection:
        connection.execute(sql.SQL("PREPARE statement AS ") + sql.SQL(prepared))
