"""Each of the reasons that end a live range, and the one that does not."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
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
from junkie_cli.errors import DatabaseError, DatabaseUnavailable, ValueRefused
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
        self.stored: list[tuple[Any, ...]] = []
        self.failures: list[DatabaseError] = []
        self.live = LiveWriter(
            None,  # type: ignore[arg-type]  # nothing is written here
            None,  # type: ignore[arg-type]
            self._missed,
            capacity=capacity,
        )
        self.watch = Watch(selection or Selection(), self.live, self.needs, lambda: None)

    def _missed(self, channel_id: int) -> None:
        self.watch.missed(channel_id)

    def take(self, *told: LiveEvent) -> None:
        for event in told:
            self.watch.take(event)

    async def settled(self) -> list[tuple[Any, ...]]:
        """Settle, and return what was stored, in order."""
        stored = self.stored = []
        await self.watch.told.settle(self)  # type: ignore[arg-type]  # it stands for the places
        return stored

    async def note_unwatched(self, channel_ids: set[int] | None) -> None:
        self.stored.append(("unwatched", channel_ids))

    async def note_guilds_unwatched(self, guild_ids: set[int]) -> None:
        self.stored.append(("unwatched guilds", guild_ids))

    async def store(self, _guilds: Any, _roles: Any, _channels: Any, reasons: dict[int, str | None]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.stored.append(("store", reasons))

    async def mark_gone(self, channel_id: int) -> None:
        self.stored.append(("gone", channel_id))

    async def mark_guild_gone(self, guild_id: int) -> None:
        self.stored.append(("left", guild_id))

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
    pytest.param([SessionBegan(0, (GUILD,))], id="a new session"),
    pytest.param([AccessChanged(0, GUILD, CHANNEL, Access(readable=True))], id="an overwrite"),
    pytest.param([AccessChanged(0, GUILD, None)], id="a role or our own member"),
    pytest.param(
        [GuildGone(0, GUILD, unavailable=True), GuildAvailable(0, Guild(GUILD, "g"), (), (found(),))],
        id="an unavailable guild",
    ),
    pytest.param(
        [GuildGone(0, GUILD, unavailable=False), GuildAvailable(0, Guild(GUILD, "g"), (), (found(),))],
        id="a guild that was left",
    ),
    pytest.param([Skipped(0, CHANNEL, "MESSAGE_CREATE", "nonsense")], id="a skipped payload"),
    pytest.param([Skipped(0, None, "MESSAGE_CREATE", "nonsense", guild_id=GUILD)], id="one of the guild"),
    pytest.param([Skipped(0, None, "MESSAGE_CREATE", "nonsense")], id="one of who knows where"),
    pytest.param([ChannelGone(0, CHANNEL, GUILD), ChannelSeen(0, found(), new=False)], id="a deleted channel"),
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
    setting.take(ChannelSeen(0, found(), new=False), message(10_000), message(10_010))
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


def test_a_guild_that_is_back_is_mended_whole(setting: Setting) -> None:
    setting.take(GuildAvailable(0, Guild(GUILD, "g"), (), (found(),)))
    needs = setting.needs.take()
    assert (needs.everything, needs.guilds) == (False, {GUILD})


async def test_a_new_session_of_a_shard_concerns_its_guilds_alone() -> None:
    """Before the first one nobody listened to anything; since then the other shards' sessions have told of theirs."""
    setting = Setting(Selection(exclude=frozenset({8})))
    for shard_id, guild_ids in ((0, (GUILD, 8)), (1, (9,))):
        setting.take(SessionBegan(shard_id, guild_ids))
        assert setting.needs.take().everything
        assert ("unwatched", None) in await setting.settled()
    setting.take(SessionBegan(0, (GUILD, 8)))
    needs = setting.needs.take()
    assert (needs.everything, needs.guilds) == (False, {GUILD})
    assert await setting.settled() == [("unwatched guilds", {GUILD, 8})]
    assert setting.watch.sessions == 3


def test_a_channel_that_is_named_may_be_in_no_guild() -> None:
    setting = Setting(Selection(channels=frozenset({5_000})))
    for _ in range(2):
        setting.take(SessionBegan(0, (GUILD,)))
        assert setting.needs.take().everything


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
        async def note_unwatched(self, channel_ids: set[int] | None) -> None:
            assert channel_ids == {CHANNEL, THREAD, OTHER}

        async def mark_gone(self, channel_id: int) -> None:
            await asyncio.sleep(0)
            stored.append(channel_id)

    setting.watch.told._events.clear()
    setting.watch.told._missed_any = False
    setting.take(*(ChannelGone(0, channel_id, GUILD) for channel_id in (CHANNEL, THREAD, OTHER)))
    places: Any = Places()
    await asyncio.gather(*(setting.watch.told.settle(places) for _ in range(3)))
    assert stored == [CHANNEL, THREAD, OTHER]


