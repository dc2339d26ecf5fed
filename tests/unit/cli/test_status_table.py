"""The table of `status`: every channel in its place, nothing wider than the terminal, no name more than a name."""

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.cells import cell_len

from junkie_cli import snowflake
from junkie_cli.cli.colour import has_colour, paint
from junkie_cli.cli.status_table import Pieces, Screen, as_table, closing, detail, first_steps, heading, legend, told
from junkie_cli.cli.status_view import Entry, Sort, add_up, sections, selected
from junkie_cli.coverage import Coverage
from junkie_cli.db.reader import ChannelState
from junkie_cli.db.status import Archive, GuildRecord, Record, Worker
from junkie_cli.ingest.changes import Changes
from junkie_cli.ingest.selection import Selection, Unlisted
from junkie_cli.ingest.standing import Wanted, stand
from junkie_cli.models import Channel, ChannelType
from tests.unit.cli.runs import HOSTILE

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def at(month: int, day: int = 1) -> int:
    return snowflake.from_datetime(datetime(2024, month, day, tzinfo=UTC))


def record(
    channel_id: int,
    name: str,
    *covered: tuple[int, int],
    last_id: int | None = at(5),
    guild_id: int | None = 1,
    parent_id: int | None = None,
    kind: int = ChannelType.TEXT,
    position: int = 0,
    **state: Any,
) -> Record:
    channel = Channel(channel_id, guild_id, parent_id, kind, name, last_id, position)
    held = state.get("held", 0)
    return Record(
        channel,
        known=True,
        state=ChannelState(channel_id, Coverage.of(covered), **({"last_updated": NOW - timedelta(minutes=5)} | state)),
        oldest=covered[0][0] if held and covered else None,
        newest=covered[-1][1] - 1 if held and covered else None,
    )


def archive(*records: Record, workers: tuple[Worker, ...] = ()) -> Archive:
    guilds = {1: GuildRecord(1, "The Guild", None), 2: GuildRecord(2, "An old one", NOW - timedelta(days=9))}
    return Archive(NOW, 12_345_678, guilds, list(records), list(workers))


def shown(pieces: list[Pieces]) -> list[str]:
    return ["".join(text for text, _ in line).rstrip() for line in pieces]


def table(*records: Record, screen: Screen = Screen(), sort: Sort = "place", wanted: Wanted = Wanted()) -> list[str]:  # noqa: B008  frozen
    whole = archive(*records)
    entries = entries_of(whole, wanted=wanted)
    return shown(as_table(whole, sections(whole, entries, sort), screen))


def entries_of(whole: Archive, selection: Selection = Selection(), wanted: Wanted = Wanted()) -> list[Entry]:  # noqa: B008  frozen
    return [Entry(one, stand(one, wanted, {})) for one in selected(whole, selection)]


CATEGORY = record(at(1), "Projects", kind=ChannelType.CATEGORY, position=1)
GENERAL = record(at(1) + 1, "general", (at(1) + 1, at(5) + 1), held=123_456)
FORUM = record(at(1) + 2, "help", kind=ChannelType.FORUM, parent_id=at(1))
POST = record(at(2), "a post", (at(2), at(5) + 1), held=7, parent_id=at(1) + 2, kind=ChannelType.PUBLIC_THREAD)
SHALLOW = record(
    at(1) + 3,
    "shallow",
    (at(3), at(5) + 1),
    held=500,
    parent_id=at(1),
    unwatched_since=NOW - timedelta(days=3),
)
TORN = record(at(1) + 4, "torn", (at(1) + 4, at(2)), (at(2) + 1, at(4)), held=90, parent_id=at(1), position=1)
THREAD = record(at(3), "new", last_id=at(5), parent_id=at(1) + 4, kind=ChannelType.PUBLIC_THREAD)
VOICE = record(at(1) + 5, "Lounge", parent_id=at(1), kind=ChannelType.VOICE, unreadable="lacks Connect")
EMPTY = record(at(1) + 6, "empty", (at(1) + 6, at(1) + 7), last_id=None, position=1)
LEFT = record(at(1) + 7, "lost", guild_id=2, gone_at=NOW - timedelta(days=9))
DM = record(at(1) + 8, "Mira", guild_id=None, kind=ChannelType.DM, last_id=None)
EVERYTHING = (DM, LEFT, VOICE, THREAD, TORN, SHALLOW, POST, FORUM, GENERAL, EMPTY, CATEGORY)


