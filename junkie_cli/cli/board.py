"""What bars show of a run: the state that its events add up to. Pure; whoever asks tells the time (monotonic, in seconds)."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from junkie_cli.ingest.estimate import GLOBAL_RATE, WINDOW_REQUESTS, WINDOW_SECONDS, Estimate, Left, Share, estimate
from junkie_cli.ingest.events import (
    ChannelBegan,
    ChannelEnded,
    ChannelEvent,
    ChannelsFound,
    DiscoveryBegan,
    Event,
    PageStored,
    Waiting,
)

RATE_WINDOW: Final = 10.0
"""Seconds over which a rate is taken: two of Discord's windows, so that it doesn't dance with them."""

_ESTIMATE_EVERY: Final = 1.0
_IDLE: Final = 10.0
_BUSY: Final = 3.0


class Meter:
    """How many of something came per second, over the last RATE_WINDOW seconds."""

    def __init__(self, now: float) -> None:
        self._began = now
        self._recent: deque[tuple[float, int]] = deque()

    def add(self, now: float, number: int) -> None:
        """Note that many."""
        self._recent.append((now, number))

    def rate(self, now: float) -> float:
        """Return the rate; in the first second it is what came so far."""
        while self._recent and self._recent[0][0] <= now - RATE_WINDOW:
            self._recent.popleft()
        passed = min(max(now - self._began, 1.0), RATE_WINDOW)
        return sum(number for _, number in self._recent) / passed


@dataclass(slots=True, eq=False)
class Row:
    """A channel in work. `waits_until` is when its rate limit lets it go on."""

    channel_id: int
    name: str
    held: int
    left: Left
    began: float
    active: float
    meter: Meter
    requests: int = 0
    waits_until: float = 0.0
    waited: bool = False
    pace: float | None = None

    @property
    def fraction(self) -> float:
        """How much of its requests is done, from 0 to 1; 0 where nobody can say."""
        if self.left.high is None:
            return 0.0
        ahead = (self.left.low + self.left.high) / 2
        return self.requests / (self.requests + ahead) if self.requests else 0.0

    def waits(self, now: float) -> bool:
        """Say whether it waits for its rate limit."""
        return now < self.waits_until


@dataclass(slots=True)
class Board:
    """The state of a run. `looking_at` is the guild whose channels are being listed, None when that is over."""

    began: float
    looking_at: str | None = ""
    channels: int = 0
    ended: int = 0
    fetched: int = 0
    requests: int = 0
    rows: dict[int, Row] = field(default_factory=dict)
    meter: Meter = field(init=False)
    asked: Meter = field(init=False)
    _queued: int = 0
    _quiet_since: float = 0.0
    _shown: list[int] = field(default_factory=list)
    _estimated: tuple[float, Estimate] | None = None

    def __post_init__(self) -> None:
        self.meter = Meter(self.began)
        self.asked = Meter(self.began)

    def note(self, event: Event, now: float) -> None:
        """Take an event into account."""
        match event:
            case DiscoveryBegan(guild):
                self.looking_at = guild or ""
            case ChannelsFound():
                first = not self.channels
                self.looking_at = None
                self.channels = event.channels + event.unreadable
                self._queued += event.requests
                if first:
                    self.meter, self.asked = Meter(now), Meter(now)
                    self._quiet_since = now
            case ChannelBegan():
                self._queued = max(self._queued - event.left.low, 0)
                self.rows[event.channel_id] = Row(
                    event.channel_id, event.name, event.held, event.left, now, now, Meter(now)
                )
            case ChannelEnded():
                self.ended += 1
                self.rows.pop(event.channel_id, None)
            case ChannelEvent() if (row := self.rows.get(event.channel_id)) is not None:
                row.active = now
                self._note_row(row, event, now)

    def _note_row(self, row: Row, event: ChannelEvent, now: float) -> None:
        match event:
            case PageStored():
                self.fetched += event.fetched
                made = max(event.requests - row.requests, 0)
                self.requests += made
                self.asked.add(now, made)
                self.meter.add(now, event.fetched)
                row.meter.add(now, event.fetched)
                row.held, row.requests, row.left = event.held, event.requests, event.left
                # A channel that never had to wait is held up by what all share: its own limit allows the usual pace. A
                # few requests say nothing yet: they may be a burst.
                if not row.waited and row.requests > WINDOW_REQUESTS:
                    row.pace = min((now - row.began) / row.requests, WINDOW_SECONDS / WINDOW_REQUESTS)
            case Waiting(seconds=seconds):
                row.waits_until, row.waited = now + seconds, True
                self._quiet_since = row.waits_until
                # The wait is part of the pace that was just kept: five requests, then the rest of their window. Fewer
                # say nothing, since the run before this one may have used up the rest.
                if row.requests >= WINDOW_REQUESTS:
                    row.pace = (row.waits_until - row.began) / row.requests

    def visible(self, most: int, now: float) -> list[Row]:
        """Return at most that many channels in work.

        A channel keeps its place until it ends, or until it is idle while others that don't fit are not: rows that jump
        can't be read.
        """
        kept = {channel_id for channel_id in self._shown[:most] if channel_id in self.rows}
        others = sorted((row for row in self.rows.values() if row.channel_id not in kept), key=lambda row: row.active)
        chosen: list[Row] = []
        for channel_id in self._shown[:most]:
            row = self.rows.get(channel_id)
            if row is not None and now - row.active > _IDLE and others and now - others[-1].active < _BUSY:
                row = None
            if row is None and others:
                row = others.pop()
            if row is not None:
                chosen.append(row)
        if free := max(most - len(chosen), 0):
            # The newcomers stand in the order in which they began.
            newcomers = {row.channel_id for row in others[-free:]}
            chosen += [row for channel_id, row in self.rows.items() if channel_id in newcomers]
        self._shown = [row.channel_id for row in chosen]
        return chosen

    def left(self, now: float) -> Estimate:
        """Return what is left of the run; it is reckoned anew once a second, so that it can be read."""
        if self._estimated is None or now - self._estimated[0] >= _ESTIMATE_EVERY:
            shares = [Share(row.left, row.pace) for row in self.rows.values()]
            self._estimated = now, estimate(shares, queued=self._queued, observed_rate=self._shared_rate(now))
        return self._estimated[1]

    def _shared_rate(self, now: float) -> float:
        """Return how many requests a second all channels together are able to make.

        While one waits for its own limit they could make more than they do, and what they do says nothing.
        """
        if now - self._quiet_since < RATE_WINDOW:
            return GLOBAL_RATE
        return self.asked.rate(now) or GLOBAL_RATE

    def fraction(self, now: float) -> float:
        """How much of all requests is done, from 0 to 1, as far as anybody can say."""
        if self.channels and self.ended >= self.channels:
            return 1.0
        ahead = self.left(now).requests
        total = self.requests + (ahead.low + (ahead.low if ahead.high is None else ahead.high)) / 2
        return self.requests / total if total else 0.0
