"""What several folders of integration tests share."""

from collections.abc import Callable

import pytest

from junkie_cli.config import Settings
from junkie_cli.db.database import Database
from tests.integration.answers import Archive


@pytest.fixture
def archive(
    database: Database,
    database_url: str,
    make_settings: Callable[..., Settings],
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Archive:
    """An empty archive, and `junkie context` on it."""

    def settings(**environ: str) -> Settings:
        return make_settings(POSTGRES_URL=database_url, **environ)

    return Archive(database, settings, capsysbinary)
