"""One `serve` for more guilds than one connection to Discord may have."""

import asyncio
import contextlib
from pathlib import Path

import psycopg

from junkie_cli.emulator.gateway import GatewayRules
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import running
from tests.benchmarks.guilds import many
from tests.command import junkie

GUILDS = 30


def archived(url: str) -> set[int]:
    with psycopg.connect(url) as connection, contextlib.suppress(psycopg.errors.UndefinedTable):
        return {message_id for (message_id,) in connection.execute("SELECT message_id FROM junkie.messages")}
    return set()


async def test_two_shards_in_one_process_hear_every_guild(database_url: str, tmp_path: Path) -> None:
    world = many(GUILDS, channels=1, messages=2)
    # A shard with all of them would be refused.
    async with running(world, limits=Limits.off(), gateway=GatewayRules(max_guilds=20)) as emulator:
        control = emulator.control
        # One that began its second session too soon, or both in one bucket, would be refused too.
        control.set_session_starts(shards=2, max_concurrency=2, spacing=5.0)
        command = junkie(
            {
                "DISCORD_TOKEN": emulator.token,
                "DISCORD_API_URL": emulator.api_url,
                "POSTGRES_URL": database_url,
                "JUNKIE_HOME": str(tmp_path / "home"),
            }
        )
        started = await command.start("serve")
        try:
            before = {n for guild in world.guilds.values() for c in guild.channels for n in control.ids(c)}
            while control.sessions().connected < 2 or not before <= archived(database_url):
                assert started.returncode is None, await command.wait(started)
                await asyncio.sleep(0.05)
            control.reset_counts()
            heard = {control.post(min(guild.channels), "heard") for guild in list(world.guilds.values())}
            shards = {(guild_id >> 22) % 2 for guild_id in world.guilds}
            assert shards == {0, 1}
            while not heard <= archived(database_url):
                assert started.returncode is None, await command.wait(started)
                await asyncio.sleep(0.05)
        finally:
            if started.returncode is None:
                started.terminate_like_ctrl_c()
        done = await command.wait(started)
        assert done.code == 0, done
        sessions = control.sessions()
        assert (sessions.identifies, sessions.resumes) == (2, 0)
        assert emulator.control.gateway.starts.as_json()["remaining"] == 998
