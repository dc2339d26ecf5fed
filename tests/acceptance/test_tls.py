"""The TLS parameters of POSTGRES_URL, against a server that takes no connection without."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
import pytest
import trustme

from junkie_cli.db import account, binaries
from junkie_cli.db.binaries import Binaries
from tests import postgres
from tests.command import Done, junkie

SECRET: Final = "the-password-of-tls"
RULES: Final = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL that listens on this machine, and the authority that signed its certificate."""

    port: int
    authority: Path
    stranger: Path
    """An authority that did not sign it."""
    home: Path

    async def ask(self, *parameters: str, host: str = "localhost", **environ: str) -> Done:
        """Let junkie say how old the tables are; the parameters are the URI's."""
        url = f"postgresql://postgres:{SECRET}@{host}:{self.port}/postgres?{'&'.join(parameters)}"
        return await junkie({"POSTGRES_URL": url, "JUNKIE_HOME": str(self.home), **environ}).run("db", "migrate")


def programs_with_tls() -> Binaries | None:
    """Find programs that were built with TLS; those of the wheel are not."""
    for folder in binaries.system_folders():
        config = folder / "pg_config"
        if config.exists():
            told = subprocess.run([config, "--configure"], capture_output=True, text=True, check=False)
            if "openssl" in told.stdout:
                return Binaries(folder)
    return None


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    programs = programs_with_tls()
    if programs is None:
        pytest.skip("no PostgreSQL with TLS on this machine")
    home = postgres.make_home()
    data = home / "data"
    who = account.choose(data)
    who.adopt(home)
    secret, log = home / "secret", home / "log"
    secret.write_text(SECRET)
    who.adopt(secret)
    made = who.run(
        [programs.program("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "--pwfile", secret, "-E", "UTF8"],
        folder=home,
    )
    assert made.returncode == 0, made.stderr
    (data / "pg_hba.conf").write_text(RULES)
    authority, stranger = trustme.CA(), trustme.CA()
    certificate = authority.issue_cert("localhost")
    for name, pem in (("server.crt", certificate.cert_chain_pems[0]), ("server.key", certificate.private_key_pem)):
        pem.write_to_path(str(data / name))
        (data / name).chmod(0o600)
        who.adopt(data / name)
    for name, one in (("ca.pem", authority), ("stranger.pem", stranger)):
        one.cert_pem.write_to_path(str(home / name))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = f"-c ssl=on -c listen_addresses=127.0.0.1 -p {port} -k {home} -c fsync=off"
    control = programs.program("pg_ctl")
    started = who.run([control, "-D", data, "-l", log, "-w", "-o", settings, "start"], folder=home)
    assert started.returncode == 0, log.read_text()
    try:
        yield Server(port, home / "ca.pem", home / "stranger.pem", home / "of junkie")
    finally:
        who.run([control, "-D", data, "-m", "immediate", "-w", "stop"], folder=home)
        shutil.rmtree(home)


def refusal(done: Done) -> str:
    assert done.code == 5, done
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert SECRET not in done.stderr
    return done.stderr


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_the_right_authority(server: Server, mode: str) -> None:
    done = await server.ask(f"sslmode={mode}", f"sslrootcert={server.authority}")
    assert done.code == 0, done


async def test_from_the_environment(server: Server) -> None:
    done = await server.ask(PGSSLMODE="verify-full", PGSSLROOTCERT=str(server.authority))
    assert done.code == 0, done
    line = refusal(await server.ask(PGSSLMODE="verify-full", PGSSLROOTCERT=str(server.stranger)))
    assert "certificate verify failed" in line
    assert "sslrootcert" in line


async def test_another_authority(server: Server) -> None:
    line = refusal(await server.ask("sslmode=verify-full", f"sslrootcert={server.stranger}"))
    assert "certificate verify failed" in line
    assert "sslrootcert" in line


async def test_another_name(server: Server) -> None:
    line = refusal(await server.ask("sslmode=verify-full", f"sslrootcert={server.authority}", host="127.0.0.1"))
    assert "does not match host name" in line
    assert "sslmode" in line


async def test_an_authority_that_is_not_there(server: Server) -> None:
    line = refusal(await server.ask("sslmode=verify-full", "sslrootcert=/nowhere/ca.pem"))
    assert "/nowhere/ca.pem" in line


async def test_without_tls_where_the_server_wants_it(server: Server) -> None:
    line = refusal(await server.ask("sslmode=disable"))
    assert "no encryption" in line


async def test_what_it_uses_is_encrypted(server: Server) -> None:
    url = f"postgresql://postgres:{SECRET}@localhost:{server.port}/postgres?sslmode=verify-full&sslrootcert={server.authority}"
    done = await junkie({"POSTGRES_URL": url, "JUNKIE_HOME": str(server.home)}).run(
        *("db", "psql", "-Atc", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    )
    assert (done.code, done.stdout) == (0, "t\n"), done
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").fetchone() == (True,)
