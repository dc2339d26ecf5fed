"""One channel's work: drives the planner's walk, doing the I/O that it asks for.

While the next page is fetched, the one before it is written: a channel has at most one page in flight and one in memory.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from junkie_cli.coverage import Coverage
from junkie_cli.db.reader import Draw, Reader
from junkie_cli.db.writer import Writer, page_batch
from junkie_cli.ingest import events
from junkie_cli.ingest.events import Emit
from junkie_cli.ingest.planner import (
    CatchUpBegins,
    CountTop,
    Fetch,
    FindKnown,
    Goal,
    InitialFetchBegins,
    IterationBegins,
    IterationEnds,
    ReadAccess,
    Store,
    View,
    walk,
)
from junkie_cli.models import Page

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient

First = TypeVar("First")
Second = TypeVar("Second")

KNOWN_PER_PAGE = 1000
"""How many archived ids are compared with a page: rows of a gap that another program or a reply brought."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What every channel of a run shares. `slots` are the places of BACKFILL_CONCURRENCY."""

    discord: "DiscordClient"
    reader: Reader
    writer: Writer
    slots: asyncio.Semaphore
    emit: Emit
    complete: bool = True
    """False where pages may lack their content: they are stored without coverage."""


@dataclass(slots=True)
class Tally:
    """What was done in a channel so far."""

    held: int
    covered: Coverage
    fetched: int = 0
    new: int = 0
    edited: int = 0
    deleted: int = 0
    requests: int = 0


class ChannelRun:
    """Brings one channel to its goal. `tally` says how far it came, also after an error."""

    def __init__(self, tools: Tools, name: str, view: View, goal: Goal, held: int) -> None:
        self._tools = tools
        self._name = name
        self._view = view
        self._goal = goal
        self.tally = Tally(held, view.covered)
        self._draw: Draw | None = None
        self._page: Page | None = None
        self._unwritten: tuple[Page, Draw, Store] | None = None

    @property
    def remaining(self) -> int:
        """How many ids of the wanted span are not covered yet."""
        gaps = self.tally.covered.gaps(self._goal.floor, self._view.last_id + 1)
        return sum(gap.hi - gap.lo for gap in gaps)

    async def run(self) -> None:
        """Carry out the walk. Raises what the client, the database or the planner raise; what was stored stays."""
        steps = walk(self._view, self._goal)
        reply: Any = None
        while True:
            try:
                action = steps.send(reply)
            except StopIteration:
                break
            match action:
                case Fetch():
                    reply = await self._fetch_while_writing(action)
                case Store():
                    reply = None
                    await self._write()
                    assert self._page is not None
                    assert self._draw is not None
                    self._unwritten = (self._page, self._draw, action)
                case CountTop(lo, hi, most):
                    await self._write()
                    reply = await self._tools.reader.count_between(self._view.channel_id, lo, hi, most=most)
                case FindKnown(snowflake, above, but_not):
                    await self._write()
                    reply = await self._tools.reader.known_near(
                        self._view.channel_id, snowflake, above=above, but_not=but_not
                    )
                case ReadAccess():
                    reply = await self._tools.discord.access(self._view.channel_id)
                case _:
                    await self._write()
                    reply = None
                    self._report(action)
        await self._write()

    async def _fetch_while_writing(self, fetch: Fetch) -> tuple[int, ...]:
        fetched = self._fetch(fetch)
        if self._unwritten is None:
            page = await fetched
        else:
            _, page = await side_by_side(self._write(), fetched)
        self._page = page
        return page.ids

    async def _fetch(self, fetch: Fetch) -> Page:
        @asynccontextmanager
        async def place() -> AsyncIterator[None]:
            async with self._tools.slots:
                self._draw = await self._tools.reader.draw(
                    self._view.channel_id,
                    fetch.window,
                    ascending=fetch.request.after is not None,
                    most=KNOWN_PER_PAGE,
                )
                yield

        self.tally.requests += 1
        return await self._tools.discord.fetch_page(fetch.request, slot=place, on_wait=self._report_wait)

    def _report_wait(self, seconds: float) -> None:
        self._tools.emit(events.Waiting(self._view.channel_id, self._name, seconds))

    async def _write(self) -> None:
        if self._unwritten is None:
            return
        page, draw, store = self._unwritten
        self._unwritten = None
        claim = store.claim if self._tools.complete else None
        batch = page_batch(
            page,
            seen=draw.seen,
            claim=claim,
            known=() if store.from_empty_page else draw.known,
            complete=self._tools.complete,
        )
        async with self._tools.slots:
            written = await self._tools.writer.write(batch)
        tally = self.tally
        if claim is not None:
            tally.covered = tally.covered.add(claim.lo, claim.hi)
        tally.held = written.held.get(self._view.channel_id, tally.held)
        tally.fetched += len(page.ids)
        tally.new += written.new
        tally.edited += written.edited
        tally.deleted += written.deleted
        self._tools.emit(
            events.PageStored(
                self._view.channel_id,
                self._name,
                phase=store.phase,
                fetched=len(page.ids),
                new=written.new,
                edited=written.edited,
                deleted=written.deleted,
                held=tally.held,
                remaining=self.remaining,
                requests=tally.requests,
            )
        )

    def _report(self, action: CatchUpBegins | InitialFetchBegins | IterationBegins | IterationEnds) -> None:
        channel_id, name = self._view.channel_id, self._name
        held = self.tally.held
        event: events.Event
        match action:
            case CatchUpBegins(after):
                event = events.CatchUpBegan(channel_id, name, after)
            case InitialFetchBegins():
                event = events.InitialFetchBegan(channel_id, name)
            case IterationBegins(number, current, target):
                event = events.IterationBegan(channel_id, name, number, held if current is None else current, target)
            case IterationEnds(current, target):
                event = events.IterationEnded(channel_id, name, held if current is None else current, target)
        self._tools.emit(event)


async def side_by_side(first: Awaitable[First], second: Awaitable[Second]) -> tuple[First, Second]:
    """Await both at once. If one fails, the other is cancelled and the failure raised, as if awaited alone."""

    async def await_it(awaitable: Awaitable[Any]) -> Any:
        return await awaitable

    try:
        async with asyncio.TaskGroup() as group:
            one = group.create_task(await_it(first))
            other = group.create_task(await_it(second))
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return one.result(), other.result()
