from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from junkie_cli.client.session import DiscordClient, open_client
from junkie_cli.client.transport import Patience
from junkie_cli.config import Settings
from junkie_cli.emulator.control import Control
from junkie_cli.emulator.gateway import GatewayRules
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import running
from tests.integration.client.jumping import Jumping


@dataclass
class Scene:
    """An emulator and a client that is logged in to it; the client's sleeps take no time."""

    discord: DiscordClient
    control: Control
    time: Jumping
    settings: Settings

    @property
    def channel(self) -> int:
        """A text channel with more than a page of messages."""
        return self.control.named("general")


Scenes = Callable[..., AbstractAsyncContextManager[Scene]]


@pytest.fixture
def scenes(make_settings: Callable[..., Settings]) -> Scenes:
    @asynccontextmanager
    async def make(
        *,
        limits: Limits | None = None,
        hang: float = 0.5,
        world: str = "tiny",
        gateway: GatewayRules | None = None,
        **how: Any,
    ) -> AsyncIterator[Scene]:
        jumping = Jumping()
        rules = gateway or GatewayRules()
        async with running(generate(1, world), limits=limits or Limits.off(), gateway=rules) as emulator:
            settings = make_settings(DISCORD_TOKEN=emulator.token, DISCORD_API_URL=emulator.api_url)
            usual: dict[str, Any] = {"clock": jumping.clock, "sleep": jumping.sleep, "patience": Patience(timeout=hang)}
            async with open_client(settings, **(usual | how)) as discord:
                emulator.control.reset_counts()
                yield Scene(discord, emulator.control, jumping, settings)

    return make
