"""Completion in the shells themselves: names of the archive, whatever they hold."""

import asyncio
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from junkie_cli.db.database import Database
from junkie_cli.db.places import Places
from junkie_cli.models import Channel, Guild

TRAP = "x; touch trap; $(touch trap) `touch trap` \\$(touch trap) '; touch trap; ' \"; touch trap; \" * ~ &"
PROGRAM = Path(sys.executable).parent / "junkie"

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="junkie is not installed beside the interpreter")


@pytest.fixture
async def environ(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Mapping[str, str]]:
    """An archive with friendly and hostile names, and what a shell needs to find it."""
    channels = [
        Channel(11, 1, None, 0, "general", None),
        Channel(12, 1, None, 0, TRAP, None),
        Channel(13, 1, None, 2, "Two\nlines \x1b[2J", None),
        Channel(14, 1, 11, 11, "Release plans", None),
    ]
    await Places(database).store([Guild(1, "My 'own' Server")], [], channels, {})
    home = tmp_path / "user"
    home.mkdir()
    yield {
        "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "POSTGRES_URL": database_url,
        "JUNKIE_HOME": str(tmp_path / "home"),
    }
    assert not list(tmp_path.rglob("trap"))
    assert not (tmp_path / "home").exists()


def run(shell: str, script: str, environ: Mapping[str, str]) -> list[str]:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run(
        [shell, "-c", script],
        env=dict(environ),
        cwd=environ["HOME"],
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


async def patiently(shell: str, script: str, environ: Mapping[str, str]) -> list[str]:
    """What a script writes. On a busy machine there are no names, since nobody waits for long: then they are asked for anew."""
    for _ in range(20):
        if any(found := await asyncio.to_thread(run, shell, script, environ)):
            break
    return found


async def bash(words: str, environ: Mapping[str, str]) -> list[str]:
    """What bash would offer for the last word."""
    script = (
        'eval "$(junkie --show-completion)"\n'
        f"COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n"
        '_junkie_completion junkie; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return await patiently("bash", script, environ)


async def fish(line: str, environ: Mapping[str, str]) -> list[str]:
    # Asked itself, since complete leaves out what does not begin as the word does.
    script = "junkie --show-completion | source; "
    script += (
        f"_JUNKIE_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args _TYPER_COMPLETE_ARGS={line!r} junkie"
        if line.endswith("-")
        else f"complete -C {line!r}"
    )
    return [line.partition("\t")[0] for line in await patiently("fish", script, environ)]


async def test_bash(environ: Mapping[str, str]) -> None:
    assert "backfill" in await bash("junkie b", environ)
    assert "--channel" in await bash("junkie backfill --ch", environ)
    assert await bash("junkie context g", environ) == ["general", "general/Release-plans"]
    assert await bash("junkie context my-own-server/r", environ) == ["my-own-server/release-plans"]
    assert await bash("junkie backfill --guild M", environ) == ["My-own-Server"]
    assert "My-own-Server" in await bash("junkie sync --exclude M", environ)
    everything = await bash("junkie forget --channel ''", environ)
    assert len(everything) == 4
    assert all(word.isprintable() and " " not in word for word in everything)


async def test_fish(environ: Mapping[str, str]) -> None:
    assert "backfill" in await fish("junkie b", environ)
    assert await fish("junkie context g", environ) == ["general", "general/Release-plans"]
    assert all(offer.startswith("-") for offer in await fish("junkie backfill -", environ))
    assert await fish("junkie backfill --guild M", environ) == ["My-own-Server"]
    assert len(await fish("junkie forget --channel ", environ)) == 4


async def test_zsh(environ: Mapping[str, str]) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    for typed, completed in (
        ("junkie backf", "junkie backfill "),
        ("junkie context ge", "junkie context general"),
        ("junkie backfill --guild M", "junkie backfill --guild My-own-Server "),
        ("junkie context x", "junkie context x-touch-trap-touch-trap"),
    ):
        for _ in range(6):
            if completed in (seen := await asyncio.to_thread(typed_in_zsh, typed, completed, environ)):
                break
        assert completed in seen, seen


def typed_in_zsh(text: str, awaited: str, environ: Mapping[str, str]) -> str:
    """Type text and a tab into a zsh of its own; return what it shows until it shows what is awaited."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(environ["HOME"])
        os.execvpe("zsh", ["zsh", "-f", "-i"], dict(environ))
    try:
        setup = "stty cols 500; PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u; "
        os.write(terminal, (setup + 'eval "$(junkie --show-completion)"; echo rea""dy\n').encode())
        until(terminal, lambda seen: "ready" in seen)
        os.write(terminal, f"{text}\t".encode())
        return until(terminal, lambda seen: awaited in seen, patience=20.0)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def until(terminal: int, enough: Callable[[str], bool], patience: float = 60.0) -> str:
    """Read from a terminal until it is enough, or nothing more comes."""
    seen = ""
    deadline = time.monotonic() + patience
    while not enough(seen) and time.monotonic() < deadline:
        if select.select([terminal], [], [], 1.0)[0]:
            seen += os.read(terminal, 4096).decode("utf-8", "replace")
    return seen


async def test_without_a_server_there_are_no_names_and_none_is_started(tmp_path: Path) -> None:
    environ = {
        "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "JUNKIE_HOME": str(tmp_path / "home"),
    }
    script = 'COMP_WORDS="junkie context g" COMP_CWORD=2 _JUNKIE_COMPLETE=complete_bash junkie'
    assert await asyncio.to_thread(run, "bash", script, environ) == [""]
    assert not (tmp_path / "home").exists()
    (tmp_path / ".env").write_text("CACHE_TTL=nonsense\nJUNKIE_PG_BIN=here\n'")
    assert await asyncio.to_thread(run, "bash", script, environ) == [""]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_it_installs_itself(shell: str, environ: Mapping[str, str]) -> None:
    said = await asyncio.to_thread(run, shell, "junkie --install-completion; true", environ)
    assert f"{shell} completion installed" in said[0]
    (script,) = [path for path in Path(environ["HOME"]).rglob("*junkie*") if path.is_file()]
    assert "_JUNKIE_COMPLETE" in script.read_text()
