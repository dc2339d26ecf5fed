"""A command of the fork server's is the command that users start."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.command import junkie


@pytest.mark.parametrize(
    "arguments", [["config"], ["context"], ["backfill"], ["status", "--channel", "no\nid"]], ids=" ".join
)
async def test_it_says_the_same_and_ends_the_same(tmp_path: Path, arguments: list[str]) -> None:
    environ = {
        "JUNKIE_HOME": str(tmp_path / "home"),
        "LOG_LEVEL": "ERROR",
        "POSTGRES_URL": "postgresql://127.0.0.1:1/x",
    }
    (tmp_path / ".env").write_text("CACHE_TTL=7\n")
    as_users_do = await junkie(environ, tmp_path, afresh=True).run(*arguments)
    assert await junkie(environ, tmp_path).run(*arguments) == as_users_do


async def test_it_has_a_session_of_its_own_and_ends_by_signals(tmp_path: Path) -> None:
    command = junkie({"JUNKIE_HOME": str(tmp_path)})
    started = await command.start("emulator", "--port", "0")
    assert os.getsid(started.process.pid) == started.process.pid
    await command.kill(started)
    assert started.returncode == -signal.SIGKILL


async def test_it_imports_what_is_junkie_s_itself() -> None:
    """Thus in its own order, with its own environment."""
    probe = (
        "import sys, forkserver\n"
        "for library in forkserver.LIBRARIES: forkserver.import_module(library)\n"
        "print([name for name in sys.modules if name.startswith('junkie_cli')])"
    )
    tests = Path(__file__).parents[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", probe), cwd=tests, stdout=asyncio.subprocess.PIPE
    )
    stdout, _ = await process.communicate()
    assert stdout == b"[]\n"
