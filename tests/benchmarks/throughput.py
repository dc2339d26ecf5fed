"""How fast a backfill is where nothing limits it, beside a loop that stores nothing and one that stores row by row."""

import json
import time
from collections.abc import AsyncIterator
from statistics import median
from typing import Any

import aiohttp

from junkie_cli.db.database import Database
from tests.benchmarks.figure import Figure
from tests.benchmarks.setting import Discord, archive, discord, run

CHANNELS, MESSAGES = 10, 5_000
BASELINE_MESSAGES = 3_000
ROUNDS = 5


async def pages(emulator: Discord, channel_ids: list[str]) -> AsyncIterator[list[dict[str, Any]]]:
    """Fetch and parse every page, one after the other, and do nothing else."""
    headers = {"Authorization": f"Bot {emulator.token}", "User-Agent": "DiscordBot (bench, 0)"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for channel_id in channel_ids:
            before = ""
            while True:
                url = f"{emulator.api_url}/channels/{channel_id}/messages?limit=100{before}"
                async with session.get(url) as answer:
                    page = json.loads(await answer.read())
                yield page
                if len(page) < 100:
                    break
                before = f"&before={page[-1]['id']}"


async def bare(emulator: Discord, channel_ids: list[str]) -> float:
    """Return the messages per second of a loop that fetches and parses, and stores nothing."""
    began, seen = time.perf_counter(), 0
    async for page in pages(emulator, channel_ids):
        seen += len(page)
    return seen / (time.perf_counter() - began)


async def row_by_row(emulator: Discord, channel_ids: list[str], database: Database) -> float:
    """Return the messages per second of one statement and one borrowed connection for each row."""
    async with database.connection() as connection:
        await connection.execute(
            "CREATE TABLE public.messages (message_id bigint PRIMARY KEY, channel_id bigint NOT NULL, "
            "author_id bigint NOT NULL, author_name text NOT NULL, content text NOT NULL, "
            "created_at timestamptz NOT NULL, timestamp_str text NOT NULL)"
        )
    began, stored = time.perf_counter(), 0
    async for page in pages(emulator, channel_ids):
        for message in page:
            async with database._pool.connection() as connection:
                await connection.execute(
                    "INSERT INTO public.messages VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (message_id) "
                    "DO UPDATE SET content = excluded.content, timestamp_str = excluded.timestamp_str",
                    (
                        int(message["id"]),
                        int(message["channel_id"]),
                        int(message["author"]["id"]),
                        message["author"]["username"],
                        message["content"],
                        message["timestamp"],
                        message["timestamp"],
                    ),
                )
        stored += len(page)
        if stored >= BASELINE_MESSAGES:
            break
    return stored / (time.perf_counter() - began)


async def measure() -> list[Figure]:
    async with discord(f"{CHANNELS}x{MESSAGES}", "--rate-limit", "0") as emulator:
        channel_ids = [str(channel_id) for channel_id in await emulator.ask("readable")]
        rounds: dict[str, list[float]] = {"bare": [], "ours": [], "rows": []}
        # Interleaved, the median of each: what else the machine does must not fall on one of them alone.
        for _ in range(ROUNDS):
            rounds["bare"].append(await bare(emulator, channel_ids))
            async with archive(emulator) as (settings, database):
                ours = await run(settings, database, limited=False)
                rounds["ours"].append(ours.summary.fetched / ours.seconds)
                rounds["rows"].append(await row_by_row(emulator, channel_ids, database))
        rates = {name: median(measured) for name, measured in rounds.items()}
    return [
        Figure("limits off: bare loop, stores nothing", rates["bare"], unit="/s"),
        Figure("limits off: backfill", rates["ours"], unit="/s"),
        Figure("limits off: one statement per row", rates["rows"], unit="/s"),
        Figure("backfill / bare loop", rates["ours"] / rates["bare"], 0.5),
        Figure("backfill / one statement per row", rates["ours"] / rates["rows"], 8),
    ]
