"""The commands of docs/backup.md, run as they stand there."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from junkie_cli.config import Settings
from junkie_cli.db import binaries
from junkie_cli.db.database import open_database
from junkie_cli.emulator.generator import generate
from junkie_cli.emulator.limits import Limits
from junkie_cli.emulator.server import running
from tests.truth import archived, assert_equals_truth

ROOT = Path(__file__).resolve().parents[2]
MOVING = "Moving from the embedded database to your own"
PAGE = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")


def commands(heading: str) -> str:
    """The commands below a heading, as one script."""
    return "".join(re.findall(r"^```sh\n(.*?)^```$", section(heading), re.MULTILINE | re.DOTALL))


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


async def shell(script: str, folder: Path, environ: dict[str, str]) -> str:
    """Run a script until one of its commands fails; return what it wrote to stderr."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "junkie").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m junkie_cli "$@"\n')
    (programs / "junkie").chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-euc",
        script,
        cwd=folder,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "LANG": "C.UTF-8", **environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    assert process.returncode == 0, stderr.decode()
    assert stdout == b""
    return stderr.decode()


async def test_a_restored_backup_is_brought_up_to_the_present(
    database_url: str, empty_database_url: str, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    async with running(generate(seed=9, preset="3x150"), limits=Limits.off()) as emulator:
        control = emulator.control
        kept, changed, forgotten = sorted(control.readable())
        environ = {
            "DISCORD_TOKEN": emulator.token,
            "DISCORD_API_URL": emulator.api_url,
            "JUNKIE_HOME": str(tmp_path / "home"),
        }
        source, target = environ | {"POSTGRES_URL": database_url}, environ | {"POSTGRES_URL": empty_database_url}
        await shell(f"junkie backfill; junkie forget --channel {forgotten} --yes", tmp_path, source)
        await shell(commands("Backup"), tmp_path, source)
        assert (tmp_path / "archive.sql.gz").stat().st_mode & 0o077 == 0
        assert str(forgotten) in json.dumps(json.loads((tmp_path / "forgotten.json").read_text()))
        with control.silent():
            control.delete(changed, control.ids(changed)[40])
            control.edit(changed, control.ids(changed)[50], "edited since")
            for number in range(120):
                control.post(changed, f"since {number}")

        told = await shell(commands("Restore"), tmp_path, target)
        assert "120 new" in told
        assert "1 edited, 1 deleted" in told
        async with open_database(make_settings(**target)) as database:
            await assert_equals_truth(database, {channel: control.truth(channel) for channel in (kept, changed)})
            assert await archived(database, forgotten) == {}


async def test_the_embedded_database_can_be_moved_to_an_older_server(
    database_url: str, junkie_home: Path, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    older = binaries._system()
    if older is None or older.major() >= binaries.resolve(None).major():
        pytest.skip("no older PostgreSQL is installed here")
    leave, *_, enter = re.findall(r"^```sh\n(.*?)^```$", section(MOVING), re.MULTILINE | re.DOTALL)
    async with running(generate(seed=9, preset="2x20"), limits=Limits.off()) as emulator:
        control = emulator.control
        environ = {"DISCORD_TOKEN": emulator.token, "DISCORD_API_URL": emulator.api_url}
        source = environ | {"POSTGRES_URL": database_url, "JUNKIE_HOME": str(tmp_path / "home")}
        # An embedded one of the older version stands for the server.
        target = environ | {"JUNKIE_HOME": str(junkie_home), "JUNKIE_PG_BIN": str(older.folder)}
        await shell(f"junkie backfill\n{leave}", tmp_path, source)
        await shell(enter, tmp_path, target)
        with control.silent():
            control.post(min(control.readable()), "since")
        assert "1 new" in await shell("junkie backfill", tmp_path, target)
        async with open_database(make_settings(**target)) as database:
            await assert_equals_truth(database, {channel: control.truth(channel) for channel in control.readable()})
