"""One shard: a connection to the gateway that is taken up again whenever it is lost.

discord.py's WebSocket speaks the protocol: compression, heartbeats, IDENTIFY, RESUME. What it hears goes to `Dispatches`
and to nobody else: discord.py's own parsers keep caches and end the client over one payload that they don't expect.

Invariant: after a connection is lost, the session is resumed with the sequence number of the last event that was delivered,
or a new one begins, of which SessionBegan tells. There is no third way.
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, NoReturn

import aiohttp
import discord
import yarl
from discord.gateway import DiscordWebSocket, ReconnectWebSocket
from discord.http import HTTPClient
from discord.state import ConnectionState

from junkie_cli.client.answers import described
from junkie_cli.client.dispatches import Dispatches
from junkie_cli.client.limiter import Clock, Sleep
from junkie_cli.client.live_events import LiveEvent, OnEvent, Phase, ShardState
from junkie_cli.client.starts import SessionStarts
from junkie_cli.client.transport import Patience, Refused, reason_of
from junkie_cli.errors import (
    ConfigError,
    ContentIntentMissing,
    DiscordError,
    JunkieError,
    TokenRejected,
    TooManyInvalidRequests,
)

log = logging.getLogger(__name__)

STEADY: Final = 60.0
"""Seconds after which a connection that worked counts as a success: the next failure is again the first."""

CLOSE_PATIENCE: Final = 1.0
"""Seconds for the other side to say goodbye."""

RESUME_TRIES: Final = 3
"""After so many failures in a row the address that READY gave for resuming is no more to be relied on."""

_BREATH: Final = 64
"""Events between two chances for other tasks: what is buffered is heard without a pause."""

_NORMAL: Final = 1000
_RESUMABLE: Final = 4000
_INVALID_SEQUENCE: Final = 4007

_LOST: Final = (ReconnectWebSocket, discord.ConnectionClosed, aiohttp.ClientError, OSError)
"""How discord.py says that a connection is over; TimeoutError is an OSError."""

_FRAME_ERRORS: Final = (ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True, slots=True)
class Means:
    """What all shards share. Times are in seconds; `clock` is monotonic, `now` the wall clock."""

    http: HTTPClient
    starts: SessionStarts
    intents: discord.Intents
    me: int
    clock: Clock
    sleep: Sleep
    rng: random.Random
    now: Callable[[], datetime]
    patience: Patience
    heartbeat_timeout: float


@dataclass(frozen=True, slots=True)
class _Session:
    id: str
    sequence: int
    url: yarl.URL


class _Broken(Exception):
    """The connection can't be used any longer. The text says why, in few words."""


