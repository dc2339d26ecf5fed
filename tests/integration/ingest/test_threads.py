"""Lists of archived threads: walked once, and then only as far as they are new."""

from datetime import UTC, datetime

import pytest

from junkie_cli import snowflake
from junkie_cli.errors import DiscordUnavailable
from junkie_cli.ingest.events import ChannelEnded, Outcome, Summary
from junkie_cli.ingest.selection import Selection
from tests.integration.ingest.conftest import MakeScene
from tests.integration.ingest.scene import Scene
from tests.truth import archived, assert_equals_truth


def archive_threads(s: Scene, number: int) -> list[int]:
    """Make threads with a message, archived one minute apart."""
    made = []
    for n in range(number):
        thread = s.control.add_thread(s.first_channel, f"thread {n}", content="first").id
        last = s.control.post(thread, "second")
        s.control.archive(thread, at_ms=snowflake.to_ms(last) + 60_000)
        made.append(thread)
    return made


def list_requests(s: Scene) -> int:
    return sum(count for route, count in s.control.counts().routes.items() if "archived" in route)


async def test_a_second_run_asks_each_list_once_however_many_threads_there_are(scene: MakeScene) -> None:
    async with scene("1x10") as s:
        made = archive_threads(s, 230)
        await s.backfill()
        assert list_requests(s) >= 4
        await assert_equals_truth(s.database, s.truths())
        s.control.reset_counts()
        await s.backfill()
        # One public list, and one of private threads.
        assert list_requests(s) == 2
        assert s.control.counts().messages == 0
        assert len({e.channel_id for e in s.events if hasattr(e, "channel_id")} & set(made)) == 230


async def test_a_thread_made_and_archived_between_two_runs_is_found(scene: MakeScene) -> None:
    async with scene("1x10") as s:
        archive_threads(s, 120)
        await s.backfill()
        (late,) = archive_threads(s, 1)
        await s.backfill()
        assert set(await archived(s.database, late)) == set(s.control.ids(late))
        await assert_equals_truth(s.database, s.truths())


async def test_a_list_that_discord_can_not_give_costs_no_other_channel_anything(scene: MakeScene) -> None:
    async with scene("3x250") as s:
        parent, *others = sorted(s.control.readable())
        threads = [s.control.add_thread(other, "thread", content="first").id for other in others]
        for thread in threads:
            s.control.archive(thread, at_ms=snowflake.to_ms(thread) + 60_000)
        s.control.fault("503", route="*archived*", channel_id=parent, times=None)
        summary = await s.backfill()
        assert summary.fatal == ""
        # The public list, and that of private threads.
        failed = [ended for ended in s.of(ChannelEnded) if ended.outcome is Outcome.FAILED]
        assert [ended.channel_id for ended in failed] == [parent, parent]
        assert "archived threads could not be listed" in failed[0].reason
        await assert_equals_truth(s.database, s.truths())


async def test_a_guild_about_which_discord_says_nothing_sensible_costs_the_others_nothing(scene: MakeScene) -> None:
    async with scene("1x250") as s:
        guild = s.control.add_guild("away")
        s.control.fault("503", route="guild*", channel_id=guild.id, times=None)
        summary = await s.backfill()
        assert (summary.fatal, summary.errors) == ("", 1)
        assert "it could not be listed" in s.ended(guild.id).reason
        await assert_equals_truth(s.database, s.truths())
        s.control.fault("503", route="guild*", times=None, skip=1)
        with pytest.raises(DiscordUnavailable):
            await s.backfill()


async def test_where_no_list_can_be_given_the_channels_are_worked_on_to_their_end(scene: MakeScene) -> None:
    async with scene("9x250") as s:
        s.control.fault("503", route="*archived*", times=None)
        with pytest.raises(DiscordUnavailable):
            await s.backfill()
        (summary,) = s.of(Summary)
        assert summary.outcomes == {Outcome.COMPLETE: 9}
        assert "503" in summary.fatal
        await assert_equals_truth(s.database, s.truths())


async def test_a_walk_that_fails_moves_no_cursor(scene: MakeScene) -> None:
    async with scene("1x10") as s:
        archive_threads(s, 250)
        s.control.fault("403", route="*archived*", skip=1, times=1)
        summary = await s.backfill()
        assert summary.errors == 1
        s.control.clear_faults()
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_an_archived_thread_that_was_cut_off_is_finished_later(scene: MakeScene) -> None:
    """No list shows it again: it is known from the archive."""
    async with scene("1x10") as s:
        thread = s.control.add_thread(s.first_channel, "long", content="first").id
        for n in range(450):
            s.control.post(thread, f"message {n}")
        s.control.archive(thread, at_ms=snowflake.to_ms(s.control.ids(thread)[-1]) + 60_000)
        archive_threads(s, 3)
        await s.backfill(target=100)
        assert len(await archived(s.database, thread)) == 100
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_the_cursor_is_a_moment_of_discords_own(scene: MakeScene) -> None:
    async with scene("1x10") as s:
        archive_threads(s, 3)
        await s.backfill()
        rows = await s.database.fetch("SELECT newest FROM junkie.thread_lists")
        assert rows
        assert all(newest < datetime.now(UTC) for (newest,) in rows)


async def test_archived_threads_come_back_with_a_guild_that_comes_back(scene: MakeScene) -> None:
    async with scene("1x10") as s:
        thread = s.control.add_thread(s.first_channel, "long", content="first").id
        for n in range(250):
            s.control.post(thread, f"message {n}")
        s.control.archive(thread, at_ms=snowflake.to_ms(s.control.ids(thread)[-1]) + 60_000)
        archive_threads(s, 120)
        await s.backfill(target=2)
        guild = s.control.world.channel(s.first_channel).guild
        assert guild is not None
        s.control.remove_bot(guild.id)
        await s.backfill()
        s.control.add_bot(guild.id)
        await s.backfill()
        await assert_equals_truth(s.database, s.truths())


async def test_only_lists_of_wanted_channels_are_walked(scene: MakeScene) -> None:
    async with scene("5x10") as s:
        (thread,) = archive_threads(s, 1)
        chosen, *others = sorted(s.control.readable())[:2]
        assert chosen == s.first_channel

        async def walked(selection: Selection) -> int:
            s.control.reset_counts()
            await s.backfill(selection=selection)
            return list_requests(s)

        assert await walked(Selection.read(channels=[str(chosen)])) == 2
        assert set(await archived(s.database, thread)) == set(s.control.ids(thread))
        # What is named by its own id needs no list.
        assert await walked(Selection.read(channels=[str(thread)])) == 0
        assert await walked(Selection.read(exclude=[str(other) for other in others])) == 2 * 4
        assert await walked(Selection.read()) == 2 * 5
