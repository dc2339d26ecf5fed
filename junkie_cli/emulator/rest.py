"""The routes of Discord's REST API that an archiver asks, as pure functions of the world."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from junkie_cli import snowflake
from junkie_cli.emulator import pages, payloads, permissions
from junkie_cli.emulator.entities import Channel, ChannelType, Guild
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.starts import SessionStarts
from junkie_cli.emulator.state import find
from junkie_cli.emulator.world import World

API: Final = "/api/v10"

_UNIX_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ApiError(Exception):
    """An answer that is an error: HTTP status, Discord's JSON error code, its text."""

    def __init__(self, status: int, code: int, message: str, errors: dict[str, Any] | None = None) -> None:
        super().__init__(f"{status} {code} {message}")
        self.status = status
        self.body: dict[str, Any] = {"message": message, "code": code}
        if errors is not None:
            self.body["errors"] = errors


@dataclass(frozen=True, slots=True)
class Call:
    """A request to one of the routes. `major` is its channel's or guild's id, by which limits and faults go."""

    route: str
    ids: Mapping[str, int]
    query: Mapping[str, str]
    origin: str
    """host:port that the request came to."""
    starts: SessionStarts

    @property
    def major(self) -> int:
        """The channel or guild, 0 for a route that has none."""
        return self.ids.get("channel_id") or self.ids.get("guild_id") or 0


@dataclass(slots=True)
class Reply:
    """What to answer with status 200: a value (bytes are JSON already), or the encoded messages of a page.

    `cursor` is the id that the page was asked by.
    """

    value: Any = None
    page: list[bytes] | None = None
    cursor: int | None = None

    def body(self) -> bytes:
        """Return the JSON."""
        if self.page is not None:
            return b"[" + b",".join(self.page) + b"]"
        return self.value if isinstance(self.value, bytes) else pages.dumps(self.value)


def refused(status: int) -> ApiError:
    """Return the error that Discord has for 401, 403 or 404 on a channel."""
    code, message = {401: (0, "401: Unauthorized"), 403: (50001, "Missing Access"), 404: (10003, "Unknown Channel")}[
        status
    ]
    return ApiError(status, code, message)


def answer(world: World, press: pages.Press, call: Call) -> Reply:
    """Compute the answer to a call, or raise ApiError."""
    return ROUTES[call.route].handler(world, press, call)


# the bot itself


def _me(world: World, _press: pages.Press, _call: Call) -> Reply:
    return Reply(payloads.me(world))


def _application(world: World, _press: pages.Press, _call: Call) -> Reply:
    return Reply(payloads.application(world))


def _gateway(_world: World, _press: pages.Press, call: Call) -> Reply:
    return Reply({"url": f"ws://{call.origin}"})


def _gateway_bot(_world: World, _press: pages.Press, call: Call) -> Reply:
    starts = call.starts
    url = f"ws://{call.origin}"
    return Reply({"url": url, "shards": starts.shards, "session_start_limit": starts.as_json()})


def _my_guilds(world: World, _press: pages.Press, call: Call) -> Reply:
    limit = _limit(call, default=200, least=1, most=200)
    before, after = _snowflake(call, "before"), _snowflake(call, "after")
    found = [guild for _, guild in sorted(world.guilds.items()) if world.bot.id in guild.members]
    if before is not None:
        found = [guild for guild in found if guild.id < before][-limit:]
    found = [guild for guild in found if guild.id > (after or 0)][:limit]
    counts = call.query.get("with_counts") in {"1", "true"}
    return Reply([payloads.my_guild(guild, world.bot, counts=counts) for guild in found])


# guilds


def _guild(world: World, _press: pages.Press, call: Call) -> Reply:
    return Reply(payloads.guild(_my_guild(world, call), counts=call.query.get("with_counts") in {"1", "true"}))


def _channels(world: World, _press: pages.Press, call: Call) -> Reply:
    """Every channel but no threads; also those that the bot can't see, until Discord hides them."""
    channels = _my_guild(world, call).channels.values()
    hidden = world.obfuscates
    shown = [channel for channel in channels if not hidden or permissions.is_shown(channel, world.bot.id)]
    return Reply([payloads.channel(channel) for channel in shown])


