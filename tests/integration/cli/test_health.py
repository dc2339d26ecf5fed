"""What `serve --health` answers, over real sockets."""

import json
import logging
import socket
import struct
import threading
import urllib.error
import urllib.request
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from junkie_cli.cli import health
from junkie_cli.cli.health import answering
from junkie_cli.client.live_events import Phase, ShardState
from junkie_cli.errors import UsageError
from junkie_cli.ingest.serve import Vitals

READY = ShardState(0, Phase.READY, latency=0.1, event_age=2.5, silence=1.0)
WELL = Vitals(shards=(READY,), written={"new": 3, "edited": 2, "deleted": 1}, mending=False)


def ask(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read()


@pytest.mark.parametrize(
    ("vitals", "code", "database"),
    [
        (WELL, 200, "answers"),
        (replace(WELL, mending=True, gaps=3, depth=100), 200, "answers"),
        (replace(WELL, shards=()), 503, "answers"),
        (replace(WELL, shards=(READY, replace(READY, phase=Phase.RESUMING))), 503, "answers"),
        (replace(WELL, database=False), 503, "away"),
        (replace(WELL, writes=False), 503, "refuses"),
        (replace(WELL, responsive=False), 503, "answers"),
    ],
)
def test_it_is_unwell_where_somebody_should_look(vitals: Vitals, code: int, database: str) -> None:
    with answering("127.0.0.1", 0, lambda: vitals) as port:
        got, body = ask(f"http://127.0.0.1:{port}/healthz")
    told = json.loads(body)
    assert (got, told["status"], told["database"]) == (code, "well" if code == 200 else "unwell", database)


def test_prometheus_understands_the_metrics() -> None:
    with answering("127.0.0.1", 0, lambda: replace(WELL, writes=False)) as port:
        code, body = ask(f"http://127.0.0.1:{port}/metrics")
    assert code == 200
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    assert samples["junkie_messages_total", "edited"] == 2
    assert samples["junkie_last_event_seconds",] == 2.5
    assert samples["junkie_gateway_connected",] == 1
    assert samples["junkie_database_up",] == 0
    assert samples["junkie_responsive",] == 1


def test_one_who_leaves_before_the_answer_is_no_news(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A probe that is tired of waiting, or a port scanner: a traceback is for nobody, and no line of a JSON log."""
    left = threading.Event()

    def vitals() -> Vitals:
        assert left.wait(30)
        return WELL

    before = set(threading.enumerate())
    with caplog.at_level(logging.INFO), answering("127.0.0.1", 0, vitals) as port:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        left.set()
        ask(f"http://127.0.0.1:{port}/healthz")
        for thread in set(threading.enumerate()) - before:
            if thread.name != "health":
                thread.join(30)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_one_who_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    with (
        answering("127.0.0.1", 0, lambda: WELL) as port,
        socket.create_connection(("127.0.0.1", port), timeout=30) as client,
    ):
        assert client.recv(1) == b""


def test_nobody_is_asked_for_the_name_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name service that does not answer would hold up everything."""

    def getfqdn(_name: str = "") -> str:
        raise AssertionError

    monkeypatch.setattr(socket, "getfqdn", getfqdn)
    with answering("127.0.0.1", 0, lambda: WELL) as port:
        assert ask(f"http://127.0.0.1:{port}/healthz")[0] == 200


def test_an_address_of_version_six() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("the machine has none")
    with answering("::1", 0, lambda: WELL) as port:
        assert ask(f"http://[::1]:{port}/healthz")[0] == 200


def test_a_port_that_is_taken_is_said() -> None:
    with (
        answering("127.0.0.1", 0, lambda: WELL) as port,
        pytest.raises(UsageError, match="in use"),
        answering("127.0.0.1", port, lambda: WELL),
    ):
        pass
