"""The receiving half of a fetch: asks for chunks in few calls, checks each, hands them over in order.

    with Receiver(hub, target, table, windows, limits) as receiver:
        for window in receiver.windows():
            for part in window.parts: ... receiver.next_chunk() ...

Rules: a thread of its own asks, decodes and checks ids (BLAKE3) while the caller writes and hashes (SHA-256);
what waits between them is bounded in bytes, whatever compresses how well; each chunk must be the one that
TABLE has at the place that was asked for. An error of either side stops both and is raised at the caller.
"""

import queue
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from core.errors import Corrupt
from core.limits import LIMITS, MIB, Limits
from node.subscribe.plan import LocalChunk, Source
from node.subscribe.records import File, Table
from node.subscribe.streams import wrong_chunk
from sync.compression import check_chunk
from sync.frames import unpack
from sync.manifest import VerifiedManifest
from sync.ports import HubApi, OrdinalRange, RecipeStream
from sync.recipe import TABLE_RECORD_BYTES

_BATCH_BYTES = 1 * MIB
_BATCHES_WAITING = 8
_POLL_S = 0.2


@dataclass(slots=True)
class Part:
    """A file of the new version, or a piece of a large one, and what must be done for it.

    Chunks come from the hub in order, but for those that `local` maps to places in old files. `origin` is
    what a link is made from: a path and, in the old version, its line. `descriptor` is open for writing where
    an earlier attempt left a usable beginning of `offset` bytes, hashed by `hasher`.
    """

    file: File
    source: Source
    first: int
    chunks: int
    begins: bool = True
    ends: bool = True
    complete: bool = False
    origin: tuple[str, int] | None = None
    local: dict[int, LocalChunk] | None = None
    descriptor: int | None = None
    offset: int = 0
    hasher: Any = None


@dataclass(slots=True)
class Window:
    """Parts that are fetched with one call, in order, and the ranges of that call."""

    parts: list[Part] = field(default_factory=list[Part])
    ranges: list[OrdinalRange] = field(default_factory=list[OrdinalRange])
    chunks: int = 0

    def ask(self, first: int, count: int) -> None:
        """Add places to what is fetched, merged with the range before where they follow it."""
        self.chunks += count
        if self.ranges and self.ranges[-1].first + self.ranges[-1].count == first:
            first, count = self.ranges[-1].first, self.ranges[-1].count + count
            self.ranges.pop()
        self.ranges.append(OrdinalRange(first, count))


class Receiver:
    """One fetch's thread and queue."""

    def __init__(
        self,
        hub: HubApi,
        target: VerifiedManifest,
        table: Table,
        windows: Iterator[Window],
        limits: Limits = LIMITS,
    ) -> None:
        self._hub = hub
        self._target = target
        self._table = table
        self._windows = windows
        self._limits = limits
        self._queue: queue.Queue[Window | list[bytes | memoryview] | BaseException | None] = queue.Queue(
            _BATCHES_WAITING
        )
        self._ready: deque[bytes | memoryview] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="receive", daemon=True)

    def windows(self) -> Iterator[Window]:
        """Each window when its fetch begins. Its remote chunks must be taken before the next one."""
        while True:
            item = self._take()
            if item is None:
                return
            if not isinstance(item, Window):
                raise wrong_chunk(self._target)
            yield item

    def next_chunk(self) -> bytes | memoryview:
        """The next remote chunk of the window, decoded and checked."""
        if not self._ready:
            item = self._take()
            if not isinstance(item, list):
                raise wrong_chunk(self._target)
            self._ready.extend(item)
        return self._ready.popleft()

    def chunk(self, ordinal: int) -> bytes | memoryview:
        """One chunk by a call of its own, where a local one turned out to be another."""
        for data in self._read([OrdinalRange(ordinal, 1)]):
            return data
        raise wrong_chunk(self._target)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _take(self) -> Window | list[bytes | memoryview] | None:
        item = self._queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def _put(self, item: Window | list[bytes | memoryview] | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
                return True
            except queue.Full:
                continue
        return False

    def _run(self) -> None:
        try:
            for window in self._windows:
                if not self._put(window) or not self._receive(window):
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 -- raised again where the caller waits
            self._put(error)

    def _receive(self, window: Window) -> bool:
        batch: list[bytes | memoryview] = []
        size = 0
        try:
            for data in self._read(window.ranges):
                batch.append(data)
                size += len(data)
                if size >= _BATCH_BYTES:
                    if not self._put(batch):
                        return False
                    batch, size = [], 0
        except BaseException:
            if batch:
                self._put(batch)  # what arrived before the stream broke is not fetched again
            raise
        return not batch or self._put(batch)

    def _read(self, ranges: list[OrdinalRange]) -> Iterator[bytes | memoryview]:
        table, record = self._table, TABLE_RECORD_BYTES
        for at in range(0, len(ranges), self._limits.read_ranges_count_max):
            asked = ranges[at : at + self._limits.read_ranges_count_max]
            expected = (ordinal for one in asked for ordinal in range(one.first, one.first + one.count))
            frames = self._hub.read_blobs(
                self._target.manifest.dataset, self._target.id, RecipeStream.CONTENT, asked
            )
            for frame in frames:
                for chunk in unpack(frame, self._limits):
                    place = next(expected, -1) * record
                    wanted = table[place : place + record] if place >= 0 else b""
                    if chunk.id + chunk.raw_bytes.to_bytes(4, "little") != wanted:
                        raise wrong_chunk(self._target)
                    yield check_chunk(chunk, self._limits)
            if next(expected, None) is not None:
                raise Corrupt(
                    f"the hub ended early while sending {self._target.manifest.dataset}",
                    remedy="the next pass goes on from there",
                    reason="WRONG_CHUNK",
                )
