"""The user that PostgreSQL runs as: ourselves, or for root an unprivileged user that exists already.

PostgreSQL refuses to run as root. No user is ever created, and no mode of a folder that was there before is changed.
"""

import errno
import os
import pwd
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypedDict

from junkie_cli.errors import EmbeddedServerError

_CANDIDATES: Final = ("postgres", "nobody")

_REACH: Final = 'for folder; do cd "$folder" 2>/dev/null || { printf %s "$folder"; exit 1; }; done'
"""Prints the first of the folders that can't be entered."""

_KEPT: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TZ")


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """Whose processes and files the server's are. `switch`: it is another than ourselves, and we are root."""

    name: str
    uid: int
    gid: int
    switch: bool

    def run(
        self, command: Sequence[str | Path], *, folder: Path, text: str | None = None, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this user.

        It gets a clean environment, since PostgreSQL's processes outlive us and their environment can be read by
        others of that user; and a session of its own, since Ctrl-C is meant for us.

        Raises OSError if it can't be started, EmbeddedServerError if we are a root that may not become that user.
        """
        with self._becoming():
            return subprocess.run(  # noqa: S603 - programs of the resolved folder
                [str(part) for part in command],
                cwd=folder,
                env=self._environment(),
                input=text or "",
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
                check=False,
                timeout=timeout,
                **self._identity(),
            )

    def launch(self, command: Sequence[str | Path], *, folder: Path, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a program as this user, in a session of its own; all that it says goes to `output`. Raises as `run`."""
        with self._becoming():
            return subprocess.Popen(  # noqa: S603 - programs of the resolved folder
                [str(part) for part in command],
                cwd=folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._identity(),
            )

    def _environment(self) -> dict[str, str]:
        return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"LC_ALL": "C"}

    def _identity(self) -> _Identity:
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    @contextmanager
    def _becoming(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            if not self.switch or error.errno != errno.EPERM:
                raise
            raise EmbeddedServerError(
                f"root may not become the user '{self.name}' here, and PostgreSQL does not run as root",
                hint="run junkie as an ordinary user, or set POSTGRES_URL",
            ) from error

    def adopt(self, path: Path) -> None:
        """Make a file or folder, which we have just created, this user's own."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def barrier(self, folder: Path) -> Path | None:
        """Return the outermost folder on the way to `folder` that this user can't enter; None if it can go there."""
        if not self.switch:
            return None
        way = [*reversed(folder.parents), folder]
        answer = self.run(["/bin/sh", "-c", _REACH, "sh", *way], folder=Path("/"), timeout=60)
        return Path(answer.stdout) if answer.returncode else None


def choose(data: Path) -> Account:
    """Return who is to run the server of that data folder: for root its owner, else the first candidate there is.

    Raises EmbeddedServerError where root finds nobody.
    """
    if (own := os.geteuid()) != 0:
        return Account("", own, os.getegid(), switch=False)
    try:
        owner = data.stat()
    except FileNotFoundError:
        owner = None
    if owner is not None and owner.st_uid != 0:
        return Account(_name(owner.st_uid), owner.st_uid, owner.st_gid, switch=True)
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid, switch=True)
    raise EmbeddedServerError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(_CANDIDATES)} to run it as",
        hint="run junkie as an ordinary user, or set POSTGRES_URL",
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
