"""`resumes` and `durable_ack` as the sender's side keeps them."""

import os
import threading
from collections.abc import Iterator, Sequence
from random import Random

import pytest

from core.errors import Corrupt, Denied, SynclineError, Unavailable
from core.limits import Limits
from sync.chunking import chunk_id
from sync.compression import decode
from sync.frames import unpack
from sync.ports import ChunkId
from sync.stores.memory import MemoryStore
from sync.upload import BlobUploader

SMALL = Limits(
    chunk_bytes_min=64, chunk_bytes_avg=256, chunk_bytes_max=1024, frame_bytes_max=4096,
    frames_in_flight_max=4, find_missing_count_max=16, retry_first_s=0.001, retry_max_s=0.002,
)  # fmt: skip


class FakeHub:
    """Stores frames; breaks as told. `breaks[n]` is the number of frames that stream n takes before it
    breaks."""

    def __init__(self, breaks: Sequence[int] = (), *, stored_anyway: bool = False) -> None:
        self.store = MemoryStore(SMALL)
        self.breaks = list(breaks)
        self.stored_anyway = stored_anyway
        self.questions_fail = 0
        self.frames_taken = 0
        self.received_twice = 0
        self.streams = 0
        self.denied: SynclineError | None = None

    def find_missing(self, ids: Sequence[ChunkId]) -> list[bool]:
        assert 0 < len(ids) <= SMALL.find_missing_count_max
        if self.questions_fail:
            self.questions_fail -= 1
            raise Unavailable("no connection")
        return self.store.missing(ids)

    def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
        self.streams += 1
        last = self.breaks.pop(0) if self.breaks else None
        for number, frame in enumerate(frames):
            if self.denied:
                raise self.denied
            assert len(frame) <= SMALL.frame_bytes_max
            self.frames_taken += 1
            if number == last:
                if self.stored_anyway:
                    self._keep(frame)
                raise Unavailable("connection lost")
            self._keep(frame)
            yield number + 1

    def _keep(self, frame: bytes) -> None:
        chunks = unpack(frame, SMALL)
        self.received_twice += sum(not lacks for lacks in self.store.missing([c.id for c in chunks]))
        self.store.put(chunks)
        self.store.commit()


def chunks(count: int, seed: int = 1) -> list[tuple[ChunkId, bytes]]:
    random = Random(seed)
    datas = [random.randbytes(random.randint(1, 1024)) for _ in range(count)]
    return [(chunk_id(data), data) for data in datas]


def upload(hub: FakeHub, content: list[tuple[ChunkId, bytes]], **options: object):
    with BlobUploader(hub, SMALL, random=Random(1), **options) as uploader:
        for id_, data in content:
            uploader.add(id_, data)
        return uploader.finish()


def assert_all_there(hub: FakeHub, content: list[tuple[ChunkId, bytes]]) -> None:
    got = hub.store.get([id_ for id_, _ in content])
    assert [bytes(decode(chunk, SMALL)) for chunk in got] == [data for _, data in content]


def test_finish_returns_when_everything_is_durable_and_each_chunk_was_sent_once():
    hub, content = FakeHub(), chunks(200)
    settled: list[int] = []
    stats = upload(hub, content + content[:50], progress=settled.append)
    assert_all_there(hub, content)
    assert (stats.chunks, stats.sent_chunks, stats.repeated_bytes) == (200, 200, 0)
    assert sum(settled) == sum(len(data) for _, data in content)


def test_what_the_hub_has_is_not_sent():
    hub, content = FakeHub(), chunks(100)
    upload(hub, content[:60])
    stats = upload(hub, content)
    assert (stats.chunks, stats.sent_chunks) == (100, 40)


def test_nothing_to_send_opens_no_stream():
    hub = FakeHub()
    assert upload(hub, []).chunks == 0
    content = chunks(5)
    upload(hub, content)
    upload(hub, content)
    assert hub.streams == 1


@pytest.mark.parametrize("stored_anyway", [False, True])
def test_resumes_repeating_at_most_one_frame_a_stream(stored_anyway: bool):
    hub, content = FakeHub(breaks=[0, 3, 1, 7], stored_anyway=stored_anyway), chunks(300)
    stats = upload(hub, content)
    assert_all_there(hub, content)
    assert hub.received_twice == 0
    assert stats.repeated_bytes <= 4 * SMALL.frame_bytes_max
    if stored_anyway:
        assert stats.repeated_bytes == 0


def test_a_question_that_fails_is_asked_again():
    hub, content = FakeHub(), chunks(100)
    hub.questions_fail = 3
    upload(hub, content)
    assert_all_there(hub, content)


def test_gives_up_after_retries_without_progress():
    hub = FakeHub(breaks=[0] * 100)
    with pytest.raises(Unavailable, match="connection lost"):
        upload(hub, chunks(20), retries=3)
    assert hub.streams == 4


def test_a_full_hub_is_said_at_once():
    """Trying again within seconds is in vain: a person must free space first."""
    hub = FakeHub()
    hub.denied = Unavailable("the hub's disk is full", reason="DISK_FULL")
    with pytest.raises(Unavailable, match="disk is full"):
        upload(hub, chunks(20))
    assert hub.streams == 1


def test_denied_is_raised_at_once():
    hub = FakeHub()
    hub.denied = Denied("suspended")
    with pytest.raises(Denied):
        upload(hub, chunks(20))
    assert hub.streams == 1


def test_an_acknowledgement_of_what_was_not_sent_is_refused():
    class Liar(FakeHub):
        def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
            next(frames)
            yield 2

    with pytest.raises(Corrupt):
        upload(Liar(), chunks(3))


def test_an_early_end_of_the_stream_is_not_taken_for_success():
    class Deaf(FakeHub):
        def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
            for _ in frames:
                pass
            yield from ()

    with pytest.raises(Unavailable, match="ended an upload early"):
        upload(Deaf(), chunks(3), retries=2)


def test_add_blocks_while_the_hub_is_slow_and_close_ends_it():
    release = threading.Event()

    class Slow(FakeHub):
        def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
            release.wait()
            yield from super().update_blobs(frames)

    uploader = BlobUploader(Slow(), SMALL)
    for id_, data in chunks(10):
        uploader.add(id_, data)
    release.set()
    uploader.close()
    with pytest.raises(SynclineError, match="aborted"):
        uploader.add(os.urandom(32), b"x")


def test_an_idle_stream_ends_and_what_comes_later_opens_another(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sync.upload._IDLE_S", 0.01)
    ended = threading.Event()

    class Watched(FakeHub):
        def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
            yield from super().update_blobs(frames)
            ended.set()

    hub, content = Watched(), chunks(2 * SMALL.find_missing_count_max)
    half = len(content) // 2
    with BlobUploader(hub, SMALL) as uploader:
        for id_, data in content[:half]:
            uploader.add(id_, data)
        assert ended.wait(10)
        for id_, data in content[half:]:
            uploader.add(id_, data)
        stats = uploader.finish()
    assert_all_there(hub, content)
    assert (hub.streams >= 2, stats.repeated_bytes) == (True, 0)
