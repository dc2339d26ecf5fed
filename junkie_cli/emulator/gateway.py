"""The gateway: who is connected, and what they hear.

Invariant: an event has reached the sessions when the verb that caused it returns, and goes to the wire in that order. So
what a test does before `disconnect` is on its way to the client, and what it does after is missed until a RESUME.
"""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from junkie_cli.emulator.connection import Connection
from junkie_cli.emulator.dispatch import Dispatch
from junkie_cli.emulator.entities import Guild
from junkie_cli.emulator.herald import Herald
from junkie_cli.emulator.pages import Press, dumps
from junkie_cli.emulator.sessions import Session, Shard
from junkie_cli.emulator.starts import SessionStarts
from junkie_cli.emulator.state import Event
from junkie_cli.emulator.world import World

Down = Literal["reset", "503", "hang"]


@dataclass(frozen=True, slots=True)
class GatewayRules:
    """How the gateway deals with its clients.

    `heartbeat_ms` is what HELLO asks for. A session without a connection lives `session_ttl` seconds, and can be resumed
    from `keep` events back; so many may also wait for a client that reads too slowly. One shard may have `max_guilds`.
    """

    heartbeat_ms: int = 41_250
    session_ttl: float = 180.0
    keep: int = 50_000
    max_guilds: int = 2500


@dataclass(slots=True)
class Sessions:
    """What happened at the gateway since the start.

    `refused` are handshakes while it was down, `dispatched` events of the world that went to a session; `connected` and
    `resumable` sessions are those of now. `closes` are the close codes that clients sent.
    """

    connections: int = 0
    refused: int = 0
    identifies: int = 0
    resumes: int = 0
    refused_resumes: int = 0
    heartbeats: int = 0
    dispatched: int = 0
    connected: int = 0
    resumable: int = 0
    closes: Counter[int] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """Return plain values; JSON makes text of the codes."""
        return {of.name: getattr(self, of.name) for of in fields(self)}


