"""The chat format: an array of messages with roles, as chat-completions interfaces take it.

What people said are `user` messages, each one line of the text format (its further lines indented), so that even an
interface that joins neighbouring messages can't make one speaker's text into another's. What the bot itself said are
`assistant` messages, bare: with a stamp, a model would learn to write stamps. Notes of ours are `user` messages that begin
with a bracket and fixed words, as no speaker's can.
"""

from collections.abc import Collection

from junkie_cli.prompt.conversation import Conversation
from junkie_cli.prompt.document import dump
from junkie_cli.prompt.layout import Layout, gaps_after, place_gaps
from junkie_cli.prompt.readable import read
from junkie_cli.prompt.safety import SHOWN
from junkie_cli.prompt.text import closing_block, gap_note, header, history_lines, omitted_note
from junkie_cli.prompt.timestamps import Clock

EXPLANATION = (
    "Each line of the conversation begins with its time, its speaker and the speaker's id: [time] Name(id): text. "
    "Indented lines belong to the line above. Your own messages have neither. The last message is the CURRENT message "
    "that you need to respond to."
)


def lay_out_chat(conversation: Conversation, clock: Clock, *, bot_ids: Collection[int] = frozenset()) -> Layout:
    """Lay out a conversation as a JSON array of chat messages; those of the authors `bot_ids` are the assistant's."""
    view = conversation.view(clock, SHOWN)
    pieces = []
    for message, line in zip(conversation.history, history_lines(conversation.history, view), strict=True):
        if message.author_id in bot_ids:
            pieces.append(_chat("assistant", read(message, view).without_reply))
        else:
            pieces.append(_chat("user", line))
    gaps = place_gaps(conversation)
    system = _chat("system", f"{header(conversation, clock)}\n\n{EXPLANATION}")
    current = _chat("user", closing_block(conversation, view).removeprefix("\n"))

    def compose(dropped: int) -> str:
        messages = [system]
        if omitted := conversation.omitted + dropped:
            messages.append(_chat("user", omitted_note(omitted)))
        done = dropped
        for gap in gaps_after(gaps, conversation, dropped):
            index = max(gap.index, dropped)
            messages += pieces[done:index]
            messages.append(_chat("user", gap_note(gap, clock)))
            done = index
        messages += pieces[done:]
        messages.append(current)
        return "[\n" + ",\n".join(messages) + "\n]"

    return Layout(pieces, compose)


def _chat(role: str, content: str) -> str:
    return "  " + dump({"role": role, "content": content})
