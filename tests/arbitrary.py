"""Random payloads: any that Discord's own description allows, and any that nobody would send.

All chance comes from a `random.Random`, so that a seed stands for a payload.
"""

import copy
import json
import math
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

DEEP: Final = 5
"""Below so many levels optional things are left out."""

_WORDS: Final = (
    "hello", "**bold** <@123> <:blob:1190000000000000001>", "naïve façade", "日本語のテキスト", "👩‍👩‍👧 🇮🇳 e\u0301",
    "\u202ereversed\u202c", "line\nbreak\r\n\ttab", '{"json": [1, 2]}', "C:\\u0000\\x10", "' OR 1=1; --", "%s %(x)s {y}",
    "\\", '"', "NULL", "{}", "\ufeff\ufffe\uffff", "1e5", "-0.0",
)  # fmt: skip
_REFUSED: Final = (
    "\x00",
    "\x10",
    "\ud800",
    "\udfff\ud83d",
    "\x10n1",
    "\x10j[]",
    "\x100000",
    "\x10\x10",
    "\x01\x1f\x7f\x9f",
)
_URLS: Final = (
    "https://cdn.discordapp.com/attachments/1/2/cat.png?ex=66&is=65&hm=0af&",
    "https://media.discordapp.net/external/x/https/example.com/?a=b&ex=1",
    "attachment://cat.png",
    "https://[::1/broken",
    "",
)
_TIMES: Final = (
    "2024-01-15T12:34:56.789000+00:00", "2024-01-15T12:34:56.789012+00:00", "2024-01-15T12:34:56+00:00",
    "2024-01-15T12:34:56Z", "2024-01-15T12:34:56.5Z", "2024-01-15T18:04:56.789+05:30", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-12:00", "2016-12-31T23:59:60Z", "2024-01-15T12:34:56.123456789Z",
)  # fmt: skip

Make = Callable[[Random, int], Any]


