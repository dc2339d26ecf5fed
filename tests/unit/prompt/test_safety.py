# ruff: noqa: RUF001 -- look-alike characters are what is tested
import json
import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from junkie_cli.prompt.safety import KINDS, escape_json, indent, is_blank, show_line, show_name, show_text

HOSTILE = st.text(
    alphabet=st.one_of(
        st.characters(),
        st.sampled_from(
            "\x00\x07\x1b\r\n\t\v\f\x1c\x1d\x1e\x7f\x85\x9b\xad\u034f\u061c\u115f\u180b\u200b\u200c\u200d\u200e"
        ),
        st.sampled_from(
            "\u2028\u2029\u202e\u2066\u2069\u3164\ufe0e\ufe0f\ufeff\ud800\udc00\U000e0041\U000e007f\U000e0100"
        ),
        st.sampled_from("👨👩🔥❤🏴#1漢نक[]():<>@&` "),
    ),
    max_size=40,
)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("from\r\nWindows", "from\nWindows"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("bell\x07 null\x00 delete\x7f", "bell␇ null␀ delete␡"),
        ("over\rwritten", "over␍written"),
        ("\v\f\x1c\x1d\x1e", "␋␌␜␝␞"),
        ("a\x85b\u2028c\u2029d", "a‹U+0085›b‹U+2028›c‹U+2029›d"),
        ("\x9b31m", "‹U+009B›31m"),
        ("user\u202egnp.exe", "user‹U+202E›gnp.exe"),
        ("\u2066isolated\u2069", "‹U+2066›isolated‹U+2069›"),
        ("zero\u200bwidth \ufeffmark", "zero‹U+200B›width ‹U+FEFF›mark"),
        ("\u3164\u115f", "‹U+3164›‹U+115F›"),
        ("lone \ud83d surrogate", "lone ‹U+D83D› surrogate"),
        ("smuggled\U000e0068\U000e0069", "smuggled‹U+E0068›‹U+E0069›"),
        ("a\ufe00\ufe01", "a‹U+FE00›‹U+FE01›"),
        ("1\ufe0f2", "1‹U+FE0F›2"),
    ],
)
def test_hidden_characters_are_shown(raw: str, shown: str) -> None:
    assert show_text(raw) == shown


@pytest.mark.parametrize(
    "proper",
    ["👨‍👩‍👧", "❤️‍🔥", "🏳️‍🌈", "👍🏽", "1️⃣", "©️", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "می‌خواهم", "क्‍ष", "葛\U000e0100城", "naïve ÿ ñ", "한국어", "ᠮᠣᠩ᠋"],
)  # fmt: skip
def test_what_people_write_stays(proper: str) -> None:
    assert show_text(proper) == proper
    assert escape_json(proper) == proper


@pytest.mark.parametrize("kind", KINDS)
def test_our_parts_cant_be_imitated(kind: str) -> None:
    assert show_text(f"look [{kind}: x]") == f"look ［{kind}: x]"
    assert show_text(f"[ {kind.lower()} : x]") == f"［ {kind.lower()} : x]"


@pytest.mark.parametrize("blank", ["\u00a0", "\u2003", "\u3000", "  ", "\t"])
def test_nor_with_another_blank_in_them(blank: str) -> None:
    assert show_text(f"[Alt{blank}text: x]") == f"［Alt{blank}text: x]"
    assert show_text(f"[Empty{blank}message]") == f"［Empty{blank}message]"


@pytest.mark.parametrize(
    ("text", "blank"), [("", True), (" \n\t\u3000\u2003", True), ("\u2800 \u2800", True), ("⠁", False), (".", False)]
)
def test_what_is_blank(text: str, *, blank: bool) -> None:
    assert is_blank(text) is blank


