"""Chunks of one owner in pack files on a filesystem, with an index beside them.

    <directory>/lock · index.sqlite · packs/00000001.pack …

Rules: the order is pack, fsync, index; only what is indexed is here. What `commit` has returned for
survives a power cut; what was appended but not indexed when the process ended is indexed again if its
records are whole, and cut off where nothing whole follows. Nothing that is indexed is ever cut or
overwritten. Chunks are checked on the way in and on the way out. One process writes; any number of threads,
and of processes with `readonly`, read.

    store = PackStore(directory, limits)
    store.put(unpack(frame)); store.commit()
    for chunk in store.get(ids): ...

`put(checked=True)` skips the check for callers that ran `compression.check_chunk` in threads of their own.
Puts go on while a commit flushes: commit often (each few megabytes), and no sender waits long for its
acknowledgement.
"""

import os
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from core import durable
from core.clock import Clock, SystemClock
from core.errors import Corrupt, Unavailable
from core.limits import KIB, LIMITS, MIB, Limits
from sync.compression import check_chunk
from sync.ports import ChunkId, Removed, StoredChunk, Sweep
from sync.stores.appender import Appender
from sync.stores.errors import corrupt_record, disk_failed, missing_chunk, quota_exceeded
from sync.stores.index import Index
from sync.stores.packfiles import PackFiles, read_at
from sync.stores.records import HEADER_BYTES, PACK_MAGIC, Location, check_record, pack_name, scan
from sync.stores.sweep import IndexSweep

INDEX_NAME = "index.sqlite"

_IDS_AT_A_TIME = 1024
_READ_BYTES = 1 * MIB  # read ahead of what is asked, at most
_GAP_BYTES = 32 * KIB  # read over gaps up to this rather than read twice
_RECOVER_ROWS = 10_000

_Entry = tuple[ChunkId, Location]


