"""Chunks over the wire: frames up with durable acknowledgements, frames down.

Frames are passed through as bytes (`sync.wire.framecodec`); services check and store them in threads.
A download reads one frame ahead of what it sends.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator

from syncline.v1 import content_pb2 as pb

from core.limits import Limits
from hub.rpc.calls import Calls, RpcContext
from hub.rpc.upload import UploadStream
from hub.services.content import ContentService
from hub.services.context import Caller
from sync.wire import messages


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
        await UploadStream(upload, self._calls.in_thread, context.write, self._limits).run(frames)

    async def read_blobs(self, caller: Caller, request: pb.ReadBlobsRequest, context: RpcContext) -> None:
        frames = await self._calls.in_thread(self._open_read, caller, request)
        ahead = asyncio.create_task(self._calls.in_thread(_next, frames))
        try:
            while (frame := await ahead) is not None:
                ahead = asyncio.create_task(self._calls.in_thread(_next, frames))
                await context.write(frame)
        finally:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)
            await self._calls.in_thread(_close, frames)

    def _open_read(self, caller: Caller, request: pb.ReadBlobsRequest) -> Iterator[bytes]:
        asked = messages.read_from_message(request, self._limits)
        return self._content.read_blobs(caller, asked.dataset, asked.manifest_id, asked.stream, asked.ranges)


def _next(frames: Iterator[bytes]) -> bytes | None:
    return next(frames, None)


def _close(frames: Iterator[bytes]) -> None:
    close = getattr(frames, "close", None)
    if close is not None:
        close()
