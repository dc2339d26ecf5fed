"""Messages and accounts as the parallel lists that statements unnest, and rows as messages."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from junkie_cli.db.arrays import booleans, integers, texts, timestamps
from junkie_cli.db.reconcile import Incoming, Key
from junkie_cli.db.text import dump_json, escape, escape_all, unescape
from junkie_cli.models import Message, User, new_message


def message_of(row: Sequence[Any]) -> Message:
    """Return the message of a row: channel, id, author, name, content, edited_at, type, reply_to, extra."""
    return new_message(
        channel_id=row[0],
        message_id=row[1],
        author_id=row[2],
        author_name=unescape(row[3]),
        content=unescape(row[4]),
        edited_at=row[5],
        type=row[6],
        reply_to=row[7],
        extra=row[8],
    )


def keys_of(keys: Iterable[Key]) -> dict[str, Any]:
    """Return the places of messages as two parallel lists."""
    channel_ids, message_ids = zip(*keys, strict=True) if (keys := list(keys)) else ((), ())
    return {"channel_ids": integers(channel_ids), "message_ids": integers(message_ids)}


_row = attrgetter(
    "channel_id", "message_id", "author_id", "edited_at", "reply_to", "type", "author_name", "content", "extra"
)


def columns_of(rows: Sequence[Incoming]) -> dict[str, Any]:
    """Return messages as parallel lists, one for each column of the table."""
    columns = zip(*[_row(incoming.message) for incoming in rows], strict=True) if rows else [()] * 9
    channel_ids, message_ids, author_ids, edited_ats, reply_tos, types, author_names, contents, extras = columns
    return {
        "channel_ids": integers(channel_ids),
        "message_ids": integers(message_ids),
        "author_ids": integers(author_ids),
        "seens": integers([incoming.mark for incoming in rows]),
        "edited_ats": timestamps(edited_ats),
        "reply_tos": integers(reply_tos),
        "types": integers(types),
        "author_names": texts(escape_all(list(author_names))),
        "contents": texts(escape_all(list(contents))),
        "extras": texts([None if extra is None else dump_json(extra) for extra in extras]),
    }


def user_columns(users: Sequence[User], seen: int) -> dict[str, Any]:
    """Return accounts as parallel lists, and the `seen` of them all."""
    return {
        "user_ids": integers([user.user_id for user in users]),
        "usernames": texts([escape(user.username) for user in users]),
        "global_names": texts([None if user.global_name is None else escape(user.global_name) for user in users]),
        "bots": booleans([user.bot for user in users]),
        "user_seen": seen,
        "user_extras": texts([None if user.extra is None else dump_json(user.extra) for user in users]),
    }
