"""PostgreSQL for the tests: the server of POSTGRES_URL, else an embedded one that all workers of a run share.

Every test that asks for a database gets a copy of one migrated template, and it is dropped when the test ends. Which
kind of template that is, and who connects, the environment tells: see partitions.py and roles.py.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from junkie_cli.db import embedded, migrations
from tests import partitions, roles
from tests.roles import Roles

HOME_VARIABLE: Final = "JUNKIE_TEST_HOME"
"""Tells the workers of a run which folder they share."""

_MEMORY: Final = Path("/dev/shm")
_ROOM: Final = 2 * 1024**3


def make_home(*, executable: bool = False, room: int = 0) -> Path:
    """Make a folder that the server's user can reach even when we are root, unlike pytest's own.

    It is in memory where there is enough, `room` bytes at least; a database is thousands of small files. Programs may not
    run from there.
    """
    roomy = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > max(_ROOM, 4 * room)
    folder = _MEMORY if roomy and not executable else None
    home = Path(tempfile.mkdtemp(prefix="junkie-test-", dir=folder))
    home.chmod(0o711)
    return home


def remove_home(home: Path) -> None:
    """Stop what may still run there, and remove it."""
    embedded.stop(home, force=True)
    shutil.rmtree(home)


@contextmanager
def server(home: Path) -> Iterator[str]:
    """Give the URI of a server on which databases can be made, for as long as it is needed."""
    if url := os.environ.get("POSTGRES_URL"):
        yield url
        return
    with asyncio.Runner() as runner:
        held = embedded.embedded_server(home)
        joined = runner.run(held.__aenter__())
        try:
            _hurry(joined.url)
            yield joined.url
        finally:
            runner.run(held.__aexit__(None, None, None))


@contextmanager
def database(server_url: str, template: str = "template0", encoding: str = "UTF8") -> Iterator[str]:
    """Give the URI of a new database, a copy of the template; it is dropped afterwards, connections or not."""
    name = f"junkie_test_{secrets.token_hex(6)}"
    _create(server_url, name, template, encoding)
    try:
        yield address_of(server_url, name)
    finally:
        drop(server_url, name)


@dataclass(frozen=True, slots=True)
class Template:
    """A migrated database to copy. With `roles` its tables have another owner than the server, and the writer its rights."""

    name: str
    roles: Roles | None

    def url_of(self, copy: str) -> str:
        """Return the URI by which a test uses a copy."""
        return copy if self.roles is None else self.roles.url(copy, "writer")

    def drop(self, server_url: str) -> None:
        drop(server_url, self.name)
        if self.roles is not None:
            self.roles.drop(server_url)


def template_of(home: Path) -> Template:
    """Return what this run's template is called."""
    # The home is this run's own, and so are the names.
    tag = home.name.removeprefix("junkie-test-").lower()
    return Template(f"junkie_template_{tag}", Roles(tag) if roles.wanted() else None)


def migrated_template(server_url: str, home: Path) -> Template:
    """Return this run's migrated database, made by whoever comes first."""
    template = template_of(home)
    with (home / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = home / "template.made"
        if not made.exists():
            with contextlib.suppress(psycopg.errors.InvalidCatalogName):
                drop(server_url, template.name)
            _create(server_url, template.name, "template0")
            url = owner = address_of(server_url, template.name)
            if template.roles is not None:
                template.roles.create(url)
                owner = template.roles.url(url, "owner")
            asyncio.run(_migrate(owner))
            if template.roles is not None:
                template.roles.grant(url)
                template.roles.let_make_tables(url)
            made.touch()
    return template


def drop(server_url: str, name: str) -> None:
    """Drop a database, whoever is connected to it."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def address_of(server_url: str, name: str) -> str:
    """Return the URI of another database on the same server."""
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def with_parameter(url: str, parameter: str) -> str:
    """Return the URI with one more parameter, such as "sslmode=disable"; its value is percent-encoded already."""
    return f"{url}{'&' if '?' in url else '?'}{parameter}"


def _create(server_url: str, name: str, template: str, encoding: str = "UTF8") -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        # A third of the time, but for a server that waits for its disk.
        files = "POSTGRES_URL" not in os.environ and connection.info.server_version >= 150_000
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C' {}").format(
                sql.Identifier(name),
                sql.Identifier(template),
                sql.Literal(encoding),
                sql.SQL("STRATEGY file_copy" if files else ""),
            )
        )


def _hurry(url: str) -> None:
    """Trade durability for speed; a test's data need not survive the machine."""
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        # The home may be in memory.
        connection.execute("ALTER SYSTEM SET max_wal_size = '128MB'")
        connection.execute("SELECT pg_reload_conf()")


async def _migrate(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        if (script := partitions.wanted()) is None:
            await migrations.migrate(connection)
        else:
            await partitions.migrate(connection, script)
