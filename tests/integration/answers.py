"""An archive with known rows, and `junkie context` on it, in one process."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from junkie_cli import snowflake
from junkie_cli.cli.answering import run
from junkie_cli.cli.context import ContextOptions
from junkie_cli.config import Settings
from junkie_cli.coverage import Coverage
from junkie_cli.db.database import Database
from junkie_cli.db.places import Places
from junkie_cli.db.reconcile import Incoming, Key
from junkie_cli.db.writer import Batch, Deletion, Writer
from junkie_cli.errors import JunkieError
from junkie_cli.models import Channel, Guild, Message, Role, User
from junkie_cli.prompt.timestamps import find_zone
from tests.unit.prompt.samples import CHANNEL, NOW, message, message_id

GUILD = 77


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command wrote and how it ended; an error is told as its class and message."""

    code: int
    stdout: str
    stderr: str
    error: str = ""


@dataclass(slots=True)
class Archive:
    """One database, and how to ask for prompts of it."""

    database: Database
    settings: Callable[..., Settings]
    capsys: pytest.CaptureFixture[bytes]
    now: datetime = NOW

    async def channel(self, channel_id: int = CHANNEL, name: str = "general", **fields: Any) -> int:
        """Make a channel of the guild known."""
        last = fields.pop("last_message_id", None)
        kind = fields.pop("type", 0)
        channel = Channel(channel_id, fields.pop("guild_id", GUILD), fields.pop("parent_id", None), kind, name, last)
        assert not fields
        guilds = [Guild(GUILD, "My Server")] if channel.guild_id == GUILD else []
        holding = {channel_id: None} if channel.holds_messages else {}
        await Places(self.database).store(guilds, [Role(GUILD, 3, "Mods")], [channel], holding)
        return channel_id

    async def store(
        self,
        messages: Iterable[Message],
        *,
        covered: tuple[int, int] | None = None,
        users: Iterable[User] = (),
        seen: int = 1,
        keep_revisions: bool = False,
    ) -> None:
        """Store messages of one channel, with a claim."""
        messages = list(messages)
        claims = {messages[0].channel_id if messages else CHANNEL: Coverage.of([covered])} if covered else {}
        incoming = [Incoming(each, seen) for each in messages]
        writer = Writer(self.database, keep_revisions=keep_revisions)
        await writer.write(Batch(messages=incoming, claims=claims, users=list(users), asked_at=self.now))

    async def whole(self, messages: Iterable[Message], **how: Any) -> list[Message]:
        """Store messages as all that the channel has now."""
        messages = list(messages)
        channel_id = messages[0].channel_id
        await self.store(messages, covered=(channel_id, messages[-1].message_id + 1), **how)
        await self.execute("UPDATE junkie.channel_status SET checked_at = now() WHERE channel_id = %s", channel_id)
        return messages

    async def delete(self, *ids: int, channel_id: int = CHANNEL, purge: bool = True) -> None:
        """Delete messages as an event would."""
        writer = Writer(self.database, on_delete="purge" if purge else "keep")
        await writer.write(Batch(deletions=[Deletion(Key(channel_id, each), 9, "event") for each in ids]))

    async def execute(self, statement: Any, *parameters: Any) -> None:
        """Do to the database what nobody else should."""
        async with self.database.connection() as connection:
            await connection.execute(statement, parameters)

    async def context(
        self, channel: int | str = CHANNEL, *, environ: dict[str, str] | None = None, **options: Any
    ) -> Answer:
        """Run the command and return its answer."""
        self.capsys.readouterr()
        settings = self.settings(**(environ or {}))
        zone = find_zone(options.pop("timezone", "Asia/Kolkata"))
        code, error = 0, ""
        try:
            code = await run(settings, ContextOptions(channel=str(channel), zone=zone, **options), now=lambda: self.now)
        except JunkieError as refused:
            code, error = refused.exit_code, f"{type(refused).__name__}: {refused.message}; {refused.hint}"
        out, err = self.capsys.readouterr()
        return Answer(code, out.decode(), err.decode(), error)


def talk(count: int, *, start: timedelta = timedelta(hours=2), channel_id: int = CHANNEL) -> list[Message]:
    """So many messages, a minute apart, the first one that long ago."""
    people = (("Alice", 111), ("Bob", 222))
    return [
        replace(
            message(*people[n % 2], f"line {n}", age=start - n * timedelta(minutes=1)),
            channel_id=channel_id,
        )
        for n in range(count)
    ]


def bodies(answer: Answer) -> list[str]:
    """The texts of the history's lines, notes as they are."""
    history = answer.stdout.split("Conversation History:\n")[1].split("\n\n")[0]
    return [line.split("): ", 1)[-1] for line in history.split("\n") if line]


def current(answer: Answer) -> str:
    """The text of the current message."""
    return answer.stdout.rsplit(") says: ", 1)[1].split("\n\nIMPORTANT")[0]


def at(age: timedelta) -> int:
    """The lowest id of the moment that long ago."""
    return snowflake.from_datetime(NOW - age)


__all__ = ["CHANNEL", "GUILD", "NOW", "Answer", "Archive", "at", "bodies", "current", "message", "message_id", "talk"]
