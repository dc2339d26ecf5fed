"""What must hold of an archive whenever nobody works on it, held against what the emulator knows to be true."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from junkie_cli.db.database import Database
from junkie_cli.db.reader import ChannelState, Reader
from junkie_cli.emulator.entities import Channel
from tests.acceptance.torture.hands import Hands, Place
from tests.truth import archived, differences

_TOMBSTONES = "SELECT channel_id, message_id, cause FROM junkie.tombstones"
_BOTH = """
SELECT t.channel_id, t.message_id, t.cause FROM junkie.tombstones AS t
JOIN junkie.messages AS m ON m.channel_id = t.channel_id AND m.message_id = t.message_id
"""
_TEXTS = """
SELECT m.channel_id, m.message_id, m.content || coalesce(m.extra::text, '') FROM junkie.messages AS m
UNION ALL
SELECT r.channel_id, r.message_id, r.content || coalesce(r.extra::text, '') FROM junkie.revisions AS r
"""
_ALIVE = """
SELECT count(*) FROM junkie.workers AS w
WHERE w.heartbeat_at > now() - interval '15 seconds'
    AND EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.pid = w.backend_pid AND a.datname = current_database())
"""


class Look:
    """One look at an archive; what is wrong gathers in `wrong`."""

    def __init__(
        self, database: Database, hands: Hands, told_deleted: set[Place], *, purges: bool, serves: bool
    ) -> None:
        """`purges`: what was deleted is dropped; `serves`: a serve is running, and nothing else.

        `told_deleted` are the deletions that earlier looks found to be told of; this one adds its own.
        """
        self.wrong: list[str] = []
        self._database = database
        self._hands = hands
        self._told_deleted = told_deleted
        self._purges = purges
        self._serves = serves

    async def claims(self) -> None:
        """See that nothing is claimed that does not hold, and that who is alive, and nobody else, counts as alive."""
        control, database = self._hands.control, self._database
        channels = [channel for channel in control.world.channels.values() if channel.guild and channel.holds_messages]
        states = await Reader(database).channel_states([channel.id for channel in channels])
        tombstones = {(row[0], row[1]): row[2] for row in await database.fetch(_TOMBSTONES)}
        dropped = self._dropped(tombstones)
        for channel in channels:
            truth = control.truth(channel.id)
            true = {int(payload["id"]) for payload in truth}
            self._say(
                f"{channel.id}/{message_id} exists, and is marked as deleted ({tombstones[channel.id, message_id]})"
                for message_id in sorted(true)
                if (channel.id, message_id) in tombstones
            )
            rows = await archived(database, channel.id)
            state = states[channel.id]
            self._bounds_hold(channel, state)
            # Who stopped listening between a message and an older one that shows up after it learns of that in the next run.
            late: set[int] = set() if self._serves else self._hands.late
            lacking = [i for i in sorted(true - rows.keys() - late) if i in state.covered]
            self._say(f"{channel.id}/{message_id} is covered, and missing" for message_id in lacking)
            if state.held != len(rows):
                self.wrong.append(f"channel {channel.id} is said to hold {state.held} messages, and holds {len(rows)}")
            covered = {message_id: row for message_id, row in rows.items() if message_id in state.covered}
            shown = [payload for payload in truth if int(payload["id"]) in covered]
            for stale in differences(covered, shown, channel.id, names=False, dropped=dropped):
                self._see_unwatched(state, stale)
        await self._tombstones_hold(tombstones)
        # The server may not have noticed yet that somebody's connection ended with its process.
        for _ in range(100):
            (alive,) = (await database.fetch(_ALIVE))[0]
            if alive == self._serves:
                break
            await asyncio.sleep(0.05)
        if alive != self._serves:
            self.wrong.append(f"{alive} commands count as alive, {int(self._serves)} are")

    async def truth(self, *, recorded: bool = False) -> None:
        """See that all that the bot may read is archived, and as it is.

        `recorded`: or, where the serve that runs was not told of a change, on record as perhaps out of date.
        """
        control = self._hands.control
        readable = control.readable()
        states = await Reader(self._database).channel_states(readable)
        dropped = self._dropped({(row[0], row[1]): row[2] for row in await self._database.fetch(_TOMBSTONES)})
        for channel_id in readable:
            truth = control.truth(channel_id)
            if not truth:
                # An empty page is no proof of deletions.
                continue
            rows = await archived(self._database, channel_id)
            for stale in differences(rows, truth, channel_id, names=False, dropped=dropped):
                message_id = int(stale.partition(" ")[0].rstrip(":").partition("/")[2])
                if recorded and message_id in rows and not self._hands.was_told((channel_id, message_id)):
                    self._see_unwatched(states[channel_id], stale)
                else:
                    self._say([stale])
            if not states[channel_id].covered.covers(channel_id, int(truth[-1]["id"]) + 1):
                self.wrong.append(f"channel {channel_id} is not covered whole: {states[channel_id].covered}")

    def _dropped(self, tombstones: Mapping[tuple[int, int], str]) -> set[int]:
        """Return the messages whose content is dropped, and with it what others repeat of them."""
        return {message_id for (_, message_id), cause in tombstones.items() if self._purges or cause == "forget"}

    def _say(self, wrong: Iterable[str]) -> None:
        self.wrong += list(wrong)[:3]

    def _see_unwatched(self, state: ChannelState, stale: str) -> None:
        """A row that is out of date must lie in what is on record as unwatched since before it changed."""
        place = stale.partition(" ")[0].rstrip(":")
        channel_id, message_id = map(int, place.split("/"))
        if (channel_id, message_id) in self._hands.untold:
            return
        changed = self._hands.changed.get((channel_id, message_id))
        if changed is None:
            self.wrong.append(f"{stale}; nobody changed it")
            return
        at = datetime.fromtimestamp(changed, UTC)
        since = state.unwatched_since
        if since is None and not self._serves:
            # Nobody watches now, and nobody looked later than this.
            since = state.checked_at
        if since is None or since > at:
            self.wrong.append(f"{stale}; changed at {at}, and unwatched only since {since}")

    def _bounds_hold(self, channel: Channel, state: ChannelState) -> None:
        """Coverage begins with the channel itself at the earliest, and never ends above the newest id there ever was."""
        covered, top = state.covered, state.covered.top
        if state.is_fully_backfilled != (top is not None and covered.covers(channel.id, top.hi)):
            self.wrong.append(f"channel {channel.id}: complete is {state.is_fully_backfilled}, covered {covered}")
        if top is None:
            return
        last_id = channel.last_message_id or 0
        if covered.ranges[0].lo < channel.id or top.hi > last_id + 1:
            self.wrong.append(f"channel {channel.id} is covered as {covered}, and holds {channel.id} to {last_id}")

    async def _tombstones_hold(self, tombstones: dict[tuple[int, int], Any]) -> None:
        told = {place for place, cause in tombstones.items() if cause == "event"}
        self._say(f"{a}/{b} was marked as deleted by an event, and is no more" for a, b in self._told_deleted - told)
        self._told_deleted |= told
        for channel_id, message_id, cause in await self._database.fetch(_BOTH):
            if self._purges or cause == "forget":
                self.wrong.append(f"{channel_id}/{message_id} is marked as deleted ({cause}), and its row is there")
        if not self._purges:
            return
        dropped = {mark: i for _, i in tombstones for mark in self._hands.marks.get(i, ())}
        for channel_id, message_id, text in await self._database.fetch(_TEXTS):
            self._say(
                f"{channel_id}/{message_id} repeats {mark} of {dropped[mark]}, which was deleted"
                for mark in dropped
                if mark in text
            )
