"""A version's inventory and files, from the owner's chunks, as streams.

    stored = StoredVersion(root, store, limits)
    stored.inventory                              # a stream with its size
    for file in stored.files(): file.path, file.size, file.pieces

Rules: chunks are read some megabytes ahead and checked against their ids; whoever writes the files checks
them against what was signed. `pieces` of one file must be read before the next file is asked for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from audit.bundle.contents import ContentFile, Stream
from core.errors import Corrupt
from core.limits import Limits
from hub.services.recipes import fetcher
from sync import inventory
from sync.compression import check_chunk
from sync.ports import ChunkStore
from sync.recipe import ChunkRef, LayoutEntry, Root, read_layout, read_table
from sync.table import open_stream

_AHEAD_BYTES = 8 << 20
_AHEAD_COUNT = 1024
_PIECE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class _Inventory:
    size: int
    refs: tuple[ChunkRef, ...]
    store: ChunkStore
    limits: Limits

    def pieces(self) -> Iterator[bytes]:
        file = open_stream(self.refs, fetcher(self.store, self.limits))
        while piece := file.read(_PIECE_BYTES):
            yield piece


class StoredVersion:
    """One version with content here."""

    def __init__(self, root: bytes, store: ChunkStore, limits: Limits) -> None:
        self._recipe = Root.from_bytes(root, limits)
        self._store = store
        self._limits = limits

    @property
    def inventory(self) -> Stream:
        """The inventory file."""
        refs = self._recipe.inventory
        return _Inventory(sum(ref.raw_bytes for ref in refs), refs, self._store, self._limits)

    def files(self) -> Iterator[ContentFile]:
        """Every file, in the inventory's order. Raises `Corrupt`, and `Untrusted` for a malformed recipe."""
        fetch = fetcher(self._store, self._limits)
        layout = read_layout(open_stream(self._recipe.layout, fetch))
        chunks = self._chunks(read_table(open_stream(self._recipe.table, fetch)))
        lines = inventory.read(open_stream(self._recipe.inventory, fetch), self._limits)
        for entry, place in zip_longest(lines, layout):
            if entry is None or place is None:
                raise _malformed("describes other files than the inventory")
            yield ContentFile(entry.path, entry.sha256, place.bytes, _taken(chunks, place))

    def _chunks(self, refs: Iterable[ChunkRef]) -> Iterator[bytes | memoryview]:
        """Decoded chunks, looked up in the store many at a time."""
        batch: list[ChunkRef] = []
        batch_bytes = 0
        for ref in refs:
            batch.append(ref)
            batch_bytes += ref.raw_bytes
            if batch_bytes >= _AHEAD_BYTES or len(batch) >= _AHEAD_COUNT:
                yield from self._decoded(batch)
                batch, batch_bytes = [], 0
        yield from self._decoded(batch)

    def _decoded(self, batch: list[ChunkRef]) -> Iterator[bytes | memoryview]:
        for chunk in self._store.get([ref.id for ref in batch]):
            yield check_chunk(chunk, self._limits)


def _taken(chunks: Iterator[bytes | memoryview], place: LayoutEntry) -> Iterator[bytes | memoryview]:
    for _ in range(place.chunks):
        chunk = next(chunks, None)
        if chunk is None:
            raise _malformed("lists fewer chunks than its files have")
        yield chunk


def _malformed(what: str) -> Corrupt:
    return Corrupt(f"a recipe {what}", remedy="run `syncline-hub fsck`", reason="MALFORMED_RECIPE")
