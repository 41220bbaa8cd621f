"""The ports that speak HTTP: the log's read path, the operator's pages, metrics; each where the settings say.

The pages are served by a process of their own (`hub.web.apart`), the others by this one.

with http_ports(settings, hub, overview, counters, limits) as ports:  # bound; raises Unavailable (PORT_TAKEN)
    await ports.start()
    ports.log_port, ports.web_port                            # None: not served
    await ports.stop()
"""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol

from core.limits import Limits
from hub.config import HubSettings
from hub.metrics.collector import HubCollector
from hub.metrics.counters import Counters
from hub.metrics.served import metrics_app
from hub.overview.service import Overview
from hub.services.hub import Hub
from hub.web.apart import PagesProcess
from hub.web.listening import listening_on
from hub.web.read_path import read_path
from hub.web.server import HttpPort

_LOG_READER_THREADS = 2
_SCRAPERS_MAX = 16
_GRACE_S = 1.0  # what is read there is small, and anybody can ask again


class Port(Protocol):
    """Bound when made; `number` is where."""

    number: int

    async def start(self) -> None:
        """Answer."""
        ...

    async def stop(self, grace_s: float) -> None:
        """Finish answers under way within `grace_s`, and answer no more."""
        ...

    def close(self) -> None:
        """Give the port back, where nothing was served yet."""
        ...


class HttpPorts:
    """Bound when made. Made by `http_ports`."""

    def __init__(self) -> None:
        self._ports: dict[str, Port] = {}

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

    def add(self, table: str, port: Port) -> None:
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
    ):
        try:
            if listen := settings.transparency.listen:
                log = counters.counting(read_path(hub.log, readers, limits), "log")
                ports.add("transparency", HttpPort(log, listening_on(listen, "transparency")))
            if settings.web.listen:
                ports.add("web", _pages(settings, hub, counters, limits))
            if listen := settings.metrics.listen:
                metrics = counters.counting(
                    metrics_app(HubCollector(hub, overview, counters), scraper), "metrics"
                )
                listening = listening_on(listen, "metrics")
                ports.add("metrics", HttpPort(metrics, listening, connections_max=_SCRAPERS_MAX))
            yield ports
        finally:
            ports.close()


def _pages(settings: HubSettings, hub: Hub, counters: Counters, limits: Limits) -> PagesProcess:
    def ended(status: int) -> None:
        hub.events.note("pages.ended", "error", detail={"status": status})

    pages = PagesProcess(
        settings, limits, answered=lambda codes: counters.answered("pages", codes), ended=ended
    )
    counters.watch_pages(lambda: pages.process_id)
    return pages
