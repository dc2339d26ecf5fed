"""A bot's sessions at the gateway: what each has been told, so that it can be told again.

Invariant: every event of a session has a sequence number, from 1 on without a hole, and the newest `keep` of them are at
hand encoded. They go to whoever listens at once; a RESUME hears them again from where it left off, or is refused.
"""

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final, NamedTuple

from junkie_cli.emulator.dispatch import Dispatch
from junkie_cli.emulator.intents import Intent

RESUMABLE: Final = frozenset({4000, 4002, 4008})
"""The codes with which Discord closes and yet lets a client resume (docs, "Gateway Close Event Codes")."""


class Shard(NamedTuple):
    """Which guilds a session hears of: number `number` of `total` (docs, "Sharding")."""

    number: int
    total: int

    def has(self, guild_id: int | None) -> bool:
        """Tell whether a guild's events, or with None direct messages, go to this shard."""
        return self.number == (0 if guild_id is None else (guild_id >> 22) % self.total)


class Session:
    """One session. `left_at` is when its connection ended, in the gateway's seconds; None while it has one.

    Not `resumable`, it goes on as long as its connection.
    """

    def __init__(self, session_id: str, shard: Shard, intents: int, *, keep: int) -> None:
        self.id = session_id
        self.shard = shard
        self.intents = intents
        self.sequence = 0
        self.left_at: float | None = None
        self.resumable = True
        self._log: deque[bytes] = deque(maxlen=keep)
        self._listener: Callable[[bytes], None] | None = None

    def listen(self, listener: Callable[[bytes], None] | None) -> None:
        """Hand every event from now on to the listener; None: to nobody."""
        self._listener = listener

    @property
    def sees_content(self) -> bool:
        """True if it asked for the MESSAGE_CONTENT intent."""
        return bool(self.intents & Intent.MESSAGE_CONTENT)

    def hear(self, dispatch: Dispatch) -> bool:
        """Take in an event, if it goes to this shard and was asked for."""
        if not self.shard.has(dispatch.guild_id) or (dispatch.intents and not dispatch.intents & self.intents):
            return False
        self.tell(dispatch.name, dispatch.data if self.sees_content or dispatch.blank is None else dispatch.blank)
        return True

    def tell(self, name: str, data: bytes) -> None:
        """Give an event its number, keep it and hand it on. `data` is JSON."""
        self.sequence += 1
        payload = b'{"t":"%b","s":%d,"op":0,"d":%b}' % (name.encode(), self.sequence, data)
        self._log.append(payload)
        if self._listener is not None:
            self._listener(payload)

    def missed(self, sequence: int) -> list[bytes] | None:
        """Return the events after that number; None if not all are at hand any more, or it was never reached."""
        lost = self.sequence - sequence
        if sequence < 0 or not 0 <= lost <= len(self._log):
            return None
        return list(islice(self._log, len(self._log) - lost, None))
