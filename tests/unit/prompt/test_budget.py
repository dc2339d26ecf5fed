from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from junkie_cli.errors import UsageError
from junkie_cli.prompt.budget import fit, write
from junkie_cli.prompt.conversation import Conversation, ReplyTarget
from junkie_cli.prompt.formats import FORMATS, Format, lay_out
from junkie_cli.prompt.layout import Layout
from junkie_cli.prompt.tokens import ESTIMATE
from tests.unit.prompt.samples import clock, conversation, message


def words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def odd(texts: Sequence[str]) -> list[int]:
    """Count so that the whole takes twice its pieces."""
    return [len(text) * (2 if text.startswith("whole") else 1) for text in texts]


def talk(count: int) -> Conversation:
    target = message("Bob", 222, "the target", age=timedelta(days=3))
    history = [
        message("Bob", 222, "word " * (number % 5), age=timedelta(hours=2), number=number) for number in range(count)
    ]
    return conversation(history, reply=ReplyTarget(target.message_id, target))


def numbers(sizes: Sequence[int]) -> Layout:
    pieces = ["x" * size for size in sizes]
    return Layout(pieces, lambda dropped: "whole " + "".join(pieces[dropped:]))


def test_without_a_budget_all_is_there() -> None:
    layout = lay_out(talk(3), clock(), "text")
    assert write(layout).text == layout.compose(0)
    assert (write(layout).shown, write(layout).tokens) == (3, None)
    assert write(layout, words).tokens == words([layout.compose(0)])[0]


@pytest.mark.parametrize("style", FORMATS)
def test_every_budget_holds_for_the_whole_prompt(style: Format) -> None:
    layout = lay_out(talk(30), clock(), style)
    counts = [words([layout.compose(dropped)])[0] for dropped in range(31)]
    for budget in range(counts[-1], counts[0] + 3):
        prompt = fit(layout, budget, words)
        assert prompt.tokens == words([prompt.text])[0]
        assert prompt.tokens <= budget
        assert prompt.text == layout.compose(prompt.dropped)
        assert prompt.shown + prompt.dropped == 30
        # Not one more would have fitted.
        assert prompt.dropped == 0 or counts[prompt.dropped - 1] > budget


def test_the_newest_win_and_what_must_be_there_is() -> None:
    layout = lay_out(talk(30), clock(), "text")
    text = fit(layout, words([layout.compose(27)])[0], words).text
    assert "[27 earlier messages omitted]\n" in text
    assert text.count("[2h ago]") == 3
    assert "[3d ago] Bob(222): the target" in text
    assert "Alice(111) says: Great!" in text


def test_too_small_a_budget_names_the_smallest() -> None:
    layout = lay_out(talk(30), clock(), "text")
    smallest = words([layout.compose(30)])[0]
    assert fit(layout, smallest, words).shown == 0
    with pytest.raises(UsageError) as caught:
        fit(layout, smallest - 1, words)
    assert str(smallest) in caught.value.hint
    assert caught.value.exit_code == 2


@given(st.lists(st.sampled_from(["", "a", "\n\n", "word " * 9]), max_size=5), st.sampled_from(FORMATS))
@example(["", ""], "messages")
def test_a_larger_budget_never_shows_less_and_the_whole_is_shown_if_it_fits(texts: list[str], style: Format) -> None:
    # An assistant's short message takes less than the line that says that it was cut.
    history = [message("Bot", 900, text, age=timedelta(hours=2), number=number) for number, text in enumerate(texts)]
    layout = lay_out(conversation(history), clock(), style, bot_ids={900})
    counts = ESTIMATE.count([layout.compose(dropped) for dropped in range(len(texts) + 1)])
    for budget in {at + more for at in counts for more in (-1, 0, 1) if at + more >= min(counts)}:
        longest = max(len(texts) - dropped for dropped, tokens in enumerate(counts) if tokens <= budget)
        assert fit(layout, budget, ESTIMATE.count).shown == longest


@given(st.lists(st.integers(0, 9), max_size=50), st.integers(0, 600))
def test_whatever_the_counter_the_answer_fits_and_is_the_longest(sizes: list[int], budget: int) -> None:
    layout = numbers(sizes)
    if odd([layout.compose(len(sizes))])[0] > budget:
        with pytest.raises(UsageError):
            fit(layout, budget, odd)
        return
    prompt = fit(layout, budget, odd)
    assert prompt.tokens == odd([prompt.text])[0] <= budget
    assert prompt.dropped == 0 or odd([layout.compose(prompt.dropped - 1)])[0] > budget


@pytest.mark.parametrize("budget", [100, 5_000, 60_000, 10**9])
def test_few_texts_are_counted_whole(budget: int) -> None:
    layout = numbers([7] * 20_000)
    wholes = 0

    def count(texts: Sequence[str]) -> list[int]:
        nonlocal wholes
        wholes += len(texts) == 1
        return odd(texts)

    prompt = fit(layout, budget, count)
    assert prompt.shown == min((budget // 2 - 6) // 7, 20_000)
    assert wholes < 20
