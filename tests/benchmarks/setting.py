"""What benchmarks share: an emulator in a process of its own, an embedded database, and a backfill between them."""

import asyncio
import math
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from junkie_cli import config
from junkie_cli.cli.runtime import collect_less
from junkie_cli.client.limiter import DEFAULT_RATE
from junkie_cli.client.session import open_client
from junkie_cli.config import Settings
from junkie_cli.db.database import Database, open_database
from junkie_cli.db.workers import present
from junkie_cli.emulator.server import Emulator
from junkie_cli.ingest.backfill import BackfillOptions, backfill
from junkie_cli.ingest.events import Event, Summary
from tests import postgres


@dataclass(frozen=True, slots=True)
class Discord:
    """An emulator that runs."""

    api_url: str
    token: str

    async def ask(self, verb: str, **arguments: Any) -> Any:
        """Use its control interface."""
        root = self.api_url.split("/api/")[0]
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{root}/_emulator/{verb}", json=arguments) as answer,
        ):
            answer.raise_for_status()
            return await answer.json()


def environment(emulator: Discord | Emulator, home: Path, **more: str) -> dict[str, str]:
    """Return what a command needs to know to work on an emulator and the archive of a home."""
    return {
        "PATH": os.environ["PATH"],
        "JUNKIE_HOME": str(home),
        "DISCORD_TOKEN": emulator.token,
        "DISCORD_API_URL": emulator.api_url,
        "LOG_LEVEL": "WARNING",
        **more,
    }


@asynccontextmanager
async def discord(preset: str, *options: str) -> AsyncIterator[Discord]:
    """Run an emulator, with every message encoded beforehand."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "junkie_cli", "emulator", "--port", "0", "--preset", preset, *options),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        said = [(await process.stdout.readline()).decode() for _ in range(2)]
        found = dict(re.findall(r"(DISCORD_\w+)='?([^'\s]+)'?", " ".join(said)))
        emulator = Discord(found["DISCORD_API_URL"], found["DISCORD_TOKEN"])
        await emulator.ask("warm")
        yield emulator
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def archive(emulator: Discord) -> AsyncIterator[tuple[Settings, Database]]:
    """Open an empty archive on an embedded database of its own."""
    # On a disk, as everybody has it: a commit is to cost what it costs.
    home = postgres.make_home(executable=True)
    folder = Path(tempfile.mkdtemp())
    try:
        settings = config.load(environ=environment(emulator, home), folder=folder)
        async with open_database(settings, size=settings.concurrency + 2) as database:
            yield settings, database
    finally:
        postgres.remove_home(home)
        shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class Run:
    """A backfill that was measured. `seconds` are those of its whole work, discovery too."""

    summary: Summary
    seconds: float


async def run(
    settings: Settings,
    database: Database,
    *,
    limited: bool = True,
    emit: Callable[[Event], None] = lambda _event: None,
    **options: Any,
) -> Run:
    """Backfill everything; without `limited` our own limit over all routes is off."""
    async with (
        open_client(settings, rate=lambda: DEFAULT_RATE if limited else math.inf) as client,
        present(database, "bench", client.me.user_id) as presence,
    ):
        # As the command does.
        collect_less()
        began = time.perf_counter()
        wanted = BackfillOptions(concurrency=settings.concurrency, **options)
        summary = await backfill(wanted, client, database, presence, emit)
        return Run(summary, time.perf_counter() - began)
