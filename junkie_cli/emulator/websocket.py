"""What a client says to the gateway, and what it gets for it (docs, "Gateway", "Gateway Close Event Codes")."""

import asyncio
import json
from collections import deque
from typing import Any, Final

from aiohttp import WSMsgType, web

from junkie_cli.emulator import intents, payloads
from junkie_cli.emulator.compression import COMPRESSIONS
from junkie_cli.emulator.connection import Connection, reset
from junkie_cli.emulator.gateway import Gateway
from junkie_cli.emulator.sessions import RESUMABLE, Shard

RESUME_PATH: Final = "/resume"
"""Another path than the first connection's, so that it shows whether a client heeds `resume_gateway_url`."""

VERSIONS: Final = frozenset({"9", "10"})
CLOSE_PATIENCE: Final = 5.0
LEAST_PATIENCE: Final = 10.0
MAX_BYTES: Final = 4096
SENDS: Final = 120
SENDS_WINDOW: Final = 60.0

HEARTBEAT: Final = 1
IDENTIFY: Final = 2
RESUME: Final = 6
INVALID_SESSION: Final = 9
HELLO: Final = 10
HEARTBEAT_ACK: Final = 11
UNHEEDED: Final = frozenset({3, 4, 8})
"""Presence, voice state and requests for members are understood, and come to nothing."""

UNKNOWN_OPCODE: Final = 4001
DECODE_ERROR: Final = 4002
NOT_AUTHENTICATED: Final = 4003
AUTHENTICATION_FAILED: Final = 4004
ALREADY_AUTHENTICATED: Final = 4005
RATE_LIMITED: Final = 4008
INVALID_SHARD: Final = 4010
SHARDING_REQUIRED: Final = 4011
INVALID_VERSION: Final = 4012

Json = dict[str, Any]


