import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from junkie_cli.db import migrations
from junkie_cli.db.cluster import Cluster
from tests import postgres
from tests.command import junkie

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home of this file's own."""
    home = postgres.make_home()
    yield home
    postgres.remove_home(home)


def command(home: Path, *arguments: str, **environ: str) -> tuple[list[str], dict[str, str]]:
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "PYTHONPATH", "COVERAGE_PROCESS_START")
        if name in os.environ
    }
    return [sys.executable, "-m", "junkie_cli", "db", *arguments], kept | {"JUNKIE_HOME": str(home)} | environ


@pytest.fixture
def run(home: Path, tmp_path: Path) -> Run:
    """Run `junkie db …` as a user does, in an empty folder."""

    def started(*arguments: str, text: str | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
        line, environment = command(home, *arguments, **environ)
        if text is None:
            done = asyncio.run(junkie(environment, tmp_path).run("db", *arguments))
            return subprocess.CompletedProcess(line, done.code, done.stdout, done.stderr)
        return subprocess.run(
            line, env=environment, cwd=tmp_path, input=text, capture_output=True, text=True, check=False
        )

    return started


def test_url_prints_what_works_while_the_embedded_server_runs(run: Run, home: Path) -> None:
    answer = run("url")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == Cluster(home).url + "\n"
    assert Cluster(home).postmaster() is None


def test_url_prints_the_whole_of_postgres_url(run: Run) -> None:
    url = "postgresql://me:pass-word@db.example/archive"
    assert run("url", POSTGRES_URL=url).stdout == url + "\n"


def test_migrate_checks_applies_and_says_what_it_did(run: Run, empty_database_url: str) -> None:
    labels = [migration.label for migration in migrations.known()]
    answer = run("migrate", "--check", POSTGRES_URL=empty_database_url)
    assert (answer.returncode, answer.stdout) == (5, "")
    assert answer.stderr.startswith("error: ")
    assert labels[0] in answer.stderr
    assert "junkie db migrate" in answer.stderr

    answer = run("migrate", "--check", "--json", POSTGRES_URL=empty_database_url)
    assert answer.returncode == 5
    assert json.loads(answer.stdout) == {"version": 0, "applied": [], "pending": labels}

    answer = run("migrate", POSTGRES_URL=empty_database_url)
    assert (answer.returncode, answer.stdout) == (0, "")
    assert [f"applied {label}" for label in labels] == answer.stderr.splitlines()[:-1]
    assert f"up to date at version {len(labels)}" in answer.stderr

    answer = run("migrate", "--json", POSTGRES_URL=empty_database_url)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert json.loads(answer.stdout) == {"version": len(labels), "applied": [], "pending": []}


def test_psql_runs_on_the_embedded_server_and_stops_it_afterwards(run: Run, home: Path) -> None:
    answer = run("psql", "-At", "-c", "SELECT current_database(), 'Ä'", "-v", "x=1")
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "junkie|Ä\n", "")
    assert Cluster(home).postmaster() is None


def test_psql_reads_its_input_and_gives_its_exit_code(run: Run, home: Path) -> None:
    answer = run("psql", "-v", "ON_ERROR_STOP=1", text="SELECT 1/0;\n")
    assert answer.returncode == 3
    assert "division by zero" in answer.stderr
    assert run("psql", "--no-such-option").returncode == 1
    assert Cluster(home).postmaster() is None


def test_psql_takes_the_database_of_postgres_url_and_hides_its_password(run: Run, database_url: str) -> None:
    url = database_url.replace("junkie@", "junkie:pass-word@") if "junkie@" in database_url else database_url
    shown = "\\! tr '\\0' ' ' < /proc/$PPID/cmdline\n" if Path("/proc/self/cmdline").exists() else ""
    answer = run("psql", "-At", text=f"SELECT current_database();\n{shown}", POSTGRES_URL=url)
    assert answer.returncode == 0
    assert answer.stdout.splitlines()[0] in database_url
    assert "pass-word" not in answer.stdout


