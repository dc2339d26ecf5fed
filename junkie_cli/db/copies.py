"""Copies of a message's content in other rows: what a forward shows, and what the result of a poll repeats.

Invariant: where the content of a message was dropped, no copy of it is stored. Copies that are held go with the message
(see `purge_copies`); those that Discord goes on showing are stripped before they are compared with the archive. Both
happen under the lock of the original's channel, or of the row that holds the copy, where only the archive knows of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from junkie_cli import snowflake
from junkie_cli.db.reconcile import Incoming, Key, Place, Rule
from junkie_cli.models import Message

_POLL_RESULT: Final = 46


@dataclass(frozen=True, slots=True)
class Origin:
    """The message whose content another one repeats, and the guild that it is said to be in."""

    key: Key
    guild_id: int | None = None

    def ruled_out(self, rule: Rule, place: Place | None) -> bool:
        """Say whether a rule of `forget` keeps it out, as far as that can be told without its author."""
        standing = Message(self.key.channel_id, self.key.message_id, 0, "", "")
        return rule.user_id is None and rule.keeps_out(standing, place or Place(self.guild_id))


def origin_of(message: Message) -> Origin | None:
    """Return the message whose content this one repeats; None for nearly all."""
    if (extra := message.extra) is None or _copied(message.type) not in extra:
        return None
    reference = extra.get("message_reference")
    if not isinstance(reference, dict) or (message_id := _id(reference, "message_id")) is None:
        return None
    channel_id = _id(reference, "channel_id") or message.channel_id
    return Origin(Key(channel_id, message_id), _id(reference, "guild_id"))


def stripped(message: Message) -> Message:
    """Return the message without what it repeats of another one."""
    copied = _copied(message.type)
    return replace(message, extra={key: value for key, value in (message.extra or {}).items() if key != copied} or None)


def strip(
    messages: Mapping[Key, Incoming], origins: Mapping[Key, Origin], is_dropped: Callable[[Origin], bool]
) -> dict[Key, Incoming]:
    """Return the messages, without the copies whose originals were dropped."""
    kept = dict(messages)
    for key, origin in origins.items():
        if is_dropped(origin):
            kept[key] = replace(kept[key], message=stripped(kept[key].message))
    return kept


def _copied(kind: int) -> str:
    """Return the key of a payload that holds a copy."""
    return "embeds" if kind == _POLL_RESULT else "message_snapshots"


def _id(reference: Mapping[str, Any], name: str) -> int | None:
    text = reference.get(name)
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= snowflake.MAX:
        return int(text)
    return None
