"""An event on its way to sessions."""

from dataclasses import dataclass
from typing import Any

from junkie_cli.emulator.entities import Channel, Guild
from junkie_cli.emulator.intents import Intent
from junkie_cli.emulator.pages import dumps

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An event, encoded once for all sessions of its guild's shard that have one of the `intents` (0: for all of them).

    `guild_id` None is that of direct messages. `blank` is what sessions without the content intent get instead of `data`.
    """

    name: str
    data: bytes
    guild_id: int | None
    intents: int = Intent.GUILDS
    blank: bytes | None = None


def of_guild(guild: Guild, name: str, data: Json, intents: int = Intent.GUILDS) -> Dispatch:
    """Return an event of a guild."""
    return Dispatch(name, dumps(data), guild.id, intents)


def place(channel: Channel) -> Json:
    """Return where something happened, as every event about messages says it."""
    found = {"channel_id": str(channel.id)}
    return found if channel.guild is None else found | {"guild_id": str(channel.guild.id)}
