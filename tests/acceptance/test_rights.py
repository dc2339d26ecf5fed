"""The roles of docs/security.md: what each command needs, and what is said where a right lacks."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import Emulator, running
from tests import postgres
from tests.command import Command, Done, junkie
from tests.roles import Roles


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(seed=5, preset="tiny"), limits=Limits.off()) as started:
        yield started


@dataclass
class Guarded:
    """A database that belongs to the roles' owner, and commands that use it as one of them."""

    url: str
    roles: Roles
    emulator: Emulator
    home: Path

    def as_(self, role: str) -> Command:
        return junkie(
            {
                "DISCORD_TOKEN": self.emulator.token,
                "DISCORD_API_URL": self.emulator.api_url,
                "POSTGRES_URL": self.roles.url(self.url, role),
                "JUNKIE_HOME": str(self.home),
                # Some channels of the emulator's can't be read.
                "JUNKIE_ACCEPT_UNREADABLE": "1",
            }
        )

    def execute(self, statement: str, role: str) -> None:
        """Run a statement as the administrator; {} is the role."""
        with psycopg.connect(self.url) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(self.roles.name(role))))


@pytest.fixture
def guarded(server_url: str, emulator: Emulator, tmp_path: Path) -> Iterator[Guarded]:
    roles = Roles(secrets.token_hex(4))
    try:
        with postgres.database(server_url) as url:
            roles.create(url)
            yield Guarded(url, roles, emulator, tmp_path / "home")
    finally:
        roles.drop(server_url)


async def ready(guarded: Guarded) -> None:
    """Let the owner make the tables, and give the others their rights."""
    done(await guarded.as_("owner").run("db", "migrate"))
    guarded.roles.grant(guarded.url)


def done(ended: Done, code: int = 0) -> Done:
    assert ended.code == code, ended
    return ended


def refusal(ended: Done) -> str:
    """The one line of a refusal by the database."""
    assert ended.code == 5, ended
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


async def test_every_command_works_with_the_writer_and_reading_with_the_reader(guarded: Guarded) -> None:
    await ready(guarded)
    writer, reader, control = guarded.as_("writer"), guarded.as_("reader"), guarded.emulator.control
    channel = control.named("general")
    done(await writer.run("db", "migrate", "--check"))
    done(await writer.run("backfill"))
    control.edit(channel, control.ids(channel)[-1], "edited unheard")
    control.delete(channel, control.ids(channel)[-2])
    done(await writer.run("sync", "--limit", "all"))
    prompt = done(await writer.run("context", str(channel), "--max-age", "0"))
    assert "edited unheard" in prompt.stdout
    author = control.truth(channel)[0]["author"]["id"]
    done(await writer.run("forget", "--user", author, "--yes"))
    (rule,) = json.loads(done(await writer.run("forget", "--list", "--json")).stdout)
    done(await writer.run("forget", "--undo", rule["rule"]))
    # The database's URL for other programs, and psql itself.
    assert done(await writer.run("db", "psql", "-Atc", "SELECT current_user")).stdout.strip() == guarded.roles.name(
        "writer"
    )
    offline = done(await reader.run("context", str(channel), "--offline"))
    assert "edited unheard" in offline.stdout
    assert "general" in done(await reader.run("status")).stdout
    assert "edited unheard" in done(await reader.run("db", "dump", "--schema=junkie")).stdout
    status = json.loads(done(await reader.run("status", "--json")).stdout)
    assert str(channel) in {each["channel_id"] for each in status["channels"]}


async def test_serve_works_with_the_writer(guarded: Guarded) -> None:
    await ready(guarded)
    control = guarded.emulator.control
    started = await guarded.as_("writer").start("serve")
    channel = control.named("general")
    while control.sessions().identifies == 0:
        assert started.returncode is None
        await asyncio.sleep(0.05)
    heard = control.post(channel, "heard or fetched")
    while not await archived(guarded, channel, heard):
        assert started.returncode is None
        await asyncio.sleep(0.05)
    started.terminate_like_ctrl_c()
    done(await guarded.as_("writer").wait(started))


async def archived(guarded: Guarded, channel_id: int, message_id: int) -> bool:
    async with await psycopg.AsyncConnection.connect(guarded.url) as connection:
        cursor = await connection.execute(
            "SELECT FROM junkie.messages WHERE channel_id = %s AND message_id = %s", [channel_id, message_id]
        )
        return await cursor.fetchone() is not None


@pytest.mark.parametrize("role", ["writer", "reader"])
async def test_nobody_but_the_owner_makes_tables(guarded: Guarded, role: str) -> None:
    line = refusal(await guarded.as_(role).run("backfill"))
    assert "lacks 0001_archive" in line
    assert "permission denied for database" in line
    assert "`junkie db migrate`" in line
    assert "GRANT CREATE ON DATABASE" in line


async def test_tables_of_an_older_version_wait_for_the_owner(guarded: Guarded) -> None:
    await ready(guarded)
    # As if the newest migration had not been applied yet.
    with psycopg.connect(guarded.url) as connection:
        connection.execute(
            "DELETE FROM junkie.schema_migrations WHERE version = (SELECT max(version) FROM junkie.schema_migrations)"
        )
    line = refusal(await guarded.as_("writer").run("backfill"))
    assert "may not bring it up to date" in line
    assert "`junkie db migrate` as the role that owns the tables" in line


@pytest.mark.parametrize(
    ("lacking", "named"),
    [
        ("REVOKE USAGE ON SCHEMA junkie FROM {}", "schema junkie"),
        ("REVOKE INSERT ON junkie.messages FROM {}", "table messages"),
        ("REVOKE UPDATE ON junkie.channel_status FROM {}", "table channel_status"),
        ("REVOKE DELETE ON junkie.workers FROM {}", "table workers"),
        ("REVOKE USAGE ON SEQUENCE junkie.seen FROM {}", "sequence seen"),
    ],
)
async def test_a_right_that_lacks_is_named_in_one_line(guarded: Guarded, lacking: str, named: str) -> None:
    await ready(guarded)
    guarded.execute(lacking, "writer")
    ended = done(await guarded.as_("writer").run("sync", "--quiet"), 5)
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert f"permission denied for {named}" in line
    assert "docs/security.md" in line
    assert "Traceback" not in ended.stderr


async def test_the_reader_writes_nothing(guarded: Guarded) -> None:
    await ready(guarded)
    ended = done(await guarded.as_("reader").run("sync", "--quiet"), 5)
    assert "permission denied for table" in ended.stderr
    with psycopg.connect(guarded.url) as connection:
        assert connection.execute("SELECT count(*) FROM junkie.messages").fetchone() == (0,)


async def test_the_doctor_finds_each_role_as_the_page_made_it(guarded: Guarded) -> None:
    await ready(guarded)
    for role, verdict in (("owner", "pass"), ("writer", "pass"), ("reader", "warning")):
        with psycopg.connect(guarded.url, application_name="somebody else") as connection:
            connection.execute("SELECT pg_advisory_xact_lock(7)")
            told = done(await guarded.as_(role).run("doctor", "--json")).stdout
        checks = {check["check"]: check for check in json.loads(told)["checks"]}
        assert checks["rights"]["verdict"] == verdict, checks["rights"]
        assert {checks[name]["verdict"] for name in ("database", "tables", "locks", "workers", "vacuum")} == {"pass"}
