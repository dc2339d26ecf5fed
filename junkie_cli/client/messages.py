"""`GET /channels/{id}/messages`, the one hot route, asked through aiohttp directly.

discord.py's limiter sleeps before it hands back the page that empties a window, and believes headers that are wrong; here
a page is handed back at once, and the next request leaves as soon as the window is over (see `windows`).
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import aiohttp

from junkie_cli.client.answers import Answer, described, read_throttle
from junkie_cli.client.pages import PageParser
from junkie_cli.client.transport import Failed, Line, reason_of
from junkie_cli.client.windows import Permit, Windows, read_quota
from junkie_cli.errors import MalformedPage
from junkie_cli.models import Page, PageRequest

Slot = Callable[[], AbstractAsyncContextManager[Any]]
"""Entered to send a request, and left as soon as it is on its way."""

MALFORMED_ATTEMPTS: Final = 3
"""How often a page is asked for whose elements are no messages."""


class Messages:
    """Fetches pages. Several may be fetched at once, of one channel too."""

    def __init__(self, line: Line, http: aiohttp.ClientSession) -> None:
        self._line = line
        self._http = http
        self._windows = Windows(clock=line.clock, sleep=line.sleep)
        self._parser = PageParser()

    async def page(self, request: PageRequest, *, slot: Slot, on_wait: Callable[[float], None] | None) -> Page:
        """Return the answer, as `DiscordClient.fetch_page` describes it."""
        tries = self._line.tries(f"channel {request.channel_id}")
        malformed = 0
        while True:
            await self._windows.ready(request.channel_id, on_wait)
            try:
                answer = await self._attempt(request, slot)
                if answer is None:
                    continue
                if answer.status >= 300:
                    # What a 429 asks for, the windows and the global limiter know.
                    await tries.refused(answer)
                    continue
                page = self._read(request, answer)
            except Failed as failure:
                await tries.failed(str(failure))
                continue
            if page is not None:
                return page
            malformed += 1
            if malformed >= MALFORMED_ATTEMPTS:
                raise MalformedPage(
                    f"channel {request.channel_id}: Discord answered with something other than messages",
                    hint="run it again later; nothing was concluded from that answer",
                )
            await tries.failed("an answer other than messages")

    def opens_window(self, channel_id: int) -> bool:
        """Say whether the channel's next request would begin a window."""
        return self._windows.opens(channel_id)

    async def _attempt(self, request: PageRequest, slot: Slot) -> Answer | None:
        """Send one request. None if the window was used up meanwhile. Raises Failed."""
        line, windows, channel_id = self._line, self._windows, request.channel_id
        permit: Permit | None = None
        try:
            async with slot():
                line.invalid.check()
                if (permit := windows.take(channel_id)) is None:
                    return None
                await line.start()
                windows.sent(channel_id, permit)
            received, answer = await self._exchange(request)
            self._learn(channel_id, permit, received, answer)
            return answer
        finally:
            if permit is not None:
                windows.lost(channel_id, permit)

    async def _exchange(self, request: PageRequest) -> tuple[float, Answer]:
        """Return the answer, and when its headers came. Raises Failed."""
        url = _url(self._line.api_url, request)
        try:
            async with self._http.get(url, allow_redirects=False) as response:
                received = self._line.clock()
                return received, Answer(response.status, response.headers, await response.read())
        except (aiohttp.ClientError, OSError) as error:
            raise Failed(reason_of(error)) from None

    def _learn(self, channel_id: int, permit: Permit, received: float, answer: Answer) -> None:
        quota = read_quota(answer.headers)
        if answer.status == 429:
            throttle = read_throttle(answer, fallback=1.0)
            if throttle.scope != "global":
                self._windows.refused(
                    channel_id, permit, received, quota, throttle.seconds, shared=throttle.scope == "shared"
                )
        elif quota is not None or answer.status < 500:
            self._windows.answered(channel_id, permit, received, quota)

    def _read(self, request: PageRequest, answer: Answer) -> Page | None:
        """Return the parsed answer; None if it is no list of messages. Order and cursors are the planner's business."""
        try:
            return self._parser.parse(request, answer.body)
        except ValueError:
            raise Failed(f"an answer that is no JSON ({described(answer)})") from None


def _url(api_url: str, request: PageRequest) -> str:
    query = f"limit={request.limit}"
    if request.before is not None:
        query += f"&before={request.before}"
    if request.after is not None:
        query += f"&after={request.after}"
    return f"{api_url}/channels/{request.channel_id}/messages?{query}"
