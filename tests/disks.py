"""A small disk for a home, which can be filled up or made to take no writes."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from junkie_cli.db import embedded


@contextmanager
def own_disk(home: Path) -> Iterator[Callable[[str], Path]]:
    """Yield what puts a home on a disk of its own, with such options as `size=50m`; called again, it changes them.

    At the end the home's server is stopped, and the disk is gone. The test is skipped where no disk can be mounted.
    """
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk, and only Linux has such")
    mounted = False

    def change(options: str) -> Path:
        nonlocal mounted
        given = options + (",remount" if mounted else "")
        command = ["mount", "-t", "tmpfs", "-o", given, "tmpfs", str(home)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            pytest.skip(f"no disk can be mounted here: {answer.stderr.strip()}")
        mounted = True
        return home

    try:
        yield change
    finally:
        if mounted:
            change("size=200m,rw")
            embedded.stop(home, force=True)
            subprocess.run(["umount", str(home)], check=True)
