"""The unmodified discord.py, and a record of all that it hears."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import discord
import pytest
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from junkie_cli.emulator.server import Emulator

Json = dict[str, Any]

INTENTS = discord.Intents(guilds=True, guild_messages=True, message_content=True)


class Ear:
    """What a client hears: raw payloads, and what discord.py makes of them."""

    def __init__(self) -> None:
        self.payloads: list[Json] = []
        self.made: list[tuple[str, Any]] = []
        self._heard = asyncio.Event()

    def hear(self, payload: Json) -> None:
        self.payloads.append(payload)
        self._heard.set()

    def make(self, name: str, value: Any = None) -> None:
        self.made.append((name, value))
        self._heard.set()

    def events(self, *names: str) -> list[Json]:
        return [p for p in self.payloads if p["op"] == 0 and (not names or p["t"] in names)]

    def of(self, name: str) -> list[Any]:
        return [value for made, value in self.made if made == name]

    async def until(self, met: Callable[["Ear"], object]) -> None:
        while not met(self):
            self._heard.clear()
            await self._heard.wait()

    async def taken_up(self, *, times: int, messages: int) -> None:
        """Wait for a session to have been resumed so often, and so many messages heard."""
        await self.until(lambda ear: len(ear.of("resumed")) >= times and len(ear.of("message")) >= messages)


class _Listening:
    ear: Ear

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """discord.py waits five seconds here, with which no test has to do."""

    async def on_socket_raw_receive(self, text: str) -> None:
        self.ear.hear(json.loads(text))

    async def on_ready(self) -> None:
        self.ear.make("ready")

    async def on_resumed(self) -> None:
        self.ear.make("resumed")

    async def on_message(self, message: discord.Message) -> None:
        self.ear.make("message", message)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        self.ear.make("edit", event)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        self.ear.make("delete", event)

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        self.ear.make("bulk_delete", event)


class Listener(_Listening, discord.Client):
    pass


class ShardedListener(_Listening, discord.AutoShardedClient):
    pass


def point_at(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let discord.py talk to this emulator."""
    monkeypatch.setattr(Route, "BASE", emulator.api_url)
    monkeypatch.setattr(DiscordWebSocket, "DEFAULT_GATEWAY", yarl.URL(f"ws://127.0.0.1:{emulator.port}"))


def listener(kind: type[discord.Client] = Listener, **more: Any) -> Any:
    """Make a client as one that archives would."""
    options: dict[str, Any] = {
        "intents": INTENTS,
        "enable_debug_events": True,
        "guild_ready_timeout": 0.01,
        "chunk_guilds_at_startup": False,
        "max_messages": None,
        "member_cache_flags": discord.MemberCacheFlags.none(),
    }
    client: Any = kind(**options | more)
    client.ear = Ear()
    return client


@asynccontextmanager
async def listening(emulator: Emulator, client: Any) -> AsyncIterator[Ear]:
    """Run a client, from its being ready to its end."""
    async with client, asyncio.TaskGroup() as tasks:
        tasks.create_task(client.start(emulator.token))
        await client.ear.until(lambda ear: ear.of("ready"))
        yield client.ear
        await client.close()
