"""Send chunks to the hub while they are being produced: ask, compress, send, await durable acknowledgements.

Rules: `finish` returns when everything offered is durable at the hub, and not before; a broken stream or an
unanswered question is taken up again by itself as long as that makes progress; every other error, and
`Unavailable` after `retries` failures in a row, is raised from `add` or `finish`. Memory is bounded by what
is under way.

    with BlobUploader(api, limits) as uploader:
        uploader.add(id, data)                 # blocks while too much is under way
        stats = uploader.finish()              # everything is durable at the hub

Two threads ask and compress, one sends; `sync.transfer` decides what. A link that is faster than
compression gets raw chunks.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol, Self

from core.clock import Clock, SystemClock
from core.errors import Conflict, Unavailable
from core.limits import KIB, LIMITS, MIB, Limits
from sync.bandwidth import LinkRate, TokenBucket
from sync.compression import WORTH
from sync.frames import pack_frame
from sync.ports import ChunkId
from sync.retry import Backoff
from sync.transfer import Frame, Question, Transfer, encode_missing

Progress = Callable[[int], None]
"""Called from `add` and `finish` with the uncompressed bytes that have become durable at the hub since the
last call."""

_HELD_BYTES_MAX = 96 * MIB
_HANDED_BYTES = 512 * KIB  # chunks are handed to the other threads in batches of this size
_HANDED_COUNT = 64
_ASKERS = 2
_ZSTD_BYTES_PER_S = 200e6  # level 1, one core, compressible data; measured
_IDLE_S = 5.0  # a stream with nothing to carry for this long is ended
_JOIN_S = 2.0
_IN_VAIN = ("DISK_FULL", "DISK_FAILED")  # a person must do something first


class BlobApi(Protocol):
    """The two questions of `HubApi` that an upload needs."""

    def find_missing(self, ids: Sequence[ChunkId]) -> Sequence[bool]: ...

    def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]: ...


@dataclass(frozen=True, slots=True)
class UploadStats:
    """What a session did: distinct chunks offered, chunks sent, bytes of frames sent, bytes of them sent
    again."""

    chunks: int
    sent_chunks: int
    sent_bytes: int
    repeated_bytes: int


class BlobUploader:
    """One upload session. `add` and `finish` are called by one thread; both raise what went wrong.

    `bandwidth` limits the bytes sent, `progress` hears of what is done. `clock` and `random` are for tests.
    """

    def __init__(
        self,
        api: BlobApi,
        limits: Limits = LIMITS,
        bandwidth: TokenBucket | None = None,
        progress: Progress | None = None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        retries: int = 5,
    ) -> None:
        self._api = api
        self._limits = limits
        self._bandwidth = bandwidth
        self._progress = progress
        self._retries = retries
        self._backoff = Backoff(limits, random=random or Random())  # noqa: S311 - spreads retries
        self._clock = clock or SystemClock()
        self._link = LinkRate()
        self._transfer = Transfer(limits)
        self._reported_bytes = 0
        self._batch: list[tuple[ChunkId, bytes]] = []  # offered, not yet handed to the transfer
        self._batch_bytes = 0
        self._batch_count = min(_HANDED_COUNT, max(1, limits.find_missing_count_max // 4))
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._error: BaseException | None = None
        self._stream = 0  # number of the present stream; the frames of an older one end
        self._threads = [
            threading.Thread(target=self._work, args=(work,), name=f"upload-{name}", daemon=True)
            for name, work in [("send", self._send), *[("ask", self._ask)] * _ASKERS]
        ]
        self._started = False

    def add(self, id: ChunkId, data: bytes | memoryview) -> None:  # noqa: A002
        """Offer a chunk. Blocks while too much is under way; copies `data` where it is a view."""
        self._raise()
        self._batch.append((id, data if isinstance(data, bytes) else bytes(data)))
        self._batch_bytes += len(data)
        if self._batch_bytes >= _HANDED_BYTES or len(self._batch) >= self._batch_count:
            self._hand_over()

    def _hand_over(self) -> None:
        # For many small chunks the lock and waking threads would cost more than hashing does.
        self._start()
        with self._changed:
            while self._error is None and self._transfer.held_bytes > _HELD_BYTES_MAX:
                self._changed.wait()
            self._raise()
            for chunk, data in self._batch:
                self._transfer.offer(chunk, data)
            self._batch, self._batch_bytes = [], 0
            if self._transfer.question_due:
                self._changed.notify_all()
        self._report()

    def finish(self) -> UploadStats:
        """Wait until everything offered is durable at the hub."""
        if self._batch:
            self._hand_over()
        with self._changed:
            self._transfer.flush()
            self._changed.notify_all()
        settled = False
        while not settled:
            with self._changed:
                settled = self._transfer.settled
                if not settled:
                    self._changed.wait()
                self._raise()
            self._report()
        self.close()
        counts = self._transfer.counts
        return UploadStats(counts.chunks, counts.sent_chunks, counts.sent_bytes, counts.repeated_bytes)

    def close(self) -> None:
        """End the session; aborts it when it is not finished. What was acknowledged stays at the hub."""
        with self._changed:
            if self._error is None and not self._transfer.settled:
                self._error = Conflict("the upload was aborted", reason="ABORTED")
            self._stopped.set()
            self._stream += 1
            self._changed.notify_all()
        if self._started:
            for thread in self._threads:
                thread.join(_JOIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _report(self) -> None:
        if self._progress is not None:
            settled = self._transfer.counts.settled_bytes
            if settled > self._reported_bytes:
                self._progress(settled - self._reported_bytes)
                self._reported_bytes = settled

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again from add and finish
            with self._changed:
                if self._error is None:
                    self._error = error
                self._stopped.set()
                self._changed.notify_all()

    def _ask(self) -> None:
        while (question := self._next_question()) is not None:
            try:
                missing = self._api.find_missing(question.ids)
            except Unavailable as error:
                with self._changed:
                    self._transfer.unanswered(question)
                self._pause(error)
                continue
            encode_missing(question, missing, max(WORTH, self._link.bytes_per_s / _ZSTD_BYTES_PER_S))
            with self._changed:
                before = self._transfer.counts.settled_bytes
                self._transfer.answer(question, missing)
                if self._transfer.counts.settled_bytes > before:
                    self._backoff.reset()  # to be told again that something is missing is no progress
                self._changed.notify_all()

    def _next_question(self) -> Question | None:
        with self._changed:
            while not self._stopped.is_set():
                question = self._transfer.next_question()
                if question is not None:
                    return question
                self._changed.wait()
        return None

    def _send(self) -> None:
        while not self._stopped.is_set():
            first = self._next_frame(self._stream, idle_s=None)
            if first is None:
                continue
            broken: Unavailable | None = None
            try:
                for durable_frames in self._api.update_blobs(self._frames(first, self._stream)):
                    self._acknowledged(durable_frames)
            except Unavailable as error:
                broken = error
            with self._changed:
                self._stream += 1
                if self._transfer.in_flight and broken is None:
                    broken = Unavailable("the hub ended an upload early", reason="STREAM_ENDED")
                self._transfer.stream_broke()
                self._changed.notify_all()
            if broken is not None:
                self._pause(broken)

    def _frames(self, first: Frame, stream: int) -> Iterator[bytes]:
        """The frames of one stream; the time that each takes to be accepted tells how fast the link is."""
        frame: Frame | None = first
        while frame is not None:
            data = pack_frame(frame.chunks, self._limits)
            if self._bandwidth is not None:
                self._bandwidth.wait(len(data))
            begin = self._clock.monotonic()
            yield data
            self._link.record(len(data), self._clock.monotonic() - begin)
            frame = self._next_frame(stream, idle_s=_IDLE_S)

    def _next_frame(self, stream: int, idle_s: float | None) -> Frame | None:
        """Wait for a frame; None when the stream is to end: nothing is left, it is over, or idle."""
        with self._changed:
            while not self._stopped.is_set() and stream == self._stream:
                frame = self._transfer.next_frame()
                if frame is not None:
                    return frame
                if self._transfer.all_sent and idle_s is not None:
                    return None
                begin, full = self._clock.monotonic(), self._transfer.window_full
                changed = self._changed.wait(idle_s)
                if full:
                    self._link.record(0, self._clock.monotonic() - begin)
                if not changed and not self._transfer.in_flight:
                    return None
        return None

    def _acknowledged(self, durable_frames: int) -> None:
        with self._changed:
            if self._transfer.acknowledge(durable_frames):
                self._backoff.reset()
                self._changed.notify_all()

    def _pause(self, error: Unavailable) -> None:
        """Wait before trying again, or give up after too many failures without progress."""
        with self._changed:
            if self._backoff.failures >= self._retries or error.reason in _IN_VAIN:
                raise error
            seconds = self._backoff.next_s()
        self._stopped.wait(seconds)
