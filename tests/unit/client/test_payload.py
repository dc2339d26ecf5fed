import json
from collections.abc import Callable
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junkie_cli import snowflake
from junkie_cli.client.pages import PageParser
from junkie_cli.client.payload import Parsed, parse_message, payload_from_message
from junkie_cli.models import Page, PageRequest
from tests.normalised import DEFAULTS, normalised, strictly

CHANNEL = 1_190_000_000_000_000_000
MESSAGE = 1_196_000_000_000_000_123
AUTHOR: dict[str, Any] = {"id": "1190000000000000001", "username": "bob", "global_name": "Bob", "avatar": None}


def plain(**changes: Any) -> dict[str, Any]:
    message_id = changes.get("id", str(MESSAGE))
    return {
        "id": message_id,
        "channel_id": str(CHANNEL),
        "type": 0,
        "content": "hello",
        "timestamp": snowflake.to_datetime(int(message_id)).isoformat(),
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "components": [],
        "pinned": False,
        "flags": 0,
        "author": dict(AUTHOR),
        **changes,
    }


def parse(payload: dict[str, Any]) -> Parsed:
    """Return what a message is read as; on a page it is read in the same way, though by other code."""
    parsed = parse_message(payload, CHANNEL)
    page = on_page(payload)
    assert page.messages == (parsed.message,)
    assert strictly(page.messages[0].extra) == strictly(parsed.message.extra)
    assert [type(value) for value in astuple(page.messages[0])] == [type(value) for value in astuple(parsed.message)]
    assert page.users == parsed.users
    assert strictly([user.extra for user in page.users]) == strictly([user.extra for user in parsed.users])
    assert all(message in parsed.referenced for message in page.referenced)
    return parsed


def on_page(*payloads: dict[str, Any]) -> Page:
    # JSON has no infinity, but numbers that are read as one.
    page = PageParser().parse(PageRequest(CHANNEL), json.dumps(payloads).encode().replace(b"Infinity", b"1e999"))
    assert page is not None
    return page


def there_and_back(payload: dict[str, Any]) -> dict[str, Any]:
    parsed = parse(payload)
    author = next((user for user in parsed.users if user.user_id == parsed.message.author_id), None)
    return payload_from_message(parsed.message, author)


def test_a_plain_message_needs_no_extra() -> None:
    parsed = parse_message(plain(), CHANNEL)
    message = parsed.message
    assert message.extra is None
    assert (message.message_id, message.author_id, message.author_name) == (MESSAGE, 1190000000000000001, "Bob")
    assert (message.content, message.type, message.reply_to, message.edited_at) == ("hello", 0, None, None)
    assert parsed.users[0].extra == {"avatar": None}
    assert there_and_back(plain()) == plain()


def test_the_second_without_a_fraction_is_plain_too() -> None:
    message_id = str(1000 << 22)
    assert parse_message(plain(id=message_id), CHANNEL).message.extra is None


def test_an_edit_is_a_column_and_no_extra() -> None:
    payload = plain(edited_timestamp="2024-01-15T12:34:56.789012+00:00")
    message = parse_message(payload, CHANNEL).message
    assert message.edited_at == datetime(2024, 1, 15, 12, 34, 56, 789012, tzinfo=UTC)
    assert message.extra is None
    assert there_and_back(payload) == payload


def test_a_database_in_another_zone_changes_nothing() -> None:
    payload = plain(edited_timestamp="2024-01-15T12:34:56.789012+00:00")
    message = parse_message(payload, CHANNEL).message
    assert message.edited_at is not None
    moved = replace(message, edited_at=message.edited_at.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert payload_from_message(moved)["edited_timestamp"] == payload["edited_timestamp"]


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2024-01-15",
        "2024-01-15T12:34:56",
        "2024-01-15T12:34:56Z",
        "9999-12-31T23:59:59-14:00",
        5,
        True,
        [],
    ],
)
def test_an_odd_time_of_edit_is_kept_as_it_came(text: Any) -> None:
    payload = plain(edited_timestamp=text)
    assert parse_message(payload, CHANNEL).message.extra == {"edited_timestamp": text}
    assert there_and_back(payload) == payload


@pytest.mark.parametrize("kind", [19, 23])
def test_a_reply_names_its_target(kind: int) -> None:
    reference = {"type": 0, "channel_id": str(CHANNEL), "message_id": "55", "guild_id": "1"}
    message = parse_message(plain(type=kind, message_reference=reference), CHANNEL).message
    assert message.reply_to == 55
    assert message.extra == {"message_reference": reference}


