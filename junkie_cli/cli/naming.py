"""Which place, account and message the user means: an id, a link, or a name that the archive knows."""

from typing import TYPE_CHECKING, Final

from junkie_cli import reference, snowflake
from junkie_cli.db import names
from junkie_cli.errors import UsageError
from junkie_cli.links import LINK
from junkie_cli.reference import Asked, Known, Sort, Wanted

if TYPE_CHECKING:
    from junkie_cli.ingest.selection import Selection

_ARCHIVE: Final = "the archive"
_HINT: Final = "give its id, or archive it with `junkie backfill`"
_COPY_ID: Final = "switch on Discord's developer mode, right-click it and choose 'Copy ID'"


async def find(asked: Asked, fetch: names.Fetch, *, guild_id: int | None = None) -> int | Known:
    """Return what is meant: an id as it was given, or what the archive knows by that name, in one guild if that is given.

    Raises UsageError, or ConfigError for a variable, if nothing or more than one thing bears the name.
    """
    if (snowflake_id := reference.read(asked)) is not None:
        return snowflake_id
    known = await names.accounts(fetch) if asked.wanted is Wanted.USER else (await names.places(fetch)).known()
    if guild_id is not None:
        known = [one for one in known if one.guild_id == guild_id]
    return reference.find(asked, known, where=_ARCHIVE, hint=_HINT)


async def find_id(asked: Asked, fetch: names.Fetch, *, guild_id: int | None = None) -> int:
    """Return the id of what is meant; for the rest as `find`."""
    found = await find(asked, fetch, guild_id=guild_id)
    return found if isinstance(found, int) else found.snowflake


async def refuse_category(asked: Asked, channel_id: int, fetch: names.Fetch) -> None:
    """Raise UsageError if the archive knows the id as a category's: it holds no messages, and its channels are not named by it."""
    for one in (await names.places(fetch)).known():
        if one.snowflake == channel_id and one.sort is Sort.CATEGORY:
            raise asked.error(f"{one.shown} is a category and holds no messages", "name its channels, one by one")


async def settled(selection: "Selection", fetch: names.Fetch) -> "Selection":
    """Return a selection with ids in the place of names, for commands that ask the archive alone. Raises as `find`."""
    if not selection.named:
        return selection
    return selection.settled((await names.places(fetch)).known(), where=_ARCHIVE, hint=_HINT)


def read_message_id(text: str, channel_id: int, option: str) -> int:
    """Return the id of a message of the channel, from an id or a link. Raises UsageError."""
    text = text.strip()
    if link := LINK.fullmatch(text):
        if link["message"] is None:
            raise UsageError(f"--{option}: '{text[:80]}' leads to no message", hint="copy the message's link")
        if link["channel"] != str(channel_id):
            raise UsageError(
                f"--{option}: message {link['message'][:20]} is of channel {link['channel'][:20]}, not of {channel_id}",
                hint="name that channel, or another message",
            )
        text = link["message"]
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and 0 < int(text) <= snowflake.MAX):
        raise UsageError(f"--{option}: '{text[:60]}' is neither a message's id nor its link", hint=_COPY_ID)
    return int(text)
