"""What a prompt is made of: everything that was read from the archive, at one moment, for one current message."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from junkie_cli import snowflake
from junkie_cli.coverage import Range
from junkie_cli.models import Message
from junkie_cli.prompt.mentions import Names
from junkie_cli.prompt.safety import Guard
from junkie_cli.prompt.timestamps import Clock
from junkie_cli.prompt.view import View

DM: Final = "DM"
"""What stands for the channel's and the guild's name in a direct message."""


class ReplyTarget(NamedTuple):
    """The message that the current one answers: found (`message` is set), deleted, or not archived."""

    message_id: int
    message: Message | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One stretch of a channel, and the message to respond to.

    `history` is ascending by id and ends strictly before `current`; a thread's starter, which stands in the parent
    channel, may be its first. `current_archived` is False for a text that was given by the user: it has no id to show.
    `gaps` are the half-open id ranges of the window that coverage lacks, `newer_gaps` those above the current message,
    where it was to be the newest. `omitted` counts messages of the window that
    were cut before. `known` holds messages outside the history that others refer to; `deleted` are ids with a tombstone.
    `guild_id` is None for a direct message; a name that is None is shown as `DM`.

    Raises ValueError if the history is out of order or not older than the current message.
    """

    channel_id: int
    channel_name: str | None
    guild_id: int | None
    guild_name: str | None
    current: Message
    history: Sequence[Message] = ()
    current_archived: bool = True
    reply: ReplyTarget | None = None
    gaps: Sequence[Range] = ()
    newer_gaps: Sequence[Range] = ()
    omitted: int = 0
    names: Names = field(default_factory=Names)
    known: Mapping[int, Message] = field(default_factory=dict)
    deleted: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        ids = [message.message_id for message in self.history]
        if any(before >= after for before, after in pairwise(ids)):
            raise ValueError("a conversation's history must be ascending by id, each message once")
        if ids and self.current_archived and ids[-1] >= self.current.message_id:
            raise ValueError("a conversation's history must end before its current message")

    def view(self, clock: Clock, guard: Guard) -> View:
        """Return what everything in this conversation is shown with."""
        deleted = self.deleted
        if self.reply and self.reply.deleted:
            deleted |= {self.reply.message_id}
        return View(clock, self.names, guard, self._all_known, deleted)

    def _all_known(self) -> Mapping[int, Message]:
        known = {**self.known, **{message.message_id: message for message in self.history}}
        if self.reply and self.reply.message:
            known[self.reply.message_id] = self.reply.message
        return known


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch `[lo, hi)` of ids that is not archived, before `history[index]`; `partly` if single messages of it are."""

    lo: int
    hi: int
    index: int
    partly: bool

    def times(self) -> tuple[int, int]:
        """Return when it begins and ends, in ms since 1970 UTC."""
        return snowflake.to_ms(self.lo), snowflake.to_ms(self.hi)
