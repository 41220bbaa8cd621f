"""Cut bytes where their content says so, and name the pieces.

Rules: the chunker is FastCDC (Xia et al., "The Design of Fast Content-Defined Chunking for Data
Deduplication Based Storage Systems", 2020) with normalisation 2 and the sizes of `core.limits`; a chunk's
id is the BLAKE3 of its bytes. Boundaries depend on the content alone, never on how it was read; memory does
not grow with the file. Each byte is read once: a file's SHA-256 and its chunks come from the same buffer,
hashed in two threads.

    with FileHasher() as hasher, open(path, "rb", buffering=0) as file:
        digest = hasher.digest(file, lambda id, data: uploader.add(id, data))
    digest.sha256, digest.bytes, digest.chunks

The `data` that a sink or an iterator gives is a view that is valid until the next chunk: copy it to keep it.
"""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, Self

from blake3 import blake3

from core.errors import InvalidInput
from core.limits import LIMITS, MIB, Limits
from sync.ports import ChunkId

try:
    from pyfastcdc.cy import FastCDC as _FastCDC
except ImportError:  # its pure-Python fallback runs at 8 MB/s: refused, see Chunker
    _FastCDC: Any = None

NORMALIZATION = 2
ID_BYTES = 32

#: Read at a time from large files: large enough that handing it to a thread costs nothing.
_READ_BYTES = 2 * MIB

Sink = Callable[[ChunkId, memoryview], None]


class Reader(Protocol):
    """A binary file, best unbuffered."""

    def readinto(self, buffer: Any, /) -> int | None: ...


def chunk_id(data: bytes | bytearray | memoryview) -> ChunkId:
    """The id of a chunk: BLAKE3-256 of its uncompressed bytes."""
    return blake3(data).digest()


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a stream. `data` is a view into a buffer that is used again for the next chunks."""

    id: ChunkId
    data: memoryview

    @property
    def length(self) -> int:
        """Bytes."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class FileDigest:
    """What reading a file once has told: hex SHA-256 of the whole, its bytes, and how many chunks it has."""

    sha256: str
    bytes: int
    chunks: int


