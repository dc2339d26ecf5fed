"""Whatever people write: a prompt, parsed back, has exactly the speakers and messages that went in."""

import json
import re
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from junkie_cli import snowflake
from junkie_cli.coverage import Range
from junkie_cli.models import Message
from junkie_cli.prompt.chat import lay_out_chat
from junkie_cli.prompt.conversation import Conversation, ReplyTarget
from junkie_cli.prompt.document import lay_out_json
from junkie_cli.prompt.text import lay_out_text
from tests.unit.prompt.hostile import PLAIN
from tests.unit.prompt.reference_parser import GAP, OMITTED, SAID, SAYS, Said, parse, said
from tests.unit.prompt.samples import CHANNEL, NOW, clock

AUTHOR = st.integers(0, snowflake.MAX)
AGE = st.integers(0, 20 * 86_400_000)
FULL_WIDTH = str.maketrans("\uff3b\uff3d\uff08\uff09\uff1a", "[]():")
SPEAKER = st.tuples(AUTHOR, PLAIN)


def plain(shown: str) -> str:
    """Undo the documented substitutions, or make a text comparable with one that had them undone."""
    shown = re.sub("\u2039U\\+([0-9A-F]{4,6})\u203a", lambda found: chr(int(found[1], 16)), shown)
    shown = re.sub("[\u2400-\u241f]", lambda found: chr(ord(found[0]) - 0x2400), shown).replace("\u2421", "\x7f")
    return shown.translate(FULL_WIDTH)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    said = draw(st.lists(st.tuples(AGE, SPEAKER, PLAIN), max_size=5, unique_by=lambda one: one[0]))
    history = [message(age, speaker, text) for age, speaker, text in sorted(said, key=lambda one: -one[0])]
    edges = sorted(draw(st.lists(AGE, max_size=4, unique=True)), reverse=True)
    gaps = [Range(at(older), at(newer)) for older, newer in zip(edges[::2], edges[1::2], strict=False)]
    target = message(draw(AGE), draw(SPEAKER), draw(PLAIN))
    replies = [None, ReplyTarget(target.message_id, target), ReplyTarget(7, deleted=True), ReplyTarget(7)]
    return Conversation(
        channel_id=CHANNEL,
        channel_name=draw(st.none() | PLAIN),
        guild_id=1,
        guild_name=draw(st.none() | PLAIN),
        current=message(-1, draw(SPEAKER), draw(PLAIN)),
        history=history,
        reply=draw(st.sampled_from(replies)),
        gaps=gaps,
        omitted=draw(st.integers(0, 3)),
    )


def at(age_ms: int) -> int:
    return snowflake.from_datetime(NOW - timedelta(milliseconds=age_ms))


def message(age_ms: int, speaker: tuple[int, str], text: str, **extra: Any) -> Message:
    return Message(CHANNEL, at(age_ms), speaker[0], speaker[1], text, extra=extra or None)


def seen(text: str) -> str:
    """Return what of a text can be seen; an empty braille cell can't."""
    return text.replace("\u2800", " ").strip()


def same(parsed: Said | str | None, original: Message) -> None:
    assert isinstance(parsed, Said)
    assert parsed.author_id == original.author_id
    assert plain(parsed.name) == plain(
        original.author_name.replace("\r\n", "\n") if seen(original.author_name) else "Unknown"
    )
    assert parsed.stamp == clock().stamp(snowflake.to_ms(original.message_id))
    if parsed.text == "[Empty message]":
        assert not seen(original.content)
    else:
        assert plain(parsed.text) == plain(original.content.replace("\r\n", "\n"))


@given(conversations())
def test_text(talk: Conversation) -> None:
    prompt = lay_out_text(talk, clock()).compose(0)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", prompt)
    parsed = parse(prompt)
    assert len(parsed.history) == len(talk.history)
    for got, original in zip(parsed.history, talk.history, strict=True):
        same(got, original)
    same(parsed.current, talk.current)
    assert len(parsed.notes) == len(talk.gaps) + bool(talk.omitted)
    if talk.reply is None:
        assert parsed.reply is None
    elif talk.reply.message:
        same(parsed.reply, talk.reply.message)
    else:
        assert parsed.reply == f"[message 7 {'was deleted' if talk.reply.deleted else 'is not archived'}]"
    assert plain(parsed.header["Channel"]) == plain((talk.channel_name or "DM").replace("\r\n", "\n"))


@given(conversations())
def test_chat(talk: Conversation) -> None:
    bots = {original.author_id for original in talk.history[::2]}
    messages = json.loads(lay_out_chat(talk, clock(), bot_ids=bots).compose(0))
    assert messages[0]["role"] == "system"
    history = list(talk.history)
    for shown in messages[1:-1]:
        content = shown["content"]
        if shown["role"] == "assistant":
            original = history.pop(0)
            assert original.author_id in bots
            assert content == "[Empty message]" or plain(content) == plain(original.content.replace("\r\n", "\n"))
        elif not (OMITTED.fullmatch(content) or GAP.fullmatch(content)):
            assert all(line.startswith("  ") for line in content.split("\n")[1:])
            same(said(SAID, content.replace("\n  ", "\n")), history.pop(0))
    assert not history
    assert messages[-1]["role"] == "user"
    last = re.split(r"\n(?!  )", messages[-1]["content"])[-1]
    same(said(SAYS, last.replace("\n  ", "\n")), talk.current)


@given(conversations())
def test_json(talk: Conversation) -> None:
    document = lay_out_json(talk, clock()).compose(0)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", document)
    read = json.loads(document)
    assert len(read["history"]) == len(talk.history)
    for got, original in zip([*read["history"], read["current"]], [*talk.history, talk.current], strict=True):
        # Two lone halves of a surrogate pair are, in JSON, the character that they make.
        assert got["author"] == json.loads(json.dumps({"id": str(original.author_id), "name": original.author_name}))
        assert got["text"] == json.loads(json.dumps(original.content))
        assert got["id"] == str(original.message_id)
        assert got["text"].strip() or got["parts"] == ["[Empty message]"]
