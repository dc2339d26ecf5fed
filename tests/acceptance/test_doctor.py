"""`junkie doctor` as its users run it."""

import json
import os
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.server import Emulator, running
from tests.command import Done, junkie

CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(seed=3, preset="3x2"), limits=Limits.off()) as started:
        yield started


@pytest.fixture
def environ(emulator: Emulator, database_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "DISCORD_TOKEN": emulator.token,
        "DISCORD_API_URL": emulator.api_url,
        "POSTGRES_URL": database_url,
        "JUNKIE_HOME": str(tmp_path / "home"),
    }


async def doctor(environ: dict[str, str], *arguments: str) -> Done:
    done = await junkie(environ).run("doctor", *arguments)
    assert "Traceback" not in done.stderr
    return done


async def told(environ: dict[str, str]) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit code, and the rows of each check."""
    done = await doctor(environ, "--json")
    report = json.loads(done.stdout)
    assert (report["version"], report["exit_code"]) == (1, done.code)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in report["checks"]:
        found.setdefault(row["check"], []).append(row)
    return done.code, found


async def test_all_is_well(environ: dict[str, str], emulator: Emulator) -> None:
    done = await doctor(environ)
    assert (done.code, done.stderr) == (0, ""), done
    lines = done.stdout.splitlines()
    assert lines[-1].startswith("0 failures")
    assert [line for line in lines if line and line[0] != " "] == ["This machine", "Database", "Discord", lines[-1]]
    assert max(map(len, lines)) <= 80
    assert emulator.token not in done.stdout
    assert emulator.control.counts().messages == 0


async def test_without_a_token_there_are_fewer_checks(environ: dict[str, str]) -> None:
    del environ["DISCORD_TOKEN"]
    code, found = await told(environ)
    assert code == 0
    assert {name for name, rows in found.items() if rows[0]["verdict"] == "skipped"} == {
        *("space", "token", "intents", "sessions", "permissions")
    }
    assert "DISCORD_TOKEN" in found["token"][0]["found"]


async def test_a_wrong_setting_is_a_row_and_the_rest_goes_on(environ: dict[str, str]) -> None:
    code, found = await told(environ | {"DISCORD_TIMEZONE": "Mars/Olympus", "CACHE_TTL": "soon"})
    assert code == 4
    assert [row["verdict"] for row in found["settings"]] == ["failure", "failure"]
    assert "time zone" not in found
    assert found["database"][0]["verdict"] == found["token"][0]["verdict"] == "pass"


async def test_a_wrong_address_of_the_database_is_no_reason_to_look_at_another(environ: dict[str, str]) -> None:
    code, found = await told(environ | {"POSTGRES_URL": "localhost"})
    assert code == 4
    assert found["database"][0]["verdict"] == "skipped"
    assert not Path(environ["JUNKIE_HOME"]).exists()


async def test_a_file_of_settings_that_makes_no_sense(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".env").write_text("no assignment at all\n")
    code, found = await told(environ)
    assert code == 4
    assert found["settings"][0]["verdict"] == "failure"
    assert found["database"][0]["verdict"] == found["api"][0]["verdict"] == "pass"


@pytest.mark.skipif(os.geteuid() == 0, reason="root has a place of its own")
async def test_settings_that_cannot_be_read_at_all(environ: dict[str, str]) -> None:
    del environ["JUNKIE_HOME"]
    code, found = await told(environ | {"HOME": "not-a-path"})
    assert code == 4
    assert found["database"][0]["verdict"] == found["api"][0]["verdict"] == "skipped"


async def test_the_database_s_failure_decides_the_exit_code(environ: dict[str, str], emulator: Emulator) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"postgresql://me:hunter2@127.0.0.1:{bound.getsockname()[1]}/archive"
        wrong = emulator.token[:-5] + "wrong"
        done = await doctor(environ | {"POSTGRES_URL": url, "DISCORD_TOKEN": wrong})
    assert done.code == 5
    assert done.stdout.count("FAILED") == 2
    assert "hunter2" not in done.stdout + done.stderr
    assert wrong not in done.stdout + done.stderr


async def test_a_rejected_token_is_a_matter_of_configuration(environ: dict[str, str], emulator: Emulator) -> None:
    code, found = await told(environ | {"DISCORD_TOKEN": emulator.token[:-5] + "wrong"})
    assert code == 4
    assert found["token"][0]["verdict"] == "failure"
    assert found["api"][0]["verdict"] == "pass"


async def test_discord_that_cannot_be_reached(environ: dict[str, str]) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        code, found = await told(environ | {"DISCORD_API_URL": f"http://127.0.0.1:{bound.getsockname()[1]}/api/v10"})
    assert code == 1
    assert found["api"][0]["verdict"] == "failure"
    assert found["tables"][0]["verdict"] == "pass"


async def test_names_of_discord_s_do_no_harm(environ: dict[str, str], emulator: Emulator) -> None:
    (guild,) = emulator.world.guilds.values()
    emulator.control.rename_guild(guild.id, "\x1b]0;owned\x07[red]guild\u202e\n" + "x" * 200)
    channel_id = min(emulator.control.readable())
    emulator.control.change_channel(channel_id, name="a\x1b[2J\r\n  ok       token           fine\x9b1m")
    emulator.control.revoke(channel_id, Right.VIEW_CHANNEL)
    for settings in (environ, environ | {"LANG": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}):
        done = await doctor(settings)
        assert done.code == 0, done
        assert not CONTROLS.search(done.stdout)
        assert "[red]" in done.stdout
        assert not any(line.startswith("  ok       token           fine") for line in done.stdout.splitlines())
        assert max(map(len, done.stdout.splitlines())) <= 80
    done = await doctor(environ, "--json")
    assert not CONTROLS.search(done.stdout)
    # On a busy machine there may be another one, of a slow answer.
    (row,) = [
        row for row in json.loads(done.stdout)["checks"] if (row["check"], row["verdict"]) == ("permissions", "warning")
    ]
    assert row["facts"]["channel_id"] == str(channel_id)


async def test_what_is_left_out_does_not_matter(environ: dict[str, str], emulator: Emulator) -> None:
    channel = emulator.world.channels[min(emulator.control.readable())]
    emulator.control.revoke(channel.id, Right.VIEW_CHANNEL)
    for arguments in (["--exclude", channel.name], ["--exclude", str(channel.id)]):
        done = await doctor(environ, *arguments)
        assert done.code == 0, done
        assert "lacks" not in done.stdout
    done = await doctor(environ, "--channel", channel.name)
    assert "lacks View Channel" in done.stdout
    done = await doctor(environ, "--channel", "of-this-name-there-is-none")
    assert done.code == 2
    assert "of-this-name-there-is-none" in done.stdout
    done = await doctor(environ | {"JUNKIE_EXCLUDE": "of-this-name-there-is-none"})
    assert done.code == 4


async def test_what_was_chosen_and_is_not_there_is_a_failure(environ: dict[str, str]) -> None:
    for arguments, words in (
        (["--guild", "1"], "the bot is not in guild 1"),
        (["--channel", "1"], "channel 1 does not exist"),
    ):
        done = await doctor(environ, *arguments)
        assert done.code == 2, done
        assert words in " ".join(done.stdout.split())
    done = await doctor(environ | {"JUNKIE_GUILDS": "1"})
    assert done.code == 4
    assert "JUNKIE_GUILDS (environment): the bot is not in guild 1" in " ".join(done.stdout.split())


async def test_a_name_is_what_it_is_to_other_commands(environ: dict[str, str], emulator: Emulator) -> None:
    channel = emulator.world.channels[min(emulator.control.readable())]
    thread = emulator.control.add_thread(channel.id, "Release plans")
    for name in ("release plans", f"{channel.name}/release-plans"):
        assert (await doctor(environ, "--channel", name)).code == 0
    assert (await junkie(environ).run("backfill")).code == 0
    # Now the archive alone knows its name.
    emulator.control.archive(thread.id)
    done = await doctor(environ, "--channel", "release plans")
    assert done.code == 0, done
    assert "1 of 1 channels" in done.stdout
