"""The Discord client of one command: login, and everything that can be read over REST.

discord.py's base address is a class attribute; it is set here and nowhere else, so that a process talks to one Discord. So is how it
reads JSON: as we do, whatever else is installed.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import discord
from discord.http import Route

from junkie_cli import __version__
from junkie_cli.client.answers import UNKNOWN_MESSAGE, read_json
from junkie_cli.client.discovery import Directory, GuildInventory, GuildListing, ListKey
from junkie_cli.client.limiter import DEFAULT_RATE, Clock, GlobalLimiter, InvalidRequests, Sleep
from junkie_cli.client.messages import Messages, Slot
from junkie_cli.client.payload import Parsed, parse_message, read_id, user_from_payload
from junkie_cli.client.threads import ThreadPage
from junkie_cli.client.transport import LOGIN, Api, Line, Patience, parsed, tracing
from junkie_cli.config import Settings
from junkie_cli.errors import ChannelError, ChannelNotFound, DiscordUnavailable
from junkie_cli.models import Access, Channel, FoundChannel, Guild, Page, PageRequest, User
from junkie_cli.values import Secret

USER_AGENT: Final = f"DiscordBot (https://pypi.org/project/junkie-cli, {__version__})"
"""In the form that Discord demands (docs, "User Agent")."""

_CONTENT_INTENT: Final = 1 << 18 | 1 << 19
"""Granted, or on for a bot in fewer than 100 servers (docs, "Application Flags")."""

_APPLICATION: Final = "the bot's application"

_KEEPALIVE: Final = 75.0
"""Seconds; longer than a channel's window, so that the next page needs no new connection."""


@dataclass(frozen=True, slots=True)
class DiscordClient:
    """A bot that is logged in. Use `open_client`.

    Every method may raise TokenRejected, DiscordUnavailable and TooManyInvalidRequests, which end the run; what else
    one raises concerns the channel or guild that it was asked about.
    """

    me: User
    application_id: int
    content_intent: bool
    api: Api
    _messages: Messages
    _directory: Directory

    async def fetch_page(
        self, request: PageRequest, *, slot: Slot = nullcontext, on_wait: Callable[[float], None] | None = None
    ) -> Page:
        """Return the answer to a request for messages.

        Waits for the channel's rate limit outside of `slot`, telling `on_wait` the seconds, and enters `slot()` to send
        each single attempt. Order and cursors of the answer are not checked here, but every element of it is a message.

        Raises ChannelForbidden, ChannelNotFound, MalformedPage (asked thrice).
        """
        return await self._messages.page(request, slot=slot, on_wait=on_wait)

    def opens_window(self, channel_id: int) -> bool:
        """Say whether a page of the channel that is asked for now would begin a new window of its rate limit.

        Where slots are scarce, whoever begins a window should go first: the next one begins the sooner.
        """
        return self._messages.opens_window(channel_id)

    async def fetch_message(self, channel_id: int, message_id: int) -> Parsed | None:
        """Return one message, None if the channel has none of that id. Raises ChannelForbidden, ChannelNotFound."""
        path = "/channels/{channel_id}/messages/{message_id}"
        subject = f"channel {channel_id}"
        try:
            payload = await self.api.get(path, subject=subject, channel_id=channel_id, message_id=message_id)
        except ChannelNotFound as error:
            if error.code == UNKNOWN_MESSAGE:
                return None
            raise
        if not isinstance(payload, dict) or read_id(payload.get("id")) != message_id:
            raise DiscordUnavailable(f"{subject}: an answer about message {message_id} that is not Discord's")
        return parse_message(payload, channel_id)

    async def read_content_intent(self) -> bool:
        """Read from Discord, now, whether pages come with their content."""
        return _has_content_intent(await _application(self.api))

    async def guilds(self) -> list[Guild]:
        """Return every guild that the bot is in, by ascending id."""
        return await self._directory.guilds()

    async def channels(self, guild: Guild) -> list[Channel]:
        """List a guild's categories, channels and active threads; see `Directory.channels`."""
        return await self._directory.channels(guild)

    async def listing(self, guild: Guild) -> GuildListing:
        """List a guild's channels; see `Directory.listing`."""
        return await self._directory.listing(guild)

    async def with_threads(
        self,
        listing: GuildListing,
        cursors: Mapping[ListKey, datetime] | None = None,
        *,
        wanted: Callable[[Channel], bool] = lambda _: True,
        may_lack: int = 0,
    ) -> GuildInventory:
        """Add a guild's threads; see `Directory.with_threads`."""
        return await self._directory.with_threads(listing, cursors, wanted=wanted, may_lack=may_lack)

    async def channel(self, channel_id: int) -> FoundChannel:
        """Return a channel, thread or DM by its id. Raises ChannelNotFound, ChannelForbidden."""
        return await self._directory.channel(channel_id)

    async def access(self, channel_id: int) -> Access:
        """Read the bot's rights in a channel from Discord, now. Raises ChannelNotFound."""
        return await self._directory.access(channel_id)

    def archived(self, key: ListKey, until: datetime | None = None) -> AsyncGenerator[ThreadPage, None]:
        """Walk one list of archived threads, newest first. Raises ChannelForbidden, ChannelNotFound."""
        return self._directory.archived(key, until)


