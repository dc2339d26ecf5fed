import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from junkie_cli.emulator.entities import Channel, Message, User
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.pages import Press, own_payload, select
from junkie_cli.emulator.world import World

SOMEONE = User(1, "someone")


@pytest.fixture
def world() -> World:
    world = World(seed=1)
    world.add_channel(world.add_guild("Test").id, "general")
    return world


@pytest.fixture
def channel(world: World) -> Channel:
    return next(iter(world.channels.values()))


def payload(world: World, channel: Channel, message_id: int, *, full: bool = False) -> Any:
    (encoded,) = Press(world).page(channel, [world.message(channel.id, message_id)], full=full)
    return json.loads(encoded)


@settings(deadline=None)
@given(
    ids=st.sets(st.integers(1, 60)).map(sorted),
    cursor=st.integers(0, 61),
    limit=st.integers(1, 20),
)
def test_pages_are_the_nearest_messages_newest_first(ids: list[int], cursor: int, limit: int) -> None:
    channel = Channel(0, 0, "any", messages=[Message(n, SOMEONE, "") for n in ids])
    descending = ids[::-1]

    def page(**asked: int) -> list[int]:
        return [message.id for message in select(channel, **asked, limit=limit)]

    assert page() == descending[:limit]
    assert page(before=cursor) == [n for n in descending if n < cursor][:limit]
    assert page(after=cursor) == [n for n in ids if n > cursor][:limit][::-1]
    around = page(around=cursor)
    assert around == [n for n in descending if n in around]
    assert len([n for n in around if n < cursor]) <= limit // 2
    assert cursor not in ids or cursor in around


def test_signatures_differ_on_each_fetch_and_touch_only_urls(world: World, channel: Channel) -> None:
    url = "https://cdn.discordapp.com/attachments/1/2/a.png"
    text = f'see {url} and "url":"{url}"'
    attachment = {"id": "2", "filename": "a.png", "size": 1, "url": url, "proxy_url": url.replace("cdn", "media")}
    posted = world.post(channel.id, text, fields={"attachments": [attachment]})
    press = Press(world)
    one, two = (json.loads(press.one(channel, world.message(channel.id, posted))) for _ in range(2))
    assert one["content"] == two["content"] == text
    assert one["attachments"][0]["url"] != two["attachments"][0]["url"]
    assert one["attachments"][0]["url"].startswith(f"{url}?ex=")
    assert {part.split("=")[0] for part in one["attachments"][0]["url"].split("?")[1].rstrip("&").split("&")} == {
        "ex",
        "is",
        "hm",
    }


def test_a_reply_shows_its_target_as_it_is_now(world: World, channel: Channel) -> None:
    target = world.post(channel.id, "one")
    world.react(channel.id, target, "🔥")
    reply = world.post(channel.id, "two", reply_to=target)
    assert payload(world, channel, reply)["referenced_message"]["content"] == "one"
    assert "reactions" not in payload(world, channel, reply)["referenced_message"]
    world.edit(channel.id, target, "uno")
    assert payload(world, channel, reply)["referenced_message"]["content"] == "uno"
    world.delete(channel.id, target)
    assert payload(world, channel, reply)["referenced_message"] is None
    assert "referenced_message" not in payload(world, channel, world.post(channel.id, "three"))


def test_a_reply_to_a_reply_goes_one_level_deep(world: World, channel: Channel) -> None:
    first = world.post(channel.id, "one")
    second = world.post(channel.id, "two", reply_to=first)
    third = world.post(channel.id, "three", reply_to=second)
    referenced = payload(world, channel, third)["referenced_message"]
    assert referenced["message_reference"]["message_id"] == str(first)
    assert "referenced_message" not in referenced


def test_the_message_a_thread_began_from_shows_the_thread(world: World, channel: Channel) -> None:
    posted = world.post(channel.id, "let's talk")
    thread = world.add_thread(channel.id, "talk", message_id=posted)
    world.post(thread.id, "yes")
    assert payload(world, channel, posted)["thread"]["name"] == "talk"
    assert payload(world, channel, posted)["flags"] == 1 << 5
    assert payload(world, thread, thread.messages[0].id)["referenced_message"]["id"] == str(posted)
    world.delete_channel(thread.id)
    assert "thread" not in payload(world, channel, posted)


def test_without_the_content_intent_messages_are_blank(world: World, channel: Channel) -> None:
    mentioned = [{"id": str(world.bot.id)}]
    snapshot = {"message": {"content": "secret", "embeds": [{}], "attachments": [{}], "components": [{}]}}
    foreign = world.post(channel.id, "secret", fields={"poll": {}, "message_snapshots": [snapshot], "pinned": True})
    others = world.post(channel.id, "answer", reply_to=foreign, fields={"mentions": mentioned})
    own = world.post(channel.id, "mine", author_id=world.bot.id)
    direct = world.open_dm(world.add_user("ann").id)
    in_dm = world.post(direct.id, "psst")
    world.set_intents(content=False)

    blank = payload(world, channel, foreign)
    assert (blank["content"], blank["embeds"], blank["attachments"], blank["components"]) == ("", [], [], [])
    assert "poll" not in blank
    assert blank["message_snapshots"][0]["message"] == {
        "content": "",
        "embeds": [],
        "attachments": [],
        "components": [],
    }
    assert blank["pinned"]
    assert payload(world, channel, others)["content"] == "answer"
    assert payload(world, channel, others)["referenced_message"]["content"] == ""
    assert payload(world, channel, own)["content"] == "mine"
    assert payload(world, direct, in_dm)["content"] == "psst"
    assert payload(world, channel, foreign, full=True)["content"] == "secret"
    world.set_intents(content=True, limited=True)
    assert payload(world, channel, foreign)["content"] == "secret"


def test_plain_messages_are_encoded_like_all_others() -> None:
    world = generate(1, "hostile")
    press = Press(world)
    for channel in world.channels.values():
        plain = [message for message in channel.messages if message.fields is None]
        for message, encoded in zip(plain, press.page(channel, plain), strict=True):
            assert json.loads(encoded) == own_payload(channel, message)


def test_a_new_name_shows_on_old_messages(world: World, channel: Channel) -> None:
    user = world.add_user("ann", "Ann")
    posted = world.post(channel.id, "hi", author_id=user.id)
    press = Press(world)
    names = []
    for name in ("Anna", None):
        names.append(json.loads(press.one(channel, world.message(channel.id, posted)))["author"]["global_name"])
        world.rename_user(user.id, name)
    assert names == ["Ann", "Anna"]


def test_any_text_survives_the_wire(world: World, channel: Channel) -> None:
    for text in ("plain", "Grüße 🌲", "a\x00b", "lone \ud800", '"\\'):
        assert payload(world, channel, world.post(channel.id, text))["content"] == text
