"""Which message is meant by an id or a link."""

import pytest

from junkie_cli.cli.naming import read_message_id
from junkie_cli.errors import UsageError

LINK = "https://discord.com/channels/1"


@pytest.mark.parametrize(
    "text", ["12", " 12 ", f"{LINK}/7/12", f"{LINK}/7/12/", "https://ptb.discord.com/channels/@me/7/12"]
)
def test_an_id_and_a_link(text: str) -> None:
    assert read_message_id(text, 7, "message") == 12


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("twelve", "neither a message's id nor its link"),
        ("0", "neither a message's id nor its link"),
        ("9" * 5000, "neither a message's id nor its link"),
        (f"{LINK}/7", "leads to no message"),
        (f"{LINK}/8/12", "message 12 is of channel 8, not of 7"),
        (f"{LINK}/{'9' * 5000}/12", "not of 7"),
        (f"{LINK}/7/{'9' * 5000}", "neither a message's id nor its link"),
    ],
)
def test_what_names_no_message_of_the_channel(text: str, words: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_message_id(text, 7, "message")
    assert refusal.value.message.startswith("--message: ")
    assert words in refusal.value.message
    assert len(refusal.value.message) < 200
