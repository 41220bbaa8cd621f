"""Read what changed, once: chunks go to a sink, digests and chunk tables to the state.

Rules: a file is opened without following links, and must have the stat it was seen with before it is read
and after; else it keeps its last published state. Databases are read through a snapshot. What has been
hashed is remembered in batches, so that an interrupted pass does not read it again. One file's failure
never stops the others.

    with Preparer(section, records, scratch, work_dir, clock) as preparer:
        preparer.read_all(sink)                       # NEW → READY, SAME or HELD
        preparer.reread(path, disk, sha256, sink)     # the same content again, for a hub that lacks it
"""

import errno
import os
import stat as modes
import struct
import tempfile
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path
from typing import IO, Self

from core.clock import Clock
from core.limits import GIB, LIMITS, Limits
from node.publish.records import SEGMENT_BYTES, PublishRecords, Seen
from node.publish.scratch import NEW, READY, SAME, Scratch, WorkItem
from node.room import Room
from node.scan import Stat, stat_of
from node.settle import is_racy
from node.snapshot import NotNow, is_sqlite, snapshot, snapshot_bytes, stat_of_database
from sync.chunking import FileDigest, FileHasher, Sink
from sync.ports import ChunkId

_BATCH_FILES = 2_000
_BATCH_BYTES = 4 * GIB
_RECORD = struct.Struct("<32sI")


class Changed(Exception):
    """The file is not the one that was seen."""


class Preparer:
    """Reads one dataset's files. One thread."""

    def __init__(
        self,
        root: Path,
        records: PublishRecords,
        scratch: Scratch,
        work_dir: Path,
        clock: Clock,
        limits: Limits = LIMITS,
        *,
        room: Room | None = None,
    ) -> None:
        self._room = room or Room(limits)
        self._root = f"{root}/"
        self._records = records
        self._scratch = scratch
        self._work_dir = work_dir
        self._clock = clock
        self._hasher = FileHasher(limits)
        self._seen: list[tuple[str, Seen]] = []
        self._segments: list[tuple[bytes, int, bytes]] = []
        self._since_flush = 0
        self.restless = False  # some file changed before or while it was read

    def read_all(self, sink: Sink, on_file: Callable[[int], None]) -> None:
        """Read every NEW file; `on_file` hears the size of each when it is done with."""
        try:
            for item in self._scratch.items(NEW):
                self._read_or_hold(item, sink)
                on_file(item.stat.size)
        finally:
            self.flush()
        self._check_units()

    def reread(self, item: WorkItem, sink: Sink) -> bool:
        """Read known content again and give its chunks to `sink`; False when the file does not hold it any
        more."""
        assert item.sha256 is not None
        try:
            digest = self._digest(item, sink)
        except (Changed, NotNow, OSError):
            return False
        return bytes.fromhex(digest.sha256) == item.sha256

    def flush(self) -> None:
        """Write what was hashed to the state, durably."""
        if self._seen:
            self._records.store_hashed(self._seen, self._segments)
        self._seen, self._segments, self._since_flush = [], [], 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hasher.close()

    def _read_or_hold(self, item: WorkItem, sink: Sink) -> None:
        try:
            self._read(item, sink)
        except Changed:
            self.restless = True
            self._scratch.hold(item.path, "changed while it was read")
        except NotNow as error:
            self._scratch.hold(item.path, error.message)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise  # the node's own disk, which is no fault of the file
            self._scratch.hold(item.path, f"cannot be read: {error.strerror or error}")

    def _read(self, item: WorkItem, sink: Sink) -> None:
        begun_ns = int(self._clock.now().timestamp() * 1e9)
        table = _Table()

        def both(id_: ChunkId, data: memoryview) -> None:
            table.add(id_, len(data))
            sink(id_, data)

        try:
            digest = self._digest(item, both)
            sha256 = bytes.fromhex(digest.sha256)
            if table.is_large:
                segments = ((sha256, number, segment) for number, segment in enumerate(table.segments()))
                self._records.store_hashed([], segments)
            elif table.small:
                self._segments.append((sha256, 0, bytes(table.small)))
        finally:
            table.close()
        self._seen.append((item.path, Seen(item.stat, is_racy(item.stat, begun_ns), sha256, digest.bytes)))
        self._scratch.settle(item.path, SAME if sha256 == item.was else READY, sha256, digest.bytes)
        self._since_flush += digest.bytes
        if len(self._seen) >= _BATCH_FILES or self._since_flush >= _BATCH_BYTES:
            self.flush()

    def _digest(self, item: WorkItem, sink: Sink) -> FileDigest:
        path = self._root + (item.disk or item.path)
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with FileIO(descriptor) as file:
            info = os.fstat(descriptor)
            if not modes.S_ISREG(info.st_mode) or not _agrees(info, item.stat):
                raise Changed
            if is_sqlite(os.pread(descriptor, 16, 0)):
                return self._digest_database(Path(path), item, sink)
            digest = self._hasher.digest(file, sink)
            # A file that another one has replaced under its name since is found by the next scan.
            if not _agrees(os.fstat(descriptor), item.stat) or digest.bytes != item.stat.size:
                raise Changed
        return digest

    def _digest_database(self, path: Path, item: WorkItem, sink: Sink) -> FileDigest:
        self._room.need(self._work_dir, f"the snapshot of {item.path}", snapshot_bytes(path))
        with snapshot(path, self._work_dir) as (file, stat):
            # A name that does not tell of a database has no journals in its scanned stat.
            if stat._replace(wal="") != item.stat._replace(wal="") or (item.stat.wal and stat != item.stat):
                raise Changed
            digest = self._hasher.digest(file, sink)
        if stat_of_database(path) != stat:
            raise Changed
        return digest

    def _check_units(self) -> None:
        """The parts of a unit must all still be what was read, now that the last of them was."""
        for item in self._scratch.items(READY, units=True):
            if stat_of(self._root + (item.disk or item.path), journals=bool(item.stat.wal)) != item.stat:
                self.restless = True
                self._scratch.hold(item.path, "changed while it was read")
        self._scratch.hold_broken_units()


def _agrees(info: os.stat_result, stat: Stat) -> bool:
    return (info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino) == stat[:4]


class _Table:
    """A chunk table that is being written; what a large file's has above one segment goes to the disk."""

    def __init__(self) -> None:
        self.small = self._data = bytearray()  # all of it, unless it is large
        self._file: IO[bytes] | None = None
        self.bytes = 0

    def add(self, id_: ChunkId, length: int) -> None:
        self._data += _RECORD.pack(id_, length)
        if len(self._data) >= SEGMENT_BYTES:
            self._spill()

    def segments(self) -> Iterator[bytes]:
        """Of a large table."""
        self._spill()
        assert self._file is not None
        self._file.seek(0)
        while segment := self._file.read(SEGMENT_BYTES):
            yield segment

    @property
    def is_large(self) -> bool:
        return self._file is not None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _spill(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by `close`
        self._file.write(self._data)
        self._data.clear()


__all__ = ["Changed", "Preparer"]
