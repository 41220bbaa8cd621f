"""The writing half of a fetch: one file after the other, hashed on the way, each proven before it stays.

Rules: a new file is created exclusively and never through a link; a link to an old file counts only if what
it names still is what was applied; what a local place turns out not to hold is fetched; a file whose SHA-256
is not the inventory's is removed and stops the whole version.
"""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from core.errors import Untrusted
from core.limits import MIB
from node.materialise import Walker, create_file, open_file
from node.subscribe.plan import LocalChunk, Plan, Source
from node.subscribe.receive import Part, Receiver
from node.subscribe.records import STAT, File, FileStat, Table
from sync.chunking import chunk_id
from sync.manifest import VerifiedManifest
from sync.recipe import TABLE_RECORD_BYTES

_SMALL_BYTES = 1 * MIB  # files up to this size are written and hashed in one go
_BATCH_BYTES = 1 * MIB
_VECTOR_MAX = 512  # below every system's IOV_MAX
_NO_LINK = frozenset({errno.EMLINK, errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.ENOSYS})

Data = bytes | memoryview


class Writer:
    """Writes the parts of a version into `staging`.

    `old` is the descriptor of the version that `plan.old` records.
    """

    def __init__(
        self,
        target: VerifiedManifest,
        plan: Plan,
        receiver: Receiver,
        table: Table,
        *,
        staging: int,
        old: int | None,
        advance: Callable[[int], None],
    ) -> None:
        self._target = target
        self._plan = plan
        self._receiver = receiver
        self._table = table
        self._advance = advance
        self._new = Walker(staging, create=True)
        self._twins = Walker(staging)
        self._old = None if old is None else Walker(old)
        self._stats = None if plan.old is None else (plan.old.folder / "stat").open("rb", buffering=0)
        self._hashing = ThreadPoolExecutor(1, thread_name_prefix="sha256")
        self._under_way: Future[None] | None = None
        self._descriptor: int | None = None
        self._hasher: Any = None
        self._written = 0
        self._source: tuple[str, int] | None = None  # the old file that chunks are read from

    def write(self, part: Part) -> FileStat | None:
        """Do what the part asks. Returns the finished file's look, None while a large file goes on."""
        if part.source is Source.FETCH:
            return self._fetch(part)
        if part.source is Source.TWIN:
            return self._twin(part)
        return self._link(part)

    def close(self) -> None:
        """Give back every descriptor."""
        self._settle(quiet=True)
        self._hashing.shutdown()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._source is not None:
            os.close(self._source[1])
            self._source = None
        if self._stats is not None:
            self._stats.close()
        for walker in (self._new, self._twins, self._old):
            if walker is not None:
                walker.close()

    # Files from chunks

    def _fetch(self, part: Part) -> FileStat | None:
        folder, name = self._new.parent(part.file.path)
        if part.complete:
            self._advance(part.file.size)
            return FileStat.of(os.stat(name, dir_fd=folder, follow_symlinks=False))
        if part.begins and part.ends and part.file.size <= _SMALL_BYTES and part.descriptor is None:
            return self._small(part, folder, name)
        if part.begins:
            self._descriptor = part.descriptor if part.descriptor is not None else create_file(folder, name)
            self._hasher = part.hasher if part.hasher is not None else hashlib.sha256()
            self._written = part.offset
            self._advance(part.offset)
        self._append(part)
        return self._finish(part.file, folder, name) if part.ends else None

    def _small(self, part: Part, folder: int, name: str) -> FileStat:
        """A file that fits into one write: most files of most datasets."""
        if part.chunks == 1 and not part.local:
            data: Data = self._receiver.next_chunk()
        else:
            data = b"".join(self._chunks(part))
        if hashlib.sha256(data).hexdigest() != part.file.sha256:
            raise self._wrong_content(part.file)
        descriptor = create_file(folder, name)
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(
                    errno.ENOSPC, os.strerror(errno.ENOSPC)
                )  # a regular file is written short by a full disk
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        self._advance(len(data))
        return FileStat.of(status)

    def _append(self, part: Part) -> None:
        """Write and hash the part's chunks, a batch at a time, each in a thread of its own."""
        assert self._descriptor is not None
        batch: list[Data] = []
        size = 0
        try:
            for data in self._chunks(part):
                batch.append(data)
                size += len(data)
                if size >= _BATCH_BYTES:
                    self._flush(batch, size)
                    batch, size = [], 0
        finally:  # also what arrived before the stream broke: the next attempt goes on behind it
            if batch:
                self._flush(batch, size)

    def _flush(self, batch: list[Data], size: int) -> None:
        assert self._descriptor is not None
        self._settle()
        self._under_way = self._hashing.submit(_update, self._hasher, batch)
        _write_all(self._descriptor, batch)
        self._written += size
        self._advance(size)

    def _finish(self, file: File, folder: int, name: str) -> FileStat:
        assert self._descriptor is not None
        self._settle()
        status = os.fstat(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = None
        if self._hasher.hexdigest() != file.sha256:
            os.unlink(name, dir_fd=folder)
            raise self._wrong_content(file)
        return FileStat.of(status)

    def _settle(self, *, quiet: bool = False) -> None:
        if self._under_way is not None:
            waiting, self._under_way = self._under_way, None
            if quiet:
                waiting.exception()
            else:
                waiting.result()

    def _chunks(self, part: Part) -> Iterator[Data]:
        local = part.local
        for ordinal in range(part.first, part.first + part.chunks):
            place = local.get(ordinal) if local else None
            yield self._receiver.next_chunk() if place is None else self._local_chunk(ordinal, place)

    def _local_chunk(self, ordinal: int, place: LocalChunk) -> Data:
        """A chunk of an old file, if it still is that chunk; else it is fetched after all."""
        at = ordinal * TABLE_RECORD_BYTES
        length = int.from_bytes(self._table[at + 32 : at + TABLE_RECORD_BYTES], "little")
        data = self._read_old(place, length)
        if len(data) == length and chunk_id(data) == self._table[at : at + 32]:
            return data
        return self._receiver.chunk(ordinal)

    def _read_old(self, place: LocalChunk, length: int) -> bytes:
        if self._source is None or self._source[0] != place.path:
            if self._source is not None:
                os.close(self._source[1])
                self._source = None
            descriptor = self._open_old(place.path)
            if descriptor is None:
                return b""
            self._source = (place.path, descriptor)
        return os.pread(self._source[1], length, place.offset)

    def _open_old(self, path: str) -> int | None:
        assert self._old is not None
        try:
            folder, name = self._old.parent(path)
        except FileNotFoundError:
            return None
        return open_file(folder, name)

    # Files that are here already

    def _link(self, part: Part) -> FileStat:
        """Another name for an old file that is as it was applied; a copy where there are no links."""
        assert self._old is not None and part.origin is not None
        path, line = part.origin
        try:
            folder, name = self._old.parent(path)
            return self._linked(part.file, folder, name, self._old_stat(line))
        except FileNotFoundError:
            return self._anew(part.file)

    def _twin(self, part: Part) -> FileStat:
        """Another name for a file that this version already has."""
        assert part.origin is not None
        folder, name = self._twins.parent(part.origin[0])
        then = FileStat.of(os.stat(name, dir_fd=folder, follow_symlinks=False))
        return self._linked(part.file, folder, name, then)

    def _old_stat(self, line: int) -> FileStat:
        assert self._stats is not None
        return FileStat(*STAT.unpack(os.pread(self._stats.fileno(), STAT.size, line * STAT.size)))

    def _linked(self, file: File, source: int, source_name: str, then: FileStat) -> FileStat:
        folder, name = self._new.parent(file.path)
        try:
            self._name(folder, name, source, source_name)
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            return self._copied(file, source, source_name)
        now = FileStat.of(os.stat(name, dir_fd=folder, follow_symlinks=False))
        return now if now == then else self._anew(file)

    def _name(self, folder: int, name: str, source: int, source_name: str) -> None:
        """Link, in place of what an earlier attempt may have left."""
        try:
            os.link(source_name, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            os.unlink(name, dir_fd=folder)
            os.link(source_name, name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)

    def _copied(self, file: File, source: int, source_name: str) -> FileStat:
        reading = open_file(source, source_name)
        if reading is None:
            return self._anew(file)
        folder, name = self._new.parent(file.path)
        hasher = hashlib.sha256()
        writing = self._create(folder, name)
        try:
            while data := os.read(reading, _BATCH_BYTES):
                hasher.update(data)
                _write_all(writing, [data])
            status = os.fstat(writing)
        finally:
            os.close(writing)
            os.close(reading)
        if hasher.hexdigest() == file.sha256:
            return FileStat.of(status)
        os.unlink(name, dir_fd=folder)
        return self._anew(file)

    def _anew(self, file: File) -> FileStat:
        """A file that was to be linked and was edited in between: fetched, chunk by chunk."""
        folder, name = self._new.parent(file.path)
        hasher = hashlib.sha256()
        descriptor = self._create(folder, name)
        try:
            for ordinal in range(file.first, file.first + file.chunks):
                data = self._receiver.chunk(ordinal)
                hasher.update(data)
                _write_all(descriptor, [data])
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if hasher.hexdigest() != file.sha256:
            os.unlink(name, dir_fd=folder)
            raise self._wrong_content(file)
        return FileStat.of(status)

    def _create(self, folder: int, name: str) -> int:
        """A new file, in place of a link that was refused or that an earlier attempt left."""
        try:
            return create_file(folder, name)
        except FileExistsError:
            os.unlink(name, dir_fd=folder)
            return create_file(folder, name)

    def _wrong_content(self, file: File) -> Untrusted:
        return Untrusted(
            f"{self._target.manifest.dataset} version {self._target.manifest.seq}: "
            f"the bytes of {file.path!r} are not those that its owner signed",
            remedy="the version is refused, what you have stays; report it to the operator and the owner",
            reason="WRONG_CONTENT",
        )


def _update(hasher: Any, batch: list[Data]) -> None:
    for data in batch:
        hasher.update(data)


def _write_all(descriptor: int, batch: list[Data]) -> None:
    left = sum(len(data) for data in batch)
    while left:
        done = os.writev(descriptor, batch[:_VECTOR_MAX])
        left -= done
        while batch and done >= len(batch[0]):
            done -= len(batch[0])
            batch = batch[1:]
        if done:
            batch = [memoryview(batch[0])[done:], *batch[1:]]
