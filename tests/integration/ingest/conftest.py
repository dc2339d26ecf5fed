from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from junkie_cli.client import starts
from junkie_cli.db.database import Database
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import running
from junkie_cli.ingest import mending, serve
from tests.integration.ingest.scene import MakeSettings, Scene

MakeScene = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
def scene(database: Database, make_settings: MakeSettings) -> MakeScene:
    """Make a scene of a preset, without rate limits unless told."""

    @asynccontextmanager
    async def make(preset: str = "tiny", limits: Limits | None = None, **how: Any) -> AsyncIterator[Scene]:
        async with running(generate(seed=1, preset=preset), limits=limits or Limits.off(), **how) as emulator:
            yield Scene(emulator, database, make_settings)

    return make


@pytest.fixture
def no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs are gathered and retried in moments, as nothing here takes longer, and sessions follow each other at once."""
    monkeypatch.setattr(mending, "SETTLE_SECONDS", 0.05)
    monkeypatch.setattr(mending, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(serve, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(starts, "SPACING", 0.05)
