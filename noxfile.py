"""What a contributor runs: `nox -s tests`, and the sessions that `nox --list` shows.

Everything stands in environments of its own below `.nox/`, so that the machine needs Python and nox alone.
"""

import argparse

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_external_run = True
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests"]

DATABASE_TESTS = ("tests/integration/db", "tests/integration/ingest")
LONG_TESTS = ("tests/integration/db/test_adopt.py", "tests/integration/test_any_payload.py")

PROJECT = nox.project.load_toml("pyproject.toml")


def install_for_development(session: nox.Session) -> None:
    """Install junkie in place, and the tools of the dependency group `test`.

    The group is spelled out for installers that don't know `--group`.
    """
    session.install("--editable", ".[tokens]", *nox.project.dependency_groups(PROJECT, "test"))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the whole suite; linters, types and import contracts are tests too. Arguments go to pytest."""
    install_for_development(session)
    # What was compiled once need not be compiled by each worker, and each command.
    session.env["PYTHONDONTWRITEBYTECODE"] = ""
    # Work that finishes early takes over from one that does not: linters and the wheel's test last longest.
    session.run("pytest", "--numprocesses=auto", "--dist=worksteal", "--durations=10", *session.posargs)


@nox.session
def partitioned(session: nox.Session) -> None:
    """Run the tests of the database and of ingest on tables that are partitioned by channel_id."""
    install_for_development(session)
    session.env["JUNKIE_TEST_SCHEMA"] = "tests/partitioned.sql"
    session.run("pytest", "--numprocesses=auto", *(session.posargs or DATABASE_TESTS))


@nox.session
def rights(session: nox.Session) -> None:
    """Run the same tests with no more rights than docs/security.md gives the role that writes."""
    install_for_development(session)
    session.env["JUNKIE_TEST_ROLE"] = "writer"
    session.run("pytest", "--numprocesses=auto", *(session.posargs or DATABASE_TESTS))


@nox.session
def long(session: nox.Session) -> None:
    """Run what the suite runs with fewer examples and rows once more, with all that a patient machine has time for."""
    install_for_development(session)
    session.env["JUNKIE_TEST_LONG"] = "1"
    session.run("pytest", "--numprocesses=auto", "--dist=worksteal", *(session.posargs or LONG_TESTS))


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and import contracts; `nox -s lint -- --fix` mends what can be mended."""
    install_for_development(session)
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []))
    session.run("ruff", "format", *([] if fix else ["--check"]))
    session.run("lint-imports", "--no-logo")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly, in the package, the tests and this file. Arguments go to mypy."""
    install_for_development(session)
    session.run("mypy", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Rewrite what docs/commands/ takes from the commands themselves; what people wrote there stays."""
    install_for_development(session)
    session.run("python", "-m", "tests.pages")


@nox.session
def torture(session: nox.Session) -> None:
    """Walk at random through all that the world does to an archive: 200 seeds, `-- --seeds 1000`, or one, `-- --seed 17`."""
    install_for_development(session)
    parser = argparse.ArgumentParser(prog="nox -s torture --")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", type=int, default=200)
    given, others = parser.parse_known_args(session.posargs)
    seeds = f"0-{given.seeds - 1}" if given.seed is None else str(given.seed)
    session.run(
        *("pytest", "--numprocesses=auto", "--dist=worksteal", "tests/acceptance/test_torture.py", *others),
        env={"JUNKIE_TORTURE_SEEDS": seeds},
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Measure: each figure a ratio taken within one run, in one table with its limit. Arguments go to the benchmarks."""
    install_for_development(session)
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Install junkie as a user would and run its demonstration. Arguments go to `junkie demo`."""
    session.install(".")
    session.run("junkie", "demo", *session.posargs)
