"""Pages as they come over the wire; what single messages are read as, test_payload says."""

import json
from typing import Any

import pytest

from junkie_cli.client.pages import PageParser
from junkie_cli.client.payload import parse_message
from junkie_cli.models import Page, PageRequest
from tests.unit.client.test_payload import AUTHOR, CHANNEL, MESSAGE, plain

REQUEST = PageRequest(CHANNEL)


def parse(body: bytes) -> Page:
    page = PageParser().parse(REQUEST, body)
    assert page is not None
    return page


def test_an_empty_page() -> None:
    assert parse(b" [] ") == Page(REQUEST, (), ())


def test_plain_and_other_messages_keep_their_order() -> None:
    payloads = [plain(id=str(n), **({"pinned": True} if n % 2 else {})) for n in range(9, 0, -1)]
    page = parse(json.dumps(payloads).encode())
    assert page.ids == tuple(range(9, 0, -1))
    assert list(page.messages) == [parse_message(payload, CHANNEL).message for payload in payloads]
    assert [user.username for user in page.users] == ["bob"]


def test_an_author_who_is_shown_otherwise_further_down_keeps_both() -> None:
    renamed = {**AUTHOR, "global_name": "Robert"}
    page = parse(json.dumps([plain(id=str(MESSAGE)), plain(id=str(MESSAGE - 1), author=renamed)]).encode())
    assert [message.author_name for message in page.messages] == ["Bob", "Robert"]
    assert [user.global_name for user in page.users] == ["Bob"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"[{}",
        b"nope",
        b'[{"id": NaN}]',
        b"\xff",
        b'[{"id":"1","content":"\xff"}]',
        json.dumps([plain()]).encode()[:-9],
        json.dumps([plain()]).encode().replace(b"hello", b"\xff"),
        json.dumps([plain(author="?")]).encode().replace(b'"?"', b'{"id": "1", "username": "\xff"}'),
        b"[" * 100_000,
        b"[" + b"[" * 100_000 + b"]" * 100_000 + b"]",
        json.dumps([plain(author="?")]).encode().replace(b'"?"', b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    ],
)
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        PageParser().parse(REQUEST, body)


@pytest.mark.parametrize(
    "value", [None, {}, {"message": "no"}, [None], [5], [[]], ["x"], [{}], [{"id": "x"}], [plain(), {}]]
)
def test_what_is_no_list_of_messages(value: Any) -> None:
    assert PageParser().parse(REQUEST, json.dumps(value).encode()) is None


def test_numbers_beyond_a_float_spoil_nothing_beside_them() -> None:
    body = json.dumps([plain(id="9"), plain(id="8", nonce=5)]).encode().replace(b"5}", b"1e999}")
    page = parse(body)
    assert page.messages[0].extra is None
    assert page.messages[1].extra == {"nonce": float("inf")}


def test_authors_of_earlier_pages_are_authors_of_this_one() -> None:
    parser = PageParser()
    renamed = {**AUTHOR, "global_name": "Robert"}
    pages = [
        parser.parse(REQUEST, json.dumps([plain(id=str(MESSAGE + n), author=author)]).encode())
        for n, author in ((9, AUTHOR), (8, renamed), (7, AUTHOR))
    ]
    assert [page and page.users[0].global_name for page in pages] == ["Bob", "Robert", "Bob"]


def test_a_whole_second_that_is_written_with_its_fraction_is_kept_as_it_was() -> None:
    body = json.dumps([plain(id="1", timestamp="2015-01-01T00:00:00.000000+00:00")]).encode()
    assert parse(body).messages[0].extra == {"timestamp": "2015-01-01T00:00:00.000000+00:00"}


def test_an_author_who_merely_equals_another_is_not_taken_for_that_one_on_later_pages() -> None:
    parser = PageParser()
    pages = [
        parser.parse(
            REQUEST,
            json.dumps([plain(id=str(MESSAGE - n), author=author) for n, author in enumerate(authors)]).encode(),
        )
        for authors in ([{**AUTHOR, "flags": 1}, {**AUTHOR, "flags": True}], [{**AUTHOR, "flags": True}])
    ]
    assert [page and repr(page.users[0].extra) for page in pages] == [
        "{'avatar': None, 'flags': 1}",
        "{'avatar': None, 'flags': True}",
    ]