def test_a_dump_read_in_elsewhere_is_the_same_archive(run: Run, database_url: str, empty_database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO junkie.channels (channel_id, type, name) VALUES (100, 0, 'it''s')")
        connection.execute("INSERT INTO junkie.channel_status (channel_id, covered) VALUES (100, '{[100, 140)}')")
        connection.execute(
            "INSERT INTO junkie.messages (channel_id, message_id, author_id, seen, author_name, content)"
            " VALUES (100, 130, 1, nextval('junkie.seen'), 'ada', E'a\\\\b\\nc')"
        )
    dumped = run("dump", "--schema=junkie", "--no-owner", "--no-privileges", POSTGRES_URL=database_url)
    assert (dumped.returncode, dumped.stderr) == (0, "")
    read = run(
        "psql", "-qv", "ON_ERROR_STOP=1", "--single-transaction", text=dumped.stdout, POSTGRES_URL=empty_database_url
    )
    assert (read.returncode, read.stderr) == (0, "")
    assert run("migrate", "--check", POSTGRES_URL=empty_database_url).returncode == 0
    again = run("dump", "--schema=junkie", "--no-owner", "--no-privileges", POSTGRES_URL=empty_database_url)
    # Since 18 a dump is framed by words that are new each time.
    frame = re.compile(r"^\\(?:un)?restrict .*$", re.MULTILINE)
    assert frame.sub("", again.stdout) == frame.sub("", dumped.stdout)


def test_dump_starts_the_embedded_server_and_stops_it_afterwards(run: Run, home: Path, tmp_path: Path) -> None:
    assert run("migrate").returncode == 0
    answer = run("dump", "--schema-only", "--file", str(tmp_path / "dump.sql"))
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert "CREATE TABLE junkie.messages" in (tmp_path / "dump.sql").read_text()
    assert run("dump", "--no-such-option").returncode == 1
    assert Cluster(home).postmaster() is None


def test_ctrl_c_is_psql_s_business(home: Path, tmp_path: Path) -> None:
    line, environment = command(home, "psql", "-At")
    process = subprocess.Popen(
        line,
        env=environment,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("SELECT 'ready';\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"
    # As a terminal does it: to all of the foreground.
    os.killpg(process.pid, signal.SIGINT)
    process.communicate()
    # psql that reads no terminal calls that an error of its script.
    assert process.returncode == 3
    assert Cluster(home).postmaster() is None


def test_stop_ends_what_is_left_running_and_spares_what_is_in_use(run: Run, home: Path) -> None:
    answer = run("stop")
    assert (answer.returncode, answer.stdout) == (0, "")
    assert "was not running" in answer.stderr

    assert run("migrate").returncode == 0
    cluster = Cluster(home)
    cluster.start()
    with psycopg.connect(cluster.url):
        answer = run("stop")
        assert answer.returncode == 5
        assert "in use by 1 connection" in answer.stderr
        assert "--force" in answer.stderr
        answer = run("stop", "--force")
    assert answer.returncode == 0
    assert "is stopped" in answer.stderr
    assert cluster.postmaster() is None


def test_a_home_that_cannot_be_used_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for arguments in (["psql"], ["migrate"]):
        answer = run(*arguments, JUNKIE_HOME=str(tmp_path / "file" / "home"))
        assert answer.returncode == 5
        assert answer.stdout == ""
        assert answer.stderr.count("\n") == 1
        assert "JUNKIE_HOME" in answer.stderr


def test_a_malformed_uri_is_one_line_and_a_matter_of_configuration(run: Run) -> None:
    for arguments in (["psql"], ["migrate"]):
        answer = run(*arguments, POSTGRES_URL="postgresql://me:pass-word@host:port/db")
        assert answer.returncode == 4
        assert answer.stderr.count("\n") == 1
        assert "pass-word" not in answer.stderr


def test_psql_gets_no_secret_that_it_does_not_need(run: Run, database_url: str) -> None:
    answer = run("psql", "-At", text="\\! env\n", POSTGRES_URL=database_url, DISCORD_TOKEN="MTIz.a.secret")
    assert answer.returncode == 0
    assert "PATH=" in answer.stdout
    assert "MTIz.a.secret" not in answer.stdout
    assert "POSTGRES_URL" not in answer.stdout
