"""Guilds and channels by their names: as Discord shows them now, on the first run too, and as the archive remembers them."""

from typing import Any

import pytest

from junkie_cli.cli import naming
from junkie_cli.db.places import Places
from junkie_cli.emulator.entities import ChannelType
from junkie_cli.errors import ConfigError, UsageError
from junkie_cli.ingest.naming import settle
from junkie_cli.ingest.selection import LABELS, Selection, find
from junkie_cli.reference import Asked, Known, Label, Wanted
from tests.integration.ingest.conftest import MakeScene
from tests.integration.ingest.scene import Scene


async def settled(s: Scene, **named: Any) -> Selection:
    async with s.opened("test") as (discord, _):
        return await settle(Selection.read(**named), discord, s.database)


async def refusal(s: Scene, **named: Any) -> str:
    with pytest.raises(UsageError) as caught:
        await settled(s, **named)
    return f"{caught.value.message}; {caught.value.hint}"


def guild_of(s: Scene) -> int:
    return min(s.emulator.world.guilds)


async def test_with_nothing_archived_yet(scene: MakeScene) -> None:
    async with scene("2x5") as s:
        guild = guild_of(s)
        s.control.rename_guild(guild, "My Server")
        channel = s.control.add_channel(guild, "first-steps", ChannelType.TEXT).id
        thread = s.control.add_thread(channel, "Welcome all").id
        category = s.control.add_channel(guild, "Rooms", ChannelType.CATEGORY).id
        found = await settled(
            s, channels=["my server/#First-Steps", "welcome all"], exclude=["rooms"], guilds=["my server"]
        )
        assert found == Selection(frozenset({guild}), frozenset({channel, thread}), frozenset({category}))
        summary = await s.backfill(selection=found)
        assert summary.channels == 2
        assert "did you mean My Server/first-steps" in await refusal(s, channels=["first-step"])
        assert "knows no guild 'elsewhere'" in await refusal(s, guilds=["elsewhere"])


async def test_without_names_nobody_is_asked(scene: MakeScene) -> None:
    async with scene("1x5") as s, s.opened("test") as (discord, _):
        before = s.control.counts()
        selection = Selection.read(channels=["5"])
        assert await settle(selection, discord, s.database) is selection
        assert s.control.counts() == before


async def test_discord_outweighs_what_the_archive_remembers(scene: MakeScene) -> None:
    async with scene("2x5") as s:
        guild, old = guild_of(s), s.first_channel
        s.control.change_channel(old, name="talk")
        await s.backfill()
        s.control.change_channel(old, name="old-talk")
        new = s.control.add_channel(guild, "talk", ChannelType.TEXT).id
        assert (await settled(s, channels=["talk"])).channels == {new}
        assert (await settled(s, channels=["old-talk"])).channels == {old}


async def test_what_discord_does_not_list_the_archive_knows(scene: MakeScene) -> None:
    async with scene("2x5") as s:
        guild, channel = guild_of(s), s.first_channel
        lost = s.control.add_channel(guild, "secrets", ChannelType.TEXT).id
        thread = s.control.add_thread(channel, "Old matters").id
        await s.backfill()
        s.control.archive(thread)
        s.control.delete_channel(lost)
        assert (await settled(s, channels=["old matters"], exclude=["secrets"])).channels == {thread}
        # One that shows now outweighs one that does not.
        shown = s.control.add_channel(guild, "secrets", ChannelType.TEXT).id
        assert (await settled(s, channels=["secrets"])).channels == {shown}


async def test_a_guild_narrows_the_search(scene: MakeScene) -> None:
    async with scene("1x5") as s:
        one = guild_of(s)
        two = s.control.add_guild("Second").id
        s.control.add_bot(two)
        ids = [s.control.add_channel(guild, "lobby", ChannelType.TEXT).id for guild in (one, two)]
        assert "'lobby' may be " in await refusal(s, channels=["lobby"])
        assert (await settled(s, channels=["lobby"], guilds=["second"])).channels == {ids[1]}
        assert (await settled(s, channels=["second/lobby"])).channels == {ids[1]}
        # So it does in the archive.
        await s.backfill()
        read = Selection.read(channels=["lobby"], guilds=["second"])
        assert (await naming.settled(read, s.database.fetch)).channels == {ids[1]}
        assert await naming.find_id(Asked("lobby", Wanted.CHANNEL), s.database.fetch, guild_id=one) == ids[0]
        with pytest.raises(UsageError, match="may be"):
            await naming.settled(Selection.read(channels=["lobby"]), s.database.fetch)
        s.control.remove_bot(two)
        assert (await settled(s, channels=["lobby"])).channels == {ids[0]}


async def test_what_a_variable_names_is_configuration(scene: MakeScene) -> None:
    async with scene("1x5") as s:
        labels = {wanted: Label(f"JUNKIE_{wanted.name} (environment)", configured=True) for wanted in LABELS}
        async with s.opened("test") as (discord, _):
            for named in (Selection.read(channels=["999"], labels=labels), Selection.read(["999"], labels=labels)):
                with pytest.raises(ConfigError, match=r"^JUNKIE_\w+ \(environment\): .*999"):
                    await anext(find(discord, Places(s.database), named, lambda _: None))
            with pytest.raises(
                ConfigError, match=r"^JUNKIE_CHANNEL \(environment\): Discord, like the archive, knows no channel"
            ):
                await settle(Selection.read(channels=["nowhere"], labels=labels), discord, s.database)


async def test_the_archive_alone(scene: MakeScene) -> None:
    async with scene("2x5") as s:
        guild, channel = guild_of(s), s.first_channel
        s.control.rename_guild(guild, "\x1b[31mRed\u202e")
        s.control.change_channel(channel, name="nul\x00l")
        await s.backfill()
        fetch = s.database.fetch
        read = Selection.read(channels=["[31mred/null"], guilds=["31mred"])
        assert await naming.settled(read, fetch) == Selection(frozenset({guild}), frozenset({channel}))
        assert await naming.find_id(Asked("5", Wanted.CHANNEL), fetch) == 5
        with pytest.raises(UsageError, match="the archive knows no channel 'nowhere'"):
            await naming.find(Asked("nowhere", Wanted.MESSAGES), fetch)
        author = s.control.truth(channel)[0]["author"]
        found = await naming.find(Asked("@" + author["username"], Wanted.USER), fetch)
        assert isinstance(found, Known)
        assert found.snowflake == int(author["id"])
