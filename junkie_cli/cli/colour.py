"""Colour: only on a terminal that has it, and not where NO_COLOR asks for none (https://no-color.org)."""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import IO

from junkie_cli.cli.output import painted, product, shown


def has_colour(stream: IO[str] | None) -> bool:
    """Say whether colours may be written to a stream."""
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return stream.isatty()


def paint(lines: Iterable[Sequence[tuple[str, str]]]) -> None:
    """Write lines to stdout, each of pieces: text, and a style of rich's ('' for none). Raises JunkieError as `product` does."""
    if not has_colour(sys.stdout):
        product("\n".join("".join(text for text, _ in line).rstrip(" ") for line in lines))
        return
    from rich.color import ColorSystem
    from rich.style import Style

    styles: dict[str, Style] = {}

    def styled(text: str, style: str) -> str:
        if not style:
            return shown(text)
        if style not in styles:
            styles[style] = Style.parse(style)
        return styles[style].render(shown(text), color_system=ColorSystem.STANDARD)

    painted("\n".join("".join(styled(text, style) for text, style in line) for line in lines))
