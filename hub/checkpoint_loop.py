"""Makes checkpoints while the hub runs, and wakes the calls that wait for one.

* It looks once in `every_s`, and at once when a call waits and none was made just now: never more often than
  the log signs, and an idle hub does next to nothing.
* Whoever waits does so in the event loop, without a thread; another process's checkpoint wakes it too.
* A failure is logged, not more than once a minute, and tried again: the hub goes on without checkpoints.

    loop = CheckpointLoop(hub.log, limits.checkpoint_every_s, threads)
    task = asyncio.create_task(loop.run())                        # until cancelled
    await loop.reached(size, wait_s=10)                           # whether a checkpoint has that size by then
    found = await loop.found(look, wait_s=10)                     # asked now and after each checkpoint
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import Protocol, TypeVar

from core.errors import SynclineError
from core.logs import get_logger

_COMPLAIN_EVERY_S = 60.0

_log = get_logger("hub.log")

T = TypeVar("T")


class Checkpointer(Protocol):
    """The log's part of it. Both may block."""

    def make_checkpoint(self) -> bool:
        """Sign one if there is something new; whether it was."""
        ...

    def checkpoint_size(self) -> int:
        """How many leaves the newest covers."""
        ...


class CheckpointLoop:
    """Made and run in one event loop; not for other threads."""

    def __init__(self, log: Checkpointer, every_s: float, threads: Executor) -> None:
        self._log = log
        self._every_s = every_s
        self._threads = threads
        self._size = -1
        self._wanted = asyncio.Event()
        self._grown = asyncio.Event()
        self._complained: float | None = None

    async def run(self) -> None:
        """For ever."""
        while True:
            self._wanted.clear()
            if await self._turn():
                await asyncio.sleep(self._every_s)
            else:
                await _within(self._wanted.wait(), self._every_s)

    async def reached(self, size: int, wait_s: float) -> bool:
        """Wait until a checkpoint covers `size` leaves; whether one does."""

        async def look() -> bool | None:
            return True if self._size >= size else None

        return await self.found(look, wait_s) is not None

    async def found(self, look: Callable[[], Awaitable[T | None]], wait_s: float) -> T | None:
        """The first answer of `look` but None, asked now and after each checkpoint; None after `wait_s`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + wait_s
        while True:
            grown = self._grown  # before looking: what grows meanwhile must not be missed
            answer = await look()
            if answer is not None or loop.time() >= end:
                return answer
            self._wanted.set()
            await _within(grown.wait(), end - loop.time())

    async def _turn(self) -> bool:
        """Make a checkpoint, and wake who waits if there is a newer one; whether to rest before the next."""
        loop = asyncio.get_running_loop()
        try:
            made, size = await loop.run_in_executor(self._threads, self._make)
        except Exception as error:  # noqa: BLE001 - it must not die: without it nothing new is provable
            self._complain(error)
            return True
        if size != self._size:
            self._size = size
            self._grown.set()
            self._grown = asyncio.Event()
        return made

    def _make(self) -> tuple[bool, int]:
        return self._log.make_checkpoint(), self._log.checkpoint_size()

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if self._complained is not None and now - self._complained < _COMPLAIN_EVERY_S:
            return
        self._complained = now
        if isinstance(error, SynclineError):
            _log.error("no checkpoint can be made", problem=error.message, remedy=error.remedy)
        else:
            _log.error("bug while a checkpoint was made", exc_info=error)


async def _within(waiting: Awaitable[object], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(waiting, max(0.0, seconds))
