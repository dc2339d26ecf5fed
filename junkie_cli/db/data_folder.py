"""A data folder of PostgreSQL, looked at from outside: which version made it, what it takes, and how one is made."""

import os
import shutil
from pathlib import Path
from typing import Final

from junkie_cli.db.account import Account
from junkie_cli.db.binaries import Binaries
from junkie_cli.db.complaint import complaint
from junkie_cli.errors import EmbeddedServerError

DATABASE: Final = "junkie"
MAINTENANCE: Final = "postgres"
"""A database that every server has, whatever became of ours."""

HOME_HINT: Final = "set JUNKIE_HOME to a folder that you can write, or POSTGRES_URL to a server"


def major_of(data: Path) -> int | None:
    """Return the major version that made it, None if there is none.

    Raises EmbeddedServerError for a folder that is none of PostgreSQL's.
    """
    try:
        return int((data / "PG_VERSION").read_text().strip())
    except (FileNotFoundError, ValueError):
        if data.exists():
            raise EmbeddedServerError(f"{data} is no data folder of PostgreSQL", hint="move it away") from None
        return None


def size_of(data: Path) -> int:
    """Return the bytes that a copy of it takes: all but the log of changes."""
    files = (Path(where, name) for where, _, names in os.walk(data) for name in names)
    return sum(file.lstat().st_size for file in files if "pg_wal" not in file.relative_to(data).parts[:1])


def has_own_settings(data: Path) -> bool:
    """Tell whether somebody changed its server's settings with ALTER SYSTEM."""
    file = data / "postgresql.auto.conf"
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def create(data: Path, programs: Binaries, who: Account) -> None:
    """Make one with our database in it: under another name first, so that one that is there is whole.

    Raises EmbeddedServerError.
    """
    fresh = data.with_name("data.new")
    shutil.rmtree(fresh, ignore_errors=True)
    initdb(fresh, programs, who, folder=data.parent)
    # Without that option a statement that failed, on a full disk say, would pass for a success.
    single: list[str | Path] = ["--single", "-c", "exit_on_error=on", "-D", fresh, MAINTENANCE]
    _make(fresh, [programs.program("postgres"), *single], who, data.parent, f"CREATE DATABASE {DATABASE}\n")
    fresh.rename(data)


def initdb(fresh: Path, programs: Binaries, who: Account, *options: str, folder: Path) -> None:
    """Make an empty one at `fresh`, somewhere in the server's `folder`. Raises EmbeddedServerError."""
    command: list[str | Path] = [
        programs.program("initdb"),
        *("-D", fresh, "-U", "junkie", "--auth=trust", "-E", "UTF8", "--no-locale", "--no-instructions"),
        *options,
    ]
    _make(fresh, command, who, folder)


def _make(fresh: Path, command: list[str | Path], who: Account, folder: Path, text: str | None = None) -> None:
    """Run a program that makes the data folder `fresh`, and leave nothing of it if that fails."""
    created = who.run(command, folder=folder, text=text)
    if created.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise EmbeddedServerError(
            f"can't create the embedded database in {folder}: {complaint(created.stderr)}", hint=HOME_HINT
        )
