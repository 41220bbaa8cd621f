"""What every chunk store keeps, whatever it stands on."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from core.clock import SystemClock
from core.errors import Corrupt, Denied, Unavailable
from core.limits import Limits
from sync.chunking import chunk_id
from sync.compression import ZSTD, decode, encode
from sync.ports import ChunkStore, Removed, StoredChunk
from sync.stores.memory import MemoryStore
from sync.stores.packs import PackStore

SMALL = Limits(
    chunk_bytes_min=64,
    chunk_bytes_avg=256,
    chunk_bytes_max=1024,
    frame_bytes_max=4096,
    pack_bytes_max=8192,
    disk_reserve_bytes=0,
)

Open = Callable[[], ChunkStore]


@pytest.fixture(params=["memory", "packs"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    memory = MemoryStore(SMALL)
    opened: list[ChunkStore] = []

    def open_it() -> ChunkStore:
        for store in opened:
            store.close()
        opened.append(memory if request.param == "memory" else PackStore(tmp_path / "store", SMALL))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Open) -> ChunkStore:
    return open_store()


def chunk(number: int, size: int = 300) -> StoredChunk:
    data = number.to_bytes(4, "big") + bytes((number * 7 + at * at) % 251 for at in range(size - 4))
    return encode(chunk_id(data), data)


def raw(number: int) -> StoredChunk:
    data = number.to_bytes(4, "big") * 40
    return StoredChunk(chunk_id(data), 0, len(data), data)


def contents(chunks: Iterator[StoredChunk]) -> list[bytes]:
    return [bytes(decode(each, SMALL)) for each in chunks]


def test_gives_back_what_was_put_in_the_order_asked(store: ChunkStore):
    put = [chunk(n) for n in range(100)]
    store.put(put)
    store.commit()
    asked = [put[n] for n in (5, 99, 0, 5, 42, *range(100))]
    assert contents(store.get([c.id for c in asked])) == contents(iter(asked))


def test_durable_ack_what_is_not_committed_is_missing(store: ChunkStore):
    one, two = chunk(1), chunk(2)
    store.put([one])
    assert store.missing([one.id, two.id]) == [True, True]
    store.commit()
    assert store.missing([one.id, two.id, one.id]) == [False, True, False]


def test_durable_ack_what_was_committed_is_there_after_reopening(open_store: Open):
    put = [chunk(n) for n in range(60)]
    store = open_store()
    store.put(put[:30])
    store.commit()
    store.put(put[30:])
    store.commit()
    again = open_store()
    assert not any(again.missing([c.id for c in put]))
    assert contents(again.get([c.id for c in put])) == contents(iter(put))


def test_asking_for_nothing_and_putting_nothing(store: ChunkStore):
    store.put([])
    store.commit()
    assert store.missing([]) == []
    assert list(store.get([])) == []
    assert list(store.verify()) == []


def test_a_missing_chunk_says_so(store: ChunkStore):
    store.put([chunk(1)])
    store.commit()
    got = store.get([chunk(1).id, chunk(2).id])
    assert next(got).id == chunk(1).id
    with pytest.raises(Unavailable) as caught:
        next(got)
    assert caught.value.reason == "MISSING_CHUNKS"


def test_putting_twice_changes_nothing(store: ChunkStore):
    for _ in range(3):
        store.put([raw(1), raw(1)])
        store.commit()
    assert contents(store.get([raw(1).id])) == contents(iter([raw(1)]))
    assert list(store.verify()) == []


@pytest.mark.parametrize(
    "forged",
    [
        StoredChunk(chunk_id(b"x" * 100), 0, 100, b"y" * 100),
        StoredChunk(chunk_id(b"x" * 100), 0, 100, b"x" * 99),
        StoredChunk(chunk_id(b"x" * 2000), 0, 2000, b"x" * 2000),
        StoredChunk(chunk_id(b""), 0, 0, b""),
        StoredChunk(chunk_id(b"x" * 100), 1, 100, b"not zstd"),
        StoredChunk(chunk_id(b"x" * 100), 2, 100, b"x" * 100),
        StoredChunk(chunk_id(b"x" * 100), ZSTD, 100, zstandard.compress(b"x" * 100_000_000)),
    ],
    ids=["other-bytes", "short", "too-large", "empty", "no-zstd", "unknown-codec", "zip-bomb"],
)
def test_a_chunk_that_is_not_what_it_says_is_refused_and_leaves_nothing(
    store: ChunkStore, forged: StoredChunk
):
    with pytest.raises(Corrupt):
        store.put([forged])
    store.commit()
    assert store.missing([forged.id]) == [True]


def test_views_may_be_used_again_after_put(store: ChunkStore):
    data = bytearray(b"a" * 200)
    one = StoredChunk(chunk_id(data), 0, 200, memoryview(data))
    store.put([one])
    data[:] = b"b" * 200
    store.commit()
    assert contents(store.get([one.id])) == [b"a" * 200]


def test_many_threads_put_commit_and_read_at_once(store: ChunkStore):
    failed: list[BaseException] = []

    def work(lane: int) -> None:
        try:
            for turn in range(10):
                mine = [chunk(lane * 1000 + turn * 10 + n) for n in range(10)] + [raw(turn)]
                store.put(mine)
                store.commit()
                assert not any(store.missing([c.id for c in mine]))
                assert contents(store.get([c.id for c in mine])) == contents(iter(mine))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(lane,)) for lane in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert list(store.verify()) == []


def test_counts_uncompressed_bytes_and_each_chunk_once(open_store: Open):
    store = open_store()
    store.put([chunk(1, 300), chunk(2, 400), chunk(1, 300)])
    assert store.raw_bytes() == 700
    store.commit()
    store.put([chunk(2, 400), chunk(3, 500)])
    assert store.raw_bytes() == 1200
    store.commit()
    assert store.raw_bytes() == 1200
    assert open_store().raw_bytes() == 1200


def test_what_would_exceed_the_quota_is_refused_whole_and_what_is_held_stays(store: ChunkStore):
    store.put([chunk(1, 300)], raw_bytes_max=1000)
    store.put([chunk(2, 700), chunk(1, 300)], raw_bytes_max=1000)
    with pytest.raises(Denied) as caught:
        store.put([chunk(3, 100), chunk(1, 300), chunk(4, 200)], raw_bytes_max=1000)
    assert caught.value.reason == "QUOTA_EXCEEDED"
    assert "1,000 of 1,000" in caught.value.message and "300 more" in caught.value.message
    store.put([chunk(1, 300)], raw_bytes_max=0)  # is here already: needs no room
    store.commit()
    ids = [chunk(n, size).id for n, size in ((1, 300), (2, 700), (3, 100), (4, 200))]
    assert store.missing(ids) == [False, False, True, True]
    store.put([chunk(3, 100)], raw_bytes_max=1100)
    store.commit()
    assert store.raw_bytes() == 1100


def test_the_quota_holds_for_many_putters_at_once(store: ChunkStore):
    refused: list[Denied] = []

    def put(first: int) -> None:
        for number in range(first, first + 20):
            try:
                store.put([chunk(number % 60, 200)], raw_bytes_max=20 * 200)
                store.commit()
            except Denied as error:
                refused.append(error)

    threads = [threading.Thread(target=put, args=(n * 15,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused
    held = sum(not missing for missing in store.missing([chunk(n, 200).id for n in range(60)]))
    assert (held, store.raw_bytes()) == (20, 4000)


# --- sweeping --------------------------------------------------------------------------------------


class _Clock(SystemClock):
    """Says what it is told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture(params=["memory", "packs"])
