"""Where the SQL files are: inside the package when it was built, at the repository's top in a source checkout."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

_PACKAGE = "junkie_cli"


def folder(name: str) -> Traversable:
    """Return the folder `name` ("migrations" or "queries") of `sql/`.

    Raises RuntimeError if the installation lacks it: the package was built wrongly.
    """
    for root in (files(_PACKAGE) / "sql", Path(__file__).resolve().parents[2] / "sql"):
        if (found := root / name).is_dir():
            return found
    raise RuntimeError(f"this installation of junkie lacks its folder sql/{name}; install it again")


def read(name: str) -> dict[str, str]:
    """Return the texts of all `.sql` files in `sql/<name>` by file name, in the order of the names.

    Line endings come as line feeds, whatever a checkout made of them.
    """
    entries = sorted((entry for entry in folder(name).iterdir() if entry.name.endswith(".sql")), key=lambda e: e.name)
    return {entry.name: entry.read_text(encoding="utf-8").replace("\r\n", "\n") for entry in entries}
