"""What the process counts itself: gRPC calls and HTTP requests. Thread-safe.

* Labels are bounded: methods are those that are served, codes those of gRPC and HTTP.
* A call counts when it ends; one that the caller gave up counts as CANCELLED.

    counters = Counters()
    handlers = counters.counted("CatalogueService", handlers)        # grpc.RpcMethodHandler by method
    app = counters.counting(app, port="pages")                       # an ASGI application
    counters.registry                                                # for the collector
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, cast

import grpc
from grpc import aio
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0, 600.0)

Serve = Callable[..., Awaitable[Any]]


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

    def counted(
        self, service: str, handlers: Mapping[str, "grpc.RpcMethodHandler[Any, Any]"]
    ) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
        """The same handlers, counting."""
        return {name: self._counted(f"{service}/{name}", handler) for name, handler in handlers.items()}

    def counting(self, app: ASGIApp, port: str) -> ASGIApp:
        """The same application, counting."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    self._requests.labels(port, str(message["status"])).inc()
                await send(message)

            await app(scope, receive, sending)

        return counted

    def _counted(
        self, method: str, handler: "grpc.RpcMethodHandler[Any, Any]"
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        # aio serves coroutines: these hubs' handlers write streams to the context and return nothing.
        if handler.unary_unary is not None:
            make, serve = grpc.unary_unary_rpc_method_handler, cast("Serve", handler.unary_unary)
        elif handler.unary_stream is not None:
            make, serve = grpc.unary_stream_rpc_method_handler, cast("Serve", handler.unary_stream)
        else:
            make, serve = grpc.stream_stream_rpc_method_handler, cast("Serve", handler.stream_stream)

        async def handle(message: Any | AsyncIterator[Any], context: aio.ServicerContext[Any, Any]) -> Any:
            begun = time.monotonic()
            running = self._running.labels(method)
            running.inc()
            code = "UNKNOWN"
            try:
                answer = await serve(message, context)
                code = "OK"
                return answer
            except asyncio.CancelledError:
                code = "CANCELLED"
                raise
            except BaseException:
                code = _code(context)
                raise
            finally:
                running.dec()
                self._calls.labels(method, code).inc()
                self._durations.labels(method).observe(time.monotonic() - begun)

        return make(  # type: ignore[no-any-return, call-overload]
            handle,  # type: ignore[arg-type]
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def _code(context: aio.ServicerContext[Any, Any]) -> str:
    """What the call was aborted with. The library gives it as a number or as its own enumeration."""
    given = context.code()
    for code in grpc.StatusCode:
        if given in (code, code.value[0]):
            return "UNKNOWN" if code is grpc.StatusCode.OK else code.name
    return "UNKNOWN"
