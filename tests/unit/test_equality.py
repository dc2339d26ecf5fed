from dataclasses import replace
from typing import Any

import pytest

from junkie_cli.equality import same, stable
from junkie_cli.models import Message

CDN = "https://cdn.discordapp.com/attachments/1/2/cat.png"
MESSAGE = Message(1, 2, 3, "bob", "hi")


def attachment(signature: str, **changes: Any) -> dict[str, Any]:
    query = f"?ex={signature}&is={signature}&hm={signature}&"
    proxy = "https://media.discordapp.net/attachments/1/2/cat.png"
    return {"id": "9", "filename": "cat.png", "size": 5, "url": CDN + query, "proxy_url": proxy + query, **changes}


def embed(signature: str, title: str = "T") -> dict[str, Any]:
    image = {
        "url": f"{CDN}?ex={signature}&is={signature}&hm={signature}",
        "width": 4,
        "content_scan_version": len(signature),
    }
    return {"type": "rich", "title": title, "author": {"name": "A"}, "image": image}


def person(avatar: str) -> dict[str, Any]:
    return {"id": "5", "username": avatar, "avatar": avatar}


def clip(name: str, *people: dict[str, Any]) -> dict[str, Any]:
    game = {"id": "8", "name": name, "icon": name}
    return attachment(name, application=game, clip_participants=[person(name), *people])


UNCHANGED: list[tuple[dict[str, Any] | None, dict[str, Any] | None]] = [
    (None, None),
    (None, {}),
    (None, {"reactions": [{"emoji": {"id": None, "name": "x"}, "count": 1}]}),
    ({"reactions": [{"count": 2}]}, {"reactions": [{"count": 3}]}),
    ({"attachments": [attachment("aa")]}, {"attachments": [attachment("bbb")]}),
    ({"embeds": [embed("aa")]}, {"embeds": [embed("bbb")]}),
    ({"mentions": [person("a"), {"id": "6"}]}, {"mentions": [{"id": "6", "member": {}}, person("b")]}),
    ({"mention_roles": ["1", "2"]}, {"mention_roles": ["2", "1"]}),
    ({"poll": {"question": {}, "results": {"answer_counts": [1]}}}, {"poll": {"question": {}, "results": {}}}),
    ({"thread": {"id": "1", "message_count": 1}}, {"thread": {"id": "1", "message_count": 2, "name": "n"}}),
    ({"sticker_items": [{"id": "1", "name": "a"}]}, {"sticker_items": [{"id": "1", "name": "b"}]}),
    ({"author": {**person("a"), "username": "hook"}}, {"author": {**person("b"), "username": "hook"}}),
    ({"interaction_metadata": {"user": person("a")}}, {"interaction_metadata": {"user": person("b")}}),
    ({"attachments": [clip("a")]}, {"attachments": [clip("b")]}),
    ({"position": 1, "referenced_message": None, "nonce": "1"}, {"position": 2}),
    (
        {"message_snapshots": [{"message": {"content": "x", "attachments": [attachment("a")], "reactions": []}}]},
        {"message_snapshots": [{"message": {"content": "x", "attachments": [attachment("b")]}}]},
    ),
]


@pytest.mark.parametrize(("a", "b"), UNCHANGED)
def test_two_fetches_of_an_unedited_message_are_the_same(a: Any, b: Any) -> None:
    assert same(replace(MESSAGE, extra=a), replace(MESSAGE, extra=b))
    assert same(replace(MESSAGE, extra=b), replace(MESSAGE, extra=a))


EDITED: list[tuple[dict[str, Any] | None, dict[str, Any] | None]] = [
    (None, {"flags": 4}),
    (None, {"pinned": True}),
    ({"attachments": [attachment("a")]}, None),
    ({"attachments": [attachment("a")]}, {"attachments": [attachment("a", filename="dog.png")]}),
    ({"embeds": [embed("a")]}, {"embeds": [embed("a", title="U")]}),
    ({"embeds": [{"url": "https://x.org/?is=1&q=2"}]}, {"embeds": [{"url": "https://x.org/?is=2&q=2"}]}),
    (
        {"embeds": [{"url": "https://x.org/?ex=1&is=1&hm=1&q=2"}]},
        {"embeds": [{"url": "https://x.org/?ex=1&is=1&hm=1&q=3"}]},
    ),
    ({"embeds": [{"author": {"name": "a"}}]}, {"embeds": [{"author": {"name": "b"}}]}),
    ({"mentions": [{"id": "1"}]}, {"mentions": [{"id": "2"}]}),
    ({"poll": {"question": {"text": "a"}}}, {"poll": {"question": {"text": "b"}}}),
    ({"author": {"id": "1", "username": "a"}}, {"author": {"id": "1", "username": "b"}}),
    ({"message_snapshots": [{"message": {"content": "x"}}]}, {"message_snapshots": [{"message": {"content": "y"}}]}),
    ({"attachments": [clip("a")]}, {"attachments": [clip("a", {"id": "7"})]}),
    ({"components": [{"type": 1}]}, {"components": [{"type": 2}]}),
    ({"unknown": 1}, {"unknown": 2}),
]


@pytest.mark.parametrize(("a", "b"), EDITED)
def test_a_change_that_people_see_is_an_edit(a: Any, b: Any) -> None:
    assert not same(replace(MESSAGE, extra=a), replace(MESSAGE, extra=b))


@pytest.mark.parametrize("changed", [{"content": "ho"}, {"type": 1}, {"reply_to": 1}])
def test_columns_count(changed: dict[str, Any]) -> None:
    assert not same(MESSAGE, replace(MESSAGE, **changed))


def test_names_do_not_count() -> None:
    assert same(MESSAGE, replace(MESSAGE, author_name="robert", author_id=9))


@pytest.mark.parametrize("odd", [None, 5, "x", [], [1, "x", None, [2]], {}, {"id": 1}, [{"message": 5}]])
@pytest.mark.parametrize(
    "key",
    ["mentions", "author", "thread", "poll", "attachments", "embeds", "message_snapshots", "stickers", "application"],
)
def test_hostile_shapes_compare_too(key: str, odd: Any) -> None:
    assert stable({key: odd}) == stable({key: odd})
    assert same(replace(MESSAGE, extra={key: odd}), replace(MESSAGE, extra={key: odd}))


def test_a_url_that_is_none_and_nesting_without_end_do_no_harm() -> None:
    bad = "https://[x?ex=1&is=1&hm=1"
    assert stable({"embeds": [{"url": bad}]}) == {"embeds": [{"url": bad}]}
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert set(stable({"deep": deep})) == {"deep"}
