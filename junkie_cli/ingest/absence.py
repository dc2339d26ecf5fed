"""Whether Discord no longer knows a channel. One answer may be wrong: a channel is gone once a second one says so, too."""

import logging
from typing import TYPE_CHECKING

from junkie_cli.errors import ChannelNotFound, ConfigError, JunkieError, TooManyInvalidRequests

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient

log = logging.getLogger(__name__)


async def is_gone(discord: "DiscordClient", channel_id: int) -> bool:
    """Ask for the channel itself, after some request said that there is none.

    Who believes one wrong answer never looks for an archived thread again. Raises ConfigError, TooManyInvalidRequests.
    """
    try:
        await discord.channel(channel_id)
    except ChannelNotFound:
        return True
    except (ConfigError, TooManyInvalidRequests):
        raise
    except JunkieError as error:
        log.debug("whether channel %d is gone can't be told: %s", channel_id, error.message)
    return False
