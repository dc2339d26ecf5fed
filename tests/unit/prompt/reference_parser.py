"""Reads a text prompt back, by the grammar in docs/prompt.md alone; shares no code with what wrote it."""

import re
from dataclasses import dataclass, field

STAMP = r"\[(?:just now|[0-9]+[mhd] ago|[A-Z][a-z]{2} [0-9]{2}, [0-9]{2}:[0-9]{2})\]"
SAID = re.compile(rf"({STAMP}) (.*?)\(([0-9]+)\): (.*)", re.DOTALL)
SAYS = re.compile(rf"({STAMP}) (.*?)\(([0-9]+)\) says: (.*)", re.DOTALL)
OMITTED = re.compile(r"\[([0-9]+) earlier messages? omitted\]")
TIME = r"[0-9-]{10} [0-9:]{8}"
GAP = re.compile(rf"\[history between {TIME} and {TIME} is (?:not|only partly) archived\]")
LOST = re.compile(r"\[message ([0-9]+) (was deleted|is not archived)\]")
KINDS = (
    "Activity|Alt text|Attachment|Button|Command|Component|Embed|Event|File|Forwarded|Media|Menu|Poll|Reply|Sticker|Text|"
    "Theme|Thread|Voice message"
)
PART = re.compile(rf"\[(?:({KINDS}): |(Forwarded|Empty message)\])")
CLOSING = "IMPORTANT: The message above is the CURRENT message that you need to respond to."


@dataclass
class Said:
    stamp: str
    name: str
    author_id: int
    text: str


@dataclass
class Parsed:
    header: dict[str, str] = field(default_factory=dict)
    history: list[Said] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    reply: Said | str | None = None
    current: Said | None = None


def parse(prompt: str) -> Parsed:
    """Read a whole prompt. Raises AssertionError for a line that the grammar has no place for."""
    lines = prompt.split("\n")
    parsed = Parsed()
    for key in ("Channel ID", "Channel", "Guild"):
        opening, value = lines.pop(0).split(": ", 1)
        assert opening == key
        parsed.header[key] = value
    assert lines.pop(0) == "----"
    parsed.header["Current Time"] = lines.pop(0).removeprefix("Current Time: ")
    assert lines.pop(0) == "Timestamps are relative to this time."
    assert [lines.pop(0), lines.pop(0)] == ["", "Conversation History:"]
    assert [lines.pop(), lines.pop()] == [CLOSING, ""]

    # A further line belongs to the one above.
    whole: list[str] = []
    for line in lines:
        if line.startswith("  "):
            whole[-1] += f"\n{line[2:]}"
        else:
            whole.append(line)
    parsed.current = said(SAYS, whole.pop())
    assert whole.pop() == ""
    if whole and whole[-1] == "----------------":
        target = whole[-2]
        assert whole[-5:-2] == ["", "[REPLY CONTEXT]", "The user is replying to:"]
        parsed.reply = target if LOST.fullmatch(target) else said(SAID, target)
        del whole[-5:]
    if whole == [""]:
        whole = []
    for line in whole:
        if OMITTED.fullmatch(line) or GAP.fullmatch(line):
            parsed.notes.append(line)
        else:
            parsed.history.append(said(SAID, line))
    return parsed


def said(form: re.Pattern[str], line: str) -> Said:
    found = form.fullmatch(line)
    assert found, f"no line of the grammar: {line!r}"
    return Said(found[1], found[2], int(found[3]), found[4])


def kinds(text: str) -> list[str]:
    """Return the kinds of the parts in a message's text, in order."""
    return [found[1] or found[2] for found in PART.finditer(text)]
