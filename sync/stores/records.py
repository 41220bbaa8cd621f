"""The bytes of a pack file: a magic, then records; layout in docs/formats/pack.md.

    "SYNPCK1\\n" · record x ( "CHNK" version u8 digest[32] raw u32 stored u32 codec u8 · data )

Rules: little-endian; a record is whole when its header is legal, its data are all there, decode, and have its
digest. `scan` finds every whole record, also behind damage, so an index can always be made again.
"""

import mmap
import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from core.errors import Corrupt
from core.limits import Limits
from sync.compression import check_chunk
from sync.ports import ChunkId, StoredChunk

PACK_MAGIC = b"SYNPCK1\n"
PACK_SUFFIX = ".pack"

_RECORD_MAGIC = b"CHNK"
_VERSION = 1
_HEADER = struct.Struct("<4sB32sIIB")

HEADER_BYTES = _HEADER.size


class Location(NamedTuple):
    """Where a chunk stands: pack number, the record's offset in it, and what its header says."""

    pack: int
    offset: int
    stored: int
    raw: int
    codec: int

    @property
    def data_offset(self) -> int:
        """Where the chunk's data begin."""
        return self.offset + HEADER_BYTES

    @property
    def end(self) -> int:
        """Where the next record may begin."""
        return self.offset + HEADER_BYTES + self.stored


def pack_name(number: int) -> str:
    """File name of a pack."""
    return f"{number:08d}{PACK_SUFFIX}"


def record_header(chunk: StoredChunk) -> bytes:
    """What stands before a chunk's data."""
    return _HEADER.pack(_RECORD_MAGIC, _VERSION, chunk.id, chunk.raw_bytes, len(chunk.data), chunk.codec)


def check_record(record: memoryview, chunk: ChunkId, where: Location, limits: Limits) -> None:
    """That `record`, header included, is the one that the index means. Raises `Corrupt`."""
    data = record[HEADER_BYTES:]
    expected = StoredChunk(chunk, where.codec, where.raw, data)
    if len(data) != where.stored or bytes(record[:HEADER_BYTES]) != record_header(expected):
        raise Corrupt(f"chunk {chunk.hex()} has a damaged record", reason="CORRUPT_CHUNK")
    check_chunk(expected, limits)


def scan(descriptor: int, pack: int, start: int, limits: Limits) -> Iterator[tuple[ChunkId, Location]]:
    """Every whole record of a pack from offset `start`, in order; what lies between them is passed over."""
    size = os.fstat(descriptor).st_size
    if size <= start:
        return
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as mapped:
        offset = max(start, len(PACK_MAGIC))
        while 0 <= offset <= size - HEADER_BYTES:
            found = _record_at(mapped, pack, offset, limits)
            if found is None:
                offset = mapped.find(_RECORD_MAGIC, offset + 1)
            else:
                yield found
                offset = found[1].end


def _record_at(mapped: mmap.mmap, pack: int, offset: int, limits: Limits) -> tuple[ChunkId, Location] | None:
    magic, version, digest, raw, stored, codec = _HEADER.unpack_from(mapped, offset)
    where = Location(pack, offset, stored, raw, codec)
    if magic != _RECORD_MAGIC or version != _VERSION or stored > raw or raw > limits.chunk_bytes_max:
        return None
    data = mapped[where.data_offset : where.end]
    if len(data) != stored:
        return None
    try:
        check_chunk(StoredChunk(digest, codec, raw, data), limits)
    except Corrupt:
        return None
    return digest, where
