"""What is published: the source archive, the wheel built from it, and that wheel in an environment of its own."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from junkie_cli import __version__

ROOT = Path(__file__).resolve().parents[2]
SQL = {path.relative_to(ROOT / "sql").as_posix() for path in (ROOT / "sql").rglob("*.sql")}


def run(*command: str | Path, folder: Path, **environ: str) -> str:
    """Run a program to its good end and return its stdout."""
    finished = subprocess.run(
        command, cwd=folder, env=os.environ | environ, capture_output=True, text=True, check=False, timeout=100
    )
    assert finished.returncode == 0, finished
    return finished.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, folder=folder)
    return folder


@pytest.fixture(scope="module")
def programs(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that holds the wheel and what it needs."""
    environment = tmp_path_factory.mktemp("clean") / "environment"
    (wheel,) = built.glob("*.whl")
    uv = (sys.executable, "-m", "uv", "--no-progress")
    run(*uv, "venv", "--python", sys.executable, environment, folder=built)
    run(*uv, "pip", "install", "--python", environment, wheel, folder=built)
    return environment / "bin"


def test_the_wheel_holds_the_package_and_its_sql_and_nothing_else(built: Path) -> None:
    (path,) = built.glob("*.whl")
    assert path.name == f"junkie_cli-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
    package = {name.removeprefix("junkie_cli/") for name in names if name.startswith("junkie_cli/")}
    assert {name.removeprefix("sql/") for name in package if name.startswith("sql/")} == SQL
    modules = {p.relative_to(ROOT / "junkie_cli").as_posix() for p in (ROOT / "junkie_cli").rglob("*.py")}
    assert {name for name in package if not name.startswith("sql/")} == modules | {"py.typed"}
    information = f"junkie_cli-{__version__}.dist-info/"
    assert {name.partition("/")[0] + "/" for name in names} == {"junkie_cli/", information}
    assert f"{information}licenses/LICENSE" in names


def test_the_source_archive_can_be_tested(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"pyproject.toml", "noxfile.py", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", ".ci/run"}
    assert names >= needed | {f"sql/{name}" for name in SQL} | {"tests/conftest.py", "docs/payload.md"}
    assert names >= {"Dockerfile", ".dockerignore", "compose.yaml", "deploy/systemd/junkie.service"}
    assert not any(part in name for name in names for part in ("__pycache__", ".hypothesis", ".venv", ".nox"))


def test_the_installed_wheel_works(programs: Path, empty_database_url: str, tmp_path: Path) -> None:
    """One test, so that one worker makes one environment."""
    junkie, python = programs / "junkie", programs / "python"
    assert run(junkie, "--version", folder=tmp_path) == f"junkie {__version__}\n"
    assert run(python, "-m", "junkie_cli", "--version", folder=tmp_path) == f"junkie {__version__}\n"
    assert "migrate" in run(junkie, "db", "--help", folder=tmp_path)

    script = "from junkie_cli.db.sqlfiles import folder; print(folder('migrations'))"
    found = Path(run(python, "-I", "-c", script, folder=tmp_path).strip())
    assert found.is_relative_to(programs.parent)
    assert found.parts[-3:] == ("junkie_cli", "sql", "migrations")

    settings = {"POSTGRES_URL": empty_database_url, "JUNKIE_HOME": str(tmp_path)}
    assert '"applied": ["0001_archive"' in run(junkie, "db", "migrate", "--json", folder=tmp_path, **settings)
    assert '"applied": []' in run(junkie, "db", "migrate", "--json", folder=tmp_path, **settings)
