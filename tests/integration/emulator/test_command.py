"""`junkie emulator` in a process of its own."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

PROGRAM = "import typer; from junkie_cli.cli.emulator import emulator; typer.run(emulator)"


@contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    command = [sys.executable, "-c", PROGRAM, *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        try:
            yield process, dict(line.removeprefix("export ").strip().split("=", 1) for line in lines)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_stops_when_told(number: signal.Signals) -> None:
    with started("--preset", "2x150", "--seed", "4", "--rate-limit", "0") as (process, environment):
        api = environment["DISCORD_API_URL"]
        headers = {"Authorization": f"Bot {environment['DISCORD_TOKEN']}"}
        with urllib.request.urlopen(urllib.request.Request(f"{api}/users/@me/guilds", headers=headers)) as response:
            assert [guild["name"] for guild in json.load(response)] == ["2 x 150"]
        counts = urllib.request.Request(f"{api.removesuffix('/api/v10')}/_emulator/counts", method="POST")
        with urllib.request.urlopen(counts) as response:
            assert json.load(response)["routes"] == {"guilds": 1}
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 0
        assert errors == "2 channels, 300 messages. Ctrl-C stops the emulator.\n"


def test_to_machines_it_says_so_in_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUNKIE_LOG_FORMAT", "json")
    # No other setting is any business of its own.
    monkeypatch.setenv("CACHE_TTL", "nonsense")
    with started("--preset", "1x1") as (process, _):
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert json.loads(errors)["message"] == "1 channel, 1 message. Ctrl-C stops the emulator."


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-c", PROGRAM, "--preset", "1x1", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode != 0
    assert f"port {port} can't be used" in done.stderr


def test_importing_the_command_is_cheap() -> None:
    program = "import sys, junkie_cli.cli.emulator; print({'aiohttp', 'discord'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "set()\n"
