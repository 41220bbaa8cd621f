"""Packs on a disk that tears, fills, rots and fails: `durable_ack` at the hub."""

import errno
import os
import shutil
import threading
from pathlib import Path

import pytest

from core import durable
from core.errors import Conflict, Corrupt, Unavailable
from core.limits import Limits
from sync.chunking import chunk_id
from sync.ports import StoredChunk
from sync.stores.packs import INDEX_NAME, PackStore
from sync.stores.records import HEADER_BYTES, PACK_MAGIC

SMALL = Limits(
    chunk_bytes_min=64,
    chunk_bytes_avg=256,
    chunk_bytes_max=1024,
    frame_bytes_max=4096,
    pack_bytes_max=4096,
    disk_reserve_bytes=0,
)


def chunks(first: int, count: int) -> list[StoredChunk]:
    datas = [number.to_bytes(4, "big") * (20 + number % 90) for number in range(first, first + count)]
    return [StoredChunk(chunk_id(data), 0, len(data), data) for data in datas]


def packs_of(store: Path) -> list[Path]:
    return sorted((store / "packs").iterdir())


def assert_holds(store: PackStore, put: list[StoredChunk]) -> None:
    assert [bytes(c.data) for c in store.get([c.id for c in put])] == [c.data for c in put]


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Path, list[StoredChunk]]:
    put = chunks(0, 60)
    store = PackStore(tmp_path / "store", SMALL)
    store.put(put)
    store.commit()
    store.close()
    return tmp_path / "store", put


def test_packs_are_rotated_at_their_limit(filled: tuple[Path, list[StoredChunk]]):
    directory, _ = filled
    sizes = [path.stat().st_size for path in packs_of(directory)]
    assert len(sizes) > 2
    assert max(sizes) <= SMALL.pack_bytes_max


def test_whole_records_behind_the_index_are_found_again(filled: tuple[Path, list[StoredChunk]]):
    directory, put = filled
    store = PackStore(directory, SMALL)
    late = chunks(1000, 5)
    store.put(late)
    store.close()  # killed before it could commit
    again = PackStore(directory, SMALL)
    assert_holds(again, put + late)
    again.close()


def test_a_store_may_be_written_by_one_process_alone(filled: tuple[Path, list[StoredChunk]]):
    directory, _ = filled
    store = PackStore(directory, SMALL)
    with pytest.raises(Conflict) as caught:
        PackStore(directory, SMALL)
    assert caught.value.reason == "STORE_LOCKED"
    store.close()
    PackStore(directory, SMALL).close()


def test_readonly_looks_on_while_another_writes_and_changes_nothing(filled: tuple[Path, list[StoredChunk]]):
    directory, put = filled
    writer = PackStore(directory, SMALL)
    reader = PackStore(directory, SMALL, readonly=True)
    late = chunks(1000, 5)
    writer.put(late)
    assert all(reader.missing([c.id for c in late]))
    writer.commit()
    assert_holds(reader, put + late)
    assert list(reader.verify()) == []
    with pytest.raises(Unavailable):
        reader.put(chunks(2000, 1))
    with pytest.raises(Unavailable):
        reader.commit()
    reader.close()
    writer.close()


def test_readonly_of_no_store_says_so(tmp_path: Path):
    with pytest.raises(Unavailable) as caught:
        PackStore(tmp_path, SMALL, readonly=True)
    assert caught.value.reason == "NO_STORE"


def test_bit_rot_is_found_by_reading_and_by_verify_with_pack_and_offset(
    filled: tuple[Path, list[StoredChunk]],
):
    directory, put = filled
    pack = packs_of(directory)[0]
    data = bytearray(pack.read_bytes())
    data[len(PACK_MAGIC) + HEADER_BYTES + 3] ^= 1
    pack.write_bytes(data)
    store = PackStore(directory, SMALL)
    [line] = list(store.verify())
    assert str(pack) in line and "offset 8 " in line
    with pytest.raises(Corrupt, match=pack.name):
        list(store.get([put[0].id]))
    assert_holds(store, put[1:])
    store.close()


