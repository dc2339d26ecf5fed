"""A simulated Discord with one channel, an archive of it, and a way to drive walks between them without any I/O."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from junkie_cli.coverage import Coverage, Range
from junkie_cli.errors import ChannelForbidden
from junkie_cli.ingest.planner import walk
from junkie_cli.ingest.reconciling import reconcile
from junkie_cli.ingest.steps import (
    Action,
    CountTop,
    Extent,
    Fetch,
    FindCompared,
    FindKnown,
    Goal,
    IsThere,
    ReadAccess,
    ReconcileEnds,
    SideBySide,
    Store,
    View,
    Walk,
)
from junkie_cli.models import Access, PageRequest

CHANNEL = 1_000 << 22
SECOND = 1_000 << 22


@dataclass
class Discord:
    """One channel as Discord has it. `hidden` ids are allotted and not visible yet."""

    visible: set[int] = field(default_factory=set)
    hidden: set[int] = field(default_factory=set)
    newest: int | None = None
    readable: bool = True
    shows: bool = True
    requests: int = 0

    def page(self, request: PageRequest) -> list[int]:
        self.requests += 1
        if not (self.readable and self.shows):
            return []
        if request.before is not None:
            return sorted((i for i in self.visible if i < request.before), reverse=True)[: request.limit]
        assert request.after is not None
        return sorted(sorted(i for i in self.visible if i > request.after)[: request.limit], reverse=True)

    def post(self, message_id: int, *, hidden: bool = False) -> None:
        (self.hidden if hidden else self.visible).add(message_id)
        self.newest = max(self.newest or 0, message_id)


@dataclass
class Archive:
    """What is committed: it survives a crash.

    `excused` are ids that were not visible when some page was asked for, `deleted` those that were inferred to be.
    """

    covered: Coverage = field(default_factory=Coverage)
    rows: set[int] = field(default_factory=set)
    excused: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)


class Crash(Exception):
    """The process was killed."""


def run(
    discord: Discord,
    archive: Archive,
    goal: Goal,
    before_action: Callable[[], None] = lambda: None,
    pick: Callable[[int], int] = lambda _ready: 0,
    *,
    known_most: int = 1000,
) -> list[Action]:
    """Drive the planner's walk, as ingest does; up to `known_most` archived ids are compared with a page.

    `before_action` lets the world change between any two actions; of walks side by side, `pick` says which goes on.
    """
    actions: list[Action] = []
    if discord.newest is None:
        return actions
    main = Lane(walk(View(CHANNEL, discord.newest, archive.covered), goal), known_most)
    lanes = [main]
    while lanes:
        before_action()
        lane = lanes[pick(len(lanes))]
        if (action := lane.step(discord, archive)) is None:
            lanes.remove(lane)
            if not lanes and lane is not main:
                lanes = [main]
            continue
        actions.append(action)
        if isinstance(action, SideBySide):
            assert lanes == [main]
            lanes = [Lane(steps, known_most) for steps in action.walks]
    return actions


def compare(
    discord: Discord,
    archive: Archive,
    extent: Extent,
    before_action: Callable[[], None] = lambda: None,
    *,
    known_most: int = 1000,
    fresh: Coverage = Coverage(),  # noqa: B008  frozen
) -> bool:
    """Drive a reconcile; returns whether everything covered was compared."""
    lane = Lane(reconcile(View(CHANNEL, discord.newest or CHANNEL, archive.covered), extent, fresh), known_most)
    whole = False
    before_action()
    while (action := lane.step(discord, archive)) is not None:
        if isinstance(action, ReconcileEnds):
            whole = action.whole
        before_action()
    return whole


class Lane:
    """One walk, with its own page in flight."""

    def __init__(self, steps: Walk, known_most: int) -> None:
        self._steps = steps
        self._reply: Any = None
        self._page: list[int] = []
        self._known: list[int] = []
        self._known_most = known_most
        self._compared = Range(0, 0)

    def step(self, discord: Discord, archive: Archive) -> Action | None:
        try:
            action = self._steps.send(self._reply)
        except StopIteration:
            return None
        self._reply = None
        match action:
            case Fetch(request, _, window):
                ascending = request.after is not None
                known = sorted((i for i in archive.rows if i in window), reverse=not ascending)
                self._known = known[: self._known_most]
                self._page = self._reply = discord.page(request)
                archive.excused |= discord.hidden
            case Store(request, claim):
                self._store(archive, request, claim, from_empty_page=action.from_empty_page)
            case FindCompared():
                self._reply = self._compared
            case ReadAccess():
                self._reply = Access(readable=discord.readable, reason="" if discord.readable else "lacks a right")
            case FindKnown(at, above, but_not):
                known = [i for i in archive.rows if i not in but_not and (i >= at if above else i <= at)]
                self._reply = (min(known) if above else max(known)) if known else None
            case IsThere(message_id):
                if not discord.readable:
                    raise ChannelForbidden("lacks a right")
                self._reply = message_id in discord.visible
            case CountTop(lo, hi, most):
                self._reply = min(len([i for i in archive.rows if lo <= i < hi]), most)
            case _:
                pass
        return action

    def _store(self, archive: Archive, request: PageRequest, claim: Range | None, *, from_empty_page: bool) -> None:
        archive.rows |= set(self._page)
        if claim is None:
            return
        archive.covered = archive.covered.add(*claim)
        self._compared = claim
        if from_empty_page:
            return
        if len(self._known) == self._known_most:
            reached = self._known[-1]
            after = request.after is not None
            self._compared = claim.clamp(claim.lo, reached + 1) if after else claim.clamp(reached, claim.hi)
        lacking = {i for i in self._known if i in claim} - set(self._page)
        archive.rows -= lacking
        archive.deleted |= lacking


def held(discord: Discord, archive: Archive) -> set[int]:
    """What coverage claims and the archive lacks."""
    return {i for i in discord.visible if i in archive.covered and i not in archive.rows}


# Ids on a grid of 100 ms: a late one is revealed before the channel moves on by ten seconds.
ids = st.integers(1, 3_000).map(lambda n: CHANNEL + n * SECOND // 10)

changes = st.lists(
    st.sampled_from(["post", "post late", "reveal", "delete", "revoke", "grant", "crash", "nothing", "nothing"]),
    max_size=60,
)


class World:
    """Applies one change before each action; rights don't flip twice within the few steps that can't be told apart."""

    def __init__(self, discord: Discord, script: list[str], data: st.DataObject) -> None:
        self.discord = discord
        self.script = list(script)
        self.data = data
        self.steps_since_revoked = 0

    def step(self) -> None:
        self.steps_since_revoked += 1
        if not self.script:
            return
        change = self.script.pop(0)
        discord = self.discord
        newest = discord.newest or CHANNEL
        if change in {"post", "post late"}:
            # Ten seconds is how late a message may become visible.
            for late in [i for i in discord.hidden if newest + 2 * SECOND - i >= 9 * SECOND]:
                discord.hidden.remove(late)
                discord.visible.add(late)
            discord.post(newest + SECOND * self.data.draw(st.sampled_from([1, 2])), hidden=change == "post late")
        elif change == "reveal" and discord.hidden:
            discord.visible |= discord.hidden
            discord.hidden.clear()
        elif change == "delete" and discord.visible:
            discord.visible.discard(self.data.draw(st.sampled_from(sorted(discord.visible))))
        elif change == "revoke":
            discord.readable = False
            self.steps_since_revoked = 0
        elif change == "grant" and self.steps_since_revoked > 4:
            discord.readable = True
        elif change == "crash":
            raise Crash
