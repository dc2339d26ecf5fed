"""How many live events a second are archived, beside a loop that receives and parses the same and stores nothing."""

import asyncio
import json
import time

import aiohttp

from tests.benchmarks.figure import Figure
from tests.benchmarks.live import CHANNELS, Stage, staged
from tests.benchmarks.setting import Discord, discord

RATE, SECONDS = 20_000, 1.5
"""More than anybody keeps up with, so that what is behind shows how fast it is."""

INTENTS = 1 << 0 | 1 << 9 | 1 << 15


async def bare(emulator: Discord) -> float:
    """Return the events per second of a connection that parses what comes, and does nothing else."""
    headers = {"Authorization": f"Bot {emulator.token}", "User-Agent": "DiscordBot (bench, 0)"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.get(f"{emulator.api_url}/gateway/bot") as answer:
            url = (await answer.json())["url"]
        async with session.ws_connect(f"{url}?v=10&encoding=json", max_msg_size=0) as socket:
            await socket.receive()
            told = {"token": emulator.token, "intents": INTENTS, "properties": {}}
            await socket.send_json({"op": 2, "d": told})
            while json.loads((await socket.receive()).data)["t"] != "GUILD_CREATE":
                pass
            streaming = asyncio.create_task(emulator.ask("stream", rate=RATE, seconds=SECONDS))
            began, received, wanted = time.perf_counter(), 0, round(RATE * SECONDS)
            while received < wanted:
                received += json.loads((await socket.receive()).data)["t"] == "MESSAGE_CREATE"
            passed = time.perf_counter() - began
            await streaming
    return received / passed


async def archived(stage: Stage) -> float:
    """Return the events per second that a serve has in the archive."""
    before, began = stage.posted, time.perf_counter()
    streaming = asyncio.create_task(stage.emulator.ask("stream", rate=RATE, seconds=SECONDS))
    stage.posted += (await streaming)["posted"]
    await stage.drained()
    assert await stage.lost() == 0
    return (stage.posted - before) / (time.perf_counter() - began)


async def measure() -> list[Figure]:
    async with staged() as stage:
        ours = max([await archived(stage) for _ in range(2)])
    # Alone with an emulator, as the serve was.
    async with discord(f"{CHANNELS}x10", "--rate-limit", "0") as emulator:
        plain = max([await bare(emulator) for _ in range(2)])
    return [
        Figure("live: bare gateway loop, stores nothing", plain, unit="/s"),
        Figure("live: events archived", ours, unit="/s"),
        Figure("live: events archived / bare gateway loop", ours / plain),
    ]
