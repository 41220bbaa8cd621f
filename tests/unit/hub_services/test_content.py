"""Chunks: durable before acknowledged, checked before stored, read by place and logged before the first
byte."""

import os
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.errors import Corrupt, Denied, InvalidInput, Unavailable
from core.names import DatasetId, PartnerId
from hub.services.context import Quotas
from sync.chunking import chunk_id
from sync.compression import check_chunk, encode
from sync.frames import pack, unpack
from sync.ports import OrdinalRange, RecipeStream, StoredChunk
from sync.recipe import Root
from tests.simulation.federation import TestFederation, build_version, publish, share, upload

GEO = DatasetId("la-dgm/geo")
BIG = {"a.bin": os.urandom(20_000), "b.bin": b"compressible " * 1000, "empty": b""}


def chunks(count: int, seed: int = 0) -> list[StoredChunk]:
    data = [b"%d-%d" % (seed, n) * 50 for n in range(count)]
    return [encode(chunk_id(each), each) for each in data]


def read(federation: TestFederation, who: str, manifest: str, stream: RecipeStream, *ranges: tuple[int, int]):
    frames = federation.api(who).read_blobs(GEO, manifest, stream, [OrdinalRange(*each) for each in ranges])
    return [chunk for frame in frames for chunk in unpack(frame, federation.limits)]


