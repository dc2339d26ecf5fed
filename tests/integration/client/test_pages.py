import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from junkie_cli.client.pages import PageParser
from junkie_cli.client.payload import payload_from_message
from junkie_cli.client.transport import Patience
from junkie_cli.emulator.limits import Limits, Rate
from junkie_cli.emulator.permissions import Right
from junkie_cli.errors import (
    ChannelError,
    ChannelForbidden,
    ChannelNotFound,
    DiscordUnavailable,
    MalformedPage,
    TooManyInvalidRequests,
)
from junkie_cli.models import Page, PageRequest
from tests.integration.client.conftest import Scene, Scenes
from tests.normalised import normalised, strictly


async def newest(scene: Scene, **how: Any) -> Page:
    return await scene.discord.fetch_page(PageRequest(scene.channel, **how))


async def test_pages_are_walked_down_and_up(scenes: Scenes) -> None:
    async with scenes() as s:
        ids = s.control.ids(s.channel)[::-1]
        first = await newest(s)
        assert list(first.ids) == ids[:100]
        assert [message.message_id for message in first.messages] == ids[:100]
        assert list((await newest(s, before=first.ids[-1], limit=5)).ids) == ids[100:105]
        assert list((await newest(s, after=ids[10])).ids) == ids[:10]
        queries = [seen.query for seen in s.control.log]
        assert queries == [
            {"limit": "100"},
            {"limit": "5", "before": str(first.ids[-1])},
            {"limit": "100", "after": str(ids[10])},
        ]


async def test_every_kind_of_message_comes_back_from_its_row(scenes: Scenes) -> None:
    async with scenes() as s:
        for channel_id in s.control.readable():
            page = await s.discord.fetch_page(PageRequest(channel_id))
            authors = {user.user_id: user for user in page.users}
            truth = {int(payload["id"]): payload for payload in s.control.truth(channel_id)}
            for message in page.messages:
                there = payload_from_message(message, authors.get(message.author_id))
                wanted = normalised(truth[message.message_id], channel_id)
                # Signed anew at each fetch.
                for volatile in ("attachments", "embeds", "message_snapshots", "components"):
                    there.pop(volatile, None)
                    wanted.pop(volatile, None)
                assert strictly(there) == strictly(wanted)


@pytest.mark.parametrize("kind", ["500", "502", "503", "504", "reset", "truncate", "html", "malformed", "hang"])
async def test_a_passing_fault_is_ridden_out(scenes: Scenes, kind: str) -> None:
    async with scenes(hang=0.2) as s:
        s.control.fault(kind, times=2)
        assert list((await newest(s)).ids) == s.control.ids(s.channel)[:-101:-1]
        # aiohttp itself asks once more after a reset.
        assert len(s.time.slept) == (1 if kind == "reset" else 2)
        assert s.time.slept[0] < 1


async def test_another_content_type_is_no_fault(scenes: Scenes) -> None:
    async with scenes() as s:
        s.control.fault("charset", times=None)
        assert len((await newest(s)).ids) == 100
        assert s.time.slept == []


async def test_a_lasting_fault_ends_the_run_after_a_minute(scenes: Scenes) -> None:
    async with scenes() as s:
        s.control.fault("503", times=None)
        with pytest.raises(DiscordUnavailable, match=rf"about channel {s.channel}: 6 attempts, .* status 503"):
            await newest(s)
        assert 30 < sum(s.time.slept) < 90
        assert s.control.counts().messages == 6


async def test_a_429_costs_its_pause_and_no_attempt(scenes: Scenes) -> None:
    async with scenes() as s:
        s.control.fault("429", times=10, retry_after=3.0)
        assert len((await newest(s)).ids) == 100
        assert sum(s.time.slept) > 30
        assert s.time.slept[0] == pytest.approx(3.0, abs=0.2)


async def test_a_429_without_end_ends_the_run(scenes: Scenes) -> None:
    async with scenes() as s:
        s.control.fault("429", times=None, retry_after=0, scope="shared")
        with pytest.raises(DiscordUnavailable, match="times in a row"):
            await newest(s)
        assert s.control.counts().messages < 25


async def test_a_pause_of_hours_ends_the_run_at_once(scenes: Scenes) -> None:
    async with scenes() as s:
        s.control.fault("429", retry_after=4000)
        with pytest.raises(DiscordUnavailable, match="asks to wait 4000 s"):
            await newest(s)


async def test_a_global_429_stops_everybody(scenes: Scenes) -> None:
    async with scenes() as s:
        s.control.fault("429", scope="global", retry_after=5.0)
        began = s.time.clock()
        await newest(s)
        assert s.time.clock() - began > 5


async def test_many_refused_requests_stop_everything(scenes: Scenes) -> None:
    async with scenes() as s:
        forbidden = s.control.named("staff")
        for _ in range(1000):
            with pytest.raises(ChannelForbidden):
                await s.discord.fetch_page(PageRequest(forbidden))
        for request in (newest(s), s.discord.guilds()):
            with pytest.raises(TooManyInvalidRequests):
                await request
        assert s.control.counts().messages == 1000
        await s.time.sleep(600)
        assert len((await newest(s)).ids) == 100


