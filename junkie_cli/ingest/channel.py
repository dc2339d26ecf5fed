"""One channel's work: drives the planner's walk, doing the I/O that it asks for.

While the next page is fetched, the one before it is written: a walk has at most one page in flight and one in memory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from junkie_cli.client.payload import may_lack_content
from junkie_cli.coverage import Coverage, Range
from junkie_cli.db.reader import Reader
from junkie_cli.db.writer import Writer, Written, page_batch
from junkie_cli.errors import ContentIntentMissing, JunkieError
from junkie_cli.ingest import events
from junkie_cli.ingest.asked import KNOWN_PER_PAGE, LATE, MOST_KNOWN_PER_PAGE, Asked, Draws
from junkie_cli.ingest.estimate import NOTHING, Left, Outlook
from junkie_cli.ingest.events import Emit
from junkie_cli.ingest.planner import walk
from junkie_cli.ingest.reconciling import reconcile
from junkie_cli.ingest.slots import Slots
from junkie_cli.ingest.steps import (
    Action,
    CatchUpBegins,
    CountTop,
    Extent,
    Fetch,
    FindCompared,
    FindKnown,
    Goal,
    InitialFetchBegins,
    IsThere,
    IterationBegins,
    IterationEnds,
    Phase,
    ReadAccess,
    ReconcileEnds,
    SideBySide,
    Store,
    View,
    Walk,
)
from junkie_cli.models import PAGE_LIMIT, Access, Page

if TYPE_CHECKING:
    from junkie_cli.client.session import DiscordClient


class Watcher(Protocol):
    """Who hears of messages while pages are fetched."""

    def watch(self, channel_id: int) -> tuple[int, int] | None:
        """Return a token that changes whenever an event of the channel may have been missed; None if all are."""

    def joined(self, channel_id: int, hi: int, watch: tuple[int, int]) -> None:
        """Take in that everything below `hi` was on a page that was asked for during `watch`."""

    async def heard_at(self) -> datetime:
        """Put on record what was missed, and return until when, by the database's clock, all else is in the archive."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What every channel of a run shares."""

    discord: "DiscordClient"
    reader: Reader
    writer: Writer
    slots: Slots
    emit: Emit
    progressed: Callable[[], None]
    complete: bool = True
    """False where pages may lack their content: they are stored without coverage."""

    watcher: "Watcher | None" = None
    """What live events prove, where a gateway session is watching: short pages join it."""


@dataclass(slots=True)
class Tally:
    """What was done in a channel so far."""

    held: int
    covered: Coverage
    current: int | None = None
    """How many messages the range that ends at the last id held when they were last counted: what a target is measured by."""

    fetched: int = 0
    new: int = 0
    edited: int = 0
    deleted: int = 0
    requests: int = 0
    fresh: Coverage = field(default_factory=Coverage)
    """Where all that is archived was compared with Discord in this run."""

    first_asked_at: datetime | None = None
    """The database's time just before the run's first request."""

    whole: bool = False
    """Whether everything covered was compared in this run."""


