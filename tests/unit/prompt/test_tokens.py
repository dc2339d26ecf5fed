# ruff: noqa: RUF001 -- Chinese punctuation is what it is
import sys

import pytest

from junkie_cli.prompt.tokens import ENCODING, ESTIMATE, estimate, find_counter

TEXTS = {
    "english": "Hey, how's the project going? Pretty good, just finishing up the API.",
    "prompt": "[2h ago] Alice(123456789012345678): see https://cdn.discordapp.com/attachments/123/456/a.png?ex=65f1a2b3",
    "code": "def f(x: int) -> int:\n    return x + 1  # more\n\n\nclass A:\n    pass\n",
    "german": "Die Veröffentlichung verschiebt sich leider um eine Woche.",
    "russian": "Сегодня мы обсудим ход проекта и посмотрим, какие проблемы нужно решить.",
    "hindi": "आज हम परियोजना के बारे में बात करेंगे।",
    "chinese": "大家好，今天我们讨论一下项目的进展情况。",
    "japanese": "今日はプロジェクトの進捗について話しましょう。",
    "arabic": "سنناقش اليوم تقدم المشروع ونرى ما هي المشاكل.",
    "emoji": "😀😂🥲👍🏽👨‍👩‍👧🔥🎉 lol",
    "json": '{"id": "1234567890123456789", "author": {"id": "42", "name": "Bob"}, "text": "a b"}',
}


def test_without_the_extra_there_is_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "toktok", None)
    counter = find_counter()
    assert counter is ESTIMATE
    assert not counter.exact
    assert counter.count(["", "a", "a b\n"]) == [0, 1, 3]


def test_the_extra_counts_exactly() -> None:
    pytest.importorskip("toktok", reason="needs the extra 'tokens'")
    counter = find_counter()
    assert (counter.name, counter.exact) == (ENCODING, True)
    # Known counts of o200k_base.
    assert counter.count(["hello world", "", "<|endoftext|>"]) == [2, 0, 7]


@pytest.mark.parametrize("language", TEXTS)
def test_the_estimate_errs_on_the_large_side(language: str) -> None:
    pytest.importorskip("toktok", reason="needs the extra 'tokens'")
    text = TEXTS[language] * 20
    (exact,) = find_counter().count([text])
    assert exact <= estimate(text) <= 2.5 * exact


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\u3000", "\u2003"])
def test_blanks_without_end_are_estimated_in_time(blank: str) -> None:
    # Quadratic work would run into the suite's time-out.
    assert estimate(blank * 300_000) > 0
