"""Whether Discord can be reached, how quickly it answers, and what time it has: asked without a token."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from junkie_cli.client.answers import read_json
from junkie_cli.client.limiter import Clock
from junkie_cli.client.session import USER_AGENT
from junkie_cli.client.transport import reason_of
from junkie_cli.errors import DiscordUnavailable

TRIES: Final = 4
"""Requests: the first one also pays for the connection, and is not measured."""

_HALF_A_SECOND: Final = timedelta(seconds=0.5)


@dataclass(frozen=True, slots=True)
class Reach:
    """What the address of the API answers.

    `latency` is the median round trip in seconds. `ahead` is how far our clock is ahead of Discord's, in seconds, None where
    Discord told no time; it is off by half a second and half a round trip at most.
    """

    host: str
    latency: float
    ahead: float | None


async def reach(
    api_url: str,
    *,
    patience: float,
    clock: Clock = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Reach:
    """Ask for the gateway's address, which needs no token. `patience` is in seconds, for one request.

    Raises DiscordUnavailable.
    """
    took: list[float] = []
    ahead: list[float] = []
    async with aiohttp.ClientSession(
        headers={"User-Agent": USER_AGENT},
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=patience),
    ) as session:
        for _ in range(TRIES):
            asked, since = now(), clock()
            headers = await _ask(session, api_url)
            took.append(clock() - since)
            if (told := _date(headers)) is not None:
                ahead.append((asked + timedelta(seconds=took[-1] / 2) - told).total_seconds())
    return Reach(
        urlsplit(api_url).netloc,
        statistics.median(took[1:]),
        statistics.median(ahead) if ahead else None,
    )


async def _ask(session: aiohttp.ClientSession, api_url: str) -> Mapping[str, str]:
    hint = "check the network, DISCORD_API_URL and https://discordstatus.com, then run it again"
    try:
        async with session.get(f"{api_url}/gateway", allow_redirects=False) as response:
            body = await response.read()
            status, headers = response.status, response.headers
    except (aiohttp.ClientError, OSError) as error:
        raise DiscordUnavailable(f"{api_url} can't be reached: {reason_of(error)}", hint=hint) from None
    try:
        told = read_json(body)
    except ValueError:
        told = None
    if status >= 500:
        raise DiscordUnavailable(f"{api_url} answers with status {status}", hint=hint)
    if status == 429:
        # A ban of the address tells nobody apart: it is there, and that is all it says.
        raise DiscordUnavailable(
            f"{api_url} answers that this address asks too much (429)", hint="wait an hour and try again"
        )
    if status != 200 or not isinstance(told, dict) or not isinstance(told.get("url"), str):
        raise DiscordUnavailable(
            f"what answers at {api_url} is not Discord", hint="correct DISCORD_API_URL, or unset it"
        )
    return headers


def _date(headers: Mapping[str, str]) -> datetime | None:
    """Return the middle of the second that the answer's Date header names."""
    try:
        told = parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None
    return (told if told.tzinfo else told.replace(tzinfo=UTC)) + _HALF_A_SECOND
