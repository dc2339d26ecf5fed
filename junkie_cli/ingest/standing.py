"""Where a channel stands in the archive, and what it lacks of what is wanted. Pure.

Invariant: a gap is never rounded away. `gaps` is exactly what coverage lacks of the wanted ids, and a channel is complete,
or has what is wanted, only if there is none.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from junkie_cli.coverage import Range
from junkie_cli.db.reader import ChannelState
from junkie_cli.db.status import Record
from junkie_cli.ingest.estimate import NOTHING, Left, progress_of, requests_left
from junkie_cli.ingest.steps import Goal
from junkie_cli.models import Channel


class State(StrEnum):
    """How a channel stands, in one word."""

    COMPLETE = "complete"
    """Everything from its creation to its last message is covered, or it never had a message."""

    TARGET_MET = "target_met"
    """What is wanted of it is covered, and that is not everything."""

    PARTIAL = "partial"
    NEVER_FETCHED = "never_fetched"
    """It has messages, and nothing of it is covered."""

    UNREADABLE = "unreadable"
    GONE = "gone"

    @property
    def lacks(self) -> bool:
        """True if a run can and should fetch something there."""
        return self in {State.PARTIAL, State.NEVER_FETCHED}


class Wanted(NamedTuple):
    """What is wanted of each channel: nothing below the id `since`, and the newest `target` messages (None: all)."""

    target: int | None = None
    since: int | None = None

    def goal(self, channel_id: int) -> Goal:
        """Return the goal for a channel."""
        return Goal(floor=max(channel_id, self.since or 0), target=self.target)


class Standing(NamedTuple):
    """Where a channel stands.

    `last_id` is the newest id known of it, None if it never had a message; `floor` the lowest wanted id; `gaps` what
    coverage lacks of `[floor, last_id]`; `left` the requests that closing them takes, none where they can't be closed.
    """

    state: State
    floor: int
    last_id: int | None
    gaps: tuple[Range, ...] = ()
    left: Left = NOTHING


def last_id_of(channel: Channel, state: ChannelState, newest: int | None = None) -> int | None:
    """Return the newest id known of a channel, by Discord's word, by coverage or by the newest row; None: there is none."""
    top = state.covered.top
    return max(channel.last_message_id or 0, 0 if top is None else top.hi - 1, newest or 0) or None


def to_count(record: Record, wanted: Wanted) -> Range | None:
    """Return the range whose messages decide whether the target is met; None where that is known without counting."""
    channel_id, covered, top = record.channel.channel_id, record.state.covered, record.state.covered.top
    last_id = last_id_of(record.channel, record.state, record.newest)
    if wanted.target is None or top is None or last_id is None or top.hi <= last_id:
        return None
    if record.state.held < wanted.target or covered.covers(wanted.goal(channel_id).floor, last_id + 1):
        return None
    return top


def stand(record: Record, wanted: Wanted, counts: Mapping[int, int]) -> Standing:
    """Return where a channel stands; `counts` has the messages of its range of `to_count`, if there is one."""
    channel, state = record.channel, record.state
    covered, goal = state.covered, wanted.goal(channel.channel_id)
    last_id = last_id_of(channel, state, record.newest)
    floor = goal.floor
    gaps = () if last_id is None else covered.gaps(floor, last_id + 1)
    current = counts.get(channel.channel_id)
    if gaps and wanted.target is not None and current is not None and current >= wanted.target:
        top = covered.top
        assert top is not None
        floor, gaps = max(floor, top.lo), ()
    left = NOTHING
    if state.gone_at is not None:
        word = State.GONE
    elif state.unreadable is not None:
        word = State.UNREADABLE
    elif gaps:
        word = State.PARTIAL if covered else State.NEVER_FETCHED
        left = requests_left(progress_of(goal, last_id, covered, held=state.held, current=current))
    elif last_id is None or covered.covers(channel.channel_id, last_id + 1):
        word = State.COMPLETE
    else:
        word = State.TARGET_MET
    return Standing(word, floor, last_id, gaps, left)
