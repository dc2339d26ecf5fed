"""The emulator on a TCP port: each request passes token, latency, limits and faults before the world answers it."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Final

from aiohttp import web

from junkie_cli.emulator import rest, websocket
from junkie_cli.emulator.connection import reset
from junkie_cli.emulator.control import Control
from junkie_cli.emulator.faults import PAGE_KINDS, Fault
from junkie_cli.emulator.gateway import Gateway, GatewayRules
from junkie_cli.emulator.limits import VIA, Limits, Refusal, refusal
from junkie_cli.emulator.pages import Press, dumps
from junkie_cli.emulator.remote import Remote
from junkie_cli.emulator.traffic import Traffic
from junkie_cli.emulator.world import World

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator."""

    api_url: str
    token: str
    world: World
    control: Control
    port: int


@asynccontextmanager
async def running(
    world: World,
    *,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    latency_ms: float = 0,
    gateway: GatewayRules = GatewayRules(),  # noqa: B008  # frozen
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[Emulator]:
    """Serve a world until the block ends. Port 0 takes a free one. Raises OSError if the port is taken."""
    desk = _Desk(world, Traffic(limits=limits, latency_ms=latency_ms, seed=world.seed), gateway)
    runner = web.AppRunner(desk.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound = int(runner.addresses[0][1])
        yield Emulator(f"http://{host}:{bound}{rest.API}", desk.token, world, desk.control, bound)
    finally:
        desk.close()
        await runner.cleanup()


def token_of(world: World) -> str:
    """Return the one valid token: shaped like Discord's, and the same for the same seed."""
    secret = hashlib.sha256(f"emulator {world.seed}".encode()).hexdigest()
    return f"{base64.b64encode(str(world.bot.id).encode()).decode().rstrip('=')}.emu.{secret[:38]}"


class _Desk:
    """Takes requests in."""

    def __init__(self, world: World, traffic: Traffic, rules: GatewayRules) -> None:
        self.token = token_of(world)
        self._world = world
        self._traffic = traffic
        self._press = Press(world)
        self._gateway = Gateway(world, self._press, self.token, rules)
        self.control = Control(world, traffic, self._press, self._gateway)
        self._remote = Remote(self.control)
        self._closing = asyncio.Event()

    def application(self) -> web.Application:
        """Return the aiohttp application with all routes."""
        application = web.Application()
        for name, route in rest.ROUTES.items():
            application.router.add_get(route.pattern, self._serve, name=name, allow_head=False)
        for path in ("/", websocket.RESUME_PATH):
            application.router.add_get(path, self._connect, allow_head=False)
        application.router.add_post("/_emulator/{verb}", self._control_by_http)
        application.router.add_route("*", "/{anything:.*}", self._nowhere)
        return application

    def close(self) -> None:
        """Let go of every request that hangs or is held."""
        self._closing.set()
        self._gateway.close()
        self._traffic.faults.clear()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        match = request.match_info
        name = match.route.name or ""
        ids = {key: int(value) for key, value in match.items()}
        call = rest.Call(name, ids, request.query, request.host, self._gateway.starts)
        traffic = self._traffic
        traffic.came(name, call.major, dict(request.query))
        status, scope = 0, None
        try:
            if traffic.latency_ms:
                await asyncio.sleep(traffic.latency_ms / 2000)
            response = await self._answer(request, call)
            if traffic.latency_ms:
                await asyncio.sleep(traffic.latency_ms / 2000)
            response.headers["Date"] = formatdate(time.time() + traffic.ahead_s, usegmt=True)
            if isinstance(response, web.Response):
                status, scope = response.status, response.headers.get("X-RateLimit-Scope")
            return response
        finally:
            traffic.went(name, status, scope=scope)

    async def _answer(self, request: web.Request, call: rest.Call) -> web.StreamResponse:
        if not rest.ROUTES[call.route].open and request.headers.get("Authorization") != f"Bot {self.token}":
            return _error(rest.refused(401))
        headers, refused = self._traffic.limiter.admit(call.route, call.major)
        if refused is not None:
            return _refused(refused)
        fault = self._traffic.faults.strike(call.route, call.major)
        if fault is not None and (struck := await self._struck_before(request, fault, headers)) is not None:
            return struck
        try:
            body = await self._compute(call, fault)
        except rest.ApiError as error:
            return _error(error, headers)
        if fault is not None and (struck := await self._struck_after(request, fault, headers, body)) is not None:
            return struck
        return _json(200, body, headers)

    async def _compute(self, call: rest.Call, fault: Fault | None) -> bytes:
        faults = self._traffic.faults
        paged = call.route == "messages"
        if paged and (hold := faults.held(call.major, early=True)) is not None:
            await hold.wait()
        reply = rest.answer(self._world, self._press, call)
        if reply.page is not None and fault is not None and fault.kind in PAGE_KINDS:
            reply.page = faults.spoil(fault.kind, reply.page, reply.cursor)
        body = reply.body()
        if paged:
            faults.computed(call.major)
            if (hold := faults.held(call.major, early=False)) is not None:
                await hold.wait()
        return body

    async def _struck_before(
        self, request: web.Request, fault: Fault, headers: dict[str, str]
    ) -> web.StreamResponse | None:
        """Return what to answer instead of computing anything, if the fault is of that sort."""
        if fault.kind == "429":
            return _refused(refusal(fault.retry_after, scope=fault.scope, headers=headers))
        if fault.kind in {"401", "403", "404"}:
            return _error(rest.refused(int(fault.kind)), headers)
        if fault.kind.isdecimal():
            return web.Response(
                status=int(fault.kind),
                text="upstream connect error",
                headers=headers | {"Via": VIA},
                content_type="text/plain",
            )
        if fault.kind == "hang":
            await self._closing.wait()
            return _abort(request)
        return _abort(request) if fault.kind == "reset" else None

    async def _struck_after(
        self, request: web.Request, fault: Fault, headers: dict[str, str], body: bytes
    ) -> web.StreamResponse | None:
        """Return how to answer otherwise than with the body, if the fault is of that sort."""
        if fault.kind == "truncate":
            response = web.StreamResponse(headers=headers | {"Via": VIA, "Content-Type": JSON})
            response.content_length = len(body)
            await response.prepare(request)
            await response.write(body[: len(body) // 2])
            if request.transport is not None:
                request.transport.close()
            return response
        if fault.kind == "html":
            return web.Response(
                text="<html><body>Please wait…</body></html>", headers=headers | {"Via": VIA}, content_type="text/html"
            )
        if fault.kind == "charset":
            return _json(200, body, headers, content_type=f"{JSON}; charset=utf-8")
        if fault.kind == "malformed":
            return _json(200, body[:-1] + b",]", headers)
        return None

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        return await websocket.serve(self._gateway, request)

    async def _control_by_http(self, request: web.Request) -> web.Response:
        try:
            arguments = json.loads(await request.read() or b"{}")
            if not isinstance(arguments, dict):
                raise TypeError("arguments are a JSON object")  # noqa: TRY301  # one place answers what is wrong
            if (verb := request.match_info["verb"]) == "stream":
                found = await self._remote.stream(arguments)
            else:
                found = self._remote.run(verb, arguments)
        except LookupError as error:
            return _json(404, dumps({"message": str(error)}), {})
        except (TypeError, ValueError) as error:
            return _json(400, dumps({"message": str(error)}), {})
        return _json(200, found if isinstance(found, bytes) else dumps(found), {})

    async def _nowhere(self, _request: web.Request) -> web.Response:
        return _error(rest.ApiError(404, 0, "404: Not Found"))


def _json(status: int, body: bytes, headers: dict[str, str], *, content_type: str = JSON) -> web.Response:
    fixed = {"Content-Type": content_type, "Via": VIA, "Server": "cloudflare"}
    return web.Response(status=status, body=body, headers=headers | fixed)


def _error(error: rest.ApiError, headers: dict[str, Any] | None = None) -> web.Response:
    return _json(error.status, dumps(error.body), headers or {})


def _refused(refused: Refusal) -> web.Response:
    return _json(429, dumps(refused.body), refused.headers)


def _abort(request: web.Request) -> web.StreamResponse:
    """End the connection with a RST; the response that aiohttp wants goes nowhere."""
    reset(request)
    return web.StreamResponse()
