"""What an HTTP answer of Discord's means: its value, a pause that it asks for, an error of ours, or nothing sensible.

Errors are told apart by status and by Discord's own error codes (docs, "Opcodes and Status Codes"), never by text. An
error page of something between us and Discord has no such code, and so never passes for a word about a channel.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

import msgspec

from junkie_cli.errors import ChannelError, ChannelForbidden, ChannelNotFound, DiscordError, TokenRejected

UNKNOWN_MESSAGE: Final = 10008
INTERNAL_NETWORK_ERROR: Final = 40333
"""A 403 that is about the way to Discord, not about a channel."""

_LONGEST_TEXT: Final = 200
_HINTS: Final = {403: "let the bot view the channel and read its message history"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers (their names in any case) and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Throttle:
    """A 429: wait so many seconds. 'shared' is a limit of the thing asked for, which others use up too."""

    seconds: float
    scope: Literal["user", "global", "shared"]


def read_json(body: bytes | str) -> Any:
    """Return the value of a JSON text. Raises ValueError if it is none, was cut off, or nests without end."""
    with suppress(msgspec.MsgspecError, ValueError, RecursionError):
        return _QUICK_DECODER.decode(body)
    # What is quick refuses lone surrogates, which Discord may send, and numbers beyond a float.
    try:
        return _DECODER.decode(body if isinstance(body, str) else body.decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_throttle(answer: Answer, fallback: float) -> Throttle:
    """Return what a 429 asks for. One that isn't Discord's own stops everybody; `fallback` if it gives no time."""
    try:
        told = read_json(answer.body)
    except ValueError:
        told = None
    headers = answer.headers
    seconds = _seconds(headers.get("Retry-After"), fallback)
    if not isinstance(told, dict) or "retry_after" not in told:
        # Discord's proxy, which has had enough of this address.
        return Throttle(seconds, "global")
    seconds = _seconds(told["retry_after"], seconds)
    scope = headers.get("X-RateLimit-Scope")
    if told.get("global") is True or scope == "global":
        return Throttle(seconds, "global")
    return Throttle(seconds, "shared" if scope == "shared" else "user")


def read_code(answer: Answer) -> tuple[int | None, str]:
    """Return Discord's error code and its text; None for an answer that is not in Discord's form."""
    try:
        told = read_json(answer.body)
    except ValueError:
        return None, ""
    code = told.get("code") if isinstance(told, dict) else None
    if type(code) is not int:
        return None, ""
    text = str(told.get("message", ""))[:_LONGEST_TEXT]
    return code, "".join(char if char.isprintable() else " " for char in text)


def error_of(answer: Answer, subject: str) -> DiscordError | TokenRejected | None:
    """Return the error that an answer >= 300 other than 429 is, about `subject`; None if it is worth another try."""
    code, text = read_code(answer)
    if answer.status == 401:
        return TokenRejected(
            "Discord rejects the bot token",
            hint="copy it again from the Developer Portal, page Bot, and set DISCORD_TOKEN",
        )
    if code is None or not 400 <= answer.status < 500 or code == INTERNAL_NETWORK_ERROR:
        return None
    if answer.status == 404 and not code:
        # No such route, says something that only looks like Discord.
        return None
    kind = {403: ChannelForbidden, 404: ChannelNotFound}.get(answer.status, ChannelError)
    error = kind(f"{subject}: {text or 'refused'} ({answer.status}, code {code})", hint=_HINTS.get(answer.status, ""))
    error.code = code
    return error


def described(answer: Answer) -> str:
    """Say in few words what an answer was that made no sense."""
    kind = answer.headers.get("Content-Type", "").partition(";")[0] or "no content type"
    return f"status {answer.status}, {kind}"


def _seconds(value: object, fallback: float) -> float:
    try:
        seconds = float(value)  # type: ignore[arg-type]  # whatever it is, it is caught
    except (TypeError, ValueError):
        return fallback
    # Not nan, not negative, not for ever.
    return seconds if 0 <= seconds <= 1e9 else fallback


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_QUICK_DECODER: Final = msgspec.json.Decoder()
_DECODER: Final = json.JSONDecoder(parse_constant=_reject)
