"""When a channel's next page may be asked for: the rate limit of `GET /channels/{id}/messages`.

Discord counts in fixed windows per channel: so many requests from the first one on, then none until the window is over.
Where one ends is known only within the time that a request took on its way, so it is kept as bounds: a request that was
sent at `s`, answered at `r` and told "the window ends in x" shows that it ends in `[s + x, r + x]`. Each answer narrows
them. The next request is sent at the lower bound, which is the end less the quickest way there that was seen: it arrives
just as the window is over. Should it be quicker yet, the 429 costs a retry, and the margin grows for some minutes.

Headers are believed until a 429 contradicts them (discord-api-docs #8161: 999 of 1000 left, then a 429 that says 0 of 5).
From then on the limit that was learned, and the length of the window as measured, govern every channel, so that not each
pays a 429 of its own; headers that agree with what was learned are believed again.

Several requests to one channel may be in flight. Each counts from the moment it is taken; one that was answered out of an
earlier window is given back. All time is monotonic and in seconds. Nothing here sleeps but `Windows.ready`.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from junkie_cli.client.limiter import Clock, Sleep

MARGIN: Final = 0.001
_MAX_SHORTAGE: Final = 1.0
_FORGETTING: Final = 180.0
_ROUNDING: Final = 0.02
"""Headers tell milliseconds; bounds of two windows never lie this close together."""

_MAX_LIMIT: Final = 100_000
_MAX_WINDOW: Final = 3600.0
_IDLE_CHANNELS: Final = 256
_REMEMBERED: Final = 64
"""How many answers of a channel are remembered, to measure its window: more than any known limit."""

_SHARP: Final = 1.25
_MEASUREMENTS: Final = 3


class Quota(NamedTuple):
    """What an answer's headers say: requests per window, how many are left, seconds until it ends."""

    limit: int
    remaining: int
    reset_after: float


def read_quota(headers: Mapping[str, str]) -> Quota | None:
    """Return the rate limit headers of an answer; None if one is missing or makes no sense."""
    try:
        quota = Quota(
            int(headers["X-RateLimit-Limit"]),
            int(headers["X-RateLimit-Remaining"]),
            float(headers["X-RateLimit-Reset-After"]),
        )
    except (KeyError, ValueError):
        return None
    sane = (
        1 <= quota.limit <= _MAX_LIMIT and 0 <= quota.remaining <= quota.limit and 0 <= quota.reset_after <= _MAX_WINDOW
    )
    return quota if sane else None


@dataclass(slots=True, eq=False)
class Permit:
    """A request that may be sent; `sent` is set when it goes out.

    `opening`: nothing of its window was answered yet. `counted`: it is part of its channel's `used`.
    """

    opening: bool
    sent: float = math.nan
    counted: bool = True


@dataclass(slots=True)
class _Route:
    """What all channels share. `limit` and `window` are learned from 429s; `usual` is what headers last said.

    The window's length lies in `[shortest, longest]` by the measurements made so far. `quickest` is the shortest round
    trip.
    """

    usual: int | None = None
    limit: int | None = None
    window: float | None = None
    shortest: float = 0.0
    longest: float = _MAX_WINDOW
    measurements: int = 0
    answered: bool = False
    quickest: float = math.inf
    shortage: float = 0.0
    short_since: float = -math.inf

    def margin(self, now: float) -> float:
        """Return the seconds to wait beyond the end of a window: what was lacking, forgotten by and by."""
        if not self.shortage:
            return MARGIN
        return MARGIN + self.shortage * math.exp((self.short_since - now) / _FORGETTING)


