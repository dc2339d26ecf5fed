"""`status` on a real archive: what it says, what it reads for it, and what `--live` adds."""

import json
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from junkie_cli import snowflake
from junkie_cli.cli.status import StatusOptions
from junkie_cli.cli.status_run import run
from junkie_cli.config import Settings
from junkie_cli.coverage import Coverage
from junkie_cli.db import queries
from junkie_cli.db.database import Database
from junkie_cli.db.places import LATE_SECONDS, Places
from junkie_cli.db.reconcile import Incoming, Key
from junkie_cli.db.workers import present
from junkie_cli.db.writer import Batch, Deletion, Writer
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.server import Emulator, running
from junkie_cli.errors import ConfigError, JunkieError, UsageError
from junkie_cli.ingest.selection import Selection
from junkie_cli.ingest.standing import Wanted
from junkie_cli.models import Channel, Guild, Message

NOW = datetime(2024, 5, 1, tzinfo=UTC)
BORN = snowflake.from_datetime(NOW - timedelta(days=100))
LAST = snowflake.from_datetime(NOW)
STEP = (LAST - BORN) // 100


@dataclass(slots=True)
class Archive:
    """A database, and `status` on it."""

    database: Database
    settings: Callable[..., Settings]
    capsys: pytest.CaptureFixture[str]

    async def channel(
        self,
        n: int = 0,
        *,
        covered: tuple[int, int] | None = None,
        held: range = range(0),
        reason: str | None = None,
        **fields: Any,
    ) -> int:
        """Store channel number n, coverage from and to hundredths of its life, and messages at such hundredths."""
        channel_id = BORN + n
        values = {"guild_id": 1, "parent_id": None, "type": 0, "name": f"channel-{n}", "last_message_id": LAST + n}
        channel = Channel(channel_id, **(values | fields))
        guilds = [] if channel.guild_id is None else [Guild(channel.guild_id, "The Guild")]
        await Places(self.database).store(guilds, [], [channel], {channel_id: reason} if channel.holds_messages else {})
        messages = [Message(channel_id, channel_id + k * STEP, 5, "Mira", "hi") for k in held]
        claims = {}
        if covered is not None:
            lo, hi = covered
            claims = {
                channel_id: Coverage.of(
                    [(channel_id + lo * STEP, LAST + n + 1 if hi == 100 else channel_id + hi * STEP)]
                )
            }
        await Writer(self.database).write(Batch([Incoming(each, 1) for each in messages], claims=claims, asked_at=NOW))
        return channel_id

    async def execute(self, statement: Any, *parameters: Any) -> None:
        async with self.database.connection() as connection:
            await connection.execute(statement, parameters)

    async def status(self, *, environ: dict[str, str] | None = None, **options: Any) -> tuple[int, str]:
        """Run the command; return its exit code and what it wrote."""
        self.capsys.readouterr()
        given: dict[str, Any] = {"selection": Selection(), "wanted": Wanted()} | options
        code = await run(self.settings(**(environ or {})), StatusOptions(**given))
        return code, self.capsys.readouterr().out

    async def json(self, **options: Any) -> dict[str, Any]:
        code, text = await self.status(json=True, **options)
        assert code == 0
        value = json.loads(text)
        assert isinstance(value, dict)
        return value

    async def one(self, **options: Any) -> dict[str, Any]:
        (channel,) = (await self.json(**options))["channels"]
        assert isinstance(channel, dict)
        return channel


