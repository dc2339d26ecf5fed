import pytest

from junkie_cli import snowflake
from junkie_cli.emulator.entities import Channel, ChannelType, MessageType
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.state import Event, UnknownError, find
from junkie_cli.emulator.world import World


@pytest.fixture
def world() -> World:
    world = World(seed=1)
    guild = world.add_guild("Test")
    world.add_channel(guild.id, "general")
    return world


@pytest.fixture
def channel(world: World) -> Channel:
    return next(iter(world.channels.values()))


def ids(channel: Channel) -> list[int]:
    return [message.id for message in channel.messages]


def watch(world: World) -> list[str]:
    names: list[str] = []
    world.listeners.append(lambda event: names.append(event.name))
    return names


def test_a_new_post_lies_above_everything() -> None:
    world = generate(3, "tiny")
    newest = max(message.id for channel in world.channels.values() for message in channel.messages)
    channel = next(channel for channel in world.channels.values() if channel.name == "dev")

    first = world.post(channel.id, "one")
    early = world.post(channel.id, "two", at_ms=snowflake.to_ms(newest) - 10_000)
    late = world.post(channel.id, "three", at_ms=snowflake.to_ms(first) + 5000)

    assert newest < first < early < late
    assert early == first + 1  # its time has passed: the next id that is free
    assert snowflake.to_ms(late) == snowflake.to_ms(first) + 5000
    assert ids(channel)[-3:] == [first, early, late]
    assert channel.last_message_id == late


def test_hidden_messages_show_late_and_in_their_place(world: World, channel: Channel) -> None:
    events = watch(world)
    one = world.post(channel.id, "one")
    two = world.post(channel.id, "two", hidden=True)
    three = world.post(channel.id, "three")
    assert ids(channel) == [one, three]
    assert events == ["MESSAGE_CREATE"] * 2

    world.reveal(channel.id, two)

    assert ids(channel) == [one, two, three]
    assert channel.last_message_id == three
    assert events == ["MESSAGE_CREATE"] * 3
    with pytest.raises(UnknownError):
        world.reveal(channel.id, two)


def test_the_last_message_id_outlives_its_message(world: World, channel: Channel) -> None:
    one, two, three = (world.post(channel.id, text) for text in ("one", "two", "three"))
    world.delete(channel.id, three)
    world.bulk_delete(channel.id, [one, two])
    assert ids(channel) == []
    assert channel.last_message_id == three
    with pytest.raises(UnknownError):
        world.delete(channel.id, three)


def test_edits(world: World, channel: Channel) -> None:
    posted = world.post(channel.id, "one", fields={"pinned": True})
    message = world.message(channel.id, posted)
    world.edit(channel.id, posted, fields={"embeds": [{"type": "link"}]}, stamped=False)
    assert message.fields == {"pinned": True, "embeds": [{"type": "link"}]}
    world.edit(channel.id, posted, "two")
    assert message.content == "two"
    assert message.fields is not None
    assert message.fields["edited_timestamp"] > "2024"
    assert message.fields["pinned"]


def test_reactions_are_counted_per_emoji(world: World, channel: Channel) -> None:
    posted = world.post(channel.id, "one")
    for emoji, count in (("🔥", 1), ("👀", 2), ("🔥", 5)):
        world.react(channel.id, posted, emoji, count)
    fields = world.message(channel.id, posted).fields
    assert fields is not None
    assert [(r["emoji"]["name"], r["count"]) for r in fields["reactions"]] == [("👀", 2), ("🔥", 5)]


def test_a_thread_from_a_message_bears_its_id(world: World, channel: Channel) -> None:
    posted = world.post(channel.id, "let's talk")
    thread = world.add_thread(channel.id, "talk", message_id=posted)
    assert thread.id == posted
    assert [message.fields["type"] for message in thread.messages if message.fields] == [MessageType.THREAD_STARTER]
    assert thread.messages[0].id > posted


def test_a_thread_without_a_message_leaves_a_notice(world: World, channel: Channel) -> None:
    thread = world.add_thread(channel.id, "talk")
    assert not thread.messages
    notice = channel.messages[-1]
    assert notice.content == "talk"
    assert notice.fields is not None
    assert notice.fields["type"] == MessageType.THREAD_CREATED
    assert notice.fields["message_reference"]["channel_id"] == str(thread.id)


def test_a_post_begins_with_a_message_of_its_own_id(world: World) -> None:
    guild = next(iter(world.guilds.values()))
    forum = world.add_channel(guild.id, "help", ChannelType.FORUM)
    post = world.add_thread(forum.id, "it crashes", content="on start")
    assert [(message.id, message.content) for message in post.messages] == [(post.id, "on start")]
    assert forum.last_message_id == post.id
    with pytest.raises(ValueError, match="holds no messages"):
        world.post(forum.id, "hello")


def test_talking_wakes_an_archived_thread(world: World, channel: Channel) -> None:
    thread = world.add_thread(channel.id, "talk")
    world.archive(thread.id)
    events = watch(world)
    world.post(thread.id, "one more thing")
    assert thread.thread is not None
    assert not thread.thread.archived
    assert events == ["THREAD_UPDATE", "MESSAGE_CREATE"]


def test_deleting_a_channel_takes_its_threads(world: World, channel: Channel) -> None:
    thread = world.add_thread(channel.id, "talk")
    events = watch(world)
    world.delete_channel(channel.id)
    assert not world.channels
    assert events == ["CHANNEL_DELETE"]
    with pytest.raises(UnknownError):
        world.post(thread.id, "anybody?")


def test_every_change_is_told_unless_silent(world: World, channel: Channel) -> None:
    seen: list[Event] = []
    world.listeners.append(seen.append)
    posted = world.post(channel.id, "one")
    assert seen[0].message is find(channel, posted)
    with world.silent():
        world.edit(channel.id, posted, "two")
    world.delete(channel.id, posted)
    assert [(event.name, event.ids) for event in seen] == [("MESSAGE_CREATE", ()), ("MESSAGE_DELETE", (posted,))]


def test_renaming_reaches_what_was_written_before(world: World, channel: Channel) -> None:
    user = world.add_user("ann", "Ann")
    message = world.message(channel.id, world.post(channel.id, "hi", author_id=user.id))
    message.own = b"{}"
    world.rename_user(user.id, "Anna")
    assert message.own is None
