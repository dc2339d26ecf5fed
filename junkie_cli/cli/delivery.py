"""The prompt on its way out: laid out, cut to its budget, counted, written to stdout byte by byte."""

import base64
import binascii
import sys

from junkie_cli.cli.context import ContextOptions
from junkie_cli.cli.output import note, product, writing
from junkie_cli.cli.reading import Reading
from junkie_cli.config import Settings
from junkie_cli.errors import ChannelError
from junkie_cli.prompt.budget import Prompt, fit, write
from junkie_cli.prompt.conversation import Conversation
from junkie_cli.prompt.formats import lay_out
from junkie_cli.prompt.layout import gaps_after, place_gaps
from junkie_cli.prompt.text import gap_note
from junkie_cli.prompt.timestamps import Clock
from junkie_cli.prompt.tokens import Counter, find_counter


def deliver(settings: Settings, options: ContextOptions, reading: Reading, clock: Clock) -> None:
    """Lay out, cut and write. Raises UsageError for a budget that is too small, ChannelError for a gap with `--strict`."""
    conversation = reading.conversation()
    bot_ids = find_bots(settings, options, reading) if options.style == "messages" else frozenset()
    layout = lay_out(conversation, clock, options.style, bot_ids=bot_ids)
    counter = find_counter() if options.count or options.max_tokens is not None else None
    if counter is not None and not counter.exact:
        note("tokens are estimated; `pip install 'junkie-cli[tokens]'` makes them exact")
    if counter is not None and options.max_tokens is not None:
        prompt = fit(layout, options.max_tokens, counter.count)
    else:
        prompt = write(layout, counter.count if counter else None)
    if options.strict:
        refuse_gaps(reading, conversation, prompt, clock)
    if counter is not None and options.count:
        product(counted(prompt, counter))
    else:
        write_out(prompt.text)


def refuse_gaps(reading: Reading, conversation: Conversation, prompt: Prompt, clock: Clock) -> None:
    """Raise ChannelError if the prompt shows a gap, or messages newer than its current one are known to be missing."""
    gaps = [gap_note(gap, clock)[1:-1] for gap in gaps_after(place_gaps(conversation), conversation, prompt.dropped)]
    if reading.newer_gaps():
        gaps.append("there are newer messages than the current one, which are not archived")
    if gaps:
        channel_id = conversation.channel_id
        raise ChannelError(
            f"channel {channel_id}: {'; '.join(gaps[:3])}",
            hint=f"run `junkie backfill --channel {channel_id}`, or leave out --strict",
        )


def find_bots(settings: Settings, options: ContextOptions, reading: Reading) -> frozenset[int]:
    """Return whose messages are the assistant's: as named, else the token's bot, else the only bot that speaks."""
    if options.bot_ids:
        return options.bot_ids
    if settings.token is not None and (own := bot_of(settings.token.reveal())) is not None:
        return frozenset({own})
    speaking = reading.naming.bots & {message.author_id for message in reading.history}
    if len(speaking) > 1:
        note("several bots speak here: say with --bot-id which of them is the assistant")
        return frozenset()
    return speaking


def bot_of(token: str) -> int | None:
    """Return the account's id that a bot token begins with, in base64; None if it does not."""
    first = token.partition(".")[0]
    try:
        digits = base64.b64decode(first + "=" * (-len(first) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
    return int(digits) if digits.isdigit() and len(digits) < 20 else None


def counted(prompt: Prompt, counter: Counter) -> str:
    """Return what `--count` prints. The current message is one of the messages."""
    return f"messages: {prompt.shown + 1}\ncharacters: {len(prompt.text)}\ntokens: {prompt.tokens} ({counter.name})"


def write_out(text: str) -> None:
    """Write the prompt's bytes to stdout, whatever that is. Raises JunkieError if it can't be written."""
    if sys.stdout is None:
        return
    with writing():
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
