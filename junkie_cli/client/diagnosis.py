"""What `junkie doctor` sees of Discord: the way there, the token, the intents, and what the bot may read."""

import asyncio
import base64
import binascii
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from junkie_cli.checks import Check, Verdict, failure, made, passed, skipped, warning
from junkie_cli.client.discovery import GuildInventory
from junkie_cli.client.permissions import CONNECT, MANAGE_THREADS, READ_MESSAGE_HISTORY, VIEW_CHANNEL
from junkie_cli.client.reach import reach
from junkie_cli.client.session import DiscordClient, open_client
from junkie_cli.client.starts import RESERVE, SessionStarts
from junkie_cli.client.transport import Patience
from junkie_cli.config import Settings
from junkie_cli.errors import (
    ChannelForbidden,
    ChannelNotFound,
    ContentIntentMissing,
    DiscordError,
    DiscordUnavailable,
    JunkieError,
    TokenRejected,
)
from junkie_cli.models import Channel, ChannelType, FoundChannel, Guild
from junkie_cli.values import Secret

RATE: Final = 5.0
"""Requests a second: what Discord allows beyond that which the commands at work share."""

PATIENCE: Final = Patience(attempts=2, longest=2.0, timeout=10.0)
"""Somebody waits for the answer, and one that comes only at the third attempt is worth knowing of."""

SLOW: Final = 1.0
"""Seconds for an answer, from which on it is worth a word."""

MOST_AHEAD: Final = 5.0
"""Seconds that our clock may differ from Discord's: dates and ages that are typed are taken by it."""

CHOOSING: Final = 120.0
"""Seconds to look names up in all that Discord lists, which takes two requests for each guild."""

RIGHTS: Final = VIEW_CHANNEL | READ_MESSAGE_HISTORY | CONNECT | MANAGE_THREADS

_CONTENT: Final = 1 << 18
_CONTENT_LIMITED: Final = 1 << 19
"""Docs, "Application Flags"."""

_LIMITED_TO: Final = 100
_VERIFY_FROM: Final = 75
"""Servers for which the limited intent holds, and from which on the application can be verified (docs, "Privileged Intents")."""

_LOGGED_IN: Final = ("intents", "sessions", "permissions")


@dataclass(frozen=True, slots=True)
class Scope:
    """Where rights matter: in which of the bot's guilds, and in which of their channels.

    `guilds` may raise UsageError or ConfigError. Channels that were `named`, by id, matter also where no list shows them, as
    threads and DMs; `absent` makes an error of such an id and what is wrong with it.
    """

    guilds: Callable[[Sequence[Guild]], Sequence[Guild]] = lambda guilds: guilds
    channel: Callable[[Channel], bool] = lambda _: True
    named: frozenset[int] = frozenset()
    absent: Callable[[int, str], JunkieError] = lambda channel_id, why: DiscordError(f"channel {channel_id} {why}")


async def everything(_: DiscordClient) -> Scope:
    """Return the scope of all that the bot sees."""
    return Scope()


