"""The roles of docs/security.md, made by the SQL that stands there.

With JUNKIE_TEST_ROLE=writer every test that asks for a migrated database connects to it as the writer.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

VARIABLE: Final = "JUNKIE_TEST_ROLE"
NAMES: Final = ("owner", "writer", "reader")

_PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "security.md"
_SECRETS: Final = {"owner": "the first secret", "writer": "the second secret", "reader": "the third secret"}


def wanted() -> bool:
    """Tell whether this run's databases are used by the writer. Raises ValueError for a value that means nothing."""
    value = os.environ.get(VARIABLE, "")
    if value not in {"", "writer"}:
        raise ValueError(f"{VARIABLE} is '{value}', there is 'writer' only")
    return bool(value)


@dataclass(frozen=True, slots=True)
class Roles:
    """The three roles, under names that end in a tag: a server has one set of roles for all its databases."""

    tag: str

    def create(self, url: str) -> None:
        """Make them, as an administrator of that database."""
        self._run(url, _blocks()[0])

    def grant(self, url: str) -> None:
        """Let the owner give the others their rights; the tables are there by now."""
        self._run(self.url(url, "owner"), _blocks()[1])

    def let_make_tables(self, url: str) -> None:
        """Let the writer make tables in schema public, as the older bot did whose tables are adopted."""
        with psycopg.connect(url) as connection:
            connection.execute(
                sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(sql.Identifier(self.name("writer")))
            )

    def url(self, url: str, role: str) -> str:
        """Return the URI of the same database for `owner`, `writer` or `reader`."""
        parts = urlsplit(url)
        place = parts.netloc.rpartition("@")[2]
        user = f"{self.name(role)}:{quote(_SECRETS[role])}"
        return parts._replace(netloc=f"{user}@{place}").geturl()

    def name(self, role: str) -> str:
        return f"junkie_{role}_{self.tag}"

    def drop(self, server_url: str) -> None:
        """Remove them once the databases are gone in which they own or may do anything."""
        with psycopg.connect(server_url, autocommit=True) as connection:
            for role in NAMES:
                connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(self.name(role))))

    def _run(self, url: str, script: str) -> None:
        named = re.sub(r"\bjunkie_(owner|writer|reader)\b", lambda match: self.name(match[1]), script)
        database = sql.SQL("ON DATABASE {} ").format(sql.Identifier(urlsplit(url).path.removeprefix("/")))
        with psycopg.connect(url) as connection:
            connection.execute(named.replace("ON DATABASE archive ", database.as_string()).encode())


def _blocks() -> list[str]:
    return re.findall(r"^```sql\n(.*?)^```$", _PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
