"""Which messages repeat another one, and what is left of them without it."""

from typing import Any

import pytest

from junkie_cli.db.copies import Origin, origin_of, strip, stripped
from junkie_cli.db.reconcile import Incoming, Key, Place, Rule
from junkie_cli.models import Message

REFERENCE = {"type": 1, "channel_id": "5", "guild_id": "9", "message_id": "8"}
SNAPSHOTS = [{"message": {"content": "a copy"}}]


def message(kind: int = 0, **extra: Any) -> Message:
    return Message(50, 80, 7, "Ann", "", type=kind, extra=extra or None)


@pytest.mark.parametrize(
    ("of", "origin"),
    [
        (message(), None),
        (message(message_reference=REFERENCE), None),
        (message(message_reference=REFERENCE, message_snapshots=SNAPSHOTS), Origin(Key(5, 8), 9)),
        (message(message_reference={"message_id": "8"}, message_snapshots=SNAPSHOTS), Origin(Key(50, 8))),
        (message(46, message_reference=REFERENCE, embeds=[{}]), Origin(Key(5, 8), 9)),
        (message(46, message_reference=REFERENCE), None),
        (message(0, message_reference=REFERENCE, embeds=[{}]), None),
        (message(message_reference="x", message_snapshots=SNAPSHOTS), None),
        (message(message_snapshots=SNAPSHOTS), None),
        *(
            (message(message_reference={"message_id": bad}, message_snapshots=SNAPSHOTS), None)
            for bad in (8, "", "x", "٣", "9" * 19, "9" * 40)
        ),
    ],
)
def test_origins(of: Message, origin: Origin | None) -> None:
    assert origin_of(of) == origin


def test_what_is_left() -> None:
    assert stripped(message(message_reference=REFERENCE, message_snapshots=SNAPSHOTS, flags=1)).extra == {
        "message_reference": REFERENCE,
        "flags": 1,
    }
    assert stripped(message(46, embeds=[{}])).extra is None


def test_only_copies_of_what_was_dropped_are_stripped() -> None:
    forwards = {
        Key(50, n): Incoming(
            Message(
                50,
                n,
                7,
                "Ann",
                "",
                extra={"message_reference": {"message_id": f"{n}0"}, "message_snapshots": SNAPSHOTS},
            ),
            1,
        )
        for n in (1, 2)
    }
    origins = {key: origin for key, shown in forwards.items() if (origin := origin_of(shown.message)) is not None}
    kept = strip(forwards, origins, lambda origin: origin.key.message_id == 10)
    assert kept[Key(50, 2)] == forwards[Key(50, 2)]
    assert kept[Key(50, 1)].message.extra == {"message_reference": {"message_id": "10"}}


@pytest.mark.parametrize(
    ("rule", "ruled_out"),
    [
        (Rule(user_id=7), False),
        (Rule(channel_id=5), True),
        (Rule(channel_id=4), True),
        (Rule(channel_id=6), False),
        (Rule(guild_id=9), True),
        (Rule(before_id=9), True),
        (Rule(before_id=8), False),
        (Rule(user_id=7, channel_id=5), False),
    ],
)
def test_rules(rule: Rule, ruled_out: bool) -> None:  # noqa: FBT001  what is expected
    assert Origin(Key(5, 8)).ruled_out(rule, Place(9, 4)) is ruled_out
    assert not Origin(Key(5, 8)).ruled_out(Rule(guild_id=9), None)
    assert Origin(Key(5, 8), 9).ruled_out(Rule(guild_id=9), None)
