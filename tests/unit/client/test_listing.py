"""What is asked of a guild takes one round trip."""

import asyncio
from typing import Any

from junkie_cli.client.discovery import Directory
from junkie_cli.models import Guild

ANSWERS: dict[str, Any] = {
    "/guilds/{guild_id}": {"id": "7", "name": "g", "owner_id": "5", "roles": [{"id": "7", "permissions": "0"}]},
    "/guilds/{guild_id}/members/{user_id}": {"user": {"id": "5"}, "roles": []},
    "/guilds/{guild_id}/channels": [{"id": "9", "type": 0, "name": "c", "permission_overwrites": []}],
}


async def test_a_guild_the_bot_s_rights_and_the_channels_are_asked_for_at_once() -> None:
    all_asked = asyncio.Barrier(len(ANSWERS))

    async def get(path: str, *, subject: str, params: dict[str, str] | None = None, **ids: int) -> Any:
        assert (subject, params, ids["guild_id"]) == ("guild 7 ('g')", None, 7)
        await all_asked.wait()
        return ANSWERS[path]

    async with asyncio.timeout(10):
        listing = await Directory(get, 5).listing(Guild(7, "g"))
    assert [found.channel.channel_id for found in listing.inventory.channels] == [9]
    assert listing.inventory.channels[0].access.readable