def text(rng: Random, longest: int = 4_000) -> str:
    """Return a text: mostly what people write, now and then what PostgreSQL refuses or what escapes look like."""
    chance = rng.random()
    if chance < 0.03:
        words = [rng.choice(_REFUSED), rng.choice(_WORDS), rng.choice(_REFUSED)]
    elif chance < 0.04:
        words = [rng.choice(_WORDS)] * (longest // 50)
    elif chance < 0.1:
        words = [chr(rng.choice((rng.randrange(0x20, 0x250), rng.randrange(0x10000, 0x20000)))) for _ in range(5)]
    else:
        words = [rng.choice(_WORDS) for _ in range(rng.randrange(3))]
    return " ".join(words)[:longest]


def snowflake(rng: Random) -> str:
    """Return an id: mostly such as Discord gives."""
    if rng.random() < 0.9:
        return str(rng.randrange(10**17, 2 * 10**18))
    return rng.choice(("0", "1", str(2**63 - 2), str(2**63 - 1), str(2**64), "9" * 40))


def moment(rng: Random) -> str:
    """Return a time in some notation of RFC 3339."""
    return rng.choice(_TIMES)


class Description:
    """Makes values that are valid by the schemas of an OpenAPI 3.1 description, as far as Discord's uses the language."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._schemas: Mapping[str, Any] = description["components"]["schemas"]
        self._made: dict[str, Make] = {}

    def make(self, name: str, rng: Random) -> Any:
        """Return a random value of that schema."""
        return self._named(name)(rng, 0)

    def _named(self, name: str) -> Make:
        def make(rng: Random, depth: int) -> Any:
            # Looked up when it is needed: a schema may hold itself.
            return self._made[name](rng, depth)

        if name not in self._made:
            self._made[name] = make
            self._made[name] = self._maker(self._schemas[name])
        return make

    def _maker(self, schema: Mapping[str, Any]) -> Make:
        if "$ref" in schema:
            return self._named(schema["$ref"].rpartition("/")[2])
        if "const" in schema:
            return lambda _rng, _depth: schema["const"]
        if "enum" in schema:
            return lambda rng, _depth: rng.choice(schema["enum"])
        if options := schema.get("oneOf", schema.get("anyOf")):
            makers = [self._maker(option) for option in options]
            return lambda rng, depth: rng.choice(makers)(rng, depth)
        if "allOf" in schema:
            (only,) = schema["allOf"]
            return self._maker(only)
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        by_kind = [self._of_kind(kind, schema) for kind in kinds]
        return lambda rng, depth: rng.choice(by_kind)(rng, depth)

    def _of_kind(self, kind: str, schema: Mapping[str, Any]) -> Make:
        makers: dict[str, Callable[[], Make]] = {
            "null": lambda: lambda _rng, _depth: None,
            "boolean": lambda: lambda rng, _depth: rng.random() < 0.5,
            "integer": lambda: _integer(schema),
            "number": lambda: lambda rng, _depth: rng.choice((0.0, 1.5, -2.25, 1e22, 5e-324, rng.random(), 7)),
            "string": lambda: _string(schema),
            "array": lambda: self._array(schema),
            "object": lambda: self._object(schema),
        }
        return makers[kind]()

    def _array(self, schema: Mapping[str, Any]) -> Make:
        item = self._maker(schema["items"])

        def make(rng: Random, depth: int) -> Any:
            size = 0 if depth > DEEP else rng.choice((0, 0, 1, 1, 2, 3))
            items = [item(rng, depth + 1) for _ in range(size)]
            if schema.get("uniqueItems"):
                items = list({json.dumps(each): each for each in items}.values())
            return items

        return make

    def _object(self, schema: Mapping[str, Any]) -> Make:
        properties = {name: self._maker(inner) for name, inner in schema.get("properties", {}).items()}
        required = set(schema.get("required", ()))
        more = schema.get("additionalProperties")
        others = self._maker(more) if isinstance(more, dict) else None

        def make(rng: Random, depth: int) -> Any:
            likely = 0.0 if depth > DEEP else 0.22 / (1 + depth / 2)
            made = {
                name: inner(rng, depth + 1)
                for name, inner in properties.items()
                if name in required or rng.random() < likely
            }
            if others is not None and depth <= DEEP:
                made |= {snowflake(rng): others(rng, depth + 1) for _ in range(rng.randrange(3))}
            return made

        return make


def _integer(schema: Mapping[str, Any]) -> Make:
    width = {"int32": 31, "int64": 63}.get(schema.get("format", ""), 53)
    low, high = schema.get("minimum", -(1 << width)), schema.get("maximum", (1 << width) - 1)
    return lambda rng, _depth: rng.choice(
        (
            max(low, 0),
            max(low, min(1, high)),
            low,
            high,
            rng.randint(low, high),
            max(low, min(high, rng.randrange(5_000))),
        )
    )


def _string(schema: Mapping[str, Any]) -> Make:
    match schema.get("format"):
        case "snowflake":
            return lambda rng, _depth: snowflake(rng)
        case "date-time":
            return lambda rng, _depth: moment(rng)
        case "uri":
            return lambda rng, _depth: rng.choice(_URLS)
    longest = schema.get("maxLength", 4_000)
    return lambda rng, _depth: text(rng, longest)


_USER: Final = {"id": "1190000000000000001", "username": "bob", "global_name": "Bob", "avatar": None, "bot": False}
_USUAL: Final[dict[str, Any]] = {
    "type": 19,
    "content": "hello",
    "timestamp": "2024-01-15T12:34:56.789000+00:00",
    "edited_timestamp": "2024-01-15T12:35:56.789012+00:00",
    "channel_id": "1190000000000000000",
    "author": _USER,
    "tts": False,
    "mention_everyone": False,
    "mentions": [_USER],
    "mention_roles": ["5"],
    "mention_channels": [{"id": "6", "guild_id": "7", "type": 0, "name": "general"}],
    "attachments": [{"id": "8", "filename": "cat.png", "size": 5, "url": _URLS[0], "height": 1, "duration_secs": 1.5}],
    "embeds": [{"type": "rich", "title": "t", "fields": [{"name": "n", "value": "v", "inline": True}], "color": 5}],
    "components": [{"type": 17, "id": 1, "components": [{"type": 10, "id": 2, "content": "in a container"}]}],
    "poll": {"question": {"text": "?"}, "answers": [{"answer_id": 1, "poll_media": {"text": "yes"}}], "expiry": None},
    "reactions": [{"count": 2, "me": False, "emoji": {"id": None, "name": "👍"}}],
    "message_reference": {"type": 0, "channel_id": "1190000000000000000", "message_id": "55"},
    "message_snapshots": [{"message": {"content": "forwarded", "type": 0, "embeds": [], "timestamp": "x"}}],
    "referenced_message": {"id": "55", "content": "earlier", "author": _USER, "channel_id": "1190000000000000000"},
    "thread": {"id": "9", "type": 11, "name": "thread", "thread_metadata": {"archived": False}},
    "sticker_items": [{"id": "10", "name": "wave", "format_type": 1}],
    "webhook_id": "11",
    "interaction_metadata": {"id": "12", "type": 2, "user": _USER},
    "flags": 1 << 15,
    "pinned": False,
    "position": 3,
    "nonce": "13",
}

_KEYS: Final = (
    "", "\x00", "\ud800", "\x10", "\x10n1", "Content", "content\x00", "content ", "ID", "id\x10", "__proto__", "k" * 500,
    "seen", "extra", "guild_id", "member", "channel_type", "type", "timestamp",
)  # fmt: skip


def hostile(rng: Random) -> dict[str, Any]:
    """Return a message object without its id, in which anything may be missing, of another type, or beyond all bounds."""
    payload = {key: copy.deepcopy(value) for key, value in _USUAL.items() if rng.random() < 0.5}
    for _ in range(rng.randrange(1, 6)):
        container, place = rng.choice(list(_places(payload)))
        chance = rng.random()
        if chance < 0.15:
            del container[place]
        elif chance < 0.35 and type(container) is dict:
            container[rng.choice(_KEYS)] = junk(rng)
        elif chance < 0.6:
            container[place] = _other_type(container[place])
        else:
            container[place] = junk(rng)
    if rng.random() < 0.2:
        payload["type"] = rng.choice((46, 999, -1, 2**31 - 1, 2**31, "0", True, 0.0, None))
    return payload


def junk(rng: Random) -> Any:
    """Return some value of JSON."""
    chance = rng.random()
    if chance < 0.3:
        return text(rng)
    if chance < 0.32:
        return _nested(rng, rng.choice((10, 150, 199, 200, 201, 300, 600)))
    if chance < 0.4:
        return [junk(rng) for _ in range(rng.randrange(3))]
    if chance < 0.5:
        return {rng.choice(_KEYS): junk(rng) for _ in range(rng.randrange(3))}
    return rng.choice(
        (
            None, True, False, 0, 1, -1, 0.0, -0.0, 1.0, 1.5, 1e22, 1e-7, 5e-324, 1.7976931348623157e308, math.inf, -math.inf,
            2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, -(10**4_000), "0", "-1", "1" * 400,
            "٣", "2024-01-15", moment(rng), snowflake(rng), [], {}, [[]], [{}], {"": {}},
        )
    )  # fmt: skip


def _other_type(value: Any) -> Any:
    """Return what looks alike and is of another type."""
    match value:
        case bool():
            other: Any = int(value)
        case int() if value in {0, 1}:
            other = bool(value)
        case int() | float():
            other = str(value)
        case str() if value.isascii() and value.isdigit():
            other = int(value)
        case list():
            other = {str(number): item for number, item in enumerate(value)}
        case dict():
            other = [[key, item] for key, item in value.items()]
        case _:
            other = [value]
    return other


def _nested(rng: Random, levels: int) -> Any:
    value: Any = rng.choice(("x", "\x00", [], {}, 1.0))
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place below a value: its container and its key or index."""
    found: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        container = pending.pop()
        for place, item in list(container.items()) if type(container) is dict else list(enumerate(container)):
            found.append((container, place))
            if type(item) in {dict, list} and len(found) < 500:
                pending.append(item)
    return found or [({"": None}, "")]