def test_every_file_can_be_put_together_again(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", BIG, read=["th-dmr"])
    pieces = len(Root.from_bytes(version.root, federation.limits).table)
    table = b"".join(
        bytes(check_chunk(c, federation.limits))
        for c in read(federation, "th-dmr", version.manifest_id, RecipeStream.TABLE, (0, pieces))
    )
    count = federation_chunks(federation, version)
    assert len(table) == 36 * count
    content = read(federation, "th-dmr", version.manifest_id, RecipeStream.CONTENT, (0, count))
    whole = b"".join(bytes(check_chunk(c, federation.limits)) for c in content)
    assert whole == BIG["a.bin"] + BIG["b.bin"]
    inventory = read(federation, "th-dmr", version.manifest_id, RecipeStream.INVENTORY, (0, 1))
    assert b"a.bin" in bytes(check_chunk(inventory[0], federation.limits))


def test_chunks_come_in_the_order_asked_in_frames_within_the_bound(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", BIG, read=["th-dmr"])
    count = federation_chunks(federation, version)
    every = [c.id for c in read(federation, "th-dmr", version.manifest_id, RecipeStream.CONTENT, (0, count))]
    some = read(
        federation, "th-dmr", version.manifest_id, RecipeStream.CONTENT, (1, 2), (5, 1), (count - 1, 1)
    )
    assert [c.id for c in some] == [every[1], every[2], every[5], every[count - 1]]
    frames = federation.api("th-dmr").read_blobs(
        GEO, version.manifest_id, RecipeStream.CONTENT, [OrdinalRange(0, count)]
    )
    sizes = [len(frame) for frame in frames]
    assert len(sizes) > 3
    assert max(sizes) <= federation.limits.frame_bytes_max


@pytest.mark.parametrize(
    "ranges",
    [
        [],
        [(0, 0)],
        [(5, 1), (0, 1)],
        [(0, 2), (1, 1)],
        [(0, 10**6)],
        [(10**6, 1)],
        [(n, 1) for n in range(9)],
    ],
)
def test_ranges_out_of_order_or_bounds_are_refused_and_nothing_is_logged(federation: TestFederation, ranges):
    version = publish(federation, "la-dgm", "geo", BIG, read=["th-dmr"])
    leaves = federation.hub.translog.size()
    with pytest.raises(InvalidInput):
        read(federation, "th-dmr", version.manifest_id, RecipeStream.CONTENT, *ranges)
    assert federation.hub.translog.size() == leaves


def test_the_delivery_is_logged_before_the_first_byte_and_once(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", BIG, read=["th-dmr", "vn-dgm"])
    log = federation.hub.translog
    before = log.size()
    stream = federation.api("th-dmr").read_blobs(
        GEO, version.manifest_id, RecipeStream.CONTENT, [OrdinalRange(0, 1)]
    )
    assert log.size() == before
    next(iter(stream))
    assert log.size() == before + 1
    for _ in range(2):
        read(federation, "th-dmr", version.manifest_id, RecipeStream.INVENTORY, (0, 1))
    assert log.size() == before + 1
    read(federation, "vn-dgm", version.manifest_id, RecipeStream.INVENTORY, (0, 1))
    read(federation, "la-dgm", version.manifest_id, RecipeStream.INVENTORY, (0, 1))  # the owner restores
    kinds = [(leaf.type, leaf.lane_owner) for leaf in log.leaves(before)]
    assert kinds == [("delivery", "la-dgm"), ("delivery", "la-dgm")]


def test_many_readers_at_once_log_one_delivery_each(federation: TestFederation):
    version = publish(federation, "la-dgm", "geo", BIG, read=["th-dmr", "vn-dgm"])
    before = federation.hub.translog.size()
    threads = [
        threading.Thread(
            target=read, args=(federation, who, version.manifest_id, RecipeStream.INVENTORY, (0, 1))
        )
        for who in ("th-dmr", "vn-dgm") * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert federation.hub.translog.size() == before + 2
    assert list(federation.hub.fsck.check()) == []


def test_what_is_acknowledged_survives_the_hubs_end(federation: TestFederation):
    """`durable_ack` at the hub: counted frames are there after a restart, whatever follows them."""
    stream = federation.hub.content.open_upload(federation.caller("la-dgm"))
    first, second = chunks(10, seed=1), chunks(10, seed=2)
    for frame in pack(first, federation.limits):
        stream.put_frame(frame)
    acknowledged = stream.commit()
    assert acknowledged == len(list(pack(first, federation.limits)))
    for frame in pack(second, federation.limits):
        stream.put_frame(frame)
    federation.host.restart()
    assert not any(federation.api("la-dgm").find_missing([c.id for c in first]))


def test_durable_ack_planted_bug_an_ack_without_commit_is_found(federation: TestFederation, monkeypatch):
    """The same check fails when frames are counted before they are committed and the machine then dies."""
    from sync.stores.memory import MemoryStore

    stores: dict[str, MemoryStore] = {}
    federation.host._options["open_store"] = lambda directory, limits, *, readonly: stores.setdefault(
        str(directory), MemoryStore(limits)
    )
    federation.host.restart()
    monkeypatch.setattr(MemoryStore, "commit", lambda self: None)
    stream = federation.hub.content.open_upload(federation.caller("la-dgm"))
    for frame in pack(chunks(10), federation.limits):
        stream.put_frame(frame)
    assert stream.commit() > 0
    federation.host.restart()
    assert all(federation.api("la-dgm").find_missing([c.id for c in chunks(10)]))


def test_a_chunk_that_is_not_what_its_id_says_is_refused(federation: TestFederation):
    good = chunks(1)[0]
    stream = federation.hub.content.open_upload(federation.caller("la-dgm"))
    with pytest.raises(Corrupt):
        stream.put_frame(next(iter(pack([replace(good, id=b"\0" * 32)], federation.limits))))
    with pytest.raises(Corrupt):
        stream.put_frame(b"garbage")
    assert stream.commit() == 0


def test_a_suspended_partner_cannot_go_on_uploading(federation: TestFederation):
    stream = federation.hub.content.open_upload(federation.caller("la-dgm"))
    frame = next(iter(pack(chunks(1), federation.limits)))
    stream.put_frame(frame)
    federation.hub.registry.suspend(PartnerId("la-dgm"))
    federation.clock.advance(federation.limits.reauthorise_s)
    with pytest.raises(Denied):
        stream.put_frame(frame)


def test_uploads_stop_before_the_disk_is_full(federation: TestFederation, monkeypatch):
    federation.host.limits = replace(federation.limits, disk_reserve_bytes=2**62)
    federation.host.restart()
    stream = federation.hub.content.open_upload(federation.caller("la-dgm"))
    with pytest.raises(Unavailable) as refused:
        stream.put_frame(next(iter(pack(chunks(1), federation.limits))))
    assert refused.value.reason == "DISK_FULL"


def test_uploads_stop_at_the_reserve_and_go_on_when_there_is_room_again(
    federation: TestFederation, monkeypatch: pytest.MonkeyPatch
):
    """Not before it: the operator is told by the same bytes that the hub has stopped."""
    reserve, frame_max = federation.limits.disk_reserve_bytes, federation.limits.frame_bytes_max
    given = chunks(40)
    frames = [next(iter(pack([each], federation.limits))) for each in given]
    left = {"bytes": reserve + frame_max + sum(len(frame) for frame in frames[:20])}
    usage = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=left["bytes"]))
    monkeypatch.setattr("hub.services.content.shutil", usage)
    stream = federation.hub.content.open_upload(federation.caller("la-dgm"))
    put = 0
    with pytest.raises(Unavailable) as refused:
        for frame in frames:
            stream.put_frame(frame)
            left["bytes"] -= len(frame)
            put += 1
    assert refused.value.reason == "DISK_FULL"
    assert put >= 20
    assert reserve <= left["bytes"] < reserve + frame_max
    stream.close()
    missing = federation.api("la-dgm").find_missing([each.id for each in given])
    assert missing == [False] * put + [True] * (40 - put)
    left["bytes"] = 2**40
    upload(federation, "la-dgm", given)
    assert not any(federation.api("la-dgm").find_missing([each.id for each in given]))


def test_questions_are_bounded(federation: TestFederation):
    api = federation.api("la-dgm")
    with pytest.raises(InvalidInput):
        api.find_missing([bytes(32)] * (federation.limits.find_missing_count_max + 1))
    with pytest.raises(InvalidInput):
        api.find_missing([b"short"])
    assert list(api.find_missing([])) == []


def test_materialisable_whatever_is_listed_with_content_can_be_read(federation: TestFederation):
    """Also right after a restart, and also what came in two steps."""
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    version = build_version(federation, "la-dgm", "geo", BIG)
    half = len(version.chunks) // 2
    upload(federation, "la-dgm", version.chunks[:half])
    federation.host.restart()
    upload(federation, "la-dgm", version.chunks[half:])
    federation.hub.catalogue.commit_version(federation.caller("la-dgm"), version.envelope, version.root)
    federation.host.restart()
    count = federation_chunks(federation, version)
    assert len(read(federation, "th-dmr", version.manifest_id, RecipeStream.CONTENT, (0, count))) == count


def federation_chunks(federation: TestFederation, version) -> int:
    return sum(ref.raw_bytes for ref in Root.from_bytes(version.root, federation.limits).table) // 36


def test_a_damaged_pack_is_refused_without_telling_a_partner_where_it_stands(
    federation: TestFederation, tmp_path: Path
):
    version = publish(federation, "la-dgm", "geo", BIG, read=["th-dmr"])
    pieces = len(Root.from_bytes(version.root, federation.limits).inventory)
    for file in tmp_path.rglob("*.pack"):
        file.write_bytes(bytes(byte ^ 1 for byte in file.read_bytes()))
    with pytest.raises(Corrupt) as caught:
        read(federation, "th-dmr", version.manifest_id, RecipeStream.INVENTORY, (0, pieces))
    assert caught.value.reason == "HUB_COPY_DAMAGED"
    assert str(tmp_path) not in str(caught.value)


def test_durable_ack_an_upload_beyond_the_quota_is_refused_and_what_was_acknowledged_stays(
    federation: TestFederation,
):
    given = chunks(12)
    size = sum(chunk.raw_bytes for chunk in given[:9])
    federation.host._options["quotas"] = Quotas(10**9, {"la-dgm": size})
    federation.host.restart()
    stream = federation.hub.content.open_upload(federation.caller("la-dgm"))
    frames = [next(iter(pack(given[at : at + 3], federation.limits))) for at in range(0, 12, 3)]
    stream.put_frame(frames[0])
    assert stream.commit() == 1
    stream.put_frame(frames[1])
    stream.put_frame(frames[2])
    with pytest.raises(Denied) as refused:
        stream.put_frame(frames[3])
    assert refused.value.reason == "QUOTA_EXCEEDED"
    assert f"{size:,} of {size:,} bytes" in refused.value.message
    assert "operator" in refused.value.remedy
    stream.close()
    federation.host.restart()
    missing = federation.api("la-dgm").find_missing([c.id for c in given])
    assert missing == [False] * 9 + [True] * 3
    upload(federation, "la-dgm", given[:9])  # what is here needs no room
    upload(federation, "th-dmr", given)  # another owner has room of its own
    use = federation.hub.content.use(PartnerId("la-dgm"))
    assert (use.used_bytes, use.quota_bytes) == (size, size)
    use = federation.hub.content.use(PartnerId("vn-dgm"))
    assert (use.used_bytes, use.quota_bytes) == (0, 10**9)


def test_there_is_no_quota_unless_one_is_set(federation: TestFederation):
    upload(federation, "la-dgm", chunks(12))
    use = federation.hub.content.use(PartnerId("la-dgm"))
    assert use.used_bytes == sum(chunk.raw_bytes for chunk in chunks(12))
    assert use.quota_bytes is None
