"""What a text may mean, and that hostile names change nothing about it."""

import shlex
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from junkie_cli import snowflake
from junkie_cli.errors import ConfigError, UsageError
from junkie_cli.models import Channel, ChannelType, Guild
from junkie_cli.reference import Asked, Known, Label, Sort, Wanted, find, inert, known_places, read

GUILDS = [Guild(1, "My Server"), Guild(2, "Other/Place")]


def channel(
    channel_id: int, name: str, kind: int = ChannelType.TEXT, parent: int | None = None, guild: int | None = 1
) -> Channel:
    return Channel(channel_id, guild, parent, kind, name, None)


CHANNELS = [
    channel(10, "Projects", ChannelType.CATEGORY),
    channel(11, "general", parent=10),
    channel(12, "Lounge", ChannelType.VOICE),
    channel(13, "help", ChannelType.FORUM),
    channel(14, "How do I?", ChannelType.PUBLIC_THREAD, 13),
    channel(15, "#1 topic", ChannelType.PUBLIC_THREAD, 11),
    channel(16, "2024"),
    channel(17, "bad\x1b[31m\nname"),
    channel(18, "zażółć"),
    channel(21, "general", guild=2),
    channel(22, "random", guild=2),
    channel(30, "Ann", ChannelType.DM, guild=None),
]
KNOWN = known_places(GUILDS, CHANNELS)


def meant(text: str, wanted: Wanted = Wanted.CHANNEL, known: Sequence[Known] = KNOWN) -> int:
    asked = Asked(text, wanted, Label("--option"))
    number = read(asked)
    return find(asked, known, where="the archive").snowflake if number is None else number


def refusal(text: str, wanted: Wanted = Wanted.CHANNEL, known: Sequence[Known] = KNOWN) -> str:
    with pytest.raises(UsageError) as caught:
        meant(text, wanted, known)
    assert caught.value.message.startswith("--option: ")
    assert caught.value.hint
    return f"{caught.value.message}; {caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("11", 11),
        (" 99 ", 99),
        ("<#99>", 99),
        ("https://discord.com/channels/1/99", 99),
        ("https://discord.com/channels/1/99/5", 99),
        ("https://discord.com/channels/@me/30", 30),
        ("random", 22),
        ("#random", 22),
        ("RANDOM", 22),
        ("My Server/general", 11),
        ("my server/#general", 11),
        ("My-Server/general", 11),
        ("Projects/general", 11),
        ("my server/projects/general", 11),
        ("Other/Place/general", 21),
        ("other-place/general", 21),
        ("help/How do I?", 14),
        ("help › how do i?", 14),  # noqa: RUF001  as reports show a thread
        ("how-do-i", 14),
        ("#1 topic", 15),
        ("general/#1 topic", 15),
        ("#2024", 16),
        ("my server/2024", 16),
        ("bad\ufffd[31m\ufffdname", 17),
        ("bad-31mname", 17),
        ("ZAŻÓŁĆ", 18),
        ("zaz\u0307o\u0301łc\u0301", 18),
        ("ann", 30),
    ],
)
def test_a_channel_is_meant_by(text: str, expected: int) -> None:
    assert meant(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("my server", 1), ("My-Server", 1), ("1", 1), ("https://discord.com/channels/1/99", 1)]
)
def test_a_guild_is_meant_by(text: str, expected: int) -> None:
    assert meant(text, Wanted.GUILD) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("My Server", 1), ("projects", 10), ("lounge", 12), ("https://discord.com/channels/1", 1)]
)
def test_what_is_left_out_is_meant_by(text: str, expected: int) -> None:
    assert meant(text, Wanted.PLACE) == expected


def test_an_ambiguous_name_lists_what_it_may_be() -> None:
    assert refusal("general") == (
        "--option: 'general' may be My Server/Projects/general (11) or Other/Place/general (21); give the id"
    )
    many = known_places(GUILDS, [channel(100 + n, "same") for n in range(8)])
    assert "(104) or 3 more; " in refusal("same", known=many)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "genrl",
            "the archive knows no channel 'genrl'; did you mean My Server/Projects/general (11)? Else give its id",
        ),
        ("my server/genera", "did you mean My Server/Projects/general (11)"),
        ("nothing alike at all", "; give its id"),
        ("projects", "My Server/Projects (10) is a category and holds no messages; name a channel in it"),
        ("", "names nothing"),
        ("#", "names nothing"),
        ("\u200b", "names nothing"),
        ("9" * 19, f"'{'9' * 19}' is not a Discord id"),
        ("0", "is not a Discord id"),
        ("-1", "is not a Discord id"),
        ("https://example.com/channels/1/2", "is no link to a place in Discord"),
        ("https://discord.com/channels/1", "leads to a guild, not to a channel"),
    ],
)
def test_what_names_no_channel_says_so(text: str, words: str) -> None:
    assert words in refusal(text)


