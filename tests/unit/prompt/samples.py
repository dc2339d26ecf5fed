"""Conversations to lay out, at the moment of the original's example."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from junkie_cli import snowflake
from junkie_cli.models import Message
from junkie_cli.prompt.conversation import Conversation
from junkie_cli.prompt.timestamps import Clock, find_zone

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
CHANNEL = 1234567890


def clock(now: datetime = NOW, zone: str = "Asia/Kolkata") -> Clock:
    return Clock(now, find_zone(zone))


def message_id(age: timedelta = timedelta(), number: int = 0) -> int:
    return snowflake.from_datetime(NOW - age) + number


def message(
    name: str, author: int, content: str = "", *, age: timedelta = timedelta(), number: int = 0, **more: Any
) -> Message:
    return Message(CHANNEL, message_id(age, number), author, name, content, **more)


def conversation(history: Iterable[Message] = (), **more: Any) -> Conversation:
    fields: dict[str, Any] = {
        "channel_id": CHANNEL,
        "channel_name": "general",
        "guild_id": 77,
        "guild_name": "My Server",
        "current": message("Alice", 111, "Great! Let me know when it's ready", number=4_000_000),
    }
    return Conversation(history=tuple(history), **(fields | more))
