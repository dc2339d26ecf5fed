"""Discord's markup for mentions, emoji and times, and what people saw in its place.

Names come from the archive's tables first, then from the payload's own `mentions`. Markup inside code, or after a
backslash, stays as it is, as in Discord.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from junkie_cli.models import Message
from junkie_cli.prompt import payload
from junkie_cli.prompt.safety import Guard
from junkie_cli.prompt.timestamps import Clock

_MARKUP: Final = re.compile(
    r"(?<!\\)<(?:"
    r"@!?(?P<user>\d{1,20})"
    r"|@&(?P<role>\d{1,20})"
    r"|\#(?P<channel>\d{1,20})"
    r"|a?:(?P<emoji>[\w~]{1,64}):\d{1,20}"
    r"|t:(?P<time>-?\d{1,13})(?::(?P<style>[tTdDfFRsS]))?"
    r"|/(?P<command>[^:<>\n]{1,100}):\d{1,20}"
    r"|id:(?P<place>[a-z-]{1,20})(?::\d{1,20})?"
    r")>",
    re.ASCII,
)
_BACKTICKS: Final = re.compile("`+")
_PLACES: Final = {
    "browse": "Browse Channels",
    "customize": "Channels & Roles",
    "guide": "Server Guide",
    "home": "Server Guide",
    "linked-roles": "Linked Roles",
}


@dataclass(frozen=True, slots=True)
class Names:
    """The archive's names, by id: of users, of channels and threads, of roles."""

    users: Mapping[int, str] = field(default_factory=dict)
    channels: Mapping[int, str] = field(default_factory=dict)
    roles: Mapping[int, str] = field(default_factory=dict)


class Wanted(NamedTuple):
    """The ids that some messages mention or refer to: what to look up before they are shown."""

    users: frozenset[int]
    channels: frozenset[int]
    roles: frozenset[int]
    messages: frozenset[int]


def wanted(messages: Iterable[Message]) -> Wanted:
    """Collect the ids whose names, and the messages whose authors, a prompt of these messages shows."""
    ids: dict[str, set[int]] = {"user": set(), "channel": set(), "role": set()}
    referenced: set[int] = set()
    for message in messages:
        if message.reply_to is not None:
            referenced.add(message.reply_to)
        texts: Iterable[str] = (message.content,)
        if message.extra:
            texts = (message.content, *_strings(message.extra))
            reference = payload.record(message.extra, "message_reference")
            ids["channel"] |= _of(reference, "channel_id")
            referenced |= _of(reference, "message_id")
        for text in texts:
            for found in _MARKUP.finditer(text) if "<" in text else ():
                if found.lastgroup in ids:
                    ids[found.lastgroup].add(int(found[found.lastgroup]))
    return Wanted(frozenset(ids["user"]), frozenset(ids["channel"]), frozenset(ids["role"]), frozenset(referenced))


def _of(reference: Mapping[str, Any], key: str) -> set[int]:
    value = payload.number(reference, key)
    return set() if value is None else {value}


def _strings(value: Any) -> Iterator[str]:
    """Yield every string value within a JSON value; a stack of its own, since nesting may be deep."""
    stack = [value]
    while stack:
        match stack.pop():
            case str() as text:
                yield text
            case dict() as inner:
                stack.extend(inner.values())
            case list() as inner:
                stack.extend(inner)


def code_spans(text: str) -> list[tuple[int, int]]:
    """Return the half-open spans of inline code and code blocks, ascending; linear in the text's length.

    A run of backticks opens code that the next run of the same length closes; one that nothing closes is plain text.
    """
    runs = [found.span() for found in _BACKTICKS.finditer(text)]
    closers: list[int | None] = [None] * len(runs)
    later: dict[int, int] = {}
    for index in range(len(runs) - 1, -1, -1):
        length = runs[index][1] - runs[index][0]
        closers[index] = later.get(length)
        later[length] = index
    spans: list[tuple[int, int]] = []
    index = 0
    while index < len(runs):
        closer = closers[index]
        if closer is None:
            index += 1
        else:
            spans.append((runs[index][0], runs[closer][1]))
            index = closer + 1
    return spans


class Mentions:
    """Resolves markup for one prompt."""

    def __init__(self, names: Names, clock: Clock, guard: Guard) -> None:
        self._names = names
        self._clock = clock
        self._guard = guard

    def resolve(self, text: str, of: Mapping[str, Any]) -> str:
        """Return the text with its markup replaced by what people saw; `of` is the payload that it stands in."""
        if "<" not in text:
            return text
        spans = code_spans(text) if "`" in text else []
        starts = [start for start, _ in spans]

        def replace(found: re.Match[str]) -> str:
            before = bisect_right(starts, found.start()) - 1
            if before >= 0 and found.start() < spans[before][1]:
                return found[0]
            return self._replacement(found, of)

        return _MARKUP.sub(replace, text)

    def user(self, user_id: int, of: Mapping[str, Any]) -> str:
        """Return `@name` of a mentioned user."""
        name = self._names.users.get(user_id) or _mentioned(of, "mentions", user_id)
        return f"@{self._guard.name(name)}" if name else f"@unknown-user({user_id})"

    def channel(self, channel_id: int, of: Mapping[str, Any]) -> str | None:
        """Return `#name` of a channel or thread, None if it is not known."""
        name = self._names.channels.get(channel_id) or _mentioned(of, "mention_channels", channel_id)
        return f"#{self._guard.name(name)}" if name else None

    def _replacement(self, found: re.Match[str], of: Mapping[str, Any]) -> str:
        kind, value = found.lastgroup, found[found.lastgroup or 0]
        seen: str | None
        match kind:
            case "user":
                seen = self.user(int(value), of)
            case "role":
                name = self._names.roles.get(int(value))
                seen = f"@{self._guard.name(name)}" if name else f"@unknown-role({value})"
            case "channel":
                seen = self.channel(int(value), of) or f"#unknown-channel({value})"
            case "emoji":
                seen = f":{value}:"
            case "command":
                seen = f"/{value}"
            case "place":
                seen = _PLACES.get(value)
            case _:
                seen = self._clock.markup(int(found["time"]), found["style"] or "f")
        return found[0] if seen is None else seen


def _mentioned(of: Mapping[str, Any], key: str, wanted_id: int) -> str:
    for mentioned in payload.records(of, key):
        if payload.number(mentioned, "id") == wanted_id:
            return payload.display_name(mentioned) or payload.string(mentioned, "name")
    return ""
