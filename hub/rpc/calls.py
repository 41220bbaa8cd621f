"""How every call is answered: who calls, the work in a thread, errors as status.

A service's method is a plain function of (caller, request) that returns a response and raises
`SynclineError`; `Calls` makes a gRPC handler of it. Any other exception is a bug: the caller gets an
incident number, the log the traceback, and nothing of the inside goes over the wire.

    calls = Calls(gate, threads, limits, hub.log.refused)
    calls.unary(get_hub_info, GetHubInfoRequest)         # for grpc.method_handlers_generic_handler
    calls.waiting(get_checkpoint, GetCheckpointRequest)  # the same for a coroutine, which may wait
    calls.queued(take, answer, ReportStatusRequest)      # a function, and a coroutine that awaits it
    await calls.sweep()                                  # for ever: ends streams that may no longer be
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, Generic, NoReturn, Protocol, TypeVar

import grpc
from google.protobuf.message import Message
from grpc import aio

from core.errors import Conflict, Corrupt, Denied, SynclineError, Unavailable, Untrusted
from core.limits import Limits
from core.logs import get_logger
from core.names import PartnerId
from hub.rpc.identity import AuthContext, partner_of
from sync.wire.errors import status_of

_SWEEP_EARLY = 0.75  # of the bound: the look-up and the ending take time too

_log = get_logger("hub.rpc")

CallerT = TypeVar("CallerT")
CallerT_co = TypeVar("CallerT_co", covariant=True)
RequestT = TypeVar("RequestT", bound=Message)
T = TypeVar("T")
RpcContext = aio.ServicerContext[Any, Any]
Properties = dict[str, tuple[bytes, ...]]
Serializer = Callable[[Any], bytes]
Deserializer = Callable[[bytes], Any]


_SUSPICIOUS = (Untrusted, Corrupt)
#: What the log counts each hour: somebody wanted what they may not have, or said what is not so.
_REFUSALS = (Denied, Untrusted, Conflict)
_TOLD_EVERY_S = 60.0  # one full disk is refused a thousand times

#: What goes wrong in the hub's own house, by its reason: what a partner is told instead. The operator's log
#: has the paths and the remedy.
_IN_THE_HOUSE: dict[str, SynclineError] = {
    "DISK_FULL": Unavailable(
        "the hub's disk is full: it takes no more data",
        remedy="tell its operator to free space; it then goes on by itself",
        reason="DISK_FULL",
    ),
    "DISK_FAILED": Unavailable(
        "the hub's disk fails: it takes no more data", remedy="tell its operator", reason="DISK_FAILED"
    ),
    "STORE_UNAVAILABLE": Unavailable(
        "the hub cannot use its database", remedy="tell its operator; it is tried again", reason="HUB_FAILED"
    ),
    "STORE_CORRUPT": Unavailable(
        "the hub's database is damaged", remedy="tell its operator; it is tried again", reason="HUB_FAILED"
    ),
}
_told: dict[str, float] = {}


class Gate(Protocol[CallerT_co]):
    """Who may come in. Called in a thread, at every call and again on open streams."""

    def admit(self, context: AuthContext) -> CallerT_co:
        """The caller behind a connection. Raises `Untrusted`, `Denied` or `Unavailable`."""
        ...


#: Counts a refusal, by partner (None: a stranger) and reason. Called in the event loop: must be quick.
Refused = Callable[[PartnerId | None, str], None]


class _Stream:
    """An open stream, or a call that waits: whose it is, the task that serves it, and why it was ended from
    outside."""

    def __init__(self, properties: Properties, task: asyncio.Task[Any]) -> None:
        self.properties = properties
        self.task = task
        self.refusal: Exception | None = None

    def end(self, refusal: Exception) -> None:
        if self.refusal is None:
            self.refusal = refusal
            self.task.cancel()


class Calls(Generic[CallerT]):
    """Makes gRPC handlers of functions. `threads` runs everything that may block."""

    def __init__(self, gate: Gate[CallerT], threads: Executor, limits: Limits, refused: Refused) -> None:
        self._gate = gate
        self._threads = threads
        self._limits = limits
        self._refused = refused
        self._streams: set[_Stream] = set()
        self._ending: Exception | None = None

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run what may block. A cancelled caller still waits for it: nothing of a call outlives the call."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not future.done():
                await asyncio.wait({future})
            if not future.cancelled():
                future.exception()  # seen; the cancellation is what counts
            raise

    def unary(
        self, answer: Callable[[CallerT, RequestT], Message], request: type[RequestT]
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        """One message, one answer; `answer` runs in a thread."""

        async def serve(message: RequestT, properties: Properties) -> Message:
            return await self.in_thread(lambda: answer(self._gate.admit(properties), message))

        return self._one_answer(serve, request)

    def waiting(
        self, answer: Callable[[CallerT, RequestT], Coroutine[Any, Any, Message]], request: type[RequestT]
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        """One message, one answer, which may take its time: `answer` is a coroutine, and holds no thread
        while it waits. It ends as a stream does: with its client, its deadline, its caller's rights, the
        hub."""

        async def serve(message: RequestT, properties: Properties) -> Message:
            return await self._run_stream(properties, lambda caller: answer(caller, message))

        return self._one_answer(serve, request)

    def queued(
        self,
        take: Callable[[CallerT, RequestT], T],
        answer: Callable[[T], Coroutine[Any, Any, Message]],
        request: type[RequestT],
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        """One message, one answer, which may take its time: `take` runs in the thread that has looked up the
        caller, `answer` waits for what becomes of what it returned, as a coroutine of `waiting` does."""

        async def serve(message: RequestT, properties: Properties) -> Message:
            taken = await self.in_thread(lambda: take(self._gate.admit(properties), message))
            return await self._watched(properties, lambda: answer(taken))

        return self._one_answer(serve, request)

    def _one_answer(
        self,
        serve: Callable[[RequestT, Properties], Coroutine[Any, Any, Message]],
        request: type[RequestT],
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        async def handle(message: RequestT, context: RpcContext) -> Message:
            try:
                return await serve(message, properties_of(context))
            except Exception as error:  # noqa: BLE001 - whatever it is, it becomes a status
                await self._refuse(context, error)

        return grpc.unary_unary_rpc_method_handler(
            handle,  # type: ignore[arg-type]
            request_deserializer=request.FromString,
            response_serializer=serialize,
        )

    def stream_down(
        self,
        answer: Callable[[CallerT, RequestT, RpcContext], Coroutine[Any, Any, None]],
        request: type[RequestT],
        response_serializer: Serializer,
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        """One message, many answers; `answer` writes them to the context."""

        async def handle(message: RequestT, context: RpcContext) -> None:
            await self._serve_stream(context, lambda caller: answer(caller, message, context))

        return grpc.unary_stream_rpc_method_handler(
            handle,  # type: ignore[arg-type]
            request_deserializer=request.FromString,
            response_serializer=response_serializer,
        )

    def stream_both(
        self,
        answer: Callable[[CallerT, AsyncIterator[Any], RpcContext], Coroutine[Any, Any, None]],
        request_deserializer: Deserializer,
        response_serializer: Serializer,
    ) -> "grpc.RpcMethodHandler[Any, Any]":
        """Many messages, many answers."""

        async def handle(messages: AsyncIterator[Any], context: RpcContext) -> None:
            await self._serve_stream(context, lambda caller: answer(caller, messages, context))

        return grpc.stream_stream_rpc_method_handler(
            handle,  # type: ignore[arg-type]
            request_deserializer=request_deserializer,
            response_serializer=response_serializer,
        )

    async def _serve_stream(
        self, context: RpcContext, serve: Callable[[CallerT], Coroutine[Any, Any, None]]
    ) -> None:
        # Not with the first message, as gRPC would: when that is cancelled midway, gRPC does not know that it
        # has sent this, and then fails to send the status. Its client would wait for ever.
        await context.send_initial_metadata(())
        try:
            await self._run_stream(properties_of(context), serve)
        except Exception as error:  # noqa: BLE001 - whatever it is, it becomes a status
            await self._refuse(context, error)

    async def _run_stream(
        self, properties: Properties, serve: Callable[[CallerT], Coroutine[Any, Any, T]]
    ) -> T:
        caller = await self.in_thread(self._gate.admit, properties)
        return await self._watched(properties, lambda: serve(caller))

    async def _watched(self, properties: Properties, serve: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Until it is done, or ended from outside."""
        if self._ending is not None:
            raise self._ending
        task = asyncio.create_task(serve())
        stream = _Stream(properties, task)
        self._streams.add(stream)
        try:
            await asyncio.wait({stream.task})
        finally:
            self._streams.discard(stream)
            if not stream.task.done():  # the client went away
                stream.task.cancel()
                await asyncio.wait({stream.task})
        if stream.refusal is not None:
            raise stream.refusal
        return task.result()

    async def _refuse(self, context: RpcContext, error: Exception) -> NoReturn:
        if isinstance(error, _REFUSALS):
            self._refused(partner_of(properties_of(context)), error.reason or type(error).__name__.upper())
        await refuse(context, error)

    async def sweep(self) -> None:
        """For ever: look up the callers of open streams within `reauthorise_s`, and end what must end."""
        while True:
            await asyncio.sleep(self._limits.reauthorise_s * _SWEEP_EARLY)
            callers: dict[tuple[tuple[str, tuple[bytes, ...]], ...], list[_Stream]] = {}
            for stream in self._streams:
                callers.setdefault(tuple(sorted(stream.properties.items())), []).append(stream)
            if not callers:
                continue
            refusals = await self.in_thread(self._refusals, [streams[0] for streams in callers.values()])
            for streams, refusal in zip(callers.values(), refusals, strict=True):
                if refusal is None:
                    continue
                for stream in streams:
                    stream.end(refusal)

    def _refusals(self, streams: list[_Stream]) -> list[Exception | None]:
        return [self._refusal(stream.properties) for stream in streams]

    def _refusal(self, properties: AuthContext) -> Exception | None:
        try:
            self._gate.admit(properties)
        except Exception as error:  # noqa: BLE001 - a stream that cannot be authorised ends, whatever the cause
            return error
        return None

    def end_streams(self, reason: SynclineError) -> None:
        """End every open stream, and those to come, with `reason`: the hub is stopping."""
        self._ending = reason
        for stream in list(self._streams):
            stream.end(reason)


