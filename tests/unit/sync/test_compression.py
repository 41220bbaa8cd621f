"""zstd where it pays, and never a bomb."""

import os

import pytest
import zstandard

from core.errors import Corrupt, InvalidInput
from core.limits import LIMITS, Limits
from sync.chunking import chunk_id
from sync.compression import RAW, ZSTD, check_chunk, decode, encode, probe
from sync.frames import pack_frame, unpack
from sync.ports import StoredChunk

TEXT = b"geological map of the 1:1 000 000 scale; " * 1000


def test_compresses_what_shrinks_and_leaves_what_does_not():
    noise = os.urandom(50_000)
    assert encode(chunk_id(TEXT), TEXT).codec == ZSTD
    assert encode(chunk_id(noise), noise).codec == RAW
    assert probe(noise) == 0.0 < 0.9 < probe(TEXT)


def test_a_chunk_whose_middle_only_shrinks_stays_raw():
    mixed = os.urandom(40_000) + bytes(4096) + os.urandom(40_000)
    assert encode(chunk_id(mixed), mixed).codec == RAW


def test_worth_asks_for_more_saving():
    assert encode(chunk_id(TEXT), TEXT, worth=0.9999).codec == RAW
    assert encode(chunk_id(TEXT), TEXT, worth=1.0).codec == RAW


def test_roundtrips():
    stored = encode(chunk_id(TEXT), TEXT)
    assert len(stored.data) < len(TEXT) / 10
    assert check_chunk(stored) == TEXT


@pytest.mark.parametrize(
    "packed",
    [
        zstandard.compress(bytes(10 * LIMITS.chunk_bytes_max)),
        zstandard.ZstdCompressor(write_content_size=False).compress(TEXT),
        zstandard.compress(TEXT) + b"more",
        zstandard.compress(TEXT) * 2,
        zstandard.compress(TEXT)[:-3],
        b"",
        b"\x28\xb5\x2f\xfd",
    ],
    ids=["bomb", "no-size", "trailing", "two-frames", "torn", "empty", "magic-only"],
)
def test_zip_bombs_and_sloppy_frames_are_corrupt(packed: bytes):
    with pytest.raises(Corrupt):
        decode(StoredChunk(chunk_id(TEXT), ZSTD, len(TEXT), packed))


def test_a_frame_holds_the_largest_chunk_and_not_a_byte_more():
    limits = Limits(chunk_bytes_min=64, chunk_bytes_avg=256, chunk_bytes_max=1024, frame_bytes_max=2048)
    data = os.urandom(1024)
    [again] = unpack(pack_frame([StoredChunk(chunk_id(data), RAW, 1024, data)], limits), limits)
    assert again.data == data
    with pytest.raises(InvalidInput):
        pack_frame([StoredChunk(chunk_id(data), RAW, 1024, data)] * 2, limits)
    with pytest.raises(InvalidInput):
        pack_frame([], limits)
