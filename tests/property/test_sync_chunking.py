"""Chunk boundaries depend on the content alone."""

import hashlib
import io
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from core.limits import Limits
from sync.chunking import Chunker, FileHasher, chunk_id, chunks_of

SMALL = Limits(chunk_bytes_min=64, chunk_bytes_avg=256, chunk_bytes_max=1024, frame_bytes_max=4096)


class Reader:
    """Gives at most as many bytes at a time as told, in turn."""

    def __init__(self, data: bytes, portions: list[int]) -> None:
        self._file = io.BytesIO(data)
        self._portions = portions
        self._turn = 0

    def readinto(self, buffer: memoryview, /) -> int:
        portion = self._portions[self._turn % len(self._portions)]
        self._turn += 1
        return self._file.readinto(buffer[:portion])


def content(seed: int, size: int, *, repeats: bool) -> bytes:
    random = Random(seed)
    return random.randbytes(40) * (size // 40) if repeats else random.randbytes(size)


@given(
    seed=st.integers(0, 1 << 30),
    size=st.integers(0, 20_000),
    repeats=st.booleans(),
    read_bytes=st.sampled_from([1024, 1025, 1500, 4096, 7777, 1 << 20]),
    portions=st.lists(st.integers(1, 5000), min_size=1, max_size=4),
)
def test_boundaries_do_not_depend_on_how_the_bytes_were_read(
    seed: int, size: int, repeats: bool, read_bytes: int, portions: list[int]
):
    data = content(seed, size, repeats=repeats)
    whole = [bytes(piece) for piece in Chunker(SMALL).cut(data)]
    assert b"".join(whole) == data
    assert all(len(piece) <= SMALL.chunk_bytes_max for piece in whole)

    streamed = [
        (c.id, bytes(c.data)) for c in chunks_of(Reader(data, portions), SMALL, read_bytes=read_bytes)
    ]
    assert streamed == [(chunk_id(piece), piece) for piece in whole]

    seen: list[tuple[bytes, bytes]] = []
    with FileHasher(SMALL, read_bytes=read_bytes) as hasher:
        digest = hasher.digest(Reader(data, portions), lambda id_, view: seen.append((id_, bytes(view))))
    assert seen == streamed
    assert (digest.sha256, digest.bytes, digest.chunks) == (
        hashlib.sha256(data).hexdigest(),
        len(data),
        len(whole),
    )


def test_an_insertion_changes_few_chunks():
    """How soon a boundary of old is met again is luck, so this is about many insertions, always the same."""
    random = Random(20)
    chunker = Chunker(SMALL)
    surplus: list[int] = []
    for _ in range(100):
        data = random.randbytes(40_000)
        at, inserted = random.randrange(len(data)), random.randbytes(random.randrange(1, 1024))
        before = {chunk_id(piece) for piece in chunker.cut(data)}
        after = [chunk_id(piece) for piece in chunker.cut(data[:at] + inserted + data[at:])]
        new = sum(id_ not in before for id_ in after)
        surplus.append(new - len(inserted) // SMALL.chunk_bytes_avg)
    # The chunks that hold the insertion, and a few until a boundary of old is met again.
    assert sum(surplus) / len(surplus) < 6, sorted(surplus)
    assert sorted(surplus)[95] <= 12, sorted(surplus)
