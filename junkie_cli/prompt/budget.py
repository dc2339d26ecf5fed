"""Cutting a prompt to a budget of tokens.

The budget holds for the whole prompt as it is written, framing included: what is returned was itself counted. The newest
messages win: it holds as many of them as fit, without a hole.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from junkie_cli.errors import UsageError
from junkie_cli.prompt.layout import Layout

Count = Callable[[Sequence[str]], list[int]]
"""Counts the tokens of each text."""

_CHUNK = 1000


class Prompt(NamedTuple):
    """A finished prompt: `shown` messages of history in it, `dropped` for the budget; `tokens` is None if not counted."""

    text: str
    shown: int
    dropped: int = 0
    tokens: int | None = None


def write(layout: Layout, count: Count | None = None) -> Prompt:
    """Write a prompt whole, without a budget; its tokens are counted if `count` is given."""
    text = layout.compose(0)
    return Prompt(text, len(layout.pieces), tokens=count([text])[0] if count else None)


def fit(layout: Layout, max_tokens: int, count: Count) -> Prompt:
    """Write a prompt of at most `max_tokens` tokens, with as many of the newest messages as fit.

    Raises UsageError that names the smallest possible budget if not even the prompt without history fits.
    """
    total = len(layout.pieces)

    def attempt(kept: int) -> tuple[Prompt, int]:
        text = layout.compose(total - kept)
        tokens = count([text])[0]
        return Prompt(text, kept, total - kept, tokens), tokens

    best, tokens = attempt(0)
    if total == 1 and (whole := attempt(1))[1] < tokens:
        # The line that says that it was cut takes more than a very short message.
        best, tokens = whole
    if tokens > max_tokens:
        raise UsageError(
            f"a budget of {max_tokens} tokens is too small for this prompt",
            hint=f"what must be in it takes {tokens}: give at least that",
        )
    # Tokens of pieces don't add up exactly: their sums say where to try, and every answer is counted whole.
    sums = _sums(layout.pieces, max_tokens, count)
    fits, too_many = 0, len(sums)
    if too_many == total + 1:
        # The whole has no line that says what was cut, and may fit where one message less does not.
        whole = attempt(total)
        if whole[1] <= max_tokens:
            return whole[0]
        too_many = total
    guess = _reach(sums, fits, max_tokens - tokens)
    for tries in range(too_many.bit_length() * 3):
        if too_many - fits <= 1:
            break
        if tries % 3 == 2:
            # Halving keeps the number of tries small, whatever the counter does.
            guess = (fits + too_many) // 2
        prompt, tokens = attempt(min(max(guess, fits + 1), too_many - 1))
        if tokens <= max_tokens:
            best, fits = prompt, prompt.shown
            guess = _reach(sums, fits, max_tokens - tokens)
        else:
            too_many = prompt.shown
            guess = bisect_right(sums, sums[too_many] - (tokens - max_tokens)) - 1
    return best


def _sums(pieces: Sequence[str], max_tokens: int, count: Count) -> list[int]:
    """Return the tokens of the newest 0, 1, 2, … pieces, as far as they could fit: at most to twice the budget."""
    sums = [0]
    for end in range(len(pieces), 0, -_CHUNK):
        chunk = pieces[max(end - _CHUNK, 0) : end]
        for tokens in reversed(count([f"{piece}\n" for piece in chunk])):
            if sums[-1] > 2 * max_tokens:
                return sums
            sums.append(sums[-1] + tokens)
    return sums


def _reach(sums: Sequence[int], fits: int, room: int) -> int:
    """Return how many messages the sums suggest, where `fits` of them leave `room` tokens."""
    return bisect_right(sums, sums[fits] + room) - 1
