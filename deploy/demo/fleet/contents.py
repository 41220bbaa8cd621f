"""Bytes of versions: real files, chunks and recipes that cost next to nothing to make.

A file is one of a few blocks, repeated; its SHA-256 is true, and a mirror could really write it. Blocks are
compressible, so that gigabytes take kilobytes on the hub's disk.

    contents = Contents()
    made = contents.version("la-dgm/geology-1m", seq=2, files=40, suffix="gpkg")
    made.root, made.inventory_sha256, made.files, made.bytes, made.chunks
"""

import hashlib
import random
from dataclasses import dataclass
from io import BytesIO

from core.limits import LIMITS, Limits
from sync.chunking import chunk_id
from sync.compression import encode
from sync.inventory import Entry, write
from sync.ports import StoredChunk
from sync.recipe import ChunkRef, LayoutEntry, Parameters, Root, cut_stream, write_layout, write_table

_BLOCKS = 12
_REPEATS_MAX = 40


@dataclass(frozen=True, slots=True)
class Content:
    """One version's content; `chunks` are those of the recipe itself, blocks are uploaded beforehand."""

    root: bytes
    inventory_sha256: str
    files: int
    bytes: int
    chunks: tuple[StoredChunk, ...]


class Contents:
    """Makes them. The blocks are the same for all owners; each owner's store gets its own."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._size = limits.chunk_bytes_max
        self.blocks: list[StoredChunk] = []
        self._tables: list[bytes] = []
        self._digests: list[list[str]] = []
        for number in range(_BLOCKS):
            self._add_block((f"block {number:02d} ".encode() * (self._size // 9 + 1))[: self._size])

    def version(self, dataset: str, *, seq: int, files: int, suffix: str) -> Content:
        """A version of `files` files. A file keeps its content over versions, but about one in five."""
        entries: list[tuple[str, int, int]] = []
        for number in range(files):
            chance = random.Random(f"{dataset} {number} {seq if number % 5 == seq % 5 else 0}")
            path = f"{dataset.partition('/')[2]}/sheet-{number + 1:04d}.{suffix}"
            entries.append(
                (path, chance.randrange(_BLOCKS), min(int(chance.paretovariate(1.1)), _REPEATS_MAX))
            )
        inventory, layout, table = BytesIO(), BytesIO(), BytesIO()
        lines = (Entry(path, self._digests[block][times - 1]) for path, block, times in entries)
        summary = write(lines, inventory, self._limits)
        for _, block, times in entries:
            write_layout(LayoutEntry(times * self._size, times), layout)
            table.write(self._tables[block] * times)
        chunks: list[StoredChunk] = []

        def keep(id_: bytes, data: memoryview) -> None:
            chunks.append(encode(id_, bytes(data)))

        for stream in (inventory, layout, table):
            stream.seek(0)
        root = Root(
            Parameters.of(self._limits),
            cut_stream(inventory, keep, self._limits),
            cut_stream(layout, keep, self._limits),
            cut_stream(table, keep, self._limits),
        )
        size = sum(times for _, _, times in entries) * self._size
        return Content(root.to_bytes(self._limits), summary.sha256, files, size, tuple(chunks))

    def _add_block(self, data: bytes) -> None:
        name = chunk_id(data)
        self.blocks.append(encode(name, data))
        table = BytesIO()
        write_table(ChunkRef(name, len(data)), table)
        self._tables.append(table.getvalue())
        digest, digests = hashlib.sha256(), list[str]()
        for _ in range(_REPEATS_MAX):
            digest.update(data)
            digests.append(digest.hexdigest())
        self._digests.append(digests)
