"""Frames: many small chunks or one large one in one message; layout in docs/formats/frame.md.

    u32 count · count x (id[32], codec u8, raw length u32, stored length u32) · the data, in the same order

Rules: little-endian, at least one chunk, nothing after the last byte of data, never above `frame_bytes_max`.
Unpacking copies nothing: the chunks are views into the frame. It checks the shape, not the ids
(`compression.check_chunk` does).

    for frame in pack(chunks): stream.send(frame)
    for chunk in unpack(frame): check_chunk(chunk)
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from core.errors import Corrupt, InvalidInput
from core.limits import LIMITS, Limits
from sync.ports import StoredChunk

_COUNT = struct.Struct("<I")
_HEADER = struct.Struct("<32sBII")

#: Bytes of a frame without chunks, and what each chunk adds to its data.
FRAME_OVERHEAD_BYTES = _COUNT.size
CHUNK_OVERHEAD_BYTES = _HEADER.size


def pack_frame(chunks: Sequence[StoredChunk], limits: Limits = LIMITS) -> bytes:
    """One frame of `chunks`. Raises `InvalidInput` when it has none or exceeds `frame_bytes_max`."""
    size = FRAME_OVERHEAD_BYTES + sum(CHUNK_OVERHEAD_BYTES + len(chunk.data) for chunk in chunks)
    if not chunks or size > limits.frame_bytes_max:
        raise InvalidInput(
            f"{len(chunks)} chunks of {size} bytes do not make a frame of at most {limits.frame_bytes_max}"
        )
    headers = (_HEADER.pack(c.id, c.codec, c.raw_bytes, len(c.data)) for c in chunks)
    return b"".join(chain((_COUNT.pack(len(chunks)),), headers, (c.data for c in chunks)))


def pack(chunks: Iterable[StoredChunk], limits: Limits = LIMITS) -> Iterator[bytes]:
    """Frames with all of `chunks`, in order, each as full as it gets."""
    waiting: list[StoredChunk] = []
    size = FRAME_OVERHEAD_BYTES
    for chunk in chunks:
        more = CHUNK_OVERHEAD_BYTES + len(chunk.data)
        if waiting and size + more > limits.frame_bytes_max:
            yield pack_frame(waiting, limits)
            waiting = []
            size = FRAME_OVERHEAD_BYTES
        waiting.append(chunk)
        size += more
    if waiting:
        yield pack_frame(waiting, limits)


def unpack(frame: bytes | memoryview, limits: Limits = LIMITS) -> list[StoredChunk]:
    """The chunks of a frame, as views into it. Raises `Corrupt` (reason MALFORMED_FRAME) on any deviation."""
    view = memoryview(frame)
    total = len(view)
    if total > limits.frame_bytes_max:
        raise _malformed(f"has {total} bytes, allowed are {limits.frame_bytes_max}")
    if total < FRAME_OVERHEAD_BYTES:
        raise _malformed("ends before its count")
    (count,) = _COUNT.unpack_from(view)
    start = FRAME_OVERHEAD_BYTES + count * CHUNK_OVERHEAD_BYTES
    if count == 0 or start > total:
        raise _malformed(f"claims {count} chunks in {total} bytes")
    chunks: list[StoredChunk] = []
    chunk_max = limits.chunk_bytes_max
    for id_, codec, raw, stored in _HEADER.iter_unpack(view[FRAME_OVERHEAD_BYTES:start]):
        end = start + stored
        if not 0 < stored <= raw <= chunk_max or codec > 1 or end > total:
            raise _malformed(f"has a chunk of codec {codec}, raw {raw} and stored {stored} bytes at {start}")
        chunks.append(StoredChunk(id_, codec, raw, view[start:end]))
        start = end
    if start != total:
        raise _malformed(f"has {total - start} bytes after its last chunk")
    return chunks


def _malformed(what: str) -> Corrupt:
    return Corrupt(
        f"a frame {what}",
        remedy="the other side sends what this release does not read",
        reason="MALFORMED_FRAME",
    )
