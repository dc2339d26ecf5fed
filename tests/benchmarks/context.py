"""What a prompt costs: reading beside a bare fetch of the same rows, rendering, a long history, the whole command.

The archive has 10 million rows in 1,000 channels; JUNKIE_BENCH_ROWS sets another number. Rows have 80 characters of text.
"""

import asyncio
import gc
import os
import shutil
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import repeat
from pathlib import Path

from psycopg import AsyncConnection

from junkie_cli import config, snowflake
from junkie_cli.cli.reading import Question, Reading, read
from junkie_cli.db.cluster import Cluster
from junkie_cli.db.history import History, Stretch, messages_of, open_history
from junkie_cli.ingest.window import Window
from junkie_cli.prompt.budget import write
from junkie_cli.prompt.formats import lay_out
from junkie_cli.prompt.timestamps import Clock, find_zone
from tests import postgres
from tests.benchmarks.archive import BYTES_A_ROW, FIRST, ROWS, fill
from tests.benchmarks.figure import Figure

CHANNELS = 1_000
LONG, SHORT = 50_000, 500
CHANNEL = FIRST
"""The first channel is the long one."""

BARE = """
SELECT channel_id, message_id, author_id, author_name, content, edited_at, type, reply_to, extra
FROM junkie.messages WHERE channel_id = %s ORDER BY message_id DESC LIMIT %s
"""

ONE_QUERY = """
import sys, psycopg
with psycopg.connect(sys.argv[1]) as connection:
    print(len(connection.execute(sys.argv[2], [int(sys.argv[3]), 501]).fetchall()))
"""


async def medians(times: int, **works: Callable[[], Awaitable[object]]) -> dict[str, float]:
    """Return the median seconds of each work, after a run that warms up.

    They take turns: what else the machine does must not fall on one of them alone. As in timeit, garbage is collected
    in between.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(times + 1):
        for name, work in works.items():
            gc.collect()
            gc.disable()
            began = time.perf_counter()
            await work()
            took = time.perf_counter() - began
            gc.enable()
            if turn:
                seconds[name].append(took)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def question(most: int) -> Question:
    return Question(window=Window(channel_id=CHANNEL, most=most, answers_newest=True))


def render(reading: Reading) -> str:
    newest = reading.messages[-1].created_at
    clock = Clock(max(newest, datetime(2024, 1, 1, tzinfo=UTC)), find_zone("Asia/Kolkata"))
    return write(lay_out(reading.conversation(), clock, "text")).text


async def measure_reading(history: History, bare: AsyncConnection[tuple[object, ...]]) -> list[Figure]:
    async def theirs() -> None:
        await (await bare.execute(BARE, [CHANNEL, SHORT])).fetchall()

    async def prompt(most: int) -> None:
        render(await read(history, question(most)))

    short = await read(history, question(SHORT))
    stretch = Stretch(CHANNEL, CHANNEL, snowflake.MAX, SHORT)
    async with history.snapshot() as snapshot:
        _, rows = await snapshot.fetch(stretch)

        async def rendered() -> None:
            render(short._replace(messages=messages_of(CHANNEL, rows[::-1])))

        took = await medians(
            60,
            bare=theirs,
            fetch=lambda: snapshot.fetch(stretch),
            render=rendered,
        )
    took |= await medians(5, short=lambda: prompt(SHORT), long=lambda: prompt(LONG))
    return [
        Figure("500 messages: bare fetch", took["bare"] * 1000, unit=" ms"),
        Figure("  fetch with coverage / bare fetch", took["fetch"] / took["bare"], 1.5, "<="),
        Figure("  render / bare fetch", took["render"] / took["bare"], 3, "<="),
        Figure("  all of it, replies and names too", took["short"] * 1000, unit=" ms"),
        Figure("50,000 messages / 500: time", took["long"] / took["short"], 110, "<="),
        Figure("  memory", await memory(history, LONG) / await memory(history, SHORT), 110, "<="),
    ]


async def memory(history: History, most: int) -> float:
    """Return the peak of what a prompt of so many messages allocates, in bytes."""
    tracemalloc.start()
    try:
        render(await read(history, question(most)))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def measure_command(home: Path, url: str) -> list[Figure]:
    environ = {"PATH": os.environ["PATH"], "JUNKIE_HOME": str(home), "CACHE_TTL": "1000000"}

    async def run(*arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env=environ,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert await process.wait() == 0

    took = await medians(
        15,
        query=lambda: run("-c", ONE_QUERY, url, BARE, str(CHANNEL)),
        command=lambda: run("-m", "junkie_cli", "context", str(CHANNEL)),
    )
    return [
        Figure("a process that runs one query", took["query"] * 1000, unit=" ms"),
        Figure("  junkie context / that", took["command"] / took["query"], 1.8, "<="),
    ]


async def measure() -> list[Figure]:
    home, folder = postgres.make_home(room=ROWS * BYTES_A_ROW), Path(tempfile.mkdtemp())
    try:
        settings = config.load(environ={"JUNKIE_HOME": str(home)}, folder=folder)
        began = time.perf_counter()
        each = max((ROWS - LONG) // (CHANNELS - 1), 1)
        await fill(settings, [LONG, *repeat(each, CHANNELS - 1)])
        filled = Figure(f"filling {ROWS:,} rows", time.perf_counter() - began, unit=" s")
        # While it is open the embedded server runs.
        async with open_history(settings) as history:
            url = Cluster(home).url
            async with await AsyncConnection.connect(url, autocommit=True) as bare:
                figures = await measure_reading(history, bare)
            return [filled, *figures, *await measure_command(home, url)]
    finally:
        postgres.remove_home(home)
        shutil.rmtree(folder)
