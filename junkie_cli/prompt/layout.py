"""A prompt that is laid out but not yet cut to a budget, in any format."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import NamedTuple

from junkie_cli.prompt.conversation import Conversation, Gap


class Layout(NamedTuple):
    """`pieces` has one text for each message of the history, oldest first, of about its share in the prompt.

    `compose(n)` returns the whole prompt without the n oldest messages, 0 <= n <= len(pieces).
    """

    pieces: Sequence[str]
    compose: Callable[[int], str]


def place_gaps(conversation: Conversation) -> list[Gap]:
    """Return the conversation's gaps with their place in the history, ascending."""
    ids = [message.message_id for message in conversation.history]
    placed = []
    for gap in sorted(conversation.gaps):
        index = bisect_left(ids, gap.lo)
        placed.append(Gap(gap.lo, gap.hi, index, partly=bisect_left(ids, gap.hi) > index))
    return placed


def gaps_after(gaps: Sequence[Gap], conversation: Conversation, dropped: int) -> list[Gap]:
    """Return the gaps that concern what is left of the history once its `dropped` oldest messages are gone.

    A gap between the newest dropped and the oldest kept message is one of them.
    """
    if dropped == 0:
        return list(gaps)
    newest_dropped = conversation.history[dropped - 1].message_id
    return [gap for gap in gaps if gap.hi > newest_dropped + 1]
