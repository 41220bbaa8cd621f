"""Chunking is one fixed rule: its results are golden, and its slow fallback is refused."""

import hashlib
import io
import tracemalloc
from random import Random

import pytest

from core.errors import InvalidInput
from core.limits import LIMITS, Limits
from sync import chunking
from sync.chunking import Chunker, FileHasher, chunk_id, chunks_of


def test_boundaries_and_ids_are_golden():
    # Another cut, by another release of the library or on another machine, would send everything again.
    data = b"".join(hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(40_000))
    chunks = list(Chunker().cut(data))
    assert [len(chunk) for chunk in chunks] == GOLDEN_LENGTHS
    listed = b"".join(chunk_id(chunk) for chunk in chunks)
    assert hashlib.sha256(listed).hexdigest() == GOLDEN_IDS
    assert [chunk.length for chunk in chunks_of(io.BytesIO(data))] == GOLDEN_LENGTHS


def test_an_id_is_blake3():
    assert chunk_id(b"").hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"


@pytest.mark.parametrize("size", [1, LIMITS.chunk_bytes_min, LIMITS.chunk_bytes_avg])
def test_what_is_not_above_the_average_is_one_chunk(size: int):
    data = Random(size).randbytes(size)
    assert [bytes(chunk) for chunk in Chunker().cut(data)] == [data]
    assert [bytes(chunk.data) for chunk in chunks_of(io.BytesIO(data))] == [data]


def test_an_empty_file_has_no_chunk():
    assert list(Chunker().cut(b"")) == []
    with FileHasher() as hasher:
        digest = hasher.digest(io.BytesIO(b""), lambda *_: pytest.fail("a chunk of nothing"))
    assert (digest.sha256, digest.bytes, digest.chunks) == (hashlib.sha256(b"").hexdigest(), 0, 0)


def test_the_slow_fallback_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chunking, "_FastCDC", None)
    with pytest.raises(InvalidInput) as caught:
        Chunker()
    assert caught.value.reason == "SLOW_CHUNKER"


def test_memory_does_not_grow_with_the_file():
    class Endless:
        left = 64 << 20

        def readinto(self, buffer: memoryview, /) -> int:
            count = min(self.left, len(buffer))
            self.left -= count
            return count

    with FileHasher() as hasher:
        tracemalloc.start()
        try:
            assert hasher.digest(Endless(), lambda *_: None).bytes == 64 << 20
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 8 << 20


def test_what_a_sink_raises_comes_out_and_the_hasher_goes_on():
    limits = Limits(chunk_bytes_min=64, chunk_bytes_avg=256, chunk_bytes_max=1024, frame_bytes_max=4096)
    data = Random(1).randbytes(50_000)

    def refuse(*_: object) -> None:
        raise InvalidInput("no room")

    with FileHasher(limits, read_bytes=1024) as hasher:
        with pytest.raises(InvalidInput):
            hasher.digest(io.BytesIO(data), refuse)
        digest = hasher.digest(io.BytesIO(data), lambda *_: None)
    assert digest.sha256 == hashlib.sha256(data).hexdigest()


GOLDEN_LENGTHS = [
    82763,
    68745,
    109899,
    79705,
    72986,
    87769,
    29395,
    67969,
    73625,
    79023,
    102827,
    68634,
    83953,
    45591,
    81769,
    79052,
    66295,
]
GOLDEN_IDS = "6b24357bf286d312f116e945f4421a4588e38ed9a64ea6e8964eba2eedb20c98"
