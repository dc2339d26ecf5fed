"""Careful reading of Discord's payloads.

What is missing, null or of an unexpected type reads as empty, never as an error: the archive holds whatever Discord
sent, and a prompt must come out of all of it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from junkie_cli import snowflake

NOTHING: Mapping[str, Any] = {}


def string(of: Mapping[str, Any], key: str) -> str:
    """Return a string, '' if there is none."""
    value = of.get(key)
    return value if isinstance(value, str) else ""


def number(of: Mapping[str, Any], key: str) -> int | None:
    """Return a whole number, also from a float or from digits in a string; nothing in a message is below zero."""
    value = of.get(key)
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 20 else None
    if isinstance(value, float):
        return int(value) if 0 <= value < snowflake.MAX else None
    return value if isinstance(value, int) and value >= 0 else None


def record(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a JSON object, an empty one if there is none."""
    value = of.get(key)
    return value if isinstance(value, dict) else NOTHING


def records(of: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the JSON objects of a list; what else it holds is skipped."""
    value = of.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def strings(of: Mapping[str, Any], key: str) -> list[str]:
    """Return the strings of a list; what else it holds is skipped."""
    value = of.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def moment_ms(of: Mapping[str, Any], key: str) -> int | None:
    """Return an ISO 8601 time as ms since 1970 UTC."""
    try:
        moment = datetime.fromisoformat(string(of, key))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def display_name(user: Mapping[str, Any]) -> str:
    """Return the name that people see of a user object: nick, else global name, else user name; '' if it has none."""
    nick = string(record(user, "member"), "nick")
    return nick or string(user, "global_name") or string(user, "username")


def emoji_text(emoji: Mapping[str, Any]) -> str:
    """Return a Unicode emoji itself, a custom one as `:name:`; '' if there is none."""
    name = string(emoji, "name")
    return f":{name}:" if name and emoji.get("id") else name