@pytest.mark.parametrize(
    ("kind", "reference"),
    [
        (0, {"type": 1, "message_id": "55"}),
        (19, {"type": 1, "message_id": "55"}),
        (0, {"message_id": "55"}),
        (21, {"message_id": "55"}),
        (6, {"message_id": "55"}),
        (19, {"message_id": "x"}),
        (19, {"type": False, "message_id": "55"}),
        (19, []),
    ],
)
def test_forwards_crossposts_pins_and_thread_starters_are_no_replies(kind: int, reference: Any) -> None:
    assert parse_message(plain(type=kind, message_reference=reference), CHANNEL).message.reply_to is None


def test_a_referenced_message_is_a_row_of_its_own() -> None:
    innermost = plain(id="7", channel_id="70", author={**AUTHOR, "id": "99", "username": "zoe", "global_name": None})
    inner = plain(
        id="8", type=19, message_reference={"message_id": "7", "channel_id": "71"}, referenced_message=innermost
    )
    del inner["channel_id"]
    outer = plain(type=21, message_reference={"message_id": "8", "channel_id": "80"}, referenced_message=inner)
    parsed = parse_message(outer, CHANNEL)
    assert [(row.channel_id, row.message_id) for row in parsed.referenced] == [(80, 8), (70, 7)]
    assert [user.user_id for user in parsed.users] == [1190000000000000001, 99]
    for row in (parsed.message, *parsed.referenced):
        assert "referenced_message" not in (row.extra or {})


def test_deep_nesting_is_no_recursion() -> None:
    payload = plain()
    for number in range(1, 5000):
        payload = plain(id=str(number), referenced_message=payload)
    assert len(parse_message(payload, CHANNEL).referenced) == 4999


def test_that_the_target_was_deleted_is_kept() -> None:
    payload = plain(type=19, message_reference={"message_id": "8"}, referenced_message=None)
    assert there_and_back(payload) == payload


def test_a_webhooks_author_stays_with_the_message() -> None:
    payload = plain(webhook_id="77", author={"id": "77", "username": "deploy bot", "avatar": "abc", "bot": True})
    parsed = parse_message(payload, CHANNEL)
    assert parsed.users == ()
    assert (parsed.message.author_id, parsed.message.author_name) == (77, "deploy bot")
    assert there_and_back(payload) == payload


def test_a_live_event_gives_the_row_that_rest_gives_but_for_the_nick() -> None:
    live = plain(guild_id="1", channel_type=0, member={"nick": "Bobby", "roles": []})
    row = parse_message(live, CHANNEL, live=True).message
    assert row.author_name == "Bobby"
    assert row.extra is None
    for member in ({"nick": None}, {}, None, {"nick": 5}):
        assert parse_message({**live, "member": member}, CHANNEL, live=True).message.author_name == "Bob"


@pytest.mark.parametrize(
    "bad", [None, "", "x", "-5", "\uff11\uff12", "0", 0, True, 1.0, [], str(2**63 - 1), 2**70, "9" * 5000]
)
def test_a_message_without_a_usable_id_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="without a usable id"):
        parse_message(plain() | {"id": bad}, CHANNEL)
    with pytest.raises(ValueError, match="without a usable id"):
        parse_message({}, CHANNEL)


@pytest.mark.parametrize(
    "author",
    [
        None,
        "bob",
        {},
        {"id": 5, "username": "bob"},
        {"id": "005", "username": "bob"},
        {"id": "5", "username": None, "global_name": "Bob"},
        {"id": "5", "username": "bob", "bot": 1},
        {"id": "5", "username": "bob", "global_name": 3},
    ],
)
def test_an_author_that_is_no_account_is_kept_whole(author: Any) -> None:
    payload = plain(author=author)
    assert strictly(there_and_back(payload)) == strictly(payload)


def test_the_same_author_twice_is_read_once_and_told_apart_by_type() -> None:
    bot = {"id": "5", "username": "bob", "global_name": None, "bot": True}
    page = on_page(
        plain(id="30", author=bot), plain(id="20", author=dict(bot)), plain(id="10", author={**bot, "bot": 1})
    )
    assert page.ids == (30, 20, 10)
    assert len(page.users) == 1
    assert [message.extra for message in page.messages] == [None, None, {"author": {**bot, "bot": 1}}]


