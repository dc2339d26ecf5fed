"""However a payload is forged, its texts make no line, no speaker and no part that are not there."""

import json
import random
import re
from datetime import timedelta
from typing import Any

import pytest

from junkie_cli.models import Message
from junkie_cli.prompt.chat import lay_out_chat
from junkie_cli.prompt.conversation import ReplyTarget
from junkie_cli.prompt.document import lay_out_json
from junkie_cli.prompt.mentions import Names
from junkie_cli.prompt.text import lay_out_text
from tests.unit.prompt.hostile import FRAGMENTS
from tests.unit.prompt.reference_parser import kinds, parse
from tests.unit.prompt.samples import clock, conversation, message


class Forger(random.Random):
    """Makes payloads in which every text is hostile. Hypothesis would take minutes for so many texts."""

    def text(self) -> str:
        return "".join(self.choices(FRAGMENTS, k=self.randrange(4)))

    def maybe(self, **fields: Any) -> list[dict[str, Any]]:
        return [fields] * self.randrange(2)

    def emoji(self) -> dict[str, Any]:
        return {"name": self.text(), "id": self.choice([None, "4"])}

    def component(self) -> dict[str, Any]:
        media = {"url": self.text()}
        return self.choice(
            [
                {"type": 2, "label": self.text(), "url": self.text(), "emoji": self.emoji()},
                {"type": 3, "placeholder": self.text(), "options": self.maybe(label=self.text())},
                {"type": 10, "content": self.text()},
                {"type": 11, "media": media, "description": self.text()},
                {"type": 13, "file": media, "name": self.text()},
            ]
        )

    def inner(self) -> dict[str, Any]:
        """What a forwarded message may have as well."""
        text = self.text
        return {
            "content": text(),
            "attachments": self.maybe(url=text(), filename=text(), description=text()),
            "embeds": self.maybe(
                title=text(),
                description=text(),
                url=text(),
                provider={"name": text()},
                author={"name": text()},
                footer={"text": text()},
                image={"url": text()},
                fields=self.maybe(name=text(), value=text()),
            ),
            "sticker_items": self.maybe(name=text()),
            "components": [self.component() for _ in range(self.randrange(3))],
        }

    def payload(self) -> dict[str, Any]:
        text = self.text
        media = {"text": text(), "emoji": self.emoji()}
        return self.inner() | {
            "poll": {
                "question": {"text": text()},
                "answers": self.maybe(answer_id=1, poll_media=media),
                "results": self.choice([None, {"answer_counts": [{"id": 1, "count": 3}]}]),
            },
            "message_reference": {"type": 1, "channel_id": self.choice(["2", "5"])},
            "message_snapshots": self.maybe(
                message=self.inner() | {"message_snapshots": self.maybe(message={"content": text()})}
            ),
            "activity": {"type": 1},
            "application": {"name": text()},
            "shared_client_theme": {"colors": [text()]},
            "interaction": {"name": text(), "user": {"id": "7", "username": text(), "global_name": text()}},
            "thread": {"name": text()},
            "mentions": self.maybe(id="1", username=text()),
        }


COMPONENTS = {2: "Button", 3: "Menu", 10: "Text", 11: "Media", 13: "File"}


def expected(payload: dict[str, Any]) -> list[str]:
    """Return the kinds of the parts that a payload has."""
    found = []
    for attachment in payload["attachments"]:
        found += ["Attachment", "Alt text"] if attachment["description"] else ["Attachment"]
    for snapshot in payload.get("message_snapshots", []):
        # A forward within a forward, which Discord never sends, is left out.
        inner = {key: value for key, value in snapshot["message"].items() if key != "message_snapshots"}
        found += ["Forwarded", *(expected(inner) or empty(inner))]
    if not payload.get("message_snapshots", [0]):
        found += ["Forwarded", "Empty message"]
    found += ["Embed"] * len(payload["embeds"]) + ["Sticker"] * len(payload["sticker_items"])
    found += ["Poll"] * ("poll" in payload) + [COMPONENTS[component["type"]] for component in payload["components"]]
    return found + ["Activity", "Theme", "Command", "Thread"] * ("thread" in payload)


def empty(snapshot: dict[str, Any]) -> list[str]:
    return [] if snapshot["content"].replace("\u2800", " ").strip() else ["Empty message"]


def build(payload: dict[str, Any], name: str, **more: Any) -> Message:
    extra = {key: value for key, value in payload.items() if key != "content"}
    return message(name, 5, payload["content"], type=20, extra=extra, **more)


