"""Hear of changes in published folders as they happen; a hint for when to scan, never the truth.

Rules: only created, modified, closed after writing, moved and deleted are asked for (everything else would
drown the kernel's queue, see MEASURED); on network file systems, and where the kernel has no watches left,
there are no events and the scan alone finds changes, which is said loudly; an event makes a dataset dirty,
and a pass is due when it has been quiet for a moment, or has been busy for long.

    watcher = Watcher(clock, on_change=wake)
    watcher.watch(dataset, path)         # False: this one is scanned only
    due = watcher.take_due()             # datasets whose turn has come
    watcher.close()
"""

import errno
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from core.clock import Clock
from core.logs import get_logger
from core.names import DatasetId
from node.folder import filesystem_type

EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]

_NETWORK = (
    "nfs",
    "cifs",
    "smb",
    "9p",
    "fuse",
    "afs",
    "ceph",
    "gluster",
    "lustre",
    "gpfs",
    "glusterfs",
    "virtiofs",
)
_QUIET_S = 0.2
_BUSY_S_MAX = 10.0

_log = get_logger("node.watch")


def is_network_filesystem(path: Path) -> bool:
    """Whether changes to `path` by other machines reach this kernel's watches only by luck."""
    return filesystem_type(path).startswith(_NETWORK)


@dataclass(slots=True)
class _Dirty:
    """Pure debounce: when the first and the last event came."""

    first: float
    last: float

    def is_due(self, now: float) -> bool:
        return now - self.last >= _QUIET_S or now - self.first >= _BUSY_S_MAX


class Debounce:
    """Which datasets have become quiet again after a change. Pure but for its lock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._dirty: dict[DatasetId, _Dirty] = {}
        self._lock = threading.Lock()

    def mark(self, dataset: DatasetId) -> None:
        """An event came."""
        now = self._clock.monotonic()
        with self._lock:
            entry = self._dirty.get(dataset)
            if entry is None:
                self._dirty[dataset] = _Dirty(now, now)
            else:
                entry.last = now

    def take_due(self) -> list[DatasetId]:
        """The datasets whose turn has come, each once."""
        now = self._clock.monotonic()
        with self._lock:
            due = [dataset for dataset, entry in self._dirty.items() if entry.is_due(now)]
            for dataset in due:
                del self._dirty[dataset]
        return due

    def next_due_s(self) -> float | None:
        """Seconds until a dataset may become due; None when none is dirty."""
        now = self._clock.monotonic()
        with self._lock:
            ends = [min(e.last + _QUIET_S, e.first + _BUSY_S_MAX) for e in self._dirty.values()]
        return max(0.0, min(ends) - now) if ends else None


@dataclass(frozen=True, slots=True)
class Refused:
    """A folder that could not be watched."""

    why: str
    remedy: str


class Watcher:
    """Watches folders with the kernel's help. `on_change` is called from the watching thread."""

    def __init__(
        self,
        clock: Clock,
        on_change: Callable[[], None] | None = None,
        *,
        make_observer: Callable[[], BaseObserver] = Observer,
    ) -> None:
        self._debounce = Debounce(clock)
        self._on_change = on_change
        self._make_observer = make_observer
        self._observer: BaseObserver | None = None
        self._watches: dict[DatasetId, ObservedWatch] = {}
        #: Datasets of which no events come: on network file systems, and those that were refused.
        self.unwatched: set[DatasetId] = set()
        #: Datasets that should be watched and could not be, and what to do about it.
        self.refused: dict[DatasetId, Refused] = {}

    def watch(self, dataset: DatasetId, path: Path) -> bool:
        """Start to watch `path`; False (and a warning) where only scans can find changes."""
        self.refused.pop(dataset, None)
        self.unwatched.discard(dataset)
        if is_network_filesystem(path):
            self.unwatched.add(dataset)
            _log.warning(
                "on a network file system changes are found by scans only",
                dataset=dataset,
                path=str(path),
                remedy="set scan_every_s of the dataset to how late you want to know",
            )
            return False
        try:
            observer = self._running()
            self._watches[dataset] = observer.schedule(
                _Handler(self._heard, dataset), str(path), recursive=True, event_filter=EVENTS
            )
        except OSError as error:
            self.unwatched.add(dataset)
            why = f"{path} cannot be watched ({error.strerror or error}): changes are found by scans only"
            self.refused[dataset] = Refused(why, _remedy(error))
            _log.warning(
                "changes are found by scans only: the folder cannot be watched",
                dataset=dataset,
                path=str(path),
                error=str(error),
                remedy=_remedy(error),
            )
            return False
        return True

    def is_watched(self, dataset: DatasetId) -> bool:
        """Whether events arrive for `dataset`; a watcher that died hears nothing more."""
        return dataset in self._watches and self._observer is not None and self._observer.is_alive()

    @property
    def has_died(self) -> bool:
        """Whether events came, and no more will."""
        return self._observer is not None and not self._observer.is_alive()

    def take_due(self) -> list[DatasetId]:
        """The datasets that changed and have come to rest since they were last taken."""
        return self._debounce.take_due()

    def next_due_s(self) -> float | None:
        """Seconds until `take_due` may give something; None when nothing changed."""
        return self._debounce.next_due_s()

    def close(self) -> None:
        """Stop watching everything."""
        self._watches.clear()
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(5.0)
            self._observer = None

    def _running(self) -> BaseObserver:
        if self._observer is None:
            self._observer = self._make_observer()
            self._observer.start()
        return self._observer

    def _heard(self, dataset: DatasetId) -> None:
        self._debounce.mark(dataset)
        if self._on_change is not None:
            self._on_change()


class _Handler(FileSystemEventHandler):
    def __init__(self, heard: Callable[[DatasetId], None], dataset: DatasetId) -> None:
        self._heard = heard
        self._dataset = dataset

    def on_any_event(self, event: FileSystemEvent) -> None:
        del event
        self._heard(self._dataset)


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EMFILE):
        return "raise the kernel's limit: sysctl fs.inotify.max_user_watches=1048576 (and max_user_instances)"
    return "check the folder and its rights; it is scanned every scan_every_s"
