"""What the shell offers for a channel or a guild: names that the archive knows.

Invariant: a name is somebody else's, and what is offered ends up on a command line: so it is always one word that means
nothing to any shell (`reference.inert`), and one that the command understands as exactly that place.

Nobody asked for a command to run: nothing is started, changed or said, and where the archive does not answer at once
there are no names.
"""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from junkie_cli.reference import Known, Wanted

_PATIENCE: Final = 3.0
"""Seconds after which no answer is worth waiting for."""

_MOST: Final = 5000
"""How many places are offered in time; where there are more, threads are left out."""


def channels(incomplete: str) -> list[str]:
    """Return names of channels, forums and threads that begin so."""
    from junkie_cli.reference import Wanted

    return _named(Wanted.CHANNEL, incomplete)


def guilds(incomplete: str) -> list[str]:
    """Return names of guilds that begin so."""
    from junkie_cli.reference import Wanted

    return _named(Wanted.GUILD, incomplete)


def places(incomplete: str) -> list[str]:
    """Return names of guilds, categories, channels and threads that begin so."""
    from junkie_cli.reference import Wanted

    return _named(Wanted.PLACE, incomplete)


def offers(known: Sequence["Known"], wanted: "Wanted", incomplete: str) -> list[str]:
    """Return, of each place that a text may become, the shortest spelling that means that place and no other."""
    ranked = [(rank, one) for one in known if (rank := one.rank(wanted)) is not None]
    if incomplete.isascii() and incomplete.isdigit():
        return [str(one.snowflake) for _, one in ranked if str(one.snowflake).startswith(incomplete)]
    owners: dict[str, tuple[int, int]] = {}
    for rank, one in ranked:
        for claim in one.claims():
            best, number = owners.get(claim, (rank, 0))
            if rank <= best:
                owners[claim] = (rank, number + 1 if rank == best else 1)
    begun = _continued(incomplete)
    found = (
        next(
            (
                text
                for spelling in one.inert_spellings()
                if owners[spelling.casefold()] == (rank, 1) and not spelling.isdigit() and (text := begun(spelling))
            ),
            None,
        )
        for rank, one in ranked
    )
    return sorted(filter(None, found), key=str.casefold)


def _continued(incomplete: str) -> "Callable[[str], str | None]":
    folded = incomplete.casefold()

    def continued(spelling: str) -> str | None:
        # Shells take only what begins as it was typed; the case does not matter to us.
        begins = spelling[: len(incomplete)].casefold() == folded
        return incomplete + spelling[len(incomplete) :] if begins else None

    return continued


def _named(wanted: "Wanted", incomplete: str) -> list[str]:
    try:
        with _in_time():
            found = offers(_known(), wanted, incomplete)
    except Exception:  # noqa: BLE001 - whatever it is, a command line that is being typed is no place to say so
        return []
    utf8 = sys.stdout is not None and sys.stdout.encoding.lower().replace("-", "") == "utf8"
    return [text for text in found if utf8 or text.isascii()]


def _known() -> "list[Known]":
    from junkie_cli import config
    from junkie_cli.db.glance import glance
    from junkie_cli.reference import Sort

    # Settings that are wrong are reported by the command itself.
    known = glance(config.load(problems=[])).known()
    if len(known) <= _MOST:
        return known
    return [one for one in known if one.sort is not Sort.THREAD]


@contextmanager
def _in_time() -> Iterator[None]:
    """Raise TimeoutError in the block when whoever is typing has waited long enough."""

    def give_up(_number: int, _frame: object) -> None:
        raise TimeoutError

    handler = signal.signal(signal.SIGALRM, give_up)
    timer = signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)
