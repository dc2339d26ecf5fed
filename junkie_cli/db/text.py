"""Text and JSON that PostgreSQL refuses, in a form that it takes and that can be read back without loss.

PostgreSQL's text has no U+0000 and no lone surrogates, its jsonb has no NaN or infinities and spells large floats out.
Discord can send, or be made to send, each of them. The escape character is DLE (U+0010), which people don't type:

- DLE + four hex digits: the code unit that PostgreSQL refuses;
- DLE + DLE: a DLE;
- in JSON, a string DLE + `n` + digits: a number that jsonb would not give back as it was;
- in JSON, a string DLE + `j` + JSON: what is nested deeper than people's data is, and than every stack is sure to bear.

Text without those is stored as it is.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

DLE: Final = "\x10"

DEEPEST: Final = 200
"""How many levels of JSON are stored as such."""

_REFUSED: Final = re.compile("[\x00\x10\ud800-\udfff]")
_ESCAPED: Final = re.compile("\x10(\x10|[0-9a-f]{4})")
# In what json.dumps writes: an escaped NUL or DLE, a raw surrogate, or a number that is not plain.
_REFUSED_JSON: Final = re.compile(r"\\u00[01]0|[\ud800-\udfff]|NaN|Infinity|[0-9]e[+-]?[0-9]|-0\.0")


def escape(text: str) -> str:
    """Return text that PostgreSQL takes; `unescape` gives the original back."""
    if _REFUSED.search(text) is None:
        return text
    return _REFUSED.sub(lambda found: DLE * 2 if found[0] == DLE else f"{DLE}{ord(found[0]):04x}", text)


def escape_all(texts: list[str]) -> list[str]:
    """Return each text escaped; it costs little where none needs it."""
    joined = "".join(texts)
    return texts if DLE not in joined and "\x00" not in joined and _encodable(joined) else [*map(escape, texts)]


def unescape(text: str) -> str:
    """Return the original of an escaped text."""
    if DLE not in text:
        return text
    return _ESCAPED.sub(lambda found: DLE if found[1] == DLE else chr(int(found[1], 16)), text)


def dump_json(value: Any) -> str:
    """Return JSON that jsonb takes and gives back unchanged (but for the order of keys)."""
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        text = ""
    if text and _REFUSED_JSON.search(text) is None and text.count("[") + text.count("{") <= DEEPEST:
        return text
    return json.dumps(_escape_values(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def load_json(text: str | bytes) -> Any:
    """Read what `dump_json` wrote, as PostgreSQL gives it back."""
    value = json.loads(text)
    marked = b"\\u0010" in text if isinstance(text, bytes) else "\\u0010" in text
    return _unescape_values(value) if marked else value


def _encodable(text: str) -> bool:
    """Say whether a text has no lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escape_values(value: Any) -> Any:
    """Return a copy with everything escaped that jsonb would refuse or change."""
    return _copied(value, _escape_one, escape)


def _unescape_values(value: Any) -> Any:
    """Return a copy with everything as it was before `_escape_values`."""
    return _copied(value, _unescape_one, unescape)


def _escape_one(value: Any, level: int) -> Any:
    match value:
        case str():
            return escape(value)
        case float() if not _plain(value):
            return f"{DLE}n{value!r}"
        case dict() | list() if level >= DEEPEST:
            return f"{DLE}j{json.dumps(value)}"
        case _:
            return value


def _unescape_one(value: Any, _level: int) -> Any:
    match value:
        case str() if value.startswith(DLE + "n"):
            return float(value[2:])
        case str() if value.startswith(DLE + "j"):
            return json.loads(value[2:])
        case str():
            return unescape(value)
        case _:
            return value


def _copied(value: Any, change: Callable[[Any, int], Any], change_key: Callable[[str], str]) -> Any:
    """Copy a value and all that is in it, changed. What `change` gives for a dict or list is copied if it is the same."""
    # A loop, not a recursion: nesting is the sender's choice.
    top = [value]
    pending: list[tuple[Any, int]] = [(top, 0)]
    while pending:
        container, level = pending.pop()
        for place, item in list(enumerate(container) if type(container) is list else container.items()):
            changed = change(item, level)
            if changed is item and type(item) is dict:
                changed = {change_key(key): inner for key, inner in item.items()}
                pending.append((changed, level + 1))
            elif changed is item and type(item) is list:
                changed = item.copy()
                pending.append((changed, level + 1))
            container[place] = changed
    return top[0]


def _plain(number: float) -> bool:
    """Say whether jsonb gives the float back as a float of the same value and sign."""
    text = repr(number)
    return "." in text and "e" not in text and text != "-0.0"
