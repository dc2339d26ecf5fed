"""Whether a process is there, and what it is: a process id alone may have passed to another program."""

import os
import subprocess
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc/self/stat")


def is_running(pid: int, name: str | None, *, zombies: bool = False) -> bool:
    """Tell whether the process exists and, with `name`, whether it runs the program of that name.

    A process that has ended and was not reaped yet counts only with `zombies`.
    """
    found = _from_proc(pid) if _PROC.exists() else _from_ps(pid)
    if found is None:
        return False
    program, state = found
    return (zombies or state[:1] not in "ZX") and (name is None or program == name)


def may_work_in(pid: int, folder: Path) -> bool:
    """Tell whether that folder may be the working folder of a process; False only where it is known to have another."""
    if not _PROC.exists():
        return True
    try:
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    except PermissionError:
        # It is another user's. Root may look at all, but not in every container.
        return os.geteuid() == 0
    except (FileNotFoundError, ProcessLookupError):
        # One that is ending has none any more.
        return True


def _from_proc(pid: int) -> tuple[str, str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The program's name stands in parentheses and may hold some itself.
    before, _, after = text.rpartition(")")
    return before.partition("(")[2], after.split()[0]


def _from_ps(pid: int) -> tuple[str, str] | None:
    command = ["/bin/ps", "-o", "stat=,comm=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed program
    state, _, program = answer.stdout.strip().partition(" ")
    return (Path(program.strip()).name, state) if state else None
