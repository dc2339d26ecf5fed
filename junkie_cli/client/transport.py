"""Asking until there is an answer: attempts, pauses, back-off, and when to give up.

`Line` is what all requests of one client share. discord.py's routes go through `Api`, which takes its retries away from it
(they hold a rate limit for 25 s, know nothing of a 503, and log in vain) by raising inside its HTTP session as soon as an
answer is an error; GET messages goes its own way, in `messages`. Both ask the global limiter before each single attempt.
No error holds headers, so that none can show the token.
"""

import logging
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from discord.http import HTTPClient, Route

from junkie_cli.client.answers import Answer, described, error_of, read_json, read_throttle
from junkie_cli.client.limiter import Clock, GlobalLimiter, InvalidRequests, Sleep
from junkie_cli.errors import DiscordUnavailable

log = logging.getLogger(__name__)

LONGEST_PAUSE: Final = 900.0
"""Seconds. Whoever asks for a longer pause has banned us; better to say so than to stand still."""

_QUICK_THROTTLES: Final = 4
MOST_THROTTLES: Final = 20
"""How often in a row one request may be answered 429."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try, how long to wait in between and for each answer, all in seconds.

    Waits grow threefold from `first` to `longest`, each 25 % more or less.
    """

    attempts: int = 6
    first: float = 0.5
    longest: float = 30.0
    timeout: float = 30.0

    def wait(self, failures: int, rng: random.Random) -> float:
        """Return how long to wait after so many failures."""
        return min(self.first * 3.0 ** (failures - 1), self.longest) * rng.uniform(0.75, 1.25)


LOGIN: Final = Patience(attempts=4, longest=3.0, timeout=10.0)
"""At the start somebody is watching: a few tries over a few seconds."""


_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (aiohttp.ClientConnectorDNSError, "its address can't be looked up"),
    (aiohttp.ClientConnectorCertificateError, "TLS failed: its certificate is not trusted"),
    (aiohttp.ClientSSLError, "TLS failed"),
    (TimeoutError, "no answer in time"),
    (aiohttp.ClientPayloadError, "the answer broke off"),
    (aiohttp.InvalidURL, "its address makes no sense"),
    (aiohttp.ClientResponseError, "an answer that is no HTTP"),
)


class Failed(Exception):
    """One attempt brought no sensible answer. The text says why, in few words."""