class _Unheard(Exception):
    """Whoever hears the events failed: `error` is no fault of the connection."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Shard:
    """Shard number `shard_id` of `count`."""

    def __init__(self, shard_id: int, count: int, means: Means, on_event: OnEvent) -> None:
        self._id = shard_id
        self._means = means
        self._on_event = on_event
        self._client = _Client(shard_id, count, means, self._hear)
        self._dispatches = Dispatches(shard_id, means.me, of_no_interest=self._client.known, now=means.now)
        self._phase = Phase.CONNECTING
        self._session: _Session | None = None
        self._main = yarl.URL()
        self._failures = 0
        self._ready_at = math.inf
        self._heard_at: float | None = None
        self._steady_at: float | None = None

    @property
    def state(self) -> ShardState:
        """How the shard does now."""
        websocket = self._client.websocket
        latency = math.inf if websocket is None else websocket.latency
        now = self._means.clock()
        age, silence = (None if since is None else now - since for since in (self._heard_at, self._steady_at))
        return ShardState(self._id, self._phase, latency if math.isfinite(latency) else None, age, silence)

    async def run(self) -> NoReturn:
        """Stay connected until cancelled; then say goodbye, which ends the session.

        Raises TokenRejected, ContentIntentMissing, ConfigError, TooManyInvalidRequests, and what `on_event` raises.
        """
        means = self._means
        try:
            while True:
                wait = await self._once()
                await self._close(_RESUMABLE)
                if wait > 0:
                    log.info("shard %d: next attempt in %.1f s", self._id, wait, extra={"shard": self._id})
                    await means.sleep(wait)
        finally:
            self._phase = Phase.CLOSED
            await self._close(_NORMAL)

    async def _once(self) -> float:
        """Connect, listen until the connection is lost, and return how many seconds to wait before the next attempt."""
        self._phase = Phase.CONNECTING if self._session is None else Phase.RESUMING
        self._ready_at = math.inf
        try:
            await self._listen()
        except _Unheard as unheard:
            raise unheard.error from None
        except (ConfigError, TooManyInvalidRequests):
            raise
        except (*_LOST, DiscordError, _Broken) as error:
            lost = error
        code = lost.code if isinstance(lost, discord.ConnectionClosed) else None
        if (fatal := self._fatal(code)) is not None:
            raise fatal
        if code == _INVALID_SEQUENCE:
            self._forget_session()
        log.info("shard %d: connection lost: %s", self._id, _reason(lost), extra={"shard": self._id})
        at_least = 0.0
        if isinstance(lost, ReconnectWebSocket) and not lost.resume:
            # "A random amount of time between 1 and 5 seconds" (docs, "Resuming").
            at_least = self._means.rng.uniform(1.0, 5.0)
        return max(self._back_off(), at_least)

    def _back_off(self) -> float:
        means = self._means
        if means.clock() - self._ready_at >= STEADY:
            self._failures = 0
        self._failures += 1
        return 0.0 if self._failures == 1 else means.patience.wait(self._failures - 1, means.rng)

    async def _listen(self) -> NoReturn:
        """Resume the session, or begin one, and hear its events until the connection is lost."""
        session = self._session
        if session is None:
            async with self._means.starts.turn(self._id) as address:
                self._main = yarl.URL(address)
                websocket = await self._open(self._main, None)
        else:
            websocket = await self._open(session.url if self._failures <= RESUME_TRIES else self._main, session)
        while True:
            for _ in range(_BREATH):
                await self._poll(websocket)
            await asyncio.sleep(0)

    async def _open(self, url: yarl.URL, session: _Session | None) -> DiscordWebSocket:
        """Connect, and send IDENTIFY or RESUME."""
        try:
            async with asyncio.timeout(self._means.patience.timeout):
                return await DiscordWebSocket.from_client(
                    self._client,
                    gateway=url,
                    shard_id=self._id,
                    session=None if session is None else session.id,
                    sequence=None if session is None else session.sequence,
                    resume=session is not None,
                )
        except _FRAME_ERRORS as error:
            raise _Broken("what answers is not Discord's gateway") from error

    async def _poll(self, websocket: DiscordWebSocket) -> None:
        """Wait for one frame and take it in."""
        try:
            await websocket.poll_event()
            self._is_steady()
        except (_Unheard, *_LOST):
            raise
        except _FRAME_ERRORS as error:
            if self._phase is not Phase.READY:
                # Without a READY or RESUMED that can be read nobody would know what was missed.
                self._forget_session()
                raise _Broken("a session that began with nonsense") from error
            self._deliver(self._dispatches.skipped("?", "a frame that makes no sense"))
        except Exception as error:
            # A compressed stream that is damaged stays so; the names of its errors depend on what is installed.
            raise _Broken(f"a frame that can't be unpacked ({type(error).__name__})") from error

    def _hear(self, name: str, data: Any) -> None:
        """Take in one dispatch; discord.py calls it in place of its own parsers."""
        self._heard_at = self._means.clock()
        if name in {"READY", "RESUMED"}:
            self._phase, self._ready_at = Phase.READY, self._heard_at
        self._is_steady()
        for event in self._dispatches.read(name, data):
            self._deliver(event)

    def _is_steady(self) -> None:
        """Note that a frame came: all events before it have come too, since a connection keeps their order."""
        if self._phase is Phase.READY:
            self._steady_at = self._means.clock()

    def _deliver(self, event: LiveEvent) -> None:
        try:
            self._on_event(event)
        except Exception as error:
            raise _Unheard(error) from error

    def _forget_session(self) -> None:
        self._session = None
        if self._client.websocket is not None:
            self._client.websocket.session_id = None

    async def _close(self, code: int) -> None:
        """Close the connection, if there is one, and keep what is needed to resume its session."""
        websocket, self._client.websocket = self._client.websocket, None
        if websocket is None:
            return
        session_id, sequence = websocket.session_id, websocket.sequence
        self._session = None
        if session_id is not None and sequence is not None:
            self._session = _Session(session_id, sequence, websocket.gateway)
        try:
            async with asyncio.timeout(CLOSE_PATIENCE):
                await websocket.close(code)
        except TimeoutError:
            log.debug("shard %d: the gateway did not say goodbye", self._id)

    def _fatal(self, code: int | None) -> JunkieError | None:
        """Return the error that a close code is after which nobody may reconnect (docs, "Gateway Close Event Codes")."""
        update = "install the newest junkie; if it is, report this"
        match code:
            case 4004:
                return TokenRejected(
                    "Discord's gateway rejects the bot token",
                    hint="copy it again from the Developer Portal, page Bot, and set DISCORD_TOKEN",
                )
            case 4010:
                return ConfigError(f"Discord's gateway rejects shard {self._id} (close code 4010)", hint=update)
            case 4011:
                return ConfigError(
                    "the bot is in too many servers for so few shards (close code 4011)",
                    hint="start again: it takes as many shards as Discord recommends",
                )
            case 4012 | 4013:
                return ConfigError(f"Discord's gateway rejects how it is asked (close code {code})", hint=update)
            case 4014:
                return ContentIntentMissing(
                    "the bot lacks the MESSAGE CONTENT intent, so Discord's gateway rejects it",
                    hint="switch it on in Discord's developer portal (Bot > Privileged Gateway Intents)",
                )
        return None


def _reason(lost: Exception) -> str:
    match lost:
        case ReconnectWebSocket(resume=True):
            return "it ended, or Discord asks for a new one"
        case ReconnectWebSocket():
            return "Discord asks for a new session"
        case discord.ConnectionClosed():
            return f"closed with {lost.code}"
        case Refused():
            return described(lost.answer)
        case aiohttp.ClientError() | OSError():
            return reason_of(lost)
    return str(lost)


class _State(ConnectionState["_Client"]):
    """discord.py's state of a connection, of which only the reference to the WebSocket is kept."""

    websocket: DiscordWebSocket | None = None

    def _update_references(self, ws: DiscordWebSocket) -> None:
        # Told before HELLO, so that a connection that comes to nothing can be closed.
        self.websocket = ws


