"""What counts as an edit: two fetches of a message that nobody changed compare equal.

Discord signs URLs anew on each fetch, counts reactions and votes, and repeats the profile of everybody mentioned; none of
that is the message. `docs/payload.md` lists what is left out. Storing is another matter: a row keeps all of it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from junkie_cli.models import Message

SIGNATURE: Final = frozenset({"ex", "is", "hm"})
"""The query parameters of a signed attachment URL: expiry, issue time, signature."""

LEFT_OUT: Final = frozenset(
    {
        "reactions",
        "resolved",  # accounts, roles and channels that a select menu shows, as they are now
        "referenced_message",  # null once the target is deleted: that is no edit of this message
        "position",  # approximate, says Discord
        "nonce",  # told live, and not by REST
        "channel_type",
        "guild_id",
        "member",
    }
)
"""Keys of a message that say nothing about an edit."""

_LEFT_OUT_ANYWHERE: Final = frozenset({"content_scan_version", "content_scan_metadata", "loading_state"})
_IDENTIFIED: Final = frozenset({"user", "target_user", "author", "application"})


def same(a: Message, b: Message) -> bool:
    """Say whether two fetches show the same message: text, time of edit, type, reply target and stable extras."""
    if (a.content, a.edited_at, a.type, a.reply_to) != (b.content, b.edited_at, b.type, b.reply_to):
        return False
    try:
        return a.extra == b.extra or stable(a.extra) == stable(b.extra)
    except RecursionError:
        # Nested as deeply as anything that can be read at all: rather an edit too many than one that is missed.
        return False


def stable(extra: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what of a row's `extra` changes only when the message does; {} for a plain message."""
    if not extra:
        return {}
    try:
        return _message(extra)
    except RecursionError:
        # Nested deeper than any message of Discord's: compare it as it is.
        return dict(extra)


def _message(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _READERS.get(key, _any)(value) for key, value in payload.items() if key not in LEFT_OUT}


def _any(value: Any) -> Any:
    """Copy without signatures, profiles and the results of Discord's own scans."""
    if isinstance(value, str):
        return _unsigned(value)
    if isinstance(value, list):
        return [_any(item) for item in value]
    if isinstance(value, dict):
        return {key: _nested(key, item) for key, item in value.items() if key not in _LEFT_OUT_ANYWHERE}
    return value


def _nested(key: str, value: Any) -> Any:
    """Copy what is below a message's own keys; what bears an id of its own is reduced to that."""
    if key in _IDENTIFIED:
        return _identity(value)
    return _identities(value) if key == "clip_participants" else _any(value)


def _unsigned(text: str) -> str:
    """Drop the signature from a signed URL; every other text stays."""
    if "ex=" not in text or "hm=" not in text or not text.startswith(("https://", "http://")):
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    query = parse_qsl(parts.query, keep_blank_values=True)
    if not {name for name, _ in query} >= SIGNATURE:
        return text
    return urlunsplit(parts._replace(query=urlencode([pair for pair in query if pair[0] not in SIGNATURE])))


def _identity(value: Any) -> Any:
    """Reduce a user, thread, sticker or application to its id."""
    return value["id"] if isinstance(value, dict) and "id" in value else _any(value)


def _identities(value: Any) -> Any:
    """Reduce each to its id; Discord promises no order."""
    return sorted((_identity(item) for item in value), key=repr) if isinstance(value, list) else _any(value)


def _webhook_author(value: Any) -> Any:
    """Keep the name, which each message of a webhook chooses; drop the dressing."""
    if not isinstance(value, dict):
        return _any(value)
    return {key: _any(value[key]) for key in ("id", "username", "global_name", "bot") if key in value}


def _poll(value: Any) -> Any:
    """Drop the votes, and with them whether they are final."""
    if not isinstance(value, dict):
        return _any(value)
    return {key: _any(item) for key, item in value.items() if key != "results"}


def _snapshots(value: Any) -> Any:
    if not isinstance(value, list):
        return _any(value)
    return [
        {**item, "message": _message(item["message"])}
        if isinstance(item, dict) and isinstance(item.get("message"), dict)
        else _any(item)
        for item in value
    ]


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "author": _webhook_author,
    "mentions": _identities,
    "mention_channels": _identities,
    "mention_roles": _identities,
    "sticker_items": _identities,
    "stickers": _identities,
    "thread": _identity,
    "application": _identity,
    "poll": _poll,
    "message_snapshots": _snapshots,
}