def _roles(world: World, _press: pages.Press, call: Call) -> Reply:
    return Reply([payloads.role(role) for role in _my_guild(world, call).roles.values()])


def _member(world: World, _press: pages.Press, call: Call) -> Reply:
    if (member := _my_guild(world, call).members.get(call.ids["user_id"])) is None:
        raise ApiError(404, 10007, "Unknown Member")
    return Reply(payloads.member(member))


def _active_threads(world: World, _press: pages.Press, call: Call) -> Reply:
    found = [
        thread
        for parent in _my_guild(world, call).channels.values()
        for thread in parent.threads.values()
        if thread.thread is not None and not thread.thread.archived and permissions.may_view(thread, world.bot.id)
    ]
    listed = payloads.threads(sorted(found, key=lambda thread: -thread.id), world.bot.id)
    del listed["has_more"]
    return Reply(listed)


# channels


def _channel(world: World, _press: pages.Press, call: Call) -> Reply:
    channel = _visible(world, call)
    found = payloads.channel(channel)
    if channel.thread is not None and world.bot.id in channel.thread.members:
        found["member"] = payloads.thread_member(channel, world.bot.id)
    return Reply(found)


def _messages(world: World, press: pages.Press, call: Call) -> Reply:
    """Answer a page, newest first; empty without Read Message History (docs, "Get Channel Messages")."""
    channel = _open(world, call)
    limit = _limit(call, default=50, least=1, most=100)
    cursors = {name: _snowflake(call, name) for name in ("before", "after", "around")}
    asked = {name: value for name, value in cursors.items() if value is not None}
    if len(asked) > 1:
        raise _invalid(
            next(iter(asked)), "MESSAGE_PAGING_EXCLUSIVE", "Only one of before, after and around is allowed."
        )
    cursor = next(iter(asked.values()), None)
    if not permissions.may_read(channel, world.bot.id):
        return Reply(page=[], cursor=cursor)
    return Reply(page=press.page(channel, pages.select(channel, **asked, limit=limit)), cursor=cursor)


def _message(world: World, press: pages.Press, call: Call) -> Reply:
    channel = _open(world, call)
    if not permissions.may_read(channel, world.bot.id):
        raise ApiError(403, 50013, "Missing Permissions")
    if (message := find(channel, call.ids["message_id"])) is None:
        raise ApiError(404, 10008, "Unknown Message")
    return Reply(press.one(channel, message))


def _public_archived(world: World, _press: pages.Press, call: Call) -> Reply:
    kinds = {ChannelType.PUBLIC_THREAD, ChannelType.ANNOUNCEMENT_THREAD}
    return _archived(world, call, kinds)


def _private_archived(world: World, _press: pages.Press, call: Call) -> Reply:
    if not permissions.in_channel(_visible(world, call), world.bot.id) & Right.MANAGE_THREADS:
        raise ApiError(403, 50013, "Missing Permissions")
    return _archived(world, call, {ChannelType.PRIVATE_THREAD})


def _joined_archived(world: World, _press: pages.Press, call: Call) -> Reply:
    """Private threads that the bot is in, by descending id: the one list that is paged by snowflake."""
    parent, limit = _thread_parent(world, call), _limit(call, default=100, least=2, most=100)
    before = _snowflake(call, "before")
    found = [
        thread
        for thread in _archived_threads(parent, {ChannelType.PRIVATE_THREAD})
        if thread.thread and world.bot.id in thread.thread.members and (before is None or thread.id < before)
    ]
    found.sort(key=lambda thread: -thread.id)
    return Reply(payloads.threads(found[:limit], world.bot.id, has_more=len(found) > limit))


def _archived(world: World, call: Call, kinds: set[int]) -> Reply:
    parent, limit = _thread_parent(world, call), _limit(call, default=100, least=2, most=100)
    before = _moment_us(call, "before")
    dated = [(t.thread.archived_ms * 1000, t.id, t) for t in _archived_threads(parent, kinds) if t.thread is not None]
    dated = [of for of in dated if before is None or of[0] < before]
    found = [thread for _, _, thread in sorted(dated, key=lambda of: of[:2], reverse=True)]
    return Reply(payloads.threads(found[:limit], world.bot.id, has_more=len(found) > limit))


