"""Forgetting while pages are on their way, and what comes back when it is undone."""

import asyncio
from collections import Counter

from junkie_cli.db.forget import Forgetting, undo
from junkie_cli.db.reconcile import Rule
from junkie_cli.ingest.events import Outcome
from tests.integration.ingest.conftest import MakeScene
from tests.truth import archived, assert_equals_truth


async def test_a_page_that_is_on_its_way_while_its_author_is_forgotten(scene: MakeScene) -> None:
    async with scene("1x400") as s:
        channel = s.first_channel
        authors = Counter(int(p["author"]["id"]) for p in s.control.truth(channel))
        author = authors.most_common(1)[0][0]
        held = s.control.hold(channel)
        run = asyncio.create_task(s.backfill())
        await held.arrived.wait()
        await Forgetting(s.database, Rule(user_id=author)).run()
        held.release()
        await run
        rows = await archived(s.database, channel)
        assert len(rows) == 400 - authors[author]
        assert author not in {row.author_id for row in rows.values()}
        # It covers what it keeps out: nothing is asked for again, and nothing comes with what is.
        s.control.reset_counts()
        assert (await s.backfill()).outcomes == {Outcome.UNCHANGED: 1}
        assert s.control.counts().messages == 0
        summary = await s.sync(limit=None)
        assert (summary.new, summary.edited, summary.deleted) == (0, 0, 0)


async def test_what_is_undone_is_fetched_anew_by_backfill_and_by_sync(scene: MakeScene) -> None:
    async with scene("2x300") as s:
        await s.backfill()
        author = int(s.control.truth(s.first_channel)[0]["author"]["id"])
        for again in (s.backfill, s.sync):
            forgetting = Forgetting(s.database, Rule(user_id=author))
            assert (await forgetting.run()).messages > 0
            assert forgetting.rule_id is not None
            await undo(s.database, forgetting.rule_id)
            await again()
            await s.sync(limit=None)
            await s.backfill()
            await assert_equals_truth(s.database, s.truths())


async def test_history_that_was_not_archived_yet_stays_away(scene: MakeScene) -> None:
    async with scene("1x500") as s:
        channel = s.first_channel
        ids = s.control.ids(channel)
        await s.backfill(target=100)
        await Forgetting(s.database, Rule(channel_id=channel, before_id=ids[300])).run()
        await s.backfill()
        assert sorted(await archived(s.database, channel)) == ids[300:]
