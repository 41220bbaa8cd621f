"""The pages' threads: what asks the database, and what takes long, never in the event loop.

* `run` is for questions of some milliseconds, `run_slow` for what takes its time (a password's hash, a
  bundle), `run_duty` for what the process does by itself: none waits for another.
* Who comes when too many wait already is told to try again (`Unavailable`, BUSY), and costs nothing.

    with Threads() as threads:
        view = await threads.run(overview.fleet)
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from core.errors import Unavailable

_T = TypeVar("_T")

_PAGE_THREADS = 2  # they mostly compute, and share one interpreter: more would make each other wait
_SLOW_THREADS = 3
_DUTY_THREADS = 1
_PAGES_WAITING_MAX = 200
_SLOW_WAITING_MAX = 16
_DUTIES_WAITING_MAX = 16


class Threads:
    """Three small pools with bounded queues."""

    def __init__(self, count: int = _PAGE_THREADS, *, slow_waiting_max: int = _SLOW_WAITING_MAX) -> None:
        self.stopping = threading.Event()
        """Set when nobody waits any more: work that takes long gives up."""
        self._pages = _Pool(ThreadPoolExecutor(count, "hub-pages"), _PAGES_WAITING_MAX)
        self._slow = _Pool(ThreadPoolExecutor(_SLOW_THREADS, "hub-pages-slow"), slow_waiting_max)
        self._duties = _Pool(ThreadPoolExecutor(_DUTY_THREADS, "hub-pages-duty"), _DUTIES_WAITING_MAX)

    async def run(self, work: Callable[[], _T]) -> _T:
        """What `work` returns or raises. Raises `Unavailable` (BUSY)."""
        return await self._pages.run(work)

    async def run_slow(self, work: Callable[[], _T]) -> _T:
        """As `run`, for work that takes long."""
        return await self._slow.run(work)

    async def run_duty(self, work: Callable[[], _T]) -> _T:
        """As `run`, for what nobody waits for; one after the other."""
        return await self._duties.run(work)

    def close(self) -> None:
        """Wait for what is under way."""
        self.stopping.set()
        self._pages.close()
        self._slow.close()
        self._duties.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Pool:
    def __init__(self, executor: ThreadPoolExecutor, waiting_max: int) -> None:
        self._executor = executor
        self._waiting_max = waiting_max
        self._under_way = 0

    async def run(self, work: Callable[[], _T]) -> _T:
        if self._under_way >= self._waiting_max:
            raise Unavailable("too much is asked at once", remedy="try again in a moment", reason="BUSY")
        self._under_way += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        # Counted until it is over, also where the one who asked has gone.
        future.add_done_callback(self._over)
        return await future

    def _over(self, _future: object) -> None:
        self._under_way -= 1

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)
