"""The ports that speak HTTP: the log's read path, the operator's pages, metrics; each where the settings say.

with http_ports(settings, hub, overview, counters, limits) as ports:  # bound; raises Unavailable (PORT_TAKEN)
    await ports.start()
    ports.log_port, ports.web_port                            # None: not served
    await ports.stop()
"""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from core.limits import Limits
from hub.config import HubSettings
from hub.metrics.collector import HubCollector
from hub.metrics.counters import Counters
from hub.metrics.served import metrics_app
from hub.overview.service import Overview
from hub.services.hub import Hub
from hub.web.app import pages_app
from hub.web.read_path import read_path
from hub.web.server import HttpPort
from hub.web.threads import Threads

_LOG_READER_THREADS = 2
_SCRAPERS_MAX = 16
_GRACE_S = 1.0  # what is read there is small, and anybody can ask again


class HttpPorts:
    """Bound when made. Made by `http_ports`."""

    def __init__(self) -> None:
        self._ports: dict[str, HttpPort] = {}

    @property
    def log_port(self) -> int | None:
        """Where the log is read."""
        return self._number("transparency")

    @property
    def web_port(self) -> int | None:
        """Where the pages are."""
        return self._number("web")

    @property
    def metrics_port(self) -> int | None:
        """Where Prometheus reads."""
        return self._number("metrics")

    def add(self, table: str, port: HttpPort) -> None:
        """One more, by the table of the settings that asks for it."""
        self._ports[table] = port

    async def start(self) -> None:
        """Answer on all of them."""
        for port in self._ports.values():
            await port.start()

    async def stop(self) -> None:
        """On none."""
        for port in self._ports.values():
            await port.stop(_GRACE_S)

    def close(self) -> None:
        """Give back those that never answered."""
        for port in self._ports.values():
            port.close()

    def _number(self, table: str) -> int | None:
        port = self._ports.get(table)
        return None if port is None else port.number


@contextmanager
def http_ports(
    settings: HubSettings, hub: Hub, overview: Overview, counters: Counters, limits: Limits
) -> Generator[HttpPorts]:
    """The ports, bound. Raises `Unavailable` (PORT_TAKEN)."""
    ports = HttpPorts()
    with (
        ThreadPoolExecutor(_LOG_READER_THREADS, "hub-log-reader") as readers,
        ThreadPoolExecutor(1, "hub-metrics") as scraper,
        Threads() as threads,
    ):
        try:
            if listen := settings.transparency.listen:
                log = counters.counting(read_path(hub.log, readers, limits), "log")
                ports.add("transparency", HttpPort(log, listen, table="transparency"))
            if listen := settings.web.listen:
                pages = pages_app(hub, settings, overview, threads, limits)
                ports.add("web", HttpPort(counters.counting(pages, "pages"), listen, table="web"))
            if listen := settings.metrics.listen:
                metrics = metrics_app(HubCollector(hub, overview, counters), scraper)
                ports.add(
                    "metrics",
                    HttpPort(
                        counters.counting(metrics, "metrics"),
                        listen,
                        table="metrics",
                        connections_max=_SCRAPERS_MAX,
                    ),
                )
            yield ports
        finally:
            ports.close()
