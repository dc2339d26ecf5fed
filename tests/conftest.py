"""What the tests share: PostgreSQL, and settings that read nothing of the machine's own."""

import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import pytest

from junkie_cli import config
from junkie_cli.config import Settings
from junkie_cli.db.database import Database, open_database
from tests import postgres, roles
from tests.postgres import Template

# A busy machine is no bug. A check of a change must fail for that change alone, too; new examples are looked for on
# developers' machines.
hypothesis.settings.register_profile(
    "junkie",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
hypothesis.settings.load_profile("junkie")

_LONGEST = ("test_quality.py", "test_wheel.py")

# Started in the background or by nohup, we would hand on to every command that its signals are to be ignored.
for _number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Tests of servers, and of processes, wait for them: three workers for two cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return (cores * 3 + 1) // 2


def pytest_configure(config: pytest.Config) -> None:
    # Workers inherit the environment of the process that started them.
    if not hasattr(config, "workerinput"):
        os.environ[postgres.HOME_VARIABLE] = str(postgres.make_home())


def pytest_unconfigure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    home = Path(os.environ.pop(postgres.HOME_VARIABLE))
    if (home / "template.made").exists() and (server_url := os.environ.get("POSTGRES_URL")):
        postgres.template_of(home).drop(server_url)
    postgres.remove_home(home)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The longest begin first, so that nobody waits for them at the end.
    items.sort(key=lambda item: item.path.name not in _LONGEST)
    if roles.wanted():
        for item in items:
            if item.get_closest_marker("administrator"):
                item.add_marker(pytest.mark.skip(reason="the writer has no such rights"))


@pytest.fixture(scope="session")
def run_home() -> Path:
    """The folder that all workers of this run share."""
    return Path(os.environ[postgres.HOME_VARIABLE])


@pytest.fixture(scope="session")
def server_url(run_home: Path) -> Iterator[str]:
    """A server on which databases can be made."""
    with postgres.server(run_home) as url:
        yield url


@pytest.fixture(scope="session")
def template(server_url: str, run_home: Path) -> Template:
    """A migrated database to copy."""
    return postgres.migrated_template(server_url, run_home)


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """A new database without junkie's schema."""
    with postgres.database(server_url) as url:
        yield url


@pytest.fixture
def database_url(server_url: str, template: Template) -> Iterator[str]:
    """A new, migrated database, as the run's role sees it."""
    with postgres.database(server_url, template.name) as url:
        yield template.url_of(url)


@pytest.fixture
def administrator_url(server_url: str, database_url: str) -> str:
    """The same database, for one who may do anything there."""
    return postgres.address_of(server_url, urlsplit(database_url).path.removeprefix("/"))


@pytest.fixture
async def database(database_url: str, make_settings: Callable[..., Settings]) -> AsyncIterator[Database]:
    """A new, migrated database, opened."""
    async with open_database(make_settings(POSTGRES_URL=database_url), command="test") as opened:
        yield opened


@pytest.fixture
def junkie_home() -> Iterator[Path]:
    """A JUNKIE_HOME of the test's own; a server that still runs there is stopped at the end."""
    home = postgres.make_home()
    yield home
    postgres.remove_home(home)


@pytest.fixture
def make_settings(tmp_path: Path) -> Iterator[Callable[..., Settings]]:
    """Make settings of nothing but the environment variables that are given."""
    folder = tmp_path / "working-folder"
    folder.mkdir()

    def make(**environ: str) -> Settings:
        return config.load(environ={"JUNKIE_HOME": str(tmp_path / "home")} | environ, folder=folder)

    yield make
    shutil.rmtree(folder)
