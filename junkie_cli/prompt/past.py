"""What a message of now says of later than a moment of the past, and a prompt of then must not tell.

Reactions and votes have no time, so that of those before the moment nothing is known either.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from junkie_cli.models import Message
from junkie_cli.prompt import payload


def without_later(message: Message, moment: datetime) -> Message:
    """Return a message without its reactions, the votes of a poll that was open, a thread begun later and a call's later end."""
    if not message.extra:
        return message
    extra = dict(message.extra)
    extra.pop("reactions", None)
    if poll := payload.record(extra, "poll"):
        extra["poll"] = _poll(poll, moment)
    thread = payload.record(payload.record(extra, "thread"), "thread_metadata")
    if _is_later(thread, "create_timestamp", moment):
        del extra["thread"]
    if _is_later(call := payload.record(extra, "call"), "ended_timestamp", moment):
        extra["call"] = {**call, "ended_timestamp": None}
    return replace(message, extra=extra or None)


def _poll(poll: Mapping[str, Any], moment: datetime) -> Mapping[str, Any]:
    """Return a poll without its results, unless it had closed by then: nobody votes after that."""
    closed = payload.moment_ms(poll, "expiry") is not None and not _is_later(poll, "expiry", moment)
    return poll if closed else {key: value for key, value in poll.items() if key != "results"}


def _is_later(of: Mapping[str, Any], key: str, moment: datetime) -> bool:
    at = payload.moment_ms(of, key)
    return at is not None and at > moment.astimezone(UTC).timestamp() * 1000
