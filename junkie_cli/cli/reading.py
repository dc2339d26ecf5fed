"""What the archive has for one prompt: read from one snapshot, and made into a conversation.

Invariant: the current message is not in the history, nothing of the history or among what it refers to is later than it,
and all of it is of one moment of the archive.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final, NamedTuple

from junkie_cli.coverage import Range
from junkie_cli.db.history import History, Key, Naming, Place, Singles, Snapshot, Stretch
from junkie_cli.ingest.window import Window
from junkie_cli.models import ChannelType, Message
from junkie_cli.prompt.conversation import Conversation, ReplyTarget
from junkie_cli.prompt.mentions import Names, Wanted, wanted
from junkie_cli.prompt.past import without_later
from junkie_cli.prompt.readable import reply_target

_UNKNOWN: Final = "unknown"


class Question(NamedTuple):
    """What a prompt is to be made of.

    `given` is the current message if it is a text of the user's, not the archive's. `starter` says that a thread begins
    with the message that it was started on. `as_of` is a moment of the past whose texts are wanted, `bots` that it should
    be found out which accounts are bots.
    """

    window: Window
    given: Message | None = None
    starter: bool = True
    as_of: datetime | None = None
    bots: bool = False


class Reading(NamedTuple):
    """What the archive has of it. `messages` are those of the window, oldest first, the current one among them or not.

    `current_absent` says that the wanted current message is known not to exist. `missing` are the keys of messages that the
    prompt needs and of which nothing is known; `beside` of those that would be good to have. `edited_since` and
    `deleted_since` count what is not as it was.
    """

    question: Question
    place: Place
    messages: list[Message]
    naming: Naming
    known: dict[int, Message]
    current: Message | None
    current_absent: bool = False
    starter: Message | None = None
    reply: ReplyTarget | None = None
    deleted: frozenset[int] = frozenset()
    missing: frozenset[Key] = frozenset()
    beside: frozenset[Key] = frozenset()
    edited_since: int = 0
    deleted_since: int = 0

    @property
    def history(self) -> list[Message]:
        """The messages before the current one, the thread's starter first."""
        history = self.messages
        if self.question.window.answers_newest and history:
            history = history[:-1]
        starter = self.starter
        if starter is None or (self.current and self.current.message_id <= starter.message_id):
            return history
        if history and history[0].message_id <= starter.message_id:
            return history
        return [starter, *history]

    @property
    def gaps(self) -> tuple[Range, ...]:
        """What coverage lacks of the window."""
        return self.question.window.gaps(self.place, self.messages)

    def newer_gaps(self) -> list[Range]:
        """Return what coverage lacks above the current message: it may not be the newest."""
        if not self.question.window.answers_newest or self.current is None:
            return []
        newest = self.current.message_id + 1
        return [gap for gap in (Range(max(lo, newest), hi) for lo, hi in self.gaps) if not gap.empty]

    def conversation(self) -> Conversation:
        """Return all of it as a conversation. There must be a current message."""
        current = self.current
        assert current is not None
        channel = self.place.channel
        end = current.message_id if self.question.given is None else self.question.window.hi
        guild_id = channel.guild_id if channel else None
        guild_name = self.place.guild_name
        if channel is None or (guild_id and not guild_name):
            guild_name = _UNKNOWN
        name = channel.name if channel else _UNKNOWN
        return Conversation(
            channel_id=self.question.window.channel_id,
            channel_name=None if channel and channel.type == ChannelType.DM else name,
            guild_id=guild_id,
            guild_name=guild_name,
            current=current,
            history=self.history,
            current_archived=self.question.given is None,
            reply=self.reply,
            gaps=[gap for gap in (Range(lo, min(hi, end)) for lo, hi in self.gaps) if not gap.empty],
            newer_gaps=self.newer_gaps(),
            names=Names(self.naming.users, self.naming.channels, self.naming.roles),
            known=self.known,
            deleted=self.deleted,
        )


async def read(history: History, question: Question, absent: Collection[Key] = ()) -> Reading:
    """Read what the archive has. `absent` are messages that Discord said do not exist. Raises DatabaseError."""
    async with history.snapshot() as snapshot:
        return await _Reader(snapshot, question, frozenset(absent)).read()


