"""What steps do to the emulated Discord, and what is remembered of it for the look that follows."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any, TypeVar

from junkie_cli.emulator.control import Control
from junkie_cli.emulator.entities import Channel, ChannelType, Message
from junkie_cli.emulator.pages import own_payload
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.state import Event
from junkie_cli.emulator.talk import reference
from tests.acceptance.torture.plan import Step
from tests.acceptance.torture.weather import Weather

Place = tuple[int, int]
T = TypeVar("T")

_SHOWN_IN_FORWARDS = ("type", "content", "timestamp", "edited_timestamp", "attachments", "embeds", "flags", "mentions")


class Hands(Weather):
    """Changes the world. Every text bears a mark of its own, by which it is found wherever it is."""

    def __init__(self, control: Control) -> None:
        super().__init__(control)
        self.changed: dict[Place, float] = {}
        """When a message was last edited or deleted, in seconds since 1970."""

        self.marks: defaultdict[int, set[str]] = defaultdict(set)
        """All that was ever written in a message, by its id."""

        self.untold: set[Place] = set()
        """What changed without an event in spite of a session: that, by Discord's word, does not happen."""

        self._told: dict[Place, int] = {}
        """What was last changed by an event that tells all, and in which session that was told."""

        self.late: set[int] = set()
        """Messages that became visible after younger ones."""

        self.trail: list[str] = []
        """What was done to whom, and when."""

        self._said = 0
        control.world.listeners.append(self._note)

    def do(self, step: Step) -> None:
        """Do a step; one for which there is nothing to take hold of does nothing."""
        work: Callable[[Step], object] | None = getattr(self, f"_{step.verb}")
        assert work is not None
        with self.control.silent() if step.silent else nullcontext():
            work(step)

    def done_to(self, text: str) -> list[str]:
        """Return what was done to the channels and messages that a text names."""
        places = re.findall(r"(\d{17,19})/(\d{17,19})", text)[:1]
        ids = {message for _, message in places} | set(re.findall(r"channel (\d{17,19})", text))
        return [line for line in self.trail if line.startswith("step") or not ids.isdisjoint(line.split())]

    def _note(self, event: Event) -> None:
        ids = [str(each) for each in event.ids] + ([] if event.message is None else [str(event.message.id)])
        where = "" if event.channel is None else str(event.channel.id)
        self._write(f"{event.name} {where} {' '.join(ids)}")

    def _write(self, what: str) -> None:
        self.trail.append(f"{datetime.now(UTC):%H:%M:%S.%f} {what}")

    def was_told(self, place: Place) -> bool:
        """Say whether who listens now was told the last change of a message, so that it can't be out of date there."""
        return self._told.get(place) == self.control.sessions().identifies

    def let_in(self) -> None:
        """See that the bot is in its server."""
        if self.control.world.bot.id not in self.guild.members:
            self.control.add_bot(self.guild.id)

    # who and where

    def _channels(self, *, threads: bool | None = None) -> list[Channel]:
        world = self.control.world
        found = [c for _, c in sorted(world.channels.items()) if c.guild is not None and c.holds_messages]
        return found if threads is None else [c for c in found if c.is_thread is threads]

    def _channel_of(self, step: Step, *, threads: bool | None = None) -> Channel | None:
        return picked(self._channels(threads=threads), step.where)

    def _message_of(self, step: Step) -> tuple[Channel, Message] | None:
        """Pick a message, mostly one of the newest."""
        channel = picked([c for c in self._channels() if c.messages], step.where)
        if channel is None:
            return None
        place = int((1 - step.which**2) * len(channel.messages))
        return channel, channel.messages[min(place, len(channel.messages) - 1)]

    def _parent_of(self, step: Step) -> Channel | None:
        kinds = {ChannelType.TEXT, ChannelType.ANNOUNCEMENT}
        return picked([c for _, c in sorted(self.guild.channels.items()) if c.type in kinds], step.where)

    def _text(self) -> str:
        self._said += 1
        return f"said «{self._said}»"

    def _wrote(self, message_id: int, text: str) -> int:
        self.marks[message_id].add(text.removeprefix("said "))
        return message_id

    @contextmanager
    def _telling(self, channel: Channel, *message_ids: int) -> Iterator[None]:
        """Note whether the block's change of messages is told to a session; of archived threads it may know nothing."""
        before = self.control.sessions().dispatched
        yield
        sessions = self.control.sessions()
        if sessions.dispatched > before and not (channel.thread is not None and channel.thread.archived):
            self._told |= {(channel.id, message_id): sessions.identifies for message_id in message_ids}

    def _changes(self, channel: Channel, message_id: int, *, silent: bool) -> None:
        self.changed[channel.id, message_id] = time.time()
        self._told.pop((channel.id, message_id), None)
        if silent:
            self._write(f"silently changed {channel.id} {message_id}")
            sessions = self.control.sessions()
            if sessions.connected or sessions.resumable:
                self.untold.add((channel.id, message_id))

    def _say(self, channel: Channel, **how: Any) -> int:
        text = self._text()
        return self._wrote(self.control.post(channel.id, text, **how), text)

    # messages

    def _post(self, step: Step) -> None:
        if (channel := self._channel_of(step)) is not None:
            for _ in range(step.count):
                self._say(channel)

    def _burst(self, step: Step) -> None:
        self._post(step)

    def _post_in_thread(self, step: Step) -> None:
        if (channel := self._channel_of(step, threads=True)) is not None:
            self._say(channel)

    def _late(self, step: Step) -> None:
        """Let a message show only after two that are younger."""
        if (channel := self._channel_of(step)) is not None:
            late = self._say(channel, hidden=True)
            self.late.add(late)
            self._say(channel)
            self._say(channel)
            self.control.reveal(channel.id, late)

    def _reply(self, step: Step) -> None:
        if (found := self._message_of(step)) is not None:
            self._say(found[0], reply_to=found[1].id)

    def _forward(self, step: Step) -> None:
        """Pass a message on into another channel, or the same."""
        into = picked(self._channels(), step.which)
        if (found := self._message_of(step)) is None or into is None:
            return
        channel, original = found
        whole = own_payload(channel, original)
        if "message_snapshots" in whole:
            return
        shown = {key: whole[key] for key in _SHOWN_IN_FORWARDS if key in whole}
        fields = {
            "message_reference": reference(channel, original.id, kind=1),
            "flags": 1 << 14,
            "message_snapshots": [{"message": shown}],
        }
        self.control.post(into.id, "", fields=fields)

    def _edit(self, step: Step) -> None:
        if (found := self._message_of(step)) is not None:
            channel, message = found
            text = self._text()
            self._wrote(message.id, text)
            self._changes(channel, message.id, silent=step.silent)
            with self._telling(channel, message.id):
                self.control.edit(channel.id, message.id, text)

    def _embed(self, step: Step) -> None:
        """Let Discord add a preview, told in an update of one key."""
        if (found := self._message_of(step)) is not None:
            channel, message = found
            text = self._text()
            self._wrote(message.id, text)
            self._changes(channel, message.id, silent=step.silent)
            embeds = [{"type": "rich", "title": text}]
            told = ["embeds"] if step.which < 0.5 else None
            self.control.edit(channel.id, message.id, fields={"embeds": embeds}, stamped=False, told=told)

    def _delete(self, step: Step) -> None:
        if (found := self._message_of(step)) is not None:
            self._changes(found[0], found[1].id, silent=step.silent)
            with self._telling(found[0], found[1].id):
                self.control.delete(found[0].id, found[1].id)

    def _bulk_delete(self, step: Step) -> None:
        if (found := self._message_of(step)) is not None:
            channel, message = found
            ids = [m.id for m in channel.messages if m.id <= message.id][-step.count :]
            for message_id in ids:
                self._changes(channel, message_id, silent=step.silent)
            with self._telling(channel, *ids):
                self.control.bulk_delete(channel.id, ids)

    def _react(self, step: Step) -> None:
        if (found := self._message_of(step)) is not None:
            self.control.react(found[0].id, found[1].id, "🌲", step.count)

    def _rename(self, step: Step) -> None:
        user = picked([u for _, u in sorted(self.control.world.users.items()) if not u.bot], step.where)
        if user is not None:
            self.control.rename_user(user.id, f"Name {self._text()}")

    # channels and threads

    def _thread(self, step: Step) -> None:
        parents = [c for _, c in sorted(self.guild.channels.items()) if c.type in ChannelType.THREAD_PARENTS]
        if (parent := picked(parents, step.where)) is not None:
            text = self._text()
            thread = self.control.add_thread(parent.id, f"thread {self._said}", content=text)
            if parent.type in ChannelType.POSTS:
                self._wrote(thread.id, text)
            for _ in range(step.count - 1):
                self._say(thread)

    def _thread_from(self, step: Step) -> None:
        if (parent := self._parent_of(step)) is None:
            return
        free = [m for m in parent.messages if m.id not in self.control.world.channels]
        if (message := picked(free, step.which)) is not None:
            # Its flags change.
            self._changes(parent, message.id, silent=False)
            thread = self.control.add_thread(parent.id, f"thread {message.id}", message_id=message.id)
            self._say(thread)

    def _private_thread(self, step: Step) -> None:
        if (parent := self._parent_of(step)) is not None and parent.type == ChannelType.TEXT:
            joined = step.which < 0.7
            thread = self.control.add_thread(parent.id, "private", private=True, joined=joined)
            for _ in range(step.count):
                self._say(thread)

    def _private(self, step: Step) -> Channel | None:
        return picked([c for c in self._channels(threads=True) if c.type == ChannelType.PRIVATE_THREAD], step.where)

    def _leave_thread(self, step: Step) -> None:
        if (thread := self._private(step)) is not None:
            self.control.leave_thread(thread.id)

    def _join_thread(self, step: Step) -> None:
        if (thread := self._private(step)) is not None:
            self.control.join_thread(thread.id)

    def _starter_changes(self, channel: Channel) -> None:
        """Note that the message that a thread was begun from shows it otherwise, of which no event tells."""
        if channel.is_thread and channel.parent is not None:
            self._changes(channel.parent, channel.id, silent=True)

    def _archive(self, step: Step) -> None:
        if (thread := self._channel_of(step, threads=True)) is not None:
            self._starter_changes(thread)
            self.control.archive(thread.id)

    def _unarchive(self, step: Step) -> None:
        if (thread := self._channel_of(step, threads=True)) is not None:
            self._starter_changes(thread)
            self.control.unarchive(thread.id)

    def _channel(self, step: Step) -> None:
        channel = self.control.add_channel(self.guild.id, f"channel {self._text()}")
        for _ in range(step.count):
            self._say(channel)

    def _retitle(self, step: Step) -> None:
        if (channel := self._channel_of(step)) is not None:
            self._starter_changes(channel)
            self.control.change_channel(channel.id, name=f"renamed {self._text()}")

    def _drop_channel(self, step: Step) -> None:
        if len(channels := self._channels()) > 4:
            channel = picked(channels, step.where)
            assert channel is not None
            self._starter_changes(channel)
            self.control.delete_channel(channel.id)

    # rights

    def _revoke(self, step: Step) -> None:
        if (channel := self._channel_of(step, threads=False)) is not None:
            self.control.revoke(channel.id, Right.named(step.kind))

    def _grant(self, step: Step) -> None:
        bot = self.control.world.bot.id
        lacking = [c for c in self._channels(threads=False) if (own := c.overwrites.get(bot)) and own.deny]
        if (channel := picked(lacking, step.where)) is not None:
            self.control.grant(channel.id, Right.VIEW_CHANNEL, Right.READ_MESSAGE_HISTORY)

    def _role(self, step: Step) -> None:
        """Take a right in the whole server from everyone and the bot's roles, or give all back."""
        guild, everyone = self.guild, self.guild.roles[self.guild.id]
        right = Right.named(step.kind)
        if everyone.permissions == Right.EVERYONE:
            if self.control.world.bot.id in guild.members:
                self.control.set_member_roles(guild.id, self.control.world.bot.id, [])
            self.control.set_role(guild.id, guild.id, Right.EVERYONE & ~right)
        else:
            self.control.set_role(guild.id, guild.id, Right.EVERYONE)

    def _throw_out(self, _step: Step) -> None:
        if self.control.world.bot.id in self.guild.members:
            self.control.remove_bot(self.guild.id)
        else:
            self.control.add_bot(self.guild.id)


def picked(among: Sequence[T], where: float) -> T | None:
    """Return one of these, or None if there is none."""
    return among[int(where * len(among))] if among else None
