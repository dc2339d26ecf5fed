import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junkie_cli.client.answers import Answer, Throttle, error_of, read_json, read_throttle
from junkie_cli.errors import ChannelError, ChannelForbidden, ChannelNotFound, TokenRejected


def answer(status: int, body: Any, **headers: str) -> Answer:
    return Answer(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"message": "401: Unauthorized", "code": 0}, TokenRejected),
        (401, b"", TokenRejected),
        (403, {"message": "Missing Access", "code": 50001}, ChannelForbidden),
        (403, {"message": "internal network error", "code": 40333}, type(None)),
        (403, b"<html>blocked</html>", type(None)),
        (403, {"message": "blocked"}, type(None)),
        (404, {"message": "Unknown Channel", "code": 10003}, ChannelNotFound),
        (404, {"message": "404: Not Found", "code": 0}, type(None)),
        (404, b"404 page not found", type(None)),
        (400, {"message": "Invalid Form Body", "code": 50035}, ChannelError),
        (500, {"message": "Internal Server Error", "code": 0}, type(None)),
        (302, b"", type(None)),
    ],
)
def test_only_discords_own_word_counts(status: int, body: Any, kind: type[object]) -> None:
    assert type(error_of(answer(status, body), "channel 7")) is kind


def test_an_error_says_what_and_about_what_and_carries_the_code() -> None:
    error = error_of(answer(403, {"message": "Missing\nAccess" + "x" * 500, "code": 50001}), "channel 7")
    assert isinstance(error, ChannelForbidden)
    assert error.message.startswith("channel 7: Missing Access")
    assert error.message.endswith("(403, code 50001)")
    assert len(error.message) < 300
    assert error.code == 50001


@pytest.mark.parametrize(
    ("body", "headers", "wanted"),
    [
        ({"retry_after": 1.5, "global": False}, {"X-RateLimit-Scope": "user"}, Throttle(1.5, "user")),
        ({"retry_after": 1.5}, {}, Throttle(1.5, "user")),
        ({"retry_after": 1.5, "global": True}, {}, Throttle(1.5, "global")),
        ({"retry_after": 1.5}, {"X-RateLimit-Scope": "global"}, Throttle(1.5, "global")),
        ({"retry_after": 1.5}, {"X-RateLimit-Scope": "shared"}, Throttle(1.5, "shared")),
        ({"retry_after": "soon"}, {"Retry-After": "3"}, Throttle(3.0, "user")),
        ({"retry_after": -1}, {}, Throttle(9.0, "user")),
        (b"error code: 1015", {"Retry-After": "60"}, Throttle(60.0, "global")),
        (b"error code: 1015", {}, Throttle(9.0, "global")),
        ([], {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, Throttle(9.0, "global")),
        (b'{"retry_after": NaN}', {}, Throttle(9.0, "global")),
    ],
)
def test_what_a_429_asks_for(body: Any, headers: dict[str, str], wanted: Throttle) -> None:
    assert read_throttle(answer(429, body, **headers), fallback=9.0) == wanted


@pytest.mark.parametrize(
    "text", [b"", b"[1", b"{'a': 1}", b"[NaN]", b"[Infinity]", b"\xff", b"[" * 100_000, b"[" + b"9" * 5000 + b"]"]
)
def test_what_is_no_json_is_no_value(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_json(text)


def test_lone_surrogates_and_nuls_are_values() -> None:
    assert read_json(b'["\\ud800", "\\u0000"]') == ["\ud800", "\x00"]


ODD = st.sampled_from(
    ["\ud800", "\x00", "\u2028", 1 << 70, -(1 << 70), 1 << 63, -0.0, 1e300, 5e-324, 0.1 + 0.2, True, 1, 1.0]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | ODD,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("\udfff"), inner),
)


@given(JSON, st.booleans())
def test_reads_json_as_the_standard_library_does(value: object, ascii_only: bool) -> None:  # noqa: FBT001  hypothesis
    text = json.dumps(value, ensure_ascii=ascii_only)
    body = text if not text.isascii() else text.encode()
    assert repr(read_json(body)) == repr(json.loads(text))


@pytest.mark.parametrize("text", [b'{"a": 1, "a": 2}', b"1E5", b"1e400", b"-0", b"18446744073709551616", b"1.0"])
def test_reads_odd_json_as_the_standard_library_does(text: bytes) -> None:
    assert repr(read_json(text)) == repr(json.loads(text))
