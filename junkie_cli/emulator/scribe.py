"""Writes a channel's history: who speaks, when, and in bursts as people do."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from junkie_cli import snowflake
from junkie_cli.emulator import chatter
from junkie_cli.emulator.entities import Channel, Guild, Message, User
from junkie_cli.emulator.world import World

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: people, and the applications and webhooks that post."""

    guild: Guild
    people: Sequence[User]
    application: User
    webhook: User


def moments(rng: random.Random, start_ms: int, end_ms: int, count: int) -> list[int]:
    """Return so many times that rise from start to end, in bursts: most gaps are short, some are very long."""
    gaps = [rng.expovariate(20.0 if rng.random() < 0.85 else 0.16) for _ in range(count)]
    scale = max(end_ms - start_ms - count, 1) / (sum(gaps) or 1.0)
    found, at = [], float(start_ms)
    for gap in gaps:
        at += gap * scale + 1.0
        found.append(int(at))
    return found


class Scribe:
    """Writes into one channel, one message at each of the given times, then a few seconds apart."""

    def __init__(self, world: World, cast: Cast, channel: Channel, times: Sequence[int], subject: str) -> None:
        self.world = world
        self.rng = world.random
        self.cast = cast
        self.channel = channel
        self.subject = subject
        self.left = len(times)
        self._times: Iterator[int] = iter(times)
        self._now = times[0] if times else snowflake.to_ms(channel.id)

    @property
    def now_ms(self) -> int:
        """When the last message was written, in ms since 1970."""
        return self._now

    def say(
        self, content: str | None = None, fields: dict[str, Any] | None = None, *, author: User | None = None
    ) -> Message:
        """Write one message; without content, something about the subject."""
        self._now = next(self._times, self._now + self.rng.randint(900, 9000))
        self.left -= 1
        text = chatter.line(self.rng, self.subject) if content is None else content
        message = Message(self.world.id_at(self._now), author or self.someone(), text, fields)
        self.world.append(self.channel, message)
        return message

    def someone(self) -> User:
        """Return one of the people."""
        return self.rng.choice(self.cast.people)

    def earlier(self) -> Message:
        """Return a message that was written lately; if there is none, write it."""
        recent = self.channel.messages[-12:]
        return self.rng.choice(recent) if recent else self.say()

    def new_id(self) -> int:
        """Return an id of now for something that is no message: a file, an interaction."""
        return self.world.id_at(self._now)
