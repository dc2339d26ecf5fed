"""Text and JSON that PostgreSQL refuses, in a form that it takes and that can be read back without loss.

PostgreSQL's text has no U+0000 and no lone surrogates, its jsonb has no NaN or infinities and spells large floats out.
Discord can send, or be made to send, each of them. The escape character is DLE (U+0010), which people don't type:

- DLE + four hex digits: the code unit that PostgreSQL refuses;
- DLE + DLE: a DLE;
- in JSON, a string DLE + `n` + digits: a number that jsonb would not give back as it was.

Text without those is stored as it is.
"""

import json
import re
from typing import Any, Final

DLE: Final = "\x10"

_REFUSED: Final = re.compile("[\x00\x10\ud800-\udfff]")
_ESCAPED: Final = re.compile("\x10(\x10|[0-9a-f]{4})")
# In what json.dumps writes: an escaped NUL or DLE, a raw surrogate, or a number that is not plain.
_REFUSED_JSON: Final = re.compile(r"\\u00[01]0|[\ud800-\udfff]|NaN|Infinity|[0-9]e[+-]?[0-9]|-0\.0")


def escape(text: str) -> str:
    """Return text that PostgreSQL takes; `unescape` gives the original back."""
    if _REFUSED.search(text) is None:
        return text
    return _REFUSED.sub(lambda found: DLE * 2 if found[0] == DLE else f"{DLE}{ord(found[0]):04x}", text)


def unescape(text: str) -> str:
    """Return the original of an escaped text."""
    if DLE not in text:
        return text
    return _ESCAPED.sub(lambda found: DLE if found[1] == DLE else chr(int(found[1], 16)), text)


def dump_json(value: Any) -> str:
    """Return JSON that jsonb takes and gives back unchanged (but for the order of keys)."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if _REFUSED_JSON.search(text) is None:
        return text
    return json.dumps(_escape_values(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def load_json(text: str | bytes) -> Any:
    """Read what `dump_json` wrote, as PostgreSQL gives it back."""
    value = json.loads(text)
    marked = b"\\u0010" in text if isinstance(text, bytes) else "\\u0010" in text
    return _unescape_values(value) if marked else value


def _escape_values(value: Any) -> Any:
    match value:
        case str():
            return escape(value)
        case float() if not _plain(value):
            return f"{DLE}n{value!r}"
        case dict():
            return {escape(key): _escape_values(item) for key, item in value.items()}
        case list():
            return [_escape_values(item) for item in value]
        case _:
            return value


def _unescape_values(value: Any) -> Any:
    match value:
        case str() if value.startswith(DLE + "n"):
            return float(value[2:])
        case str():
            return unescape(value)
        case dict():
            return {unescape(key): _unescape_values(item) for key, item in value.items()}
        case list():
            return [_unescape_values(item) for item in value]
        case _:
            return value


def _plain(number: float) -> bool:
    """Say whether jsonb gives the float back as a float of the same value and sign."""
    text = repr(number)
    return "." in text and "e" not in text and text != "-0.0"