@asynccontextmanager
async def open_client(
    settings: Settings,
    *,
    rate: Callable[[], float] = lambda: DEFAULT_RATE,
    patience: Patience = Patience(),  # noqa: B008  # frozen
    rng: random.Random | None = None,
    clock: Clock = time.monotonic,
    sleep: Sleep = asyncio.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[DiscordClient]:
    """Log in, and close everything when the block ends.

    `rate()` is how many requests per second this process may make at the moment; math.inf switches the limit over all
    routes off. `now` is the wall clock.

    Raises ConfigError without a token, TokenRejected, DiscordUnavailable.
    """
    token = settings.require_token()
    line = Line(
        settings.api_url,
        GlobalLimiter(rate, clock=clock, sleep=sleep),
        InvalidRequests(clock),
        clock,
        sleep,
        rng or random.Random(),  # noqa: S311  # jitter, no secret
        patience,
    )
    Route.BASE = settings.api_url
    # orjson, which discord.py takes where it is installed, refuses lone surrogates, and names may hold them.
    # And the standard library says of what nests without end something other than that it is no JSON.
    discord.utils._from_json = read_json  # noqa: SLF001
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
    async with AsyncExitStack() as stack:
        bot, me = await _login(line, token, stack)
        api = Api(line, bot.http)
        application = await _application(api)
        if (application_id := read_id(application.get("id"))) is None:
            raise _not_discord(settings.api_url, _APPLICATION)
        session = await stack.enter_async_context(_message_session(token, patience))
        yield DiscordClient(
            me,
            application_id,
            content_intent=_has_content_intent(application),
            api=api,
            _messages=Messages(line, session),
            _directory=Directory(api.get, me.user_id, now=now),
        )


async def _application(api: Api) -> dict[str, Any]:
    application = await api.get("/oauth2/applications/@me", subject=_APPLICATION)
    return application if isinstance(application, dict) else {}


def _has_content_intent(application: dict[str, Any]) -> bool:
    flags = application.get("flags")
    return type(flags) is int and flags & _CONTENT_INTENT != 0


async def _login(line: Line, token: Secret, stack: AsyncExitStack) -> tuple[discord.Client, User]:
    """Return discord.py's client with its HTTP session open, to be closed by `stack`, and the bot's account."""
    opened: list[discord.Client] = []

    async def attempt() -> Any:
        # No intent matters without a gateway; without this one discord.py warns.
        bot = discord.Client(intents=discord.Intents(guilds=True), http_trace=tracing(line))
        bot.http.user_agent = USER_AGENT
        await bot.__aenter__()
        try:
            async with asyncio.timeout(LOGIN.timeout):
                told = parsed(await bot.http.static_login(token.reveal()))
        except BaseException:
            # A session can't log in twice.
            await bot.close()
            raise
        opened.append(bot)
        return told

    try:
        told = await line.insist(attempt, "the bot's account", LOGIN)
    except ChannelError:
        raise _not_discord(line.api_url, "the bot's account") from None
    bot = opened[-1]
    stack.push_async_callback(bot.close)
    if (me := user_from_payload(told)) is None:
        raise _not_discord(line.api_url, "the bot's account")
    return bot, me


@asynccontextmanager
async def _message_session(token: Secret, patience: Patience) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(
        headers={"User-Agent": USER_AGENT, "Authorization": f"Bot {token.reveal()}"},
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=patience.timeout),
    ) as session:
        yield session


def _not_discord(api_url: str, subject: str) -> DiscordUnavailable:
    return DiscordUnavailable(
        f"what answers at {api_url} about {subject} is not Discord", hint="correct DISCORD_API_URL, or unset it"
    )
