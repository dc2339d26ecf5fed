"""What a machine does to a home: a disk that fills up or takes no writes, another user, odd paths, spoiled settings."""

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from junkie_cli.config import Settings
from junkie_cli.db.cluster import Cluster
from junkie_cli.db.database import Database, open_database
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import Emulator, running
from tests import postgres
from tests.command import Done, junkie
from tests.disks import own_disk
from tests.truth import assert_claims_hold, assert_equals_truth

NOBODY = 65534


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(seed=5, preset="4x700"), limits=Limits.off(), latency_ms=2) as started:
        yield started


@pytest.fixture
def mount(junkie_home: Path) -> Iterator[Callable[[str], Path]]:
    """Give a home on a disk of its own with these options; called again, they are changed."""
    with own_disk(junkie_home) as change:
        yield change


def environ(emulator: Emulator, home: Path) -> dict[str, str]:
    return {"JUNKIE_HOME": str(home), "DISCORD_TOKEN": emulator.token, "DISCORD_API_URL": emulator.api_url}


def truths(emulator: Emulator) -> dict[int, list[Any]]:
    return {channel_id: emulator.control.truth(channel_id) for channel_id in emulator.control.readable()}


def error_of(done: Done, code: int) -> str:
    """The one line of an error, that names what to do next."""
    assert done.code == code, done
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done
    assert "; " in errors[0]
    assert done.stderr.splitlines()[-1] == errors[0]
    return errors[0]


async def test_a_disk_that_fills_up_in_the_middle_of_a_run_loses_nothing(
    mount: Callable[[str], Path], emulator: Emulator, make_settings: Callable[..., Settings]
) -> None:
    home = mount("size=200m,mode=711")
    command = junkie(environ(emulator, home))
    assert (await command.run("db", "migrate")).code == 0
    started = await command.start("backfill")
    while emulator.control.counts().messages < 4:
        await asyncio.sleep(0.001)
    film = home / "film"
    fill(film)
    assert "no space left" in error_of(await command.wait(started), 5).lower()
    film.unlink()
    settings = make_settings(**environ(emulator, home))
    database: Database
    async with open_database(settings) as database:
        await assert_claims_hold(database, truths(emulator))
    done = await command.run("backfill")
    assert done.code == 0, done
    async with open_database(settings) as database:
        await assert_equals_truth(database, truths(emulator))
    assert Cluster(home).postmaster() is None


def fill(film: Path) -> None:
    """Write until the disk takes no more, whoever else writes there."""
    with film.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1 << 16)):
            pass


async def test_a_disk_that_takes_no_writes(mount: Callable[[str], Path], emulator: Emulator) -> None:
    home = mount("size=200m,mode=711")
    command = junkie(environ(emulator, home))
    assert (await command.run("db", "migrate")).code == 0
    mount("ro")
    line = error_of(await command.run("backfill"), 5)
    assert "Read-only file system" in line
    assert str(home) in line
    assert emulator.control.counts().messages == 0
    mount("rw")
    assert (await command.run("backfill")).code == 0


@pytest.fixture
def homes() -> Iterator[Callable[[], Path]]:
    made: list[Path] = []

    def make() -> Path:
        made.append(postgres.make_home())
        return made[-1]

    yield make
    for home in made:
        postgres.remove_home(home)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can run a command as somebody else"
)
async def test_two_users_of_one_machine(homes: Callable[[], Path], emulator: Emulator) -> None:
    """Each has a home; the other's is refused in one line, and is none the worse."""
    own, others = homes(), homes()
    os.chown(others, NOBODY, NOBODY)
    reach = await as_nobody(environ(emulator, others), "--version")
    if reach.code != 0:
        pytest.skip(f"another user can't reach the tests' programs: {reach.stderr.strip()[-200:]}")
    ours = junkie(environ(emulator, own))
    both = await asyncio.gather(
        ours.run("backfill"), as_nobody(environ(emulator, others), "backfill", "--concurrency", "2")
    )
    assert [done.code for done in both] == [0, 0], both
    before = (own / "postgres").stat()
    line = error_of(await as_nobody(environ(emulator, own), "backfill"), 5)
    assert str(own) in line
    assert "JUNKIE_HOME" in line
    after = (own / "postgres").stat()
    assert (before.st_uid, before.st_mode) == (after.st_uid, after.st_mode)
    assert (await ours.run("sync", "--quiet")).code == 0


async def as_nobody(given: dict[str, str], *arguments: str) -> Done:
    process = await asyncio.create_subprocess_exec(
        *("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"),
        *(sys.executable, "-m", "junkie_cli", *arguments),
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **given},
        cwd="/",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    assert process.returncode is not None
    return Done(process.returncode, stdout.decode(), stderr.decode())


@pytest.mark.parametrize(
    "name", ["my archive, Übung №1 'quoted' 100% 雪", "a home far longer than the path of a socket may be/" * 3]
)
async def test_a_home_of_any_name(homes: Callable[[], Path], emulator: Emulator, name: str) -> None:
    home = homes() / name
    command = junkie(environ(emulator, home))
    channel = min(emulator.control.readable())
    done = await command.run("backfill", "--channel", str(channel))
    assert done.code == 0, done
    count = await command.run("db", "psql", "-Atc", "SELECT count(*) FROM junkie.messages")
    assert (count.code, count.stdout.strip()) == (0, "700")
    prompt = await command.run("context", str(channel), "--limit", "3", "--offline")
    assert prompt.code == 0, prompt
    cluster = Cluster(home)
    assert cluster.postmaster() is None
    assert cluster.socket_folder == cluster.data or not cluster.socket_folder.exists()


@pytest.mark.parametrize(
    "content",
    [bytes(range(256)), b"DISCORD_TOKEN=\xc3\x28\n", b"DISCORD_TOKEN='MTIz.a.b\n", b"A=b\n" * 400_000],
    ids=["binary", "not UTF-8", "unbalanced quotes", "huge"],
)
async def test_a_spoiled_env_file(homes: Callable[[], Path], content: bytes) -> None:
    home = homes()
    (home / ".env").write_bytes(content)
    line = error_of(await junkie({"JUNKIE_HOME": str(home)}).run("backfill"), 4)
    assert str(home / ".env") in line
    assert "MTIz" not in line