class ChannelRun:
    """Brings one channel to its goal. `tally` says how far it came, also after an error."""

    def __init__(
        self,
        tools: Tools,
        name: str,
        view: View,
        goal: Goal,
        held: int,
        *,
        total: int | None = None,
        extent: Extent | None = None,
    ) -> None:
        """`held` messages are archived; `total` is how many there are, where Discord told.

        With `extent`, what is archived is compared with Discord once the goal is reached.
        """
        self.tools = tools
        self.channel_id = view.channel_id
        self.name = name
        self.tally = Tally(held, view.covered)
        self._view = view
        self._goal = goal
        self._extent = extent
        self._reconciled = 0
        self._outlook = Outlook(goal, view.last_id, view.covered, held=held, total=total)

    @property
    def left(self) -> Left:
        """How many requests the channel still needs, as far as anybody can say."""
        return self._outlook.left + self._left_to_reconcile

    @property
    def _left_to_reconcile(self) -> Left:
        """How many pages are still to be compared, at most; what is caught up need not be compared again."""
        if self._extent is None or self.tally.whole:
            return NOTHING
        messages = self.tally.held if self._extent.limit is None else min(self._extent.limit, self.tally.held)
        most = max(-(-messages // PAGE_LIMIT) - self._reconciled, 0)
        return Left(most if self._extent.floor <= self.channel_id and not self.tally.fresh else 0, most)

    @property
    def remaining(self) -> int:
        """How many ids of the wanted span are not covered yet."""
        gaps = self.tally.covered.gaps(self._goal.floor, self._view.last_id + 1)
        return sum(gap.hi - gap.lo for gap in gaps)

    async def run(self) -> None:
        """Carry out the walk. Raises what the client, the database or the planner raise; what was stored stays."""
        await _Lane(self).drive(walk(self._view, self._goal))
        if self._extent is not None:
            view = replace(self._view, covered=self.tally.covered)
            await _Lane(self).drive(reconcile(view, self._extent, self.tally.fresh))

    def wrote(self, page: Page, store: Store, claim: Range | None, compared: Range, written: Written) -> None:
        """Count a page that is in the archive now, and report it."""
        tally = self.tally
        if claim is not None:
            tally.covered = tally.covered.add(claim.lo, claim.hi)
        fetched = len(page.ids)
        if fetched and (page.ids[0] in tally.fresh or page.ids[-1] in tally.fresh):
            # What a page repeats to prove itself counts once.
            fetched = sum(snowflake not in tally.fresh for snowflake in page.ids)
        if not store.from_empty_page:
            tally.fresh = tally.fresh.add(*compared)
        left = self._outlook.left
        if store.phase is Phase.RECONCILE:
            self._reconciled += 1
        tally.held = written.held.get(self.channel_id, tally.held)
        tally.fetched += fetched
        tally.new += written.new
        tally.edited += written.edited
        tally.deleted += written.deleted
        if store.phase is not Phase.RECONCILE:
            left = self._outlook.page(store.phase, tally.covered, messages=len(page.ids), held=tally.held)
        self.tools.emit(
            events.PageStored(
                self.channel_id,
                self.name,
                phase=store.phase,
                fetched=fetched,
                new=written.new,
                edited=written.edited,
                deleted=written.deleted,
                held=tally.held,
                remaining=self.remaining,
                requests=tally.requests,
                left=left + self._left_to_reconcile,
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
        self.tools.slots.waits(self.channel_id, seconds)
        self.tools.emit(events.Waiting(self.channel_id, self.name, seconds))


class _Lane:
    """Drives one walk of a channel, with a page in flight and a page in memory of its own."""

    def __init__(self, run: ChannelRun) -> None:
        self._run = run
        self._tools = run.tools
        self._asked: Asked | None = None
        self._page: Page | None = None
        self._unwritten: tuple[Page, Asked, Store] | None = None
        self._draws = Draws(run.tools.reader, run.channel_id, asyncio.get_running_loop().time)
        self._most_known = KNOWN_PER_PAGE
        self._compared = Range(0, 0)

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
                assert self._asked is not None
                self._unwritten = (self._page, self._asked, action)
            case CountTop(lo, hi, most):
                self._run.tally.current = await reader.count_between(channel_id, lo, hi, most=most)
                return self._run.tally.current
            case FindKnown(at, above, but_not):
                return await reader.known_near(channel_id, at, above=above, but_not=but_not)
            case FindCompared():
                return self._compared
            case ReconcileEnds(whole):
                self._run.tally.whole = whole and self._tools.complete
            case ReadAccess() | IsThere():
                return await self._ask_discord(action)
            case SideBySide(walks):
                await side_by_side(*(_Lane(self._run).drive(steps) for steps in walks))
            case _:
                self._run.report(action)
        return None

    async def _ask_discord(self, action: ReadAccess | IsThere) -> Access | bool:
        if isinstance(action, ReadAccess):
            return await self._tools.discord.access(self._run.channel_id)
        return await self._tools.discord.fetch_message(self._run.channel_id, action.snowflake) is not None

    async def _fetch_while_writing(self, fetch: Fetch) -> tuple[int, ...]:
        if self._unwritten is None:
            self._page = await self._fetch(fetch)
            return self._page.ids
        # What that page brought inside replies is known before the next one is asked for.
        brought = self._brought_by(self._unwritten[0])

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
        async def slot() -> AsyncIterator[None]:
            opens = self._tools.discord.opens_window(self._run.channel_id)
            async with self._tools.slots.for_page(self._run.channel_id, opens=opens):
                # Drawn for each attempt, just before it is sent.
                draw, known = await self._draws.draw(
                    fetch.window,
                    ascending=fetch.request.after is not None,
                    most=self._most_known,
                    unwritten=brought,
                )
                if self._run.tally.first_asked_at is None:
                    self._run.tally.first_asked_at = draw.at
                watcher = self._tools.watcher
                watch = None if watcher is None else watcher.watch(self._run.channel_id)
                self._asked = Asked(draw, self._most_known, known, watch)
                yield

        discord = self._tools.discord
        while True:
            self._run.tally.requests += 1
            page = await discord.fetch_page(fetch.request, slot=slot, on_wait=self._run.report_wait)
            assert self._asked is not None
            if self._most_known == MOST_KNOWN_PER_PAGE or not self._asked.outreached_by(page):
                break
            # The page spans more archived rows than were read before it: read more, and ask once more.
            self._most_known = MOST_KNOWN_PER_PAGE
        self._draws.brought(self._brought_by(page))
        blank = self._tools.complete and any(
            may_lack_content(message) for message in page.messages if not message.content
        )
        if blank and not await discord.read_content_intent():
            raise content_intent_missing()
        return page

    def _brought_by(self, page: Page) -> list[int]:
        return [each.message_id for each in page.referenced if each.channel_id == self._run.channel_id]

    async def _write(self) -> None:
        if self._unwritten is None:
            return
        page, asked, store = self._unwritten
        self._unwritten = None
        claim = store.claim if self._tools.complete else None
        self._compared = Range(0, 0) if claim is None else claim
        if not store.from_empty_page:
            self._compared = asked.compared(self._compared, ascending=store.request.after is not None)
            if claim is not None and self._compared != claim:
                # What was not compared stays a gap: it may hold rows that Discord no longer has.
                claim = self._compared
        batch = page_batch(
            page,
            seen=asked.draw.seen,
            claim=claim,
            known=() if store.from_empty_page else asked.missable(),
            asked_at=asked.draw.at - LATE,
            complete=self._tools.complete,
        )
        async with self._tools.slots.for_write():
            written = await self._tools.writer.write(batch)
        self._tools.progressed()
        short = store.request.after is not None and len(page.ids) < store.request.limit
        if short and claim is not None and self._tools.watcher is not None and asked.watch is not None:
            self._tools.watcher.joined(self._run.channel_id, claim.hi, asked.watch)
        self._run.wrote(page, store, claim, self._compared, written)


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
