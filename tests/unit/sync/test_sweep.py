"""Packs give back the space of what was removed, and nothing else, wherever a sweep is cut off."""

import os
import shutil
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from core import durable
from core.limits import Limits
from sync.chunking import chunk_id
from sync.compression import encode
from sync.ports import Removed, StoredChunk
from sync.stores.packs import PackStore
from tests.simulation.clock import ManualClock

SMALL = Limits(
    chunk_bytes_min=64,
    chunk_bytes_avg=256,
    chunk_bytes_max=1024,
    frame_bytes_max=4096,
    pack_bytes_max=4096,
    disk_reserve_bytes=0,
)


def made(first: int, count: int) -> list[StoredChunk]:
    datas = [number.to_bytes(4, "big") + os.urandom(500) for number in range(first, first + count)]
    return [encode(chunk_id(data), data) for data in datas]


def sweep(store: PackStore, kept: list[bytes], clock: ManualClock) -> Removed:
    with store.sweep() as sweep:
        sweep.keep(kept)
        sweep.choose(clock.now())
        return sweep.remove()


def ids(chunks: list[StoredChunk]) -> list[bytes]:
    return [chunk.id for chunk in chunks]


def filled(directory: Path, clock: ManualClock) -> tuple[list[StoredChunk], list[StoredChunk]]:
    """A closed store of many packs: what is to be kept, and what not."""
    store = PackStore(directory, SMALL, clock=clock)
    kept, dead = made(0, 6), made(100, 60)
    store.put(kept)
    store.put(dead[:30])
    store.commit()
    store.put(dead[30:])
    store.commit()
    store.close()
    clock.advance(10)
    return kept, dead


def test_packs_in_which_nothing_is_left_are_deleted_but_never_the_newest(tmp_path: Path):
    clock = ManualClock()
    kept, dead = filled(tmp_path / "store", clock)
    store = PackStore(tmp_path / "store", SMALL, clock=clock)
    before = sorted((tmp_path / "store" / "packs").iterdir())
    size = store.stored_bytes()
    assert sweep(store, ids(kept), clock).chunks == len(dead)
    after = sorted((tmp_path / "store" / "packs").iterdir())
    assert len(before) > 8 and len(after) <= 3
    assert after[-1] == before[-1]
    assert store.stored_bytes() < size / 3
    store.put(dead[:20])
    store.commit()
    assert not any(store.missing(ids(kept + dead[:20])))
    store.close()
    again = PackStore(tmp_path / "store", SMALL, clock=clock)
    assert again.problems == []
    assert [bytes(c.data) for c in again.get(ids(kept + dead[:20]))] == [
        bytes(c.data) for c in kept + dead[:20]
    ]
    assert list(again.verify()) == []
    again.rebuild_index()  # what is dead in packs that also hold what is kept comes back: harmless
    assert not any(again.missing(ids(kept + dead[:20])))
    again.close()


def test_a_store_beside_it_reads_on_and_finds_no_damage(tmp_path: Path):
    clock = ManualClock()
    kept, dead = filled(tmp_path / "store", clock)
    store = PackStore(tmp_path / "store", SMALL, clock=clock)
    beside = PackStore(tmp_path / "store", SMALL, readonly=True)
    reading = beside.get(ids(dead))
    next(reading)
    checking = beside.verify()
    under_way = threading.Thread(target=sweep, args=(store, ids(kept), clock))
    under_way.start()
    assert list(checking) == []
    under_way.join()
    assert list(beside.verify()) == []
    assert [bytes(c.data) for c in beside.get(ids(kept))] == [bytes(c.data) for c in kept]
    beside.close()
    store.close()


class Stopped(BaseException):
    """The process is no more."""


def test_durable_ack_a_sweep_that_is_killed_at_any_step_loses_nothing_that_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clock = ManualClock()
    kept, dead = filled(tmp_path / "filled", clock)
    late = made(1000, 3)
    step, died = 0, True
    while died:
        folder = tmp_path / f"step-{step}"
        shutil.copytree(tmp_path / "filled", folder)
        store = PackStore(folder, SMALL, clock=clock)
        left = step

        def strike(what: str, path: Path) -> None:
            nonlocal left
            if left == 0:
                raise Stopped(what, path)
            left -= 1

        store.put(late)
        store.commit()
        image = tmp_path / f"image-{step}"
        with monkeypatch.context() as patch:
            patch.setattr(durable, "fault_hook", strike)
            try:
                sweep(store, ids(kept), clock)
                died = False
            except Stopped:
                pass
        shutil.copytree(folder, image, ignore=shutil.ignore_patterns("*-shm"))
        store.close()
        again = PackStore(image, SMALL, clock=clock)
        assert again.problems == []
        assert [bytes(c.data) for c in again.get(ids(kept + late))] == [bytes(c.data) for c in kept + late]
        assert list(again.verify()) == []
        sweep(again, ids(kept), clock)
        again.put(dead)
        again.commit()
        assert not any(again.missing(ids(kept + late + dead)))
        assert list(again.verify()) == []
        again.close()
        shutil.rmtree(folder)
        shutil.rmtree(image)
        step += 1
    assert step > 8


def test_durable_ack_sweeps_beside_uploads_remove_nothing_young(tmp_path: Path):
    clock = ManualClock()
    _, dead = filled(tmp_path / "store", clock)
    store = PackStore(tmp_path / "store", SMALL, clock=clock)
    again = dead[:40]
    acknowledged: list[bytes] = []

    def upload() -> None:
        for at in range(0, 40, 2):
            fresh = made(5000 + at, 2)
            store.put(again[at : at + 2] + fresh)
            store.commit()
            acknowledged.extend(ids(again[at : at + 2] + fresh))

    uploading = threading.Thread(target=upload)
    uploading.start()
    while uploading.is_alive():
        sweep(store, [], clock)
    uploading.join()
    sweep(store, [], clock)
    assert not any(store.missing(acknowledged))
    assert len(list(store.get(acknowledged))) == len(acknowledged)
    assert store.raw_bytes() == store.count() * 504
    store.close()
    reopened = PackStore(tmp_path / "store", SMALL, clock=clock)
    assert reopened.problems == [] and list(reopened.verify()) == []
    assert not any(reopened.missing(acknowledged))
    assert reopened.raw_bytes() == reopened.count() * 504
    reopened.close()


def test_what_a_dead_sweep_has_left_is_in_nobodys_way(tmp_path: Path):
    clock = ManualClock()
    kept, dead = filled(tmp_path / "store", clock)
    (tmp_path / "store" / "sweep.sqlite").write_bytes(b"half a file")
    store = PackStore(tmp_path / "store", SMALL, clock=clock)
    assert sweep(store, ids(kept), clock) == Removed(len(dead), len(dead) * 504)
    assert not (tmp_path / "store" / "sweep.sqlite").exists()
    store.close()


def test_durable_ack_what_is_removed_between_look_up_and_append_is_appended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clock = ManualClock()
    _, dead = filled(tmp_path / "store", clock)
    store = PackStore(tmp_path / "store", SMALL, clock=clock)
    look_up = store._index.present
    swept: list[Removed] = []

    def slow(wanted: Iterable[bytes]) -> set[bytes]:
        found = look_up(wanted)
        if not swept:
            swept.append(Removed(0, 0))
            swept.append(sweep(store, [], clock))
        return found

    monkeypatch.setattr(store._index, "present", slow)
    store.put(dead[:5])
    store.commit()
    assert swept[-1].chunks == len(dead) + 6
    assert not any(store.missing(ids(dead[:5])))
    store.close()
