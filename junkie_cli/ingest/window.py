"""The stretch of a channel that a prompt shows, and what the archive lacks of it. Pure.

Invariant: Discord is worth asking only for what coverage lacks within the window, or because the archive is older than the
user allows and nobody keeps it fresh.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple

from junkie_cli import snowflake
from junkie_cli.coverage import Range
from junkie_cli.db.history import Key, Place
from junkie_cli.models import Message


class Window(NamedTuple):
    """The stretch of a channel that a prompt shows: the newest `most` messages (None: all) not below the id `floor`.

    It ends below the message that is answered, `message_id`, if there is one, else below the id `before`, else at the
    channel's newest message. With `answers_newest` the newest message of it is the one that is answered, beside `most`.
    """

    channel_id: int
    most: int | None
    floor: int = 0
    before: int | None = None
    message_id: int | None = None
    answers_newest: bool = False

    @property
    def lo(self) -> int:
        """The lowest wanted id."""
        return max(self.floor, self.channel_id)

    @property
    def hi(self) -> int:
        """The id below which it ends."""
        if self.message_id is not None:
            return self.message_id
        return snowflake.MAX if self.before is None else self.before

    @property
    def wanted(self) -> int | None:
        """How many messages lie in it at most, the answered one too if that is the newest."""
        return None if self.most is None else self.most + self.answers_newest

    def gaps(self, place: Place, read: Sequence[Message]) -> tuple[Range, ...]:
        """Return what coverage lacks of it; `read` are the messages that the archive has of it, oldest first."""
        covered = place.state.covered
        lo = self.lo
        if self.wanted is not None and len(read) >= self.wanted:
            lo = read[0].message_id if read else self.hi
        elif self.answers_newest and read:
            # The answered message may be older than all that is wanted of the history.
            lo = min(lo, read[0].message_id)
        if self.message_id is not None:
            return covered.gaps(lo, self.message_id)
        last_id = place.channel.last_message_id if place.channel else None
        ends = [0 if last_id is None else last_id + 1, *(found.hi for found in covered)]
        ends += [message.message_id + 1 for message in read[-1:]]
        return covered.gaps(lo, min(max(ends), self.hi))


class Lack(NamedTuple):
    """What the archive lacks for a prompt. True if Discord should be asked.

    `window` says that the stretch itself is unknown, has gaps or is too old; `singles` are messages that the prompt needs
    by themselves, `beside` those that are worth a request only where Discord is asked anyway.
    """

    window: bool = False
    singles: frozenset[Key] = frozenset()
    beside: frozenset[Key] = frozenset()

    def __bool__(self) -> bool:
        return self.window or bool(self.singles)


def is_stale(window: Window, place: Place, max_age: timedelta) -> bool:
    """Say whether newer messages may belong into the window that the archive knows nothing of."""
    checked = place.state.checked_at
    if window.message_id is not None:
        return False
    if checked is None:
        return True
    if window.before is not None and window.before <= snowflake.from_datetime(checked):
        return False
    return not place.served and place.at - checked >= max_age


def assess(
    window: Window,
    place: Place,
    read: Sequence[Message],
    *,
    max_age: timedelta,
    current_missing: bool = False,
    singles: Collection[Key] = (),
    beside: Collection[Key] = (),
) -> Lack:
    """Return what the archive lacks of a window of which it has the messages `read`, oldest first.

    `current_missing` says that nothing is known of the message that is answered.
    """
    state = place.state
    recent = state.last_updated is not None and place.at - state.last_updated < max_age
    if recent and (state.unreadable is not None or state.gone_at is not None):
        # It was asked for just now, and in vain.
        return Lack()
    lacking = (
        current_missing or place.channel is None or is_stale(window, place, max_age) or bool(window.gaps(place, read))
    )
    return Lack(lacking, frozenset(singles), frozenset(beside))
