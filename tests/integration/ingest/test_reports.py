"""What a run reports is true: estimates bound what happens, and an interrupted run counts what it did."""

import asyncio
import math

import pytest

from junkie_cli.client.session import open_client
from junkie_cli.emulator.limits import Limits, Rate
from junkie_cli.ingest.backfill import BackfillOptions, prepare_all, settle
from junkie_cli.ingest.estimate import NOTHING, Left, requests_left
from junkie_cli.ingest.events import ChannelBegan, ChannelsFound, Outcome, PageStored, Summary, Waiting
from tests.integration.ingest.conftest import MakeScene


async def test_estimates_bound_what_a_run_takes(scene: MakeScene) -> None:
    async with scene() as s:
        summary = await s.backfill()
        at_first, found = s.of(ChannelsFound)
        assert at_first.channels < found.channels
        assert 0 < at_first.requests + found.requests <= summary.requests
        for began in s.of(ChannelBegan):
            ended = s.ended(began.channel_id)
            last = [page for page in s.of(PageStored) if page.channel_id == began.channel_id][-1]
            assert ended.outcome is Outcome.COMPLETE
            # Pages repeat messages to prove themselves; each counts once.
            assert ended.fetched == ended.held, ended.name
            assert began.left.low <= ended.requests, ended.name
            assert last.left == NOTHING, ended.name
            # Discord counts the messages of threads, and of nothing else.
            assert (began.left.high is not None) == ("›" in began.name), ended.name  # noqa: RUF001  Discord's sign
            assert began.left.high is None or began.left.high >= ended.requests, ended.name
        await s.backfill()
        assert [found.requests for found in s.of(ChannelsFound)] == [0, 0]


async def test_a_bounded_run_is_bounded_from_the_start(scene: MakeScene) -> None:
    async with scene("1x1000") as s:
        await s.backfill(target=300)
        (began,) = s.of(ChannelBegan)
        assert began.left == Left(1, 3)
        assert [page.left.high for page in s.of(PageStored)] == [2, 1, 0]
        await s.backfill(max_iterations=2, max_fetch_limit=100)
        (began,) = s.of(ChannelBegan)
        assert began.left.high == 2
        assert s.of(PageStored)[-1].left == NOTHING


async def test_an_interrupted_run_counts_what_it_did(scene: MakeScene) -> None:
    async with scene("1x2000", Limits(messages=Rate(5, 60.0))) as s:
        run = asyncio.create_task(s.backfill())
        while not s.of(Waiting):
            await asyncio.sleep(0.01)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        (summary,) = s.of(Summary)
        assert summary.interrupted
        assert summary.outcomes == {}
        assert summary.fetched == summary.new == sum(page.fetched for page in s.of(PageStored)) > 0


async def test_a_plan_counts_where_only_a_count_tells(scene: MakeScene) -> None:
    async with scene("1x1000") as s:
        await s.backfill(target=300)
        settings = s.make_settings(DISCORD_TOKEN=s.emulator.token, DISCORD_API_URL=s.emulator.api_url)
        async with open_client(settings, rate=lambda: math.inf) as discord:
            for target, before, after in ((300, Left(0, 3), NOTHING), (500, Left(2, 5), Left(2, 2))):
                options = BackfillOptions(target=target)
                prepared = await prepare_all(options, discord, s.database, s.events.append, store=False)
                assert requests_left(prepared.progress[s.first_channel]) == before
                settled = await settle(prepared, options, s.database)
                assert requests_left(settled.progress[s.first_channel]) == after
