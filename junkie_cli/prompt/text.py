"""The text format: the original's, to the letter, with the archive's own notes as lines of their own.

Every line begins in a way that only lines of ours can: a message's with a stamp and `name(id): `, a note's with a bracket
and fixed words, a message's further lines with two blanks. `docs/prompt.md` has the grammar.
"""

from collections.abc import Iterable, Iterator

from junkie_cli import snowflake
from junkie_cli.models import Message
from junkie_cli.prompt.conversation import DM, Conversation, Gap, ReplyTarget
from junkie_cli.prompt.events import ORDINARY
from junkie_cli.prompt.layout import Layout, gaps_after, place_gaps
from junkie_cli.prompt.readable import EMPTY, read
from junkie_cli.prompt.safety import SHOWN, indent
from junkie_cli.prompt.timestamps import Clock
from junkie_cli.prompt.view import View

CLOSING = "IMPORTANT: The message above is the CURRENT message that you need to respond to."


def lay_out_text(conversation: Conversation, clock: Clock) -> Layout:
    """Lay out a conversation as the text prompt."""
    view = conversation.view(clock, SHOWN)
    pieces = list(history_lines(conversation.history, view))
    gaps = place_gaps(conversation)
    head = f"{header(conversation, clock)}\n\nConversation History:"
    tail = f"{closing_block(conversation, view)}\n\n{CLOSING}"

    def compose(dropped: int) -> str:
        lines = [head]
        if omitted := conversation.omitted + dropped:
            lines.append(omitted_note(omitted))
        done = dropped
        for gap in gaps_after(gaps, conversation, dropped):
            index = max(gap.index, dropped)
            lines += pieces[done:index]
            lines.append(gap_note(gap, clock))
            done = index
        lines += pieces[done:]
        if len(lines) == 1:
            # The original leaves the line of an empty history blank.
            lines.append("")
        lines.append(tail)
        return "\n".join(lines)

    return Layout(pieces, compose)


def header(conversation: Conversation, clock: Clock) -> str:
    """Return the lines that say where and when, without a line break at the end."""
    return (
        f"Channel ID: {conversation.channel_id}\n"
        f"Channel: {SHOWN.line(conversation.channel_name or DM)}\n"
        f"Guild: {SHOWN.line(conversation.guild_name or DM)}\n"
        "----\n"
        f"Current Time: {clock.current()}\n"
        "Timestamps are relative to this time."
    )


def history_lines(history: Iterable[Message], view: View) -> Iterator[str]:
    """Yield each message as it stands in the history: `[2h ago] name(id): text`, further lines indented."""
    stamp, label = view.clock.stamp, view.label
    for message in history:
        content = message.content
        # Most messages are one plain line; for them nothing needs to be looked at twice.
        if (
            message.extra is None
            and message.reply_to is None
            and message.type in ORDINARY
            and content.isascii()
            and content.isprintable()
            and "<" not in content
            and "[" not in content
            and not content.isspace()
        ):
            text = content or EMPTY
        else:
            text = indent(read(message, view).text)
        at = stamp((message.message_id >> 22) + snowflake.EPOCH_MS)
        yield f"{at} {label(message.author_id, message.author_name)}: {text}"


def closing_block(conversation: Conversation, view: View) -> str:
    """Return the reply target's block, if there is one, and the message to respond to: `[just now] name(id) says: text`."""
    message = conversation.current
    shown = read(message, view)
    # A reply target with a block of its own need not be named again.
    text = shown.without_reply if conversation.reply else shown.text
    stamp = view.clock.stamp(snowflake.to_ms(message.message_id))
    current = f"\n{stamp} {view.label(message.author_id, message.author_name)} says: {indent(text)}"
    return f"{_reply_block(conversation.reply, view)}{current}" if conversation.reply else current


def _reply_block(reply: ReplyTarget, view: View) -> str:
    if reply.message:
        target = next(history_lines([reply.message], view))
    else:
        target = f"[message {reply.message_id} {'was deleted' if reply.deleted else 'is not archived'}]"
    return f"\n[REPLY CONTEXT]\nThe user is replying to:\n{target}\n----------------\n"


def omitted_note(count: int) -> str:
    """Return the line that stands for messages that were cut."""
    return "[1 earlier message omitted]" if count == 1 else f"[{count} earlier messages omitted]"


def gap_note(gap: Gap, clock: Clock) -> str:
    """Return the line that stands for history that the archive lacks."""
    start, end = gap.times()
    lacking = "only partly archived" if gap.partly else "not archived"
    return f"[history between {clock.absolute(start)} and {clock.absolute(end)} is {lacking}]"
