"""A gateway client that does nothing by itself."""

import json
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import WSMsgType

from junkie_cli.emulator.intents import Intent
from junkie_cli.emulator.server import Emulator

Json = dict[str, Any]

INTENTS = Intent.GUILDS | Intent.GUILD_MESSAGES | Intent.MESSAGE_CONTENT


class Closed(Exception):
    """The gateway ended the connection: with a code, or None without a word."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class Wire:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        self.socket = socket
        self.token = token
        self.sequence: int | None = None
        self.session_id = ""
        self.resume_url = ""
        self._inflate = zlib.decompressobj()

    async def send(self, code: int, data: Any = None) -> None:
        await self.socket.send_json({"op": code, "d": data})

    async def receive(self) -> Json:
        """Return the next payload, whatever it is."""
        message = await self.socket.receive()
        if message.type is WSMsgType.CLOSE:
            raise Closed(message.data)
        if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
            raise Closed(None)
        text = message.data if message.type is WSMsgType.TEXT else self._inflate.decompress(message.data)
        payload: Json = json.loads(text)
        self.sequence = payload["s"] or self.sequence
        return payload

    async def expect(self, code: int) -> Any:
        """Return the data of the next payload, which must have that opcode."""
        payload = await self.receive()
        assert payload["op"] == code, payload
        return payload["d"]

    async def event(self, name: str) -> Any:
        """Return the data of the next payload, which must be that event."""
        payload = await self.receive()
        assert (payload["op"], payload["t"]) == (0, name), payload
        return payload["d"]

    async def ended(self) -> int | None:
        """Return the code with which the gateway ends the connection, instead of saying anything."""
        try:
            payload = await self.receive()
        except Closed as closed:
            return closed.code
        raise AssertionError(payload)

    async def identify(self, intents: Any = INTENTS, **more: Any) -> Json:
        """Begin a session and return READY."""
        await self.send(2, {"token": self.token, "intents": intents, "properties": {}} | more)
        ready: Json = await self.event("READY")
        self.session_id, self.resume_url = ready["session_id"], ready["resume_gateway_url"]
        return ready

    async def resume(self, other: "Wire", sequence: int | None = None) -> None:
        """Ask to go on with another's session, from its last event or the given one."""
        sequence = other.sequence if sequence is None else sequence
        await self.send(6, {"token": self.token, "session_id": other.session_id, "seq": sequence})
        self.session_id = other.session_id


class Wires:
    """Opens connections to an emulator."""

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self._emulator = emulator
        self._session = session
        self._stack = stack

    async def open(self, path: str = "/", **query: str) -> Wire:
        """Connect; HELLO is still to come."""
        url = f"http://127.0.0.1:{self._emulator.port}{path}"
        handshake = self._session.ws_connect(url, params={"v": "10", "encoding": "json"} | query, autoclose=False)
        return Wire(await self._stack.enter_async_context(handshake), self._emulator.token)

    async def greeted(self, **query: str) -> Wire:
        """Connect and hear HELLO."""
        wire = await self.open(**query)
        await wire.expect(10)
        return wire

    async def begun(self, intents: int = INTENTS, **more: Any) -> Wire:
        """Begin a session, and hear of each guild."""
        wire = await self.greeted()
        ready = await wire.identify(intents, **more)
        for _ in ready["guilds"] if intents & Intent.GUILDS else ():
            await wire.event("GUILD_CREATE")
        return wire

    async def resumed(self, other: Wire, sequence: int | None = None) -> tuple[Wire, list[Json]]:
        """Go on with a session; return what was replayed, RESUMED left out."""
        wire, found = await self.greeted(), []
        await wire.resume(other, sequence)
        while (payload := await wire.receive())["t"] != "RESUMED":
            found.append(payload)
        return wire, found


@asynccontextmanager
async def wires_to(emulator: Emulator) -> AsyncIterator[Wires]:
    async with aiohttp.ClientSession() as session, AsyncExitStack() as stack:
        yield Wires(emulator, session, stack)
