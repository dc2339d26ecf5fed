"""Carries a plan out: an emulator, a database, and commands that come, work side by side, and die."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import psycopg

from junkie_cli import config
from junkie_cli.config import Settings
from junkie_cli.db.cluster import Cluster
from junkie_cli.db.database import Database, open_database
from junkie_cli.emulator.gateway import GatewayRules
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import Emulator, running
from tests import postgres
from tests.acceptance.torture.hands import Hands, Place
from tests.acceptance.torture.look import Look
from tests.acceptance.torture.nursery import Child, Nursery, nursery
from tests.acceptance.torture.plan import Plan, Step

PATIENCE: Final = 150.0
"""Seconds in which what must come to rest does."""

_BUGS: Final = re.compile(r"Traceback|unexpected \w+Error|error: unexpected|never retrieved|never awaited|Warning:")
_HELD_UP: Final = 0.5
_HEARTBEATS: Final = GatewayRules(heartbeat_ms=500)

# 1: Discord could not be reached; 3: a channel could not be read; 5: the database went while a command began.
_MAY_END: Final = frozenset({0, 1, 3})


class Failed(AssertionError):
    """What must hold does not. The text says at which step, and what the commands said."""


async def walk(plan: Plan, template: Path) -> None:
    """Carry a plan out on a copy of that home's database. Raises Failed."""
    home = postgres.make_home()
    try:
        shutil.copytree(template / "postgres", home / "postgres", copy_function=_copy)
        _own(template / "postgres", home / "postgres")
        async with AsyncExitStack() as stack:
            world = generate(seed=plan.seed, preset=plan.preset)
            emulator = await stack.enter_async_context(
                running(world, limits=Limits.off(), latency_ms=plan.latency_ms, gateway=_HEARTBEATS)
            )
            (home / "said").mkdir()
            born = await stack.enter_async_context(nursery(home / "said"))
            await _Walk(plan, emulator, born, home).run()
    finally:
        postgres.remove_home(home)


@asynccontextmanager
async def template() -> AsyncIterator[Path]:
    """Give a home with a migrated database that nobody uses."""
    home = postgres.make_home()
    try:
        settings = config.load(environ={"JUNKIE_HOME": str(home)}, folder=home)
        async with open_database(settings, command="template") as database, database.connection() as connection:
            # A machine that loses its power is no part of a walk; a server that is killed is.
            for setting in ("fsync", "full_page_writes"):
                await connection.execute(
                    psycopg.sql.SQL("ALTER SYSTEM SET {} = off").format(psycopg.sql.Identifier(setting))
                )
        yield home
    finally:
        postgres.remove_home(home)