class PackStore:
    """A `ChunkStore` in `directory`, which is made if missing.

    `readonly` looks at a store that another process may be writing: it changes nothing and takes no lock.
    `rebuild` throws the index away first and makes it again from the packs. Raises `Conflict` (STORE_LOCKED),
    `Corrupt` (CORRUPT_INDEX), `Unavailable` (NO_STORE, NEWER_STATE).
    """

    def __init__(
        self,
        directory: Path,
        limits: Limits = LIMITS,
        *,
        readonly: bool = False,
        rebuild: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self.directory = directory
        #: What opening found wrong: lines for the log. Packs named here are read, and not written to.
        self.problems: list[str] = []
        self._limits = limits
        self._clock = clock or SystemClock()
        self._files = PackFiles(directory / "packs")
        self._writing = threading.Lock()
        self._sweeping = threading.Lock()
        self._committing = threading.Lock()
        self._pending: dict[ChunkId, Location] = {}  # appended, not yet durable
        self._flushing: dict[ChunkId, Location] = {}  # a commit is making these durable
        self._again: set[ChunkId] = set()  # put, and here already: they live on as if new
        self._changes = 0  # of the index: what was looked up before one may not hold
        self._raw_bytes: int | None = None  # of all chunks, pending ones too; None until somebody asks
        self._appender: Appender | None = None
        self._failed: Unavailable | None = None
        if readonly:
            self._index = Index(directory / INDEX_NAME, readonly=True)
            return
        self._files.directory.mkdir(parents=True, exist_ok=True)
        self._appender = Appender(directory, self._files, limits)
        try:
            if rebuild:
                self._forget_index()
            self._index = Index(directory / INDEX_NAME)
            durable.fsync_dir(directory)
            self._recover()
        except BaseException:
            self._appender.close()
            raise

    def missing(self, ids: Sequence[ChunkId]) -> list[bool]:
        present = self._index.present(ids)
        return [id_ not in present for id_ in ids]

    def put(
        self, chunks: Iterable[StoredChunk], *, checked: bool = False, raw_bytes_max: int | None = None
    ) -> None:
        if raw_bytes_max is not None:
            self.raw_bytes()  # counted once, before the lock is taken
        given: dict[ChunkId, StoredChunk] = {}
        for chunk in chunks:
            if not checked:
                check_chunk(chunk, self._limits)
            given.setdefault(bytes(chunk.id), chunk)
        changes = self._changes
        known = self._index.present(given)
        appender = self._writable()
        with self._writing:
            if changes != self._changes:  # what was pending may be in the index by now; or was removed
                known = self._index.present(given)
            self._again |= known
            for id_ in known:
                del given[id_]
            new = [
                chunk
                for id_, chunk in given.items()
                if id_ not in self._pending and id_ not in self._flushing
            ]
            if not new:
                return
            more = sum(chunk.raw_bytes for chunk in new)
            held = self._raw_bytes
            if raw_bytes_max is not None and held is not None and held + more > raw_bytes_max:
                raise quota_exceeded(held, more, raw_bytes_max)
            self._pending.update(appender.append(new))
            if held is not None:
                self._raw_bytes = held + more

    def commit(self) -> None:
        with self._committing:
            appender = self._writable()
            with self._writing:
                rows, self._flushing, self._pending = self._pending, self._pending, {}
                again, self._again = self._again, set()
                if not rows and not again:
                    return
                number, end = appender.position
            try:
                extents = self._flush({where.pack for where in rows.values()}, number, end) if rows else {}
            except OSError as error:
                # What the kernel kept of these packs is unknown, and others' puts are among the rows: nobody
                # may be told that they are durable, so nothing goes on before the store is opened again.
                self._failed = disk_failed(str(self.directory), error)
                raise self._failed from error
            try:
                self._index.add(rows, extents, int(self._clock.now().timestamp()), again)
            except BaseException:
                with self._writing:
                    self._pending = {**rows, **self._pending}
                    self._again |= again
                    self._flushing = {}
                raise
            with self._writing:
                self._flushing = {}
                self._changes += 1

    def get(self, ids: Sequence[ChunkId], *, check: bool = True) -> Iterator[StoredChunk]:
        for at in range(0, len(ids), _IDS_AT_A_TIME):
            part = ids[at : at + _IDS_AT_A_TIME]
            places = self._index.locate(part)
            window: list[_Entry] = []
            size = 0
            for id_ in part:
                where = places.get(id_)
                if where is None:
                    yield from self._read(window, check=check)
                    raise missing_chunk(id_)
                if window and size + where.stored > _READ_BYTES:
                    yield from self._read(window, check=check)
                    window, size = [], 0
                window.append((id_, where))
                size += where.stored
            yield from self._read(window, check=check)

    def verify(self) -> Iterator[str]:
        yield from (f"{self.directory / INDEX_NAME}: {line}" for line in self._index.problems())
        for id_, where in self._index.by_place():
            try:
                with self._files.open(where.pack) as descriptor:
                    record = read_at(descriptor, where.offset, HEADER_BYTES + where.stored)
                check_record(record, id_, where, self._limits)
            except (Corrupt, OSError):
                if self._index.locate([id_]).get(id_) != where:
                    continue  # removed meanwhile
                yield corrupt_record(id_, self._files.path(where.pack), where.offset).message

    def count(self) -> int:
        """How many chunks are here."""
        return self._index.count()

    def raw_bytes(self) -> int:
        if self._appender is None:  # another process writes
            return self._index.raw_bytes()
        with self._writing:
            if self._raw_bytes is not None:
                return self._raw_bytes
        with self._committing, self._writing:
            if self._raw_bytes is None:
                pending = sum(where.raw for where in self._pending.values())
                self._raw_bytes = self._index.raw_bytes() + pending
            return self._raw_bytes

    @contextmanager
    def sweep(self) -> Generator[Sweep]:
        with self._sweeping, self._index.sweep() as sweep:
            yield _PackSweep(self, sweep)

    def _remove(self, sweep: IndexSweep) -> Removed:
        """Remove what `sweep` chose; then give back packs in which nothing is left.

        Killed at any step: a pack that the index has forgotten and that still lies there is indexed again
        when the store is opened. Its chunks then live another while, which is harmless.
        """
        appender = self._writable()
        with self._committing, self._writing:  # nobody is between looking a chunk up and counting on it
            count, raw_bytes = sweep.remove(self._again)
            self._changes += 1
            if self._raw_bytes is not None:
                self._raw_bytes -= raw_bytes
            # No pack below these ever gets a row again.
            below = min([appender.position[0], *(where.pack for where in self._pending.values())])
        dead = self._index.forget_dead_packs(below)
        for number in dead:
            path = self._files.path(number)
            durable.fault_hook("unlink", path)
            path.unlink(missing_ok=True)
            self._files.forget(number)
        if dead:
            durable.fsync_dir(self._files.directory)
        return Removed(count, raw_bytes)

    def stored_bytes(self) -> int:
        """What the packs take on the disk."""
        return self._files.bytes()

    def rebuild_index(self) -> int:
        """Throw the index away and make it again from the packs; how many chunks there are.

        While it runs, the store must not be used otherwise.
        """
        self.commit()
        self._index.close()
        self._forget_index()
        self._raw_bytes = None
        self._index = Index(self.directory / INDEX_NAME)
        self._recover()
        return self._index.count()

    def close(self) -> None:
        """Give the store up. What was not committed is not flushed; if the system lives, it is found
        again."""
        with self._committing, self._writing:
            if self._appender is not None:
                self._appender.close()
                self._appender = None
            self._index.close()
            self._files.close()

    def _writable(self) -> Appender:
        if self._failed is not None:
            raise self._failed
        if self._appender is None:
            raise Unavailable(f"{self.directory} is not open for writing", reason="READ_ONLY")
        return self._appender

    def _flush(self, packs: set[int], number: int, end: int) -> dict[int, int]:
        """Make packs durable up to what was appended; their new extents."""
        extents: dict[int, int] = {}
        for pack in sorted(packs):
            with self._files.open(pack) as descriptor:
                durable.fsync(descriptor, self._files.path(pack))
                extents[pack] = end if pack == number else os.fstat(descriptor).st_size
        durable.fsync_dir(self._files.directory)
        return extents

    def _read(self, window: list[_Entry], *, check: bool) -> Iterator[StoredChunk]:
        """The chunks of `window` in its order, read in the order of the disk, neighbours together."""
        found: dict[ChunkId, StoredChunk] = {}
        for run in _runs(sorted(set(window), key=lambda entry: entry[1])):
            first, last = run[0][1], run[-1][1]
            try:
                with self._files.open(first.pack) as descriptor:
                    data = read_at(descriptor, first.data_offset, last.end - first.data_offset)
            except OSError as error:
                raise corrupt_record(run[0][0], self._files.path(first.pack), first.offset) from error
            for id_, where in run:
                at = where.offset - first.offset
                chunk = StoredChunk(id_, where.codec, where.raw, data[at : at + where.stored])
                try:
                    if check:
                        check_chunk(chunk, self._limits)
                    elif len(chunk.data) != where.stored:
                        raise Corrupt("cut off")
                except Corrupt as error:
                    raise corrupt_record(id_, self._files.path(where.pack), where.offset) from error
                found[id_] = chunk
        for id_, _ in window:
            yield found[id_]

    def _recover(self) -> None:
        """Index what is whole behind each pack's indexed extent; cut off what is torn; choose where to go
        on."""
        appender = self._writable()
        extents = self._index.extents()
        numbers = self._files.numbers()
        self.problems = [f"{pack_name(gone)} is missing" for gone in sorted(extents.keys() - set(numbers))]
        newest = max([*numbers, *extents], default=0)
        whole = False
        for number in numbers:
            # Where no index says what was once acknowledged, nothing is cut: what cannot be read may be it.
            whole = self._recover_pack(number, extents.get(number, 0), cut=bool(extents))
        appender.start_after(newest)
        if whole and numbers[-1] == newest:
            appender.resume(newest)

    def _recover_pack(self, number: int, indexed: int, *, cut: bool) -> bool:
        """Whether the pack may be appended to."""
        path = self._files.path(number)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            if size < indexed:
                self.problems.append(f"{path} has {size} bytes, of which {indexed} were once durable")
                return False
            end = indexed
            rows: dict[ChunkId, Location] = {}
            for id_, where in scan(descriptor, number, indexed, self._limits):
                rows[id_] = where
                end = where.end
                if len(rows) >= _RECOVER_ROWS:
                    self._index_recovered(descriptor, number, rows, end)
                    rows = {}
            if end == 0 and (cut or size <= len(PACK_MAGIC)):  # nothing that was ever acknowledged
                path.unlink()
                durable.fsync_dir(path.parent)
                return False
            if end < size and cut:
                os.ftruncate(descriptor, end)
            if rows or end < size:
                self._index_recovered(descriptor, number, rows, end if cut else size)
        finally:
            os.close(descriptor)
        return cut or end == size

    def _index_recovered(self, descriptor: int, number: int, rows: dict[ChunkId, Location], end: int) -> None:
        durable.fsync(descriptor, self._files.path(number))
        self._index.add(rows, {number: end}, int(self._clock.now().timestamp()))

    def _forget_index(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            (self.directory / (INDEX_NAME + suffix)).unlink(missing_ok=True)


class _PackSweep:
    def __init__(self, store: PackStore, sweep: IndexSweep) -> None:
        self._store = store
        self._sweep = sweep
        self.keep = sweep.keep

    def choose(self, before: datetime) -> int:
        return self._sweep.choose(int(before.timestamp()))

    def remove(self) -> Removed:
        return self._store._remove(self._sweep)  # pyright: ignore[reportPrivateUsage]


def _runs(entries: list[_Entry]) -> Iterator[list[_Entry]]:
    """Group entries that lie close together in one pack."""
    run: list[_Entry] = []
    for entry in entries:
        where = entry[1]
        if run:
            last = run[-1][1]
            if where.pack != last.pack or where.offset - last.end > _GAP_BYTES:
                yield run
                run = []
        run.append(entry)
    if run:
        yield run