def test_a_damaged_header_is_found_by_verify(filled: tuple[Path, list[StoredChunk]]):
    directory, _ = filled
    pack = packs_of(directory)[0]
    data = bytearray(pack.read_bytes())
    data[len(PACK_MAGIC)] ^= 1
    pack.write_bytes(data)
    store = PackStore(directory, SMALL)
    assert len(list(store.verify())) == 1
    store.close()


def test_a_lost_pack_is_reported_and_the_store_goes_on(filled: tuple[Path, list[StoredChunk]]):
    directory, put = filled
    packs_of(directory)[-1].unlink()
    store = PackStore(directory, SMALL)
    assert any("is missing" in line for line in store.problems)
    assert list(store.verify())
    with pytest.raises(Corrupt):
        list(store.get([put[-1].id]))
    late = chunks(1000, 5)
    store.put(late)
    store.commit()
    assert_holds(store, late)
    # Made anew, the index no longer claims what is gone, so its owner is asked for it again.
    assert 0 < store.rebuild_index() < 65
    assert store.missing([put[-1].id]) == [True]
    assert list(store.verify()) == []
    store.close()


@pytest.mark.parametrize("content", [None, b"", b"this is not SQLite " * 300])
def test_the_index_is_made_again_from_the_packs(
    filled: tuple[Path, list[StoredChunk]], content: bytes | None
):
    directory, put = filled
    for path in directory.glob(INDEX_NAME + "*"):
        path.unlink()
    if content is not None:
        (directory / INDEX_NAME).write_bytes(content)
    if content:
        with pytest.raises(Corrupt) as caught:
            PackStore(directory, SMALL)
        assert caught.value.reason == "CORRUPT_INDEX"
    store = PackStore(directory, SMALL, rebuild=True)
    assert store.count() == len(put)
    assert_holds(store, put)
    store.close()


def test_rebuilding_passes_over_damage_and_keeps_what_follows(filled: tuple[Path, list[StoredChunk]]):
    directory, put = filled
    pack = packs_of(directory)[0]
    data = bytearray(pack.read_bytes())
    data[len(PACK_MAGIC) : len(PACK_MAGIC) + 20] = bytes(20)
    pack.write_bytes(data)
    store = PackStore(directory, SMALL, rebuild=True)
    assert store.missing([c.id for c in put]) == [True] + [False] * (len(put) - 1)
    assert pack.stat().st_size == len(data)
    store.close()


def test_rebuilding_cuts_nothing_even_if_it_can_read_nothing(filled: tuple[Path, list[StoredChunk]]):
    directory, put = filled
    before = {path: path.read_bytes() for path in packs_of(directory)}
    smaller = Limits(chunk_bytes_min=64, chunk_bytes_avg=64, chunk_bytes_max=79, disk_reserve_bytes=0)
    store = PackStore(directory, smaller, rebuild=True)
    assert store.count() == 0
    late = chunks(0, 1)
    assert len(late[0].data) == 80
    data = b"x" * 70
    store.put([StoredChunk(chunk_id(data), 0, 70, data)])
    store.commit()
    store.close()
    PackStore(directory, smaller).close()
    assert {path: path.read_bytes() for path in before} == before
    again = PackStore(directory, SMALL, rebuild=True)
    assert_holds(again, put)
    assert again.count() == len(put) + 1
    again.close()


