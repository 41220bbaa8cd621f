"""The transport formats are golden: `tests/vectors/transport.json` was written once and must read the same
for ever.

Each vector has its bytes and what they mean; beside them stand altered ones that must be refused.
"""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import SynclineError
from core.limits import LIMITS
from sync.chunking import chunk_id
from sync.compression import check_chunk, encode
from sync.frames import pack_frame, unpack
from sync.inventory import Entry, read, write
from sync.recipe import ChunkRef, Parameters, Root
from sync.stores.records import record_header

VECTORS = json.loads(Path(__file__, "../../../vectors/transport.json").resolve().read_text())
TEXT = b"Syncline " * 20


def frame() -> bytes:
    return pack_frame([encode(chunk_id(data), data, worth=1.0) for data in (b"gneiss", TEXT)])


def root() -> bytes:
    refs = tuple(ChunkRef(bytes([n]) * 32, 1000 + n) for n in range(4))
    return Root(Parameters.of(LIMITS), refs[:1], refs[1:2], refs[2:]).to_bytes()


def inventory() -> bytes:
    file = io.BytesIO()
    write([Entry("dem.tif", "11" * 32), Entry("ແຜນທີ່/ທໍລະນີ.geojson", "ab" * 32)], file)
    return file.getvalue()


def record() -> bytes:
    chunk = encode(chunk_id(TEXT), TEXT, worth=1.0)
    return record_header(chunk) + bytes(chunk.data)


WRITERS: dict[str, Callable[[], bytes]] = {
    "frame": frame,
    "root": root,
    "inventory": inventory,
    "record": record,
}


def read_frame(data: bytes) -> None:
    for chunk in unpack(data):
        check_chunk(chunk)


READERS: dict[str, Callable[[bytes], object]] = {
    "frame": read_frame,
    "root": Root.from_bytes,
    "inventory": lambda data: list(read(io.BytesIO(data))),
}


@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_is_golden(name: str):
    assert WRITERS[name]().hex() == VECTORS["golden"][name]


@pytest.mark.parametrize("name", READERS)
def test_the_golden_bytes_are_read(name: str):
    READERS[name](bytes.fromhex(VECTORS["golden"][name]))


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: f"{case['format']}: {case['why']}")
def test_altered_bytes_are_refused_for_their_reason(case: dict[str, str]):
    with pytest.raises(SynclineError) as caught:
        READERS[case["format"]](bytes.fromhex(case["hex"]))
    assert caught.value.reason == case["reason"]
