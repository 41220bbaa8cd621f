"""The write end of a pack store: records appended to the newest pack, rotated when it is full.

Rules: one process writes (a lock on the directory), one thread at a time (the store's lock). A write that
fails leaves the pack as long as it was. What is appended is not durable before `sync`; a pack whose flush
failed is never written to again, since what the kernel kept of it is unknown.
"""

import errno
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from core import durable
from core.errors import Conflict
from core.limits import Limits
from sync.ports import ChunkId, StoredChunk
from sync.stores.errors import disk_full
from sync.stores.packfiles import PackFiles
from sync.stores.records import HEADER_BYTES, PACK_MAGIC, Location, record_header

_RECORDS_AT_A_TIME = 256  # two buffers each; the kernel takes 1024 in one call
_FULL = (errno.ENOSPC, errno.EDQUOT)


class Appender:
    """Appends records. Not thread-safe."""

    def __init__(self, directory: Path, files: PackFiles, limits: Limits) -> None:
        self._files = files
        self._limits = limits
        self._directory = directory
        self._descriptor = -1
        self._number = 0
        self._end = 0
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise Conflict(
                f"{directory} is in use by another process",
                remedy="stop the hub first",
                reason="STORE_LOCKED",
            ) from error

    @property
    def position(self) -> tuple[int, int]:
        """The pack that is written and its end; pack 0 when none is."""
        return self._number, self._end

    def resume(self, number: int) -> None:
        """Go on behind the end of an existing pack."""
        self._descriptor = os.open(self._files.path(number), os.O_WRONLY | os.O_CLOEXEC)
        self._number = number
        self._end = os.fstat(self._descriptor).st_size

    def start_after(self, number: int) -> None:
        """Leave the current pack, if any; the next record starts a pack above `number`."""
        self._leave()
        self._number = max(self._number, number)

    def append(self, chunks: Iterable[StoredChunk]) -> dict[ChunkId, Location]:
        """Append a record for each chunk. Raises `Unavailable` (DISK_FULL), `OSError`; then none counts."""
        placed: dict[ChunkId, Location] = {}
        batch: list[StoredChunk] = []
        total = 0
        for chunk in chunks:
            size = HEADER_BYTES + len(chunk.data)
            room = self._limits.pack_bytes_max - (self._end if self._descriptor >= 0 else len(PACK_MAGIC))
            if batch and (total + size > room or len(batch) == _RECORDS_AT_A_TIME):
                placed.update(self._append(batch, total))
                batch, total = [], 0
            batch.append(chunk)
            total += size
        if batch:
            placed.update(self._append(batch, total))
        return placed

    def close(self) -> None:
        """Close the pack and give up the lock. Nothing is flushed."""
        self._leave()
        os.close(self._lock)

    def _append(self, chunks: list[StoredChunk], total: int) -> Iterator[tuple[ChunkId, Location]]:
        parts: list[bytes | memoryview] = []
        for chunk in chunks:
            parts += (record_header(chunk), chunk.data)
        try:
            free = os.statvfs(self._directory)
            if free.f_bavail * free.f_frsize < self._limits.disk_reserve_bytes + total:
                raise disk_full(str(self._directory))
            if self._descriptor < 0 or self._end + total > self._limits.pack_bytes_max:
                self._begin()
            self._write(parts, total)
        except OSError as error:
            if error.errno in _FULL:
                raise disk_full(str(self._directory)) from error
            raise
        offset, self._end = self._end, self._end + total
        return _places(chunks, self._number, offset)

    def _write(self, parts: list[bytes | memoryview], total: int) -> None:
        durable.fault_hook("write", self._files.path(self._number))
        written = 0
        try:
            while True:
                count = os.pwritev(self._descriptor, parts, self._end + written)
                written += count
                if written == total:
                    return
                parts = _rest(parts, count)
        except BaseException:
            try:
                os.ftruncate(self._descriptor, self._end)
            except OSError:
                self._leave()
            raise

    def _begin(self) -> None:
        self._leave()
        number = self._number + 1
        path = self._files.path(number)
        durable.fault_hook("write", path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.pwrite(descriptor, PACK_MAGIC, 0)
        except BaseException:
            os.close(descriptor)
            path.unlink()
            raise
        self._descriptor, self._number, self._end = descriptor, number, len(PACK_MAGIC)

    def _leave(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _places(chunks: list[StoredChunk], pack: int, offset: int) -> Iterator[tuple[ChunkId, Location]]:
    for chunk in chunks:
        where = Location(pack, offset, len(chunk.data), chunk.raw_bytes, chunk.codec)
        yield bytes(chunk.id), where
        offset = where.end


def _rest(parts: list[bytes | memoryview], count: int) -> list[bytes | memoryview]:
    """`parts` without their first `count` bytes, which were written."""
    place = 0
    while count >= len(parts[place]):
        count -= len(parts[place])
        place += 1
    return [memoryview(parts[place])[count:], *parts[place + 1 :]]