class _Reader:
    def __init__(self, snapshot: Snapshot, question: Question, absent: frozenset[Key]) -> None:
        self.snapshot = snapshot
        self.question = question
        self.absent = absent

    async def read(self) -> Reading:
        question, window = self.question, self.question.window
        own = None if window.message_id is None else (window.channel_id, window.message_id)
        stretch = Stretch(channel_id=window.channel_id, lo=window.lo, hi=window.hi, most=window.wanted)
        place, messages, singles = await self.snapshot.stretch(stretch, () if own is None else (own,))
        if window.answers_newest and not messages and window.lo > window.channel_id:
            # The newest message is answered though it is older than what is wanted of the history.
            stretch = stretch._replace(lo=window.channel_id, most=1)
            _, messages, _ = await self.snapshot.stretch(stretch)
        current = question.given
        if own is not None:
            current = singles.messages.get(own)
        elif window.answers_newest:
            current = messages[-1] if messages else None
        messages = await self._as_they_were(messages)
        if current is not None and question.given is None:
            (current,) = await self._as_they_were([current])
        reading = Reading(
            question=question,
            place=place,
            messages=messages,
            current=current,
            current_absent=own is not None and self._is_deleted(place, own, singles),
            naming=Naming({}, {}, {}, frozenset()),
            known={},
        )
        return await self._with_others(reading)

    async def _with_others(self, reading: Reading) -> Reading:
        """Add what the messages refer to: the reply's target, the thread's starter, other messages, names."""
        question, window, place = self.question, self.question.window, reading.place
        current = reading.current
        shown = [*reading.messages, *([] if current is None else [current])]
        asked = wanted(shown)
        target = None if current is None else reply_target(current)
        end = window.hi if current is None or question.given is not None else current.message_id
        have = {message.message_id for message in reading.messages}
        referred = {number for number in asked.messages if number < end and number not in have}
        keys = {(window.channel_id, number) for number in referred}
        if place.parent_id is not None:
            keys |= {(place.parent_id, number) for number in referred}
        starters = self._starters(place)
        authors = {message.author_id for message in shown} if question.bots else set()
        singles, naming = await self.snapshot.look_up(
            keys | starters, users=asked.users | authors, channels=asked.channels, roles=asked.roles
        )
        starter = next((singles.messages[key] for key in starters if key in singles.messages), None)
        if starter is not None:
            (starter,) = await self._as_they_were([starter])
        reply = None if target is None else await self._reply(reading, target, end, singles)
        others = [message for message in (starter, reply.message if reply else None) if message is not None]
        naming = await self._name(naming, asked, wanted(others))
        edited_since, deleted_since = await self._changes(reading, [*shown, *others])
        deleted = {number for number in referred if self._are_deleted(place, self._keys(place, number), singles)}
        missing: set[Key] = set()
        if reply is not None and reply.message is None and reply.message_id < end:
            where = self._keys(place, reply.message_id)
            missing.update(() if self._are_deleted(place, where, singles) else where)
        beside = starters if starter is None and not (starters & singles.deleted) else frozenset()
        return reading._replace(
            starter=starter,
            reply=reply,
            known={message.message_id: message for message in singles.messages.values()},
            deleted=frozenset(deleted - {message_id for _, message_id in singles.messages}),
            naming=naming,
            missing=frozenset(missing),
            beside=frozenset(key for key in beside if not self._is_deleted(place, key, singles)),
            edited_since=edited_since,
            deleted_since=deleted_since,
        )

    async def _reply(self, reading: Reading, target: int, end: int, singles: Singles) -> ReplyTarget:
        """Return what is known of the reply's target; in a thread it may stand in the parent, as the starter does."""
        place = reading.place
        found = next((message for message in reading.messages if message.message_id == target), None)
        if found is None and target < end:
            found = next((message for message in singles.messages.values() if message.message_id == target), None)
            if found is not None:
                (found,) = await self._as_they_were([found])
        keys = self._keys(place, target)
        # Of what lies ahead nothing is said, not even that it exists.
        deleted = target < end and self._are_deleted(place, keys, singles)
        if self.question.given is not None:
            # That there ever was a message of an id that the user typed, a tombstone says and nothing else.
            deleted = deleted and not singles.deleted.isdisjoint(keys)
        return ReplyTarget(target, found, deleted=found is None and deleted)

    def _keys(self, place: Place, message_id: int) -> list[Key]:
        """Return where a message may stand: one that is not newer than its thread in the parent, too."""
        channel_id = self.question.window.channel_id
        if place.parent_id is None or message_id > channel_id:
            return [(channel_id, message_id)]
        return [(channel_id, message_id), (place.parent_id, message_id)]

    def _starters(self, place: Place) -> frozenset[Key]:
        """Return where a thread's starter may stand: it has the thread's id, in the parent or, of a forum post, here."""
        channel = place.channel
        if not self.question.starter or channel is None or not channel.is_thread:
            return frozenset()
        if channel.type == ChannelType.PRIVATE_THREAD:
            return frozenset()
        return frozenset(self._keys(place, channel.channel_id))

    def _is_deleted(self, place: Place, key: Key, singles: Singles) -> bool:
        """Say whether a message is known not to exist: by its tombstone, by Discord's word, or as coverage lacks nothing."""
        if key in singles.messages:
            return False
        channel_id, message_id = key
        covered = channel_id == place.state.channel_id and not place.ruled and message_id in place.state.covered
        return key in singles.deleted or key in self.absent or covered

    def _are_deleted(self, place: Place, keys: Collection[Key], singles: Singles) -> bool:
        """Say whether a message is known not to exist in any of the places in which it may stand."""
        if any(key in singles.messages for key in keys):
            return False
        return any(key in singles.deleted for key in keys) or all(self._is_deleted(place, key, singles) for key in keys)

    async def _name(self, naming: Naming, asked: Wanted, more: Wanted) -> Naming:
        """Add the names that only the reply's target and the starter mention."""
        if more.users <= asked.users and more.channels <= asked.channels and more.roles <= asked.roles:
            return naming
        _, added = await self.snapshot.look_up(
            (),
            users=more.users - asked.users,
            channels=more.channels - asked.channels,
            roles=more.roles - asked.roles,
        )
        return Naming(
            naming.users | added.users,
            naming.channels | added.channels,
            naming.roles | added.roles,
            naming.bots | added.bots,
        )

    async def _as_they_were(self, messages: list[Message]) -> list[Message]:
        as_of = self.question.as_of
        if as_of is None:
            return messages
        return [without_later(message, as_of) for message in await self.snapshot.as_they_were(messages, as_of)]

    async def _changes(self, reading: Reading, shown: Iterable[Message]) -> tuple[int, int]:
        """Count what is not as it was at the wanted moment."""
        window, as_of = self.question.window, self.question.as_of
        if as_of is None:
            return 0, 0
        messages = reading.messages
        full = window.wanted is not None and len(messages) >= window.wanted
        lo = messages[0].message_id if full and messages else window.lo
        stretch = Stretch(channel_id=window.channel_id, lo=lo, hi=window.hi, most=None)
        edited = {m.message_id for m in shown if m.edited_at is not None and m.edited_at > as_of}
        return len(edited), await self.snapshot.deleted_since(stretch, as_of)
