import json
from datetime import timedelta

from junkie_cli.coverage import Range
from junkie_cli.prompt.chat import EXPLANATION, lay_out_chat
from junkie_cli.prompt.conversation import Conversation, ReplyTarget
from junkie_cli.prompt.formats import FORMATS, lay_out
from tests.unit.prompt.samples import clock, conversation, message, message_id

HOUR = timedelta(hours=1)
BOT = 999


def chat(talk: Conversation, dropped: int = 0) -> list[tuple[str, str]]:
    messages = json.loads(lay_out_chat(talk, clock(), bot_ids={BOT}).compose(dropped))
    assert all(set(one) == {"role", "content"} for one in messages)
    return [(one["role"], one["content"]) for one in messages]


def test_a_whole_conversation() -> None:
    question = message("Bob", 222, "two\nlines", age=2 * HOUR)
    answer = message("Helper", BOT, "so\nit is", age=HOUR, type=19, reply_to=question.message_id)
    talk = conversation(
        [question, answer, message("Helper", BOT, age=HOUR, number=1)],
        reply=ReplyTarget(answer.message_id, answer),
        gaps=[Range(message_id(HOUR / 2), message_id(HOUR / 4))],
    )
    assert chat(talk) == [
        (
            "system",
            (
                "Channel ID: 1234567890\nChannel: general\nGuild: My Server\n----\nCurrent Time: 2026-03-04 15:30:00 UTC\n"
                f"Timestamps are relative to this time.\n\n{EXPLANATION}"
            ),
        ),
        ("user", "[2h ago] Bob(222): two\n  lines"),
        ("assistant", "so\nit is"),
        ("assistant", "[Empty message]"),
        ("user", "[history between 2026-03-04 20:30:00 and 2026-03-04 20:45:00 is not archived]"),
        (
            "user",
            (
                "[REPLY CONTEXT]\nThe user is replying to:\n[1h ago] Helper(999): so\n  it is [Reply: to Bob(222), 2h ago]\n----------------\n\n"
                "[just now] Alice(111) says: Great! Let me know when it's ready"
            ),
        ),
    ]


def test_what_is_cut() -> None:
    talk = conversation([message("Bob", 222, "x", age=HOUR), message("Bob", 222, "y", age=HOUR, number=1)])
    assert [content for _, content in chat(talk, 1)[1:3]] == ["[1 earlier message omitted]", "[1h ago] Bob(222): y"]
    assert [role for role, _ in chat(talk, 2)] == ["system", "user", "user"]


def test_the_current_message_is_the_users_even_if_the_bot_wrote_it() -> None:
    talk = conversation(current=message("Helper", BOT, "hm", number=9))
    assert chat(talk)[-1] == ("user", "[just now] Helper(999) says: hm")


def test_every_format_has_a_name() -> None:
    openings = [lay_out(conversation(), clock(), style, bot_ids={BOT}).compose(0)[:4] for style in FORMATS]
    assert openings == ["Chan", "{\n  ", "[\n  "]