def test_a_table_of_everything() -> None:
    assert table(*EVERYTHING) == [
        "An old one (gone since 2024-04-22)",
        "Channel    Messages Timeline           Oldest Newest Edits Updated State",
        "#lost             0 ░░░░░░░░░░░░░░░░░░      -      -     -      5m gone",
        "    gone since 2024-04-22",
        "",
        "The Guild",
        "Channel    Messages Timeline           Oldest Newest Edits Updated State",
        "#general    123,456 ██████████████████    3mo    12h     -      5m complete",
        "#empty            0 ██████████████████      -      -     -      5m complete",
        "#help",
        "  › a post        7 ██████████████████    90d    12h     -      5m complete",  # noqa: RUF001
        "#shallow        500 ░░░░░░░░▒█████████    61d    12h    3d      5m partial",
        "    1 gap, before 2024-03-01; about 3–10 requests left",  # noqa: RUF001  a dash
        "#torn            90 ████▒████████▒░░░░    3mo    30d     -      5m partial",
        "    2 gaps; about 2 requests left",
        "  › new           0 ░░░░░░░░░░░░░░░░░░      -      -     -      5m never fetched",  # noqa: RUF001
        "#Lounge           0 ░░░░░░░░░░░░░░░░░░      -      -     -      5m unreadable",
        "    lacks Connect",
        "",
        "Direct messages",
        "Channel    Messages Timeline           Oldest Newest Edits Updated State",
        "Mira              0                         -      -     -      5m complete",
        "",
    ]


def test_without_unicode() -> None:
    assert table(SHALLOW, THREAD, screen=Screen(unicode=False, encoding="ascii"))[2:6] == [
        "#shallow                500 ....+#####    61d    12h    3d      5m partial",
        "    1 gap, before 2024-03-01; about 3-10 requests left",
        f"{at(1) + 4}"[:15] + "...",
        "  > new                   0 ..........      -      -     -      5m never fetched",
    ]


def test_a_wide_screen_has_dates_and_longer_bars() -> None:
    line = table(GENERAL, screen=Screen(width=140))[2]
    assert re.fullmatch(r"#general +123,456 █{60} 2024-01-01 2024-05-01 +- 2024-05-01 complete", line)


@pytest.mark.parametrize("width", [1, 24, 40, 60, 79, 80, 100, 120, 200])
@pytest.mark.parametrize("unicode", [True, False])
def test_nothing_is_wider_than_the_screen(width: int, unicode: bool) -> None:  # noqa: FBT001  a parameter
    screen = Screen(width, unicode, None if unicode else "ascii")
    hostile = [record(at(2) + n, name, unreadable=name) for n, name in enumerate(HOSTILE)]
    threads = [
        record(at(3) + n, name, held=10**12, parent_id=at(2), kind=ChannelType.PUBLIC_THREAD, unreadable=name)
        for n, name in enumerate(HOSTILE)
    ]
    whole = archive(*EVERYTHING, *hostile, *threads)
    whole.guilds[1] = GuildRecord(1, HOSTILE[3], None)
    workers = [Worker(HOSTILE[0], 1, HOSTILE[6], 7, NOW, NOW, NOW, uses_discord=True)]
    whole = whole._replace(workers=workers)
    entries = entries_of(whole)
    changed = Changes(newer=(1, 2), found=(3,), unlisted=(Unlisted(1, HOSTILE[0], HOSTILE[2]),))
    lines = [
        *heading(whole, screen),
        *told(changed, screen),
        *as_table(whole, sections(whole, entries, "place"), screen),
        *closing(whole, add_up(entries), screen),
        *legend(screen),
        *first_steps(screen, token=False),
    ]
    for line in shown(lines):
        assert cell_len(line) <= max(width, 24)
        assert line.isprintable()
        assert unicode or line.isascii()


def test_a_wide_name_leaves_room_for_what_is_said_of_it() -> None:
    lines = shown(
        told(Changes(unlisted=(Unlisted(1, "広場 " * 15, "it could not be listed: lacks Manage Threads"),)), Screen())
    )
    assert " ".join(line.strip() for line in lines).endswith("広場 : it could not be listed: lacks Manage Threads")
    assert max(map(cell_len, lines)) <= 80


