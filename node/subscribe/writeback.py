"""Flushing while a version is still being written, so that the flush at its end is short.

A version counts only after its filesystem was flushed as a whole. Left to the end, that waits for
gigabytes while nothing else happens; begun every few dozen megabytes in a thread of its own, the disk works
while chunks are fetched and hashed. It is a head start and proves nothing: the flush at the end decides. But
the kernel reports a lost write once, so an error met here is raised when the block is left.

    with Writeback(staging) as writeback:
        writeback.wrote(len(data))
"""

import threading
from types import TracebackType
from typing import Self

from core import durable
from core.limits import MIB

_EVERY_BYTES = 64 * MIB


class Writeback:
    """Flushes the filesystem of the open folder `descriptor` each time enough was written."""

    def __init__(self, descriptor: int, every_bytes: int = _EVERY_BYTES) -> None:
        self._descriptor = descriptor
        self._every_bytes = every_bytes
        self._unflushed = 0
        self._due = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None
        self._error: OSError | None = None

    def wrote(self, count: int) -> None:
        """So many bytes more were written. Never waits."""
        self._unflushed += count
        if self._unflushed >= self._every_bytes:
            self._unflushed = 0
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="writeback", daemon=True)
                self._thread.start()
            self._due.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def _run(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._ended:
                return
            try:
                durable.flush_filesystem(self._descriptor)
            except OSError as error:
                self._error = error
                return
