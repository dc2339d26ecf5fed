"""`junkie sync` and `junkie forget` as cron and people run them."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.server import Emulator, running
from tests.command import Command, Done, junkie


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with running(generate(seed=4, preset="3x250"), limits=Limits.off()) as started:
        yield started


@pytest.fixture
def command(emulator: Emulator, database_url: str, tmp_path: Path) -> Command:
    environ = {"DISCORD_TOKEN": emulator.token, "DISCORD_API_URL": emulator.api_url, "POSTGRES_URL": database_url}
    return junkie({"JUNKIE_HOME": str(tmp_path / "home")} | environ)


def ended(done: Done, code: int = 0) -> Done:
    assert done.code == code, done
    assert "Traceback" not in done.stderr
    return done


async def test_a_cron_job_mails_only_what_needs_a_person(emulator: Emulator, command: Command) -> None:
    ended(await command.run("sync", "--quiet", "--limit", "all"))
    channel = min(emulator.control.readable())
    with emulator.control.silent():
        emulator.control.delete(channel, emulator.control.ids(channel)[-3])
        emulator.control.edit(channel, emulator.control.ids(channel)[-3], "edited")
    emulator.control.post(channel, "new")
    told = ended(await command.run("sync"))
    assert "Synced #channel-0: 1 new, 1 edited, 1 deleted" in told.stderr
    assert "#channel-1" not in told.stderr
    for flags in ((), ("--no-reconcile",), ("--since", "7d"), ("--limit", "50")):
        silent = ended(await command.run("sync", "--quiet", *flags))
        assert (silent.stdout, silent.stderr) == ("", "")
    emulator.control.revoke(channel, Right.READ_MESSAGE_HISTORY)
    lacking = ended(await command.run("sync", "--quiet"), 3)
    assert "Read Message History" in lacking.stderr
    accepted = ended(await command.run("sync", "--quiet", "--accept-unreadable"))
    assert (accepted.stdout, accepted.stderr) == ("", "")
    lines = [json.loads(line) for line in ended(await command.run("sync", "--json"), 3).stdout.splitlines()]
    assert lines[-1]["event"] == "summary"
    assert {line["outcome"] for line in lines if line["event"] == "channel_ended"} == {"synced", "unreadable"}


async def test_in_the_empty_environment_of_cron(emulator: Emulator, database_url: str, tmp_path: Path) -> None:
    """No PATH to speak of, no locale, no terminal: the token stands in a `.env`."""
    home = tmp_path / "home of junkie"
    home.mkdir()
    settings = {"DISCORD_TOKEN": emulator.token, "DISCORD_API_URL": emulator.api_url, "POSTGRES_URL": database_url}
    (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    cron = Command({"PATH": "/usr/bin:/bin", "JUNKIE_HOME": str(home)}, Path("/"))
    first = ended(await cron.run("sync"))
    assert "3/3 channels successful" in first.stderr
    assert ended(await cron.run("sync", "--quiet")).stderr == ""


async def test_a_second_sync_gives_way(emulator: Emulator, command: Command) -> None:
    ended(await command.run("sync", "--quiet"))
    held = emulator.control.hold(min(emulator.control.readable()))
    first = await command.start("sync")
    await held.arrived.wait()
    second = ended(await command.run("sync"))
    assert "Another one runs" in second.stderr
    assert ended(await command.run("sync", "--quiet")).stderr == ""
    lines = ended(await command.run("sync", "--json")).stdout.splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["another_runs"]
    # Killed, it stands in nobody's way.
    await command.kill(first)
    held.release()
    ended(await command.run("sync"))


async def test_forget_list_undo(emulator: Emulator, command: Command) -> None:
    ended(await command.run("backfill"))
    channel = min(emulator.control.readable())
    author = emulator.control.truth(channel)[0]["author"]["id"]
    assert "--yes" in ended(await command.run("forget", "--user", author), 2).stderr
    assert "Nothing is kept out" in ended(await command.run("forget", "--list")).stdout
    done = ended(await command.run("forget", "--user", author, "--yes"))
    assert "rule 1 keeps them out" in done.stderr
    assert author in ended(await command.run("forget", "--list")).stdout
    (rule,) = json.loads(ended(await command.run("forget", "--list", "--json")).stdout)
    assert (rule["rule"], rule["user_id"], rule["channel_id"]) == ("1", author, None)
    count = "SELECT count(*) FROM junkie.messages"
    less = int(ended(await command.run("db", "psql", "-Atc", count)).stdout)
    assert less < 750
    ended(await command.run("backfill"))
    assert int((await command.run("db", "psql", "-Atc", count)).stdout) == less
    undone = json.loads(ended(await command.run("forget", "--undo", "1", "--json")).stdout)
    assert undone["messages"] == 750 - less
    assert "no rule 1" in ended(await command.run("forget", "--undo", "1"), 2).stderr
    ended(await command.run("backfill"))
    assert int((await command.run("db", "psql", "-Atc", count)).stdout) == 750


async def test_places_and_people_by_their_names(emulator: Emulator, command: Command) -> None:
    world = emulator.world
    guild = next(iter(world.guilds.values()))
    channel = world.channels[min(emulator.control.readable())]
    path = f"{guild.name}/#{channel.name}"
    # Nothing is archived yet.
    done = ended(await command.run("backfill", "--channel", path))
    assert "1/1 channels successful" in done.stderr
    assert f"Channel: {channel.name}" in ended(await command.run("context", path, "--offline")).stdout
    author = emulator.control.truth(channel.id)[0]["author"]
    done = ended(await command.run("forget", "--user", author["username"], "--guild", guild.name, "--yes"))
    assert f"({author['id']}) in the guild {guild.name} ({guild.id}); rule 1 keeps them out" in done.stderr
    line = ended(await command.run("forget", "--user", "nobody at all", "--yes"), 2).stderr
    assert "--user: the archive knows no account 'nobody at all'" in line
    line = ended(await command.run("context", "no-such-channel", "--offline"), 2).stderr
    assert "error: the archive knows no channel 'no-such-channel'; " in line


async def test_forget_asks_whoever_can_answer(emulator: Emulator, command: Command, tmp_path: Path) -> None:
    """Through a terminal of its own."""
    ended(await command.run("backfill"))
    channel = min(emulator.control.readable())
    for answer, code, words in (("n", 130, b"Nothing was changed"), ("y", 0, b"forgot 250 messages in 1 channel")):
        script = (
            "import os, pty, sys\n"
            "pid, fd = pty.fork()\n"
            f"if pid == 0: os.execv(sys.executable, [sys.executable, '-m', 'junkie_cli', 'forget', '--channel', '{channel}'])\n"
            "seen = b''\n"
            "while True:\n"
            "    try: seen += os.read(fd, 1024)\n"
            "    except OSError: break\n"
            f"    if seen.endswith(b'[y/N]: '): os.write(fd, b'{answer}\\n')\n"
            "sys.stdout.buffer.write(seen)\n"
            "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
        )
        (tmp_path / "terminal.py").write_text(script)
        done = await in_python(command, tmp_path / "terminal.py")
        assert done.code == code, done
        assert "This deletes 250 messages in 1 channel for good: messages in #channel-0" in done.stdout
        assert words.decode() in done.stdout


async def in_python(command: Command, script: Path) -> Done:

    process = await asyncio.create_subprocess_exec(
        sys.executable, str(script), env=dict(command.environ), stdout=asyncio.subprocess.PIPE
    )
    stdout, _ = await process.communicate()
    assert process.returncode is not None
    return Done(process.returncode, stdout.decode(), "")