@dataclass(slots=True)
class _Channel:
    """One channel's current window. It ends in `[lo, hi]`; both None until an answer told.

    `began` is when an earlier one was over by our reckoning, `fresh` that nothing was answered since.
    """

    used: int = 0
    flying: set[Permit] = field(default_factory=set)
    first_sent: float | None = None
    lo: float | None = None
    hi: float | None = None
    began: float = -math.inf
    fresh: bool = False
    blocked_until: float = -math.inf
    recent: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Windows:
    """The windows of every channel. Use: `ready`, then `take`, send, and one of `answered`, `refused`, `lost`."""

    def __init__(self, *, clock: Clock, sleep: Sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._route = _Route()
        self._channels: dict[int, _Channel] = {}

    async def ready(self, channel_id: int, on_wait: Callable[[float], None] | None = None) -> None:
        """Wait until a request to the channel may be taken; `on_wait` is told the seconds before each sleep."""
        while True:
            channel = self._channel(channel_id)
            wait = self._wait(channel)
            if wait is None:
                # Only an answer that is on its way can tell.
                await channel.changed.wait()
            elif wait > 0:
                if on_wait is not None:
                    on_wait(wait)
                await self._sleep(wait)
            else:
                return

    def opens(self, channel_id: int) -> bool:
        """Say whether a request that is taken now would be the first of its window."""
        channel = self._channel(channel_id)
        return self._wait(channel) == 0 and channel.used == 0

    def take(self, channel_id: int) -> Permit | None:
        """Take one request out of the window, or return None if somebody else was quicker: wait again."""
        channel = self._channel(channel_id)
        if self._wait(channel) != 0:
            return None
        permit = Permit(opening=channel.fresh)
        channel.used += 1
        channel.flying.add(permit)
        return permit

    def sent(self, channel_id: int, permit: Permit) -> None:
        """Note that the request goes out now."""
        permit.sent = self._clock()
        channel = self._channel(channel_id)
        if channel.first_sent is None:
            channel.first_sent = permit.sent

    def lost(self, channel_id: int, permit: Permit) -> None:
        """Note that no answer came, if none did; whether Discord counted the request is unknown, so it stays counted."""
        channel = self._channel(channel_id)
        if permit in channel.flying:
            if math.isnan(permit.sent):
                channel.used -= permit.counted
            self._landed(channel, permit)

    def answered(self, channel_id: int, permit: Permit, received: float, quota: Quota | None) -> None:
        """Learn from an answer that is no 429; `received` is when its headers came."""
        channel, route = self._channel(channel_id), self._route
        self._landed(channel, permit)
        route.answered = True
        channel.fresh = False
        route.quickest = min(route.quickest, received - permit.sent)
        channel.recent.append((permit.sent, received))
        if quota is not None and route.limit in {None, quota.limit}:
            route.usual = quota.limit
            self._told(channel, permit, received, quota)
        elif route.window is not None:
            self._counted(channel, permit, received, route.window)

    def refused(
        self,
        channel_id: int,
        permit: Permit,
        received: float,
        quota: Quota | None,
        retry_after: float,
        *,
        shared: bool,
    ) -> None:
        """Learn from a 429 that concerns this channel; `retry_after` in seconds.

        `shared` is the scope of a limit that others use up too: it says nothing about ours.
        """
        channel, route = self._channel(channel_id), self._route
        self._landed(channel, permit)
        exhausted = not shared and (quota is None or quota.remaining == 0)
        if exhausted and permit.opening and retry_after <= (route.window or 1.0) / 4:
            # Early: the window was over by our reckoning only. Requests that went out together count once.
            if permit.sent > route.short_since:
                lacking = route.margin(received) - MARGIN + retry_after
                route.shortage, route.short_since = min(lacking, _MAX_SHORTAGE), received
        elif exhausted:
            limit = quota.limit if quota is not None else max(channel.used - 1 - len(channel.flying), 1)
            if limit != (route.limit or route.usual):
                route.limit, route.window, route.measurements = limit, None, 0
                route.shortest, route.longest = 0.0, _MAX_WINDOW
            if route.limit is not None and route.window is None:
                _measure(route, channel, permit.sent, received, retry_after)
        if exhausted and permit.sent + retry_after > channel.began:
            channel.lo, channel.hi = permit.sent + retry_after, received + retry_after
        channel.blocked_until = max(channel.blocked_until, permit.sent + retry_after + route.margin(received))

    def _channel(self, channel_id: int) -> _Channel:
        channel = self._channels.get(channel_id)
        if channel is None:
            if len(self._channels) >= _IDLE_CHANNELS:
                self._forget_idle()
            channel = self._channels[channel_id] = _Channel()
        return channel

    def _forget_idle(self) -> None:
        now = self._clock()
        for channel_id, channel in list(self._channels.items()):
            over = channel.hi is None or channel.hi + _MAX_SHORTAGE < now
            if over and not channel.flying and channel.blocked_until < now:
                # Whoever waits for an answer looks the channel up anew.
                channel.changed.set()
                del self._channels[channel_id]

    def _wait(self, channel: _Channel) -> float | None:
        """Return the seconds to wait, 0 for none, None if only an answer on its way can tell."""
        now, route = self._clock(), self._route
        if now < channel.blocked_until:
            return channel.blocked_until - now
        end = None
        if channel.lo is not None:
            end = channel.lo + route.margin(now)
            if now >= end:
                self._roll(channel, now)
                end = None
        limit = route.limit or route.usual
        if limit is None:
            # The first answer of all tells the limit; if it tells none, there is none.
            return 0 if route.answered or not channel.flying else None
        if channel.used < limit:
            return 0
        if end is not None:
            return end - now
        if channel.flying:
            return None
        # How long a window lasts is not known yet, and no answer will tell: count anew, until a 429 tells.
        self._roll(channel, now)
        channel.fresh = False
        return 0

    def _roll(self, channel: _Channel, now: float) -> None:
        """Begin a window, whose end is unknown. What was sent just before may arrive in it, and counts."""
        if channel.lo is not None and channel.hi is not None:
            late = channel.lo - (channel.hi - channel.lo) / 2
            for permit in channel.flying:
                permit.counted = not permit.sent < late
        channel.used = sum(permit.counted for permit in channel.flying)
        channel.lo = channel.hi = channel.first_sent = None
        channel.began = now
        channel.fresh = True

    def _landed(self, channel: _Channel, permit: Permit) -> None:
        channel.flying.discard(permit)
        channel.changed.set()
        channel.changed = asyncio.Event()

    def _told(self, channel: _Channel, permit: Permit, received: float, quota: Quota) -> None:
        """Take over what believable headers say."""
        lo, hi = permit.sent + quota.reset_after, received + quota.reset_after
        if channel.lo is None or channel.hi is None:
            earlier = permit.sent < channel.began and lo <= channel.began + _ROUNDING
        else:
            earlier = hi < channel.lo - _ROUNDING
            if lo > channel.hi + _ROUNDING:
                # Discord has begun a window before we thought so.
                self._roll(channel, received)
        if earlier:
            channel.used -= permit.counted
            return
        if channel.lo is None or channel.hi is None:
            channel.lo, channel.hi = lo, hi
        else:
            channel.lo = max(channel.lo, lo)
            channel.hi = max(min(channel.hi, hi), channel.lo)
        channel.used = max(channel.used + (not permit.counted), quota.limit - quota.remaining)

    def _counted(self, channel: _Channel, permit: Permit, received: float, window: float) -> None:
        """Reckon with the learned length of a window, from its first request on."""
        if channel.hi is not None and permit.sent > channel.hi:
            self._roll(channel, received)
            channel.used += 1
            channel.first_sent = permit.sent
            channel.fresh = False
        if channel.lo is None or channel.hi is None:
            first = permit.sent if channel.first_sent is None else channel.first_sent
            # There is but this one answer to go by: had it been held up on its way there, the window began later.
            channel.hi = received + window
            channel.lo = max(first + window, channel.hi - self._route.quickest)


def _measure(route: _Route, channel: _Channel, sent: float, received: float, retry_after: float) -> None:
    """Learn the length of a window whose last requests, as many as the limit, were answered and whose next was refused.

    Nothing is learned if fewer were ours, or some are still in flight, so that the window's first request is not known.
    A blurred measurement is repeated, at the cost of one more 429, but not for ever.
    """
    if route.limit is None or len(channel.recent) < route.limit or any(other.sent <= sent for other in channel.flying):
        return
    first_sent, first_received = channel.recent[-route.limit]
    shortest = max(sent + retry_after - first_received, retry_after)
    longest = max(received + retry_after - first_sent, shortest)
    route.measurements += 1
    route.shortest, route.longest = max(route.shortest, shortest), min(route.longest, longest)
    if route.shortest > route.longest:
        route.shortest, route.longest = shortest, longest
    if route.longest <= route.shortest * _SHARP or route.measurements >= _MEASUREMENTS:
        route.window = nicest(route.shortest, route.longest)


def nicest(lo: float, hi: float) -> float:
    """Return the roundest number in `[lo, hi]`: people choose 5 s, and never 4.987 s. Without one, the middle."""
    for step in (5.0, 1.0, 0.5, 0.25, 0.1, 0.05, 0.01):
        if (round_number := math.ceil(lo / step) * step) <= hi:
            return round_number
    return (lo + hi) / 2
