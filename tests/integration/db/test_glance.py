"""A look at names starts nothing, changes nothing, and keeps no server running."""

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from junkie_cli.cli import completion
from junkie_cli.config import Settings
from junkie_cli.db.cluster import LEAVING, Cluster
from junkie_cli.db.database import open_database
from junkie_cli.db.glance import glance
from junkie_cli.db.places import Places
from junkie_cli.models import Channel, Guild


async def test_of_a_server_that_runs_and_of_one_that_does_not(
    junkie_home: Path, make_settings: Callable[..., Settings]
) -> None:
    settings = make_settings(JUNKIE_HOME=str(junkie_home / "home"))
    with pytest.raises(psycopg.OperationalError):
        glance(settings)
    assert not (junkie_home / "home").exists()
    async with open_database(settings, size=1, command="test") as database:
        await Places(database).store([Guild(1, "nul\x00l")], [], [Channel(5, 1, None, 0, "general", None)], {5: None})
        assert [known.path for known in glance(settings).known()] == [("nul\x00l",), ("nul\x00l", "general")]
        # Whoever looks while the last command leaves holds nobody up.
        looking = psycopg.connect(Cluster(settings.home).url, application_name=LEAVING)
    with looking, pytest.raises(psycopg.OperationalError):
        looking.execute("SELECT")
    with pytest.raises(psycopg.OperationalError):
        glance(settings)
    assert Cluster(settings.home).postmaster() is None


def test_of_an_archive_that_is_not_there(empty_database_url: str, make_settings: Callable[..., Settings]) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable):
        glance(make_settings(POSTGRES_URL=empty_database_url))
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT FROM pg_namespace WHERE nspname = 'junkie'").rowcount == 0


def test_whoever_gives_up_in_the_middle_of_it_says_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("POSTGRES_URL", database_url)
    monkeypatch.setenv("JUNKIE_HOME", str(tmp_path))
    monkeypatch.setattr(completion, "_PATIENCE", 0.5)
    with psycopg.connect(database_url) as connection:
        connection.execute("LOCK TABLE junkie.channels IN ACCESS EXCLUSIVE MODE")
        assert completion.channels("") == []
    assert caplog.records == []
