import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from junkie_cli import snowflake
from junkie_cli.emulator.entities import ChannelType
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.kinds import KINDS
from junkie_cli.emulator.pages import Press
from junkie_cli.emulator.permissions import may_read, may_view
from junkie_cli.emulator.state import REFERENCE
from junkie_cli.emulator.world import World

PRESETS = ("tiny", "demo", "hostile", "3x250")


def dump(world: World) -> list[list[bytes]]:
    press = Press(world)
    return [press.page(channel, channel.messages) for channel in world.channels.values()]


@pytest.mark.parametrize("preset", ["tiny", "hostile", "3x250"])
def test_a_seed_gives_the_same_guild_again(preset: str) -> None:
    assert dump(generate(5, preset)) == dump(generate(5, preset))
    assert dump(generate(5, preset)) != dump(generate(6, preset))


@pytest.mark.parametrize("preset", PRESETS)
def test_ids_are_true_to_time(preset: str) -> None:
    world = generate(2, preset)
    for channel in world.channels.values():
        assert all(one.id < two.id for one, two in pairwise(channel.messages))
        assert all(message.id >= channel.id for message in channel.messages)
        assert channel.parent is None or channel.parent.id <= channel.id
        if preset != "hostile":
            assert all(snowflake.to_datetime(message.id) < REFERENCE for message in channel.messages)
    ids = [message.id for channel in world.channels.values() for message in channel.messages if not channel.is_thread]
    assert len(ids) == len(set(ids))


def test_history_ends_when_told() -> None:
    end = datetime(2026, 10, 1, tzinfo=UTC)
    world = generate(1, "tiny", end=end)
    newest = max(message.id for channel in world.channels.values() for message in channel.messages)
    assert timedelta(0) < end - snowflake.to_datetime(newest) < timedelta(hours=2)


@pytest.mark.parametrize(("preset", "least", "most"), [("tiny", 450, 600), ("demo", 8000, 10_000), ("7x40", 280, 280)])
def test_sizes(preset: str, least: int, most: int) -> None:
    world = generate(1, preset)
    assert least <= sum(len(channel.messages) for channel in world.channels.values()) <= most


def test_tiny_has_every_kind_of_message_and_channel() -> None:
    world = generate(1, "tiny")
    channels = list(world.channels.values())
    assert {channel.type for channel in channels} == {0, 1, 2, 4, 5, 11, 12, 13, 15, 16}
    types = {(message.fields or {}).get("type", 0) for channel in channels for message in channel.messages}
    assert types >= {0, 3, 6, 7, 8, 12, 18, 19, 20, 21, 24, 27, 46}
    assert max(types) > 200
    present = {name for channel in channels for message in channel.messages for name in message.fields or ()}
    assert present >= {"attachments", "embeds", "sticker_items", "poll", "message_snapshots", "reactions", "components"}
    assert present >= {"edited_timestamp", "mentions", "mention_roles", "webhook_id", "application_id", "flags", "call"}
    assert len(KINDS) > 30


def test_tiny_has_what_a_bot_may_not_do() -> None:
    world = generate(1, "tiny")
    bot = world.bot.id
    named = {channel.name: channel for channel in world.channels.values()}
    assert not may_view(named["staff"], bot)
    assert may_view(named["write-only"], bot)
    assert not may_read(named["write-only"], bot)
    assert named["empty"].last_message_id is None
    private = [channel for channel in world.channels.values() if channel.type == ChannelType.PRIVATE_THREAD]
    assert {may_view(thread, bot) for thread in private} == {True, False}
    assert {thread.thread.archived for thread in private if thread.thread} == {True, False}


def test_shapes_are_plain() -> None:
    world = generate(1, "2x50")
    for channel in world.channels.values():
        assert channel.type == ChannelType.TEXT
        assert len(channel.messages) == 50
        for message in channel.messages:
            assert message.fields is None
            assert 50 <= len(message.content) <= 110


def test_hostile_text_is_still_json() -> None:
    for channel in dump(generate(1, "hostile")):
        for encoded in channel:
            json.loads(encoded)


@pytest.mark.parametrize("preset", ["", "big", "0x5", "5x", "x", "1x1x1", "tiny "])
def test_other_presets_are_refused(preset: str) -> None:
    with pytest.raises(ValueError, match="no preset"):
        generate(1, preset)
