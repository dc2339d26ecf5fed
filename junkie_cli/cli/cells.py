"""Text in a terminal's cells: what people wrote may be double-width, and must end where its column ends."""

import re
from typing import Final

from rich.cells import cell_len, set_cell_size

from junkie_cli.cli.output import shown

# They change the width of what stands before them, and terminals disagree on how.
_WIDTH_CHANGERS: Final = dict.fromkeys((0xFE0E, 0xFE0F, 0x200C, 0x200D))

_MARKS: Final = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_STACK: Final = re.compile(f"({_MARKS}{{2}}){_MARKS}+")


def fit(text: str, width: int, *, ellipsis: str = "…") -> str:
    """Return text in exactly that many cells: padded, or cropped with an ellipsis."""
    text = _tamed(text)
    if cell_len(text) <= width or width <= len(ellipsis):
        return set_cell_size(text, width)
    return set_cell_size(text, width - len(ellipsis)) + ellipsis


def crop(text: str, width: int, *, ellipsis: str = "…") -> str:
    """Return text in at most that many cells."""
    return fit(text, width, ellipsis=ellipsis).rstrip(" ")


def cells_of(text: str) -> int:
    """Return how many cells `fit` needs to show all of a text."""
    return cell_len(_tamed(text))


def _tamed(text: str) -> str:
    # Marks that are stacked up reach into the lines above.
    return _STACK.sub(r"\1", shown(text).translate(_WIDTH_CHANGERS))