def test_a_page_gives_each_referenced_message_once() -> None:
    target = plain(id="5")
    page = on_page(*[plain(id=str(n), type=19, referenced_message=target) for n in (9, 8, 7)])
    assert [message.message_id for message in page.referenced] == [5]


@pytest.mark.parametrize(
    "hostile",
    [
        {"content": 5},
        {"content": None},
        {"content": "\ud800 and \x00"},
        {"type": "0"},
        {"type": 2**31},
        {"type": True},
        {"type": 0.0},
        {"flags": False},
        {"flags": 0.0},
        {"tts": 0},
        {"mentions": {}},
        {"mentions": None},
        {"id": 1196000000000000123},
        {"id": "0001196000000000000123"},
        {"channel_id": CHANNEL},
        {"channel_id": "1"},
        {"timestamp": "2015-01-01T00:00:00.000000+00:00"},
        {"unknown": {"deep": [1, 1.5, None, 10**400]}},
    ],
)
def test_hostile_values_come_back_as_they_were(hostile: dict[str, Any]) -> None:
    payload = plain() | hostile
    assert strictly(there_and_back(payload)) == strictly(payload)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("T", " "),
        lambda text: text.replace(".", ","),
        lambda text: text.replace("000+", "001+"),
        lambda text: text.replace("+00:00", "+01:00"),
        lambda text: text.replace("+00:00", "-00:00"),
        lambda text: text[:-1] + "\uff10",
        lambda text: str(int(text[:4]) + 1) + text[4:],
        lambda text: text[:22] + str(9 - int(text[22])) + text[23:],
        lambda text: "x" * len(text),
        lambda text: text[:5] + "W" + text[6:],
    ],
)
def test_a_timestamp_that_is_not_to_the_letter_the_ids_is_kept(spoil: Callable[[str], str]) -> None:
    payload = plain()
    payload["timestamp"] = spoil(payload["timestamp"])
    assert payload["timestamp"] != plain()["timestamp"]
    assert parse(payload).message.extra == {"timestamp": payload["timestamp"]}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ids = st.integers(1, snowflake.MAX - 1)
often = {
    "type": st.integers(-5, 50) | anything,
    "content": st.text() | anything,
    "timestamp": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat) | anything,
    "edited_timestamp": st.datetimes(timezones=st.timezones() | st.none()).map(datetime.isoformat) | anything,
    "webhook_id": st.none() | ids.map(str),
    "message_reference": st.fixed_dictionaries({}, optional={"type": st.integers(0, 1), "message_id": ids.map(str)}),
    "author": anything
    | st.fixed_dictionaries(
        {"id": ids.map(str), "username": st.text()},
        optional={"global_name": st.none() | st.text(), "bot": st.booleans() | anything, "avatar": anything},
    ),
    "referenced_message": st.none() | st.fixed_dictionaries({"id": ids.map(str) | anything}),
    "channel_id": st.just(str(CHANNEL)) | anything,
    **{key: st.just(default) | anything for key, default in DEFAULTS.items() if key != "edited_timestamp"},
}
payloads = st.builds(
    lambda other, known: other | known,
    st.dictionaries(st.text(max_size=8), anything, max_size=3),
    st.fixed_dictionaries({"id": ids.map(str) | ids}, optional=often),
)


@given(payloads)
def test_any_object_with_an_id_comes_back(payload: dict[str, Any]) -> None:
    message = parse(payload).message
    assert type(message.content) is str
    assert type(message.author_name) is str
    assert message.type in range(-(2**31), 2**31)
    assert message.edited_at is None or message.edited_at.tzinfo is UTC
    assert strictly(there_and_back(payload)) == strictly(normalised(payload, CHANNEL))
    assert parse_message(there_and_back(payload), CHANNEL).message == message


@given(st.sampled_from(sorted(plain())), st.data())
def test_a_plain_message_with_one_thing_changed_comes_back(key: str, data: st.DataObject) -> None:
    payload = plain()
    if data.draw(st.booleans()) and key != "id":
        del payload[key]
        payload["another"] = data.draw(anything)
    elif key == "id":
        payload["id"] = data.draw(ids.map(str) | ids)
    else:
        payload[key] = data.draw(anything)
    assert strictly(there_and_back(payload)) == strictly(normalised(payload, CHANNEL))
