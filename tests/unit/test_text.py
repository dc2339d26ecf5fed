import json
import math
import re
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from junkie_cli.db.text import DEEPEST, DLE, dump_json, escape, load_json, unescape

anything = st.text(alphabet=st.characters(codec=None, categories=None) | st.sampled_from("\x00\x10\ud800\udfffnj0"))
numbers = st.integers() | st.floats(allow_nan=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | anything,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(anything, inner, max_size=4),
    max_leaves=20,
)


@given(anything)
@example("\x00\ud800\x10")
@example("\x10" + "0000")
def test_text_survives(text: str) -> None:
    escaped = escape(text)
    escaped.encode()
    assert "\x00" not in escaped
    assert unescape(escaped) == text


def test_ordinary_text_is_stored_as_it_is() -> None:
    assert escape("héllo 👋\n\t\x1b[0m") == "héllo 👋\n\t\x1b[0m"


@given(values)
@example({"a": float("inf"), "b": [-0.0, 1e300, 1e-9], "\x00": "\x10n1"})
def test_json_survives(value: object) -> None:
    dumped = dump_json(value)
    dumped.encode()
    # PostgreSQL writes control characters as \uXXXX too, and nothing else of it differs but the order of keys.
    back = load_json(json.dumps(json.loads(dumped), ensure_ascii=False))
    assert back == value
    assert repr(back) == repr(value)


@pytest.mark.parametrize("levels", [1, DEEPEST - 1, DEEPEST, DEEPEST + 1, 500, 800])
@pytest.mark.parametrize("leaf", ["x", "\x00\ud800\x10j[]", math.inf, [], {}, 10**400])
def test_nesting_survives(levels: int, leaf: Any) -> None:
    nested = leaf
    for level in range(levels):
        nested = {"\x10": nested, "b": [1.0]} if level % 2 else [nested, {"a": None}]
    dumped = dump_json(nested)
    assert _depth(dumped) <= DEEPEST + 1
    assert load_json(json.dumps(json.loads(dumped), ensure_ascii=False)) == nested


def _depth(text: str) -> int:
    """The deepest level of JSON, its strings aside."""
    bare = re.sub(r'"(\\.|[^"\\])*"', "", text)
    return max(accumulate((char in "[{") - (char in "]}") for char in bare))


def test_nan_survives() -> None:
    assert math.isnan(load_json(dump_json([math.nan]))[0])
    assert DLE.encode() not in dump_json([math.nan]).encode()
