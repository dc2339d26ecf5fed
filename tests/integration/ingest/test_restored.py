"""An archive that was restored from a dump goes on where the dump was made."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from junkie_cli.client.payload import parse_message
from junkie_cli.config import Settings
from junkie_cli.db import binaries, migrations
from junkie_cli.db.database import open_database
from junkie_cli.emulator.control import Control
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import Emulator, running
from tests import postgres
from tests.integration.ingest.scene import Scene
from tests.truth import assert_equals_truth

MakeSettings = Callable[..., Settings]


def program(name: str, database_url: str) -> Path:
    """One of PostgreSQL's programs, of a version that can read the server's databases."""
    ours = binaries.resolve(None)
    with psycopg.connect(database_url) as connection:
        if connection.info.server_version // 10_000 > ours.major():
            pytest.skip("the server is newer than the programs that come with junkie")
    return ours.program(name)


def dumped(database_url: str) -> str:
    """The schema as `pg_dump` writes it."""
    command: list[str | Path] = [
        program("pg_dump", database_url),
        "--schema=junkie",
        "--no-owner",
        "--no-privileges",
        "-d",
        database_url,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}).stdout


def restore(dump: str, database_url: str) -> None:
    command: list[str | Path] = [program("psql", database_url), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database_url]
    subprocess.run(command, input=dump, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]})


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(seed=5, preset="3x250"), limits=Limits.off()) as started:
        yield started


@asynccontextmanager
async def archive(emulator: Emulator, make_settings: MakeSettings, url: str) -> AsyncIterator[Scene]:
    def settings(**environ: str) -> Settings:
        return make_settings(POSTGRES_URL=url, **environ)

    async with open_database(settings()) as database:
        yield Scene(emulator, database, settings)


def change(control: Control, channel_id: int) -> None:
    """What nobody hears: a new message, an edit, a deletion, a deletion of what came from afar."""
    ids = control.ids(channel_id)
    with control.silent():
        control.post(channel_id, "since")
        control.edit(channel_id, ids[-20], "edited since")
        control.delete(channel_id, ids[-30])
        control.delete(channel_id, ids[10])


async def test_a_dump_of_a_run_in_its_midst_goes_on(
    emulator: Emulator, database_url: str, empty_database_url: str, make_settings: MakeSettings
) -> None:
    control = emulator.control
    first, *_, last = sorted(control.readable())
    async with archive(emulator, make_settings, database_url) as scene:
        hold = control.hold(first)
        run = asyncio.create_task(scene.backfill(concurrency=2))
        await hold.arrived.wait()
        # The other one's pages are stored, this one's are not, and the command is on record as alive.
        while not await scene.database.fetch("SELECT FROM junkie.channel_status WHERE is_fully_backfilled"):
            await asyncio.sleep(0.01)
        dump = await asyncio.to_thread(dumped, database_url)
        hold.release()
        await run
    change(control, last)

    await asyncio.to_thread(restore, dump, empty_database_url)
    async with archive(emulator, make_settings, empty_database_url) as scene:
        ((workers, seen, highest),) = await scene.database.fetch(
            "SELECT (SELECT count(*) FROM junkie.workers), (SELECT last_value FROM junkie.seen), max(seen)"
            " FROM junkie.messages"
        )
        # What was written last is still what counts as newest.
        assert (workers, seen >= highest) == (1, True)
        await scene.backfill()
        await scene.sync(limit=None)
        await assert_equals_truth(scene.database, scene.truths())
        # It is not alive here, and takes no part of the rate limit for long.
        await scene.database.fetch("UPDATE junkie.workers SET heartbeat_at = now() - interval '1 minute' RETURNING 1")
        async with scene.opened("backfill") as (_, presence):
            assert presence.sharing == 1
            assert await scene.database.fetch("SELECT count(*) FROM junkie.workers") == [(1,)]


async def fill(connection: psycopg.AsyncConnection[object], control: Control) -> None:
    """Write all that shows as the second version of the tables held it."""
    for channel_id in control.readable():
        messages = [parse_message(payload, channel_id).message for payload in control.truth(channel_id)]
        async with connection.cursor() as cursor:
            await cursor.executemany(
                "INSERT INTO junkie.messages (channel_id, message_id, author_id, seen, edited_at, reply_to, type, author_name,"
                " content, extra) VALUES (%s, %s, %s, nextval('junkie.seen'), %s, %s, %s, %s, %s, %s)",
                [
                    (
                        *(m.channel_id, m.message_id, m.author_id, m.edited_at, m.reply_to, m.type, m.author_name),
                        *(m.content, None if m.extra is None else Jsonb(m.extra)),
                    )
                    for m in messages
                ],
            )
        await connection.execute(
            "INSERT INTO junkie.channel_status (channel_id, is_fully_backfilled, covered, message_count, unwatched_since)"
            " VALUES (%s, true, int8multirange(int8range(%s, %s)), %s, now())",
            [channel_id, channel_id, messages[-1].message_id + 1, len(messages)],
        )


async def test_a_dump_of_an_older_version_is_brought_up_to_date_and_goes_on(
    emulator: Emulator,
    server_url: str,
    empty_database_url: str,
    make_settings: MakeSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    control = emulator.control
    older = migrations.known()[:2]
    with postgres.database(server_url) as older_url:
        async with await psycopg.AsyncConnection.connect(older_url, autocommit=True) as connection:
            with monkeypatch.context() as patched:
                patched.setattr(migrations, "known", lambda: older)
                await migrations.migrate(connection)
            await fill(connection, control)
        dump = await asyncio.to_thread(dumped, older_url)
    changed = max(control.readable())
    change(control, changed)

    await asyncio.to_thread(restore, dump, empty_database_url)
    async with archive(emulator, make_settings, empty_database_url) as scene:
        assert len(await scene.database.fetch("SELECT FROM junkie.schema_migrations")) == len(migrations.known())
        control.reset_counts()
        summary = await scene.backfill()
        assert summary.new == 1
        # Nothing that came with the dump is asked for again but the stretch that may have filled up late.
        assert set(control.counts().channels) == {changed}
        done = await scene.sync(limit=None)
        assert (done.edited, done.deleted) == (1, 2)
        await assert_equals_truth(scene.database, scene.truths())
