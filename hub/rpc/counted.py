"""Every call is counted in one place: around its handler.

handlers = counted(counters, "CatalogueService", handlers)       # the same handlers, counting
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

import grpc
from grpc import aio

Serve = Callable[..., Awaitable[Any]]


class CallCounter(Protocol):
    """Counts calls by method and code."""

    def call_begins(self, method: str) -> None:
        """Somebody calls `method`."""
        ...

    def call_ends(self, method: str, code: str, seconds: float) -> None:
        """It ended with that gRPC status code."""
        ...


def counted(
    counter: CallCounter, service: str, handlers: Mapping[str, "grpc.RpcMethodHandler[Any, Any]"]
) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
    """The same handlers, counting. A call that its caller gave up counts as CANCELLED."""
    return {name: _counted(counter, f"{service}/{name}", handler) for name, handler in handlers.items()}


def _counted(
    counter: CallCounter, method: str, handler: "grpc.RpcMethodHandler[Any, Any]"
) -> "grpc.RpcMethodHandler[Any, Any]":
    # All are coroutines: those of streams write to the context and return nothing.
    if handler.unary_unary is not None:
        make, serve = grpc.unary_unary_rpc_method_handler, cast("Serve", handler.unary_unary)
    elif handler.unary_stream is not None:
        make, serve = grpc.unary_stream_rpc_method_handler, cast("Serve", handler.unary_stream)
    else:
        make, serve = grpc.stream_stream_rpc_method_handler, cast("Serve", handler.stream_stream)

    async def handle(message: Any | AsyncIterator[Any], context: aio.ServicerContext[Any, Any]) -> Any:
        begun = time.monotonic()
        counter.call_begins(method)
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
            counter.call_ends(method, code, time.monotonic() - begun)

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