async def test_what_stands_in_no_way_open_is_told_apart(scenes: Scenes) -> None:
    async with scenes() as s:
        with pytest.raises(ChannelForbidden, match="Missing Access"):
            await s.discord.fetch_page(PageRequest(s.control.named("staff")))
        with pytest.raises(ChannelNotFound, match="Unknown Channel"):
            await s.discord.fetch_page(PageRequest(123456789012345678))
        with pytest.raises(ChannelError, match="50024") as caught:
            await s.discord.fetch_page(PageRequest(s.control.named("Community")))
        assert type(caught.value) is ChannelError
        # Without the right to read history Discord answers nothing, and says so of nothing.
        assert (await s.discord.fetch_page(PageRequest(s.control.named("write-only")))).ids == ()


async def test_a_page_that_is_out_of_order_is_handed_on_as_it_came(scenes: Scenes) -> None:
    async with scenes() as s:
        s.control.fault("unordered")
        assert list((await newest(s)).ids) != s.control.ids(s.channel)[:-101:-1]


async def test_one_message_is_fetched_with_its_author(scenes: Scenes) -> None:
    async with scenes() as s:
        wanted = s.control.ids(s.channel)[5]
        parsed = await s.discord.fetch_message(s.channel, wanted)
        assert parsed is not None
        assert parsed.message.message_id == wanted
        assert await s.discord.fetch_message(s.channel, wanted + 1) is None
        with pytest.raises(ChannelNotFound):
            await s.discord.fetch_message(123456789012345678, wanted)
        with pytest.raises(ChannelForbidden):
            await s.discord.fetch_message(s.control.named("staff"), wanted)


async def test_the_slot_is_held_for_each_attempt_and_never_while_waiting(scenes: Scenes) -> None:
    async with scenes(limits=Limits(messages=Rate(1, 0.2), total=None), sleep=asyncio.sleep, clock=time.monotonic) as s:
        held = 0
        story: list[str] = []

        @asynccontextmanager
        async def slot() -> AsyncIterator[None]:
            nonlocal held
            held += 1
            story.append("in")
            yield
            story.append("out")
            held -= 1

        def on_wait(_seconds: float) -> None:
            assert not held
            story.append("wait")

        s.control.fault("429", skip=1, retry_after=0.01)
        for _ in range(2):
            await s.discord.fetch_page(PageRequest(s.channel), slot=slot, on_wait=on_wait)
        assert story[:3] == ["in", "out", "wait"]
        assert story.count("in") == story.count("out") >= 3


async def test_a_cancelled_request_blocks_nobody(scenes: Scenes) -> None:
    async with scenes() as s:
        hold = s.control.hold(s.channel)
        asked = asyncio.create_task(newest(s))
        await hold.arrived.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert len((await newest(s)).ids) == 100


@pytest.mark.parametrize("headers", ["true", "wrong", "none"])
async def test_each_kind_of_headers_is_coped_with_over_real_sockets(scenes: Scenes, headers: Any) -> None:
    rate = Rate(5, 0.2)
    limits = Limits(messages=rate, total=None, headers=headers)
    async with scenes(limits=limits, sleep=asyncio.sleep, clock=time.monotonic, rate=lambda: float("inf")) as s:
        for _ in range(23):
            await newest(s, limit=1)
        # A window that was still open, and whose length was not known, costs one; being a little early may cost some.
        # All at once would be refused 19 times in the first window alone; a busy machine is refused now and then.
        assert s.control.counts().statuses[429] <= 12


async def test_many_at_once_on_one_channel_keep_to_its_window(scenes: Scenes) -> None:
    limits = Limits(messages=Rate(5, 0.2), total=None)
    async with scenes(limits=limits, sleep=asyncio.sleep, clock=time.monotonic, rate=lambda: float("inf")) as s:
        pages = await asyncio.gather(*(newest(s, limit=1) for _ in range(24)))
        assert len({page.ids for page in pages}) == 1
        # All at once would be refused 19 times in the first window alone; a busy machine is refused now and then.
        assert s.control.counts().statuses[429] <= 12


async def test_a_right_revoked_shows_in_the_next_reading_of_rights(scenes: Scenes) -> None:
    async with scenes() as s:
        assert (await s.discord.access(s.channel)).readable
        s.control.revoke(s.channel, Right.READ_MESSAGE_HISTORY)
        assert (await s.discord.access(s.channel)).reason == "lacks Read Message History"


async def test_patience_grows_and_is_uneven() -> None:
    waits = [Patience().wait(n, random.Random(1)) for n in range(1, 6)]
    assert waits == sorted(waits)
    assert Patience().wait(1, random.Random(1)) != Patience().wait(1, random.Random(2))


async def test_an_answer_that_is_no_list_of_messages_is_asked_for_thrice(scenes: Scenes, monkeypatch: Any) -> None:
    async with scenes() as s:
        answers: list[Any] = [{}, [1], [{}], [{"id": "x"}], None, 5, "x"]
        parse = PageParser.parse
        for answer in answers:
            s.control.reset_counts()
            body = json.dumps(answer).encode()
            monkeypatch.setattr(
                PageParser, "parse", lambda _self, request, _body, body=body: parse(PageParser(), request, body)
            )
            with pytest.raises(MalformedPage, match=f"channel {s.channel}"):
                await newest(s)
            assert s.control.counts().messages == 3