def test_what_nobody_knows_the_place_of_is_no_direct_message() -> None:
    rows = record(at(1) + 9, "", guild_id=None, last_id=None, held=3)._replace(known=False, newest=at(4))
    lines = table(DM, rows, GENERAL)
    headings = [lines[n - 1] for n, line in enumerate(lines) if line.startswith("Channel ")]
    assert headings == ["The Guild", "Direct messages", "Only messages are known, not where they belong"]
    assert lines[-2].startswith(f"{at(1) + 9}"[:12])


def test_a_narrow_screen_keeps_the_name_and_the_state() -> None:
    assert table(SHALLOW, screen=Screen(width=30))[2].startswith("#shallow")
    assert table(SHALLOW, screen=Screen(width=30))[2].endswith("partial")


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("place", ["b", "a", "c"]),
        ("name", ["a", "b", "c"]),
        ("messages", ["c", "b", "a"]),
        ("oldest", ["a", "c", "b"]),
        ("newest", ["b", "c", "a"]),
        ("gaps", ["c", "a", "b"]),
        ("updated", ["a", "b", "c"]),
    ],
)
def test_what_channels_are_sorted_by(sort: Sort, names: list[str]) -> None:
    ago = [NOW - timedelta(days=n) for n in range(3)]
    records = [
        record(7, "c", (at(2), at(3)), (at(3) + 5, at(4)), held=9, position=3, last_updated=ago[2]),
        record(8, "a", (at(1), at(2)), held=1, position=2, last_updated=ago[0]),
        record(9, "b", (9, at(5) + 1), held=5, position=1, last_updated=ago[1]),
    ]
    records[2] = records[2]._replace(oldest=at(3))
    lines = [line for line in table(*records, sort=sort) if line.startswith("#")]
    assert [line[1] for line in lines] == names


def test_a_look_in_vain_counts_as_an_update() -> None:
    changed, looked = NOW - timedelta(days=3), NOW - timedelta(hours=2)
    records = [
        record(7, "looked", (7, at(5) + 1), held=1, last_updated=changed, checked_at=looked),
        record(8, "changed", (8, at(5) + 1), held=1, last_updated=looked - timedelta(hours=1), checked_at=changed),
        record(9, "never", last_updated=None),
    ]
    lines = [line for line in table(*records, sort="updated") if line.startswith("#")]
    assert [line.split()[0] for line in lines] == ["#looked", "#changed", "#never"]
    assert [re.findall(r"(\S+) (?:complete|never fetched)$", line) for line in lines] == [["2h"], ["3h"], ["-"]]


def test_threads_of_a_forum_decide_where_it_stands() -> None:
    big = POST._replace(state=ChannelState(POST.channel.channel_id, POST.state.covered, held=10**6))
    lines = table(GENERAL, FORUM, big, sort="messages")
    assert [line.split()[0] for line in lines[2:-1]] == ["#help", "›", "#general"]  # noqa: RUF001


class TestSelection:
    def named(self, **chosen: int) -> list[str]:
        chosen_ids: dict[str, Any] = {key: frozenset({value}) for key, value in chosen.items()}
        selection = Selection(**chosen_ids)
        return sorted(entry.channel.name for entry in entries_of(archive(*EVERYTHING), selection))

    def test_a_guild(self) -> None:
        assert self.named(guilds=2) == ["lost"]

    def test_a_channel_comes_with_its_threads(self) -> None:
        assert self.named(channels=TORN.channel.channel_id) == ["new", "torn"]
        assert self.named(channels=FORUM.channel.channel_id) == ["a post"]
        assert self.named(channels=THREAD.channel.channel_id) == ["new"]

    def test_a_category_is_left_out_with_all_below_it(self) -> None:
        assert self.named(exclude=CATEGORY.channel.channel_id) == ["Mira", "empty", "general", "lost"]

    def test_a_thread_whose_channel_is_not_shown_is_still_shown_below_it(self) -> None:
        whole = archive(*EVERYTHING)
        entries = entries_of(whole, Selection(channels=frozenset({THREAD.channel.channel_id})))
        assert shown(as_table(whole, sections(whole, entries, "place"), Screen()))[2] == "#torn"


