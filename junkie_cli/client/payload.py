"""Discord's message objects to rows, and back.

Invariant: nothing is lost. A row's columns are taken out of the payload, and every top-level key whose value the columns
and Discord's defaults would not bring back exactly (type-strict: True is not 1, 1 is not 1.0) stays in `extra`, verbatim.
So hostile or unknown values need no rule of their own: the column gets its neutral value, the raw one stays in `extra`.

`docs/payload.md` lists what a rebuilt payload lacks or normalises. Free of discord.py: the gateway's raw events take the
same way.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from junkie_cli import snowflake
from junkie_cli.models import Message, User, new_message

DEFAULTS: Final[dict[str, Any]] = {
    "edited_timestamp": None,
    "tts": False,
    "mention_everyone": False,
    "mentions": [],
    "mention_roles": [],
    "attachments": [],
    "embeds": [],
    "components": [],
    "pinned": False,
    "flags": 0,
}
"""What Discord sends of every message and mostly without meaning: dropped where equal, put back on rebuilding."""

LIVE_ONLY: Final = frozenset({"guild_id", "member", "channel_type"})
"""What the gateway adds to a message and REST does not: never stored, so that both give the same row."""

REPLY: Final = 19
CONTEXT_MENU_COMMAND: Final = 23
_ANSWERS: Final = frozenset({REPLY, CONTEXT_MENU_COMMAND})

_WRITTEN: Final = frozenset({0, REPLY})
_CONTENT_KEYS: Final = frozenset(
    {"attachments", "embeds", "components", "poll", "sticker_items", "message_snapshots", "content"}
)

_AUTHOR_COLUMNS: Final = frozenset({"id", "username", "global_name", "bot"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ABSENT: Final = object()
INT4: Final = range(-(1 << 31), 1 << 31)


@dataclass(frozen=True, slots=True)
class Parsed:
    """One message with what came along: its author, unless a webhook wrote it, and the messages it refers to."""

    message: Message
    users: tuple[User, ...] = ()
    referenced: tuple[Message, ...] = ()


def read_id(value: object) -> int | None:
    """Return the id that a payload's value stands for, None if it is none: canonical or padded digits, or an int."""
    if type(value) is str and value.isascii() and value.isdigit() and len(value) <= 30:
        value = int(value)
    # The upper bound of a range that ends with the id must fit a bigint too.
    return value if type(value) is int and 0 < value < snowflake.MAX else None


def read_time(text: object) -> datetime | None:
    """Return the moment that an ISO 8601 text with a zone names, in UTC; None for anything else."""
    if type(text) is not str:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def parse_message(payload: Mapping[str, Any], channel_id: int, *, live: bool = False) -> Parsed:
    """Turn a message object into a row, its author and the messages inside `referenced_message`.

    `live` marks a gateway event: its `member` gives the nick, and it and `guild_id` are not stored.

    Raises ValueError for a payload without a usable id, and for nothing else.
    """
    users: dict[str, KnownUser] = {}
    referenced: list[Message] = []
    message = read_message(payload, channel_id, users, referenced, live=live)
    return Parsed(message, tuple(known.user for known in users.values()), tuple(referenced))


def patched(message: Message, partial: Mapping[str, Any]) -> Message:
    """Return the row with what a payload that holds only some keys says, key by key."""
    whole = {**payload_from_message(message), **{k: v for k, v in partial.items() if k not in LIVE_ONLY}}
    row = parse_message(whole, message.channel_id, live=True).message
    return row if "author" in partial else replace(row, author_id=message.author_id, author_name=message.author_name)


class KnownUser(NamedTuple):
    """An account, and the object that it was read from."""

    raw: Mapping[str, Any]
    user: User


def read_message(
    payload: Mapping[str, Any],
    channel_id: int,
    users: dict[str, KnownUser],
    referenced: list[Message],
    *,
    live: bool = False,
) -> Message:
    """Turn a message object into a row; add its author to `users`, by id, and what it refers to to `referenced`.

    Raises ValueError for a payload without a usable id.
    """
    message = _row(payload, channel_id, users, live=live)
    inner = payload.get("referenced_message")
    # A loop, not a recursion: nesting is the sender's choice.
    while type(inner) is dict and read_id(inner.get("id")) is not None:
        referenced.append(_row(inner, _place_of(inner, payload, channel_id), users))
        payload, inner = inner, inner.get("referenced_message")
    return message


