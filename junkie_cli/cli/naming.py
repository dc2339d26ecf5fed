"""Which channel and which message the user means: an id, a link, or a name that the archive knows."""

from typing import Final

from junkie_cli import snowflake
from junkie_cli.db.history import History, NamedChannel
from junkie_cli.errors import UsageError
from junkie_cli.links import LINK

_SHOWN: Final = 5
_HINT: Final = "switch on Discord's developer mode, right-click it and choose 'Copy ID'"


async def find_channel(history: History, text: str) -> int:
    """Return the id of the channel that is meant. Raises UsageError if none is, or more than one."""
    text = text.strip()
    if link := LINK.fullmatch(text):
        if link["channel"] is None:
            raise UsageError(f"'{text[:80]}' leads to a server, not to a channel", hint=_HINT)
        text = link["channel"]
    if (channel_id := _id(text)) is not None:
        return channel_id
    found = await history.channels_named(text.removeprefix("#").replace("/#", "/"))
    # What is gone or holds nothing is meant only if there is nothing else.
    named = [each for each in found if not each.gone and each.channel.holds_messages] or found
    if not named:
        raise UsageError(
            f"the archive knows no channel '{text[:60]}'", hint="give its id, or archive it with `junkie backfill`"
        )
    if len(named) > 1:
        raise UsageError(f"'{text[:60]}' may be {_listed(named)}", hint="give the id")
    return named[0].channel.channel_id


def read_message_id(text: str, channel_id: int, option: str) -> int:
    """Return the id of a message of the channel, from an id or a link. Raises UsageError."""
    text = text.strip()
    if link := LINK.fullmatch(text):
        if link["message"] is None:
            raise UsageError(f"--{option}: '{text[:80]}' leads to no message", hint="copy the message's link")
        if int(link["channel"]) != channel_id:
            raise UsageError(
                f"--{option}: message {link['message'][:20]} is of channel {link['channel'][:20]}, not of {channel_id}",
                hint="name that channel, or another message",
            )
        text = link["message"]
    if (message_id := _id(text)) is None:
        raise UsageError(f"--{option}: '{text[:60]}' is neither a message's id nor its link", hint=_HINT)
    return message_id


def _id(text: str) -> int | None:
    if text.isascii() and text.isdigit() and len(text) <= 19 and 0 < int(text) <= snowflake.MAX:
        return int(text)
    return None


def _listed(named: list[NamedChannel]) -> str:
    shown = [f"{each.path} ({each.channel.channel_id})" for each in named[:_SHOWN]]
    if len(named) > _SHOWN:
        shown.append(f"{len(named) - _SHOWN} more")
    return ", ".join(shown[:-1]) + f" or {shown[-1]}"