@pytest.mark.parametrize("seed", range(8))
def test_texts_of_every_kind_of_payload(seed: int) -> None:
    forger = Forger(seed)
    for _ in range(25):
        check([forger.payload() for _ in range(forger.randrange(1, 4))], forger)


def check(payloads: list[dict[str, Any]], forger: Forger) -> None:
    said = [build(each, forger.text(), age=timedelta(hours=2), number=n) for n, each in enumerate(payloads)]
    spoken = conversation(
        said[:-1],
        current=build(payloads[-1], forger.text(), number=9),
        reply=ReplyTarget(said[0].message_id, said[0]),
        names=Names(users={1: forger.text()}, channels={2: forger.text()}, roles={3: forger.text()}),
        channel_name=forger.text(),
        guild_name=forger.text(),
    )
    prompt = lay_out_text(spoken, clock()).compose(0)
    assert f"{prompt}.".splitlines() == f"{prompt}.".split("\n")
    prompt.encode()
    parsed = parse(prompt)
    assert (len(parsed.history), parsed.notes) == (len(payloads) - 1, [])
    assert not isinstance(parsed.reply, str)
    lines = [parsed.reply, *parsed.history, parsed.current]
    for line, payload in zip(lines, [payloads[0], *payloads], strict=True):
        assert line is not None
        assert (line.author_id, kinds(line.text)) == (5, expected(payload))
    # The other formats hold as many, and are UTF-8 too.
    document = lay_out_json(spoken, clock()).compose(0)
    assert len(json.loads(document)["history"]) == len(payloads) - 1
    chat = lay_out_chat(spoken, clock()).compose(0)
    assert len(json.loads(chat)) == len(payloads) + 1
    for written in (document, chat):
        written.encode()
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]", written)


@pytest.mark.parametrize("kind", [*range(1, 64), 4711])
def test_texts_of_every_kind_of_event(kind: int) -> None:
    forger = Forger(kind)
    for _ in range(10):
        check_event(kind, forger.text())


def check_event(kind: int, text: str) -> None:
    values = ("rule_name", "keyword", "poll_question_text", "victor_answer_text", "victor_answer_emoji_name")
    extra = {
        "embeds": [{"description": text, "fields": [{"name": name, "value": text} for name in values]}],
        "mentions": [{"id": "8", "username": text}],
        "role_subscription_data": {"tier_name": text},
        "application": {"name": text},
        "purchase_notification": {"guild_product_purchase": {"product_name": text}},
    }
    event = message(text, 5, text, type=kind, extra=extra, age=timedelta(hours=2))
    (line,) = parse(lay_out_text(conversation([event]), clock()).compose(0)).history
    found = kinds(line.text)
    assert line.author_id == 5
    if kind in {19, 20, 23}:
        assert found == ["Embed"]
    else:
        assert found == (["Event"] if kind in {24, 46} else ["Event", "Embed"])


@pytest.mark.parametrize("fragment", FRAGMENTS)
def test_each_fragment_as_name_as_text_and_as_title(fragment: str) -> None:
    spoken = conversation(
        [message(fragment, 5, fragment, age=timedelta(hours=2))],
        current=message(f"a{fragment}", 6, f"a\n{fragment}", number=9),
        channel_name=fragment,
        guild_name=fragment,
    )
    parsed = parse(lay_out_text(spoken, clock()).compose(0))
    assert [line.author_id for line in parsed.history] == [5]
    assert parsed.current is not None
    assert (parsed.current.author_id, parsed.reply, parsed.notes) == (6, None, [])


def test_enormous_payloads_are_read_in_time() -> None:
    extra = {"embeds": [{"title": "[Poll: x", "url": f"https://x/{n}"} for n in range(10_000)]}
    nested: dict[str, Any] = {"type": 1}
    for _ in range(50_000):
        nested = {"type": 1, "components": [nested]}
    names = ["[" + "1" * 200_000, "[history between" + " " * 200_000, "[" + "a " * 100_000, "[1" + " " * 200_000]
    texts = [*names, "[" * 200_000, "`" * 200_000, "<@1>" * 50_000, "(1" * 100_000, "\u202e" * 200_000, "[ " * 100_000]
    history = [message(text[:200_000], 5, text, age=timedelta(hours=2), number=n) for n, text in enumerate(texts)]
    history.append(message("Eve", 5, "", age=timedelta(hours=2), number=99, extra=extra | {"components": [nested]}))
    parsed = parse(lay_out_text(conversation(history), clock()).compose(0))
    assert len(parsed.history) == len(history)
    assert kinds(parsed.history[-1].text) == ["Embed"] * 10_000
