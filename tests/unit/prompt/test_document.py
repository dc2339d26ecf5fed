import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from junkie_cli.coverage import Range
from junkie_cli.models import Message
from junkie_cli.prompt.conversation import Conversation, ReplyTarget
from junkie_cli.prompt.document import lay_out_json, link
from junkie_cli.prompt.mentions import Names
from tests.unit.prompt.samples import CHANNEL, NOW, clock, conversation, message, message_id

HOUR = timedelta(hours=1)


def document(talk: Conversation, dropped: int = 0) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(lay_out_json(talk, clock()).compose(dropped))
    return read


def test_a_whole_document() -> None:
    first = message("Bob", 222, "hi <@111>", age=HOUR)
    talk = conversation(
        [first],
        current=message("Alice", 111, "yes", number=9, type=19, reply_to=first.message_id),
        reply=ReplyTarget(first.message_id, first),
        names=Names(users={111: "Alice"}),
    )
    bob = {
        "id": str(first.message_id),
        "author": {"id": "222", "name": "Bob"},
        "time": "2026-03-04T14:30:00Z",
        "text": "hi @Alice",
        "link": f"https://discord.com/channels/77/1234567890/{first.message_id}",
    }
    assert document(talk) == {
        "channel": {"id": "1234567890", "name": "general"},
        "guild": {"id": "77", "name": "My Server"},
        "current_time": "2026-03-04T15:30:00Z",
        "timezone": "Asia/Kolkata",
        "left_out": [],
        "history": [bob],
        "reply_target": {"state": "found", **bob},
        "current": {
            "id": str(message_id(number=9)),
            "author": {"id": "111", "name": "Alice"},
            "time": "2026-03-04T15:30:00Z",
            "text": "yes",
            "link": f"https://discord.com/channels/77/1234567890/{message_id(number=9)}",
            "type": 19,
            "reply_to": str(first.message_id),
        },
    }


def test_everything_that_a_message_has() -> None:
    rich = Message(
        5,
        message_id(HOUR),
        222,
        "Bob",
        "look",
        edited_at=datetime(2026, 3, 4, 15, 0, tzinfo=UTC),
        extra={
            "attachments": [
                {
                    "id": "1",
                    "url": "https://x/a.png",
                    "filename": "a.png",
                    "size": 10,
                    "height": None,
                    "description": "cat",
                }
            ],
            "sticker_items": [{"name": "Wave"}],
            "reactions": [{"emoji": {"name": "👍"}, "count": 3}, {"emoji": {"id": "7", "name": "blob"}, "count": 1}],
        },
    )
    (shown,) = document(conversation([rich]))["history"]
    assert shown["channel_id"] == "5"
    assert shown["edited"] == "2026-03-04T15:00:00Z"
    assert shown["attachments"] == [{"filename": "a.png", "url": "https://x/a.png", "size": 10, "description": "cat"}]
    assert shown["parts"] == ["[Sticker: Wave]"]
    assert shown["reactions"] == [{"emoji": "👍", "count": 3}, {"emoji": ":blob:", "count": 1}]
    assert shown["text"] == "look"


def test_nothing_is_blank() -> None:
    blank = message("Bob", 222, age=HOUR)
    picture = message("Bob", 222, age=HOUR, number=1, extra={"attachments": [{"url": "https://x"}]})
    shown = document(conversation([blank, picture]))["history"]
    assert shown[0]["parts"] == ["[Empty message]"]
    assert "parts" not in shown[1]
    assert shown[1]["attachments"] == [{"url": "https://x"}]


def test_an_attachment_that_no_json_could_hold_is_json() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    attachment = {"url": "https://x", "size": float("inf"), "duration_secs": 1.5, "description": nested}
    text = lay_out_json(
        conversation([message("Bob", 222, age=HOUR, extra={"attachments": [attachment]})]), clock()
    ).compose(0)
    (shown,) = json.loads(text, parse_constant=pytest.fail)["history"]
    assert shown["attachments"] == [{"url": "https://x", "duration_secs": 1.5}]


def test_a_text_of_the_users_own_has_no_id() -> None:
    shown = document(conversation(current_archived=False))["current"]
    assert (shown["id"], shown["link"]) == (None, None)


def test_a_lost_reply_target() -> None:
    assert document(conversation(reply=ReplyTarget(5, deleted=True)))["reply_target"] == {"state": "deleted", "id": "5"}
    assert document(conversation(reply=ReplyTarget(5)))["reply_target"] == {"state": "not archived", "id": "5"}


def test_what_was_left_out_and_why() -> None:
    history = [message("Bob", 222, str(hours), age=hours * HOUR) for hours in (5, 4, 3)]
    gaps = [Range(message_id(7 * HOUR), message_id(6 * HOUR)), Range(message_id(3.5 * HOUR), message_id(2 * HOUR))]
    talk = conversation(history, gaps=gaps, omitted=400)
    partly = {
        "why": "only partly archived",
        "from": "2026-03-04T12:00:00Z",
        "to": "2026-03-04T13:30:00Z",
        "from_id": str(gaps[1].lo),
        "to_id": str(gaps[1].hi),
    }
    assert document(talk)["left_out"] == [
        {"why": "over the budget", "messages": 400},
        {
            "why": "not archived",
            "from": "2026-03-04T08:30:00Z",
            "to": "2026-03-04T09:30:00Z",
            "from_id": str(gaps[0].lo),
            "to_id": str(gaps[0].hi),
        },
        partly,
    ]
    cut = document(talk, 2)
    assert cut["left_out"] == [{"why": "over the budget", "messages": 402}, partly]
    assert [shown["text"] for shown in cut["history"]] == ["3"]
    assert document(talk, 3)["history"] == []


def test_what_lies_above_the_current_message_and_is_not_archived() -> None:
    current = message("Alice", 111, "yes", age=HOUR)
    gap = Range(current.message_id + 1, message_id())
    assert document(conversation(current=current, newer_gaps=[gap]))["left_out"] == [
        {
            "why": "not archived",
            "from": "2026-03-04T14:30:00Z",
            "to": "2026-03-04T15:30:00Z",
            "from_id": str(gap.lo),
            "to_id": str(gap.hi),
        }
    ]


def test_hidden_characters_are_escaped_and_emoji_are_not() -> None:
    text = lay_out_json(
        conversation([message("B\u202eob", 222, "a\x00b\ud800\U000e0041 👨‍👩‍👧 é\n", age=HOUR)]), clock()
    ).compose(0)
    assert r"B\u202eob" in text
    assert r"a\u0000b\ud800\udb40\udc41 👨‍👩‍👧 é\n" in text
    text.encode()


def test_each_message_has_a_line() -> None:
    history = [message("Bob", 222, "a\nb", age=HOUR), message("Bob", 222, "c", age=HOUR, number=1)]
    lines = lay_out_json(conversation(history), clock()).compose(0).split("\n")
    assert [json.loads(line.strip().rstrip(","))["text"] for line in lines if line.startswith('    {"id"')] == [
        "a\nb",
        "c",
    ]


def test_links() -> None:
    assert link(None, CHANNEL, 5) == "https://discord.com/channels/@me/1234567890/5"
    assert document(conversation(guild_id=None, guild_name=None, channel_name=None))["guild"] is None
    assert clock().now == NOW