class Refused(aiohttp.ClientError):
    """An answer >= 300 to one of discord.py's requests."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Line:
    """What all requests of one client share. `api_url` is for messages."""

    api_url: str
    limiter: GlobalLimiter
    invalid: InvalidRequests
    clock: Clock
    sleep: Sleep
    rng: random.Random
    patience: Patience = Patience()

    async def start(self, *, yielding: bool = False) -> None:
        """Wait for the right to send one request; `yielding`, let pages go first. Raises TooManyInvalidRequests."""
        self.invalid.check()
        await self.limiter.acquire(yielding=yielding)

    def tries(self, subject: str, patience: Patience | None = None) -> "Tries":
        """Begin to count the attempts of one request; `subject` is what it is about, for errors."""
        return Tries(self, subject, patience or self.patience)

    async def insist(
        self, attempt: Callable[[], Awaitable[Any]], subject: str, patience: Patience | None = None
    ) -> Any:
        """Call `attempt`, one of discord.py's requests, until it brings a value.

        Raises what `Tries` and `answers.error_of` do.
        """
        tries = self.tries(subject, patience)
        while True:
            outcome = await _outcome(attempt)
            # Raised here and not while handling the library's error, which knows the request's headers.
            if isinstance(outcome, Answer):
                await self.sleep(await tries.refused(outcome))
            elif isinstance(outcome, Failed):
                await tries.failed(str(outcome))
            else:
                return outcome.value


class Tries:
    """The attempts of one request."""

    def __init__(self, line: Line, subject: str, patience: Patience) -> None:
        self._line = line
        self._subject = subject
        self._patience = patience
        self._failures = 0
        self._throttles = 0

    async def failed(self, reason: str) -> None:
        """Wait before the next attempt. Raises DiscordUnavailable if this was the last."""
        self._failures += 1
        if self._failures >= self._patience.attempts:
            raise self._unavailable(f"{self._failures} attempts, the last one: {reason}")
        wait = self._patience.wait(self._failures, self._line.rng)
        log.info("%s: %s; next attempt in %.1f s", self._subject, reason, wait)
        await self._line.sleep(wait)

    async def refused(self, answer: Answer) -> float:
        """Deal with an answer >= 300. Return for how many seconds this one request is to pause: those of a 429.

        Raises TokenRejected, ChannelError and its kinds, DiscordUnavailable after the last attempt or if Discord asks
        for a very long pause, TooManyInvalidRequests.
        """
        line = self._line
        if answer.status != 429:
            if answer.status in {401, 403}:
                line.invalid.note()
            if (error := error_of(answer, self._subject)) is not None:
                raise error
            await self.failed(described(answer))
            return 0.0
        self._throttles += 1
        throttle = read_throttle(answer, fallback=self._patience.wait(min(self._throttles, 6), line.rng))
        if throttle.scope != "shared":
            line.invalid.note()
        line.invalid.check()
        if throttle.seconds > LONGEST_PAUSE:
            raise self._unavailable(f"Discord asks to wait {throttle.seconds:.0f} s")
        if self._throttles > MOST_THROTTLES:
            raise self._unavailable(f"{self._throttles} times in a row too many requests (429)")
        log.debug("%s: 429 (%s), pausing %.3f s", self._subject, throttle.scope, throttle.seconds)
        if throttle.scope == "global":
            line.limiter.pause(throttle.seconds)
            return 0.0
        if self._throttles > _QUICK_THROTTLES:
            # A limit that lets nobody through in spite of its own word is asked ever more rarely.
            await line.sleep(self._patience.wait(self._throttles - _QUICK_THROTTLES, line.rng))
        return throttle.seconds

    def _unavailable(self, what: str) -> DiscordUnavailable:
        return DiscordUnavailable(
            f"no sensible answer from {self._line.api_url} about {self._subject}: {what}",
            hint="check the network, DISCORD_API_URL and https://discordstatus.com, then run it again",
        )


class Api:
    """GET requests through discord.py."""

    def __init__(self, line: Line, http: HTTPClient) -> None:
        self._line = line
        self._http = http
        # No total: discord.py sleeps through its rate limits within it.
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=line.patience.timeout, sock_read=line.patience.timeout
        )

    @property
    def http(self) -> HTTPClient:
        """discord.py's client for HTTP, under the same limiter; the gateway's connections are made with it."""
        return self._http

    async def get(self, path: str, *, subject: str, params: dict[str, str] | None = None, **ids: int) -> Any:
        """Return the JSON value that the path answers; `ids` fill its placeholders.

        Raises TokenRejected, ChannelForbidden, ChannelNotFound, ChannelError, DiscordUnavailable, TooManyInvalidRequests.
        """

        async def attempt() -> Any:
            route = Route("GET", path, metadata=None, **ids)
            data = await self._http.request(route, params=params or {}, timeout=self._timeout, allow_redirects=False)
            return parsed(data)

        return await self._line.insist(attempt, subject)


def tracing(line: Line) -> aiohttp.TraceConfig:
    """Return the hooks that put discord.py's HTTP session under `line`'s limiter, and raise `Refused`."""

    async def starts(_session: aiohttp.ClientSession, _context: SimpleNamespace, _request: object) -> None:
        # What is looked for beside pages must not keep a channel's window from beginning.
        await line.start(yielding=True)

    async def ends(
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        request: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestRedirectParams,
    ) -> None:
        response = request.response
        if response.status < 300:
            return
        try:
            body = await response.read()
        finally:
            response.close()
        raise Refused(Answer(response.status, response.headers, body))

    config = aiohttp.TraceConfig()
    config.on_request_start.append(starts)
    config.on_request_end.append(ends)
    config.on_request_redirect.append(ends)
    return config


def parsed(data: Any) -> Any:
    """Return the value of what discord.py hands back: text, unless its type is exactly `application/json`.

    Raises ValueError for what is no JSON.
    """
    return read_json(data) if isinstance(data, str) else data


def reason_of(error: Exception) -> str:
    """Say in few words how an attempt failed; never with headers, which hold the token."""
    if type(error) is aiohttp.ClientConnectorError:
        return os.strerror(error.os_error.errno).lower() if error.os_error.errno else "no connection"
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "the connection broke")


@dataclass(frozen=True, slots=True)
class _Value:
    value: Any


async def _outcome(attempt: Callable[[], Awaitable[Any]]) -> _Value | Answer | Failed:
    try:
        return _Value(await attempt())
    except Refused as refused:
        return refused.answer
    except Failed as failure:
        return failure
    except (aiohttp.ClientError, OSError) as error:
        return Failed(reason_of(error))
    except ValueError:
        return Failed("an answer that is no JSON")
