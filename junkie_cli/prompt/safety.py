"""Defusing text that people wrote, so that none of it can be taken for a line or a part of ours.

What it guarantees of its results:
- `show_text`: the only control characters are line feed and tab; no escape sequence, bidirectional control, invisible or
  unencodable character is left; no `[Kind: ` of ours (`KINDS`) occurs.
- `show_line`: that, on one line, without tabs.
- `show_name`: that, and none of the syntax that stands around a name: no bracketed stamp, no `(digits)`, no colon before
  a blank or at the end.

Each is idempotent. What is replaced stays visible: C0 controls become Unicode's control pictures, other invisible
characters their code point in angle quotes (U+2039, U+203A), our own syntax its full-width twin.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple

KINDS: Final = (
    "Activity",
    "Alt text",
    "Attachment",
    "Button",
    "Command",
    "Component",
    "Embed",
    "Empty message",
    "Event",
    "File",
    "Forwarded",
    "Media",
    "Menu",
    "Poll",
    "Reply",
    "Sticker",
    "Text",
    "Theme",
    "Thread",
    "Voice message",
)
"""What may follow `[` in a part of ours: `[Kind: …]`, and bare `[Empty message]` and `[Forwarded]`."""

OPENING_BRACKET: Final = "\uff3b"
CLOSING_BRACKET: Final = "\uff3d"
_SEEN: Final = re.compile(r"[^\s\u2800]")

_HIDDEN_CLASS: Final = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_HIDDEN: Final = re.compile(f"[{_HIDDEN_CLASS}]")

# Invisible characters in their proper use: what would be lost without them is somebody's emoji, word or name.
_EMOJI: Final = r"\u203c\u2049\u20e3\u2100-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_JOINING: Final = r"\u0600-\u061b\u061d-\u06ff\u0750-\u07ff\u08a0-\u109f\u1780-\u17b3\u17b6-\u17ff\u1820-\u18af\ufb50-\ufdcf\ufe70-\ufefc"
_IDEOGRAPH: Final = r"\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SELECTOR: Final = r"\ufe00-\ufe0f\U000e0100-\U000e01ef"
_TAGS: Final = "|".join(
    "".join(f"\\U{0xE0000 + ord(letter):08x}" for letter in flag) for flag in ("gbeng", "gbsct", "gbwls")
)
_PROPER: Final = "|".join(
    (
        # The joiner of emoji families, and joiners inside Arabic, Indic and South-East Asian words.
        rf"(?:(?<=[{_EMOJI}])|(?<=[{_EMOJI}]\ufe0f))\u200d(?=[{_EMOJI}])",
        rf"(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])",
        # One emoji or text presentation selector; runs of selectors can carry hidden bytes. After a digit, only where it
        # makes a keycap: else it would hide in the middle of a number.
        rf"(?<=[\xa9\xae{_EMOJI}])[\ufe0e\ufe0f](?![{_SELECTOR}])",
        r"(?<=[#*0-9])[\ufe0e\ufe0f](?=\u20e3)",
        rf"(?<=[{_IDEOGRAPH}])[\U000e0100-\U000e01ef](?![{_SELECTOR}])",
        r"(?<=[\u1820-\u18aa])[\u180b-\u180e]",
        # The flags of England, Scotland and Wales are the only tag sequences in use; other tags are smuggled text.
        rf"\U0001f3f4(?:{_TAGS})\U000e007f",
    )
)


@cache
def _hidden_or_proper() -> re.Pattern[str]:
    # Compiling it takes longer than a prompt that has no hidden character in it.
    return re.compile(f"({_PROPER})|[{_HIDDEN_CLASS}]")


# Two words are the same words with another blank between them.
_WORDS: Final = "|".join(KINDS).replace(" ", r"\s+")
_KIND: Final = re.compile(rf"\[(?=\s*(?:(?:{_WORDS})\s*:|(?:Empty\s+message|Forwarded)\s*\]))", re.IGNORECASE)

_NAME_SYNTAX: Final = re.compile(r"[(\[:]")
_NAME_ID: Final = re.compile(r"\((\s*\d+\s*)\)")
_NAME_STAMP: Final = re.compile(
    # No two neighbours may match the same characters without bound: a long name would take its length squared.
    r"\[(\s*(?:"
    r"(?:just\s+now|\d{1,9}\s*[a-z]{1,9}\s+ago|[a-z]{3,9}\s+\d{1,2},\s+\d{1,2}:\d{2}|reply\s+context)\s*"
    r"|(?:\d{1,9}\s+earlier|history\s+between)[^\[\]]*"
    r"))\]",
    re.IGNORECASE,
)
_NAME_COLON: Final = re.compile(r":(?=\s|$)|(?<=says):", re.IGNORECASE)


def _picture(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\u2039U+{code:04X}\u203a"


def _show_hidden(found: re.Match[str]) -> str:
    return found[0] if found[1] is not None else _picture(found[0])


def show_text(text: str) -> str:
    """Defuse a text of one or more lines. CR LF counts as one line feed; no other line break is left."""
    if text.isascii() and text.isprintable():
        return _KIND.sub(OPENING_BRACKET, text) if "[" in text else text
    text = text.replace("\r\n", "\n")
    if _HIDDEN.search(text):
        text = _hidden_or_proper().sub(_show_hidden, text)
    return _KIND.sub(OPENING_BRACKET, text) if "[" in text else text


def show_line(text: str) -> str:
    """Defuse a text that belongs on one line: a title, a file name, a channel's name."""
    return show_text(text).replace("\n", "\u240a").replace("\t", "\u2409")


def show_name(text: str) -> str:
    """Defuse the name of a speaker, so that `name(id): ` after it can be read in one way only."""
    text = show_line(text)
    if _NAME_SYNTAX.search(text) is None:
        return text
    text = _NAME_ID.sub("\uff08\\1\uff09", text)
    text = _NAME_STAMP.sub(f"{OPENING_BRACKET}\\1{CLOSING_BRACKET}", text)
    return _NAME_COLON.sub("\uff1a", text)


def is_blank(text: str) -> bool:
    """Say whether there is nothing to see in a text: it is empty, or blanks of any width, an empty braille cell too."""
    return _SEEN.search(text) is None


def escape_json(document: str) -> str:
    r"""Write the hidden characters of a JSON document as `\uXXXX` (they stand inside strings only)."""
    if _HIDDEN.search(document) is None:
        return document
    return _hidden_or_proper().sub(
        lambda found: found[0] if found[1] is not None else _unicode_escape(found[0]), document
    )


def _unicode_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def indent(text: str) -> str:
    """Indent a message's further lines by two blanks, empty ones too: a line of ours never begins with a blank."""
    return text.replace("\n", "\n  ") if "\n" in text else text


class Guard(NamedTuple):
    """What is done to text that people wrote before it is shown: texts, single lines, names of speakers."""

    text: Callable[[str], str]
    line: Callable[[str], str]
    name: Callable[[str], str]


def _verbatim(text: str) -> str:
    return text


SHOWN: Final = Guard(show_text, show_line, show_name)
"""For text that a model or a terminal reads as it is."""

VERBATIM: Final = Guard(_verbatim, _verbatim, _verbatim)
"""For JSON, whose structure can't be imitated from within a string, and which `escape_json` makes visible."""
