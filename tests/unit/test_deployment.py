"""What runs junkie elsewhere fits junkie: the image, the composition, the units, the workflows.

Each is read by its own linter where there is one on this machine; what they say of junkie is compared with the program.
"""

import configparser
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from junkie_cli.config import VARIABLES
from junkie_cli.db.connecting import MINIMUM_VERSION
from junkie_cli.errors import ConfigError, UsageError
from tests.pages import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD = ROOT / "deploy" / "systemd"
SERVICES = sorted(SYSTEMD.glob("*.service"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
NAMES = {variable.name for variable in VARIABLES}
HARDENED = "NoNewPrivileges"
NEWEST = 18  # PostgreSQL's newest major, which comes with junkie too


def run(*command: str | Path) -> None:
    """Run a linter, and fail with what it says."""
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert finished.returncode == 0, f"{finished.stdout}\n{finished.stderr}"


def program(name: str) -> str:
    """Return where a program is, beside Python or on the PATH; skip where it is nowhere."""
    beside = Path(sys.executable).with_name(name)
    if found := str(beside) if os.access(beside, os.X_OK) else shutil.which(name):
        return found
    pytest.skip(f"{name} is not installed on this machine")


def assert_is_called_rightly(arguments: list[str]) -> None:
    """Fail unless `junkie` knows such a command with such options."""
    (name,) = [name for name in COMMANDS if arguments[: len(name.split()) - 1] == name.split()[1:]]
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= known


def yaml(path: Path) -> Any:
    """Read a YAML file."""
    if importlib.util.find_spec("ruamel") is None:
        pytest.skip("ruamel.yaml, which check-jsonschema brings, is not installed")
    return importlib.import_module("ruamel.yaml").YAML(typ="safe", pure=True).load(path)


def unit(path: Path) -> configparser.ConfigParser:
    """Read a unit; a key that stands there twice is an error."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys of units are told apart by case
    parser.read_string(path.read_text(encoding="utf-8"))
    return parser


def test_the_dockerfile_is_clean() -> None:
    run(program("hadolint"), "Dockerfile")


def test_the_image_runs_as_nobody_who_matters_and_checks_what_it_serves() -> None:
    *_, last_stage = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)
    user = re.findall(r"^USER (\d+):(\d+)$", last_stage, re.MULTILINE)
    assert user
    assert f"--uid {user[0][0]} " in last_stage
    command = json.loads(re.findall(r"^CMD (.*)$", last_stage, re.MULTILINE)[0])
    assert_is_called_rightly(command)
    port = command[command.index("--health") + 1].rpartition(":")[2]
    assert f"http://127.0.0.1:{port}/healthz" in last_stage
    assert f"EXPOSE {port}\n" in last_stage
    assert set(re.findall(r"\b((?:JUNKIE|DISCORD|POSTGRES)_[A-Z]+)=", DOCKERFILE)) <= NAMES


def test_the_image_is_made_of_what_the_package_needs() -> None:
    copied = {name for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)
    assert "*" in ignored


@pytest.mark.parametrize(
    ("schema", "path"),
    [("compose-spec", ROOT / "compose.yaml"), *(("github-workflows", path) for path in WORKFLOWS)],
    ids=lambda value: value.name if isinstance(value, Path) else value,
)
def test_a_file_has_the_shape_that_its_reader_wants(schema: str, path: Path) -> None:
    if importlib.util.find_spec("check_jsonschema") is None:
        pytest.skip("check-jsonschema is not installed on this machine")
    run(sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", path)


def test_the_composition_hands_over_the_token_as_a_file_and_waits_for_the_database() -> None:
    composition = yaml(ROOT / "compose.yaml")
    services = composition["services"]
    assert services["junkie"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "healthcheck" in services["postgres"]
    environment = services["junkie"]["environment"]
    assert set(environment) <= NAMES
    assert environment["DISCORD_TOKEN_FILE"] == "/run/secrets/discord_token"
    assert list(composition["secrets"]) == services["junkie"]["secrets"] == ["discord_token"]
    for service in services.values():
        named = {volume.partition(":")[0] for volume in service["volumes"]}
        assert named <= set(composition["volumes"])
        # Nothing of it answers to the network.
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_secrets_are_kept_out_of_the_repository() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {".env", "secrets/"} <= set(ignored)


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_a_unit_calls_junkie_rightly(service: Path) -> None:
    section = unit(service)["Service"]
    junkie, *arguments = section["ExecStart"].split()
    assert junkie == "/opt/junkie/bin/junkie"
    assert_is_called_rightly(arguments)
    assert section["Environment"].partition("=")[0] in NAMES
    assert section["StateDirectory"] in section["Environment"]
    # An embedded server belongs to all commands; systemd must not take it down with the one that started it.
    assert section["KillMode"] == "process"
    if "RestartPreventExitStatus" in section:
        codes = [int(code) for code in section["RestartPreventExitStatus"].split()]
        assert codes == [UsageError.exit_code, ConfigError.exit_code]


def test_units_are_hardened_alike() -> None:
    def hardening(path: Path) -> dict[str, str]:
        pairs = list(unit(path)["Service"].items())
        return dict(pairs[[key for key, _ in pairs].index(HARDENED) :])

    first, *others = [hardening(path) for path in SERVICES]
    assert others
    assert all(other == first for other in others)
    assert len(first) > 20


def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    # It looks for what a unit would start.
    for path in SYSTEMD.iterdir():
        text = path.read_text(encoding="utf-8").replace("/opt/junkie/bin/junkie", sys.executable)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    run(analyze, "verify", "--man=no", *sorted(tmp_path.iterdir()))


def test_every_timer_has_a_service() -> None:
    assert all(timer.with_suffix(".service").exists() for timer in SYSTEMD.glob("*.timer"))


def test_workflows_are_clean() -> None:
    run(program("actionlint"), *WORKFLOWS)


def test_the_tests_run_on_every_python_and_postgresql_that_is_promised() -> None:
    jobs = yaml(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]
    promised = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert jobs["python"]["strategy"]["matrix"]["python"] == promised
    assert jobs["postgresql"]["strategy"]["matrix"]["postgresql"] == [
        str(major) for major in range(MINIMUM_VERSION // 10_000, NEWEST + 1)
    ]
    assert "POSTGRES_URL" in jobs["postgresql"]["env"]
    for name in ("python", "postgresql"):
        assert {"run": ".ci/run"} in jobs[name]["steps"]


def test_sessions_that_run_weekly_exist() -> None:
    sessions = yaml(ROOT / ".github" / "workflows" / "weekly.yml")["jobs"]["long"]["strategy"]["matrix"]["session"]
    noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    assert sessions
    for session in sessions:
        assert f"@nox.session\ndef {session}(" in noxfile
