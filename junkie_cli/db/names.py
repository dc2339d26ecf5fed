"""Which names the archive knows, for looking up what the user means."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, LiteralString, NamedTuple

from junkie_cli.db.queries import query
from junkie_cli.db.text import unescape
from junkie_cli.models import Channel, Guild
from junkie_cli.reference import Known, Sort, known_places

Row = tuple[Any, ...]
Fetch = Callable[[LiteralString], Awaitable[Sequence[Row]]]
"""Runs a reading statement, as `Database.fetch` does."""


class Catalogue(NamedTuple):
    """Guilds, and their categories, channels and threads; `gone` holds ids of those that Discord no longer has."""

    guilds: list[Guild]
    channels: list[Channel]
    gone: frozenset[int]

    def known(self) -> list[Known]:
        """Return them as they can be named."""
        return known_places(self.guilds, self.channels, self.gone)


async def places(fetch: Fetch) -> Catalogue:
    """Return all places that the archive knows. Raises DatabaseError."""
    return catalogue(await fetch(query("named_guilds")), await fetch(query("named_channels")))


def catalogue(guilds: Sequence[Row], channels: Sequence[Row]) -> Catalogue:
    """Return the rows of the queries `named_guilds` and `named_channels` as places."""
    return Catalogue(
        [Guild(row[0], unescape(row[1])) for row in guilds],
        [Channel(row[0], row[1], row[2], row[3], unescape(row[4]), None) for row in channels],
        frozenset(row[0] for row in (*guilds, *channels) if row[-1]),
    )


async def accounts(fetch: Fetch) -> list[Known]:
    """Return all accounts that the archive knows, by each of their names. Raises DatabaseError."""
    known: list[Known] = []
    for user_id, username, global_name in await fetch(query("named_accounts")):
        known.append(Known(user_id, Sort.USERNAME, (unescape(username),)))
        if global_name:
            known.append(Known(user_id, Sort.DISPLAY_NAME, (unescape(global_name),)))
    return known
