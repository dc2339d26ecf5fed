"""Links to places in Discord, as its apps copy them, and mentions, as messages hold them."""

import re
from typing import Final

LINK: Final = re.compile(
    r"https://(?:\w+\.)?discord(?:app)?\.com/channels/(?P<guild>\d+|@me)(?:/(?P<channel>\d+))?(?:/(?P<message>\d+))?/?"
)
"""A guild, a channel in it, a message in that; `@me` stands for direct messages."""

CHANNEL_MENTION: Final = re.compile(r"<#(\d+)>")
USER_MENTION: Final = re.compile(r"<@!?(\d+)>")
