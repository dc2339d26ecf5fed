"""Where settings stand: the environment, the `.env` of the working folder, the `.env` of JUNKIE_HOME.

Invariant: whoever made the folder that you work in is a stranger. Its `.env` may say much, but not which programs run on your
machine: a setting that decides that is not taken from a source that is `foreign`.
"""

import io
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from junkie_cli.errors import ConfigError

ENVIRONMENT: Final = "environment"
_LARGEST: Final = 1 << 20
"""Bytes of a file of settings: more is something else, or has no end."""


@dataclass(frozen=True, slots=True)
class Source:
    """Names and their texts, as found at `where`. Paths among them are relative to `folder`, which None says is gone."""

    where: str
    folder: Path | None
    values: Mapping[str, str]
    foreign: bool = False


def environment(environ: Mapping[str, str], folder: Path | None) -> Source:
    """Return the environment of a process whose working folder that is."""
    return Source(ENVIRONMENT, folder, environ)


def first(sources: Sequence[Source], name: str) -> Source | None:
    """Return the first source that says something of a name."""
    # An empty value is how a shell or a compose file says "unset".
    return next((source for source in sources if source.values.get(name)), None)


def working_folder() -> Path | None:
    """Return the process's working folder, None if it is gone."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def default_home() -> Path:
    """Return the platform's user data folder for junkie.

    Root's own home can't be reached by the unprivileged user that PostgreSQL must run as, so root gets /var/lib.

    Raises ConfigError for a user without a home folder.
    """
    import platformdirs

    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/junkie")
    home = Path(platformdirs.user_data_dir("junkie", appauthor=False))
    if not home.is_absolute():
        raise ConfigError("this user has no home folder", hint="set JUNKIE_HOME to a folder for the archive")
    return home


def foreign(source: Source, home: Path) -> Source:
    """Return the source as a stranger's, unless it stands in the home."""
    own = source.folder is not None and source.folder.resolve() == home.resolve()
    return replace(source, foreign=not own)


def dotenv(folder: Path) -> Source:
    """Read the `.env` of a folder; a missing one is empty.

    Raises ConfigError if it is there and can't be read, or holds what nobody understands.
    """
    path = folder / ".env"
    try:
        text = text_of(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return Source(str(path), folder, {})
    except OSError as error:
        raise ConfigError(f"can't read {path}: {error.strerror}", hint="mend the file or move it away") from None
    except ValueError as error:
        raise ConfigError(f"{path} {error}", hint="mend the file or move it away") from None
    from dotenv.parser import parse_stream

    # Values are taken as they stand: interpolation would let a foreign .env copy secrets of the environment.
    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            raise ConfigError(f"{path}, line {binding.original.line}, is no NAME=value", hint="mend the line")
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return Source(str(path), folder, found)


def text_of(path: Path, *, may_wait: bool = False) -> str:
    """Return a file's text, without the mark that some Windows editors put before it.

    A pipe or a device may keep its reader waiting for ever: it is read only where the user named it and so `may_wait`.

    Raises OSError, and ValueError with a phrase that goes after the file's name.
    """
    kind = path.stat().st_mode
    # /dev/null in its place is how a container hides a file.
    if not (may_wait or stat.S_ISREG(kind) or stat.S_ISDIR(kind) or path.samefile(os.devnull)):
        raise ValueError("is a pipe or a device, no file")
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError("is too long to be a file of settings")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
