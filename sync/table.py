"""Read a recipe's streams where they lie: as chunks in a store or at the other side.

Rules: a chunk is fetched when it is needed, checked to have the length that its list says, and a few are
kept; nothing grows with the stream. `fetch` gives decoded bytes whose id was checked.

    table = TableReader(root.table, fetch=lambda ref: store_bytes(ref.id))
    for ref in table.entries(first=17, count=3): ref.id, ref.raw_bytes
    for line in open_stream(root.inventory, fetch): ...           # a buffered binary file
"""

import io
import struct
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from core.errors import InvalidInput, Untrusted
from sync.recipe import TABLE_RECORD_BYTES, ChunkRef

Fetch = Callable[[ChunkRef], bytes | memoryview]

_RECORD = struct.Struct("<32sI")
_KEPT_CHUNKS = 4
_BUFFER_BYTES = 1 << 18


class TableReader:
    """Entries of a TABLE stream by ordinal. One thread at a time."""

    def __init__(self, refs: Sequence[ChunkRef], fetch: Fetch) -> None:
        self._refs = refs
        self._fetch = fetch
        self._starts = [0, *accumulate(ref.raw_bytes for ref in refs)]
        self._kept: OrderedDict[int, memoryview] = OrderedDict()
        if self._starts[-1] % TABLE_RECORD_BYTES:
            raise Untrusted("a recipe has a table that ends within a record", reason="MALFORMED_RECIPE")

    def __len__(self) -> int:
        """How many content chunks the table lists."""
        return self._starts[-1] // TABLE_RECORD_BYTES

    def entry(self, ordinal: int) -> ChunkRef:
        """One content chunk. Raises `InvalidInput` outside of the table."""
        return next(self.entries(ordinal, 1))

    def entries(self, first: int, count: int) -> Iterator[ChunkRef]:
        """`count` content chunks from place `first` (from 0). Raises `InvalidInput` outside of the table."""
        if first < 0 or count < 1 or first + count > len(self):
            raise InvalidInput(
                f"chunks {first} to {first + count - 1} are outside of the recipe's {len(self)}",
                reason="OUT_OF_RANGE",
            )
        at, end = first * TABLE_RECORD_BYTES, (first + count) * TABLE_RECORD_BYTES
        rest = b""
        while at < end:
            place = bisect_right(self._starts, at) - 1
            begin = self._starts[place]
            piece = self._chunk(place)[at - begin : end - begin]
            at += len(piece)
            if rest:  # a record across two chunks
                joined = rest + bytes(piece[: TABLE_RECORD_BYTES - len(rest)])
                piece = piece[TABLE_RECORD_BYTES - len(rest) :]
                if len(joined) < TABLE_RECORD_BYTES:
                    rest = joined
                    continue
                yield ChunkRef(*_RECORD.unpack(joined))
            whole = len(piece) // TABLE_RECORD_BYTES * TABLE_RECORD_BYTES
            for record in _RECORD.iter_unpack(piece[:whole]):
                yield ChunkRef(*record)
            rest = bytes(piece[whole:])

    def _chunk(self, place: int) -> memoryview:
        kept = self._kept.get(place)
        if kept is None:
            kept = memoryview(_fetched(self._refs[place], self._fetch))
            self._kept[place] = kept
            if len(self._kept) > _KEPT_CHUNKS:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(place)
        return kept


def open_stream(refs: Sequence[ChunkRef], fetch: Fetch) -> io.BufferedReader:
    """A stream as a buffered binary file, fetched chunk by chunk as it is read."""
    return io.BufferedReader(_ChunkFile(_fetched(ref, fetch) for ref in refs), _BUFFER_BYTES)


class _ChunkFile(io.RawIOBase):
    def __init__(self, pieces: Iterator[bytes | memoryview]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._left:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._left = memoryview(piece)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _fetched(ref: ChunkRef, fetch: Fetch) -> bytes | memoryview:
    data = fetch(ref)
    if len(data) != ref.raw_bytes:
        raise Untrusted(
            f"chunk {ref.id.hex()} has {len(data)} bytes, the recipe says {ref.raw_bytes}",
            reason="MALFORMED_RECIPE",
        )
    return data