def properties_of(context: RpcContext) -> Properties:
    """What gRPC knows about the connection of a call."""
    return {name: tuple(values) for name, values in context.auth_context().items()}


def serialize(message: Message) -> bytes:
    """The generated codec."""
    return message.SerializeToString()


def _told_to_the_operator(error: SynclineError) -> SynclineError:
    """What the caller is to hear of `error`; what happened in the hub's own house goes to its log."""
    public = _IN_THE_HOUSE.get(error.reason)
    if public is None:
        return error
    now = time.monotonic()
    if now - _told.get(error.reason, -_TOLD_EVERY_S) >= _TOLD_EVERY_S:
        _told[error.reason] = now
        _log.error("the hub cannot do its work", problem=error.message, remedy=error.remedy)
    return public


async def refuse(context: RpcContext, error: Exception) -> NoReturn:
    """End the call with the status of `error`; a bug's inside stays in the log."""
    if isinstance(error, aio.AbortError):
        raise error
    if not isinstance(error, SynclineError):
        incident = secrets.token_hex(4)
        _log.error("bug while answering a call", incident=incident, exc_info=error)
        await context.abort(
            grpc.StatusCode.INTERNAL, f"the hub failed; tell its operator: incident {incident}"
        )
    error = _told_to_the_operator(error)
    tell = _log.warning if isinstance(error, _SUSPICIOUS) else _log.debug
    tell("refused", problem=error.message, reason=error.reason, peer=context.peer())
    status = status_of(error)
    await context.abort(status.code, status.details or "", tuple(status.trailing_metadata or ()))
    raise AssertionError("abort raises")
