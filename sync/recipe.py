"""How a version's files are cut into chunks: transport only, never signed, never evidence.

Rules (docs/formats/recipe.md): a small root names the chunks of three streams, each stored as ordinary
chunks: INVENTORY (the inventory file), LAYOUT (`<QI>` a line of the inventory: file size, number of chunks)
and TABLE (36 bytes a content chunk in file order: id[32], raw length `<I`). CONTENT is the chunks that
TABLE lists. All readers are strict and hold a bounded piece at a time; what does not add up is `Untrusted`
(MALFORMED_RECIPE).

    root = Root(Parameters.of(limits), inventory_refs, layout_refs, table_refs)
    Root.from_bytes(root.to_bytes(limits), limits) == root
    refs = cut_stream(file, sink=uploader.add)              # a stream's chunks, for the root
    totals = check_consistent(inventory, layout, table)     # totals.files, .bytes, .content_chunks
"""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import rfc8785

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from sync import inventory
from sync.chunking import ID_BYTES, NORMALIZATION, Reader, Sink, chunks_of
from sync.ports import ChunkId, RecipeStream

MAGIC = b"SYNRCP1\n"
CHUNKER = "fastcdc-2020"
ID_SCHEME = "blake3-256"

_U32 = struct.Struct("<I")
_LAYOUT = struct.Struct("<QI")
_REF = struct.Struct("<32sI")
_HEADER_BYTES_MAX = 1024
_RECORDS_AT_A_TIME = 4096

LAYOUT_RECORD_BYTES = _LAYOUT.size
TABLE_RECORD_BYTES = _REF.size


class ChunkRef(NamedTuple):
    """A chunk by id, with its uncompressed length in bytes."""

    id: ChunkId
    raw_bytes: int


class LayoutEntry(NamedTuple):
    """A file of the inventory, by place: its bytes, and how many entries of TABLE are its chunks."""

    bytes: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What a consistent recipe describes. `bytes` counts duplicates each time, as the manifest does."""

    files: int
    bytes: int
    content_chunks: int


@dataclass(frozen=True, slots=True)
class Parameters:
    """How the chunks were cut, in bytes. Written into the root so that a later release can tell."""

    min_bytes: int
    avg_bytes: int
    max_bytes: int

    @classmethod
    def of(cls, limits: Limits) -> Self:
        """What `sync.chunking` does under `limits`."""
        return cls(limits.chunk_bytes_min, limits.chunk_bytes_avg, limits.chunk_bytes_max)

    def to_header(self) -> bytes:
        """The root's JSON header, canonical (RFC 8785)."""
        return rfc8785.dumps(
            {
                "v": 1,
                "chunker": CHUNKER,
                "normalization": NORMALIZATION,
                "min": self.min_bytes,
                "avg": self.avg_bytes,
                "max": self.max_bytes,
                "id": ID_SCHEME,
            }
        )

    @classmethod
    def from_header(cls, header: bytes, limits: Limits) -> Self:
        """Read exactly what `to_header` writes. Raises `Untrusted`."""
        try:
            value: Any = json.loads(header)
            numbers = [value[key] for key in ("min", "avg", "max")]
            if not all(type(number) is int for number in numbers):
                raise _malformed("has sizes that are not whole numbers")
            found = cls(*numbers)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _malformed("has an unreadable header") from error
        if found.to_header() != header:
            raise _malformed("was made by a method that this release does not know")
        if not 0 < found.min_bytes <= found.avg_bytes <= found.max_bytes <= limits.chunk_bytes_max:
            raise _malformed(f"has chunks of up to {found.max_bytes} bytes")
        return found


@dataclass(frozen=True, slots=True)
class Root:
    """The chunk lists of a recipe's three streams."""

    parameters: Parameters
    inventory: tuple[ChunkRef, ...]
    layout: tuple[ChunkRef, ...]
    table: tuple[ChunkRef, ...]

    def refs(self, stream: RecipeStream) -> tuple[ChunkRef, ...]:
        """The chunks of a stream. CONTENT's are in TABLE, not here (`ValueError`)."""
        match stream:
            case RecipeStream.INVENTORY:
                return self.inventory
            case RecipeStream.LAYOUT:
                return self.layout
            case RecipeStream.TABLE:
                return self.table
            case RecipeStream.CONTENT:
                raise ValueError("the chunks of CONTENT are listed by the TABLE stream")

    def to_bytes(self, limits: Limits = LIMITS) -> bytes:
        """The root as it is committed. Raises `InvalidInput` above `root_bytes_max`."""
        header = self.parameters.to_header()
        parts = [MAGIC, _U32.pack(len(header)), header]
        for refs in (self.inventory, self.layout, self.table):
            parts.append(_U32.pack(len(refs)))
            parts.extend(_REF.pack(*ref) for ref in refs)
        data = b"".join(parts)
        if len(data) > limits.root_bytes_max:
            raise InvalidInput(
                f"the recipe's root has {len(data)} bytes, allowed are {limits.root_bytes_max}",
                remedy="split the dataset",
                reason="DATASET_TOO_LARGE",
            )
        return data

    @classmethod
    def from_bytes(cls, data: bytes, limits: Limits = LIMITS) -> Self:
        """Read a root, strictly. Raises `Untrusted`."""
        if len(data) > limits.root_bytes_max:
            raise _malformed(f"has {len(data)} bytes, allowed are {limits.root_bytes_max}")
        if data[: len(MAGIC)] != MAGIC:
            raise _malformed("does not start as one")
        try:
            (length,) = _U32.unpack_from(data, len(MAGIC))
            at = len(MAGIC) + _U32.size + length
            if length > _HEADER_BYTES_MAX or at > len(data):
                raise _malformed("has an unreadable header")
            parameters = Parameters.from_header(data[at - length : at], limits)
            lists: list[tuple[ChunkRef, ...]] = []
            for _ in range(3):
                (count,) = _U32.unpack_from(data, at)
                at += _U32.size
                end = at + count * _REF.size
                if end > len(data):
                    raise _malformed(f"claims {count} chunks")
                lists.append(tuple(_checked_refs(memoryview(data)[at:end], parameters)))
                at = end
        except struct.error as error:
            raise _malformed("ends too early") from error
        if at != len(data):
            raise _malformed("goes on after its end")
        if not lists[0] or not lists[1]:
            raise _malformed("lists no file")
        return cls(parameters, *lists)