def _archived_threads(parent: Channel, kinds: set[int]) -> list[Channel]:
    return [t for t in parent.threads.values() if t.type in kinds and t.thread is not None and t.thread.archived]


# what a call names, or the error that Discord has for it


def _my_guild(world: World, call: Call) -> Guild:
    guild = world.guilds.get(call.ids["guild_id"])
    if guild is None or world.bot.id not in guild.members:
        raise ApiError(404, 10004, "Unknown Guild")
    return guild


def _visible(world: World, call: Call) -> Channel:
    if (channel := world.channels.get(call.ids["channel_id"])) is None:
        raise refused(404)
    if not permissions.may_view(channel, world.bot.id):
        raise refused(403)
    return channel


def _open(world: World, call: Call) -> Channel:
    channel = _visible(world, call)
    if not channel.holds_messages:
        raise ApiError(400, 50024, "Cannot execute action on this channel type")
    if not permissions.may_open(channel, world.bot.id):
        raise refused(403)
    return channel


def _thread_parent(world: World, call: Call) -> Channel:
    channel = _visible(world, call)
    if channel.type not in ChannelType.THREAD_PARENTS:
        raise ApiError(400, 50024, "Cannot execute action on this channel type")
    if not permissions.in_channel(channel, world.bot.id) & Right.READ_MESSAGE_HISTORY:
        raise ApiError(403, 50013, "Missing Permissions")
    return channel


def _limit(call: Call, *, default: int, least: int, most: int) -> int:
    text = call.query.get("limit", str(default))
    if not text.isdecimal():
        raise _invalid("limit", "NUMBER_TYPE_COERCE", f'Value "{text}" is not int.')
    if not least <= (limit := int(text)) <= most:
        raise _invalid("limit", "NUMBER_TYPE_RANGE", f"int value should be between {least} and {most}.")
    return limit


def _snowflake(call: Call, name: str) -> int | None:
    if (text := call.query.get(name)) is None:
        return None
    if not text.isdecimal() or int(text) > snowflake.MAX:
        raise _invalid(name, "NUMBER_TYPE_COERCE", f'Value "{text}" is not snowflake.')
    return int(text)


def _moment_us(call: Call, name: str) -> int | None:
    if (text := call.query.get(name)) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid(name, "DATE_TIME_TYPE_PARSE", f'Could not parse "{text}". Should be ISO8601.') from None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _UNIX_EPOCH) // timedelta(microseconds=1)


def _invalid(name: str, code: str, message: str) -> ApiError:
    return ApiError(400, 50035, "Invalid Form Body", {name: {"_errors": [{"code": code, "message": message}]}})


@dataclass(frozen=True, slots=True)
class Route:
    """A path below API, and what answers it. `open` ones ask for no token."""

    path: str
    handler: Callable[[World, pages.Press, Call], Reply]
    open: bool = False

    @property
    def pattern(self) -> str:
        """The path with ids that match only digits, as aiohttp writes it."""
        return API + re.sub(r"{(\w+)}", r"{\1:\\d+}", self.path)


ROUTES: Final[Mapping[str, Route]] = {
    "me": Route("/users/@me", _me),
    "guilds": Route("/users/@me/guilds", _my_guilds),
    "application": Route("/oauth2/applications/@me", _application),
    "own_application": Route("/applications/@me", _application),
    "gateway": Route("/gateway", _gateway, open=True),
    "gateway_bot": Route("/gateway/bot", _gateway_bot),
    "guild": Route("/guilds/{guild_id}", _guild),
    "channels": Route("/guilds/{guild_id}/channels", _channels),
    "roles": Route("/guilds/{guild_id}/roles", _roles),
    "member": Route("/guilds/{guild_id}/members/{user_id}", _member),
    "active_threads": Route("/guilds/{guild_id}/threads/active", _active_threads),
    "channel": Route("/channels/{channel_id}", _channel),
    "messages": Route("/channels/{channel_id}/messages", _messages),
    "message": Route("/channels/{channel_id}/messages/{message_id}", _message),
    "public_archived": Route("/channels/{channel_id}/threads/archived/public", _public_archived),
    "private_archived": Route("/channels/{channel_id}/threads/archived/private", _private_archived),
    "joined_archived": Route("/channels/{channel_id}/users/@me/threads/archived/private", _joined_archived),
}
