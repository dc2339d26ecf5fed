"""`junkie forget` as cron runs it."""

import json
from pathlib import Path

import pytest

from junkie_cli.coverage import Range
from junkie_cli.db.database import Database
from junkie_cli.db.places import Places
from junkie_cli.db.writer import Writer, page_batch
from junkie_cli.models import Channel, Message, Page, PageRequest
from tests.command import Command, junkie

CHANNEL = 1_170_693_999_822_564_000


@pytest.fixture
async def command(database: Database, database_url: str, tmp_path: Path) -> Command:
    """The command, on an archive with ten messages."""
    await Places(database).store([], [], [Channel(CHANNEL, 1, None, 0, "general", CHANNEL + 9)], {CHANNEL: None})
    messages = [Message(CHANNEL, message_id, 7, "Ann", "hello") for message_id in range(CHANNEL + 9, CHANNEL - 1, -1)]
    page = Page(PageRequest(CHANNEL, before=CHANNEL + 99), tuple(m.message_id for m in messages), tuple(messages))
    await Writer(database).write(page_batch(page, seen=1, claim=Range(CHANNEL, CHANNEL + 10)))
    return junkie({"POSTGRES_URL": database_url, "JUNKIE_HOME": str(tmp_path / "home")}, tmp_path)


async def test_each_run_leaves_one_rule_and_says_which_it_replaced(command: Command) -> None:
    first = await command.run("forget", "--channel", str(CHANNEL), "--before", str(CHANNEL + 3), "--yes")
    assert (first.code, first.stdout) == (0, "")
    assert first.stderr.splitlines()[-1].endswith("; rule 1 keeps them out")
    second = await command.run("forget", "--channel", str(CHANNEL), "--before", str(CHANNEL + 6), "--yes")
    assert second.stderr.splitlines()[-1].startswith("forgot 3 messages in 1 channel: ")
    assert second.stderr.splitlines()[-1].endswith("; rule 2 keeps them out, in place of rule 1")
    third = await command.run("forget", "--channel", str(CHANNEL), "--before", str(CHANNEL + 7), "--yes", "--json")
    assert json.loads(third.stdout) == {
        "rule": "3",
        "replaced": ["2"],
        "messages": 1,
        "channels": 1,
        "user_id": None,
        "channel_id": str(CHANNEL),
        "guild_id": None,
        "before_id": str(CHANNEL + 7),
    }
    (rule,) = json.loads((await command.run("forget", "--list", "--json")).stdout)
    assert (rule["rule"], rule["before_id"]) == ("3", str(CHANNEL + 7))


async def test_a_category_is_refused_by_its_id_as_by_its_name(command: Command, database: Database) -> None:
    category = CHANNEL - 1
    channels = [Channel(category, 1, None, 4, "Old", None), Channel(CHANNEL, 1, category, 0, "general", CHANNEL + 9)]
    await Places(database).store([], [], channels, {})
    for named in (str(category), "Old"):
        refused = await command.run("forget", "--channel", named, "--yes")
        assert refused.code == 2
        assert f"--channel: Old ({category}) is a category and holds no messages" in refused.stderr
    assert (await command.run("forget", "--list")).stdout == "Nothing is kept out.\n"
