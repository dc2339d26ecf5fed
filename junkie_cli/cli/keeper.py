"""Cleans up after a demo, however the demo ends: a small process that outlives it.

    python -m junkie_cli.cli.keeper FOLDER

It holds FOLDER's lock, says "ready", and waits until stdin is closed, which the kernel does for a process that was killed.
Then it stops the database in FOLDER, should it still run, and removes FOLDER. The lock shows other demos that the
folder is in use; whoever finds it free cleans up after a machine that lost its power (see `sweep`).
"""

import contextlib
import fcntl
import shutil
import sys
import time
from pathlib import Path
from typing import IO, Final

LOCK: Final = "in-use"

_FRESH: Final = 60.0
"""Seconds in which a new folder's keeper takes its lock."""

_TRIES: Final = 10
_PAUSE: Final = 0.3


def main(arguments: list[str]) -> int:
    """Keep the folder until stdin ends; return 0 if nothing is left of it."""
    folder = Path(arguments[0])
    lock = hold(folder)
    assert lock is not None
    with lock:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.buffer.read()
        return 0 if remove(folder) else 1


def hold(folder: Path) -> IO[str] | None:
    """Take the folder's lock; None if another holds it."""
    lock = (folder / LOCK).open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def remove(folder: Path) -> bool:
    """Stop what runs in the folder and remove it; say whether nothing is left.

    A demo that was killed may have left a server that is just being made or just starting: so it is done again until
    there is nothing more to do.
    """
    from junkie_cli.db import embedded
    from junkie_cli.errors import EmbeddedServerError

    for _ in range(_TRIES):
        with contextlib.suppress(EmbeddedServerError):
            embedded.stop(folder, force=True)
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            with contextlib.suppress(OSError):
                # Only the last one finds it empty.
                folder.parent.rmdir()
            return True
        time.sleep(_PAUSE)
    return False


def sweep(demos: Path) -> None:
    """Remove the folders of demos whose keepers could not do it."""
    for folder in demos.glob("*") if demos.is_dir() else ():
        with contextlib.suppress(OSError):
            if not (folder / LOCK).exists() and time.time() - folder.stat().st_mtime < _FRESH:
                continue
            lock = hold(folder)
            if lock is not None:
                with lock:
                    remove(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
