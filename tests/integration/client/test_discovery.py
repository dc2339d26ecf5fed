from collections.abc import Callable
from typing import Any

import pytest

from junkie_cli.client.discovery import GuildInventory, ListKey
from junkie_cli.client.session import open_client
from junkie_cli.client.threads import Listing
from junkie_cli.config import Settings
from junkie_cli.emulator.entities import ChannelType
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.server import running
from junkie_cli.errors import ChannelForbidden, ChannelNotFound, DiscordUnavailable
from junkie_cli.models import Guild
from tests.integration.client.conftest import Scene, Scenes


async def discover(scene: Scene, guild: Guild, *, threads: bool = True, **how: Any) -> GuildInventory:
    listing = await scene.discord.listing(guild)
    return await scene.discord.with_threads(listing, **how) if threads else listing.inventory


async def inventory(scene: Scene, **how: Any) -> GuildInventory:
    (guild,) = await scene.discord.guilds()
    return await discover(scene, guild, **how)


def by_name(found: GuildInventory) -> dict[str, Any]:
    return {one.channel.name: one for one in found.channels}


async def test_everything_readable_is_found_and_nothing_else_called_readable(scenes: Scenes) -> None:
    async with scenes() as s:
        found = await inventory(s)
        readable = {
            one.channel.channel_id for one in found.channels if one.access.readable and one.channel.holds_messages
        }
        assert readable == set(s.control.readable())
        assert found.guild.name == "Pixel & Pine"
        assert {role.name for role in found.roles} >= {"@everyone"}
        assert found.unlisted == ()
        one = by_name(found)
        assert one["Community"].channel.type == ChannelType.CATEGORY
        assert one["staff"].access.reason == "lacks View Channel"
        assert one["write-only"].access.reason == "lacks Read Message History"
        assert one["Old netcode"].channel.archived_at is not None
        assert one["Save format"].channel.archived_at is None
        assert one["Save format"].channel.parent_id == s.control.named("dev")
        assert one["general"].channel.last_message_id == s.control.ids(s.channel)[-1]


async def test_a_channel_asked_for_by_its_id_is_the_one_that_was_listed(scenes: Scenes) -> None:
    async with scenes() as s:
        for one in (await inventory(s)).channels:
            if one.access.reason == "lacks View Channel":
                with pytest.raises(ChannelForbidden):
                    await s.discord.channel(one.channel.channel_id)
                assert not (await s.discord.access(one.channel.channel_id)).readable
            else:
                assert await s.discord.channel(one.channel.channel_id) == one
        with pytest.raises(ChannelNotFound):
            await s.discord.channel(123456789012345678)
        with pytest.raises(ChannelNotFound):
            await s.discord.access(123456789012345678)


async def test_without_threads_no_list_of_them_is_asked_for(scenes: Scenes) -> None:
    async with scenes() as s:
        found = await inventory(s, threads=False)
        assert not [one for one in found.channels if one.channel.is_thread]
        assert s.control.counts().total == 4


async def test_private_threads_are_found_by_members_and_by_managers(scenes: Scenes) -> None:
    async with scenes() as s:
        world, dev = s.control.world, s.control.named("dev")
        mine = s.control.add_thread(dev, "mine", private=True, joined=True)
        others = s.control.add_thread(dev, "others", private=True)
        s.control.archive(mine.id)
        s.control.archive(others.id)
        world.set_overwrite(dev, world.bot.id, deny=Right.MANAGE_THREADS)
        names = by_name(await inventory(s))
        assert names["mine"].access.readable
        assert "others" not in names
        assert s.control.counts().routes["joined_archived"] > 0
        world.set_overwrite(dev, world.bot.id, allow=Right.MANAGE_THREADS)
        assert by_name(await inventory(s))["others"].access.readable