def _row(payload: Mapping[str, Any], channel_id: int, users: dict[str, KnownUser], *, live: bool = False) -> Message:
    message_id = read_id(payload.get("id"))
    if message_id is None:
        raise ValueError("a message without a usable id")

    content = payload.get("content")
    kind = payload.get("type")
    edited = payload.get("edited_timestamp")
    edited_at = None if edited is None else read_time(edited)
    author = payload.get("author")
    # A webhook's author is no account: each message may bear another name.
    user = None if payload.get("webhook_id") is not None else user_of(author, users)
    author_id, author_name = (user.user_id, user.display_name) if user else _names_of(author)
    if live:
        author_name = _nick_of(payload) or author_name

    # What the columns and the defaults will bring back; whatever key of the payload says otherwise goes into extra.
    expected = DEFAULTS.copy()
    expected["id"] = str(message_id)
    expected["channel_id"] = str(channel_id)
    expected["timestamp"] = _timestamp(message_id)
    expected["content"] = content = content if type(content) is str else ""
    expected["type"] = kind = kind if type(kind) is int and kind in INT4 else 0
    if user is not None:
        expected["author"] = author
    if edited_at is not None:
        expected["edited_timestamp"] = edited_at.isoformat()
    get = expected.get
    extra = {
        key: value
        for key, value in payload.items()
        if value != (known := get(key, _ABSENT)) or type(value) is not type(known)
    }
    if type(extra.get("referenced_message")) is dict:
        del extra["referenced_message"]
    if live:
        for key in LIVE_ONLY:
            extra.pop(key, None)

    reference = payload.get("message_reference")
    reply_to = _reply_to(reference) if kind in _ANSWERS and type(reference) is dict else None
    return new_message(
        channel_id, message_id, author_id, author_name, content, edited_at, kind, reply_to, extra or None
    )


def user_of(author: object, users: dict[str, KnownUser]) -> User | None:
    """Return the account of an author, out of `users` where the same object was read before."""
    if type(author) is not dict:
        return None
    raw_id = author.get("id")
    known = users.get(raw_id) if type(raw_id) is str else None
    # True == 1: only the first of them is the column's.
    if known is not None and known.raw == author and type(author.get("bot", False)) is bool:
        return known.user
    user = user_from_payload(author)
    if user is not None and known is None:
        users[author["id"]] = KnownUser(author, user)
    return user


def user_from_payload(author: object) -> User | None:
    """Return the account of a user object; None if it is none, or holds what the columns could not bring back."""
    if type(author) is not dict:
        return None
    user_id = read_id(author.get("id"))
    username = author.get("username")
    global_name = author.get("global_name")
    bot = author.get("bot", False)
    if (
        user_id is None
        or author["id"] != str(user_id)
        or type(username) is not str
        or not (global_name is None or type(global_name) is str)
        or type(bot) is not bool
    ):
        return None
    extra = {key: value for key, value in author.items() if key not in _AUTHOR_COLUMNS}
    return User(user_id, username, global_name, bot, extra or None)


def payload_from_message(message: Message, author: User | None = None) -> dict[str, Any]:
    """Rebuild Discord's message object from a row and its author, as `docs/payload.md` describes."""
    edited = message.edited_at
    payload: dict[str, Any] = {
        "id": str(message.message_id),
        "channel_id": str(message.channel_id),
        "type": message.type,
        "content": message.content,
        "timestamp": _timestamp(message.message_id),
        # A fresh list each: the caller may change what it gets.
        **{key: [] if type(value) is list else value for key, value in DEFAULTS.items()},
        "edited_timestamp": None if edited is None else edited.astimezone(UTC).isoformat(),
    }
    if author is not None:
        payload["author"] = payload_from_user(author)
    elif message.author_id:
        payload["author"] = {"id": str(message.author_id), "username": message.author_name, "global_name": None}
    payload.update(message.extra or {})
    return payload


def payload_from_user(user: User) -> dict[str, Any]:
    """Rebuild Discord's user object."""
    payload: dict[str, Any] = {"id": str(user.user_id), "username": user.username, "global_name": user.global_name}
    if user.bot:
        payload["bot"] = True
    payload.update(user.extra or {})
    return payload


def may_lack_content(message: Message) -> bool:
    """Say whether a message of people is so blank that it may have been shown without the MESSAGE_CONTENT intent.

    Without it Discord leaves out text, embeds, attachments, components and polls (docs, "Message Content Intent").
    """
    written = message.type in _WRITTEN and not message.content
    return written and _CONTENT_KEYS.isdisjoint(message.extra or ())


def _timestamp(message_id: int) -> str:
    return (_EPOCH + timedelta(milliseconds=(message_id >> 22) + snowflake.EPOCH_MS)).isoformat()


def _names_of(author: object) -> tuple[int, str]:
    """Return what can be made out of an author that stays in `extra`: id (0: unknown) and display name."""
    if type(author) is not dict:
        return 0, ""
    names = (author.get("global_name"), author.get("username"))
    return read_id(author.get("id")) or 0, next((name for name in names if type(name) is str and name), "")


def _nick_of(payload: Mapping[str, Any]) -> str:
    member = payload.get("member")
    nick = member.get("nick") if type(member) is dict else None
    return nick if type(nick) is str else ""


def _reply_to(reference: Mapping[str, Any]) -> int | None:
    # Type 1 is a forward.
    kind = reference.get("type", 0)
    return read_id(reference.get("message_id")) if type(kind) is int and kind == 0 else None


def _place_of(inner: Mapping[str, Any], outer: Mapping[str, Any], channel_id: int) -> int:
    """Return the channel of a referenced message: by its own word, else by the reference, else the referring one's."""
    if (own := read_id(inner.get("channel_id"))) is not None:
        return own
    reference = outer.get("message_reference")
    told = read_id(reference.get("channel_id")) if type(reference) is dict else None
    return channel_id if told is None else told
