"""Guilds as wholes: that the bot is not in one any more, or may have missed something there."""

from datetime import UTC, datetime

import pytest

from junkie_cli.db.database import Database
from junkie_cli.db.places import Places
from junkie_cli.models import Channel, Guild

CHANNELS = {11: 1, 12: 1, 21: 2, 31: 3}
"""Channels, and their guilds."""


@pytest.fixture
async def places(database: Database) -> Places:
    found = Places(database)
    channels = [Channel(channel_id, guild_id, None, 0, "general", None) for channel_id, guild_id in CHANNELS.items()]
    walked = {(channel_id, "public"): datetime(2026, 1, 1, tzinfo=UTC) for channel_id in CHANNELS}
    guilds = [Guild(guild_id, "one of three") for guild_id in (1, 2, 3)]
    await found.store(guilds, [], channels, dict.fromkeys(CHANNELS), walked)
    return found


async def gone(database: Database) -> tuple[set[int], set[int]]:
    """Return which guilds and channels are gone."""
    guilds = await database.fetch("SELECT g.guild_id FROM junkie.guilds AS g WHERE g.gone_at IS NOT NULL")
    channels = await database.fetch("SELECT s.channel_id FROM junkie.channel_status AS s WHERE s.gone_at IS NOT NULL")
    return {row[0] for row in guilds}, {row[0] for row in channels}


async def test_all_guilds_but_those_that_the_bot_is_in_are_gone(database: Database, places: Places) -> None:
    await places.mark_left([1, 2, 3, 4])
    assert await gone(database) == (set(), set())
    await places.mark_left([2])
    assert await gone(database) == ({1, 3}, {11, 12, 31})
    assert set(await places.walked()) == {(21, "public")}


async def test_one_guild_is_gone_with_what_came_of_it_since_it_was_told_to_be(
    database: Database, places: Places
) -> None:
    await places.mark_guild_gone(1)
    assert await gone(database) == ({1}, {11, 12})
    since = await database.fetch("SELECT g.gone_at FROM junkie.guilds AS g WHERE g.guild_id = 1")
    await places.store([], [], [Channel(13, 1, None, 0, "late", None)], {13: None})
    await places.mark_guild_gone(1)
    assert await gone(database) == ({1}, {11, 12, 13})
    assert await database.fetch("SELECT g.gone_at FROM junkie.guilds AS g WHERE g.guild_id = 1") == since


async def test_a_guild_that_is_back_is_not_gone(database: Database, places: Places) -> None:
    await places.mark_left([])
    await places.store([Guild(2, "back")], [], [], {21: None})
    assert await gone(database) == ({1, 3}, {11, 12, 31})


async def test_what_was_missed_in_a_guild_concerns_its_channels_and_those_of_no_guild(
    database: Database, places: Places
) -> None:
    await places.store([], [], [Channel(41, None, None, 1, "a direct message", None)], {41: None})
    await database.fetch("UPDATE junkie.channel_status SET covered = '{[1,9)}' RETURNING 1")
    await places.note_guilds_unwatched([1, 3, 9])
    missed = "SELECT s.channel_id FROM junkie.channel_status AS s WHERE s.unwatched_since IS NOT NULL"
    assert {row[0] for row in await database.fetch(missed)} == {11, 12, 31, 41}