async def test_hundreds_of_archived_threads_that_share_moments_are_all_found(scenes: Scenes) -> None:
    async with scenes() as s:
        dev = s.control.named("dev")
        made = {s.control.add_thread(dev, f"t{n}").id for n in range(330)}
        for n, thread_id in enumerate(sorted(made)):
            s.control.archive(thread_id, at_ms=1_751_400_000_000 + n // 60)
        found = await inventory(s)
        assert made <= {one.channel.channel_id for one in found.channels}
        key = ListKey(dev, Listing.PUBLIC)
        s.control.reset_counts()
        again = await inventory(s, cursors={key: found.newest[key]})
        parents = [one for one in found.channels if one.channel.type in {0, 5, 15, 16} and one.access.readable]
        assert s.control.counts().routes["public_archived"] == len(parents)
        assert again.newest == found.newest


async def test_a_thread_that_changes_lists_while_they_are_read_is_found(
    scenes: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scenes() as s:
        directory = s.discord._directory
        thread = s.control.named("Old netcode")
        read = directory._active
        states = iter([True, False])

        async def active(*arguments: Any) -> None:
            await read(*arguments)
            # No longer archived once the active list was read: in no archived list.
            (s.control.unarchive if next(states) else s.control.archive)(thread)

        monkeypatch.setattr(directory, "_active", active)
        assert "Old netcode" in by_name(await inventory(s))


async def test_a_list_that_is_refused_is_noted_and_one_that_vanished_is_passed_over(
    scenes: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scenes() as s:
        dev, help_forum = s.control.named("dev"), s.control.named("help")
        directory = s.discord._directory
        read = directory._active

        async def active(*arguments: Any) -> None:
            await read(*arguments)
            s.control.revoke(dev, Right.READ_MESSAGE_HISTORY)
            if help_forum in s.control.world.channels:
                s.control.delete_channel(help_forum)

        monkeypatch.setattr(directory, "_active", active)
        found = await inventory(s)
        assert {unlisted.key.parent_id for unlisted in found.unlisted} == {dev}
        assert "Missing Permissions" in found.unlisted[0].reason
        assert not {key for key in found.newest if key.parent_id in {dev, help_forum}}


async def test_a_guild_that_the_bot_has_left_is_not_found(scenes: Scenes) -> None:
    async with scenes() as s:
        (guild,) = await s.discord.guilds()
        s.control.remove_bot(guild.guild_id)
        with pytest.raises(ChannelNotFound, match="Pixel & Pine"):
            await discover(s, guild)
        assert await s.discord.guilds() == []


async def test_guilds_are_paged(scenes: Scenes) -> None:
    async with scenes() as s:
        made = {s.control.add_guild(f"guild {n}").id for n in range(450)}
        guilds = [guild.guild_id for guild in await s.discord.guilds()]
        assert made <= set(guilds)
        assert guilds == sorted(guilds)
        assert s.control.counts().routes["guilds"] == 3


async def test_a_dm_is_readable_and_named_after_who_is_in_it(make_settings: Callable[..., Settings]) -> None:
    world = generate(seed=1)
    dm = world.open_dm(next(user_id for user_id in world.users if user_id != world.bot.id))
    async with running(world, limits=Limits.off()) as emulator:
        settings = make_settings(DISCORD_TOKEN=emulator.token, DISCORD_API_URL=emulator.api_url)
        async with open_client(settings) as discord:
            found = await discord.channel(dm.id)
    assert found.access.readable
    assert found.channel.guild_id is None
    assert found.channel.name


async def test_a_failing_list_ends_discovery_with_its_own_error(scenes: Scenes) -> None:
    async with scenes() as s:
        s.control.fault("503", route="public_archived", times=None)
        with pytest.raises(DiscordUnavailable):
            await inventory(s)


@pytest.mark.parametrize("route", ["guild", "member", "channels", "active_threads"])
async def test_what_is_not_discords_answer_is_refused(
    scenes: Scenes, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    endings = {"guild": "guild_id}", "member": "user_id}", "channels": "/channels", "active_threads": "/active"}
    async with scenes() as s:
        (guild,) = await s.discord.guilds()
        directory = s.discord._directory
        get = directory._get

        async def nonsense(path: str, **how: Any) -> Any:
            return 5 if path.endswith(endings[route]) else await get(path, **how)

        monkeypatch.setattr(directory, "_get", nonsense)
        with pytest.raises(DiscordUnavailable, match="not Discord's"):
            await discover(s, guild)
