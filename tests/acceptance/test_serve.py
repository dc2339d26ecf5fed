"""`junkie serve` as a supervisor runs it."""

import asyncio
import json
import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from junkie_cli.config import Settings
from junkie_cli.db.database import Database, open_database
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import Emulator, running
from tests.command import Command, Started, junkie
from tests.truth import archived, assert_claims_hold, assert_equals_truth

MakeSettings = Callable[..., Settings]


@dataclass
class Stage:
    """An emulator, and serves beside it with an embedded database."""

    emulator: Emulator
    command: Command
    settings: Settings
    home: Path
    port: int

    async def start(self, *arguments: str) -> Started:
        """Start a serve, and come back when it listens and has nothing more to mend."""
        started = await self.command.start("serve", "--health", f"127.0.0.1:{self.port}", *arguments)
        await self.until(lambda state: state["status"] == "well" and not state["mending"], started)
        return started

    async def health(self) -> dict[str, Any]:
        def ask() -> dict[str, Any]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                    return {"code": 200, **json.load(answer)}
            except urllib.error.HTTPError as refusal:
                return {"code": refusal.code, **json.load(refusal)}
            except OSError:
                return {"code": 0, "status": "silent", "mending": True}

        return await asyncio.to_thread(ask)

    async def until(self, condition: Callable[[dict[str, Any]], bool], started: Started) -> dict[str, Any]:
        async with asyncio.timeout(60):
            while not condition(state := await self.health()):
                assert started.returncode is None, (await self.command.wait(started)).stderr
                await asyncio.sleep(0.05)
            return state

    def server_pids(self) -> list[int]:
        """Return the processes of the embedded server, the postmaster first."""
        pid_files = list(self.home.rglob("postmaster.pid"))
        if not pid_files:
            return []
        postmaster = int(pid_files[0].read_text().split("\n")[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children")
        return [postmaster, *map(int, children.read_text().split())] if children.exists() else []

    def truths(self) -> dict[int, list[Any]]:
        control = self.emulator.control
        return {channel_id: control.truth(channel_id) for channel_id in control.readable()}

    async def assert_true(self) -> None:
        """Fail unless the archive becomes the truth within a while."""
        database: Database
        async with open_database(self.settings) as database:
            for _ in range(100):
                try:
                    await assert_equals_truth(database, self.truths(), names=False)
                except AssertionError:
                    await asyncio.sleep(0.1)
                else:
                    return
            await assert_equals_truth(database, self.truths(), names=False)


@pytest.fixture
def stage(make_settings: MakeSettings, junkie_home: Path) -> Any:
    @asynccontextmanager
    async def make(preset: str = "2x150", **environ: str) -> AsyncIterator[Stage]:
        async with running(generate(seed=3, preset=preset), limits=Limits.off()) as emulator:
            given = {
                "JUNKIE_HOME": str(junkie_home),
                "DISCORD_TOKEN": emulator.token,
                "DISCORD_API_URL": emulator.api_url,
                **environ,
            }
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            yield Stage(emulator, junkie(given), make_settings(**given), junkie_home, port)

    return make


async def test_it_tells_its_supervisor_and_ends_well_when_told_to(stage: Any, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(str(tmp_path / "notify"))
        supervisor.settimeout(30)
        async with stage(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="600000000") as s:
            started = await s.start()
            told = {await asyncio.to_thread(supervisor.recv, 100) for _ in range(2)}
            assert told == {b"READY=1", b"WATCHDOG=1"}
            channel = min(s.emulator.control.readable())
            s.emulator.control.post(channel, "the last word")
            await s.until(lambda state: state["written"]["new"] >= 1, started)
            metrics = await asyncio.to_thread(
                lambda: urllib.request.urlopen(f"http://127.0.0.1:{s.port}/metrics", timeout=5).read().decode()
            )
            assert 'junkie_messages_total{change="new"} 1.0' in metrics
            assert "junkie_gateway_connected 1.0" in metrics
            started.process.send_signal(signal.SIGTERM)
            done = await s.command.wait(started)
            assert done.code == 0, done.stderr
            assert done.stdout == ""
            assert await asyncio.to_thread(supervisor.recv, 100) == b"STOPPING=1"
            assert s.emulator.control.sessions().connected == 0
            database: Database
            async with open_database(s.settings) as database:
                await assert_claims_hold(database, s.truths())
                assert set(s.emulator.control.ids(channel)) == set(await archived(database, channel))


async def test_killed_and_started_again(stage: Any) -> None:
    async with stage() as s:
        started = await s.start()
        channel = min(s.emulator.control.readable())
        s.emulator.control.post(channel, "heard")
        await s.command.kill(started)
        ids = s.emulator.control.ids(channel)
        for n in range(120):
            s.emulator.control.post(channel, f"unheard {n}")
        s.emulator.control.edit(channel, ids[-5], "edited unheard")
        s.emulator.control.delete(channel, ids[-6])
        started = await s.start()
        await s.assert_true()
        started.terminate_like_ctrl_c()
        assert (await s.command.wait(started)).code == 0


async def test_the_database_killed_in_mid_stream(stage: Any) -> None:
    async with stage() as s:
        started = await s.start()
        channel = min(s.emulator.control.readable())
        for n in range(200):
            message = s.emulator.control.post(channel, f"message {n}")
            if n % 7 == 0:
                s.emulator.control.edit(channel, message, f"edited {n}")
            if n % 11 == 0:
                s.emulator.control.delete(channel, message)
            if n == 100:
                await s.command.kill_server(s.home)
            await asyncio.sleep(0.005)
        await s.assert_true()
        started.process.send_signal(signal.SIGTERM)
        assert (await s.command.wait(started)).code == 0


async def test_it_is_unwell_while_the_gateway_is_away(stage: Any) -> None:
    async with stage() as s:
        started = await s.start()
        s.emulator.control.gateway_down()
        assert (await s.until(lambda state: state["code"] == 503, started))["status"] == "unwell"
        channel = min(s.emulator.control.readable())
        for n in range(20):
            s.emulator.control.post(channel, f"meanwhile {n}")
        s.emulator.control.gateway_up()
        await s.until(lambda state: state["status"] == "well" and not state["mending"], started)
        await s.assert_true()
        started.process.send_signal(signal.SIGTERM)
        assert (await s.command.wait(started)).code == 0


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1", "127.0.0.1:99999", "256.1.1.1:80"])
async def test_a_health_address_that_makes_no_sense(stage: Any, address: str) -> None:
    async with stage("1x1") as s:
        done = await s.command.run("serve", "--health", address)
        assert done.code == 2
        assert done.stderr.count("\n") == 1
        assert "--health" in done.stderr


async def test_the_database_stands_still_in_mid_stream(stage: Any) -> None:
    async with stage() as s:
        started = await s.start()
        control, channel = s.emulator.control, min(s.emulator.control.readable())
        control.post(channel, "before")
        pids = s.server_pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            for n in range(100):
                message = control.post(channel, f"meanwhile {n}")
                if n % 3 == 0:
                    control.edit(channel, message, f"edited {n}")
                if n % 5 == 0:
                    control.delete(channel, message)
            await s.until(lambda state: state["code"] == 503 and state["database"] == "away", started)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        control.post(channel, "after")
        await s.until(lambda state: state["status"] == "well" and not state["mending"], started)
        await s.assert_true()
        started.process.send_signal(signal.SIGTERM)
        assert (await s.command.wait(started)).code == 0
