"""Messages as they go over the wire, encoded once and put together at each fetch.

What Discord works out at each fetch is added last: the message that a reply refers to (null once it is deleted), the
thread begun from a message, fresh signatures in attachment URLs, and blanks where the content intent is lacking.
"""

import hashlib
import json
import re
from typing import Any

from junkie_cli import snowflake
from junkie_cli.emulator import payloads
from junkie_cli.emulator.channels import HAS_THREAD
from junkie_cli.emulator.entities import Channel, Message, MessageType
from junkie_cli.emulator.state import State, find, place_of
from junkie_cli.emulator.talk import iso

_CDN = re.compile(
    rb'("(?:proxy_)?url":"https://(?:cdn\.discordapp\.com|media\.discordapp\.net)/[^"?]*attachments/[^"?]+)"'
)
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_HOLES = {"content": "<1>", "timestamp": "<2>", "id": "<3>"}
_HOLE = re.compile(rb'"<[123]>"')
_SIGNED_FOR_S = 24 * 3600


def dumps(value: Any) -> bytes:
    """Encode compactly; a lone surrogate, which UTF-8 can't carry, makes the whole value ASCII with escapes."""
    try:
        return _encode(value).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def own_payload(channel: Channel, message: Message) -> dict[str, Any]:
    """Return the message without what is worked out at each fetch."""
    payload: dict[str, Any] = {
        "type": MessageType.DEFAULT,
        "content": message.content,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "timestamp": iso(snowflake.to_ms(message.id)),
        "edited_timestamp": None,
        "flags": 0,
        "components": [],
        "id": str(message.id),
        "channel_id": str(channel.id),
        "author": payloads.user(message.author),
        "pinned": False,
        "mention_everyone": False,
        "tts": False,
    }
    if message.fields:
        payload.update(message.fields)
    return payload


class Press:
    """Encodes messages for the bot, or with `full` for someone who may see everything."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._fetches = 0
        self._plain: dict[tuple[int, int, str | None], list[bytes]] = {}

    def page(self, channel: Channel, messages: list[Message], *, full: bool = False) -> list[bytes]:
        """Return the messages encoded, each signed anew."""
        self._fetches += 1
        clear = full or self._state.sees_content
        # A plain message that was encoded before goes out as it is.
        return [
            message.own
            if clear and message.fields is None and message.own is not None
            else self._assemble(channel, message, clear=clear)
            for message in messages
        ]

    def one(self, channel: Channel, message: Message) -> bytes:
        """Return one message encoded."""
        return self.page(channel, [message])[0]

    def live(self, channel: Channel, message: Message, *, clear: bool) -> bytes:
        """Return one message encoded for an event; not `clear`, for a session without the content intent.

        It is not kept: what streams by is not fetched again.
        """
        self._fetches += 1
        return self._assemble(channel, message, clear=clear, keep=False)

    def warm(self) -> None:
        """Encode everything beforehand, so that a benchmark measures its client."""
        for channel in self._state.channels.values():
            for message in channel.messages:
                self._own(channel, message)

    def _assemble(self, channel: Channel, message: Message, *, clear: bool, keep: bool = True) -> bytes:
        if clear or self._concerns_bot(channel, message):
            found = self._own(channel, message, keep=keep)
        else:
            found = dumps(_blank(own_payload(channel, message)))
        if message.fields is not None:
            found = self._complete(message, message.fields, found, clear=clear)
        return found

    def _own(self, channel: Channel, message: Message, *, keep: bool = True) -> bytes:
        if message.own is not None:
            return message.own
        plain = message.fields is None
        own = self._encode_plain(channel, message) if plain else dumps(own_payload(channel, message))
        if keep:
            message.own = own
        return own

    def _encode_plain(self, channel: Channel, message: Message) -> bytes:
        """Fill content, time and id into what all plain messages of an author in a channel share: ten times as fast."""
        author = message.author
        key = channel.id, author.id, author.global_name
        if (parts := self._plain.get(key)) is None:
            parts = self._plain[key] = _HOLE.split(dumps(own_payload(channel, message) | _HOLES))
        head, second, third, tail = parts
        timestamp = iso(snowflake.to_ms(message.id)).encode()
        return b'%b%b%b"%b"%b"%d"%b' % (head, dumps(message.content), second, timestamp, third, message.id, tail)

    def _complete(self, message: Message, fields: dict[str, Any], own: bytes, *, clear: bool) -> bytes:
        if fields.get("type") in MessageType.RESOLVED:
            own = own[:-1] + b',"referenced_message":' + self._referenced(fields, clear=clear) + b"}"
        if fields.get("flags", 0) & HAS_THREAD and (thread := self._state.channels.get(message.id)) is not None:
            own = own[:-1] + b',"thread":' + dumps(payloads.channel(thread)) + b"}"
        return self._sign(own) if b"/attachments/" in own else own

    def _referenced(self, fields: dict[str, Any], *, clear: bool) -> bytes:
        reference = fields["message_reference"]
        channel = self._state.channels.get(int(reference["channel_id"]))
        target = None if channel is None else find(channel, int(reference["message_id"]))
        if channel is None or target is None:
            return b"null"
        # One level only, and without reactions: a BasicMessageResponse.
        payload = own_payload(channel, target)
        payload.pop("reactions", None)
        return dumps(payload if clear or self._concerns_bot(channel, target) else _blank(payload))

    def _concerns_bot(self, channel: Channel, message: Message) -> bool:
        bot = self._state.bot
        mentions = (message.fields or {}).get("mentions", ())
        return message.author is bot or channel.guild is None or any(m["id"] == str(bot.id) for m in mentions)

    def _sign(self, encoded: bytes) -> bytes:
        """Add ex, is and hm as Discord does: times in hex seconds, and a hash of 64 digits; they differ on each fetch."""
        issued = self._state.end_ms // 1000 + self._fetches
        hashed = hashlib.sha256(f"{self._state.seed}:{self._fetches}".encode()).hexdigest()
        signature = f'?ex={issued + _SIGNED_FOR_S:x}&is={issued:x}&hm={hashed}&"'.encode()
        return _CDN.sub(rb"\1" + signature, encoded)


def select(
    channel: Channel, *, before: int | None = None, after: int | None = None, around: int | None = None, limit: int = 50
) -> list[Message]:
    """Return a page, newest first: the nearest below `before` or above `after`, both exclusive, or around an id."""
    everything = channel.messages
    if after is not None:
        lo = place_of(channel, after + 1)
        hi = lo + limit
    elif around is not None:
        lo = max(place_of(channel, around) - limit // 2, 0)
        hi = lo + limit
    else:
        hi = len(everything) if before is None else place_of(channel, before)
        lo = max(hi - limit, 0)
    return everything[lo:hi][::-1]


def _blank(payload: dict[str, Any]) -> dict[str, Any]:
    """Return what an application without the MESSAGE_CONTENT intent gets (docs, "Message Content Intent")."""
    blank = payload | {"content": "", "embeds": [], "attachments": [], "components": []}
    blank.pop("poll", None)
    if "message_snapshots" in blank:
        blank["message_snapshots"] = [{"message": _blank(s["message"])} for s in blank["message_snapshots"]]
    return blank