def test_gaps_in_words() -> None:
    def words(*covered: tuple[int, int]) -> str:
        one = record(at(1), "x", *covered, held=100)
        return detail(Entry(one, stand(one, Wanted(), {}))).partition(";")[0]

    assert words((at(1), at(4))) == "1 gap, since 2024-04-01"
    assert words((at(4), at(5) + 1)) == "1 gap, before 2024-04-01"
    assert words((at(1), at(2)), (at(3), at(5) + 1)) == "1 gap, 2024-02-01 to 2024-03-01"
    assert words((at(1), at(2)), (at(2) + 5, at(5) + 1)) == "1 gap, on 2024-02-01"
    assert words((at(2), at(3)), (at(3) + 5, at(4))) == "3 gaps"
    assert words((at(1), at(5) + 1)) == ""


def test_the_sums() -> None:
    worker = Worker("serve", 1, "box", 77, NOW - timedelta(hours=5), NOW, NOW - timedelta(seconds=8), uses_discord=True)
    whole = archive(*EVERYTHING, workers=(worker,))
    assert shown(closing(whole, add_up(entries_of(whole)), Screen())) == [
        "9 channels, 124,053 messages: 4 complete, 2 partial, 1 never fetched, 1",
        "    unreadable, 1 gone",
        "To fetch: 4 gaps, at least 6 requests, at least 1 s; `junkie backfill` does it",
        "On disk: 12.3 MB",
        "Worker: serve on box (process 77) for 5h, last got on 8s ago",
    ]
    assert shown(closing(archive(GENERAL), add_up(entries_of(archive(GENERAL))), Screen())) == [
        "1 channel, 123,456 messages: 1 complete",
        "On disk: 12.3 MB",
        "Workers: none is alive",
    ]


def test_the_head_says_as_of_when() -> None:
    assert shown(heading(archive(GENERAL), Screen())) == ["Archive as of 2024-05-01 12:00:00 UTC, last changed 5m ago"]
    assert shown(heading(archive(), Screen())) == ["Archive as of 2024-05-01 12:00:00 UTC"]


def test_what_discord_changed_in_words() -> None:
    assert shown(told(Changes(), Screen())) == ["Discord was asked just now: nothing has changed"]
    unlisted = (Unlisted(1, "#staff", "its archived threads could not be listed: lacks Manage Threads"),)
    changed = Changes(newer=(1,), found=(2, 3), gone=(4,), back=(5,), unreadable=(6,), readable=(7,), unlisted=unlisted)
    assert " ".join(" ".join(shown(told(changed, Screen()))).split()) == (
        "Discord was asked just now: 1 channel has newer messages, 2 channels are new, 1 channel is gone, 1 channel is "
        "back, 1 channel can't be read any more, 1 channel can be read again "
        "#staff: its archived threads could not be listed: lacks Manage Threads"
    )


def test_first_steps() -> None:
    assert (
        " ".join(shown(first_steps(Screen(), token=True))) == "The archive is empty. Run `junkie backfill` to fill it."
    )
    assert "set DISCORD_TOKEN" in " ".join(shown(first_steps(Screen(), token=False)))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestColour:
    @pytest.mark.parametrize(
        ("stream", "environ", "coloured"),
        [
            (Terminal(), {"TERM": "xterm-256color"}, True),
            (Terminal(), {"TERM": "xterm-256color", "NO_COLOR": ""}, True),
            (Terminal(), {"TERM": "xterm-256color", "NO_COLOR": "1"}, False),
            (Terminal(), {"TERM": "dumb"}, False),
            (Terminal(), {}, False),
            (io.StringIO(), {"TERM": "xterm-256color", "FORCE_COLOR": "1"}, False),
            (None, {"TERM": "xterm-256color"}, False),
        ],
    )
    def test_only_on_a_terminal_that_has_it_and_where_it_is_wanted(
        self,
        monkeypatch: pytest.MonkeyPatch,
        stream: io.StringIO | None,
        environ: dict[str, str],
        coloured: bool,  # noqa: FBT001  a parameter
    ) -> None:
        for variable in ("TERM", "NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(variable, raising=False)
        for variable, value in environ.items():
            monkeypatch.setenv(variable, value)
        assert has_colour(stream) is coloured

    def test_colours_are_all_that_moves_a_terminal(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("junkie_cli.cli.colour.has_colour", lambda _stream: True)
        paint([[("\x1b[5mname", ""), (" done\n", "green")], []])
        assert capsys.readouterr().out == "\ufffd[5mname\x1b[32m done\ufffd\x1b[0m\n\n"

    def test_without_them_no_blanks_end_a_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        paint([[("name", "bold"), (" done  ", "green")]])
        assert capsys.readouterr().out == "name done\n"
