"""`junkie context` at work: find the channel, read, ask Discord where that is due, write the prompt.

Invariant: stdout gets the prompt's bytes and nothing else, and none at all if the command fails.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from junkie_cli import snowflake
from junkie_cli.cli.context import ContextOptions
from junkie_cli.cli.delivery import deliver
from junkie_cli.cli.naming import find_id, read_message_id
from junkie_cli.cli.output import note
from junkie_cli.cli.reading import Question, Reading, read
from junkie_cli.config import Settings
from junkie_cli.db.history import History, open_history
from junkie_cli.errors import (
    ChannelError,
    ChannelForbidden,
    ChannelNotFound,
    DiscordUnavailable,
    JunkieError,
    UsageError,
)
from junkie_cli.ingest.window import Lack, Window, assess
from junkie_cli.models import ChannelType, Message
from junkie_cli.prompt.timestamps import Clock
from junkie_cli.reference import Asked, Wanted

if TYPE_CHECKING:
    from junkie_cli.db.history import Key
    from junkie_cli.ingest.events import Emit, Event

_REPLY: Final = 19
_TELL_EVERY: Final = 1000


class Retrieved(NamedTuple):
    """What was read, and why Discord could not be asked if it should have been."""

    reading: Reading
    trouble: JunkieError | None = None


async def run(
    settings: Settings, options: ContextOptions, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> int:
    """Write the prompt; returns the exit code. Raises UsageError, ChannelError, and what the database and Discord raise."""
    async with open_history(settings) as history:
        question = ask(options, await find_id(Asked(options.channel, Wanted.MESSAGES), history.fetch), now())
        retrieved = await retrieve(settings, options, history, question)
        await require(retrieved, history)
    reading = retrieved.reading
    tell(settings, options, retrieved)
    moment = options.as_of or now()
    if question.given is not None:
        # However long Discord took to answer, it was said just now.
        moment = min(moment, snowflake.to_datetime(question.given.message_id))
    deliver(settings, options, reading, Clock(moment, options.zone))
    return 0


def ask(options: ContextOptions, channel_id: int, now: datetime) -> Question:
    """Return what the prompt is to be made of. Raises UsageError for ids that make no sense here."""
    before = None if options.as_of is None else snowflake.from_datetime(options.as_of)
    message_id = None if options.message is None else read_message_id(options.message, channel_id, "message")
    given = None
    if options.given is not None:
        reply_to = None
        if options.given.reply_to is not None:
            reply_to = read_message_id(options.given.reply_to, channel_id, "reply-to")
        given = Message(
            channel_id,
            snowflake.from_datetime(options.as_of or now),
            options.given.author_id,
            options.given.author_name,
            options.given.text,
            type=0 if reply_to is None else _REPLY,
            reply_to=reply_to,
        )
    for option, snowflake_id in (("message", message_id), ("reply-to", given.reply_to if given else None)):
        if before is not None and snowflake_id is not None and snowflake_id >= before:
            raise UsageError(
                f"--{option}: message {snowflake_id} was not posted before --as-of", hint="give a later moment"
            )
    window = Window(
        channel_id=channel_id,
        most=options.limit,
        floor=options.since or 0,
        before=before,
        message_id=message_id,
        answers_newest=message_id is None and given is None,
    )
    return Question(
        window=window,
        given=given,
        starter=options.starter,
        as_of=options.as_of,
        bots=options.style == "messages" and not options.bot_ids,
    )


async def retrieve(settings: Settings, options: ContextOptions, history: History, question: Question) -> Retrieved:
    """Read the archive, and once more after Discord was asked for what it lacks."""
    reading = await read(history, question)
    lack = lacking(reading, options)
    if lack and not options.offline and settings.token is not None:
        return await fill(settings, options, history, reading)
    return Retrieved(reading)


async def fill(settings: Settings, options: ContextOptions, history: History, reading: Reading) -> Retrieved:
    """Ask Discord for what a reading lacks, and read again. What Discord refuses leaves what there is."""
    # These import discord.py.
    from junkie_cli.cli.runtime import opened
    from junkie_cli.ingest.filling import Filler, FillOptions

    question = reading.question
    store = FillOptions(
        concurrency=settings.concurrency,
        max_fetch_limit=settings.max_fetch_limit,
        parallel_batches=settings.parallel_batches,
        on_delete=settings.on_delete,
        keep_revisions=settings.keep_revisions,
    )
    absent: frozenset[Key] = frozenset()
    try:
        async with opened(settings, "context") as tools:
            filler = Filler(question.window, tools.discord, tools.database, tools.presence, store, reporter())
            try:
                if lacking(reading, options).window:
                    await filler.fill_window()
                    reading = await read(history, question, filler.absent)
                # What the current message answers may only be known once that one is there.
                lack = lacking(reading, options)
                if await filler.fetch_singles(lack.singles | lack.beside):
                    reading = await read(history, question, filler.absent)
            finally:
                absent = frozenset(filler.absent)
    except (ChannelError, DiscordUnavailable) as error:
        return Retrieved(await read(history, question, absent), error)
    return Retrieved(reading)


def lacking(reading: Reading, options: ContextOptions) -> Lack:
    """Return what the archive lacks of a reading."""
    question = reading.question
    return assess(
        question.window,
        reading.place,
        reading.messages,
        max_age=options.max_age,
        current_missing=question.window.message_id is not None
        and reading.current is None
        and not reading.current_absent,
        singles=reading.missing,
        beside=reading.beside,
    )


def reporter() -> "Emit":
    """Return what says on stderr how far a long fetch has come."""
    from junkie_cli.ingest.events import PageStored

    fetched = 0

    def emit(event: "Event") -> None:
        nonlocal fetched
        if isinstance(event, PageStored):
            before, fetched = fetched, fetched + event.fetched
            if before // _TELL_EVERY != fetched // _TELL_EVERY:
                note(f"{fetched} messages of {event.name} fetched so far")

    return emit


async def require(retrieved: Retrieved, history: History) -> None:
    """See that there is something to make a prompt of.

    Raises UsageError for what does not exist, ChannelError for what is not archived or can't be read, and DiscordError
    where only Discord could have told.
    """
    reading, trouble = retrieved.reading, retrieved.trouble
    window, channel = reading.question.window, reading.place.channel
    hint = f"archive it with `junkie backfill --channel {window.channel_id}`, or let the command ask Discord"
    if channel is not None and not channel.holds_messages:
        raise UsageError(
            f"{channel.channel_id} ('{channel.name}') holds no messages of its own",
            hint="name one of its posts" if channel.type in ChannelType.HOLD_ONLY_THREADS else "name a channel in it",
        )
    if channel is None and not reading.messages and (reading.current is None or reading.question.given is not None):
        if isinstance(trouble, ChannelNotFound):
            raise UsageError(
                f"channel {window.channel_id} does not exist", hint="copy its id again; a deleted channel has none"
            )
        raise trouble or UsageError(
            f"the archive knows no channel {window.channel_id}", hint=f"correct the id, or {hint}"
        )
    if reading.reply is not None and reading.reply.message is None and reading.question.given is not None:
        await _require_own(history, window.channel_id, reading.reply.message_id)
    if reading.current is None:
        await _explain(retrieved, history, hint)


async def _explain(retrieved: Retrieved, history: History, hint: str) -> NoReturn:
    """Raise what says why there is no current message; `hint` is what to do about what is not archived."""
    reading, trouble = retrieved.reading, retrieved.trouble
    window = reading.question.window
    if window.message_id is not None:
        await _require_own(history, window.channel_id, window.message_id)
        if reading.current_absent:
            raise UsageError(
                f"channel {window.channel_id} has no message {window.message_id}",
                hint="it was deleted, or is another channel's",
            )
    if trouble is not None:
        raise trouble
    if window.message_id is not None:
        raise ChannelError(f"message {window.message_id} is not archived", hint=hint)
    if (reason := reading.place.state.unreadable) is not None:
        raise ChannelForbidden(f"channel {window.channel_id} can't be read: {reason}", hint="grant the bot that right")
    if reading.gaps or reading.place.state.last_updated is None:
        raise ChannelError(f"nothing of channel {window.channel_id} is archived", hint=hint)
    raise UsageError(
        f"channel {window.channel_id} has no message to answer" + (" before --as-of" if window.before else ""),
        hint="give one with --prompt TEXT",
    )


async def _require_own(history: History, channel_id: int, message_id: int) -> None:
    """Raise UsageError if the archive has a message that the channel lacks in another one."""
    if (other := await history.elsewhere(channel_id, message_id)) is not None:
        raise UsageError(
            f"channel {channel_id} has no message {message_id}", hint=f"it is one of #{other[1]} ({other[0]})"
        )


def tell(settings: Settings, options: ContextOptions, retrieved: Retrieved) -> None:
    """Say on stderr what a reader of the prompt should know of its source."""
    reading, state = retrieved.reading, retrieved.reading.place.state
    source = "nothing of this channel was ever archived"
    if (checked := state.checked_at or state.last_updated) is not None:
        source = f"this is the archive as of {_shown(checked)}"
    if retrieved.trouble is not None:
        note(f"{retrieved.trouble.message}; {source}")
    elif options.offline or settings.token is None:
        if options.offline and lacking(reading, options):
            note(f"Discord was not asked (--offline); {source}")
        elif not options.offline:
            note(f"no bot token is set; {source}")
    elif state.unreadable is not None or state.gone_at is not None:
        reason = "the channel no longer exists" if state.unreadable is None else f"can't be read: {state.unreadable}"
        note(f"channel {state.channel_id}: {reason}; {source}")
    if reading.newer_gaps() and not options.strict:
        note("there are newer messages than the current one, which are not archived")
    if options.as_of is not None:
        _tell_changes(reading, options.as_of, kept=settings.keep_revisions)


def _tell_changes(reading: Reading, as_of: datetime, *, kept: bool) -> None:
    """Say what of a past moment is not as it was."""
    changes = f"{reading.edited_since} edited, {reading.deleted_since} deleted since"
    if not kept:
        note(
            f"as of {_shown(as_of)}: earlier texts are not kept (JUNKIE_KEEP_REVISIONS=0), so later edits and deletions "
            f"show: {changes}"
        )
    elif reading.edited_since or reading.deleted_since:
        note(f"as of {_shown(as_of)}: not every earlier text was kept, so later edits and deletions show: {changes}")


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