def test_an_index_of_a_newer_release_is_refused(filled: tuple[Path, list[StoredChunk]]):
    import sqlite3

    directory, _ = filled
    with sqlite3.connect(directory / INDEX_NAME) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Unavailable) as caught:
        PackStore(directory, SMALL)
    assert caught.value.reason == "NEWER_STATE"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_refuses_and_half_writes_nothing(
    filled: tuple[Path, list[StoredChunk]], monkeypatch: pytest.MonkeyPatch, number: int
):
    directory, put = filled
    store = PackStore(directory, SMALL)
    late = chunks(1000, 3)
    write = os.pwritev

    def half(descriptor: int, parts: list[bytes], offset: int) -> int:
        if offset > 1 << 20 or len(parts) < 2:
            raise OSError(number, os.strerror(number))
        return write(descriptor, parts[:1], offset)

    before = {path: path.stat().st_size for path in packs_of(directory)}
    calls = iter([half])

    def pwritev(descriptor: int, parts: list[bytes], offset: int) -> int:
        step = next(calls, None)
        if step is None:
            raise OSError(number, os.strerror(number))
        return step(descriptor, parts, offset)

    monkeypatch.setattr(os, "pwritev", pwritev)
    with pytest.raises(Unavailable) as caught:
        store.put(late)
    assert caught.value.reason == "DISK_FULL"
    monkeypatch.undo()
    after = {path: path.stat().st_size for path in packs_of(directory)}
    assert {path: after[path] for path in before} == before
    assert all(store.missing([c.id for c in late]))
    store.put(late)
    store.commit()
    assert_holds(store, put + late)
    store.close()


def test_stops_before_the_disk_is_full(tmp_path: Path):
    cautious = Limits(disk_reserve_bytes=1 << 60)
    store = PackStore(tmp_path / "store", cautious)
    with pytest.raises(Unavailable) as caught:
        store.put(chunks(0, 1))
    assert caught.value.reason == "DISK_FULL"
    store.close()


def test_durable_ack_a_failed_flush_is_never_taken_for_durable_by_anybody(
    filled: tuple[Path, list[StoredChunk]], monkeypatch: pytest.MonkeyPatch
):
    directory, put = filled
    store = PackStore(directory, SMALL)
    mine, others = chunks(1000, 3), chunks(2000, 3)
    store.put(mine)
    store.put(others)

    def hook(step: str, path: Path) -> None:
        if step == "fsync":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(durable, "fault_hook", hook)
    with pytest.raises(Unavailable) as caught:
        store.commit()
    assert caught.value.reason == "DISK_FAILED"
    monkeypatch.undo()
    for _ in range(2):  # the other stream, and the next one: neither may acknowledge
        with pytest.raises(Unavailable):
            store.commit()
    assert all(store.missing([c.id for c in mine + others]))
    assert_holds(store, put)
    store.close()


def test_durable_ack_the_pack_is_flushed_before_the_index_names_it(
    filled: tuple[Path, list[StoredChunk]], monkeypatch: pytest.MonkeyPatch
):
    directory, _ = filled
    store = PackStore(directory, SMALL)
    late = chunks(1000, 3)
    store.put(late)
    seen: list[tuple[str, bool]] = []

    def hook(step: str, path: Path) -> None:
        seen.append((step, all(store.missing([c.id for c in late]))))

    monkeypatch.setattr(durable, "fault_hook", hook)
    store.commit()
    assert seen[0] == ("fsync", True)
    assert seen[-1] == ("fsync_dir", True)
    assert not any(store.missing([c.id for c in late]))
    store.close()


def test_puts_go_on_while_a_commit_flushes(
    filled: tuple[Path, list[StoredChunk]], monkeypatch: pytest.MonkeyPatch
):
    directory, put = filled
    store = PackStore(directory, SMALL)
    flushing, release = threading.Event(), threading.Event()

    def hook(step: str, path: Path) -> None:
        if step == "fsync":
            flushing.set()
            assert release.wait(10)

    early, late = chunks(1000, 3), chunks(2000, 40)
    store.put(early)
    monkeypatch.setattr(durable, "fault_hook", hook)
    thread = threading.Thread(target=store.commit)
    thread.start()
    assert flushing.wait(10)
    store.put(late + early)
    release.set()
    thread.join()
    assert all(store.missing([c.id for c in late]))
    store.commit()
    assert_holds(store, put + early + late)
    assert list(store.verify()) == []
    store.close()


def test_a_copy_taken_at_any_moment_opens(filled: tuple[Path, list[StoredChunk]], tmp_path: Path):
    directory, put = filled
    store = PackStore(directory, SMALL)
    store.put(chunks(1000, 3))
    shutil.copytree(directory, tmp_path / "copy")
    store.close()
    copy = PackStore(tmp_path / "copy", SMALL)
    assert_holds(copy, put + chunks(1000, 3))
    copy.close()
