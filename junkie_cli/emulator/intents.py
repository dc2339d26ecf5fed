"""Which events a session asked for (docs, "Gateway Intents")."""

from typing import Final


class Intent:
    """The bits that decide about the emulator's events."""

    GUILDS: Final = 1 << 0
    GUILD_MEMBERS: Final = 1 << 1
    GUILD_PRESENCES: Final = 1 << 8
    GUILD_MESSAGES: Final = 1 << 9
    GUILD_MESSAGE_REACTIONS: Final = 1 << 10
    DIRECT_MESSAGES: Final = 1 << 12
    DIRECT_MESSAGE_REACTIONS: Final = 1 << 13
    MESSAGE_CONTENT: Final = 1 << 15

    KNOWN: Final = (1 << 17) - 1 | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25


_PRIVILEGED: Final = {
    Intent.GUILD_PRESENCES: 1 << 12 | 1 << 13,
    Intent.GUILD_MEMBERS: 1 << 14 | 1 << 15,
    Intent.MESSAGE_CONTENT: 1 << 18 | 1 << 19,
}
"""Each with the application flags, one of which it needs (docs, "Application Flags")."""

INVALID: Final = 4013
DISALLOWED: Final = 4014


def refusal(intents: object, application_flags: int) -> int | None:
    """Return the code with which Discord closes a connection that identifies with these intents; None: it doesn't."""
    if type(intents) is not int or intents < 0 or intents & ~Intent.KNOWN:
        return INVALID
    for intent, flags in _PRIVILEGED.items():
        if intents & intent and not application_flags & flags:
            return DISALLOWED
    return None