class _Parsers(dict[str, Callable[[Any], None]]):
    """Gives every event name, known or not, the same hearer."""

    def __init__(self, hear: Callable[[str, Any], None]) -> None:
        super().__init__()
        self._hear = hear

    def __missing__(self, name: str) -> Callable[[Any], None]:
        return partial(self._hear, name)


class _Client(discord.Client):
    """What a DiscordWebSocket asks of its client: it never logs in, keeps no cache, and has no session of its own."""

    state: _State

    def __init__(self, shard_id: int, count: int, means: Means, hear: Callable[[str, Any], None]) -> None:
        super().__init__(
            intents=means.intents,
            shard_id=shard_id,
            shard_count=count,
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            heartbeat_timeout=means.heartbeat_timeout,
        )
        self.http = means.http
        self.loop = asyncio.get_running_loop()
        self.known = frozenset(self.state.parsers)
        self.state.parsers = _Parsers(hear)

    @property
    def websocket(self) -> DiscordWebSocket | None:
        """The connection that there is, or that is being made."""
        return self.state.websocket

    @websocket.setter
    def websocket(self, websocket: DiscordWebSocket | None) -> None:
        self.state.websocket = websocket

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """Tell nobody: discord.py's events are not listened to."""

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Don't wait here, with the connection open: `SessionStarts` did before."""

    def _get_state(self, **options: Any) -> _State:
        self.state = _State(
            dispatch=self.dispatch, handlers=self._handlers, hooks=self._hooks, http=self.http, **options
        )
        return self.state
