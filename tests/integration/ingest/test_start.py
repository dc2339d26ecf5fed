"""What a serve's start costs, and that it trusts nothing it did not hear."""

import asyncio

import pytest

from junkie_cli.client.session import DiscordClient
from junkie_cli.emulator.traffic import Counts
from junkie_cli.ingest import mending
from junkie_cli.models import Guild
from tests.integration.ingest.conftest import MakeScene
from tests.integration.ingest.scene import Scene
from tests.integration.ingest.serving import serving_on, until, until_held, until_true
from tests.truth import assert_claims_hold

pytestmark = pytest.mark.usefixtures("no_long_waits")


def populate(s: Scene, guilds: int) -> None:
    """Add guilds of one channel of five messages each, a day old."""
    world = s.control.world
    with world.silent():
        for n in range(guilds):
            guild = world.add_guild(f"guild {n}", at_ms=world.end_ms - 2 * 86_400_000 + n)
            channel = world.add_channel(guild.id, "general")
            for m in range(5):
                world.post(channel.id, f"message {m}", author_id=guild.owner_id)


def assert_cheap(s: Scene, counts: Counts) -> None:
    """Each guild was listed once, and at most two pages asked for in each channel."""
    pages = 2
    guilds, channels = len(s.control.world.guilds), len(s.control.readable())
    routes = counts.routes
    assert routes["guilds"] == 1
    assert routes["guild"] == routes["member"] == routes["channels"] == guilds
    assert routes["active_threads"] == 2 * guilds
    assert routes["public_archived"] + routes["joined_archived"] + routes["private_archived"] <= 2 * channels
    assert max(counts.channels.values()) <= pages
    assert counts.messages <= pages * channels
    # A few for the bot itself; the lists of archived threads are there for each text channel.
    assert counts.total <= 5 * guilds + (2 + pages) * channels + 10


async def test_a_start_lists_each_guild_once_and_reads_no_channel_thrice(scene: MakeScene) -> None:
    async with scene("2x20") as s:
        populate(s, 12)
        for _ in ("nothing is archived yet", "all is archived"):
            s.control.reset_counts()
            async with serving_on(s) as serve:
                await until(serve._hears_all)
            assert_cheap(s, s.control.counts())
        await until_true(s)


async def test_a_new_session_lists_each_guild_once(scene: MakeScene) -> None:
    async with scene("2x20") as s:
        populate(s, 5)
        async with serving_on(s) as serve:
            s.control.reset_counts()
            s.control.forget_sessions()
            s.control.disconnect(abort=True)
            await until(lambda: s.control.sessions().identifies >= 2)
            await until(lambda: serve.vitals().connected and serve._hears_all())
        assert_cheap(s, s.control.counts())


async def test_a_new_session_of_one_shard_looks_at_its_guilds_alone(scene: MakeScene) -> None:
    async with scene("2x20") as s:
        populate(s, 6)
        s.control.set_session_starts(shards=2, max_concurrency=2)
        guilds = s.control.world.guilds
        own = {guild_id for guild_id in guilds if (guild_id >> 22) % 2 == 1}
        assert own != set(guilds)
        async with serving_on(s) as serve:
            await until(serve._hears_all)
            s.control.reset_counts()
            with s.control.silent():
                for guild_id in own:
                    channel = min(guilds[guild_id].channels)
                    s.control.edit(channel, s.control.ids(channel)[0], "edited unheard")
            s.control.disconnect(forget=True, shard=1)
            await until(lambda: s.control.sessions().identifies >= 3)
            await until(lambda: serve.vitals().connected and serve._hears_all())
            counts = s.control.counts()
            assert counts.routes["guild"] == len(own)
            asked = {s.control.world.channel(channel).guild for channel in counts.channels}
            assert {guild.id for guild in asked if guild is not None} == own
            await until_true(s)
            # Of the others nothing was missed, and nothing is said to have been.
            assert not await s.database.fetch("SELECT FROM junkie.channel_status WHERE unwatched_since IS NOT NULL")


async def test_a_guild_that_is_told_of_only_after_it_was_listed_is_listed_again(
    scene: MakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happened in between nobody told, though the start is still at work."""
    monkeypatch.setattr(mending, "GATHER_SECONDS", 0.0)
    async with scene("2x20") as s:
        guild = only_guild(s)
        s.control.unavailable(guild)
        held = s.control.hold(s.first_channel)

        async def meanwhile() -> None:
            await held.arrived.wait()
            thread = s.control.add_thread(s.control.readable()[1], "whose making was not heard").id
            s.control.post(thread, "unheard")
            s.control.available(guild)
            await until_told(s, "SELECT FROM junkie.channels WHERE channel_id = %(id)s", thread)
            held.release()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(meanwhile())
            async with serving_on(s) as serve:
                await until(serve._hears_all)
                await until_true(s)
        assert s.control.counts().routes["guild"] == 2


async def test_a_guild_that_is_told_of_only_just_before_it_is_listed_is_listed_once(
    scene: MakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mending, "GATHER_SECONDS", 0.0)
    async with scene("2x20") as s:
        guild = only_guild(s)
        s.control.unavailable(guild)
        ask = DiscordClient.guilds

        async def guilds(self: DiscordClient) -> list[Guild]:
            found = await ask(self)
            s.control.available(guild)
            await until_told(s, "SELECT FROM junkie.guilds WHERE guild_id = %(id)s", guild)
            return found

        monkeypatch.setattr(DiscordClient, "guilds", guilds)
        async with serving_on(s) as serve:
            await until(serve._hears_all)
            await until_true(s)
        assert s.control.counts().routes["guild"] == 1


async def test_what_was_compared_before_something_was_missed_is_compared_again(scene: MakeScene) -> None:
    """Between the pages of the start's backfill and its sync an edit goes unheard."""
    async with scene("2x20") as s:
        channel, other = s.control.readable()[:2]
        edited = s.control.ids(channel)[3]
        held = s.control.hold(other)

        async def meanwhile() -> None:
            await held.arrived.wait()
            await until_held(s, channel, *s.control.ids(channel))
            s.control.pause_events(drop=True)
            s.control.edit(channel, edited, "edited unheard")
            s.control.resume_events()
            s.control.send_raw("MESSAGE_UPDATE", {"id": "nonsense", "channel_id": str(channel)})
            # Once this is archived, that was taken in.
            await until_held(s, channel, s.control.post(channel, "heard"))
            held.release()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(meanwhile())
            async with serving_on(s):
                await assert_claims_hold(s.database, s.truths())
                await until_true(s)


def only_guild(s: Scene) -> int:
    guild = s.control.world.channel(s.first_channel).guild
    assert guild is not None
    return guild.id


async def until_told(s: Scene, query: str, snowflake: int) -> None:
    """Wait until what the gateway told of a place is in the archive."""
    for _ in range(200):
        if await s.database.fetch(query, {"id": snowflake}):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{snowflake} was never told of")