async def examine(
    settings: Settings,
    *,
    scope: Callable[[DiscordClient], Awaitable[Scope]] = everything,
    patience: Patience = PATIENCE,
    rate: float = RATE,
    slow: float = SLOW,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AsyncIterator[Sequence[Check]]:
    """Make every check that can be made, in order.

    `scope` says of which channels the rights matter; it may ask Discord, and raise what `Scope.guilds` may.
    """
    first = await made("api", lambda: _reach(settings, patience, slow, now), kind=DiscordUnavailable)
    yield first
    if any(check.verdict is Verdict.FAILURE for check in first):
        yield [skipped(name, "Discord can't be reached") for name in ("clock", "token", *_LOGGED_IN)]
        return
    if settings.token is None:
        yield [skipped("token", "no bot token is set: DISCORD_TOKEN, or DISCORD_TOKEN_FILE")]
        yield [skipped(name, "needs the bot token") for name in _LOGGED_IN]
        return
    token = settings.token
    async with AsyncExitStack() as stack:
        opened: list[DiscordClient] = []

        async def log_in() -> Sequence[Check]:
            client = open_client(settings, rate=lambda: rate, patience=patience)
            try:
                opened.append(await stack.enter_async_context(client))
            except TokenRejected as error:
                return [_rejected(token, error)]
            me = opened[0].me
            found = f"accepted; the bot is '{me.display_name}' ({me.user_id})"
            return [passed("token", found, bot_id=str(me.user_id), name=me.display_name)]

        yield await made("token", log_in, kind=DiscordUnavailable, patience=60.0)
        if not opened:
            yield [skipped(name, "the bot could not log in") for name in _LOGGED_IN]
            return
        discord = opened[0]
        yield await made("intents", lambda: _intents(discord), kind=DiscordUnavailable)
        yield await made("sessions", lambda: _sessions(discord, settings), kind=DiscordUnavailable)
        async for checks in _permissions(discord, settings, scope):
            yield checks


async def _reach(settings: Settings, patience: Patience, slow: float, now: Callable[[], datetime]) -> list[Check]:
    told = await reach(settings.api_url, patience=patience.timeout, now=now)
    found = f"{told.host} answers in {told.latency * 1000:,.0f} ms"
    facts = {"host": told.host, "latency_ms": round(told.latency * 1000, 1)}
    checks = [
        warning("api", found, "look for what slows the network; it is paid once per 100 messages of a channel", **facts)
        if told.latency >= slow
        else passed("api", found, **facts)
    ]
    if told.ahead is None:
        return [*checks, skipped("clock", f"{told.host} does not tell the time")]
    seconds = round(told.ahead, 1)
    if abs(told.ahead) <= MOST_AHEAD:
        return [*checks, passed("clock", "agrees with Discord's", seconds_ahead=seconds)]
    found = f"this machine's clock is {abs(told.ahead):,.0f} s {'ahead of' if told.ahead > 0 else 'behind'} Discord's"
    fix = "let it keep time by NTP: since when edits may be missing is told by clocks"
    return [*checks, warning("clock", found, fix, seconds_ahead=seconds)]


def looks_like_a_token(token: Secret) -> bool:
    """Say whether it has a bot token's form: three parts between dots, the first one the bot's id in base64."""
    first, *others = token.reveal().split(".")
    try:
        decoded = base64.urlsafe_b64decode(first + "=" * (-len(first) % 4))
    except (binascii.Error, ValueError):
        return False
    return len(others) == 2 and all(others) and decoded.isdigit()


def _rejected(token: Secret, error: TokenRejected) -> Check:
    if looks_like_a_token(token):
        return failure("token", error)
    hint = (
        "it does not look like one (three parts between dots): copy it from the Developer Portal, page Bot, not the "
        "application's id, public key or client secret"
    )
    return failure("token", TokenRejected(error.message, hint=hint))


async def _application(discord: DiscordClient) -> Mapping[str, Any]:
    told = await discord.api.get("/oauth2/applications/@me", subject="the bot's application")
    return told if isinstance(told, dict) else {}


async def _intents(discord: DiscordClient) -> list[Check]:
    application = await _application(discord)
    flags, guilds = (
        value if type(value) is int else 0 for value in map(application.get, ("flags", "approximate_guild_count"))
    )
    if not flags & (_CONTENT | _CONTENT_LIMITED):
        missing = ContentIntentMissing(
            "Message Content is off: messages would come without their text",
            hint="switch Message Content Intent on in the Developer Portal, page Bot",
        )
        return [failure("intents", missing)]
    # The others that are asked for, Guilds and Guild Messages, are everybody's.
    if flags & _CONTENT:
        return [passed("intents", "Message Content is granted", message_content="full", servers=guilds)]
    found = f"Message Content is on, for bots in fewer than {_LIMITED_TO} servers"
    if guilds < _VERIFY_FROM:
        return [passed("intents", found, message_content="limited", servers=guilds)]
    fix = "have the application verified in the Developer Portal, and ask for the intent there"
    return [warning("intents", f"{found}; this one is in {guilds}", fix, message_content="limited", servers=guilds)]


async def _sessions(discord: DiscordClient, settings: Settings) -> list[Check]:
    info = await SessionStarts(discord.api.get, time.monotonic, asyncio.sleep, settings.api_url).read()
    found = f"{info.remaining:,} of {info.total:,} session starts are left for `serve`"
    if info.shards > 1:
        found += f"; {info.shards} shards"
    facts = {"remaining": info.remaining, "total": info.total, "shards": info.shards}
    if info.remaining >= min(RESERVE, info.total // 10):
        return [passed("sessions", found, **facts)]
    fix = f"`serve` waits {info.reset_after / 60:,.0f} min, until Discord counts anew; see what else uses this token"
    return [warning("sessions", found, fix, **facts)]


async def _permissions(
    discord: DiscordClient, settings: Settings, choose: Callable[[DiscordClient], Awaitable[Scope]]
) -> AsyncIterator[Sequence[Check]]:
    scopes: list[Scope] = []
    guilds: list[Guild] = []

    async def listed() -> Sequence[Check]:
        if not (every := await discord.guilds()):
            address = f"https://discord.com/oauth2/authorize?client_id={discord.application_id}&scope=bot&permissions={RIGHTS}"
            return [warning("permissions", "the bot is in no server", f"invite it: {address}")]
        scopes.append(await choose(discord))
        guilds.extend(scopes[0].guilds(every))
        return []

    if wrong := await made("permissions", listed, kind=DiscordUnavailable, patience=CHOOSING):
        yield wrong
        return
    found: list[GuildInventory] = []
    for guild in guilds:

        async def discovered(guild: Guild = guild) -> Sequence[Check]:
            found.append((await discord.listing(guild)).inventory)
            return []

        yield [_named(check, guild) for check in await made("permissions", discovered, kind=DiscordError)]

    async def judged() -> Sequence[Check]:
        beside, absent = await _beside(discord, scopes[0], found)
        return [*absent, *_of_all(found, scopes[0].channel, beside, accepted=settings.accept_unreadable)]

    yield await made("permissions", judged, kind=DiscordError)


async def _beside(
    discord: DiscordClient, scope: Scope, found: Sequence[GuildInventory]
) -> tuple[list[FoundChannel], list[Check]]:
    """Return the named channels that no list shows, and a row for each that a command would stop at."""
    listed = {one.channel.channel_id: one for guild in found for one in guild.channels}
    beside: list[FoundChannel] = []
    absent: list[Check] = []
    for channel_id in sorted(scope.named):
        try:
            one = listed.get(channel_id) or await discord.channel(channel_id)
        except ChannelNotFound:
            absent.append(failure("permissions", scope.absent(channel_id, "does not exist")))
            continue
        except ChannelForbidden:
            absent.append(failure("permissions", scope.absent(channel_id, "can't be seen by the bot")))
            continue
        if one.channel.type in ChannelType.HOLD_NOTHING:
            why = f"('{one.channel.name}') is a category and holds no messages"
            absent.append(failure("permissions", scope.absent(channel_id, why)))
        elif channel_id not in listed and scope.channel(one.channel):
            beside.append(one)
    return beside, absent


def _of_all(
    found: Sequence[GuildInventory],
    wanted: Callable[[Channel], bool],
    beside: Sequence[FoundChannel],
    *,
    accepted: bool,
) -> list[Check]:
    tally: Counter[str] = Counter()
    checks = [check for guild in found for check in _of_guild(guild, wanted, tally)]
    checks += [_closed(one, "") for one in beside if not one.access.readable]
    tally["channels"] += len(beside)
    tally["readable"] += sum(one.access.readable for one in beside)
    if accepted:
        checks = []
    servers = f"{len(found):,} server{'' if len(found) == 1 else 's'}"
    told = f"{tally['readable']:,} of {tally['channels']:,} channels in {servers} can be read"
    facts = {"readable": tally["readable"], "channels": tally["channels"], "servers": len(found)}
    note = ""
    if tally["unmanaged"]:
        told += f"; in {tally['unmanaged']:,} of them private threads are seen only while active or joined"
        note = "grant the bot's role Manage Threads, if archived private threads are wanted"
    return [*checks, Check("permissions", Verdict.PASSED, told, note, facts=facts)]


def _of_guild(found: GuildInventory, wanted: Callable[[Channel], bool], tally: Counter[str]) -> list[Check]:
    """Return a row per channel that can't be read, or one for a guild where that is so of all, for one reason."""
    channels = [
        one for one in found.channels if one.channel.type not in ChannelType.HOLD_NOTHING and wanted(one.channel)
    ]
    closed = [one for one in channels if not one.access.readable]
    tally["channels"] += len(channels)
    tally["readable"] += len(channels) - len(closed)
    ids = {one.channel.channel_id for one in channels}
    tally["unmanaged"] += len(ids.intersection(found.unmanaged))
    reasons = {one.access.reason for one in closed}
    if len(closed) > 1 and len(closed) == len(channels) and len(reasons) == 1:
        what = f"server '{found.guild.name}': the bot {reasons.pop()} in all {len(closed)} channels"
        fix = "give the bot's role that right: Server Settings, Roles"
        return [warning("permissions", what, fix, guild_id=str(found.guild.guild_id))]
    closed.sort(key=lambda one: (one.channel.position, one.channel.channel_id))
    return [_closed(one, f" of '{found.guild.name}'") for one in closed]


def _closed(one: FoundChannel, where: str) -> Check:
    """Return the row of a channel that can't be read."""
    return warning(
        "permissions",
        f"#{one.channel.name}{where}: the bot {one.access.reason}",
        "add the bot's role to the channel, with that right: Edit Channel, Permissions",
        guild_id=str(one.channel.guild_id),
        channel_id=str(one.channel.channel_id),
    )


def _named(check: Check, guild: Guild) -> Check:
    """Say of a guild that could not be listed which one it is, for programs: the message does so for people."""
    if check.verdict is not Verdict.FAILURE:
        return check
    return replace(check, facts={"guild_id": str(guild.guild_id)})
