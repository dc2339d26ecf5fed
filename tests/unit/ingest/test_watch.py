"""Each of the reasons that end a live range, and the one that does not."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from junkie_cli.client.live_events import (
    AccessChanged,
    ChannelGone,
    ChannelSeen,
    GuildAvailable,
    GuildGone,
    LiveEvent,
    MessagesDeleted,
    MessageSeen,
    SessionBegan,
    SessionResumed,
    Skipped,
)
from junkie_cli.client.payload import Parsed
from junkie_cli.coverage import Coverage
from junkie_cli.ingest.live import LiveWriter
from junkie_cli.ingest.selection import Selection
from junkie_cli.ingest.watch import Needs, Watch
from junkie_cli.models import Access, Channel, FoundChannel, Guild, Message

GUILD, CHANNEL, THREAD, OTHER = 1, 1_000, 1_001, 2_000


def found(channel_id: int = CHANNEL, *, type_: int = 0, parent_id: int | None = None) -> FoundChannel:
    return FoundChannel(Channel(channel_id, GUILD, parent_id, type_, "general", None))


def message(message_id: int, channel_id: int = CHANNEL, shard_id: int = 0) -> MessageSeen:
    return MessageSeen(shard_id, GUILD, Parsed(Message(channel_id, message_id, 7, "Ann", "hello")))


class Setting:
    def __init__(self, selection: Selection | None = None, capacity: int = 100) -> None:
        self.needs = Needs()
        self.live = LiveWriter(
            None,  # type: ignore[arg-type]  # nothing is written here
            None,  # type: ignore[arg-type]
            lambda channel_id: self.needs.add(channels=[channel_id]),
            capacity=capacity,
        )
        self.watch = Watch(selection or Selection(), self.live, self.needs, lambda: None)

    def take(self, *told: LiveEvent) -> None:
        for event in told:
            self.watch.take(event)

    def claims(self, channel_id: int = CHANNEL) -> Coverage:
        return self.live._pending.claims.get(channel_id, Coverage())


@pytest.fixture
def setting() -> Setting:
    made = Setting()
    thread = found(THREAD, type_=12, parent_id=CHANNEL)
    made.take(SessionBegan(0), GuildAvailable(0, Guild(GUILD, "g"), (), (found(), thread, found(OTHER))))
    made.needs.take()
    return made


BREAKS: Sequence[Any] = [
    pytest.param([SessionBegan(0)], id="a new session"),
    pytest.param([AccessChanged(0, GUILD, CHANNEL, Access(readable=True))], id="an overwrite"),
    pytest.param([AccessChanged(0, GUILD, None)], id="a role or our own member"),
    pytest.param(
        [GuildGone(0, GUILD, unavailable=True), GuildAvailable(0, Guild(GUILD, "g"), (), (found(),))],
        id="an unavailable guild",
    ),
    pytest.param([GuildGone(0, GUILD, unavailable=False)], id="a guild that was left"),
    pytest.param([Skipped(0, CHANNEL, "MESSAGE_CREATE", "nonsense")], id="a skipped payload"),
    pytest.param([Skipped(0, None, "MESSAGE_CREATE", "nonsense", guild_id=GUILD)], id="one of the guild"),
    pytest.param([Skipped(0, None, "MESSAGE_CREATE", "nonsense")], id="one of who knows where"),
    pytest.param([ChannelGone(0, CHANNEL, GUILD)], id="a deleted channel"),
]


@pytest.mark.parametrize("break_", BREAKS)
def test_what_ends_a_range(setting: Setting, break_: list[LiveEvent]) -> None:
    setting.take(message(10_000), message(10_010), *break_, message(10_020))
    assert setting.claims() == Coverage.of([(10_000, 10_011), (10_020, 10_021)])


def test_a_private_thread_that_was_left_and_joined_again(setting: Setting) -> None:
    left = AccessChanged(0, GUILD, THREAD, Access(readable=False, reason="is private"))
    back = AccessChanged(0, GUILD, THREAD, Access(readable=True))
    setting.take(message(10_000, THREAD), left, back, message(10_020, THREAD))
    assert setting.claims(THREAD) == Coverage.of([(10_000, 10_001), (10_020, 10_021)])


def test_a_dropped_event_ends_a_range() -> None:
    setting = Setting(capacity=1)
    setting.take(message(10_000), message(10_010))
    assert setting.claims() == Coverage.of([(10_000, 10_001)])
    assert not setting.live.ranges.is_open(CHANNEL)
    assert setting.needs.channels == {CHANNEL}


@pytest.mark.parametrize(
    "event",
    [
        SessionResumed(0),
        SessionBegan(1),
        AccessChanged(0, GUILD, OTHER, Access(readable=True)),
        Skipped(0, OTHER, "MESSAGE_CREATE", "nonsense"),
        Skipped(0, None, "TOMORROW", "nobody knows it", unknown_event=True),
        ChannelSeen(0, found(), new=False),
        MessagesDeleted(0, GUILD, CHANNEL, (10_005,)),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_ends_no_range(setting: Setting, event: LiveEvent) -> None:
    setting.take(message(10_000), event, message(10_020))
    assert setting.claims() == Coverage.of([(10_000, 10_021)])


def test_the_first_event_of_a_range_asks_rest_for_what_lies_before_it(setting: Setting) -> None:
    setting.take(message(10_000), message(10_010))
    assert setting.needs.take().channels == {CHANNEL}
    setting.take(message(10_020))
    assert not setting.needs.take().channels


def test_a_new_session_and_a_guild_that_is_back_are_mended_whole(setting: Setting) -> None:
    setting.take(SessionBegan(0))
    assert setting.needs.take().everything
    setting.take(GuildAvailable(0, Guild(GUILD, "g"), (), (found(),)))
    assert setting.needs.take().guilds == {GUILD}


def test_a_new_channel_is_fetched_from_its_beginning(setting: Setting) -> None:
    setting.take(ChannelSeen(0, found(3_000), new=True))
    assert setting.needs.take().channels == {3_000}
    assert 3_000 in setting.watch.newborn


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (Selection(), {CHANNEL, THREAD, OTHER}),
        (Selection(channels=frozenset({CHANNEL})), {CHANNEL, THREAD}),
        (Selection(exclude=frozenset({CHANNEL})), {OTHER}),
        (Selection(exclude=frozenset({GUILD})), set()),
        (Selection(guilds=frozenset({9})), set()),
        (Selection(threads=False), {CHANNEL, OTHER}),
    ],
)
def test_only_what_is_wanted_is_taken_in(selection: Selection, wanted: set[int]) -> None:
    setting = Setting(selection)
    thread = found(THREAD, type_=11, parent_id=CHANNEL)
    setting.take(GuildAvailable(0, Guild(GUILD, "g"), (), (found(), thread, found(OTHER))))
    setting.take(*(message(10_000, channel_id) for channel_id in (CHANNEL, THREAD, OTHER)))
    assert {key.channel_id for key in setting.live._pending.messages} == wanted


def test_direct_messages_are_archived_only_where_they_are_named() -> None:
    told = MessageSeen(0, None, Parsed(Message(5_000, 10_000, 7, "Ann", "hello")))
    for selection, count in ((Selection(), 0), (Selection(channels=frozenset({5_000})), 1)):
        setting = Setting(selection)
        setting.take(told)
        assert setting.live.depth == count


async def test_places_are_stored_once_and_in_order_however_many_ask_for_it(setting: Setting) -> None:
    stored: list[int] = []

    class Places:
        async def mark_gone(self, channel_id: int) -> None:
            await asyncio.sleep(0)
            stored.append(channel_id)

    setting.watch._told.clear()
    setting.take(*(ChannelGone(0, channel_id, GUILD) for channel_id in (CHANNEL, THREAD, OTHER)))
    places: Any = Places()
    await asyncio.gather(*(setting.watch.settle(places) for _ in range(3)))
    assert stored == [CHANNEL, THREAD, OTHER]
