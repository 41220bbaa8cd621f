"""One upload stream: receive, check and append, make durable, acknowledge; the three at the same time.

Frames are appended in the order of their arrival. A group is committed once a quarter of a sender's window is
appended, every `group_commit_s`, and at once when nothing more is waiting: the sender may be waiting for the
acknowledgement. While one group is made durable the next is appended; no more than `group_commit_bytes` ever
wait. What is acknowledged is durable; what was appended is made durable even when the stream breaks.

    await UploadStream(upload, calls.in_thread, acknowledge, limits).run(frames)
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from core.limits import Limits
from hub.services.content import Upload

InThread = Callable[..., Awaitable[Any]]


class UploadStream:
    """Drives one `Upload`. `acknowledge` sends how many frames are durable."""

    def __init__(
        self,
        upload: Upload,
        in_thread: InThread,
        acknowledge: Callable[[int], Awaitable[None]],
        limits: Limits,
    ) -> None:
        self._upload = upload
        self._in_thread = in_thread
        self._acknowledge = acknowledge
        self._limits = limits
        self._group_bytes = min(
            limits.group_commit_bytes, limits.frames_in_flight_max * limits.frame_bytes_max // 4
        )
        self._arrived: asyncio.Queue[memoryview | None] = asyncio.Queue(limits.frames_in_flight_max // 2)
        self._appended_bytes = 0  # since the last commit began
        self._acknowledged = 0
        self._waiting = False  # everything that has arrived is appended
        self._ended = False
        self._wake = asyncio.Event()
        self._room = asyncio.Event()

    async def run(self, frames: AsyncIterator[memoryview]) -> None:
        """Until all is acknowledged that the sender sends. Raises what appending or committing raises."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._receive(frames))
                tasks.create_task(self._append())
                tasks.create_task(self._commit())
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        except asyncio.CancelledError:
            # The hub stops, or the caller is shut out: what has been appended is kept, and said to be.
            with contextlib.suppress(Exception):
                await self._commit_group()
            raise
        finally:
            await self._in_thread(self._upload.close)

    async def _receive(self, frames: AsyncIterator[memoryview]) -> None:
        async for frame in frames:
            await self._arrived.put(frame)
        await self._arrived.put(None)

    async def _append(self) -> None:
        while not self._ended:
            if self._arrived.empty():
                self._waiting = True
                self._wake.set()
            frames = [await self._arrived.get()]
            while not self._arrived.empty():
                frames.append(self._arrived.get_nowait())
            self._waiting = False
            batch = [frame for frame in frames if frame is not None]
            if batch:
                await self._in_thread(self._put, batch)
                self._appended_bytes += sum(len(frame) for frame in batch)
            self._ended = frames[-1] is None  # not before its last frame counts
            self._wake.set()
            while self._appended_bytes >= self._limits.group_commit_bytes:
                self._room.clear()
                await self._room.wait()

    def _put(self, frames: list[memoryview]) -> None:
        for frame in frames:
            self._upload.put_frame(frame)

    async def _commit(self) -> None:
        clock = asyncio.get_running_loop().time
        since = clock()
        while not (self._ended and self._appended_bytes == 0):
            await self._wake.wait()
            self._wake.clear()
            late = clock() - since >= self._limits.group_commit_s
            due = self._waiting or self._ended or late or self._appended_bytes >= self._group_bytes
            if not due or self._appended_bytes == 0:
                continue
            self._appended_bytes = 0
            self._room.set()
            await self._commit_group()
            since = clock()

    async def _commit_group(self) -> None:
        durable = await self._in_thread(self._upload.commit)
        if durable > self._acknowledged:  # the commit before may have covered these frames already
            self._acknowledged = durable
            await self._acknowledge(durable)
