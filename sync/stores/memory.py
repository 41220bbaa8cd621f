"""A chunk store in memory: the reference for the contract suite, for simulations and tests.

store = MemoryStore()
store.put([encode(id, data)])
store.commit()
[chunk] = store.get([id])
"""

import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from core.clock import Clock, SystemClock
from core.errors import Corrupt
from core.limits import LIMITS, Limits
from sync.compression import check_chunk
from sync.ports import ChunkId, Removed, StoredChunk, Sweep
from sync.stores.errors import missing_chunk, quota_exceeded


class _MemorySweep:
    def __init__(self, store: "MemoryStore") -> None:
        self._store = store
        self._kept: set[ChunkId] = set()
        self._chosen: set[ChunkId] = set()
        self._before: datetime | None = None

    def keep(self, ids: Iterable[ChunkId]) -> None:
        self._kept.update(bytes(each) for each in ids)

    def choose(self, before: datetime) -> int:
        self._before = before
        self._chosen = self._store.old(before, self._kept)
        return len(self._chosen)

    def remove(self) -> Removed:
        assert self._before is not None
        return self._store.drop(self._chosen & self._store.old(self._before, self._kept))


class MemoryStore:
    """What is put is pending, and findable only after `commit`, as in every store. `crash` drops what is
    pending."""

    def __init__(self, limits: Limits = LIMITS, *, clock: Clock | None = None) -> None:
        self._limits = limits
        self._clock = clock or SystemClock()
        self._added: dict[ChunkId, datetime] = {}
        self._again: set[ChunkId] = set()
        self._chunks: dict[ChunkId, StoredChunk] = {}
        self._pending: dict[ChunkId, StoredChunk] = {}
        self._lock = threading.Lock()

    def missing(self, ids: Sequence[ChunkId]) -> list[bool]:
        with self._lock:
            return [id_ not in self._chunks for id_ in ids]

    def put(
        self, chunks: Iterable[StoredChunk], *, checked: bool = False, raw_bytes_max: int | None = None
    ) -> None:
        given: dict[ChunkId, StoredChunk] = {}
        for chunk in chunks:
            if not checked:
                check_chunk(chunk, self._limits)
            id_ = bytes(chunk.id)
            given.setdefault(id_, StoredChunk(id_, chunk.codec, chunk.raw_bytes, bytes(chunk.data)))
        with self._lock:
            new = {id_: c for id_, c in given.items() if id_ not in self._chunks and id_ not in self._pending}
            self._again |= given.keys() & self._chunks.keys()
            more = sum(chunk.raw_bytes for chunk in new.values())
            if new and raw_bytes_max is not None and self._raw_bytes() + more > raw_bytes_max:
                raise quota_exceeded(self._raw_bytes(), more, raw_bytes_max)
            self._pending.update(new)

    def commit(self) -> None:
        with self._lock:
            self._added.update(dict.fromkeys([*self._pending, *self._again], self._clock.now()))
            self._again.clear()
            self._chunks.update(self._pending)
            self._pending.clear()

    def get(self, ids: Sequence[ChunkId], *, check: bool = True) -> Iterator[StoredChunk]:
        for id_ in ids:
            with self._lock:
                chunk = self._chunks.get(id_)
            if chunk is None:
                raise missing_chunk(id_)
            if check:
                check_chunk(chunk, self._limits)
            yield chunk

    def raw_bytes(self) -> int:
        with self._lock:
            return self._raw_bytes()

    @contextmanager
    def sweep(self) -> Generator[Sweep]:
        yield _MemorySweep(self)

    def old(self, before: datetime, kept: set[ChunkId]) -> set[ChunkId]:
        """What was added before then and is neither kept nor put again since."""
        with self._lock:
            if not kept <= self._chunks.keys():
                raise Corrupt("chunks that are to be kept are not here", reason="MISSING_KEPT")
            old = {id_ for id_, added in self._added.items() if added < before}
            return old - kept - self._again

    def drop(self, ids: set[ChunkId]) -> Removed:
        """Remove these."""
        with self._lock:
            raw = 0
            for id_ in ids:
                raw += self._chunks.pop(id_).raw_bytes
                del self._added[id_]
        return Removed(len(ids), raw)

    def verify(self) -> Iterator[str]:
        with self._lock:
            chunks = list(self._chunks.values())
        for chunk in chunks:
            try:
                check_chunk(chunk, self._limits)
            except Corrupt as error:
                yield error.message

    def close(self) -> None:
        return None

    def _raw_bytes(self) -> int:
        return sum(c.raw_bytes for held in (self._chunks, self._pending) for c in held.values())

    def crash(self) -> None:
        """Lose what was not committed, as a power cut does."""
        with self._lock:
            self._pending.clear()

    def damage(self, id_: ChunkId, data: bytes) -> None:
        """Replace the stored bytes of a chunk, as a failing disk does."""
        with self._lock:
            was = self._chunks[id_]
            self._chunks[id_] = StoredChunk(was.id, was.codec, was.raw_bytes, data)
