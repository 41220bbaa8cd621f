"""What is written is read back the same, and what is not of the form is refused, never misread."""

import contextlib
import io
from random import Random

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from syncline.v1 import content_pb2

from core.errors import Corrupt, InvalidInput, SynclineError, Untrusted
from core.limits import Limits
from core.names import path_problem
from sync.chunking import chunk_id
from sync.compression import check_chunk, decode, encode
from sync.frames import pack, unpack
from sync.inventory import Change, ChangeKind, Entry, diff, read, write
from sync.ports import StoredChunk
from sync.recipe import (
    ChunkRef,
    LayoutEntry,
    Parameters,
    Root,
    check_consistent,
    cut_stream,
    read_layout,
    read_table,
    write_layout,
    write_table,
)
from sync.table import TableReader, open_stream
from sync.wire import framecodec

SMALL = Limits(chunk_bytes_min=64, chunk_bytes_avg=256, chunk_bytes_max=1024, frame_bytes_max=4096)

ids = st.binary(min_size=32, max_size=32)
datas = st.one_of(
    st.binary(min_size=1, max_size=1024),
    st.integers(1, 1024).map(lambda size: b"compressible" * (size // 12 + 1)),
).map(lambda data: data[:1024])
paths = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(
    lambda p: path_problem(p) is None
)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
refs = st.builds(ChunkRef, ids, st.integers(1, 1024))


@given(st.lists(datas, max_size=30))
def test_frames_roundtrip(contents: list[bytes]):
    put = [encode(chunk_id(data), data) for data in contents]
    frames = list(pack(put, SMALL))
    assert all(len(frame) <= SMALL.frame_bytes_max for frame in frames)
    got = [chunk for frame in frames for chunk in unpack(frame, SMALL)]
    assert [bytes(check_chunk(chunk, SMALL)) for chunk in got] == contents


@given(st.lists(datas, min_size=1, max_size=3), st.data())
def test_an_altered_frame_is_refused_or_shows_in_the_ids(contents: list[bytes], draw: st.DataObject):
    [frame, *_] = pack((encode(chunk_id(data), data) for data in contents), SMALL)
    altered = bytearray(frame)
    altered[draw.draw(st.integers(0, len(frame) - 1))] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(Corrupt):
        for chunk in unpack(bytes(altered), SMALL):
            check_chunk(chunk, SMALL)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_break_the_frame_reader(data: bytes):
    with contextlib.suppress(Corrupt):
        for chunk in unpack(data, SMALL):
            check_chunk(chunk, SMALL)


@given(st.binary(max_size=200), st.integers(0, 2), st.integers(0, 1100))
def test_decoding_is_bounded_whatever_the_bytes(data: bytes, codec: int, raw: int):
    with contextlib.suppress(Corrupt):
        assert len(decode(StoredChunk(bytes(32), codec, raw, data), SMALL)) <= SMALL.chunk_bytes_max


@given(st.one_of(st.binary(max_size=300), st.integers(0, 70_000).map(bytes)))
def test_the_frame_codec_writes_and_reads_what_the_generated_code_does(frame: bytes):
    for message in (content_pb2.UpdateBlobsRequest, content_pb2.ReadBlobsResponse):
        assert framecodec.encode(frame) == message(frame=frame).SerializeToString()
        assert framecodec.decode(message(frame=frame).SerializeToString()) == frame


def _encodings(frame: bytes) -> list[bytes]:
    plain = framecodec.encode(frame)
    unknown = b"\x12\x03abc"  # field 2
    overlong = b"\x0a" + bytes((len(frame) & 0x7F | 0x80, 0x80 | len(frame) >> 7, 0x00)) + frame
    return [plain, unknown + plain, plain + unknown, b"\x0a\x01z" + plain, overlong]


@given(st.binary(min_size=1, max_size=300))
def test_the_frame_codec_reads_other_encodings_of_the_same_message(frame: bytes):
    for encoded in _encodings(frame):
        assert framecodec.decode(encoded) == content_pb2.UpdateBlobsRequest.FromString(encoded).frame == frame


@given(st.one_of(st.binary(max_size=40), st.binary(max_size=40).map(lambda b: b"\x0a" + b)))
def test_the_frame_codec_agrees_with_the_generated_code_on_any_bytes(message: bytes):
    try:
        expected = content_pb2.ReadBlobsResponse.FromString(message).frame
    except DecodeError:
        with pytest.raises(Corrupt):
            framecodec.decode(message)
    else:
        assert framecodec.decode(message) == expected


@given(st.dictionaries(paths, hashes, min_size=1, max_size=30))
def test_inventories_roundtrip_sorted_by_bytes(files: dict[str, str]):
    entries = [Entry(path, files[path]) for path in sorted(files, key=str.encode)]
    file = io.BytesIO()
    summary = write(entries, file)
    assert summary.lines == len(files) and summary.bytes == len(file.getvalue())
    file.seek(0)
    assert list(read(file)) == entries
    assert file.getvalue() == b"".join(f"{e.sha256}  {e.path}\n".encode() for e in entries)


@given(st.dictionaries(paths, hashes, min_size=1, max_size=8), st.data())
def test_an_altered_inventory_is_refused_or_reads_as_what_it_then_says(
    files: dict[str, str], draw: st.DataObject
):
    file = io.BytesIO()
    write([Entry(path, files[path]) for path in sorted(files, key=str.encode)], file)
    altered = bytearray(file.getvalue())
    altered[draw.draw(st.integers(0, len(altered) - 1))] ^= draw.draw(st.integers(1, 255))
    again = io.BytesIO()
    try:
        write(read(io.BytesIO(altered)), again)
    except Untrusted as error:
        assert error.reason == "MALFORMED_INVENTORY"
    else:
        assert again.getvalue() == altered


@given(st.dictionaries(paths, hashes, max_size=20), st.dictionaries(paths, hashes, max_size=20), st.randoms())
def test_diff_names_each_path_once_with_what_became_of_it(
    old: dict[str, str], new: dict[str, str], random: Random
):
    for path, was in old.items():
        if random.random() < 0.5:
            new[path] = was if random.random() < 0.5 else new.get(path, was)
    before, after = ([Entry(p, files[p]) for p in sorted(files, key=str.encode)] for files in (old, new))
    changes = list(diff(before, after))
    assert [change.path for change in changes] == sorted({*old, *new}, key=str.encode)
    for change in changes:
        path = change.path
        assert change == Change(
            ChangeKind.ADDED if path not in old
            else ChangeKind.REMOVED if path not in new
            else ChangeKind.SAME if old[path] == new[path]
            else ChangeKind.CHANGED,
            path,
            Entry(path, old[path]) if path in old else None,
            Entry(path, new[path]) if path in new else None,
        )  # fmt: skip


@given(
    st.lists(refs, min_size=1, max_size=20).map(tuple),
    st.lists(refs, min_size=1, max_size=20).map(tuple),
    st.lists(refs, max_size=20).map(tuple),
)
def test_roots_roundtrip(
    inventory: tuple[ChunkRef, ...], layout: tuple[ChunkRef, ...], table: tuple[ChunkRef, ...]
):
    root = Root(Parameters.of(SMALL), inventory, layout, table)
    assert Root.from_bytes(root.to_bytes(SMALL), SMALL) == root


@given(st.data())
def test_an_altered_root_is_refused_or_reads_as_what_it_then_says(draw: st.DataObject):
    some = tuple(ChunkRef(bytes([n]) * 32, 100 + n) for n in range(3))
    data = bytearray(Root(Parameters.of(SMALL), some, some, some).to_bytes(SMALL))
    if draw.draw(st.booleans()):
        data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    else:
        at = draw.draw(st.integers(0, len(data)))
        data = data[:at] + draw.draw(st.binary(max_size=4)) if at % 2 else data[:at]
    try:
        again = Root.from_bytes(bytes(data), SMALL).to_bytes(SMALL)
    except Untrusted as error:
        assert error.reason == "MALFORMED_RECIPE"
    else:
        assert again == data


@given(
    sizes=st.lists(st.lists(st.integers(1, 1024), max_size=6), min_size=1, max_size=40),
    first=st.floats(0, 1),
    seed=st.integers(0, 1 << 30),
)
def test_a_recipe_is_consistent_with_what_it_describes_and_its_table_is_read_anywhere(
    sizes: list[list[int]], first: float, seed: int
):
    random = Random(seed)
    inventory, layout, table = io.BytesIO(), io.BytesIO(), io.BytesIO()
    write((Entry(f"{n:04}", random.randbytes(32).hex()) for n in range(len(sizes))), inventory)
    content: list[ChunkRef] = []
    for chunks in sizes:
        write_layout(LayoutEntry(sum(chunks), len(chunks)), layout)
        content += (ChunkRef(random.randbytes(32), size) for size in chunks)
    for ref in content:
        write_table(ref, table)
    streams = inventory, layout, table
    for stream in streams:
        stream.seek(0)
    totals = check_consistent(*streams, limits=SMALL)
    assert (totals.files, totals.content_chunks) == (len(sizes), len(content))
    assert totals.bytes == sum(map(sum, sizes))

    table.seek(0)
    stored: dict[bytes, bytes] = {}
    listed = cut_stream(table, lambda id_, data: stored.update({id_: bytes(data)}), SMALL)
    reader = TableReader(listed, lambda ref: stored[ref.id])
    assert len(reader) == len(content)
    if content:
        begin = int(first * (len(content) - 1))
        assert list(reader.entries(begin, len(content) - begin)) == content[begin:]
        assert reader.entry(begin) == content[begin]
    for wrong in ((-1, 1), (0, len(content) + 1), (len(content), 1), (0, 0)):
        with pytest.raises(InvalidInput):
            list(reader.entries(*wrong))
    assert list(read_table(open_stream(listed, lambda ref: stored[ref.id]))) == content
    layout.seek(0)
    assert [entry.chunks for entry in read_layout(layout)] == [len(chunks) for chunks in sizes]

    # One byte less or more of any stream, and it is refused.
    for place, stream in enumerate(streams):
        for altered in (stream.getvalue()[:-1], stream.getvalue() + b"\0"):
            given_streams = [io.BytesIO(s.getvalue()) for s in streams]
            given_streams[place] = io.BytesIO(altered)
            with pytest.raises(SynclineError):
                if altered or place < 2:
                    check_consistent(*given_streams, limits=SMALL)
                else:
                    raise Untrusted("an empty table stays empty")
