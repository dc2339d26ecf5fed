"""Which commands count as alive: not those of a database that this one was copied from, nor those that stand still."""

from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

from junkie_cli.config import Settings
from junkie_cli.coverage import Range
from junkie_cli.db.database import Database
from junkie_cli.db.history import Stretch, open_history
from junkie_cli.db.places import Places
from junkie_cli.db.reader import Reader
from junkie_cli.db.status import open_status
from junkie_cli.db.workers import Presence, present
from junkie_cli.db.writer import Writer, page_batch
from junkie_cli.ingest.sync import STALLED
from junkie_cli.models import Channel, Message, Page, PageRequest
from tests import postgres

BOT, CHANNEL = 5, 1_000


@pytest.fixture
async def copied(database: Database, server_url: str) -> AsyncIterator[Database]:
    """A database with a channel and the row of a serve that is alive, and connected to another database of this server."""
    await Places(database).store([], [], [Channel(CHANNEL, 1, None, 0, "general", 2_000)], {CHANNEL: None})
    shown = (Message(CHANNEL, 2_000, 7, "Ann", "hello"),)
    page = Page(PageRequest(CHANNEL, before=3_000), (2_000,), shown)
    await Writer(database).write(page_batch(page, seen=1, claim=Range(CHANNEL, 2_001)))
    with postgres.database(server_url) as original, psycopg.connect(original, autocommit=True) as connection:
        await database.fetch(
            "INSERT INTO junkie.workers (command, bot_id, host, pid, backend_pid, started_at, live_at)"
            " VALUES ('serve', %(bot)s, 'here', 1, %(pid)s, now() - interval '2 hours', now()) RETURNING 1",
            {"bot": BOT, "pid": connection.info.backend_pid},
        )
        yield database


async def test_it_keeps_nothing_fresh_here_and_watches_nothing(
    copied: Database, database_url: str, make_settings: Callable[..., Settings]
) -> None:
    await copied.fetch(
        "UPDATE junkie.channel_status SET checked_at = now() - interval '1 hour', unwatched_since = NULL RETURNING 1"
    )
    settings = make_settings(POSTGRES_URL=database_url)
    async with open_history(settings) as history, history.snapshot() as snapshot:
        place, _ = await snapshot.fetch(Stretch(CHANNEL, 0, 3_000, 1))
        assert not place.served
    async with open_status(settings) as status, status.snapshot() as shown:
        archive = await shown.archive()
    assert archive.workers == []
    assert archive.records[0].state.unwatched_since is not None
    places = Places(copied)
    await places.note_checked([CHANNEL], await places.now())
    assert (await Reader(copied).channel_states([CHANNEL]))[CHANNEL].unwatched_since is not None


async def test_it_takes_no_part_of_the_rate_limit_and_is_removed(copied: Database) -> None:
    async with present(copied, "sync", BOT) as presence:
        assert presence.sharing == 1
        assert await copied.fetch("SELECT command FROM junkie.workers") == [("sync",)]


async def test_one_that_is_stopped_still_holds_what_it_held_and_is_alive_again_when_it_goes_on(
    database: Database,
) -> None:
    """As by SIGSTOP, or on a machine that slept: its connections stand, and it does not beat."""
    stopped = Presence(database, await database.dedicated(), "sync", BOT)
    try:
        await stopped.register()
        assert await stopped.try_lock_command()
        await database.fetch(
            "UPDATE junkie.workers SET heartbeat_at = now() - interval '20 minutes',"
            " progress_at = now() - interval '20 minutes' RETURNING 1"
        )
        async with present(database, "sync", BOT) as second:
            assert not await second.try_lock_command()
            assert await second.idle_seconds() >= STALLED
            assert second.sharing == 1
            await stopped.busy()
            await second.busy()
            assert second.sharing == 2
    finally:
        await stopped.leave()