class _Walk:
    def __init__(self, plan: Plan, emulator: Emulator, born: Nursery, home: Path) -> None:
        self.plan = plan
        self.emulator = emulator
        self.hands = Hands(emulator.control)
        self.born = born
        self.home = home
        self.cluster = Cluster(home)
        self.serving: Child | None = None
        self.told_deleted: set[Place] = set()
        self.step = 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.environ = {
            "PATH": os.environ["PATH"],
            "JUNKIE_HOME": str(home),
            "DISCORD_TOKEN": emulator.token,
            "DISCORD_API_URL": emulator.api_url,
            "JUNKIE_ON_DELETE": plan.on_delete,
            "JUNKIE_KEEP_REVISIONS": str(int(plan.keep_revisions)),
            "JUNKIE_ACCEPT_UNREADABLE": "1",
        }
        if plan.own_server:
            self.environ["POSTGRES_URL"] = self.cluster.url

    @property
    def settings(self) -> Settings:
        return config.load(environ=self.environ, folder=self.home)

    async def run(self) -> None:
        await self._start_server()
        for number, step in enumerate(self.plan.steps):
            self.step = number
            self.hands.trail.append(f"step {self.step} {step}")
            try:
                await self._do(step)
            except Failed:
                raise
            except (Exception, asyncio.CancelledError) as error:
                raise self._failed(f"{type(error).__name__}: {error}") from error
        await self._end()

    async def _do(self, step: Step) -> None:
        match step.verb:
            case "command" | "second":
                await self._start(*step.kind.split())
            case "serve":
                if self.serving is None or not self.serving.runs:
                    self.serving = await self._start(
                        "serve", "--health", f"127.0.0.1:{self.port}", MESSAGE_SYNC_LIMIT="9999"
                    )
            case "kill" | "interrupt":
                if running := [child for child in self.born.children if child.runs]:
                    child = running[int(step.where * len(running))]
                    child.send(signal.SIGKILL if step.verb == "kill" else signal.SIGTERM)
            case "server_dies":
                await self._fell_server(signal.Signals[f"SIG{step.kind}"])
                await self._start_server()
            case "server_stops":
                await self._fell_server(signal.Signals[f"SIG{step.kind}"])
            case "server_starts":
                await self._start_server()
            case "breathe":
                await asyncio.sleep(step.count / 1000)
            case "pages":
                await self._until_asked(step.count)
            case "settle":
                await self._settle(whole=step.kind == "whole")
            case _:
                self.hands.do(step)

    # commands

    async def _start(self, *arguments: str, **environ: str) -> Child:
        child = await self.born.start(list(arguments), self.environ | environ)
        child.harmed = self.plan.own_server and self.cluster.postmaster() is None
        return child

    async def _until_asked(self, pages: int) -> None:
        """Wait until so many pages more were asked for, if anybody asks."""
        counts = self.emulator.control.counts()
        goal = counts.messages + pages
        for _ in range(100):
            if counts.messages >= goal or not any(child.runs for child in self.born.children):
                return
            await asyncio.sleep(_HELD_UP / 100)

    async def _ended(self, child: Child) -> int:
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(child.ended)
        except TimeoutError:
            raise self._failed(f"`junkie {child.name}` does not end") from None

    def _see_how_it_ended(self, child: Child, *, may: frozenset[int] = _MAY_END) -> None:
        said = child.said()
        if _BUGS.search(said):
            raise self._failed(f"`junkie {child.name}` lays a bug bare")
        if child.ended.result() not in (may | ({0, -9, -15, 130, 5} if child.harmed else frozenset())):
            raise self._failed(f"`junkie {child.name}` ended with {child.ended.result()}")

    # the server

    async def _start_server(self) -> None:
        if self.plan.own_server and self.cluster.postmaster() is None:
            await asyncio.to_thread(self.cluster.prepare)
            await asyncio.to_thread(self.cluster.start)

    async def _fell_server(self, number: signal.Signals) -> None:
        """End the server in the middle of things. Our own is started again by those who need it, another's by nobody."""
        if (pid := self.cluster.postmaster()) is not None:
            os.kill(pid, number)
        for child in self.born.children:
            # Who had only just begun may say that there is no database.
            child.harmed = child.harmed or child.runs
        if self.plan.own_server:
            while self.cluster.postmaster() is not None:
                await asyncio.sleep(0.005)

    # coming to rest

    async def _settle(self, *, whole: bool) -> None:
        self.hands.calm()
        await self._start_server()
        if whole:
            self.hands.let_in()
        for child in self.born.children:
            if child is not self.serving or child.told_to_end:
                await self._ended(child)
                self._see_how_it_ended(child)
        serves = self.serving is not None and self.serving.runs
        if self.serving is not None and not serves:
            self._see_how_it_ended(self.serving, may=frozenset())
        if serves:
            await self._serve_rests()
        await self._look(serves=serves)
        if whole:
            for arguments in (("backfill",), ("sync", "--limit", "all")):
                child = await self._start(*arguments)
                await self._ended(child)
                self._see_how_it_ended(child, may=frozenset({0}))
                self._see_no_server(serves=serves)
            if serves:
                await self._serve_rests()
            await self._look(serves=serves, whole=True)

    async def _serve_rests(self) -> None:
        """Come back when the serve listens, has nothing more to mend, and has written all that it was told."""
        calm = 0

        def ask() -> dict[str, Any]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                    return dict(json.load(answer))
            except OSError:
                return {}

        try:
            async with asyncio.timeout(PATIENCE):
                while calm < 3:
                    assert self.serving is not None
                    if not self.serving.runs:
                        raise self._failed("the serve ended of itself")
                    state = await asyncio.to_thread(ask)
                    told = self.emulator.control.sessions().connected == 1
                    rests = state.get("status") == "well" and not state["mending"] and not state["queue_depth"]
                    calm = calm + 1 if told and rests else 0
                    await asyncio.sleep(0.03)
        except TimeoutError:
            raise self._failed(f"the serve does not come to rest: {state}") from None

    async def _look(self, *, serves: bool, whole: bool = False) -> None:
        """Look at the archive; beside a serve, until all is well or patience ends."""
        database: Database
        async with open_database(self.settings, command="look") as database:
            deadline = asyncio.get_running_loop().time() + 10.0
            while True:
                look = Look(
                    database, self.hands, self.told_deleted, purges=self.plan.on_delete == "purge", serves=serves
                )
                await look.claims()
                if whole:
                    await look.truth()
                elif serves:
                    await look.truth(recorded=True)
                if not look.wrong:
                    break
                if not serves or asyncio.get_running_loop().time() >= deadline:
                    raise self._failed("\n".join(look.wrong))
                await asyncio.sleep(0.1)
        self._see_no_server(serves=serves)

    def _see_no_server(self, *, serves: bool) -> None:
        """See that the last one out has stopped the embedded server."""
        if not serves and not self.plan.own_server and (pid := self.cluster.postmaster()) is not None:
            raise self._failed(f"the embedded server (process {pid}) was left running")

    async def _end(self) -> None:
        """End the serve, and see that nothing of ours is left."""
        if self.serving is not None and self.serving.runs:
            self.serving.send(signal.SIGTERM)
            code = await self._ended(self.serving)
            self._see_how_it_ended(self.serving, may=frozenset({0}))
            if code != 0:
                raise self._failed(f"the serve ended with {code} when it was told to")
        if self.plan.own_server:
            await asyncio.to_thread(self.cluster.stop)
        else:
            # Who was killed last may have left it running; the next one out stops it.
            child = await self._start("db", "psql", "-c", "SELECT 1")
            await self._ended(child)
        if (pid := self.cluster.postmaster()) is not None:
            raise self._failed(f"the embedded server (process {pid}) was left running")
        if left := _processes_of(self.home):
            raise self._failed(f"processes were left: {left}")

    def _failed(self, what: str) -> Failed:
        said = [f"--- junkie {child.name} ({_ending(child)})\n{child.said()[-3000:]}" for child in self.born.children]
        plan = str(self.plan).split("\n")
        plan[self.step + 1] += "   <-- here"
        trail = ["--- what was done", *self.hands.done_to(what)]
        return Failed("\n".join([*plan, *said, *trail, "", f"seed {self.plan.seed}, step {self.step}: {what}"]))


def _ending(child: Child) -> str:
    return "runs" if child.runs else f"ended with {child.ended.result()}"


def _processes_of(home: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(home) in line:
            found.append(line)
    return found


def _copy(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    shutil.copymode(source, target)


def _own(template: Path, copy: Path) -> None:
    """Give the copy the owners of the original; PostgreSQL insists on them."""
    if os.geteuid() != 0:
        return
    for folder, _, files in os.walk(copy):
        original = template / Path(folder).relative_to(copy)
        owner = original.stat()
        for path in (Path(folder), *(Path(folder) / name for name in files)):
            os.chown(path, owner.st_uid, owner.st_gid)
