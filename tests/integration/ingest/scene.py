"""An emulator, a database, and backfills between them, in one process."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from junkie_cli.client.session import DiscordClient, open_client
from junkie_cli.client.transport import Patience
from junkie_cli.config import Settings
from junkie_cli.db.database import Database
from junkie_cli.db.workers import Presence, present
from junkie_cli.emulator.control import Control
from junkie_cli.emulator.server import Emulator
from junkie_cli.ingest.backfill import BackfillOptions, backfill
from junkie_cli.ingest.events import ChannelEnded, Event, Summary
from junkie_cli.ingest.sync import SyncOptions, sync

E = TypeVar("E", bound=Event)

MakeSettings = Callable[..., Settings]

PATIENCE: Final = Patience(first=0.01, longest=0.05, timeout=20.0)
"""The emulator recovers at once, and so need we not wait long; but on a busy machine it may take its time to answer, and what
is asked for again is counted twice."""

HASTY: Final = replace(PATIENCE, timeout=0.5)
"""Where an answer never comes."""


@dataclass
class Scene:
    """One emulated Discord and one archive."""

    emulator: Emulator
    database: Database
    make_settings: MakeSettings
    events: list[Event] = field(default_factory=list)
    patience: Patience = PATIENCE

    @property
    def control(self) -> Control:
        return self.emulator.control

    @asynccontextmanager
    async def opened(self, command: str) -> AsyncIterator[tuple[DiscordClient, Presence]]:
        """A client of its own, and a place among the workers."""
        settings = self.make_settings(DISCORD_TOKEN=self.emulator.token, DISCORD_API_URL=self.emulator.api_url)
        async with (
            open_client(settings, rate=lambda: math.inf, patience=self.patience) as discord,
            present(self.database, command, discord.me.user_id) as presence,
        ):
            yield discord, presence

    async def backfill(self, **options: Any) -> Summary:
        self.events.clear()
        async with self.opened("backfill") as (discord, presence):
            return await backfill(BackfillOptions(**options), discord, self.database, presence, self.events.append)

    async def sync(self, **options: Any) -> Summary:
        self.events.clear()
        async with self.opened("sync") as (discord, presence):
            done = await sync(SyncOptions(**options), discord, self.database, presence, self.events.append)
        assert isinstance(done, Summary)
        return done

    def truths(self) -> dict[int, list[Any]]:
        return {channel_id: self.control.truth(channel_id) for channel_id in self.control.readable()}

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def ended(self, channel_id: int) -> ChannelEnded:
        return next(end for end in self.of(ChannelEnded) if end.channel_id == channel_id)

    @property
    def first_channel(self) -> int:
        return min(self.control.readable())
