"""What goes over the wire, seen by a bare HTTP client."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits, Rate
from junkie_cli.emulator.server import Emulator, running


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(1, "2x250"), limits=Limits.off()) as emulator:
        yield emulator


@pytest.fixture
async def http(emulator: Emulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {emulator.token}"}) as session:
        yield session


@pytest.fixture
def channel_id(emulator: Emulator) -> int:
    return next(iter(emulator.world.channels))


def url(emulator: Emulator, channel_id: int) -> str:
    return f"{emulator.api_url}/channels/{channel_id}/messages"


async def ids(http: aiohttp.ClientSession, address: str, **params: int) -> list[int]:
    async with http.get(address, params=params) as response:
        return [int(message["id"]) for message in await response.json()]


async def test_headers(emulator: Emulator, http: aiohttp.ClientSession, channel_id: int) -> None:
    emulator.control.set_limits(Limits())
    async with http.get(url(emulator, channel_id)) as response:
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Via"] == "1.1 google"
        assert response.headers["X-RateLimit-Remaining"] == "4"
        assert "Date" in response.headers
        assert len(await response.json()) == 50


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "before=x", "after=99999999999999999999", "before=1&after=2"]
)
async def test_nonsense_is_refused(
    emulator: Emulator, http: aiohttp.ClientSession, channel_id: int, query: str
) -> None:
    async with http.get(f"{url(emulator, channel_id)}?{query}") as response:
        assert response.status == 400
        assert (await response.json())["code"] == 50035


async def test_unknown_paths_and_tokens(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{emulator.api_url}/nowhere") as response:
        assert (response.status, await response.json()) == (404, {"message": "404: Not Found", "code": 0})
    async with http.get(f"{emulator.api_url}/users/@me", headers={"Authorization": "Bot no"}) as response:
        assert (response.status, await response.json()) == (401, {"message": "401: Unauthorized", "code": 0})
    async with http.get(f"{emulator.api_url}/gateway", headers={"Authorization": ""}) as response:
        assert response.status == 200


@pytest.mark.parametrize("kind", ["401", "403", "404", "500", "502", "503", "504"])
async def test_a_status_strikes_so_many_times(
    emulator: Emulator, http: aiohttp.ClientSession, channel_id: int, kind: str
) -> None:
    emulator.control.fault(kind, channel_id=channel_id, times=2, skip=1)
    other = list(emulator.world.channels)[1]
    statuses = []
    for asked in (channel_id, channel_id, other, channel_id, channel_id):
        async with http.get(url(emulator, asked)) as response:
            statuses.append(response.status)
    assert statuses == [200, int(kind), 200, int(kind), 200]


async def test_a_storm(emulator: Emulator, http: aiohttp.ClientSession, channel_id: int) -> None:
    emulator.control.fault("429", route="*", times=3, scope="global", retry_after=0.01)
    for _ in range(3):
        async with http.get(url(emulator, channel_id)) as response:
            assert response.status == 429
            assert response.headers["X-RateLimit-Global"] == "true"
            assert "X-RateLimit-Bucket" not in response.headers
            assert (await response.json())["retry_after"] == 0.01
    emulator.control.fault("429", scope="shared")
    async with http.get(url(emulator, channel_id)) as response:
        assert response.headers["X-RateLimit-Scope"] == "shared"
    assert emulator.control.counts().invalid == 3


async def test_faults_go_by_route_pattern(emulator: Emulator, http: aiohttp.ClientSession, channel_id: int) -> None:
    emulator.control.fault("500", route="*archived")
    statuses = []
    for path in ("messages", "threads/archived/public", "threads/archived/public"):
        async with http.get(f"{emulator.api_url}/channels/{channel_id}/{path}") as response:
            statuses.append(response.status)
    assert statuses == [200, 500, 200]


async def test_reset_and_truncation(
    emulator: Emulator, http: aiohttp.ClientSession, channel_id: int, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.control.fault("reset", times=2)  # aiohttp tries a GET a second time by itself
    with pytest.raises(aiohttp.ClientOSError):
        await ids(http, url(emulator, channel_id))
    emulator.control.fault("truncate")
    with pytest.raises(aiohttp.ClientPayloadError):
        await ids(http, url(emulator, channel_id))
    assert len(await ids(http, url(emulator, channel_id), limit=3)) == 3
    assert emulator.control.counts().statuses == {0: 3, 200: 1}
    assert not caplog.records


async def test_a_request_that_hangs(emulator: Emulator, http: aiohttp.ClientSession, channel_id: int) -> None:
    emulator.control.fault("hang")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ids(http, url(emulator, channel_id))
    assert len(await ids(http, url(emulator, channel_id), limit=3)) == 3


async def test_other_content_types(emulator: Emulator, http: aiohttp.ClientSession, channel_id: int) -> None:
    for kind, content_type, parses in (
        ("html", "text/html; charset=utf-8", False),
        ("charset", "application/json; charset=utf-8", True),
        ("malformed", "application/json", False),
    ):
        emulator.control.fault(kind)
        async with http.get(url(emulator, channel_id)) as response:
            assert response.status == 200
            assert response.headers["Content-Type"] == content_type
            text = await response.text()
        if parses:
            assert len(json.loads(text)) == 50
        else:
            with pytest.raises(json.JSONDecodeError):
                json.loads(text)


async def test_spoilt_pages(emulator: Emulator, http: aiohttp.ClientSession, channel_id: int) -> None:
    address = url(emulator, channel_id)
    true = await ids(http, address, before=1 << 62)
    control = emulator.control

    control.fault("unordered")
    assert sorted(unordered := await ids(http, address, before=1 << 62), reverse=True) == true
    assert unordered != true
    control.fault("repeated")
    assert len(set(await ids(http, address))) < len(true)
    control.fault("outside")
    assert max(await ids(http, address, before=1 << 62)) == 1 << 62
    control.fault("empty")
    assert await ids(http, address) == []
    assert await ids(http, address) == true


async def test_faults_can_be_random_and_cleared(
    emulator: Emulator, http: aiohttp.ClientSession, channel_id: int
) -> None:
    emulator.control.fault("500", times=None, probability=0.5)
    statuses = []
    for _ in range(40):
        async with http.get(url(emulator, channel_id), params={"limit": 1}) as response:
            statuses.append(response.status)
    assert {200, 500} == set(statuses)
    emulator.control.clear_faults()
    assert await ids(http, url(emulator, channel_id))
    with pytest.raises(ValueError, match="no fault"):
        emulator.control.fault("explosion")


async def test_a_page_held_after_it_was_computed(
    emulator: Emulator, http: aiohttp.ClientSession, channel_id: int
) -> None:
    newest = emulator.control.ids(channel_id)[-1]
    hold = emulator.control.hold(channel_id)
    asked = asyncio.create_task(ids(http, url(emulator, channel_id)))
    await hold.arrived.wait()
    emulator.control.delete(channel_id, newest)
    assert newest not in await ids(http, url(emulator, channel_id))  # it overtakes
    assert not asked.done()
    hold.release()
    assert newest in await asked


async def test_a_page_held_before_it_is_computed(
    emulator: Emulator, http: aiohttp.ClientSession, channel_id: int
) -> None:
    hold = emulator.control.hold(channel_id, early=True)
    asked = asyncio.create_task(ids(http, url(emulator, channel_id)))
    await hold.arrived.wait()
    posted = emulator.control.post(channel_id, "just in time")
    hold.release()
    assert posted in await asked


async def test_changes_between_two_requests(emulator: Emulator, http: aiohttp.ClientSession, channel_id: int) -> None:
    before = emulator.control.ids(channel_id)
    emulator.control.after_requests(channel_id, 2, lambda: emulator.control.post(channel_id, "now"))
    newest = [(await ids(http, url(emulator, channel_id), limit=1))[0] for _ in range(3)]
    assert newest == [before[-1], before[-1], emulator.control.ids(channel_id)[-1]]


async def test_counts(emulator: Emulator, http: aiohttp.ClientSession, channel_id: int) -> None:
    await ids(http, url(emulator, channel_id), limit=1)
    async with http.get(f"{emulator.api_url}/channels/1/messages") as response:
        assert response.status == 404
    async with http.get(f"{emulator.api_url}/users/@me") as response:
        assert response.status == 200
    counts = emulator.control.counts()
    assert (counts.total, counts.messages, counts.peak) == (3, 2, 1)
    assert counts.routes == {"messages": 2, "me": 1}
    assert counts.channels == {channel_id: 1, 1: 1}
    assert counts.statuses == {200: 2, 404: 1}
    first = emulator.control.log[0]
    assert (first.route, first.major, first.query) == ("messages", channel_id, {"limit": "1"})
    assert emulator.control.reset_counts().total == 3
    assert emulator.control.counts().total == 0


async def test_latency_and_limits(emulator: Emulator, http: aiohttp.ClientSession, channel_id: int) -> None:
    emulator.control.set_latency(20)
    emulator.control.set_limits(Limits(messages=Rate(1, 60.0)))
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert await ids(http, url(emulator, channel_id))
    assert loop.time() - began >= 0.02
    async with http.get(url(emulator, channel_id)) as response:
        assert response.status == 429


async def test_closing_lets_everything_go() -> None:
    async with aiohttp.ClientSession() as http:
        async with running(generate(1, "1x10"), limits=Limits.off()) as emulator:
            (channel_id,) = emulator.world.channels
            address, headers = url(emulator, channel_id), {"Authorization": f"Bot {emulator.token}"}
            hold = emulator.control.hold(channel_id)
            held = asyncio.create_task(_get(http, address, headers))
            await hold.arrived.wait()
            emulator.control.fault("hang")
            hanging = asyncio.create_task(_get(http, address, headers))
            while emulator.control.counts().messages < 2:  # no event tells of it
                await asyncio.sleep(0)
        assert await held == 200
        with pytest.raises(aiohttp.ClientError):
            await hanging


async def _get(http: aiohttp.ClientSession, address: str, headers: dict[str, str]) -> int:
    async with http.get(address, headers=headers) as response:
        await response.read()
        return response.status