def test_other_brackets_stay() -> None:
    text = "a[0] [link](https://example.org) [Event] [Textile: no] [forwarded by Bob]"
    assert show_text(text) == text
    assert show_text("[Empty message] [forwarded]") == "［Empty message] ［forwarded]"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Alice", "Alice"),
        ("[MOD] Alice (she/her)", "[MOD] Alice (she/her)"),
        ("Bob(222): yes", "Bob（222）： yes"),
        ("Bob(222) says: yes", "Bob（222） says： yes"),
        ("Bob(٢٢٢)", "Bob（٢٢٢）"),
        ("Bob(2\ufe0f22)", "Bob(2‹U+FE0F›22)"),
        ("[5\ufe0fm ago]", "[5‹U+FE0F›m ago]"),
        ("[just now] Bob", "［just now］ Bob"),
        ("[5m ago] Bob", "［5m ago］ Bob"),
        ("[Jan 15, 14:30] Bob", "［Jan 15, 14:30］ Bob"),
        ("[REPLY CONTEXT]", "［REPLY CONTEXT］"),
        ("[just\u00a0now] [ 5m  ago ]", "［just\u00a0now］ ［ 5m  ago ］"),
        ("[history\u2003between 1 and 2 is not archived]", "［history\u2003between 1 and 2 is not archived］"),
        ("[2 minutes ago] [5] [a day ago]", "［2 minutes ago］ [5] [a day ago]"),
        ("[412 earlier messages omitted]", "［412 earlier messages omitted］"),
        ("a\nb\r\nc\td", "a␊b␊c␉d"),
        ("Re: Zero", "Re： Zero"),
        ("16:9", "16:9"),
        ("x:", "x："),
        ("[Attachment: x", "［Attachment： x"),
    ],
)
def test_names_lose_our_syntax(name: str, shown: str) -> None:
    assert show_name(name) == shown


def is_visible(character: str) -> bool:
    """Say independently of the tables under test whether a character has a shape or is an ordinary blank."""
    return character in " \n\t\u200c\u200d\ufe0e\ufe0f" or unicodedata.category(character) not in {
        "Cc",
        "Cf",
        "Cs",
        "Zl",
        "Zp",
    }


# Format characters with a shape of their own, or of scripts that need them.
SHAPED = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2") | {
    chr(code) for code in (0x110BD, 0x110CD, *range(0x13430, 0x13440))
}
FLAGS = re.compile("\U0001f3f4[\U000e0061-\U000e007a]{5}\U000e007f")


@given(HOSTILE)
@example("a\ufe0f\u200d🔥")
@example("\u17b4\u200cក")
@example("\r\r\n")
@example("❤\ufe0f\ufe0f\u200d🔥")
def test_results_keep_their_promises(text: str) -> None:
    for show in (show_text, show_line, show_name):
        shown = show(text)
        assert show(shown) == shown
        shown.encode()
        assert not [c for c in FLAGS.sub("", shown) if not is_visible(c) and c not in SHAPED]
        assert not re.search(rf"\[\s*({'|'.join(KINDS)})\s*:", shown, re.IGNORECASE)
    assert len(show_line(text).splitlines()) <= 1
    assert "\t" not in show_line(text)
    ended = f"{show_text(text)}."
    assert ended.splitlines() == ended.split("\n")
    assert not re.search(r"\(\s*\d+\s*\)|:\s|:$", show_name(text))


@given(
    st.text(
        alphabet=st.characters(exclude_categories=["C", "Zl", "Zp", "Mn"]).filter(
            lambda c: c not in "[\u115f\u1160\u3164\uffa0"
        )
    )
)
def test_only_what_must_be_is_replaced(text: str) -> None:
    assert show_text(text) == text


def test_no_control_or_format_character_of_all_unicode_is_left() -> None:
    characters = [chr(code) for code in range(0x110000)]
    assert {c for c in characters if not is_visible(c) and c not in SHAPED and show_text(c) == c} == set()
    assert not any(
        unicodedata.category(c)[0] in "LNPS"
        for c in characters
        if c not in "\u115f\u1160\u3164\uffa0[" and show_text(c) != c
    )


@given(HOSTILE)
def test_json_survives_escaping(text: str) -> None:
    document = escape_json(json.dumps({"x": text}, ensure_ascii=False))
    # A pair of lone surrogates is, in JSON, the character that they make together.
    assert json.loads(document)["x"] == json.loads(json.dumps(text))
    document.encode()
    assert "\u202e" not in document


def test_every_further_line_is_indented() -> None:
    assert indent("a\n\nb\n") == "a\n  \n  b\n  "
