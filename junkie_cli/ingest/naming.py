"""Ids in the place of names, for runs that ask Discord.

Discord's own lists outweigh the archive's, which may be old or, before the first run, empty. The archive knows what Discord
lists only at length or not at all: archived threads, channels that the bot may no longer view, DMs.
"""

import logging
from typing import TYPE_CHECKING, Final

from junkie_cli.db import names
from junkie_cli.db.database import Database
from junkie_cli.errors import ChannelError
from junkie_cli.ingest.selection import Selection
from junkie_cli.models import Channel, Guild
from junkie_cli.reference import Wanted, known_places

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient

_WHERE: Final = "Discord, like the archive,"
_HINT: Final = "let the bot see it, or give its id"

log = logging.getLogger(__name__)


async def settle(selection: Selection, discord: "DiscordClient", database: Database) -> Selection:
    """Return the selection with ids in the place of names. Without names, nothing is asked of anybody.

    Raises UsageError, or ConfigError for a variable, for a name that nothing bears, or more than one.
    """
    if not selection.named:
        return selection
    return await look_up(selection, discord, await names.places(database.fetch))


async def look_up(selection: Selection, discord: "DiscordClient", archive: names.Catalogue) -> Selection:
    """Do what `settle` does, with what is known of the archive already."""
    if not selection.named:
        return selection
    shown = {guild.guild_id: guild for guild in await discord.guilds()}
    guilds = {guild.guild_id: guild for guild in archive.guilds} | shown
    gone = archive.gone - shown.keys() | guilds.keys() - shown.keys()
    wanted = selection.guilds
    if asked := tuple(one for one in selection.named if one.wanted is Wanted.GUILD):
        known = known_places(guilds.values(), (), gone)
        wanted |= Selection(named=asked).settled(known, where=_WHERE, hint=_HINT).guilds
    channels = archive.channels
    if len(asked) < len(selection.named):
        for guild in shown.values():
            if not wanted or guild.guild_id in wanted:
                channels, gone = await _refreshed(discord, guild, channels, gone)
    return selection.settled(known_places(guilds.values(), channels, gone), where=_WHERE, hint=_HINT)


async def _refreshed(
    discord: "DiscordClient", guild: Guild, channels: list[Channel], gone: frozenset[int]
) -> tuple[list[Channel], frozenset[int]]:
    """Return channels as Discord lists them now, with those that it does not list, and which of all are gone."""
    try:
        listed = {channel.channel_id: channel for channel in await discord.channels(guild)}
    except ChannelError as error:
        # The run itself reports it; what the archive knows may do.
        place = {"guild_id": guild.guild_id}
        log.debug("the channels of guild %d can't be listed: %s", guild.guild_id, error, extra=place)
        return channels, gone
    lost = {c.channel_id for c in channels if c.guild_id == guild.guild_id and not c.is_thread} - listed.keys()
    return [*listed.values(), *(c for c in channels if c.channel_id not in listed)], gone - listed.keys() | lost
