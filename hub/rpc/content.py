"""Chunks over the wire: frames up with durable acknowledgements, frames down.

Frames are passed through as bytes (`sync.wire.framecodec`); services check and store them in threads.
An upload is committed when half a sender's window or `group_commit_bytes` is pending, every
`group_commit_s`, and at once when nothing more is waiting: the sender then waits for the
acknowledgement. So while one group is made durable the next one arrives. A download reads one frame
ahead of what it sends.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from syncline.v1 import content_pb2 as pb

from core.limits import Limits
from hub.rpc.calls import Calls, RpcContext
from hub.services.content import ContentService, Upload
from hub.services.context import Caller
from sync.wire import messages


@dataclass(frozen=True, slots=True)
class _End:
    """No frame follows; `error` when the stream broke."""

    error: Exception | None


class ContentCalls:
    """`ContentService` of the contract."""

    def __init__(self, content: ContentService, calls: Calls[Caller], limits: Limits) -> None:
        self._content = content
        self._calls = calls
        self._limits = limits

    def find_missing(
        self, caller: Caller, request: pb.FindMissingBlobsRequest
    ) -> pb.FindMissingBlobsResponse:
        asked = messages.find_missing_from_message(request, self._limits)
        return messages.missing_to_message(self._content.find_missing(caller, asked))

    async def update_blobs(
        self, caller: Caller, frames: AsyncIterator[memoryview], context: RpcContext
    ) -> None:
        upload = await self._calls.in_thread(self._content.open_upload, caller)
        arrived: asyncio.Queue[memoryview | _End] = asyncio.Queue(self._limits.frames_in_flight_max // 2)
        receiver = asyncio.create_task(_receive(frames, arrived))
        try:
            await self._store(upload, arrived, context)
        except asyncio.CancelledError:
            # Stopping, or no longer admitted: what has arrived is kept, and said to be.
            durable = await self._calls.in_thread(upload.commit)
            with contextlib.suppress(Exception):
                await context.write(durable)
            raise
        finally:
            receiver.cancel()
            await asyncio.wait({receiver})
            await self._calls.in_thread(upload.close)

    async def _store(
        self, upload: Upload, arrived: "asyncio.Queue[memoryview | _End]", context: RpcContext
    ) -> None:
        window = min(
            self._limits.group_commit_bytes,
            self._limits.frames_in_flight_max * self._limits.frame_bytes_max // 2,
        )
        clock = asyncio.get_running_loop().time
        since, end = clock(), None
        while end is None:
            frames, end = await _waiting(arrived)
            if not frames:
                break
            pending = await self._calls.in_thread(_put, upload, frames)
            due = pending >= window or clock() - since >= self._limits.group_commit_s
            if due or end is not None or arrived.empty():
                await context.write(await self._calls.in_thread(upload.commit))
                since = clock()
        if end is not None and end.error is not None:
            raise end.error

    async def read_blobs(self, caller: Caller, request: pb.ReadBlobsRequest, context: RpcContext) -> None:
        frames = await self._calls.in_thread(self._open_read, caller, request)
        ahead = asyncio.create_task(self._calls.in_thread(_next, frames))
        try:
            while (frame := await ahead) is not None:
                ahead = asyncio.create_task(self._calls.in_thread(_next, frames))
                await context.write(frame)
        finally:
            ahead.cancel()
            await asyncio.wait({ahead})
            await self._calls.in_thread(_close, frames)

    def _open_read(self, caller: Caller, request: pb.ReadBlobsRequest) -> Iterator[bytes]:
        asked = messages.read_from_message(request, self._limits)
        return self._content.read_blobs(caller, asked.dataset, asked.manifest_id, asked.stream, asked.ranges)


async def _receive(frames: AsyncIterator[memoryview], arrived: "asyncio.Queue[memoryview | _End]") -> None:
    try:
        async for frame in frames:
            await arrived.put(frame)
    except Exception as error:  # noqa: BLE001 - handed to the task that answers
        await arrived.put(_End(error))
    else:
        await arrived.put(_End(None))


async def _waiting(arrived: "asyncio.Queue[memoryview | _End]") -> tuple[list[memoryview], _End | None]:
    """Everything that has arrived, at least one thing."""
    item = await arrived.get()
    frames: list[memoryview] = []
    while not isinstance(item, _End):
        frames.append(item)
        if arrived.empty():
            return frames, None
        item = arrived.get_nowait()
    return frames, item


def _put(upload: Upload, frames: list[memoryview]) -> int:
    pending = 0
    for frame in frames:
        pending = upload.put_frame(frame)
    return pending


def _next(frames: Iterator[bytes]) -> bytes | None:
    return next(frames, None)


def _close(frames: Iterator[bytes]) -> None:
    close = getattr(frames, "close", None)
    if close is not None:
        close()
