"""Chunks of one owner in pack files with an SQLite index (signatures; being filled in).

    store = PackStore(directory, limits)
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from core.limits import LIMITS, Limits
from sync.ports import ChunkId, StoredChunk


class PackStore:
    """A `ChunkStore` on a filesystem."""

    def __init__(self, directory: Path, limits: Limits = LIMITS, *, readonly: bool = False) -> None:
        raise NotImplementedError

    def missing(self, ids: Sequence[ChunkId]) -> list[bool]:
        raise NotImplementedError

    def put(self, chunks: Iterable[StoredChunk], *, checked: bool = False) -> None:
        raise NotImplementedError

    def commit(self) -> None:
        raise NotImplementedError

    def get(self, ids: Sequence[ChunkId], *, check: bool = True) -> Iterator[StoredChunk]:
        raise NotImplementedError

    def verify(self) -> Iterator[str]:
        raise NotImplementedError

    def rebuild_index(self) -> int:
        """Index again what the packs hold; how many chunks there are."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
