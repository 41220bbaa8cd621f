"""How much content moves: counted where frames pass, by dataset and direction, in the last minute and in all.

Rules: a rate is what moved in the last minute over the time that it did (five seconds at the least), and 0
when nothing did; counting costs a frame a lock and an addition; memory is bounded by the datasets that moved
within the minute.

    meter = Meter(clock.monotonic)
    hub = metered(hub, meter, dataset)          # what is sent through it counts for `dataset`
    meter.rate(UP), meter.rate(DOWN, dataset), meter.total(UP)
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, cast

from core.names import DatasetId
from sync.ports import HubApi, OrdinalRange, RecipeStream

Direction = Literal["up", "down"]
UP: Direction = "up"
DOWN: Direction = "down"

_WINDOW_S = 60.0
_STEP_S = 5.0


class Meter:
    """See the module. Methods may be called from any thread."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._steps: dict[tuple[Direction, str], deque[tuple[float, int]]] = {}
        self._totals: dict[Direction, int] = {UP: 0, DOWN: 0}

    def note(self, direction: Direction, dataset: str, count: int) -> None:
        """`count` bytes have moved."""
        now = self._monotonic()
        with self._lock:
            self._totals[direction] += count
            steps = self._steps.setdefault((direction, dataset), deque())
            if steps and now - steps[-1][0] < _STEP_S:
                steps[-1] = (steps[-1][0], steps[-1][1] + count)
            else:
                steps.append((now, count))
                self._forget(steps, now)

    def rate(self, direction: Direction, dataset: str | None = None) -> int:
        """Bytes a second; of all datasets unless one is named."""
        now = self._monotonic()
        with self._lock:
            for key in list(self._steps):
                self._forget(self._steps[key], now)
                if not self._steps[key]:
                    del self._steps[key]
            wanted = [
                steps
                for (way, name), steps in self._steps.items()
                if way == direction and dataset in (None, name)
            ]
            if not wanted:
                return 0
            since = now - min(steps[0][0] for steps in wanted)
            moved = sum(count for steps in wanted for _, count in steps)
        return round(moved / min(max(since, _STEP_S), _WINDOW_S))

    def total(self, direction: Direction) -> int:
        """Bytes since this process began."""
        with self._lock:
            return self._totals[direction]

    def _forget(self, steps: deque[tuple[float, int]], now: float) -> None:
        while steps and now - steps[0][0] >= _WINDOW_S:
            steps.popleft()


class _MeteredHub:
    """A hub whose content is counted as it passes."""

    def __init__(self, hub: HubApi, meter: Meter, sends: str) -> None:
        self._hub = hub
        self._meter = meter
        self._sends = sends

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hub, name)

    def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
        def counted() -> Iterator[bytes]:
            for frame in frames:
                self._meter.note(UP, self._sends, len(frame))
                yield frame

        return self._hub.update_blobs(counted())

    def read_blobs(
        self, dataset: DatasetId, manifest_id: str, stream: RecipeStream, ranges: Sequence[OrdinalRange]
    ) -> Iterator[memoryview | bytes]:
        for frame in self._hub.read_blobs(dataset, manifest_id, stream, ranges):
            self._meter.note(DOWN, dataset, len(frame))
            yield frame


def metered(hub: HubApi, meter: Meter, sends: str = "") -> HubApi:
    """`hub`, with what it carries noted by `meter`; what is sent counts for the dataset `sends`."""
    return cast("HubApi", _MeteredHub(hub, meter, sends))
