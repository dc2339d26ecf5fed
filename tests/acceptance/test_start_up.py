"""Start-up time is a promise: what a command does not need, it does not import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"discord", "aiohttp", "psycopg", "psycopg_pool", "rich", "pydantic", "pytz"}

PROBE = """
import sys
from junkie_cli.__main__ import main
try:
    main()
except SystemExit as ending:
    code = ending.code
print(code, *{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def imported(tmp_path: Path, *arguments: str) -> tuple[int, set[str]]:
    """Run a command and return its exit code and the top-level modules that it imported."""
    finished = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "JUNKIE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    code, *modules = finished.stderr.splitlines()[-1].split()
    return int(code), set(modules)


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("backfill", "--help"), ("db", "--help"), ()])
def test_help_and_version_import_nothing_heavy(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, modules = imported(tmp_path, *arguments)
    assert code == (0 if arguments else 2)
    assert modules & (HEAVY | {"asyncio"}) == set()


def test_the_version_alone_needs_no_knowledge_of_commands(tmp_path: Path) -> None:
    code, modules = imported(tmp_path, "--version")
    assert (code, "typer" in modules) == (0, False)


def test_a_command_without_a_token_ends_before_discord_is_imported(tmp_path: Path) -> None:
    code, modules = imported(tmp_path, "backfill")
    assert code == 4
    assert modules & {"discord", "aiohttp"} == set()


STOPPED_IN_AN_IMPORT = """
import os, signal, sys
from junkie_cli.__main__ import main
class Impatient:
    def find_spec(self, name, path, target=None):
        if name == "junkie_cli.cli.app":
            os.kill(os.getpid(), signal.{signal})
            try:
                len(name)
            except BaseException:
                print("lost")
sys.meta_path.insert(0, Impatient())
main()
"""


@pytest.mark.parametrize(
    ("command", "number", "code"), [("serve", "SIGTERM", 0), ("serve", "SIGINT", 0), ("config", "SIGINT", 130)]
)
def test_a_command_that_is_stopped_while_it_is_imported(tmp_path: Path, command: str, number: str, code: int) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", STOPPED_IN_AN_IMPORT.format(signal=number), command],
        env={"PATH": os.environ["PATH"], "JUNKIE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (code, "", "")


STOPPED_BEFORE_IT_BEGINS = """
import asyncio, os, signal
from junkie_cli.__main__ import main
asyncio.run = lambda work: os.kill(os.getpid(), signal.SIGTERM)
main()
"""


def test_a_serve_that_is_stopped_when_it_is_about_to_begin(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", STOPPED_BEFORE_IT_BEGINS, "serve"],
        env={"PATH": os.environ["PATH"], "JUNKIE_HOME": str(tmp_path), "DISCORD_TOKEN": "a.b.c"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")
