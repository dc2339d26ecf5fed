"""What runs share that follow each other at once: one look at what there is, and what the first of them compared.

Invariant: a run that takes over from an earlier one claims no more than that one could have. What it is said to have looked
at, it looked at when the survey began. What was compared counts only while the gateway has told of everything since: so
long as the watch on the channel is the one that was kept when its pages were asked for.

What a listing may have missed since is the gateway's to tell, and is told as a need. A need that was there before a guild
is listed is met by that listing and by the pages asked for after it; one that comes later is not.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from junkie_cli.coverage import Coverage
from junkie_cli.db.places import Places
from junkie_cli.ingest.channel import content_intent_missing
from junkie_cli.ingest.events import Emit
from junkie_cli.ingest.options import RunOptions
from junkie_cli.ingest.selection import Found, find

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient


class Compared(NamedTuple):
    """Where all that is archived of a channel was compared with Discord, during `watch`, from `first_asked_at` on."""

    watch: object
    fresh: Coverage
    first_asked_at: datetime


@dataclass(slots=True)
class Survey:
    """The first run fills it, those after it use it; all have one selection.

    `listing` is told of each guild just before Discord is asked for it. `compared` is by channel.
    """

    listing: Callable[[int], object] = lambda _: None
    compared: dict[int, Compared] = field(default_factory=dict)
    _began_at: datetime | None = None
    _parts: list[Found] | None = None

    def began(self, now: datetime) -> datetime:
        """Return when the first run began: `now`, the database's time, if it does now."""
        if self._began_at is None:
            self._began_at = now
        return self._began_at

    async def parts(self, found: AsyncIterator[Found]) -> AsyncIterator[Found]:
        """Yield what was found: the first time by looking, which `found` does, and from then on from memory."""
        if self._parts is not None:
            for part in self._parts:
                yield part
            return
        parts: list[Found] = []
        async for part in found:
            parts.append(part)
            yield part
        self._parts = parts


async def discover(
    options: RunOptions,
    discord: "DiscordClient",
    places: Places,
    emit: Emit,
    *,
    store: bool = True,
    survey: Survey | None = None,
) -> AsyncIterator[Found]:
    """Find the wanted channels, then their threads, and store each part before it is given.

    What a `survey` has seen already is neither looked for nor stored again.

    Raises ContentIntentMissing if pages would come without their text, UsageError for a selection that fits nothing.
    """
    if not discord.content_intent and not options.allow_empty_content:
        raise content_intent_missing()
    survey = survey or Survey()

    async def look() -> AsyncIterator[Found]:
        async for found in find(
            discord, places, options.selection, emit, strict=options.strict, listing=survey.listing
        ):
            if store:
                await found.store(places)
            yield found

    async for found in survey.parts(look()):
        yield found


async def whole(parts: AsyncIterator[Found]) -> Found:
    """Return all that `discover` gives as one. Raises as it does."""
    together = Found()
    async for found in parts:
        together.add(found)
    return together
