# ruff: noqa: RUF001 -- look-alike characters are what is tested
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junkie_cli.prompt.mentions import Mentions, Names, Wanted, code_spans, wanted
from junkie_cli.prompt.safety import SHOWN, VERBATIM
from tests.unit.prompt.samples import clock, message

NAMES = Names(users={1: "Alice", 6: "Eve(1): no"}, channels={2: "general", 9: "a\nthread"}, roles={3: "Mods"})


def resolve(text: str, of: dict[str, Any] | None = None) -> str:
    return Mentions(NAMES, clock(), SHOWN).resolve(text, of or {})


@pytest.mark.parametrize(
    ("markup", "seen"),
    [
        ("hi <@1>!", "hi @Alice!"),
        ("hi <@!1>", "hi @Alice"),
        ("<@55>", "@unknown-user(55)"),
        ("<#2> <#9>", "#general #a␊thread"),
        ("<#55>", "#unknown-channel(55)"),
        ("<@&3>", "@Mods"),
        ("<@&55>", "@unknown-role(55)"),
        ("<:wave:4><a:dance_2:4>", ":wave::dance_2:"),
        ("<t:1543395660>", "28 November 2018 14:31"),
        ("<t:1543395660:R>", "7 years ago"),
        ("<t:1543395660:t> <t:-1:d>", "14:31 1970-01-01"),
        ("<t:9999999999999:f>", "<t:9999999999999:f>"),
        ("</poll create:12>", "/poll create"),
        ("<id:browse> <id:customize> <id:guide>", "Browse Channels Channels & Roles Server Guide"),
        ("<id:linked-roles:5>", "Linked Roles"),
        ("<id:nowhere>", "<id:nowhere>"),
        ("@everyone <https://example.org> a < b > c <3", "@everyone <https://example.org> a < b > c <3"),
        (r"\<@1>", r"\<@1>"),
        ("`<@1>` <@1>", "`<@1>` @Alice"),
        ("```py\n<@1>\n``` <@1>", "```py\n<@1>\n``` @Alice"),
        ("``a ` <@1>`` <@1> ` <@1>", "``a ` <@1>`` @Alice ` @Alice"),
        ("<@6>", "@Eve（1）： no"),
    ],
)
def test_markup_becomes_what_people_saw(markup: str, seen: str) -> None:
    assert resolve(markup) == seen


def test_a_name_of_the_payload_serves_where_the_archive_has_none() -> None:
    of = {
        "mentions": [
            "nonsense",
            {"id": "7", "username": "carol", "global_name": "Carol"},
            {"id": "8", "username": "dan", "member": {"nick": "Danny"}},
            {"id": "1", "username": "renamed since"},
        ],
        "mention_channels": [{"id": "70", "name": "elsewhere"}],
    }
    assert resolve("<@7> <@8> <@1> <#70>", of) == "@Carol @Danny @Alice #elsewhere"


def test_names_are_verbatim_in_json() -> None:
    assert Mentions(NAMES, clock(), VERBATIM).resolve("<@6>", {}) == "@Eve(1): no"


@given(st.text(alphabet="` a<@1>\n", max_size=60))
def test_code_spans_are_ascending_and_apart(text: str) -> None:
    spans = code_spans(text)
    assert all(start < end <= len(text) for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert all(text[start] == "`" == text[end - 1] for start, end in spans)


def test_hostile_markup_takes_linear_time() -> None:
    texts = [
        "`" * 4000,
        "` `` " * 1000,
        "<" * 4000,
        "</" * 2000,
        "<t:" * 1300,
        "".join("`" * n + "a" for n in range(80)),
    ]
    for text in texts * 5:
        # Quadratic work would run into the suite's time-out.
        assert resolve(text * 10)


@pytest.mark.parametrize("number", [-1, -(10**30), -1.5, "-1", True, None])
def test_what_can_be_no_id_is_not_looked_up(number: object) -> None:
    reference = {"message_id": number, "channel_id": number}
    found = wanted([message("Bob", 222, type=19, extra={"message_reference": reference})])
    assert found == Wanted(frozenset(), frozenset(), frozenset(), frozenset())


def test_what_is_wanted_for_some_messages() -> None:
    found = wanted(
        [
            message("Alice", 1, "plain"),
            message("Alice", 1, "<@10> <#20> <@&30> <:x:40>", reply_to=50),
            message(
                "Bob",
                2,
                extra={
                    "embeds": [{"description": "<@!11>", "fields": [{"value": "<#21>"}]}],
                    "message_reference": {"type": 1, "channel_id": "22", "message_id": "51"},
                },
            ),
            message("Bob", 2, extra={"message_reference": "nonsense", "poll": {"question": {"text": "<@&31>"}}}),
        ]
    )
    assert found == Wanted(
        users=frozenset({10, 11}),
        channels=frozenset({20, 21, 22}),
        roles=frozenset({30, 31}),
        messages=frozenset({50, 51}),
    )
