"""What `docs/payload.md` promises of a rebuilt message object, told independently of the code that rebuilds it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

DEFAULTS: Mapping[str, Any] = {
    "edited_timestamp": None,
    "tts": False,
    "mention_everyone": False,
    "mentions": [],
    "mention_roles": [],
    "attachments": [],
    "embeds": [],
    "components": [],
    "pinned": False,
    "flags": 0,
}


def normalised(payload: Mapping[str, Any], channel_id: int) -> dict[str, Any]:
    """Return the message object that must come back from the row and author of `payload`."""
    message_id = int(payload["id"])
    born = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(milliseconds=message_id >> 22)
    always = {
        "id": str(message_id),
        "channel_id": str(channel_id),
        "content": "",
        "type": 0,
        "timestamp": born.isoformat(),
    }
    wanted = {**DEFAULTS, **always, **payload}
    if isinstance(wanted.get("referenced_message"), dict):
        del wanted["referenced_message"]
    author = wanted.get("author")
    if wanted.get("webhook_id") is None and isinstance(author, dict) and is_account(author):
        wanted["author"] = {"global_name": None, **author}
        if author.get("bot") is False:
            del wanted["author"]["bot"]
    return wanted


def is_account(author: Any) -> bool:
    """Say whether an author is a proper account, as opposed to one that is kept whole."""
    if not isinstance(author, dict) or not isinstance(author.get("id"), str):
        return False
    user_id = author["id"]
    return (
        user_id.isascii()
        and user_id.isdigit()
        and user_id == str(int(user_id))
        and 0 < int(user_id) < 2**63 - 1
        and isinstance(author.get("username"), str)
        and isinstance(author.get("global_name"), str | None)
        and isinstance(author.get("bot", False), bool)
    )


def strictly(value: Any) -> Any:
    """Return the value in a form in which 1, 1.0 and True differ."""
    if isinstance(value, dict):
        return {key: strictly(item) for key, item in value.items()}
    if isinstance(value, list):
        return [strictly(item) for item in value]
    return type(value).__name__, value