@pytest.fixture
def archive(
    database: Database, database_url: str, make_settings: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> Archive:
    return Archive(database, lambda **environ: make_settings(POSTGRES_URL=database_url, **environ), capsys)


class TestEmpty:
    async def test_it_says_what_to_do_first(self, archive: Archive) -> None:
        code, text = await archive.status()
        assert code == 0
        assert "The archive is empty." in text
        assert "set DISCORD_TOKEN" in text
        _, text = await archive.status(environ={"DISCORD_TOKEN": "MTIz.a.b"})
        assert "Run `junkie backfill` to fill it." in text
        assert "DISCORD_TOKEN" not in text

    async def test_to_a_monitor_it_is_incomplete(self, archive: Archive) -> None:
        assert (await archive.status(fail_on_gaps=True))[0] == 3
        found = await archive.json()
        assert (found["channels"], found["guilds"], found["last_changed"]) == ([], [], None)


class TestChannels:
    async def test_a_complete_one(self, archive: Archive) -> None:
        channel_id = await archive.channel(covered=(0, 100), held=range(0, 100, 10))
        found = await archive.one()
        assert found["state"] == "complete"
        assert found["messages"] == 10
        assert found["oldest"] == str(channel_id)
        assert found["newest"] == str(channel_id + 90 * STEP)
        assert found["covered"] == [{"lo": str(channel_id), "hi": str(LAST + 1)}]
        assert (found["gaps"], found["requests"]) == ([], {"low": 0, "high": 0})
        assert found["unwatched_since"] == "2024-05-01T00:00:00.000Z"
        assert (await archive.status(fail_on_gaps=True))[0] == 0

    async def test_a_look_that_found_nothing_new_shows(self, archive: Archive) -> None:
        await archive.channel(covered=(0, 100), held=range(0, 100, 10))
        await archive.execute(
            "UPDATE junkie.channel_status SET last_updated = '2024-05-01 10:00Z', checked_at = '2024-06-01 10:00Z'"
        )
        found = await archive.one()
        assert (found["last_updated"], found["checked_at"]) == ("2024-05-01T10:00:00.000Z", "2024-06-01T10:00:00.000Z")

    async def test_a_hole_of_one_id(self, archive: Archive) -> None:
        channel_id = await archive.channel(covered=(0, 100), held=range(0, 100, 10))
        hole = channel_id + 5 * STEP + 1
        await archive.execute(
            "UPDATE junkie.channel_status SET covered = covered - int8multirange(int8range(%s, %s))", hole, hole + 1
        )
        found = await archive.one()
        assert (found["state"], found["gaps"]) == ("partial", [{"lo": str(hole), "hi": str(hole + 1)}])
        code, text = await archive.status(fail_on_gaps=True)
        assert code == 3
        assert re.search(r"^#channel-0 +10 █*▒█+ .* partial$", text, re.MULTILINE)
        assert "1 gap, on 2024-01-27; about 1 request left" in text

    async def test_one_that_was_never_fetched(self, archive: Archive) -> None:
        await archive.channel()
        found = await archive.one()
        assert (found["state"], found["requests"]) == ("never_fetched", {"low": 1, "high": None})
        assert (await archive.status(fail_on_gaps=True))[0] == 3

    async def test_what_nobody_can_fetch_fails_nothing(self, archive: Archive) -> None:
        await archive.channel(reason="lacks View Channel")
        lost = await archive.channel(1, covered=(50, 100), held=range(50, 60))
        await Places(archive.database).mark_gone(lost)
        code, text = await archive.status(fail_on_gaps=True)
        assert code == 0
        assert "    lacks View Channel\n" in text
        assert "    gone since 2" in text

    async def test_one_without_a_message_and_a_forum(self, archive: Archive) -> None:
        await archive.channel(last_message_id=None)
        await archive.channel(1, type=15, name="forum")
        assert (await archive.one())["state"] == "complete"

    async def test_one_of_which_only_rows_are_known(self, archive: Archive) -> None:
        await Writer(archive.database).write(Batch([Incoming(Message(77, 99, 5, "Mira", "hi"), 0)]))
        found = await archive.one()
        assert (found["channel_id"], found["name"], found["guild_id"]) == ("77", None, None)
        assert (found["state"], found["messages"], found["last_message_id"]) == ("never_fetched", 1, "99")

    async def test_a_message_above_all_that_was_fetched_shows_that_something_may_be_missing(
        self, archive: Archive
    ) -> None:
        channel_id = await archive.channel(covered=(0, 100), held=range(0, 100, 10))
        assert (await archive.one())["state"] == "complete"
        await Writer(archive.database).write(Batch([Incoming(Message(channel_id, LAST + 9, 5, "Mira", "hi"), 0)]))
        found = await archive.one()
        assert (found["state"], found["last_message_id"]) == ("partial", str(LAST + 9))
        assert found["gaps"] == [{"lo": str(LAST + 1), "hi": str(LAST + 10)}]

    async def test_kept_rows_of_deleted_messages_do_not_show(self, archive: Archive) -> None:
        channel_id = await archive.channel(covered=(0, 100), held=range(10))
        ends = [Deletion(Key(channel_id, channel_id + k * STEP), 9, "event") for k in (0, 1, 9)]
        await Writer(archive.database, on_delete="keep").write(Batch(deletions=ends))
        found = await archive.one()
        assert found["messages"] == 7
        assert (found["oldest"], found["newest"]) == (str(channel_id + 2 * STEP), str(channel_id + 8 * STEP))


class TestTarget:
    async def test_met_when_one_range_holds_it(self, archive: Archive) -> None:
        channel_id = await archive.channel(covered=(50, 100), held=range(40, 100))
        assert (await archive.one(wanted=Wanted(target=50)))["state"] == "target_met"
        code, text = await archive.status(wanted=Wanted(target=50), fail_on_gaps=True)
        assert code == 0
        assert "to its target" in text
        # Ten more are held, but not in that range.
        found = await archive.one(wanted=Wanted(target=51))
        assert (found["state"], found["floor"]) == ("partial", str(channel_id))

    async def test_a_deleted_message_is_none_of_it(self, archive: Archive) -> None:
        channel_id = await archive.channel(covered=(50, 100), held=range(40, 100))
        deletion = Deletion(Key(channel_id, channel_id + 70 * STEP), 9, "event")
        await Writer(archive.database, on_delete="keep").write(Batch(deletions=[deletion]))
        assert (await archive.one(wanted=Wanted(target=50)))["state"] == "partial"
        assert (await archive.one(wanted=Wanted(target=49)))["state"] == "target_met"

    async def test_since(self, archive: Archive) -> None:
        channel_id = await archive.channel(covered=(50, 100), held=range(50, 100))
        assert (await archive.one(wanted=Wanted(since=channel_id + 50 * STEP)))["state"] == "target_met"
        assert (await archive.one(wanted=Wanted(since=channel_id + 50 * STEP - 1)))["state"] == "partial"


class TestSelection:
    async def test_threads_come_with_their_channel(self, archive: Archive) -> None:
        parent = await archive.channel(0, covered=(0, 100))
        await archive.channel(1, parent_id=parent, type=11, covered=(0, 100))
        await archive.channel(2)
        found = await archive.json(selection=Selection(channels=frozenset({parent})))
        assert [each["channel_id"] for each in found["channels"]] == [str(parent), str(parent + 1)]
        assert found["channels"][1]["parent_name"] == "channel-0"
        assert found["totals"]["channels"] == 2
        chosen = Selection(exclude=frozenset({BORN + 2}))
        assert (await archive.status(selection=chosen, fail_on_gaps=True))[0] == 0

    async def test_names(self, archive: Archive) -> None:
        await archive.channel(0, name="general", covered=(0, 100))
        await archive.channel(1, name="staff")
        found = await archive.one(selection=Selection.read(channels=["#general"]))
        assert found["name"] == "general"
        assert (await archive.one(selection=Selection.read(["the guild"], exclude=["staff"])))["name"] == "general"

    async def test_a_category_by_its_id(self, archive: Archive) -> None:
        category = await archive.channel(type=4, name="Rooms")
        await archive.channel(1, parent_id=category)
        with pytest.raises(UsageError, match="is a category and holds no messages"):
            await archive.status(selection=Selection.read(channels=[str(category)]))
        assert (await archive.json(selection=Selection.read(exclude=[str(category)])))["channels"] == []

    async def test_a_guild_without_a_channel(self, archive: Archive) -> None:
        await archive.channel()
        await Places(archive.database).store([Guild(2, "Empty")], [], [], {})
        for name in ("2", "empty"):
            assert (await archive.json(selection=Selection.read([name])))["channels"] == []

    @pytest.mark.parametrize(
        ("guilds", "channels", "words"),
        [
            (["9"], [], "--guild: the archive knows no guild 9"),
            ([], ["9"], "--channel: the archive knows no channel 9"),
            ([], ["nowhere"], "--channel: the archive knows no channel 'nowhere'"),
        ],
    )
    async def test_what_the_archive_does_not_know(
        self, archive: Archive, guilds: list[str], channels: list[str], words: str
    ) -> None:
        chosen = Selection.read(guilds, channels)
        # An empty archive has something better to say.
        assert "The archive is empty." in (await archive.status(selection=chosen))[1]
        await archive.channel()
        with pytest.raises(UsageError) as refusal:
            await archive.status(selection=chosen)
        assert refusal.value.message == words


class TestWorkers:
    async def test_the_living_ones(self, archive: Archive) -> None:
        async with present(archive.database, "serve", 5):
            (worker,) = (await archive.json())["workers"]
            assert (worker["command"], worker["bot_id"], worker["uses_discord"]) == ("serve", "5", True)
            assert re.search(
                r"^Worker: serve on .* \(process \d+\) for \d+s, last got on \d+s ago$",
                (await archive.status())[1],
                re.MULTILINE,
            )
        assert (await archive.json())["workers"] == []

    @pytest.mark.parametrize("death", ["heartbeat_at = now() - interval '16 seconds'", "backend_pid = 0"])
    async def test_a_dead_one_is_none(self, archive: Archive, death: str) -> None:
        async with present(archive.database, "serve", 5):
            await archive.execute(sql.SQL("UPDATE junkie.workers SET ") + sql.SQL(death))
            assert (await archive.json())["workers"] == []
            assert "Workers: none is alive" in (await archive.status())[1]


GROWING = re.compile("messages|tombstones|revisions")
"""Their partitions begin so, too."""


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", ()) for node in nodes(below))]


@pytest.mark.parametrize("analyzed", [True, False])
async def test_it_takes_no_longer_for_more_messages(archive: Archive, database_url: str, *, analyzed: bool) -> None:
    """Of a table that grows with messages nothing is read but, by its primary key, a row at either end of a channel."""
    await archive.execute(
        "INSERT INTO junkie.messages (channel_id, message_id, author_id, seen, author_name, content) "
        "SELECT c, n, 1, 1, 'x', 'hi' FROM generate_series(1, 20) AS c, generate_series(100, 599) AS n"
    )
    await archive.execute(
        "INSERT INTO junkie.tombstones (channel_id, message_id, seen, cause) "
        "SELECT c, n, 2, 'event' FROM generate_series(1, 20) AS c, generate_series(1000, 1999) AS n"
    )
    await archive.execute(
        "INSERT INTO junkie.channel_status (channel_id, message_count) SELECT c, 500 FROM generate_series(1, 20) AS c"
    )
    if analyzed:
        await archive.execute("ANALYZE")
    with psycopg.connect(database_url) as connection:
        connection.execute(queries.query("status_session"))
        read: list[dict[str, Any]] = []
        for name in ("status_archive", "status_guilds", "status_channels", "status_workers"):
            explain = sql.SQL("EXPLAIN (ANALYZE, FORMAT JSON) ") + sql.SQL(queries.query(name))
            row = connection.execute(explain, {"late": LATE_SECONDS}).fetchone()
            assert row is not None
            read += [node for node in nodes(row[0][0]["Plan"]) if GROWING.match(node.get("Relation Name", ""))]
    assert len(read) >= 4
    for node in read:
        assert node["Node Type"] in {"Index Scan", "Index Only Scan"}, node
        assert node["Actual Rows"] <= 1, node
        assert node.get("Rows Removed by Filter", 0) == 0, node


async def test_the_size_is_that_of_the_tables_and_their_indexes(archive: Archive, database_url: str) -> None:
    before = (await archive.json())["size_bytes"]
    await archive.execute(
        "INSERT INTO junkie.messages (channel_id, message_id, author_id, seen, author_name, content) "
        "SELECT 1, n, 1, 1, 'x', repeat('x', 100) FROM generate_series(1, 5000) AS n"
    )
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT pg_total_relation_size('junkie.messages')").fetchone()
    assert row is not None
    assert before + 500_000 < (await archive.json())["size_bytes"]
    assert (await archive.json())["size_bytes"] >= row[0]


class TestLive:
    @pytest.fixture
    async def emulator(self) -> AsyncIterator[Emulator]:
        async with running(generate(seed=4, preset="3x5"), limits=Limits.off()) as started:
            yield started

    @pytest.fixture
    def environ(self, emulator: Emulator) -> dict[str, str]:
        return {"DISCORD_TOKEN": emulator.token, "DISCORD_API_URL": emulator.api_url}

    async def test_it_finds_channels_and_fetches_no_message(
        self, archive: Archive, emulator: Emulator, environ: dict[str, str]
    ) -> None:
        found = await archive.json(live=True, environ=environ)
        assert [each["state"] for each in found["channels"]] == ["never_fetched"] * 3
        assert sorted(found["live"]["found"]) == sorted(map(str, emulator.control.readable()))
        assert found["workers"] == []
        assert emulator.control.counts().messages == 0

    async def test_it_says_what_changed(self, archive: Archive, emulator: Emulator, environ: dict[str, str]) -> None:
        await archive.status(live=True, environ=environ)
        first, second, third = sorted(emulator.control.readable())
        emulator.control.post(first, "new")
        emulator.control.delete_channel(second)
        emulator.control.revoke(third, Right.READ_MESSAGE_HISTORY)
        code, text = await archive.status(live=True, environ=environ)
        told = " ".join(text.split("\n\n")[0].split())
        assert code == 0
        assert told.endswith(
            "Discord was asked just now: 1 channel has newer messages, 1 channel is gone, 1 channel can't be read any more"
        )
        _, text = await archive.status(live=True, environ=environ)
        assert "nothing has changed" in text
        # It is stored: without --live the same shows.
        states = {each["channel_id"]: each["state"] for each in (await archive.json())["channels"]}
        assert states == {str(first): "never_fetched", str(second): "gone", str(third): "unreadable"}

    async def test_what_was_not_wanted_and_is_gone_is_nothing_to_fetch(
        self, archive: Archive, emulator: Emulator, environ: dict[str, str]
    ) -> None:
        first, second, third = sorted(emulator.control.readable())
        await archive.status(live=True, environ=environ, selection=Selection(channels=frozenset({first})))
        emulator.control.delete_channel(second)

        async def states() -> dict[int, str]:
            _, text = await archive.status(live=True, environ=environ, json=True)
            return {int(each["channel_id"]): each["state"] for each in json.loads(text)["channels"]}

        assert await states() == {first: "never_fetched", second: "gone", third: "never_fetched"}
        emulator.control.remove_bot(min(emulator.world.guilds))
        assert set((await states()).values()) == {"gone"}
        assert (await archive.status(fail_on_gaps=True))[0] == 0

    async def test_names_are_those_that_discord_shows(
        self, archive: Archive, emulator: Emulator, environ: dict[str, str]
    ) -> None:
        channel_id = min(emulator.control.readable())
        chosen = Selection.read(channels=[f"#{emulator.world.channels[channel_id].name}"])
        found = await archive.json(live=True, environ=environ, selection=chosen)
        assert [each["channel_id"] for each in found["channels"]] == [str(channel_id)]

    async def test_what_can_not_be_listed_may_hide_a_gap(
        self, archive: Archive, emulator: Emulator, environ: dict[str, str]
    ) -> None:
        await archive.status(live=True, environ=environ)
        await archive.execute(
            "UPDATE junkie.channel_status AS s SET covered = int8multirange(int8range(c.channel_id, c.last_message_id + 1)) "
            "FROM junkie.channels AS c WHERE c.channel_id = s.channel_id"
        )
        assert (await archive.status(live=True, fail_on_gaps=True, environ=environ))[0] == 0
        emulator.control.fault("403", route="*archived*", times=None)
        code, text = await archive.status(live=True, fail_on_gaps=True, environ=environ)
        assert code == 3
        assert "archived threads could not be listed" in text

    async def test_it_needs_a_token(self, archive: Archive) -> None:
        with pytest.raises(ConfigError, match="no bot token"):
            await archive.status(live=True)

    async def test_discord_that_is_away_is_an_error(self, archive: Archive) -> None:
        environ = {"DISCORD_TOKEN": "MTIz.a.b", "DISCORD_API_URL": "http://127.0.0.1:1/api/v10"}
        with pytest.raises(JunkieError):
            await archive.status(live=True, environ=environ)


async def test_a_channel_that_was_watched_is_unwatched_once_nobody_is_alive(archive: Archive) -> None:
    """A serve that was killed has not recorded its end."""
    channel = await archive.channel(covered=(0, 100), held=range(100))
    places = Places(archive.database)
    moment = await places.now()
    await places.note_checked([channel], moment)
    await places.note_watched(channel, None)
    async with present(archive.database, "serve", bot_id=1):
        assert (await archive.one())["unwatched_since"] is None
    assert datetime.fromisoformat((await archive.one())["unwatched_since"]) == moment.replace(
        microsecond=moment.microsecond // 1000 * 1000
    ) - timedelta(seconds=LATE_SECONDS)
