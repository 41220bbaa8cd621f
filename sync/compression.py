"""Compress a chunk where it pays, and undo it within bounds.

Rules: a chunk is stored raw (codec 0) or as one zstd frame (RFC 8878, codec 1) that names its content size
and is smaller than the chunk. Decoding never allocates more than the declared raw length, which never
exceeds `chunk_bytes_max`; whatever else is wrong with it is `Corrupt`.

    stored = encode(chunk_id(data), data)      # StoredChunk, codec chosen by a 4 KiB probe
    data = decode(stored)                      # bounded
    check_chunk(stored)                        # and its id holds
"""

import threading
from typing import Final

import zstandard
from blake3 import blake3

from core.errors import Corrupt
from core.limits import KIB, LIMITS, Limits
from sync.ports import ChunkId, StoredChunk

RAW: Final = 0
ZSTD: Final = 1

_LEVEL = 1
_PROBE_BYTES = 4 * KIB

#: Share of the bytes that compression must save, at the least, to be worth undoing it at every reader.
WORTH: Final = 0.10

_of_thread = threading.local()  # zstandard's objects must not be shared between threads


def probe(data: bytes | memoryview) -> float:
    """About what share of `data` zstd would save, from 4 KiB in its middle: 0.0 (nothing) to 1.0."""
    length = len(data)
    if length > _PROBE_BYTES:
        start = (length - _PROBE_BYTES) // 2
        data = memoryview(data)[start : start + _PROBE_BYTES]
        length = _PROBE_BYTES
    if length == 0:
        return 0.0
    return max(0.0, 1.0 - len(_compressor().compress(data)) / length)


def encode(chunk: ChunkId, data: bytes | memoryview, *, worth: float = WORTH) -> StoredChunk:
    """A chunk as it is sent and stored; keeps a reference to `data` where it stays raw.

    `worth` is the share of bytes that must be saved; 1.0 and above never compresses.
    """
    length = len(data)
    if worth < 1.0 and length and probe(data) > worth:
        packed = _compressor().compress(data)
        if len(packed) < length * (1.0 - WORTH):
            return StoredChunk(chunk, ZSTD, length, packed)
    return StoredChunk(chunk, RAW, length, data)


def decode(chunk: StoredChunk, limits: Limits = LIMITS) -> bytes | memoryview:
    """The uncompressed bytes of `chunk`; its id is not checked. Raises `Corrupt`."""
    raw = chunk.raw_bytes
    if not 0 < raw <= limits.chunk_bytes_max:
        raise _corrupt(chunk, f"claims {raw} bytes, allowed are 1 to {limits.chunk_bytes_max}")
    stored = len(chunk.data)
    if chunk.codec == RAW:
        if stored != raw:
            raise _corrupt(chunk, f"has {stored} bytes instead of {raw}")
        return chunk.data
    if chunk.codec != ZSTD:
        raise _corrupt(chunk, f"has the unknown codec {chunk.codec}")
    if stored >= raw:
        raise _corrupt(chunk, "is larger compressed than raw")
    try:
        # zstandard allocates what the frame's header says, so the header is checked first.
        if zstandard.frame_content_size(chunk.data) != raw:
            raise _corrupt(chunk, f"does not decode to {raw} bytes")
        data = _decompressor().decompress(chunk.data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise _corrupt(chunk, f"does not decode ({error})") from error
    if len(data) != raw:
        raise _corrupt(chunk, f"decodes to {len(data)} bytes instead of {raw}")
    return data


def check_chunk(chunk: StoredChunk, limits: Limits = LIMITS) -> bytes | memoryview:
    """The uncompressed bytes of `chunk`, whose id they have. Raises `Corrupt`. Safe in any thread."""
    data = decode(chunk, limits)
    if blake3(data).digest() != chunk.id:
        raise _corrupt(chunk, "holds other bytes than its id says")
    return data


def _corrupt(chunk: StoredChunk, what: str) -> Corrupt:
    return Corrupt(
        f"chunk {bytes(chunk.id).hex()} {what}",
        remedy="send it again; if it comes from a disk, check the disk",
        reason="CORRUPT_CHUNK",
    )


def _compressor() -> zstandard.ZstdCompressor:
    found = getattr(_of_thread, "compressor", None)
    if found is None:
        found = _of_thread.compressor = zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True)
    return found


def _decompressor() -> zstandard.ZstdDecompressor:
    found = getattr(_of_thread, "decompressor", None)
    if found is None:
        found = _of_thread.decompressor = zstandard.ZstdDecompressor()
    return found
