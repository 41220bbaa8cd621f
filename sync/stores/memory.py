"""A chunk store in memory: the reference for the contract suite, for simulations and tests.

store = MemoryStore()
store.put([encode(id, data)])
store.commit()
[chunk] = store.get([id])
"""

import threading
from collections.abc import Iterable, Iterator, Sequence

from core.errors import Corrupt
from core.limits import LIMITS, Limits
from sync.compression import check_chunk
from sync.ports import ChunkId, StoredChunk
from sync.stores.errors import missing_chunk, quota_exceeded


class MemoryStore:
    """What is put is pending, and findable only after `commit`, as in every store. `crash` drops what is
    pending."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
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
            more = sum(chunk.raw_bytes for chunk in new.values())
            if new and raw_bytes_max is not None and self._raw_bytes() + more > raw_bytes_max:
                raise quota_exceeded(self._raw_bytes(), more, raw_bytes_max)
            self._pending.update(new)

    def commit(self) -> None:
        with self._lock:
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
