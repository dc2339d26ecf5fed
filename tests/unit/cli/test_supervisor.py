"""What a supervisor is told, over a socket of its own."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from junkie_cli.cli.supervisor import notify, watchdog_seconds, watched


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    address = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(address))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(address))
        listening.settimeout(10)
        yield listening


def test_a_state_is_sent(supervisor: socket.socket) -> None:
    notify("READY=1")
    assert supervisor.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": ""}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "120000000"}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "7"}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "8"}, None),
    ],
)
def test_who_is_watched(environ: dict[str, str], expected: float | None) -> None:
    assert watchdog_seconds(environ, pid=7) == expected


def heard(supervisor: socket.socket) -> set[bytes]:
    """What has been sent so far."""
    supervisor.setblocking(False)
    states = set()
    with contextlib.suppress(BlockingIOError):
        while True:
            states.add(supervisor.recv(100))
    return states


async def test_a_watched_loop_reports_until_the_end(supervisor: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    async with watched():
        told = {await asyncio.to_thread(supervisor.recv, 100) for _ in range(3)}
    assert told == {b"WATCHDOG=1"}
    heard(supervisor)
    await asyncio.sleep(0.01)
    assert heard(supervisor) == set()


async def test_a_supervisor_that_is_away_for_a_moment_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    address = tmp_path / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(address))
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    notify("READY=1")
    async with watched():
        await asyncio.sleep(0)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as late:
            late.bind(str(address))
            late.settimeout(10)
            assert await asyncio.to_thread(late.recv, 100) == b"WATCHDOG=1"
    assert "could not be told READY=1: No such file or directory" in caplog.text


def test_a_supervisor_that_does_not_listen_is_not_waited_for(
    supervisor: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2000):
        notify("WATCHDOG=1", patience=0)
        if caplog.records:
            break
    assert "could not be told WATCHDOG=1" in caplog.text
    assert heard(supervisor) == {b"WATCHDOG=1"}


async def test_nobody_is_told_where_nobody_watches(supervisor: socket.socket) -> None:
    async with watched():
        await asyncio.sleep(0.01)
    assert heard(supervisor) == set()
