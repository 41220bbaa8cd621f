"""The ports that speak HTTP: the log's read path and the operator's pages, each where the settings say.

with http_ports(settings, hub, overview, limits) as ports:    # bound; raises Unavailable (PORT_TAKEN)
    await ports.start()
    ports.log_port, ports.web_port                            # None: not served
    await ports.stop()
"""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from core.limits import Limits
from hub.config import HubSettings
from hub.overview.service import Overview
from hub.services.hub import Hub
from hub.web.app import pages_app
from hub.web.read_path import read_path
from hub.web.server import HttpPort
from hub.web.threads import Threads

_LOG_READER_THREADS = 2
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
def http_ports(settings: HubSettings, hub: Hub, overview: Overview, limits: Limits) -> Generator[HttpPorts]:
    """The ports, bound. Raises `Unavailable` (PORT_TAKEN)."""
    ports = HttpPorts()
    with ThreadPoolExecutor(_LOG_READER_THREADS, "hub-log-reader") as readers, Threads() as threads:
        try:
            if listen := settings.transparency.listen:
                log = read_path(hub.log, readers, limits)
                ports.add("transparency", HttpPort(log, listen, table="transparency"))
            if listen := settings.web.listen:
                pages = pages_app(hub, settings, overview, threads, limits)
                ports.add("web", HttpPort(pages, listen, table="web"))
            yield ports
        finally:
            ports.close()
