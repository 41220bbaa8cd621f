"""The node's figures for programs on this machine: OpenMetrics at `/metrics` on a loopback port, if wanted.

Rules: the figures are those of the status report, at the moment of asking; names follow the conventions
(`syncline_node_…_seconds`, `_bytes`, `_total`); a dataset is a label for the first 500 of each kind, the rest
are summed as `other`; whoever asks under another name than this machine's own is refused, so that no web page
can read along; a port that cannot be had is a fault, tried again, and stops nothing.

    port = MetricsPort(lambda: board.report, meter)
    port.follow(settings.metrics.address)           # opens, moves or closes it; raises `Unavailable`
    port.close()
"""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client.core import CollectorRegistry, Metric
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from core.errors import Unavailable
from core.logs import get_logger
from node.figures import figures
from node.moving import Meter
from node.status import StatusReport

_PATH = "/metrics"
_TIMEOUT_S = 10.0
_JOIN_S = 5.0
_LOOPBACK = re.compile(r"127(\.[0-9]{1,3}){3}")

log = get_logger("node.metrics")


class _Figures(Collector):
    def __init__(self, report: Callable[[], StatusReport], meter: Meter) -> None:
        self._report = report
        self._meter = meter

    def collect(self) -> Iterator[Metric]:
        yield from figures(self._report(), self._meter)


class MetricsPort:
    """See the module. One thread, but for those that ask."""

    def __init__(self, report: Callable[[], StatusReport], meter: Meter) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Figures(report, meter))
        self._address: tuple[str, int] | None = None
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def bound(self) -> tuple[str, int] | None:
        """Where it listens; None: nowhere."""
        return None if self._server is None else self._server.server_address[:2]  # type: ignore[return-value]

    def follow(self, address: tuple[str, int] | None) -> None:
        """Listen at `address`, and nowhere else. Raises `Unavailable` (PORT_TAKEN), to be tried again."""
        if address == self._address:
            return
        self.close()
        if address is None:
            return
        try:
            self._server = _server(address, self._registry)
        except OSError as error:
            raise Unavailable(
                f"metrics cannot be told at {address[0]}:{address[1]}: {error.strerror or error}",
                remedy="stop what listens there, or change [metrics] listen; it is tried again by itself",
                reason="PORT_TAKEN",
            ) from error
        self._address = address
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="metrics", daemon=True
        )
        self._thread.start()
        log.info("metrics are told", address="{}:{}".format(*self._server.server_address[:2]))

    def close(self) -> None:
        """Listen no more."""
        server, thread = self._server, self._thread
        self._address, self._server, self._thread = None, None, None
        if server is not None and thread is not None:
            server.shutdown()
            thread.join(_JOIN_S)
            server.server_close()


def _server(address: tuple[str, int], registry: CollectorRegistry) -> ThreadingHTTPServer:
    class Handler(_Handler):
        figures = registry

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        daemon_threads = True

    return Server(address, Handler)


class _Handler(BaseHTTPRequestHandler):
    figures: CollectorRegistry
    timeout = _TIMEOUT_S
    server_version = "syncline-node"
    sys_version = ""

    def do_GET(self) -> None:
        if not _is_this_machine(self.headers.get("Host", "")):
            self._answer(421, "text/plain; charset=utf-8", b"ask this machine by its own name: localhost\n")
        elif self.path.partition("?")[0] != _PATH:
            self._answer(404, "text/plain; charset=utf-8", b"figures are at /metrics\n")
        else:
            self._answer(200, CONTENT_TYPE_LATEST, generate_latest(self.figures))

    def _answer(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's own name
        log.debug("metrics", line=format % args)


def _is_this_machine(host: str) -> bool:
    """Whether a `Host` header names this machine by itself; a page elsewhere cannot choose such a name."""
    name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return name == "localhost" or name == "[::1]" or _LOOPBACK.fullmatch(name) is not None
