"""Logs for machines from whole commands: every line of stderr is an object, with ids, and without what people wrote."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.server import Emulator, running
from tests.command import Command, Done, junkie


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(seed=5, preset="2x120"), limits=Limits.off()) as started:
        yield started


@pytest.fixture
def command(emulator: Emulator, database_url: str, tmp_path: Path) -> Command:
    return junkie(
        {
            "DISCORD_TOKEN": emulator.token,
            "DISCORD_API_URL": emulator.api_url,
            "POSTGRES_URL": database_url,
            "JUNKIE_HOME": str(tmp_path / "home"),
            "JUNKIE_LOG_FORMAT": "json",
        }
    )


def lines(done: Done, code: int = 0) -> list[dict[str, Any]]:
    assert done.code == code, done
    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in found), done
    return found


async def test_a_backfill(emulator: Emulator, command: Command) -> None:
    whole, hidden = sorted(emulator.control.readable())
    emulator.control.revoke(hidden, Right.READ_MESSAGE_HISTORY)
    found = lines(await command.run("backfill"), 3)
    ended = {line["channel_id"]: line for line in found if line.get("event") == "channel_ended"}
    assert set(ended) == {str(whole), str(hidden)}
    assert ended[str(whole)]["outcome"] == "complete"
    assert "Read Message History" in ended[str(hidden)]["reason"]
    (told,) = [line for line in found if line.get("event") == "summary"]
    assert (told["new"], told["level"]) == (len(emulator.control.truth(whole)), "INFO")
    said = "\n".join(line["message"] for line in found)
    assert emulator.token not in said
    for message in emulator.control.truth(whole):
        assert len(message["content"]) < 20 or message["content"] not in said


async def test_what_is_told_to_people_elsewhere(emulator: Emulator, command: Command) -> None:
    emulator.control.remove_bot(min(emulator.world.guilds))
    *_, last = lines(await command.run("backfill"))
    assert last["level"] == "WARNING"
    assert "Invite it" in last["message"]
    (error,) = lines(await command.run("context", "nowhere", "--offline"), 2)
    assert (error["level"], error["exit_code"]) == ("ERROR", 2)
    assert "nowhere" in error["message"]
    (error,) = lines(await command.run("forget"), 2)
    assert "--user" in error["hint"]


@pytest.mark.parametrize("name", ["JUNKIE_PG_BIN", "JUNKIE_HOME"])
async def test_a_foreign_folder_runs_no_program(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "foreign"
    folder.mkdir()
    for program in ("postgres", "initdb", "pg_ctl", "psql"):
        (folder / program).write_text(f"#!/bin/sh\ntouch {tmp_path}/trap\n")
        (folder / program).chmod(0o755)
    (folder / ".env").write_text(f"{name}=.\n")
    # Where no home is named, the user's own is below HOME or /var/lib: it must not be touched either.
    environ = {"JUNKIE_HOME": str(tmp_path / "home")} if name == "JUNKIE_PG_BIN" else {"HOME": str(tmp_path / "user")}
    for arguments in (("context", "5", "--offline"), ("db", "psql"), ("status",), ("db", "url"), ("demo",)):
        done = await junkie(environ, folder).run(*arguments)
        assert done.code == 4, done
        assert f"{name} stands in {folder}/.env" in done.stderr
        assert "in the environment" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["foreign"]
