import asyncio
import gc
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import discord
import msgspec
import pytest
from aiohttp import web

from junkie_cli.client.session import open_client
from junkie_cli.client.transport import Patience
from junkie_cli.config import Settings
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import running
from junkie_cli.errors import ConfigError, DiscordUnavailable, JunkieError, TokenRejected, TooManyInvalidRequests
from junkie_cli.models import PageRequest
from tests.integration.client.conftest import Scenes
from tests.integration.client.jumping import Jumping

MakeSettings = Callable[..., Settings]
TOKEN = "MTIzNDU2Nzg5.secret.token-that-nobody-may-see"
ME = {"id": "5", "username": "bot", "global_name": None, "bot": True}


@asynccontextmanager
async def answering(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve that answer to every request; yields the base address."""
    application = web.Application()
    application.router.add_route("*", "/{anything:.*}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/v10"
    finally:
        await runner.cleanup()


async def log_in(settings: Settings) -> Jumping:
    jumping = Jumping()
    async with open_client(settings, clock=jumping.clock, sleep=jumping.sleep, patience=Patience(timeout=0.3)):
        pass
    return jumping


async def test_the_bot_is_known_after_login(scenes: Scenes) -> None:
    async with scenes() as s:
        assert s.discord.me.username == "archivist"
        assert s.discord.application_id
        assert s.discord.content_intent


async def test_a_quicker_reader_of_json_beside_us_makes_no_name_unreadable(
    scenes: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As strict as the one that discord.py takes where it finds it.
    monkeypatch.setattr(discord.utils, "_from_json", msgspec.json.decode)
    async with scenes() as s:
        (guild,) = s.control.world.guilds
        channel = s.control.add_channel(guild, "lone \ud800 surrogate").id
        assert (await s.discord.channel(channel)).channel.name == "lone \ud800 surrogate"


@pytest.mark.parametrize("limited", [True, False])
async def test_the_content_intent_is_told_by_the_applications_flags(make_settings: MakeSettings, limited: bool) -> None:  # noqa: FBT001  # parametrized
    world = generate(seed=1)
    async with running(world, limits=Limits.off()) as emulator:
        settings = make_settings(DISCORD_TOKEN=emulator.token, DISCORD_API_URL=emulator.api_url)
        emulator.control.set_intents(content=True, limited=limited)
        async with open_client(settings) as discord:
            assert discord.content_intent
        emulator.control.set_intents(content=False)
        async with open_client(settings) as discord:
            assert not discord.content_intent


async def test_without_a_token_nothing_is_asked(make_settings: MakeSettings) -> None:
    with pytest.raises(ConfigError, match="no bot token"):
        await log_in(make_settings())


async def test_a_wrong_token_is_named_and_asked_for_once(make_settings: MakeSettings) -> None:
    async with running(generate(seed=1)) as emulator:
        with pytest.raises(TokenRejected, match="rejects the bot token"):
            await log_in(make_settings(DISCORD_TOKEN=TOKEN, DISCORD_API_URL=emulator.api_url))
        assert emulator.control.counts().total == 1


async def test_an_address_where_nobody_listens_is_named_within_seconds(make_settings: MakeSettings) -> None:
    settings = make_settings(DISCORD_TOKEN=TOKEN, DISCORD_API_URL="http://127.0.0.1:9/api")
    jumping = Jumping()
    with pytest.raises(DiscordUnavailable, match=r"127\.0\.0\.1:9.*connection refused") as caught:
        async with open_client(settings, clock=jumping.clock, sleep=jumping.sleep):
            pass
    assert 1 < sum(jumping.slept) < 10
    assert "DISCORD_API_URL" in caught.value.hint


async def test_an_address_that_does_not_exist_is_named(make_settings: MakeSettings) -> None:
    with pytest.raises(DiscordUnavailable, match=r"nowhere\.invalid"):
        await log_in(make_settings(DISCORD_TOKEN=TOKEN, DISCORD_API_URL="http://nowhere.invalid/api"))


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, "text/html", "<html>"),
        (200, "application/json", "[]"),
        (200, "application/json", "{}"),
        (200, "application/json", '{"id": 5}'),
        (200, "application/json", "{"),
        (200, "application/json; charset=utf-8", '"x"'),
        (302, "text/html", ""),
        (400, "application/json", '{"code": 50035, "message": "x"}'),
        (403, "text/html", "blocked"),
        (404, "application/json", '{"code": 10003, "message": "x"}'),
        (404, "text/plain", "404 page not found"),
        (418, "text/plain", ""),
    ],
)
async def test_what_is_not_discord_is_named(make_settings: MakeSettings, status: int, kind: str, body: str) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        headers = {"Content-Type": kind} | ({"Location": "http://127.0.0.1:9/"} if status == 302 else {})
        return web.Response(status=status, body=body.encode(), headers=headers)

    async with answering(answer) as url:
        with pytest.raises(DiscordUnavailable, match=r"127\.0\.0\.1"):
            await log_in(make_settings(DISCORD_TOKEN=TOKEN, DISCORD_API_URL=url))
    # A session that was left open warns when it is collected.
    gc.collect()


async def test_a_login_that_fails_at_first_leaves_nothing_open(make_settings: MakeSettings) -> None:
    async with running(generate(seed=1)) as emulator:
        settings = make_settings(DISCORD_TOKEN=emulator.token, DISCORD_API_URL=emulator.api_url)
        for kind in ("503", "reset", "truncate", "malformed", "html"):
            emulator.control.fault(kind, route="me", times=2)
            await log_in(settings)
        emulator.control.fault("charset", route="*", times=None)
        assert (await log_in(settings)).slept == []
    gc.collect()


@pytest.mark.parametrize("kind", ["500", "503", "reset", "truncate", "html", "malformed", "charset", "hang", "429"])
async def test_faults_on_other_routes_are_ridden_out(scenes: Scenes, kind: str) -> None:
    async with scenes(hang=0.2) as s:
        s.control.fault(kind, route="guilds", times=2)
        assert len(await s.discord.guilds()) == 1


async def test_a_lasting_fault_on_another_route_ends_the_run(scenes: Scenes) -> None:
    async with scenes() as s:
        s.control.fault("502", route="guilds", times=None)
        with pytest.raises(DiscordUnavailable, match="6 attempts, the last one: status 502"):
            await s.discord.guilds()
        assert s.control.counts().total == 6
        assert sum(s.time.slept) > 30


async def test_a_global_429_on_another_route_stops_pages_too(scenes: Scenes) -> None:
    async with scenes() as s:
        s.control.fault("429", route="guilds", scope="global", retry_after=7)
        began = s.time.clock()
        await s.discord.guilds()
        assert s.time.clock() - began > 7


async def test_both_ways_to_ask_share_one_limiter(scenes: Scenes) -> None:
    async with scenes(rate=lambda: 10.0) as s:
        began = s.time.clock()
        for _ in range(20):
            await s.discord.fetch_page(PageRequest(s.channel, limit=1))
            await s.discord.guilds()
        assert s.time.clock() - began >= 3.8


async def test_both_introduce_themselves_as_discord_demands(make_settings: MakeSettings) -> None:
    seen: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append((request.path, request.headers["User-Agent"]))
        body: Any = {"id": "5", "flags": 0} | ME
        return web.json_response([] if request.path.endswith("/messages") else body)

    async with (
        answering(answer) as url,
        open_client(make_settings(DISCORD_TOKEN=TOKEN, DISCORD_API_URL=url)) as discord,
    ):
        await discord.fetch_page(PageRequest(7))
    assert [path for path, _ in seen] == [
        "/api/v10/users/@me",
        "/api/v10/oauth2/applications/@me",
        "/api/v10/channels/7/messages",
    ]
    assert len({agent for _, agent in seen}) == 1
    assert seen[0][1].startswith("DiscordBot (https://")


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500])
async def test_the_token_shows_in_no_error_and_no_log(
    make_settings: MakeSettings, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """A login that works, then every kind of answer to every way of asking."""
    caplog.set_level(logging.DEBUG)
    login = {"/api/v10/users/@me", "/api/v10/oauth2/applications/@me"}

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path in login:
            return web.json_response({"id": "5", "flags": 0} | ME)
        if status == 200:
            assert request.transport is not None
            request.transport.close()
        body = json.dumps({"message": request.headers["Authorization"][-3:], "code": 1, "retry_after": 0.0})
        return web.Response(status=status, body=body.encode(), headers={"Location": "/x"} if status == 302 else {})

    jumping = Jumping()
    how: Any = {"clock": jumping.clock, "sleep": jumping.sleep, "patience": Patience(timeout=0.3)}
    shown: list[str] = []
    async with answering(answer) as url:
        settings = make_settings(DISCORD_TOKEN=TOKEN, DISCORD_API_URL=url)
        async with open_client(settings, **how) as discord:
            for ask in (discord.fetch_page(PageRequest(7)), discord.guilds(), discord.channel(7)):
                with pytest.raises(JunkieError) as caught:
                    await ask
                error: BaseException | None = caught.value
                while error is not None:
                    shown += [repr(error), str(error), repr(vars(error))]
                    error = error.__cause__ or error.__context__
                shown += traceback.format_exception(caught.value)
            shown += [repr(discord), repr(settings)]
    shown += [record.getMessage() for record in caplog.records]
    assert len(shown) > 10
    assert not [text for text in shown if "secret" in text]


async def test_login_keeps_to_the_refusals_allowed(make_settings: MakeSettings) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": "x", "retry_after": 0.0}, status=429)

    async with answering(answer) as url:
        with pytest.raises((DiscordUnavailable, TooManyInvalidRequests)):
            await log_in(make_settings(DISCORD_TOKEN=TOKEN, DISCORD_API_URL=url))


async def test_leaving_while_requests_are_under_way_is_quick(scenes: Scenes) -> None:
    began = time.monotonic()
    async with scenes(hang=30) as s:
        s.control.fault("hang", times=None)
        asked = asyncio.create_task(s.discord.fetch_page(PageRequest(s.channel)))
        await asyncio.sleep(0.05)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
    assert time.monotonic() - began < 10
