"""A serve in a scene, in one process with what it serves."""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from junkie_cli.client.gateway import open_gateway
from junkie_cli.client.session import open_client
from junkie_cli.db.workers import present
from junkie_cli.ingest.backfill import BackfillOptions
from junkie_cli.ingest.mending import ServeOptions
from junkie_cli.ingest.selection import Selection
from junkie_cli.ingest.serve import Serve
from junkie_cli.ingest.sync import SyncOptions
from tests.integration.ingest.scene import PATIENCE, Scene
from tests.truth import archived, assert_equals_truth

UNHURRIED = replace(PATIENCE, timeout=10.0)
"""Nothing hangs here, and on a busy machine an answer may take its time: to ask again would be counted."""


class Hasty(random.Random):
    """Draws how long is waited before a new session: Discord's one to five seconds are for many bots at once."""

    def uniform(self, a: float, b: float) -> float:
        return super().uniform(a, b) / 50


@asynccontextmanager
async def serving_on(s: Scene, selection: Selection | None = None) -> AsyncIterator[Serve]:
    """Run a serve, from its first complete archive on."""
    settings = s.make_settings(DISCORD_TOKEN=s.emulator.token, DISCORD_API_URL=s.emulator.api_url)
    chosen = selection or Selection()
    options = ServeOptions(backfill=BackfillOptions(selection=chosen), sync=SyncOptions(selection=chosen, limit=200))
    async with (
        open_client(settings, rate=lambda: math.inf, patience=UNHURRIED) as discord,
        present(s.database, "serve", discord.me.user_id) as presence,
    ):
        serve = Serve(options, discord, s.database, presence, s.events.append)
        running = asyncio.create_task(
            serve.run(lambda on_event: open_gateway(settings, discord, on_event, patience=UNHURRIED, rng=Hasty()))
        )
        try:
            await until(lambda: serve.vitals().connected and not serve.vitals().mending, running)
            yield serve
        finally:
            running.cancel()
            await asyncio.wait([running])
            if not running.cancelled() and (error := running.exception()) is not None:
                raise error


async def until(condition: Callable[[], bool], running: "asyncio.Task[None] | None" = None) -> None:
    """Wait for a condition of memory alone; fail as soon as the serve has ended."""
    async with asyncio.timeout(60):
        while not condition():
            if running is not None and running.done():
                running.result()
            await asyncio.sleep(0.01)


async def until_held(s: Scene, channel_id: int, *message_ids: int) -> None:
    """Wait until these messages are archived."""
    for _ in range(200):
        if set(message_ids) <= set(await archived(s.database, channel_id)):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{set(message_ids) - set(await archived(s.database, channel_id))} never came")


async def at_rest(serve: Serve) -> None:
    """Wait until nothing waits to be written or mended."""
    await until(lambda: serve.vitals().connected and not serve.vitals().mending and not serve.vitals().depth)


async def until_true(s: Scene) -> None:
    """Wait until the archive equals the truth, and say what is wrong if it never does."""
    for _ in range(100):
        try:
            await assert_equals_truth(s.database, s.truths(), names=False)
        except AssertionError:
            await asyncio.sleep(0.1)
        else:
            return
    await assert_equals_truth(s.database, s.truths(), names=False)
