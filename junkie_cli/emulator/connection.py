"""One client's WebSocket, on which anybody may speak without waiting.

Payloads queue and go out in order. `end` closes behind them, `abort` at once and unannounced.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Final

from aiohttp import web

from junkie_cli.emulator.pages import dumps
from junkie_cli.emulator.sessions import Session

_RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: closing sends a RST."""


class Connection:
    """A WebSocket that is open. Once nobody reads fast enough for `limit` payloads to wait, it is aborted."""

    session: Session | None
    ending: bool

    def __init__(
        self,
        request: web.Request,
        websocket: web.WebSocketResponse,
        squeeze: Callable[[bytes], bytes] | None,
        limit: int,
    ) -> None:
        self.session = None
        self.ending = False
        self._request = request
        self._websocket = websocket
        self._squeeze = squeeze
        self._limit = limit
        self._queue: deque[bytes] = deque()
        self._close_code: int | None = None
        self._wake = asyncio.Event()

    def put(self, payload: bytes) -> None:
        """Queue a payload, unless the end was said before."""
        if self.ending:
            return
        if len(self._queue) >= self._limit:
            self.abort()
            return
        self._queue.append(payload)
        self._wake.set()

    def order(self, code: int, data: object = None) -> None:
        """Queue a payload of that opcode, which is no event and has no number."""
        self.put(dumps({"t": None, "s": None, "op": code, "d": data}))

    def end(self, code: int) -> None:
        """Close with that code, after all that is queued."""
        if not self.ending:
            self.ending, self._close_code = True, code
            self._wake.set()

    def abort(self) -> None:
        """End the TCP connection with a RST."""
        self.ending = True
        self._queue.clear()
        self._wake.set()
        reset(self._request)

    async def write(self) -> None:
        """Send what is queued until the end."""
        try:
            while True:
                while self._queue:
                    await self._send(self._queue.popleft())
                if self.ending:
                    break
                self._wake.clear()
                await self._wake.wait()
            if self._close_code is not None:
                await self._websocket.close(code=self._close_code)
        except ConnectionError:
            # It went away by itself; whoever reads learns of it.
            self.ending = True

    async def _send(self, payload: bytes) -> None:
        # Nothing waits between compressing and writing, so that the stream's order is the wire's.
        if self._squeeze is None:
            await self._websocket.send_str(payload.decode())
        else:
            await self._websocket.send_bytes(self._squeeze(payload))


def reset(request: web.Request) -> None:
    """End a request's connection with a RST."""
    if request.transport is not None:
        if (connection := request.transport.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        request.transport.abort()