def cut_stream(file: Reader, sink: Sink, limits: Limits = LIMITS) -> tuple[ChunkRef, ...]:
    """Cut one of the three streams into chunks, give them to `sink`, and return the list for the root."""
    refs: list[ChunkRef] = []
    for chunk in chunks_of(file, limits):
        sink(chunk.id, chunk.data)
        refs.append(ChunkRef(chunk.id, chunk.length))
    return tuple(refs)


class Writer(Protocol):
    """A binary file open for writing, best buffered."""

    def write(self, data: bytes, /) -> int | None: ...


def write_layout(entry: LayoutEntry, file: Writer) -> None:
    """Append a file to a LAYOUT stream."""
    file.write(_LAYOUT.pack(*entry))


def write_table(ref: ChunkRef, file: Writer) -> None:
    """Append a content chunk to a TABLE stream."""
    file.write(_REF.pack(*ref))


class StreamReader(Protocol):
    """A binary file open for reading; `read` gives fewer bytes than asked only at the end."""

    def read(self, size: int, /) -> bytes: ...


def read_layout(file: StreamReader) -> Iterator[LayoutEntry]:
    """The entries of a LAYOUT stream. Raises `Untrusted` when it ends within one."""
    for piece in _records(file, _LAYOUT.size):
        for record in _LAYOUT.iter_unpack(piece):
            yield LayoutEntry(*record)


def read_table(file: StreamReader) -> Iterator[ChunkRef]:
    """The entries of a TABLE stream. Raises `Untrusted` when it ends within one."""
    for piece in _records(file, _REF.size):
        for record in _REF.iter_unpack(piece):
            yield ChunkRef(*record)


def check_consistent(
    inventory_file: inventory.LineReader,
    layout_file: StreamReader,
    table_file: StreamReader,
    limits: Limits = LIMITS,
) -> Totals:
    """That the three streams describe one set of files, and how large it is. Raises `Untrusted`.

    One entry of LAYOUT for each line of the inventory; each file's chunks in TABLE add up to its size;
    nothing is left over. Not checked here: that the bytes have the inventory's hashes (the receiver does
    that).
    """
    layout = read_layout(layout_file)
    table = read_table(table_file)
    chunk_max = limits.chunk_bytes_max
    files = size = chunks = 0
    for entry in inventory.read(inventory_file, limits):
        described = next(layout, None)
        if described is None:
            raise _malformed("describes fewer files than the inventory lists")
        files += 1
        size += described.bytes
        left = described.bytes
        if size > limits.dataset_bytes_max or described.chunks > left:
            raise _malformed(f"claims {left} bytes in {described.chunks} chunks for {entry.path!r}")
        for _ in range(described.chunks):
            ref = next(table, None)
            if ref is None or not 0 < ref.raw_bytes <= chunk_max:
                raise _malformed(f"has no legal chunk list for {entry.path!r}")
            left -= ref.raw_bytes
        chunks += described.chunks
        if left != 0:
            raise _malformed(f"has chunks that do not add up to the size of {entry.path!r}")
    if next(layout, None) is not None or next(table, None) is not None:
        raise _malformed("describes more than the inventory lists")
    return Totals(files, size, chunks)


def _checked_refs(data: memoryview, parameters: Parameters) -> Iterator[ChunkRef]:
    for id_, raw in _REF.iter_unpack(data):
        if not 0 < raw <= parameters.max_bytes:
            raise _malformed(f"has a chunk of {raw} bytes")
        yield ChunkRef(id_, raw)


def _records(file: StreamReader, size: int) -> Iterator[bytes]:
    while piece := file.read(size * _RECORDS_AT_A_TIME):
        if len(piece) % size:
            raise _malformed("has a stream that ends within a record")
        yield piece


def _malformed(what: str) -> Untrusted:
    return Untrusted(f"a recipe {what}", reason="MALFORMED_RECIPE")


__all__ = [
    "CHUNKER",
    "ID_BYTES",
    "ID_SCHEME",
    "LAYOUT_RECORD_BYTES",
    "MAGIC",
    "TABLE_RECORD_BYTES",
    "ChunkRef",
    "LayoutEntry",
    "Parameters",
    "Root",
    "Totals",
    "check_consistent",
    "cut_stream",
    "read_layout",
    "read_table",
    "write_layout",
    "write_table",
]
