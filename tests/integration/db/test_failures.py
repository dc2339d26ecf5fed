"""What PostgreSQL refuses, in the user's words: one line, with the next step, told apart by SQLSTATE."""

import socket
from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors, sql

from junkie_cli.config import Settings
from junkie_cli.db import connecting, conninfo, failures
from junkie_cli.db.connecting import Connection
from junkie_cli.db.database import Database, open_database
from junkie_cli.errors import ConfigError, DatabaseError, DatabaseUnavailable, SchemaMismatch, ValueRefused
from tests import postgres

ADDRESS = conninfo.read("postgresql://me:pass-word@db.example/archive", application_name="junkie")


async def refusal(settings: Settings) -> DatabaseError:
    with pytest.raises(DatabaseError) as caught:
        async with open_database(settings):
            pass
    return one_line(caught.value)


def one_line(error: DatabaseError) -> DatabaseError:
    assert error.exit_code == 5
    assert error.hint
    assert "\n" not in error.message + error.hint
    return error


def raising(sqlstate: str) -> Callable[[Connection], object]:
    async def work(connection: Connection) -> None:
        await connection.execute(
            sql.SQL("DO $$ BEGIN RAISE EXCEPTION 'in the server''s words' USING ERRCODE = {}; END $$").format(sqlstate)
        )

    return work


@pytest.mark.parametrize(
    ("sqlstate", "message", "hint", "kind"),
    [
        ("53100", "no space left", "make room", DatabaseError),
        ("53200", "out of memory", "BACKFILL_CONCURRENCY", DatabaseUnavailable),
        ("53300", "no connection to spare", "max_connections", DatabaseUnavailable),
        ("25006", "takes no writes", "primary", DatabaseError),
        ("42501", "forbids it: in the server's words", "GRANT", DatabaseError),
        ("42P01", "lacks a table", "junkie db migrate", SchemaMismatch),
        ("42703", "lacks a column", "junkie db migrate", SchemaMismatch),
        ("57014", "cancelled a statement", "statement_timeout", DatabaseError),
        ("55P03", "kept a table locked", "run this again", DatabaseUnavailable),
        ("22012", r"refused a statement \(22012\): in the server's words", "LOG_LEVEL=DEBUG", ValueRefused),
        ("23514", r"refused a statement \(23514\)", "LOG_LEVEL=DEBUG", ValueRefused),
        ("54000", r"refused a statement \(54000\)", "LOG_LEVEL=DEBUG", ValueRefused),
        ("XX123", r"refused a statement \(XX123\)", "LOG_LEVEL=DEBUG", DatabaseError),
    ],
)
async def test_each_state_has_its_words(
    database: Database, sqlstate: str, message: str, hint: str, kind: type[DatabaseError]
) -> None:
    with pytest.raises(kind, match=message) as caught:
        await database.transaction(raising(sqlstate))  # type: ignore[arg-type]
    assert type(caught.value) is kind
    assert hint in one_line(caught.value).hint
    assert database.place in caught.value.message
    assert isinstance(caught.value.__cause__, psycopg.Error)


async def test_a_database_that_takes_no_writes(empty_database_url: str, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(
        POSTGRES_URL=postgres.with_parameter(empty_database_url, "options=-c%20default_transaction_read_only%3Don")
    )
    assert "takes no writes" in (await refusal(settings)).message


async def test_a_role_that_may_create_nothing(empty_database_url: str, make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(POSTGRES_URL=postgres.with_parameter(empty_database_url, "options=-c%20role%3Dpg_monitor"))
    error = await refusal(settings)
    assert "permission denied for database" in error.message
    assert "GRANT CREATE" in error.hint


async def test_nobody_listens(make_settings: Callable[..., Settings]) -> None:
    with socket.socket() as reserved:
        # Bound, but not listening: nobody else answers there.
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        error = await refusal(make_settings(POSTGRES_URL=f"postgresql://me:pass-word@127.0.0.1:{port}/archive"))
    assert isinstance(error, DatabaseUnavailable)
    assert f"can't reach PostgreSQL at 127.0.0.1:{port}" in error.message
    assert "pass-word" not in error.message


async def test_no_such_host(make_settings: Callable[..., Settings]) -> None:
    error = await refusal(make_settings(POSTGRES_URL="postgresql://me:pass-word@no-such-host.invalid/archive"))
    assert isinstance(error, DatabaseUnavailable)
    assert "no-such-host.invalid" in error.message


async def test_no_such_database(server_url: str, make_settings: Callable[..., Settings]) -> None:
    error = await refusal(make_settings(POSTGRES_URL=postgres.address_of(server_url, "no_such_database")))
    assert "database 'no_such_database' does not exist" in error.message
    assert "createdb -E UTF8 no_such_database" in error.hint


async def test_a_database_of_another_encoding(server_url: str, make_settings: Callable[..., Settings]) -> None:
    with postgres.database(server_url, encoding="LATIN1") as url:
        error = await refusal(make_settings(POSTGRES_URL=url))
    assert "encoded in LATIN1" in error.message


async def test_a_server_that_is_too_old(
    database_url: str, make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "MINIMUM_VERSION", 990_000)
    assert "junkie needs 14 or newer" in (await refusal(make_settings(POSTGRES_URL=database_url))).message


async def test_a_malformed_uri_is_a_matter_of_configuration(make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(ConfigError, match="no libpq URI"):
        async with open_database(make_settings(POSTGRES_URL="postgresql://me:pass-word@host:port/db")):
            pass


@pytest.mark.parametrize("state", ["57P01", "57P02", "57P03", "57P05", "25P03", "08006", "08P01"])
def test_states_that_end_a_session_are_losses(state: str) -> None:
    assert failures.lost(errors.lookup(state)())


@pytest.mark.parametrize("state", ["57014", "40001", "53300", "23505"])
def test_other_states_are_none(state: str) -> None:
    assert not failures.lost(errors.lookup(state)())


def test_a_message_shows_no_password() -> None:
    error = failures.explain(psycopg.OperationalError("connection failed: pass-word\nand more"), ADDRESS)
    assert isinstance(error, DatabaseUnavailable)
    assert error.message == f"lost the connection to {ADDRESS.place}: ********"
