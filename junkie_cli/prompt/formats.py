"""The formats of a prompt, by the names that `junkie context --format` takes."""

from collections.abc import Collection
from typing import Final, Literal

from junkie_cli.prompt.conversation import Conversation
from junkie_cli.prompt.layout import Layout
from junkie_cli.prompt.text import lay_out_text
from junkie_cli.prompt.timestamps import Clock

Format = Literal["text", "json", "messages"]
FORMATS: Final[tuple[Format, ...]] = ("text", "json", "messages")


def lay_out(
    conversation: Conversation, clock: Clock, style: Format, *, bot_ids: Collection[int] = frozenset()
) -> Layout:
    """Lay out a conversation in that format; `bot_ids` are the authors whose messages are the assistant's."""
    match style:
        case "text":
            return lay_out_text(conversation, clock)
        case "json":
            from junkie_cli.prompt.document import lay_out_json

            return lay_out_json(conversation, clock)
        case "messages":
            from junkie_cli.prompt.chat import lay_out_chat

            return lay_out_chat(conversation, clock, bot_ids=bot_ids)
