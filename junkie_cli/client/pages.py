"""A page of messages, from JSON to rows.

Most messages are plain: they hold nothing but what the columns take, and Discord's defaults. These are decoded straight
into a structure of just that shape. Whatever does not fit it takes the long way, by `payload`, which finds the same for
plain ones at several times the cost.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from junkie_cli import snowflake
from junkie_cli.client.answers import read_json
from junkie_cli.client.payload import INT4, KnownUser, read_message, user_from_payload
from junkie_cli.models import Message, Page, PageRequest, User, new_message

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=snowflake.EPOCH_MS)


_AUTHORS_REMEMBERED: Final = 10_000


class PageParser:
    """Parses pages. It remembers authors as they were written, since a channel's pages have the same ones."""

    def __init__(self) -> None:
        self._authors: dict[bytes, KnownUser] = {}

    def parse(self, request: PageRequest, body: bytes) -> Page | None:
        """Turn the answer to a request into a `Page`, in the order in which it came; None if it is no list of messages.

        Raises ValueError if it is no JSON.
        """
        if len(self._authors) > _AUTHORS_REMEMBERED:
            self._authors.clear()
        rows = _Rows(request.channel_id, self._authors)
        try:
            messages = tuple([rows.row(element) for element in _elements(body)])
        except _NoMessageError:
            return None
        once = {(message.channel_id, message.message_id): message for message in reversed(rows.referenced)}
        return Page(
            request,
            tuple([message.message_id for message in messages]),
            messages,
            tuple([known.user for known in rows.users.values()]),
            tuple(reversed(once.values())),
        )


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A message with no key but these, and no value but the default where there is but one."""

    id: str
    channel_id: str
    author: msgspec.Raw
    content: str
    timestamp: str
    type: int
    edited_timestamp: None
    tts: bool
    mention_everyone: bool
    pinned: bool
    flags: Literal[0]
    mentions: tuple[()]
    mention_roles: tuple[()]
    attachments: tuple[()]
    embeds: tuple[()]
    components: tuple[()]


class _NoMessageError(ValueError):
    pass


class _Rows:
    """The rows of one page, with their authors and what they refer to."""

    def __init__(self, channel_id: int, authors: dict[bytes, KnownUser]) -> None:
        self.users: dict[str, KnownUser] = {}
        self.referenced: list[Message] = []
        self._channel_id = channel_id
        self._place = str(channel_id)
        self._authors = authors

    def row(self, element: "msgspec.Raw | object") -> Message:
        """Return a row. Raises _NoMessageError, and ValueError for what is no JSON."""
        if type(element) is msgspec.Raw:
            if (plain := self._plain(element)) is not None:
                return plain
            element = read_json(bytes(element))
        if type(element) is not dict:
            raise _NoMessageError
        try:
            return read_message(element, self._channel_id, self.users, self.referenced)
        except ValueError:
            raise _NoMessageError from None

    def _plain(self, element: msgspec.Raw) -> Message | None:
        try:
            told = _PLAIN.decode(element)
            message_id = int(told.id)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return None
        if (
            told.tts
            or told.mention_everyone
            or told.pinned
            or told.type not in INT4
            or told.id != str(message_id)
            or not 0 < message_id < snowflake.MAX
            or told.channel_id != self._place
            or not _is_timestamp(told.timestamp, message_id)
            or (user := self._author(bytes(told.author))) is None
        ):
            return None
        name = user.global_name or user.username
        return new_message(self._channel_id, message_id, user.user_id, name, told.content, None, told.type)

    def _author(self, text: bytes) -> User | None:
        known = self._authors.get(text)
        if known is None:
            author = read_json(text)
            # Not one of this page that merely equals it: True == 1, and it is kept for pages that lack the other.
            user = user_from_payload(author)
            if user is None:
                return None
            known = self._authors[text] = KnownUser(author, user)
        self.users.setdefault(known.raw["id"], known)
        return known.user


def _elements(body: bytes) -> list[Any]:
    """Return the elements of a JSON array, as texts where possible. Raises _NoMessageError, ValueError if it is no JSON."""
    with suppress(msgspec.MsgspecError, ValueError, RecursionError):
        return _ELEMENTS.decode(body)
    value = read_json(body)
    if type(value) is not list:
        raise _NoMessageError
    return value


def _is_timestamp(text: str, message_id: int) -> bool:
    """Say whether a text is what `payload` rebuilds from an id; at a whole second it says no."""
    if len(text) != 32 or text[4:20:3] != "--T::." or text[20:23] == "000" or text[23:] != "000+00:00":
        return False
    try:
        return datetime.fromisoformat(text) == _EPOCH + timedelta(0, 0, 0, message_id >> 22)
    except ValueError:
        return False


_PLAIN: Final = msgspec.json.Decoder(_Plain)
_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