class _Closed(Exception):
    """The client is to be closed with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def serve(gateway: Gateway, request: web.Request) -> web.StreamResponse:
    """Answer a WebSocket handshake, and talk until either side ends it."""
    if gateway.down is not None:
        return await _refused(gateway, request)
    websocket = web.WebSocketResponse(timeout=CLOSE_PATIENCE, compress=False)
    squeeze = request.query.get("compress")
    json_alone = request.query.get("encoding", "json") == "json"
    if not websocket.can_prepare(request).ok or not json_alone or squeeze not in {None, *COMPRESSIONS}:
        return web.Response(status=400)
    await websocket.prepare(request)
    stream = None if squeeze is None else COMPRESSIONS[squeeze]()
    connection = Connection(request, websocket, stream, gateway.rules.keep)
    await _Talk(gateway, connection, websocket, request).run()
    return websocket


async def _refused(gateway: Gateway, request: web.Request) -> web.StreamResponse:
    down = gateway.down
    gateway.refuse()
    if down == "503":
        return web.Response(status=503)
    if down == "hang":
        await gateway.closing.wait()
    reset(request)
    return web.StreamResponse()


class _Talk:
    """The conversation with one client."""

    def __init__(
        self, gateway: Gateway, connection: Connection, websocket: web.WebSocketResponse, request: web.Request
    ) -> None:
        self._gateway = gateway
        self._connection = connection
        self._websocket = websocket
        self._request = request
        self._sends: deque[float] = deque()

    async def run(self) -> None:
        """Say HELLO, listen to the end."""
        rules, connection = self._gateway.rules, self._connection
        self._gateway.came(connection)
        code = None
        try:
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(connection.write())
                if self._request.query.get("v", "10") not in VERSIONS:
                    connection.end(INVALID_VERSION)
                else:
                    connection.order(HELLO, {"heartbeat_interval": rules.heartbeat_ms, "_trace": ["emulator"]})
                    # Who misses a heartbeat has its connection closed, and can resume (docs, "Sending Heartbeats").
                    code = await self._listen(max(2 * rules.heartbeat_ms / 1000, LEAST_PATIENCE))
                if not connection.ending:
                    writing.cancel()
        finally:
            self._gateway.went(connection, code)

    async def _listen(self, patience: float) -> int | None:
        """Return the client's close code if it closed, None if it is to be closed or is gone."""
        while True:
            try:
                message = await self._websocket.receive(timeout=patience)
                if message.type is WSMsgType.CLOSE:
                    return int(message.data)
                if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    return None
                self._take(message.data)
            except TimeoutError:
                self._close(4000)
                return None
            except _Closed as closed:
                self._close(closed.code)
                return None

    def _close(self, code: int) -> None:
        self._gateway.part(self._connection, forget=code not in RESUMABLE)
        self._connection.end(code)

    def _take(self, text: str | bytes) -> None:
        payload = _decoded(text)
        code = payload.get("op")
        if code == HEARTBEAT:
            if self._gateway.beat():
                self._connection.order(HEARTBEAT_ACK)
            return
        self._count()
        if type(code) is not int:
            raise _Closed(UNKNOWN_OPCODE)
        begun = self._connection.session is not None
        if code in {IDENTIFY, RESUME}:
            if begun:
                raise _Closed(ALREADY_AUTHENTICATED)
            self._enter(code, payload.get("d"))
        elif code not in UNHEEDED:
            raise _Closed(UNKNOWN_OPCODE)
        elif not begun:
            raise _Closed(NOT_AUTHENTICATED)

    def _enter(self, code: object, data: object) -> None:
        if not isinstance(data, dict):
            raise _Closed(DECODE_ERROR)
        if data.get("token") != self._gateway.token:
            raise _Closed(AUTHENTICATION_FAILED)
        if code == IDENTIFY:
            self._identify(data)
        elif not self._gateway.resume(self._connection, data.get("session_id"), data.get("seq")):
            self._connection.order(INVALID_SESSION, data=False)

    def _count(self) -> None:
        """Hold the client to 120 payloads a minute (docs, "Rate Limiting"); heartbeats are not counted here."""
        now = asyncio.get_running_loop().time()
        self._sends.append(now)
        while self._sends[0] <= now - SENDS_WINDOW:
            self._sends.popleft()
        if len(self._sends) > SENDS:
            raise _Closed(RATE_LIMITED)

    def _identify(self, data: Json) -> None:
        gateway = self._gateway
        shard = _shard(data.get("shard"))
        wanted = data.get("intents")
        if not isinstance(data.get("properties"), dict):
            raise _Closed(DECODE_ERROR)
        if (code := intents.refusal(wanted, payloads.application_flags(gateway.world))) is not None:
            raise _Closed(code)
        guilds = gateway.guilds_of(shard)
        if len(guilds) > gateway.rules.max_guilds:
            raise _Closed(SHARDING_REQUIRED)
        if not gateway.starts.take():
            raise _Closed(AUTHENTICATION_FAILED)
        if gateway.starts.too_soon(shard.number):
            self._connection.order(INVALID_SESSION, data=False)
            return
        ready: Json = {
            "v": int(self._request.query.get("v", "10")),
            "user_settings": {},
            "user": payloads.me(gateway.world),
            "session_type": "normal",
            "resume_gateway_url": f"ws://{self._request.host}{RESUME_PATH}",
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "private_channels": [],
            "relationships": [],
            "presences": [],
            "application": {
                "id": str(gateway.world.bot.id),
                "flags": payloads.application_flags(gateway.world),
            },
            "_trace": ["emulator"],
        }
        if "shard" in data:
            ready["shard"] = list(shard)
        assert isinstance(wanted, int)
        gateway.begin(self._connection, shard, wanted, ready)


def _decoded(text: str | bytes) -> Json:
    if len(text) > MAX_BYTES:
        raise _Closed(DECODE_ERROR)
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        raise _Closed(DECODE_ERROR) from None
    if not isinstance(payload, dict):
        raise _Closed(DECODE_ERROR)
    return payload


def _shard(value: object) -> Shard:
    match value:
        case None:
            return Shard(0, 1)
        case [int(number), int(total)] if 0 <= number < total:
            return Shard(number, total)
        case _:
            raise _Closed(INVALID_SHARD)
