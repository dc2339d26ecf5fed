"""What people on Discord call things, and what they write, moves no cursor and passes for no markup, wherever it shows."""

import asyncio
import errno
import json
import os
import pty
import re
import sys
from collections.abc import AsyncIterator
from typing import Final

import pytest

from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.permissions import Right
from junkie_cli.emulator.server import Emulator, running
from tests.command import Command, Done, junkie

EVIL: Final = "ev\x1b[31m\x1b]0;t\x07\r\n[red]x[/red][/]\x9b2J\u202e\u2066il\x00\ud83d\x08\u200b"
"""Escape sequences of both kinds, a line break, markup that is right and markup that is not, C1, bidi, NUL, half a character."""

CONTROLS: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""All that moves a cursor or turns the direction, but for the end of a line."""

OURS: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
"""What rich sends to a terminal to draw a table or bars."""


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    world = generate(seed=21, preset="hostile")
    guild = next(iter(world.guilds.values()))
    world.rename_guild(guild.id, EVIL)
    role = world.add_role(guild.id, EVIL)
    author = world.add_user("evil", EVIL)
    world.add_member(guild.id, author.id, nick=EVIL)
    channel = world.add_channel(guild.id, EVIL)
    started = world.post(channel.id, f"{EVIL} <@{author.id}> <@&{role.id}> <#{channel.id}>", author_id=author.id)
    thread = world.add_thread(channel.id, EVIL, content=EVIL, message_id=started)
    world.post(thread.id, EVIL, author_id=author.id)
    unreadable = world.add_channel(guild.id, f"no entry {EVIL}")
    world.revoke(unreadable.id, Right.READ_MESSAGE_HISTORY)
    async with running(world, limits=Limits.off()) as started_emulator:
        yield started_emulator


@pytest.fixture
def command(emulator: Emulator, database_url: str) -> Command:
    return junkie(
        {
            "DISCORD_TOKEN": emulator.token,
            "DISCORD_API_URL": emulator.api_url,
            "POSTGRES_URL": database_url,
            "JUNKIE_HOME": "/nonexistent",
            "LOG_LEVEL": "DEBUG",
        }
    )


def harmless(done: Done) -> Done:
    assert done.code in {0, 3}, done
    assert "Traceback" not in done.stderr
    for text in (done.stdout, done.stderr):
        assert not CONTROLS.search(text), CONTROLS.search(text)
    return done


async def on_terminal(command: Command, *arguments: str) -> str:
    """Run a command on a terminal, and return all that was sent to it."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "junkie_cli", *arguments),
        env=dict(command.environ) | {"TERM": "xterm-256color", "COLUMNS": "300", "LINES": "60", "LOG_LEVEL": "INFO"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    reading = asyncio.to_thread(read_all, ours)
    try:
        sent, code = await asyncio.gather(reading, process.wait())
    finally:
        os.close(ours)
    assert code in {0, 3}, sent
    return sent


def read_all(descriptor: int) -> str:
    sent = b""
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError as error:
            # How Linux says that nobody holds the other end any more.
            assert error.errno == errno.EIO  # noqa: PT017  the loop's end
            part = b""
        if not part:
            return sent.decode()
        sent += part


def drawn(sent: str) -> str:
    """What a terminal shows of it: no colours but rich's, which never follow a name's text."""
    assert "\x1b]" not in sent
    # Red text would be the name's own doing, whether by escape sequence or by markup.
    assert not re.search(r"ev\x1b\[31m|\x1b\[31mx", sent)
    shown = OURS.sub("", sent).replace("\r", "")
    assert not CONTROLS.search(shown), CONTROLS.search(shown)
    return shown


async def test_log_lines_and_answers(emulator: Emulator, command: Command) -> None:
    channel = str(emulator.control.named(EVIL))
    assert "[red]x[/red][/]" in harmless(await command.run("backfill")).stderr
    told = harmless(await command.run("backfill", "--json")).stdout
    assert any("[red]x[/red][/]" in str(json.loads(line)) for line in told.splitlines())
    emulator.control.post(int(channel), EVIL)
    assert "[red]x[/red][/]" in harmless(await command.run("sync")).stderr
    harmless(await command.run("sync", "--json"))
    assert "[red]x[/red][/]" in harmless(await command.run("status")).stdout
    names = str(json.loads(harmless(await command.run("status", "--json")).stdout))
    assert "[red]x[/red][/]" in names
    for style in ("text", "json", "messages"):
        prompt = harmless(await command.run("context", channel, "--format", style)).stdout
        assert "[red]x[/red][/]" in prompt
    author = emulator.control.truth(int(channel))[0]["author"]["id"]
    assert "[red]x[/red][/]" in harmless(await command.run("forget", "--user", author, "--yes")).stderr
    harmless(await command.run("forget", "--list"))


async def test_tables_and_bars(command: Command) -> None:
    assert "[red]x[/red]" in drawn(await on_terminal(command, "backfill"))
    drawn(await on_terminal(command, "sync", "--limit", "all"))
    assert "[red]x[/red]" in drawn(await on_terminal(command, "status"))
