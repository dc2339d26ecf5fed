"""What goes wrong on purpose: faults, answers held back, and changes that happen between two requests."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from typing import Final

from junkie_cli.emulator.pages import dumps

STATUSES: Final = frozenset({401, 403, 404, 429, 500, 502, 503, 504})
KINDS: Final = frozenset(
    {
        *(str(status) for status in STATUSES),
        "hang",  # never answer
        "reset",  # abort the connection
        "truncate",  # half the body, then the connection ends
        "html",  # a proxy's page with status 200
        "charset",  # application/json; charset=utf-8
        "malformed",  # no JSON
        "unordered",
        "repeated",
        "outside",  # with an id at the cursor
        "empty",
    }
)
PAGE_KINDS: Final = frozenset({"unordered", "repeated", "outside", "empty"})


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong, on requests to routes of that pattern ("*archived") and channel or guild (None: any).

    It strikes `times` times (None: for ever), after letting `skip` requests pass, each with that probability.
    `retry_after` in seconds and `scope` are a 429's.
    """

    kind: str
    route: str = "messages"
    channel_id: int | None = None
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    retry_after: float = 0.05
    scope: str = "user"
    struck: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"'{self.kind}' is no fault; there are {', '.join(sorted(KINDS))}")

    def concerns(self, route: str, major: int) -> bool:
        """Tell whether it may strike a request to that route of that channel or guild."""
        return fnmatchcase(route, self.route) and self.channel_id in {None, major}


@dataclass(slots=True, eq=False)
class Hold:
    """Keeps one page request to a channel waiting: its answer is computed already, or with `early` not yet."""

    channel_id: int
    early: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _go: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let the request go on."""
        self._go.set()

    async def wait(self) -> None:
        """Say that a request is here, and wait for `release`."""
        self.arrived.set()
        await self._go.wait()


@dataclass(slots=True)
class _Hook:
    channel_id: int
    left: int
    action: Callable[[], object]


class Faults:
    """All that is armed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  # repeatable, no secret
        self._faults: list[Fault] = []
        self._holds: dict[int, Hold] = {}
        self._hooks: list[_Hook] = []
        self._numbers = count(1)

    def arm(self, fault: Fault) -> None:
        """Add a fault; the one that was added first strikes first."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Remove every fault and hook, and release what is held."""
        self._faults.clear()
        self._hooks.clear()
        for hold in self._holds.values():
            hold.release()
        self._holds.clear()

    def hold(self, channel_id: int, *, early: bool = False) -> Hold:
        """Arm a Hold for the next page request to a channel."""
        hold = Hold(channel_id, early)
        self._holds[next(self._numbers)] = hold
        return hold

    def number_of(self, hold: Hold) -> int:
        """Return the number by which a hold is known over HTTP."""
        return next(number for number, held in self._holds.items() if held is hold)

    def numbered(self, number: int) -> Hold:
        """Return the hold of that number, or raise LookupError."""
        return self._holds[number]

    def after_requests(self, channel_id: int, requests: int, action: Callable[[], object]) -> None:
        """Run the action once so many page requests to the channel, from now, have been computed."""
        self._hooks.append(_Hook(channel_id, requests, action))

    def strike(self, route: str, major: int) -> Fault | None:
        """Return the fault that this request meets."""
        for fault in self._faults:
            if not fault.concerns(route, major):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if (fault.times is None or fault.struck < fault.times) and self._random.random() < fault.probability:
                fault.struck += 1
                return fault
        return None

    def held(self, channel_id: int, *, early: bool) -> Hold | None:
        """Return the hold that this page request must wait for."""
        for hold in self._holds.values():
            if hold.channel_id == channel_id and hold.early == early and not hold.arrived.is_set():
                return hold
        return None

    def computed(self, channel_id: int) -> None:
        """Run the hooks that waited for this page of the channel to be computed."""
        for hook in [hook for hook in self._hooks if hook.channel_id == channel_id]:
            hook.left -= 1
            if hook.left == 0:
                self._hooks.remove(hook)
                hook.action()

    def spoil(self, kind: str, page: list[bytes], cursor: int | None) -> list[bytes]:
        """Return a page that is wrong in that way."""
        if kind == "empty":
            return []
        if kind == "unordered":
            return page[len(page) // 2 :] + page[: len(page) // 2]
        if kind == "repeated":
            return [*page[:-1], page[0]] if len(page) > 1 else page * 2
        if kind == "outside" and page and cursor is not None:
            return [dumps(json.loads(page[0]) | {"id": str(cursor)}), *page[1:]]
        return page
