"""Text in a terminal's cells: what people wrote may be double-width, and must end where its column ends."""

import re
import textwrap
from itertools import accumulate
from typing import Any, Final
from unicodedata import category

from rich.cells import cell_len

from junkie_cli.cli.output import shown

# They change the width of what stands before them, and terminals disagree on how.
_WIDTH_CHANGERS: Final = dict.fromkeys((0xFE0E, 0xFE0F, 0x200C, 0x200D, *range(0x1F3FB, 0x1F400)))

_MARKS: Final = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_STACK: Final = re.compile(f"({_MARKS}{{2}}){_MARKS}+")

_SECOND_CELL: Final = "\u2060"
"""Stands behind a double-width sign while its cells are counted as characters. `shown` lets none through."""


def fit(text: str, width: int, *, ellipsis: str = "…") -> str:
    """Return text in exactly that many cells: padded, or cropped with an ellipsis."""
    text = _tamed(text)
    if (cells := _cells(text)) > width:
        ellipsis = ellipsis if width > len(ellipsis) else ""
        room = width - len(ellipsis)
        text = text[: sum(end <= room for end in accumulate(map(_cells_of_one, text)))]
        cells = _cells(text)
        return text + " " * (room - cells) + ellipsis
    return text + " " * (width - cells)


def crop(text: str, width: int, *, ellipsis: str = "…") -> str:
    """Return text in at most that many cells."""
    return fit(text, width, ellipsis=ellipsis).rstrip(" ")


def wrap(text: str, width: int, **how: Any) -> list[str]:
    """Return text as lines of at most that many cells, but for a word that is wider by itself.

    `how` goes to `textwrap.wrap`, which counts characters.
    """
    spread = "".join(sign + _SECOND_CELL * (_cells_of_one(sign) - 1) for sign in _tamed(text))
    lines = textwrap.wrap(spread, width, break_long_words=False, **how)
    return [line.replace(_SECOND_CELL, "") for line in lines]


def cells_of(text: str) -> int:
    """Return how many cells `fit` needs to show all of a text."""
    return _cells(_tamed(text))


def _cells(text: str) -> int:
    return len(text) if text.isascii() else sum(map(_cells_of_one, text))


def _cells_of_one(sign: str) -> int:
    # A vowel sign as in Hindi or Tamil takes a cell of its own in some terminals, and none in others: a line with too little
    # in it is crooked, one with too much is broken, and the drawing with it.
    return cell_len(sign) or category(sign) == "Mc"


def _tamed(text: str) -> str:
    # Marks that are stacked up reach into the lines above.
    return _STACK.sub(r"\1", shown(text).translate(_WIDTH_CHANGERS))
