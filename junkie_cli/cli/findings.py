"""What `junkie doctor` found, as a table that grows check by check, or as one JSON object."""

import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from junkie_cli.checks import Check, Verdict, exit_code
from junkie_cli.cli.cells import crop, fit, wrap
from junkie_cli.cli.colour import paint
from junkie_cli.cli.figures import count
from junkie_cli.cli.ndjson import dump
from junkie_cli.cli.output import product, speaks_unicode

VERSION: Final = 1
"""Of the JSON shape: raised when a field changes its meaning or goes."""

Piece = tuple[str, str]
"""Text, and its style where there is colour ('' for none)."""

MOST_ROWS: Final = 30
"""Rows of one check that are shown to people."""

_WORDS: Final = {
    Verdict.PASSED: "ok",
    Verdict.WARNING: "warning",
    Verdict.FAILURE: "FAILED",
    Verdict.SKIPPED: "skipped",
}
_STYLES: Final = {
    Verdict.PASSED: "green",
    Verdict.WARNING: "yellow",
    Verdict.FAILURE: "bold red",
    Verdict.SKIPPED: "dim",
}
_WORD: Final = 9
_NAME: Final = 16
_WIDTH: Final = 80
_LEAST: Final = 50


class Findings:
    """Takes checks in, and shows them."""

    def __init__(self, *, as_json: bool) -> None:
        self.checks: list[Check] = []
        self._as_json = as_json
        self._sections: list[tuple[str, Check]] = []
        self._shown: Counter[str] = Counter()

    def add(self, section: str, checks: Sequence[Check]) -> None:
        """Take the rows of a check in, and show them unless all are shown at the end."""
        begins = bool(checks) and (not self._sections or self._sections[-1][0] != section)
        self.checks += checks
        self._sections += [(section, check) for check in checks]
        if self._as_json or not checks:
            return
        lines: list[list[Piece]] = []
        if begins:
            lines += [[]] if len(self._sections) > len(checks) else []
            lines.append([(section, "bold")])
        for check in checks:
            self._shown[check.name] += check.verdict is Verdict.WARNING
            if check.verdict is not Verdict.WARNING or self._shown[check.name] <= MOST_ROWS:
                lines += rows(check, width=_width(), ellipsis=_ellipsis())
        paint(lines)

    def end(self) -> None:
        """Show the rest."""
        if self._as_json:
            product(dump(as_json(self._sections)))
            return
        lines: list[list[Piece]] = []
        for name, number in self._shown.items():
            if number > MOST_ROWS:
                lines.append([(f"  {count(number - MOST_ROWS, 'more row')} of {name}; --json has them all", "")])
        paint([*lines, [], [(closing(self.checks), "bold")]])


def rows(check: Check, *, width: int, ellipsis: str) -> Iterator[list[Piece]]:
    """Return the lines of a check, none wider than `width`: what was found, and what to do about it."""
    room = width - 2 - _WORD - _NAME
    word = (fit(_WORDS[check.verdict], _WORD), _STYLES[check.verdict])
    for number, line in enumerate(_wrapped(check.found, room, ellipsis)):
        if number == 0:
            yield [("  ", ""), word, (fit(check.name, _NAME), ""), (line, "")]
        else:
            yield [(" " * (width - room), ""), (line, "")]
    if check.fix:
        # The sign as it is where there is no Unicode.
        arrow = "→ " if ellipsis == "…" else "-> "
        for number, line in enumerate(_wrapped(check.fix, room - len(arrow), ellipsis)):
            yield [(" " * (width - room), ""), (arrow if number == 0 else " " * len(arrow), "cyan"), (line, "")]


def closing(checks: Iterable[Check]) -> str:
    """Return the last line: how many checks ended how."""
    ends = Counter(check.verdict for check in checks)
    words = [
        count(ends[Verdict.FAILURE], "failure"),
        count(ends[Verdict.WARNING], "warning"),
        f"{ends[Verdict.PASSED]:,} ok",
        f"{ends[Verdict.SKIPPED]:,} skipped",
    ]
    return ", ".join(word for word in words if not word.startswith("0 ") or "failure" in word)


def as_json(sections: Sequence[tuple[str, Check]]) -> dict[str, Any]:
    """Return all for programs; docs/commands/doctor.md describes it."""
    checks = [check for _, check in sections]
    return {
        "version": VERSION,
        "ok": not any(check.verdict is Verdict.FAILURE for check in checks),
        "exit_code": exit_code(checks),
        "checks": [
            {
                "section": section,
                "check": check.name,
                "verdict": str(check.verdict),
                "found": check.found,
                "fix": check.fix,
                "facts": dict(check.facts),
            }
            for section, check in sections
        ],
    }


def _wrapped(text: str, room: int, ellipsis: str) -> list[str]:
    """Break a text that may hold names of Discord's into lines; what has no blanks is cropped."""
    parts = wrap(" ".join(text.split()), room, break_on_hyphens=False)
    # An address that is to be copied must be whole.
    return [part if "://" in part else crop(part, room, ellipsis=ellipsis) for part in parts or [""]]


def _width() -> int:
    terminal = sys.stdout is not None and sys.stdout.isatty()
    return max(shutil.get_terminal_size((_WIDTH, 24)).columns if terminal else _WIDTH, _LEAST)


def _ellipsis() -> str:
    return "…" if sys.stdout is None or speaks_unicode(sys.stdout) else "..."
