"""The JSON format: one document with every message, its links and attachments, and what was left out and why.

Texts are as people saw them (markup resolved), neither indented nor defused: a string can't imitate structure. Hidden
characters are written as escapes. Ids are strings, as in Discord's own API.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from junkie_cli import snowflake
from junkie_cli.models import Message
from junkie_cli.prompt import payload
from junkie_cli.prompt.conversation import Conversation, Gap, ReplyTarget
from junkie_cli.prompt.layout import Layout, gaps_after, place_gaps
from junkie_cli.prompt.readable import EMPTY, Readable, read, reply_target
from junkie_cli.prompt.safety import VERBATIM, escape_json
from junkie_cli.prompt.timestamps import Clock
from junkie_cli.prompt.view import View

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)


def lay_out_json(conversation: Conversation, clock: Clock) -> Layout:
    """Lay out a conversation as a JSON document, each message of it on a line of its own."""
    view = conversation.view(clock, VERBATIM)
    pieces = [f"    {dump(describe_message(message, conversation, view))}" for message in conversation.history]
    gaps = place_gaps(conversation)
    newer = [Gap(lo, hi, len(pieces), partly=False) for lo, hi in conversation.newer_gaps]
    head = {
        "channel": {"id": str(conversation.channel_id), "name": conversation.channel_name},
        "guild": None
        if conversation.guild_id is None
        else {"id": str(conversation.guild_id), "name": conversation.guild_name},
        "current_time": _iso(clock.now),
        "timezone": str(clock.zone),
    }
    current = describe_message(conversation.current, conversation, view)
    if not conversation.current_archived:
        current |= {"id": None, "link": None}
    tail = {"reply_target": _describe_reply(conversation.reply, conversation, view), "current": current}

    def compose(dropped: int) -> str:
        left_out = _left_out(conversation.omitted + dropped, gaps_after(gaps, conversation, dropped) + newer)
        history = "[\n" + ",\n".join(pieces[dropped:]) + "\n  ]" if dropped < len(pieces) else "[]"
        members = [f'"{key}": {dump(value)}' for key, value in head.items()]
        members.append(f'"left_out": {dump(left_out)}')
        members.append(f'"history": {history}')
        members += [f'"{key}": {dump(value)}' for key, value in tail.items()]
        return "{\n  " + ",\n  ".join(members) + "\n}"

    return Layout(pieces, compose)


def dump(value: Any) -> str:
    """Return a value as JSON on one line, without raw hidden characters."""
    return escape_json(_ENCODER.encode(value))


def describe_message(message: Message, conversation: Conversation, view: View) -> dict[str, Any]:
    """Return a message as a JSON object. `parts` has what is neither text nor attachment, as the text format shows it."""
    shown = read(message, view)
    extra = message.extra or payload.NOTHING
    described: dict[str, Any] = {
        "id": str(message.message_id),
        "author": {"id": str(message.author_id), "name": message.author_name},
        "time": _iso(message.created_at),
        "text": shown.body,
        "link": link(conversation.guild_id, message.channel_id, message.message_id),
    }
    if message.channel_id != conversation.channel_id:
        described["channel_id"] = str(message.channel_id)
    if message.edited_at is not None:
        described["edited"] = _iso(message.edited_at)
    if message.type:
        described["type"] = message.type
    if (target := reply_target(message)) is not None:
        described["reply_to"] = str(target)
    if attachments := [_attachment(attachment) for attachment in payload.records(extra, "attachments")]:
        described["attachments"] = attachments
    if parts := _parts(shown):
        described["parts"] = parts
    if reactions := [_reaction(reaction) for reaction in payload.records(extra, "reactions")]:
        described["reactions"] = reactions
    return described


def link(guild_id: int | None, channel_id: int, message_id: int) -> str:
    """Return the address at which Discord shows a message."""
    return f"https://discord.com/channels/{'@me' if guild_id is None else guild_id}/{channel_id}/{message_id}"


def _parts(shown: Readable) -> list[str]:
    if shown.without_reply == EMPTY:
        return [EMPTY]
    return list(shown.parts)


def _attachment(attachment: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("filename", "url", "content_type", "size", "description", "duration_secs")
    return {key: attachment[key] for key in keys if _is_plain(attachment.get(key))}


def _is_plain(value: Any) -> bool:
    """Say whether a value is a text or a number that JSON knows: the archive may hold any, and 1e999 is read as infinity."""
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _reaction(reaction: Mapping[str, Any]) -> dict[str, Any]:
    return {"emoji": payload.emoji_text(payload.record(reaction, "emoji")), "count": payload.number(reaction, "count")}


def _describe_reply(reply: ReplyTarget | None, conversation: Conversation, view: View) -> dict[str, Any] | None:
    if reply is None:
        return None
    if reply.message:
        return {"state": "found", **describe_message(reply.message, conversation, view)}
    return {"state": "deleted" if reply.deleted else "not archived", "id": str(reply.message_id)}


def _left_out(omitted: int, gaps: list[Gap]) -> list[dict[str, Any]]:
    cut = [{"why": "over the budget", "messages": omitted}] if omitted else []
    return [*cut, *(_describe_gap(gap) for gap in gaps)]


def _describe_gap(gap: Gap) -> dict[str, Any]:
    return {
        "why": "only partly archived" if gap.partly else "not archived",
        "from": _iso(snowflake.to_datetime(gap.lo)),
        "to": _iso(snowflake.to_datetime(gap.hi)),
        "from_id": str(gap.lo),
        "to_id": str(gap.hi),
    }


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
