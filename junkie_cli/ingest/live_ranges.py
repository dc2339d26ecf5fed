"""What live events prove. Pure: no I/O, no clock.

Invariant: within one gateway session Discord tells of every message of a channel that the bot can see, in order. So in one
session and channel the first event opens a range at its own id, and each later one extends it from the last. A range is
never continued from one that was merely found in the database: what happened in between is not known.

A range ends, and the next event opens a new one, whenever an event may have been missed: a new session, a change of rights
that touches the channel, a private thread that was left and joined again, a guild that was unavailable, a payload that was
skipped or could not be written, an event that was dropped. A RESUMED session replays what was missed and ends nothing.

A short `after` page that was asked for while the channel was watched shows everything up to its upper bound; so it joins the
live range there, and a quiet channel has no false gap. Watched is only what was introduced: of a channel that the gateway
never named (an archived thread) it would not say either that the rights there changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from junkie_cli.coverage import Range


@dataclass(slots=True)
class _Live:
    """A channel's open range: `[lo, last + 1)`; `lo` None while only a page has joined it."""

    lo: int | None
    last: int


class LiveRanges:
    """The open ranges of all channels, and since when each is watched without a break."""

    def __init__(self) -> None:
        self._open: dict[int, _Live] = {}
        self._breaks: dict[int, int] = {}
        self._all_breaks = 0
        self._introduced: set[int] = set()

    def message(self, channel_id: int, message_id: int) -> Range | None:
        """Take in a new message's event; return the range that it proves, None for an id below the last one."""
        live = self._open.get(channel_id)
        if live is None:
            self._open[channel_id] = _Live(message_id, message_id)
            return Range(message_id, message_id + 1)
        if message_id <= live.last:
            return None
        claim = Range(live.last + 1, message_id + 1)
        live.lo = claim.lo if live.lo is None else live.lo
        live.last = message_id
        return claim

    def join(self, channel_id: int, hi: int, watch: tuple[int, int]) -> Range | None:
        """Take in a short `after` page that ends at `hi` and was asked for during `watch`.

        Returns what that proves beyond the page itself: the stretch up to a range that events opened meanwhile.
        """
        if watch != self.watch(channel_id):
            return None
        live = self._open.get(channel_id)
        if live is None:
            self._open[channel_id] = _Live(None, hi - 1)
            return None
        if live.lo is not None and hi < live.lo:
            claim = Range(hi, live.lo)
            live.lo = hi
            return claim
        live.last = max(live.last, hi - 1)
        return None

    def is_open(self, channel_id: int) -> bool:
        """Say whether the next event of the channel extends a range."""
        return channel_id in self._open

    def introduce(self, channel_id: int) -> None:
        """Take in that from now on every break in a channel is told of."""
        self._introduced.add(channel_id)

    def watch(self, channel_id: int) -> tuple[int, int] | None:
        """Return a token that changes whenever an event of the channel may have been missed; None if it is not watched."""
        return self.breaks(channel_id) if channel_id in self._introduced else None

    def breaks(self, channel_id: int) -> tuple[int, int]:
        """Return what changes whenever an event of the channel may have been missed, as far as that is told."""
        return self._all_breaks, self._breaks.get(channel_id, 0)

    def end(self, channel_ids: Iterable[int]) -> None:
        """End the ranges of these channels."""
        for channel_id in channel_ids:
            self._open.pop(channel_id, None)
            self._breaks[channel_id] = self._breaks.get(channel_id, 0) + 1

    def forget(self, channel_ids: Iterable[int]) -> None:
        """End the ranges of channels that are not watched any more."""
        for channel_id in channel_ids:
            self.end([channel_id])
            self._introduced.discard(channel_id)

    def end_all(self) -> None:
        """End every range: a new session."""
        self._open.clear()
        self._breaks.clear()
        self._all_breaks += 1