def aging(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[ChunkStore, _Clock]]:
    clock = _Clock()
    store: ChunkStore = (
        MemoryStore(SMALL, clock=clock)
        if request.param == "memory"
        else PackStore(tmp_path / "store", SMALL, clock=clock)
    )
    yield store, clock
    store.close()


def stored(store: ChunkStore, numbers: range) -> list[bytes]:
    put = [chunk(n) for n in numbers]
    store.put(put)
    store.commit()
    return [each.id for each in put]


def swept(store: ChunkStore, kept: list[bytes], before: datetime) -> Removed:
    with store.sweep() as sweep:
        sweep.keep(kept)
        sweep.choose(before)
        return sweep.remove()


def test_a_sweep_removes_what_is_old_and_not_kept(aging: tuple[ChunkStore, _Clock]):
    store, clock = aging
    old = stored(store, range(60))
    clock.time += timedelta(days=1)
    young = stored(store, range(60, 80))
    removed = swept(store, old[:7], clock.time)
    assert removed == Removed(53, 53 * 300)
    assert store.missing(old) == [False] * 7 + [True] * 53
    assert not any(store.missing(young))
    assert len(list(store.get(old[:7] + young))) == 27
    assert store.raw_bytes() == 27 * 300
    with pytest.raises(Unavailable) as gone:
        list(store.get(old[7:8]))
    assert gone.value.reason == "MISSING_CHUNKS"
    stored(store, range(60))
    assert not any(store.missing(old))
    assert contents(store.get(old)) == contents(iter([chunk(n) for n in range(60)]))
    assert list(store.verify()) == []
    assert swept(store, [], clock.time) == Removed(0, 0)


def test_durable_ack_what_is_put_again_lives_on_from_then(aging: tuple[ChunkStore, _Clock]):
    store, clock = aging
    ids = stored(store, range(4))
    clock.time += timedelta(days=1)
    store.put([chunk(0)])
    with store.sweep() as sweep:
        store.put([chunk(1)])
        assert sweep.choose(clock.time) >= 2
        store.commit()
        store.put([chunk(2)])  # not even durable yet
        sweep.remove()
    store.commit()
    assert store.missing(ids) == [False, False, False, True]
    assert swept(store, [], clock.time) == Removed(0, 0)


def test_what_is_kept_late_is_not_removed(aging: tuple[ChunkStore, _Clock]):
    store, clock = aging
    ids = stored(store, range(4))
    with store.sweep() as sweep:
        sweep.keep(ids[:1])
        assert sweep.choose(clock.time + timedelta(days=1)) == 3
        sweep.keep(ids[2:3])
        assert sweep.remove().chunks == 2
    assert store.missing(ids) == [False, True, False, True]


def test_nothing_is_removed_where_something_to_keep_is_not_there(aging: tuple[ChunkStore, _Clock]):
    store, clock = aging
    ids = stored(store, range(4))
    with store.sweep() as sweep, pytest.raises(Corrupt) as refused:
        sweep.keep([ids[0], chunk(99).id])
        sweep.choose(clock.time + timedelta(days=1))
    assert refused.value.reason == "MISSING_KEPT"
    assert not any(store.missing(ids))
