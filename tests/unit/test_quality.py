"""Style, format, types and import contracts, so that one command passes or fails everything."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CHECKS = {
    "types": ["-m", "mypy"],
    "style": ["-m", "ruff", "check"],
    "format": ["-m", "ruff", "format", "--check"],
    "imports": ["-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_logo=True))"],
}


# The types of all that is imported take a minute beside other work, where nothing is cached.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("check", CHECKS)
def test_is_clean(check: str) -> None:
    finished = subprocess.run(
        [sys.executable, *CHECKS[check]], cwd=ROOT, capture_output=True, text=True, check=False, timeout=590
    )
    assert finished.returncode == 0, f"{finished.stdout}\n{finished.stderr}"
