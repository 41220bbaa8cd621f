"""What the process counts itself: gRPC calls and HTTP requests. Thread-safe.

* Labels are bounded: methods are those that are served, codes those of gRPC and HTTP.
* A call counts when it ends; one that the caller gave up counts as CANCELLED.

    counters = Counters()
    counters.call_begins("HubService/GetHubInfo")    # hub.rpc.counted does, around every handler
    app = counters.counting(app, port="pages")                       # an ASGI application
    counters.registry                                                # for the collector
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._requests.labels(port, str(message["status"])).inc()
                await send(message)

            await app(scope, receive, sending)

        return counted