async def test_what_waits_is_bounded_by_the_places_however_often_something_is_told(setting: Setting) -> None:
    await setting.settled()
    for turn in range(1000):
        channel = replace(found(), channel=replace(found().channel, name=f"name {turn}"))
        setting.take(
            ChannelSeen(0, channel, new=False), GuildGone(0, 9, unavailable=False), ChannelGone(0, OTHER, GUILD)
        )
    assert [what for what, *_ in await setting.settled()] == ["unwatched", "store", "left", "gone"]
    assert not await setting.settled()


async def test_something_missed_is_on_record_before_anything_that_was_told_later(setting: Setting) -> None:
    assert (await setting.settled())[0] == ("unwatched", None)
    for event in (
        AccessChanged(0, GUILD, CHANNEL, Access(readable=True)),
        Skipped(0, CHANNEL, "MESSAGE_UPDATE", "nonsense"),
        ChannelGone(0, CHANNEL, GUILD),
    ):
        setting.take(event)
        assert (await setting.settled())[0] == ("unwatched", {CHANNEL})
    setting.take(ChannelSeen(0, found(), new=False), GuildGone(0, GUILD, unavailable=True))
    assert ("unwatched", {CHANNEL, THREAD, OTHER}) in await setting.settled()


async def test_what_is_missed_while_a_place_is_stored_is_on_record_before_messages_are_written(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storing takes as long as the database is away, and a session may end and another begin in that time."""
    await setting.settled()

    async def store(*arguments: Any) -> None:
        if not setting.stored:
            setting.take(SessionBegan(0, (GUILD,)), message(10_000))
        setting.stored.append(("store", arguments[-1]))

    monkeypatch.setattr(setting, "store", store)
    setting.take(ChannelSeen(0, found(), new=False))
    assert ("unwatched guilds", {GUILD}) in await setting.settled()


async def test_a_right_that_came_back_is_on_record(setting: Setting) -> None:
    await setting.settled()
    setting.take(AccessChanged(0, GUILD, CHANNEL, Access(readable=False, reason="lacks View Channel")))
    assert ("store", {CHANNEL: "lacks View Channel"}) in await setting.settled()
    setting.take(AccessChanged(0, GUILD, CHANNEL, Access(readable=True)))
    assert ("store", {CHANNEL: None}) in await setting.settled()


async def test_what_can_not_be_stored_holds_nothing_up(setting: Setting) -> None:
    await setting.settled()
    setting.take(ChannelSeen(0, found(), new=False), ChannelGone(0, OTHER, GUILD))
    setting.failures = [ValueRefused("too long")]
    assert await setting.settled() == [("unwatched", {OTHER}), ("gone", OTHER)]
    setting.take(ChannelSeen(0, found(), new=False))
    setting.failures = [DatabaseUnavailable("away")]
    with pytest.raises(DatabaseUnavailable):
        await setting.settled()
    assert await setting.settled() == [("store", {CHANNEL: None})]


def test_only_wanted_guilds_are_mended() -> None:
    setting = Setting(Selection(guilds=frozenset({GUILD})))
    setting.take(
        GuildAvailable(0, Guild(GUILD, "g"), (), (found(),)),
        GuildAvailable(0, Guild(9, "h"), (), ()),
        AccessChanged(0, 9, None),
        AccessChanged(0, 9, 9_000),
        GuildGone(0, 9, unavailable=True),
    )
    needs = setting.needs.take()
    assert (needs.guilds, needs.channels, setting.watch.unavailable) == ({GUILD}, set(), {})


@pytest.mark.parametrize("selection", [Selection(), Selection(exclude=frozenset({OTHER})), Selection(threads=False)])
def test_a_channel_that_nobody_introduced_is_left_to_rest(selection: Selection) -> None:
    """Nobody knows what it belongs to, and so whether it is wanted."""
    setting = Setting(selection)
    setting.take(GuildAvailable(0, Guild(GUILD, "g"), (), (found(OTHER),)))
    setting.needs.take()
    setting.take(message(10_000, THREAD))
    assert (setting.live.depth, setting.needs.take().channels) == (0, {THREAD})
    assert setting.watch.unknown([THREAD, OTHER]) == [THREAD]
    setting.watch.introduce(found(THREAD, type_=11, parent_id=OTHER), THREAD)
    setting.take(message(10_010, THREAD))
    wanted = selection == Selection()
    assert setting.live.depth == wanted
    assert bool(setting.watch.known([THREAD])) is wanted


@pytest.mark.parametrize(
    ("selection", "parents"),
    [
        (Selection(), {CHANNEL}),
        (Selection(threads=False), set()),
        (Selection(exclude=frozenset({CHANNEL})), set()),
        (Selection(guilds=frozenset({9})), set()),
        (Selection(channels=frozenset({THREAD})), {CHANNEL}),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_the_threads_of_a_channel_that_may_be_read_again_are_looked_for(
    selection: Selection, parents: set[int], *, known: bool
) -> None:
    setting = Setting(selection)
    hidden = replace(found(), access=Access(readable=False, reason="lacks View Channel"))
    setting.take(GuildAvailable(0, Guild(GUILD, "g"), (), (hidden,) if known else ()))
    setting.needs.take()
    readable = Access(readable=True)
    setting.take(AccessChanged(0, GUILD, CHANNEL, readable), ChannelSeen(0, found(), new=False))
    assert setting.needs.take().parents == parents
    # From then on nothing is hidden there; and a thread has no threads.
    setting.take(AccessChanged(0, GUILD, CHANNEL, readable), AccessChanged(0, GUILD, THREAD, readable))
    setting.take(ChannelSeen(0, found(THREAD, type_=11, parent_id=CHANNEL), new=False))
    setting.take(ChannelSeen(0, found(OTHER), new=True))
    assert setting.needs.take().parents == set()


def test_a_channel_that_can_not_be_had_is_asked_for_once(setting: Setting) -> None:
    setting.take(message(10_000, 7_777))
    setting.watch.introduce(None, 7_777)
    assert setting.watch.unknown([7_777]) == []
    setting.take(SessionBegan(0))
    assert setting.watch.unknown([7_777]) == [7_777]


def test_an_archived_thread_is_not_watched_until_the_gateway_speaks_of_it(setting: Setting) -> None:
    """What is known from REST alone would not end with a session."""
    live, archived = setting.live, 5_555
    assert live.watch(archived) is None
    setting.take(ChannelSeen(0, found(archived, type_=11, parent_id=CHANNEL), new=False))
    watch = live.watch(archived)
    assert watch is not None
    live.joined(archived, 9_000, watch)
    setting.take(SessionBegan(0, (GUILD,)), message(10_000, archived))
    assert setting.claims(archived) == Coverage.of([(10_000, 10_001)])


def test_a_new_session_vouches_for_a_channel_once_its_guild_was_told_of(setting: Setting) -> None:
    """A guild may be unavailable then, and for long."""
    setting.take(SessionBegan(0, (GUILD,)))
    assert setting.live.watch(CHANNEL) is None
    setting.take(GuildAvailable(0, Guild(GUILD, "g"), (), (found(),)))
    assert setting.live.watch(CHANNEL) is not None


def test_a_new_session_vouches_for_direct_channels_at_once() -> None:
    setting = Setting(Selection(channels=frozenset({5_000})))
    setting.take(SessionBegan(0))
    setting.watch.introduce(FoundChannel(Channel(5_000, None, None, 1, "Ann", None)), 5_000)
    before = setting.live.watch(5_000)
    setting.take(SessionBegan(0))
    after = setting.live.watch(5_000)
    assert None not in {before, after}
    assert before != after


def test_guilds_of_which_nothing_is_told(setting: Setting) -> None:
    setting.take(SessionBegan(0, (GUILD, 9)))
    assert set(setting.watch.unavailable) == {GUILD, 9}
    setting.take(GuildAvailable(0, Guild(GUILD, "g"), (), ()), GuildGone(0, 9, unavailable=False))
    assert not setting.watch.unavailable
    setting.take(GuildGone(0, GUILD, unavailable=True), SessionBegan(1, ()))
    assert set(setting.watch.unavailable) == {GUILD}


async def test_a_new_session_of_a_server_that_was_left_knows_nothing_of_it() -> None:
    """No GUILD_DELETE tells of a bot that was thrown out while no session was: READY names the others."""
    setting = Setting()
    setting.take(SessionBegan(0, (GUILD,)), GuildAvailable(0, Guild(GUILD, "g"), (), (found(),)))
    assert [one.channel.channel_id for one in setting.watch.known([CHANNEL])] == [CHANNEL]
    setting.take(SessionBegan(0, ()))
    assert setting.watch.known([CHANNEL]) == []
    assert setting.watch.guild_of(GUILD) is None
    assert ("left", GUILD) in await setting.settled()
    setting.take(SessionBegan(0, (GUILD,)), GuildAvailable(0, Guild(GUILD, "g"), (), (found(),)))
    assert [one.channel.channel_id for one in setting.watch.known([CHANNEL])] == [CHANNEL]