class Chunker:
    """FastCDC with fixed parameters. Safe to use from several threads."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        if _FastCDC is None:
            raise InvalidInput(
                "pyfastcdc was installed without its compiled part, and without it is 400 times slower",
                remedy="install a wheel of pyfastcdc for this platform, or a C compiler and install it again",
                reason="SLOW_CHUNKER",
            )
        self.limits = limits
        self._cdc = _FastCDC(
            limits.chunk_bytes_avg,
            min_size=limits.chunk_bytes_min,
            max_size=limits.chunk_bytes_max,
            normalized_chunking=NORMALIZATION,
        )

    def cut(self, buffer: bytes | bytearray | memoryview) -> Iterator[memoryview]:
        """The chunks of a buffer that is the whole of something; none of an empty one."""
        if 0 < len(buffer) <= self.limits.chunk_bytes_avg:
            yield memoryview(buffer)
            return
        for piece in self._cdc.cut_buf(buffer):
            yield piece.data

    def stream(
        self,
        reader: Reader,
        *,
        read_bytes: int = _READ_BYTES,
        on_read: Callable[[memoryview], None] | None = None,
    ) -> Iterator[memoryview]:
        """The chunks of everything that `reader` holds, in constant memory.

        `on_read` sees each newly read part once, in order, before its chunks come out. It may still be
        reading it while the next part is cut, but must be done with it when it is called for the one after
        that: two buffers take turns.
        """
        buffers = (self._buffer(read_bytes), self._buffer(read_bytes))
        turn = 0
        begun = True  # nothing has been cut yet
        tail = 0  # bytes at the start of the buffer that are left of the last one
        while True:
            buffer = buffers[turn]
            got = _fill(reader, buffer[tail : tail + read_bytes])
            if on_read is not None and got:
                on_read(buffer[tail : tail + got])
            filled = tail + got
            last = got < read_bytes
            if last and begun and 0 < filled <= self.limits.chunk_bytes_avg:
                yield buffer[:filled]
                return
            begun = False
            tail = filled
            for piece in self._cdc.cut_buf(buffer[:filled]):
                if piece.length == tail and not last:
                    break  # it reaches the end of what was read, so more data may move its end
                tail -= piece.length
                yield piece.data
            if last:
                return
            turn ^= 1
            buffers[turn][:tail] = buffer[filled - tail : filled]

    def _buffer(self, read_bytes: int) -> memoryview:
        return memoryview(bytearray(self.limits.chunk_bytes_max + read_bytes))


def chunks_of(reader: Reader, limits: Limits = LIMITS, *, read_bytes: int = _READ_BYTES) -> Iterator[Chunk]:
    """The chunks of a stream of any length, with their ids, in constant memory."""
    for data in Chunker(limits).stream(reader, read_bytes=read_bytes):
        yield Chunk(chunk_id(data), data)


class FileHasher:
    """Reads files once, giving their chunks to a sink and their digests to the caller.

    One hasher serves one thread at a time, for any number of files; its buffers and its helper thread are
    kept.
    """

    def __init__(self, limits: Limits = LIMITS, *, read_bytes: int = _READ_BYTES) -> None:
        self._chunker = Chunker(limits)
        self._limits = limits
        self._read_bytes = read_bytes
        # A file up to this size is read in one go and hashed without another thread.
        self._small_bytes = min(read_bytes, max(limits.chunk_bytes_avg, limits.chunk_bytes_max))
        self._small = memoryview(bytearray(self._small_bytes + 1))
        self._thread: ThreadPoolExecutor | None = None

    def digest(self, file: Reader, sink: Sink) -> FileDigest:
        """Read `file` from where it stands to its end. Raises what the file or the sink raises."""
        got = _fill(file, self._small)
        if got <= self._small_bytes:
            return self._digest_small(self._small[:got], sink)
        return self._digest_large(file, self._small[:got], sink)

    def close(self) -> None:
        """Stop the helper thread."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _digest_small(self, data: memoryview, sink: Sink) -> FileDigest:
        sha256 = hashlib.sha256(data).hexdigest()
        length = len(data)
        if length <= self._limits.chunk_bytes_avg:
            if length:
                sink(blake3(data).digest(), data)
            return FileDigest(sha256, length, 1 if length else 0)
        count = 0
        for piece in self._chunker.cut(data):
            sink(blake3(piece).digest(), piece)
            count += 1
        return FileDigest(sha256, length, count)

    def _digest_large(self, file: Reader, head: memoryview, sink: Sink) -> FileDigest:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="sha256")
        thread = self._thread
        whole = hashlib.sha256()
        under_way: list[Future[None]] = []
        length = 0
        count = 0

        def on_read(part: memoryview) -> None:
            nonlocal length
            length += len(part)
            if under_way:
                under_way.pop().result()
            under_way.append(thread.submit(whole.update, part))

        try:
            pieces = self._chunker.stream(_Prefixed(head, file), read_bytes=self._read_bytes, on_read=on_read)
            for piece in pieces:
                sink(blake3(piece).digest(), piece)
                count += 1
        finally:
            if under_way:
                under_way.pop().result()
        return FileDigest(whole.hexdigest(), length, count)


class _Prefixed:
    """A reader whose first bytes were read already."""

    def __init__(self, head: memoryview, rest: Reader) -> None:
        self._head = head
        self._rest = rest

    def readinto(self, buffer: memoryview, /) -> int | None:
        if not self._head:
            return self._rest.readinto(buffer)
        count = min(len(buffer), len(self._head))
        buffer[:count] = self._head[:count]
        self._head = self._head[count:]
        return count


def _fill(reader: Reader, buffer: memoryview) -> int:
    """Read until `buffer` is full or the reader at its end; how many bytes it got."""
    got = 0
    while got < len(buffer):
        count = reader.readinto(buffer[got:])
        if not count:
            break
        got += count
    return got
