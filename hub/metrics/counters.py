"""What the process counts itself: gRPC calls and HTTP requests. Thread-safe.

* Labels are bounded: methods are those that are served, codes those of gRPC and HTTP.
* A call counts when it ends; one that the caller gave up counts as CANCELLED.

    counters = Counters()
    counters.call_begins("HubService/GetHubInfo")    # hub.rpc.counted does, around every handler
    app = counters.counting(app, port="pages")                       # an ASGI application
    counters.registry                                                # for the collector
"""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.types import ASGIApp

from hub.metrics.answers import counting

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0)


class Counters:
    """One set a process, handed to what answers calls."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._calls = Counter(
            "syncline_hub_grpc_calls",
            "Calls of nodes that have ended, by method and gRPC status code.",
            ["method", "code"],
            registry=self.registry,
        )
        self._durations = Histogram(
            "syncline_hub_grpc_call_duration",
            "How long calls took; streams last as long as they are wanted.",
            ["method"],
            unit="seconds",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._running = Gauge(
            "syncline_hub_grpc_calls_running",
            "Calls of nodes that are being answered now.",
            ["method"],
            registry=self.registry,
        )
        self._requests = Counter(
            "syncline_hub_http_requests",
            "HTTP requests that were answered, by port (log, pages, metrics) and status.",
            ["port", "code"],
            registry=self.registry,
        )

    def call_begins(self, method: str) -> None:
        """Somebody calls `method`, `Service/Method` of the contract."""
        self._running.labels(method).inc()

    def call_ends(self, method: str, code: str, seconds: float) -> None:
        """It ended with that gRPC status code."""
        self._running.labels(method).dec()
        self._calls.labels(method, code).inc()
        self._durations.labels(method).observe(seconds)

    def counting(self, app: ASGIApp, port: str) -> ASGIApp:
        """The same application, counting."""
        return counting(app, lambda code: self._requests.labels(port, code).inc())

    def answered(self, port: str, codes: Mapping[str, int]) -> None:
        """Another process has answered so many requests, by status code."""
        for code, count in codes.items():
            self._requests.labels(port, code).inc(count)

    def watch_pages(self, process_id: Callable[[], int | None]) -> None:
        """Tell of the pages' process, too: processor time, memory, open files."""
        ProcessCollector("syncline_hub_pages", lambda: str(process_id() or 0), registry=self.registry)
