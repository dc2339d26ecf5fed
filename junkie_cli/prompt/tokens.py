"""Counting tokens: exactly with the extra `junkie-cli[tokens]`, else by an estimate that says that it is one."""

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from junkie_cli.prompt.budget import Count

ENCODING: Final = "o200k_base"
"""The vocabulary of OpenAI's models since GPT-4o. Other makers' models count some per cent differently."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A way to count tokens: its name for the user, whether it is exact, and the counting itself."""

    name: str
    exact: bool
    count: Count


def find_counter() -> Counter:
    """Return the exact counter if its package is installed, else the estimate."""
    try:
        toktok: Any = importlib.import_module("toktok")
    except ImportError:
        return ESTIMATE

    def count(texts: Sequence[str]) -> list[int]:
        counted: list[int] = toktok.batch_count(texts, ENCODING)
        return counted

    return Counter(ENCODING, exact=True, count=count)


# One match is about one token. Against o200k_base this is 5 to 25 % too much for English, code, ids and JSON, and up to
# twice too much for other languages: a prompt that is somewhat short is better than one that a model refuses.
_PIECE: Final = re.compile(
    r"[A-Z]?[a-z]{1,6}|[A-Z]{1,2}|[0-9]{1,2}|[ \t]*\n\s*|[ \t]{2,}|[!-/:-@\[-`{-~]{1,2}|[\x00-\x08\x0b-\x1f\x7f]"
    r"|[\x80-\u07ff\u0900-\u0e7f]{1,2}|[^\x00-\x7f]"
)


@cache
def _rare() -> re.Pattern[str]:
    """Match a character of a rare script, or an emoji: two tokens or more."""
    return re.compile(r"[^\x00-\u07ff\u0900-\u0e7f\u2010-\u2027\u3000-\u9fff\uac00-\ud7a3\uff00-\uffef]")


def estimate(text: str) -> int:
    """Return about how many tokens a text has, rather too many than too few."""
    pieces = len(_PIECE.findall(text))
    return pieces if text.isascii() else pieces + len(_rare().findall(text))


def _estimate_all(texts: Sequence[str]) -> list[int]:
    return [estimate(text) for text in texts]


ESTIMATE: Final = Counter("an estimate", exact=False, count=_estimate_all)
"""What counts where the extra is not installed."""
