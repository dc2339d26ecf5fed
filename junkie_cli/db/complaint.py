"""What a program of PostgreSQL says when it fails, in one line: to be shown, never to be understood."""

import errno
import os
import re
from typing import Final

_MARKS: Final = ("PANIC:", "FATAL:", "error:", "ERROR:")
_DISK_FULL: Final = os.strerror(errno.ENOSPC)
_EARLY: Final = re.compile(r"FATAL: +the database system is ")


def complaint(output: str) -> str:
    """Return the line of a program's output that says what went wrong.

    A full disk is the cause of what else is said; and a server tells also what it answered to those who asked too
    early, which is no reason of its own.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    full = [line for line in lines if _DISK_FULL in line]
    own = [line for line in lines if not _EARLY.search(line)]
    for some, marks in ((full, (*_MARKS, "LOG:", "WARNING:")), (own, _MARKS)):
        for mark in marks:
            for line in some:
                if mark in line:
                    return line.partition(mark)[2].strip()
    return (full or own or ["it gave no reason"])[-1]