def test_other_refusals() -> None:
    assert "leads to no guild" in refusal("https://discord.com/channels/@me/30", Wanted.GUILD)
    assert "leads to a place" in refusal("https://discord.com/channels/1/99", Wanted.USER)
    assert "knows no guild 'random'" in refusal("random", Wanted.GUILD)
    twins = [Known(number, Sort.USERNAME, ("ann",)) for number in (5, 6)]
    assert "'ann' may be ann (5) or ann (6)" in refusal("ann", Wanted.USER, twins)


def test_what_a_variable_says_is_a_matter_of_configuration() -> None:
    label = Label("JUNKIE_CHANNELS (environment)", configured=True)
    with pytest.raises(ConfigError, match=r"^JUNKIE_CHANNELS \(environment\): .* knows no channel 'x'"):
        find(Asked("x", Wanted.CHANNEL, label), KNOWN, where="the archive")
    with pytest.raises(ConfigError, match="not a Discord id"):
        read(Asked("9" * 30, Wanted.CHANNEL, label))


def test_the_exact_case_outweighs_another() -> None:
    known = known_places(GUILDS, [channel(11, "General", ChannelType.VOICE), channel(12, "general")])
    assert meant("General", known=known) == 11
    assert meant("general", known=known) == 12
    assert "may be" in refusal("GENERAL", known=known)


def test_a_thread_takes_no_channels_name() -> None:
    """Anybody may open one."""
    lounge = channel(12, "Lounge", ChannelType.VOICE)
    known = known_places(GUILDS, [lounge, channel(14, "lounge", ChannelType.PUBLIC_THREAD, 12)])
    assert meant("lounge", known=known) == 12
    assert meant("lounge/lounge", known=known) == 14


def test_what_is_gone_is_meant_only_where_nothing_else_is() -> None:
    channels = [channel(11, "general"), channel(12, "general")]
    assert meant("general", known=known_places(GUILDS, channels, gone=[11])) == 12
    assert "may be" in refusal("general", known=known_places(GUILDS, channels, gone=[11, 12]))
    assert meant("general", known=known_places(GUILDS, channels[:1], gone=[1])) == 11


def test_a_forum_is_meant_only_where_no_messages_are_wanted() -> None:
    known = known_places(GUILDS, [channel(13, "help", ChannelType.FORUM), channel(14, "help", 11, 13)])
    assert meant("help", Wanted.CHANNEL, known) == 13
    assert meant("help", Wanted.MESSAGES, known) == 14


def test_a_display_name_takes_nobodys_username() -> None:
    known = [
        Known(5, Sort.USERNAME, ("ann",)),
        Known(6, Sort.USERNAME, ("eve",)),
        Known(6, Sort.DISPLAY_NAME, ("ann",)),
        Known(7, Sort.DISPLAY_NAME, ("Bob the Builder",)),
    ]
    for text in ("ann", "@Ann", "5", "<@5>", "<@!5>"):
        assert meant(text, Wanted.USER, known) == 5
    assert meant("@bob the builder", Wanted.USER, known) == 7


def test_parents_that_make_a_ring_end() -> None:
    ring = [channel(11, "a", 11, 12), channel(12, "b", 11, 11)]
    assert [known.path for known in known_places(GUILDS, ring)[2:]] == [
        ("My Server", "a", "b", "a"),
        ("My Server", "b", "a", "b"),
    ]


names = st.text(max_size=12) | st.text("ab /#'\"\\$`;|&\n\x1b-", max_size=12)


@given(names)
def test_an_inert_name_is_one_word_to_any_shell(name: str) -> None:
    word = inert(name)
    assert shlex.split(word, comments=True) == ([word] if word else [])
    assert shlex.quote(word) == word or not word.isascii() or not word
    assert inert(word) == word
    assert not word.startswith("-")
    assert word.isprintable()


@given(st.lists(st.tuples(names, st.integers(1, 2), st.sampled_from([0, 4, 11, 15])), max_size=6), names)
def test_any_names_and_any_text(given_channels: list[tuple[str, int, int]], text: str) -> None:
    channels = [channel(10 + n, name, kind, guild=guild) for n, (name, guild, kind) in enumerate(given_channels)]
    known = known_places(GUILDS, channels)
    for wanted in Wanted:
        found = outcome(Asked(text, wanted), known)
        assert found.hint if isinstance(found, UsageError) else 0 < found <= snowflake.MAX


def outcome(asked: Asked, known: Sequence[Known]) -> int | UsageError:
    try:
        number = read(asked)
        return find(asked, known, where="the archive").snowflake if number is None else number
    except UsageError as error:
        return error


@given(st.lists(names, min_size=1, max_size=5))
def test_whatever_has_one_owner_is_found_by_it(given_names: list[str]) -> None:
    channels = [channel(10 + n, name) for n, name in enumerate(given_names)]
    known = known_places(GUILDS, channels)
    for one, name in zip(channels, given_names, strict=True):
        if given_names.count(name) == 1 and name == name.strip() and not name.isdigit():
            found = outcome(Asked(name, Wanted.CHANNEL), known)
            assert found == one.channel_id or (
                isinstance(found, UsageError) and not found.message.startswith("the arch")
            )
