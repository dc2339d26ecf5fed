"""What `junkie doctor` finds: checks that stand each for itself.

Invariant: a check that fails, hangs or has a bug is a row of its own, and keeps no other from being made.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from junkie_cli.errors import JunkieError

log = logging.getLogger(__name__)

TIMEOUT: Final = 20.0
"""Seconds that one check may take."""


class Verdict(StrEnum):
    """How a check ended."""

    PASSED = "pass"
    WARNING = "warning"
    FAILURE = "failure"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One row. `name` is the same for every check of one sort; `found` says what is, `fix` what to do about it.

    `exit_code` is that of the error which a command would meet, for a failure. `facts` are for programs: plain values,
    ids as text.
    """

    name: str
    verdict: Verdict
    found: str
    fix: str = ""
    exit_code: int = 0
    facts: Mapping[str, Any] = field(default_factory=dict)


def passed(name: str, found: str, /, **facts: Any) -> Check:
    """Return a check that found all well."""
    return Check(name, Verdict.PASSED, found, facts=facts)


def warning(name: str, found: str, fix: str, /, **facts: Any) -> Check:
    """Return a check that found something which does not stop a command."""
    return Check(name, Verdict.WARNING, found, fix, facts=facts)


def failure(name: str, error: JunkieError) -> Check:
    """Return a check that found what a command would stop at."""
    return Check(name, Verdict.FAILURE, error.message, error.hint, error.exit_code)


def skipped(name: str, reason: str) -> Check:
    """Return a check that could not be made."""
    return Check(name, Verdict.SKIPPED, reason)


async def made(
    name: str, work: Callable[[], Awaitable[Sequence[Check]]], *, patience: float = TIMEOUT, kind: type[JunkieError]
) -> Sequence[Check]:
    """Make a check and return its rows, whatever happens; `kind` is the error that a hanging one counts as."""
    try:
        async with asyncio.timeout(patience):
            return await work()
    except JunkieError as error:
        log.debug("%s", name, exc_info=error)
        return [failure(name, error)]
    except TimeoutError:
        return [failure(name, kind(f"no answer within {patience:.0f} s", hint="see what keeps it busy, and try again"))]
    except Exception as error:  # a bug in one check must not hide the others
        log.debug("unexpected", exc_info=error)
        hint = "LOG_LEVEL=DEBUG shows where; please report it"
        return [failure(name, JunkieError(f"unexpected {type(error).__name__}", hint=hint))]


def exit_code(checks: Iterable[Check]) -> int:
    """Return the exit code of all: 0 without a failure, else the highest.

    So the database's comes before the configuration's: every command needs the one, and some do without a token.
    """
    return max((check.exit_code for check in checks if check.verdict is Verdict.FAILURE), default=0)
