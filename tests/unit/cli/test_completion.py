"""What is offered means one place alone, and nothing to a shell."""

import shlex
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junkie_cli.cli import completion
from junkie_cli.cli.completion import offers
from junkie_cli.models import Channel, ChannelType, Guild
from junkie_cli.reference import Asked, Wanted, find, known_places, read

GUILDS = [Guild(1, "My Server"), Guild(2, "Other")]


def channel(channel_id: int, name: str, kind: int = 0, parent: int | None = None, guild: int | None = 1) -> Channel:
    return Channel(channel_id, guild, parent, kind, name, None)


KNOWN = known_places(
    GUILDS,
    [
        channel(11, "general"),
        channel(21, "general", guild=2),
        channel(12, "$(touch /tmp/x) `id`; 'a' \"b\" * \\ ~ #!"),
        channel(13, "two\nlines\x1b[2J"),
        channel(14, "2024"),
        channel(15, "…"),
        channel(16, "!!!"),
        channel(17, "How to?", ChannelType.PUBLIC_THREAD, 11),
        channel(18, "--yes"),
    ],
)


def test_the_shortest_spelling_that_means_one_place() -> None:
    assert offers(KNOWN, Wanted.CHANNEL, "") == [
        "How-to",
        "My-Server/2024",
        "My-Server/general",
        "Other/general",
        "touch-tmp-x-id-a-b",
        "twolines-2J",
        "yes",
        "…",
    ]
    assert offers(KNOWN, Wanted.GUILD, "") == ["My-Server", "Other"]
    assert offers(KNOWN, Wanted.PLACE, "My-Server")[0] == "My-Server"


def test_what_was_typed_stays_as_it_was() -> None:
    assert offers(KNOWN, Wanted.CHANNEL, "MY-server/g") == ["MY-server/general", "MY-server/general/How-to"]
    assert offers(KNOWN, Wanted.CHANNEL, "how") == ["how-to"]
    assert offers(KNOWN, Wanted.CHANNEL, "nothing") == []


def test_an_id_is_completed_too() -> None:
    assert offers(KNOWN, Wanted.CHANNEL, "2") == ["21"]
    assert "16" in offers(KNOWN, Wanted.CHANNEL, "1")


names = st.text(max_size=8) | st.text("abA /#'\"\\$`;|&\n\x1b-1…", max_size=6)


@given(st.lists(st.tuples(names, st.integers(1, 2), st.sampled_from([0, 4, 11, 15])), max_size=6), names)
def test_every_offer_is_inert_and_means_one_place(made: list[tuple[str, int, int]], typed: str) -> None:
    channels = [channel(10 + n, name, kind, guild=guild) for n, (name, guild, kind) in enumerate(made)]
    known = known_places([Guild(1, "a"), Guild(2, "A b")], channels)
    for wanted in (Wanted.CHANNEL, Wanted.GUILD, Wanted.PLACE):
        for text in offers(known, wanted, ""):
            assert shlex.split(text, comments=True) == [text]
            assert text.isprintable()
            assert not text.startswith("-")
            asked = Asked(text, wanted)
            assert read(asked) is None
            find(asked, known, where="the archive")
        assert all(text.startswith(typed) for text in offers(known, wanted, typed))


def test_offers_are_of_different_places() -> None:
    found = [find(Asked(text, Wanted.CHANNEL), KNOWN, where="").snowflake for text in offers(KNOWN, Wanted.CHANNEL, "")]
    assert sorted(found) == [11, 12, 13, 14, 15, 17, 18, 21]


@pytest.mark.parametrize("error", [RuntimeError("bug"), TimeoutError(), OSError("away")])
def test_whatever_goes_wrong_is_no_matter(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def broken() -> None:
        raise error

    monkeypatch.setattr(completion, "_known", broken)
    assert completion.channels("") == completion.guilds("") == completion.places("") == []
    assert capsys.readouterr() == ("", "")


def test_nobody_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_known", lambda: signal.raise_signal(signal.SIGALRM))
    handler = signal.getsignal(signal.SIGALRM)
    assert completion.channels("") == []
    assert signal.getsignal(signal.SIGALRM) is handler


def test_a_terminal_that_can_not_show_it_is_not_offered_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_known", lambda: KNOWN)
    assert "…" in completion.channels("")

    class Narrow:
        encoding = "latin-1"

    monkeypatch.setattr("sys.stdout", Narrow())
    assert "…" not in completion.channels("")
