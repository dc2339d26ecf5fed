"""One channel's work: drives the planner's walk, doing the I/O that it asks for.

While the next page is fetched, the one before it is written: a walk has at most one page in flight and one in memory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from junkie_cli.client.payload import may_lack_content
from junkie_cli.coverage import Coverage, Range
from junkie_cli.db.reader import Draw, Reader
from junkie_cli.db.writer import Writer, Written, page_batch
from junkie_cli.errors import ContentIntentMissing, JunkieError
from junkie_cli.ingest import events
from junkie_cli.ingest.estimate import Left, Outlook
from junkie_cli.ingest.events import Emit
from junkie_cli.ingest.planner import walk
from junkie_cli.ingest.steps import (
    Action,
    CatchUpBegins,
    CountTop,
    Fetch,
    FindKnown,
    Goal,
    InitialFetchBegins,
    IterationBegins,
    IterationEnds,
    ReadAccess,
    SideBySide,
    Store,
    View,
    Walk,
)
from junkie_cli.models import Page

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient

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
    progressed: Callable[[], None]
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

    def __init__(self, tools: Tools, name: str, view: View, goal: Goal, held: int, *, total: int | None = None) -> None:
        """`held` messages are archived; `total` is how many there are, where Discord told."""
        self.tools = tools
        self.channel_id = view.channel_id
        self.name = name
        self.tally = Tally(held, view.covered)
        self._view = view
        self._goal = goal
        self._outlook = Outlook(goal, view.last_id, view.covered, held=held, total=total)

    @property
    def left(self) -> Left:
        """How many requests the channel still needs, as far as anybody can say."""
        return self._outlook.left

    @property
    def remaining(self) -> int:
        """How many ids of the wanted span are not covered yet."""
        gaps = self.tally.covered.gaps(self._goal.floor, self._view.last_id + 1)
        return sum(gap.hi - gap.lo for gap in gaps)

    async def run(self) -> None:
        """Carry out the walk. Raises what the client, the database or the planner raise; what was stored stays."""
        await _Lane(self).drive(walk(self._view, self._goal))

    def wrote(self, page: Page, store: Store, claim: Range | None, written: Written) -> None:
        """Count a page that is in the archive now, and report it."""
        tally = self.tally
        if claim is not None:
            tally.covered = tally.covered.add(claim.lo, claim.hi)
        tally.held = written.held.get(self.channel_id, tally.held)
        tally.fetched += len(page.ids)
        tally.new += written.new
        tally.edited += written.edited
        tally.deleted += written.deleted
        self.tools.emit(
            events.PageStored(
                self.channel_id,
                self.name,
                phase=store.phase,
                fetched=len(page.ids),
                new=written.new,
                edited=written.edited,
                deleted=written.deleted,
                held=tally.held,
                remaining=self.remaining,
                requests=tally.requests,
                left=self._outlook.page(store.phase, tally.covered, messages=len(page.ids), held=tally.held),
            )
        )

    def report(self, action: CatchUpBegins | InitialFetchBegins | IterationBegins | IterationEnds) -> None:
        """Pass on what the planner reports. Where the target is all, the number held so far stands for it."""
        held = self.tally.held
        event: events.Event
        if isinstance(action, IterationBegins | IterationEnds) and action.current is not None:
            self._outlook.counted(action.current)
        match action:
            case CatchUpBegins(after):
                event = events.CatchUpBegan(self.channel_id, self.name, after)
            case InitialFetchBegins():
                event = events.InitialFetchBegan(self.channel_id, self.name)
            case IterationBegins(number, current, target):
                current = held if current is None else current
                event = events.IterationBegan(self.channel_id, self.name, number, current, target)
            case IterationEnds(current, target):
                event = events.IterationEnded(self.channel_id, self.name, held if current is None else current, target)
        self.tools.emit(event)

    def report_wait(self, seconds: float) -> None:
        """Pass on that the channel waits for its rate limit."""
        self.tools.emit(events.Waiting(self.channel_id, self.name, seconds))


class _Lane:
    """Drives one walk of a channel, with a page in flight and a page in memory of its own."""

    def __init__(self, run: ChannelRun) -> None:
        self._run = run
        self._tools = run.tools
        self._draw: Draw | None = None
        self._page: Page | None = None
        self._unwritten: tuple[Page, Draw, Store] | None = None

    async def drive(self, steps: Walk) -> None:
        reply: Any = None
        while True:
            try:
                action = steps.send(reply)
            except StopIteration:
                break
            reply = await self._do(action)
        await self._write()

    async def _do(self, action: Action) -> Any:
        """Do what the walk asks for and return the answer."""
        channel_id, reader = self._run.channel_id, self._tools.reader
        if isinstance(action, Fetch):
            return await self._fetch_while_writing(action)
        await self._write()
        match action:
            case Store():
                assert self._page is not None
                assert self._draw is not None
                self._unwritten = (self._page, self._draw, action)
            case CountTop(lo, hi, most):
                return await reader.count_between(channel_id, lo, hi, most=most)
            case FindKnown(snowflake, above, but_not):
                return await reader.known_near(channel_id, snowflake, above=above, but_not=but_not)
            case ReadAccess():
                return await self._tools.discord.access(channel_id)
            case SideBySide(walks):
                await side_by_side(*(_Lane(self._run).drive(steps) for steps in walks))
            case _:
                self._run.report(action)
        return None

    async def _fetch_while_writing(self, fetch: Fetch) -> tuple[int, ...]:
        if self._unwritten is None:
            self._page = await self._fetch(fetch)
            return self._page.ids
        # What that page brought inside replies is known before the next one is asked for.
        brought = [m.message_id for m in self._unwritten[0].referenced if m.channel_id == self._run.channel_id]

        async def fetched() -> Page | JunkieError:
            try:
                return await self._fetch(fetch, brought)
            except JunkieError as error:
                # The page in hand is written all the same.
                return error

        page: Page | JunkieError
        _, page = await side_by_side(self._write(), fetched())
        if isinstance(page, JunkieError):
            raise page
        self._page = page
        return page.ids

    async def _fetch(self, fetch: Fetch, brought: Sequence[int] = ()) -> Page:
        @asynccontextmanager
        async def place() -> AsyncIterator[None]:
            async with self._tools.slots:
                # Drawn for each attempt, just before it is sent.
                draw = await self._tools.reader.draw(
                    self._run.channel_id,
                    fetch.window,
                    ascending=fetch.request.after is not None,
                    most=KNOWN_PER_PAGE,
                )
                self._draw = replace(draw, known=(*draw.known, *brought))
                yield

        self._run.tally.requests += 1
        discord = self._tools.discord
        page = await discord.fetch_page(fetch.request, slot=place, on_wait=self._run.report_wait)
        blank = self._tools.complete and any(map(may_lack_content, page.messages))
        if blank and not await discord.read_content_intent():
            raise content_intent_missing()
        return page

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
            asked_at=draw.at,
            complete=self._tools.complete,
        )
        async with self._tools.slots:
            written = await self._tools.writer.write(batch)
        self._tools.progressed()
        self._run.wrote(page, store, claim, written)


def content_intent_missing() -> ContentIntentMissing:
    """Return the error of a bot that is shown messages without what people wrote."""
    return ContentIntentMissing(
        "the bot lacks the MESSAGE CONTENT intent, so every message would come without its text",
        hint="switch it on in Discord's developer portal (Bot > Privileged Gateway Intents), or pass --allow-empty-content",
    )


async def side_by_side(*awaitables: Coroutine[Any, Any, Any]) -> list[Any]:
    """Await all at once. If one fails, the others are cancelled and its failure is raised as if it were awaited alone."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(awaitable) for awaitable in awaitables]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
