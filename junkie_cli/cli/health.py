"""`serve --health`: /healthz for whoever restarts it, /metrics for Prometheus.

Answered by a thread of its own, from memory alone, so that a busy event loop or an absent database never delays an answer.
"""

import json
import logging
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from junkie_cli.errors import UsageError

if TYPE_CHECKING:
    from junkie_cli.ingest.serve import Vitals

PATIENCE: Final = 10.0
"""Seconds for one who connects to say what is wanted."""

log: Final = logging.getLogger(__name__)


@contextmanager
def answering(host: str, port: int, vitals: "Callable[[], Vitals]") -> Iterator[int]:
    """Answer on host and port while the block runs; gives the port. Raises UsageError if it can't be had."""
    registry = CollectorRegistry()
    registry.register(_Collector(vitals))

    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE

        def do_GET(self) -> None:  # the name that http.server calls
            if self.path == "/healthz":
                now = vitals()
                status = HTTPStatus.OK if now.well else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", json.dumps(described(now)).encode())
            elif self.path == "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(registry))
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"there are /healthz and /metrics\n")

        def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing: a probe every few seconds is no news."""

    try:
        server = _Server((host, port), Handler)
    except OSError as error:
        raise UsageError(
            f"--health: can't listen on {host}:{port}: {error.strerror}", hint="choose another port"
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the name service for the host's name, and nothing else goes on while that is silent.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  socketserver's own
        """Say little of one who left before the answer was there, in place of a traceback on stderr."""
        error = sys.exc_info()[1]
        level = logging.DEBUG if isinstance(error, OSError) else logging.ERROR
        log.log(level, "an answer to %s broke off: %r", client_address, error)


def described(vitals: "Vitals") -> dict[str, Any]:
    """Return what /healthz says."""
    ages = [shard.event_age for shard in vitals.shards if shard.event_age is not None]
    return {
        "status": "well" if vitals.well else "unwell",
        "gateway": [asdict(shard) | {"phase": shard.phase.value} for shard in vitals.shards],
        "last_event_seconds": min(ages) if ages else None,
        "queue_depth": vitals.depth,
        "database": "away" if not vitals.database else "answers" if vitals.writes else "refuses",
        "responsive": vitals.responsive,
        "channels_with_gaps": vitals.gaps,
        "mending": vitals.mending,
        "written": dict(vitals.written),
        "dropped": vitals.dropped,
        "skipped": vitals.skipped,
    }


class _Collector(Collector):
    """Makes metrics of vitals when they are asked for."""

    def __init__(self, vitals: "Callable[[], Vitals]") -> None:
        self._vitals = vitals

    def collect(self) -> Iterator[Metric]:
        now = self._vitals()
        gauges = {
            "gateway_connected": ("Whether every shard is in a session.", float(now.connected)),
            "database_up": (
                "Whether the database answered last, and took what was written.",
                float(now.database and now.writes),
            ),
            "responsive": ("Whether the event loop goes round.", float(now.responsive)),
            "queue_depth": ("Messages that wait to be written.", float(now.depth)),
            "channels_with_gaps": ("Channels with holes between what is covered.", float(now.gaps)),
            "mending": ("Whether REST is mending what was not heard.", float(now.mending)),
        }
        for name, (help_text, value) in gauges.items():
            yield GaugeMetricFamily(f"junkie_{name}", help_text, value)
        ages = [shard.event_age for shard in now.shards if shard.event_age is not None]
        if ages:
            yield GaugeMetricFamily("junkie_last_event_seconds", "Seconds since the last event.", min(ages))
        written = CounterMetricFamily("junkie_messages", "Live messages written, by what was done.", labels=["change"])
        for change, count in now.written.items():
            written.add_metric([change], count)
        yield written
        yield CounterMetricFamily("junkie_dropped", "Creates that were dropped for want of room.", now.dropped)
        yield CounterMetricFamily("junkie_skipped", "Payloads that could not be understood.", now.skipped)
