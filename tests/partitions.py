"""The schema as an engine needs it that distributes tables by channel_id.

With JUNKIE_TEST_SCHEMA=tests/partitioned.sql every test that asks for a database gets one whose tables are partitioned by
the hash of channel_id: plain PostgreSQL then asks for the same as such an engine. Another script may be named; it runs
after each migration, and so has to bear that some tables are done already.
"""

import os
from pathlib import Path
from typing import Any, Final
from unittest import mock

from psycopg import AsyncConnection

from junkie_cli.db import migrations

VARIABLE: Final = "JUNKIE_TEST_SCHEMA"
PARTITIONED: Final = Path(__file__).with_name("partitioned.sql")


def wanted() -> Path | None:
    """Return the script that this run's databases are made with, None where junkie's migrations suffice."""
    value = os.environ.get(VARIABLE)
    return Path(value) if value else None


async def migrate(connection: AsyncConnection[Any], script: Path = PARTITIONED) -> None:
    """Bring an empty database up to date, each migration on tables that the script has dealt with."""
    known = migrations.known()
    for count in range(1, len(known) + 1):
        with mock.patch.object(migrations, "known", return_value=known[:count]):
            await migrations.migrate(connection)
        async with connection.transaction():
            await connection.execute(script.read_bytes())
