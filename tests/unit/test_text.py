import json
import math

from hypothesis import example, given
from hypothesis import strategies as st

from junkie_cli.db.text import DLE, dump_json, escape, load_json, unescape

anything = st.text(alphabet=st.characters(codec=None, categories=None) | st.sampled_from("\x00\x10\ud800\udfffn0"))
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


def test_nan_survives() -> None:
    assert math.isnan(load_json(dump_json([math.nan]))[0])
    assert DLE.encode() not in dump_json([math.nan]).encode()
