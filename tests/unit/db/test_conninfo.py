import logging

import pytest
from psycopg import conninfo as libpq
from psycopg import pq

from junkie_cli.db import conninfo
from junkie_cli.db.connecting import _masked_log
from junkie_cli.errors import ConfigError


def test_what_the_uri_leaves_open_is_completed_and_what_it_says_is_kept() -> None:
    address = conninfo.read(
        "postgresql://me@db.example/archive?connect_timeout=3&sslmode=require", application_name="junkie x"
    )
    parameters = libpq.conninfo_to_dict(address.conninfo)
    assert parameters["connect_timeout"] == "3"
    assert parameters["sslmode"] == "require"
    assert parameters["keepalives_idle"] == "30"
    # A question that gets no answer is under way, and then no keepalive is sent.
    assert parameters["tcp_user_timeout"] == "60000"
    assert parameters["client_encoding"] == "UTF8"
    assert parameters["application_name"] == "junkie x"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://me:secret-pw@db.example:6543/archive", "PostgreSQL at db.example:6543, database 'archive'"),
        ("postgres://db.example/archive", "PostgreSQL at db.example:5432, database 'archive'"),
        ("postgresql://me@/?host=/run/postgresql", "PostgreSQL at /run/postgresql, database 'me'"),
        ("postgresql://a,b:1/x", "PostgreSQL at a,b:,1, database 'x'"),
        ("postgresql://me:a?secret-pw@db.example/archive", "PostgreSQL at db.example:5432, database 'archive'"),
        ("postgresql:///archive", "PostgreSQL, database 'archive'"),
        ("postgresql://[::1]/archive", "PostgreSQL at ::1:5432, database 'archive'"),
    ],
)
def test_the_place_is_named_without_the_password(url: str, place: str) -> None:
    address = conninfo.read(url, application_name="junkie")
    assert address.place == place
    assert "secret-pw" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:se@cret-pw@host/db",
        "postgresql://me:12/secret-pw@host/db",
        "postgresql://me:secret-pw/x@host/db",
        "postgresql://me:12?secret-pw@x@host/db",
        "postgresql://me:12?secret-pw/x@host/db",
        "postgresql://me@host:secret-pw/db",
        "postgresql://me:secret-pw@host/db?nonsense=1",
        "postgresql://me:secret-pw@host/db?connect_timeout=secret-pw",
        "postgresql://me:%secret-pw@host/db",
        "postgresql://[secret-pw/db",
    ],
)
def test_a_malformed_uri_is_refused_without_showing_any_of_it(url: str) -> None:
    with pytest.raises(ConfigError, match="POSTGRES_URL") as caught:
        conninfo.read(url, application_name="junkie")
    shown = caught.value.message + caught.value.hint
    assert "cret-pw" not in shown
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_program_gets_the_password_where_nobody_sees_it() -> None:
    shown, hidden = conninfo.for_program("postgresql://me:secret%20pw@db.example:6543/archive?sslmode=require")
    assert libpq.conninfo_to_dict(shown) == {
        "user": "me",
        "host": "db.example",
        "port": "6543",
        "dbname": "archive",
        "sslmode": "require",
    }
    assert hidden == {"PGPASSWORD": "secret pw"}
    assert conninfo.for_program("postgresql://me@db.example/archive")[1] == {}


@pytest.mark.parametrize("name", ["sslpassword", "oauth_client_secret"])
def test_a_secret_that_a_program_takes_as_an_argument_alone_is_not_handed_on(name: str) -> None:
    url = f"postgresql://me@db.example/archive?{name}=secret-pw"
    if name.encode() not in {option.keyword for option in pq.Conninfo.get_defaults()}:
        pytest.skip(f"this libpq knows no {name}")
    with pytest.raises(ConfigError, match=name) as caught:
        conninfo.for_program(url)
    assert "secret-pw" not in caught.value.message + caught.value.hint
    assert conninfo.read(url, application_name="junkie").masked("with secret-pw") == "with ********"


@pytest.mark.parametrize("spelling", ["secret%2Fpw", "secret/pw"])
def test_no_password_gets_into_the_log(spelling: str, caplog: pytest.LogCaptureFixture) -> None:
    address = conninfo.read("postgresql://me:secret%2Fpw@db.example/archive", application_name="junkie")
    with _masked_log(address):
        say = logging.getLogger("psycopg.pool")
        say.warning("shown at DEBUG alone")
        say.error("error connecting in %r: %s", "junkie", f"no host '{spelling}'")
    assert caplog.messages == ["error connecting in 'junkie': no host '********'"]
    assert address.masked("a me b") == "a me b"
