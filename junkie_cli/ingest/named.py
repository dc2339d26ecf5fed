"""Channels that were named one by one: each is asked for by its id, so that DMs and what no list shows are found, too."""

import logging
from typing import TYPE_CHECKING

from junkie_cli.errors import ChannelForbidden, ChannelNotFound, ConfigError, TokenRejected, UsageError
from junkie_cli.models import ChannelType, FoundChannel
from junkie_cli.reference import Label, Wanted

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient
    from junkie_cli.ingest.selection import Selection

log = logging.getLogger(__name__)


async def named_channels(discord: "DiscordClient", selection: "Selection", *, strict: bool) -> list[FoundChannel]:
    """Return the channels that a selection names by their ids.

    Raises UsageError, or ConfigError for a variable, if `strict`, for one that does not exist, can't be seen, or is a category.
    """
    label = selection.labels[Wanted.CHANNEL]
    named: list[FoundChannel] = []
    for channel_id in sorted(selection.channels):
        try:
            named.append(await _named_channel(discord, channel_id, label))
        except TokenRejected:
            raise
        except (UsageError, ConfigError) as error:
            if strict:
                raise
            log.warning("%s", error.message)
    return named


async def _named_channel(discord: "DiscordClient", channel_id: int, label: Label) -> FoundChannel:
    try:
        found = await discord.channel(channel_id)
    except ChannelNotFound:
        raise label.error(
            f"channel {channel_id} does not exist", "copy its id again; a deleted channel has none"
        ) from None
    except ChannelForbidden:
        raise label.error(
            f"channel {channel_id} can't be seen by the bot", "let it view the channel, or leave the channel out"
        ) from None
    if found.channel.type in ChannelType.HOLD_NOTHING:
        raise label.error(
            f"channel {channel_id} ('{found.channel.name}') is a category and holds no messages",
            "name its channels; --exclude takes a category",
        )
    return found
