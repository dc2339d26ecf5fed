"""The vocabulary of the planner: what a walk knows, wants, asks for and reports.

A walk is a generator: it yields what it needs (`Fetch`, `ReadAccess`, `FindKnown`, `CountTop`, `FindCompared`) or reports
(`Store`, `…Begins`, `…Ends`), and is sent the answer. Whoever drives it does the I/O; so do the property tests, with a simulated
Discord.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from junkie_cli.coverage import Coverage, Range
from junkie_cli.models import PAGE_LIMIT, PageRequest


class Phase(StrEnum):
    """Which part of the work a request belongs to."""

    CATCH_UP = "catch-up"
    INITIAL = "initial"
    DEEPEN = "deepen"
    RECONCILE = "reconcile"


@dataclass(frozen=True, slots=True)
class Fetch:
    """Ask Discord for a page; the answer is its ids, as they came. `window` is where the ids may lie."""

    request: PageRequest
    phase: Phase
    window: Range


@dataclass(frozen=True, slots=True)
class Store:
    """Write the page that was fetched last, together with what it proves (None: nothing); no answer.

    `from_empty_page` marks a claim that rests on an empty page: it never deletes.
    """

    request: PageRequest
    claim: Range | None
    phase: Phase
    from_empty_page: bool = False


@dataclass(frozen=True, slots=True)
class ReadAccess:
    """Read the bot's rights in the channel from Discord, now; the answer is an `Access`."""


@dataclass(frozen=True, slots=True)
class FindKnown:
    """Find the archived message nearest to `snowflake`; the answer is its id or None.

    `above` looks at ids >= snowflake, otherwise at ids <= snowflake. Ids in `but_not` were tried already.
    """

    snowflake: int
    above: bool
    but_not: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class IsThere:
    """Ask Discord for one message by its id; the answer is whether it has it."""

    snowflake: int


@dataclass(frozen=True, slots=True)
class CountTop:
    """Count the archived messages in `[lo, hi)`, up to `most`, with all that was stored so far; the answer is an int."""

    lo: int
    hi: int
    most: int


@dataclass(frozen=True, slots=True)
class FindCompared:
    """Ask where in its claim the page that was stored last was compared with all archived messages; the answer is a Range.

    Elsewhere in the claim more messages are archived than were read before the request: deletions there are not seen yet.
    """


@dataclass(frozen=True, slots=True)
class CatchUpBegins:
    """A report: newer messages than the newest covered one are fetched. `after` is that id."""

    after: int


@dataclass(frozen=True, slots=True)
class InitialFetchBegins:
    """A report: nothing of the channel is covered yet."""


@dataclass(frozen=True, slots=True)
class IterationBegins:
    """A report: deepening goes on. `current` of `target` messages (None: all) are held in the range that ends at the last id."""

    number: int
    current: int | None
    target: int | None


@dataclass(frozen=True, slots=True)
class IterationEnds:
    """A report: an initial fetch or a deepen iteration is over."""

    current: int | None
    target: int | None


@dataclass(frozen=True, slots=True)
class ReconcileEnds:
    """A report: reconciling is over. `whole` says that everything covered was compared."""

    whole: bool


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Drive these walks at once, each with a page in flight of its own; no answer. They share what they know."""

    walks: "tuple[Walk, ...]"


Action = (
    Fetch
    | Store
    | ReadAccess
    | FindKnown
    | IsThere
    | CountTop
    | FindCompared
    | SideBySide
    | CatchUpBegins
    | InitialFetchBegins
    | IterationBegins
    | IterationEnds
    | ReconcileEnds
)
Walk = Generator[Action, Any, None]


@dataclass(frozen=True, slots=True)
class Goal:
    """What the user wants of a channel.

    `floor` is the lowest wanted id (never below the channel's own), `target` the number of newest messages (None: all),
    `batch` the messages per iteration and lane, `max_iterations` the bound for deepening (None: none), `deepen` False leaves gaps
    below the newest covered id alone. Up to `lanes` ranges are fetched side by side. With `look`, what is newer than the
    newest covered id is asked for even where nothing newer is known. `page_limit` is Discord's; only tests lower it.
    """

    floor: int
    target: int | None = None
    batch: int = 1000
    max_iterations: int | None = None
    deepen: bool = True
    lanes: int = 1
    look: bool = False
    page_limit: int = PAGE_LIMIT


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of what is archived a reconcile compares with Discord.

    At least the newest `limit` messages (None: all), none below `floor`. `page_limit` is Discord's; only tests lower it.
    """

    floor: int = 0
    limit: int | None = None
    page_limit: int = PAGE_LIMIT


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a channel when a walk begins, and how it grows as claims are made.

    `last_id` is the channel's last message id as Discord gave it before the walk. (A channel that never had a message
    has none, and needs no walk.)
    """

    channel_id: int
    last_id: int
    covered: Coverage

    def with_claim(self, claim: Range) -> "View":
        """Return the view with one more claim."""
        return replace(self, covered=self.covered.add(claim.lo, claim.hi))