class Gateway:
    """The sessions of one bot. `clock` is monotonic, in seconds.

    `down` is how connections are refused, None while they are not.
    """

    def __init__(
        self,
        world: World,
        press: Press,
        token: str,
        rules: GatewayRules,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.world = world
        self.token = token
        self.rules = rules
        self.starts = SessionStarts(clock)
        self.down: Down | None = None
        self.answers_heartbeats = True
        self.closing = asyncio.Event()
        self.herald = Herald(world, press)
        self._counts = Sessions()
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._connections: set[Connection] = set()
        self._held: list[Dispatch] | None = None
        self._dropping = False
        self._unavailable: set[int] = set()
        self._changed = asyncio.Event()
        world.listeners.append(self._hear)

    def close(self) -> None:
        """Cut everybody off."""
        self.world.listeners.remove(self._hear)
        self.closing.set()
        for connection in tuple(self._connections):
            connection.abort()

    # events

    def _hear(self, event: Event) -> None:
        if self._dropping:
            return
        sessions = self._alive()
        for dispatch in self.herald.tell(event, blank=any(not session.sees_content for session in sessions)):
            self.send(dispatch)

    def send(self, dispatch: Dispatch) -> None:
        """Tell the sessions whom an event concerns, unless its guild has an outage."""
        if dispatch.guild_id in self._unavailable:
            return
        if self._held is not None:
            self._held.append(dispatch)
        else:
            self._deliver(dispatch)

    def _deliver(self, dispatch: Dispatch) -> None:
        for session in self._alive():
            self._counts.dispatched += session.hear(dispatch)

    def send_raw(self, name: str, data: Any, *, guild_id: int | None = None) -> None:
        """Dispatch anything under any name: to the guild's shard, or to the one of direct messages."""
        self.send(Dispatch(name, dumps(data), guild_id, intents=0))

    def pause_events(self, *, drop: bool = False) -> None:
        """Hold every event back from now on; with `drop`, lose it for ever."""
        if drop:
            self._dropping = True
        elif self._held is None:
            self._held = []

    def resume_events(self) -> None:
        """Send what was held back, and go on."""
        held, self._held, self._dropping = self._held, None, False
        for dispatch in held or ():
            self._deliver(dispatch)

    def unavailable(self, guild_id: int) -> None:
        """Let a guild have an outage: it is said to be unavailable, and nothing more is told of it. REST goes on."""
        gone = {"id": str(self.world.guild(guild_id).id), "unavailable": True}
        self.send(Dispatch("GUILD_DELETE", dumps(gone), guild_id))
        self._unavailable.add(guild_id)

    def available(self, guild_id: int) -> None:
        """End a guild's outage: it is told whole, or that the bot was thrown out meanwhile."""
        guild = self.world.guild(guild_id)
        self._unavailable.discard(guild_id)
        if self.world.bot.id in guild.members:
            self.send(self.herald.guild(guild, joined=False))
        else:
            self.send(Dispatch("GUILD_DELETE", dumps({"id": str(guild_id)}), guild_id))

    # sessions

    def guilds_of(self, shard: Shard) -> list[Guild]:
        """Return the guilds that the bot is in and that shard hears of."""
        guilds = self.world.guilds.values()
        return [guild for guild in guilds if self.world.bot.id in guild.members and shard.has(guild.id)]

    def begin(self, connection: Connection, shard: Shard, intents: int, ready: dict[str, Any]) -> None:
        """Start a session: READY, then each guild that is available."""
        self._counts.identifies += 1
        name = f"{self.world.seed} session {self._counts.identifies}".encode()
        session_id = hashlib.md5(name, usedforsecurity=False).hexdigest()
        session = self._sessions[session_id] = Session(session_id, shard, intents, keep=self.rules.keep)
        self._attach(session, connection)
        session.tell("READY", dumps(ready | {"session_id": session_id}))
        for guild in self.guilds_of(shard):
            if guild.id not in self._unavailable:
                session.hear(self.herald.guild(guild, joined=False))

    def resume(self, connection: Connection, session_id: object, sequence: object) -> bool:
        """Let a session go on where it left off; False if it is gone, or was never there, or is too far behind."""
        session = next((session for session in self._alive() if session.id == session_id), None)
        missed = session.missed(sequence) if session is not None and type(sequence) is int else None
        if session is None or missed is None or not session.resumable:
            self._counts.refused_resumes += 1
            self.note()
            return False
        for other in [other for other in self._connections if other.session is session]:
            self.part(other)
            other.end(4000)
        self._counts.resumes += 1
        for payload in missed:
            connection.put(payload)
        self._attach(session, connection)
        session.tell("RESUMED", dumps({"_trace": ["emulator"]}))
        return True

    def came(self, connection: Connection) -> None:
        """Note a new connection."""
        self._counts.connections += 1
        self._connections.add(connection)
        self.note()

    def went(self, connection: Connection, code: int | None) -> None:
        """Note that a connection is no more, and the code with which its client closed it, if so.

        1000 and 1001 end the session; after any other end it can be resumed (docs, "Initiating a Disconnect").
        """
        self._connections.discard(connection)
        if code is not None:
            self._counts.closes[code] += 1
        self.part(connection, forget=code in {1000, 1001})

    def beat(self) -> bool:
        """Count a heartbeat, and tell whether it is answered."""
        self._counts.heartbeats += 1
        self.note()
        return self.answers_heartbeats

    def refuse(self) -> None:
        """Count a handshake that is refused."""
        self._counts.refused += 1
        self.note()

    def part(self, connection: Connection, *, forget: bool = False) -> None:
        """Take a connection's session from it, to be resumed by another, or to `forget`."""
        session, connection.session = connection.session, None
        if session is not None:
            session.listen(None)
            session.left_at = self._clock()
            if forget or not session.resumable:
                self._sessions.pop(session.id, None)
        self.note()

    def connected(self, shard: int | None = None) -> list[Connection]:
        """Return the connections that have a session, of that shard or of any."""
        having = [c for c in self._connections if c.session is not None]
        return [c for c in having if shard is None or (c.session is not None and c.session.shard.number == shard)]

    def forget_sessions(self) -> None:
        """Refuse to resume any session that there is now. Who is connected goes on hearing events."""
        for session in self._sessions.values():
            session.resumable = False
        self.note()

    def sessions(self) -> Sessions:
        """Return what happened so far."""
        alive = self._alive()
        self._counts.resumable = sum(session.resumable for session in alive)
        self._counts.connected = sum(session.left_at is None for session in alive)
        return self._counts

    async def until(self, met: Callable[[Sessions], bool]) -> None:
        """Wait for the counts to be as wished. Events alone wake nobody."""
        while not met(self.sessions()):
            self._changed.clear()
            await self._changed.wait()

    def note(self) -> None:
        """Wake whoever waits for a count."""
        self._changed.set()

    def _attach(self, session: Session, connection: Connection) -> None:
        connection.session, session.left_at = session, None
        session.listen(connection.put)
        self.note()

    def _alive(self) -> list[Session]:
        """Return the sessions, without those that were away for too long."""
        oldest = self._clock() - self.rules.session_ttl
        for session in [s for s in self._sessions.values() if s.left_at is not None and s.left_at < oldest]:
            del self._sessions[session.id]
        return list(self._sessions.values())
