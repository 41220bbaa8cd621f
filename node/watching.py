"""The daemon's eyes on the published folders: who is watched how, since when all was compared, what is amiss.

Rules: a folder is watched from when it first is there (a disk may be mounted late); a watcher that has died
is replaced, and everything is looked at once, since nobody knows what it missed; where the kernel gives no
events the scan alone finds changes, which the report says; a folder that was not compared for three of its
periods is told, too.

    watching = Watching(clock, partner, wake)
    watching.begin(sections)                # and again when the settings have changed
    watching.turn(stop, 1.0)                # waits a turn, wakes the datasets that have come to rest
    watching.show(board)
    watching.end()
"""

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta

from core.clock import Clock, format_instant
from core.errors import Unavailable
from core.logs import get_logger
from core.names import PartnerId
from node.config import PublishSection
from node.status import PublishedStatus, StatusBoard, WatchStatus
from node.watch import Watcher

FAULT = "watch"

_PERIODS_LATE = 3
_LATE_S = 300.0  # a scan takes its time, too

log = get_logger("node.watching")


class Watching:
    """See the module. One thread, but for `show`."""

    def __init__(
        self,
        clock: Clock,
        partner: PartnerId,
        wake: Callable[[str], None],
        *,
        make_watcher: Callable[[Clock, Callable[[], None]], Watcher] = Watcher,
    ) -> None:
        self._clock = clock
        self._partner = partner
        self._wake = wake
        self._make_watcher = make_watcher
        self._heard = threading.Event()
        self._sections: dict[str, PublishSection] = {}
        self._missing: dict[str, PublishSection] = {}
        self._watcher: Watcher | None = None

    def begin(self, sections: Mapping[str, PublishSection]) -> None:
        """Watch these folders, and no others."""
        self.end()
        self._watcher = self._make_watcher(self._clock, self._heard.set)
        self._sections = dict(sections)
        self._missing = dict(sections)
        self._watch_what_came()

    def end(self) -> None:
        """Watch nothing more."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.close()

    def turn(self, stop: threading.Event, seconds: float) -> None:
        """Wait so long, or less when something changes; wake the datasets that have come to rest."""
        if self._watcher is not None and self._watcher.has_died:
            log.error("the watcher has died; another takes its place")
            self.begin(self._sections)
        self._watch_what_came()
        watcher = self._watcher
        due_s = None if watcher is None else watcher.next_due_s()
        if due_s is None:
            self._heard.wait(seconds)
        else:
            stop.wait(min(due_s, seconds))
        self._heard.clear()
        for dataset in [] if watcher is None else watcher.take_due():
            self._wake(str(dataset))

    def show(self, board: StatusBoard) -> None:
        """Bring the report up to date."""
        found = self.status(board.report.publish)
        board.facts(watch=found)
        watcher = self._watcher
        limit = next(iter(watcher.refused.values()), None) if watcher is not None else None
        if limit is None:
            board.clear(FAULT)
        elif board.fault(FAULT, Unavailable(limit.why, remedy=limit.remedy, reason="NOT_WATCHED")):
            log.warning(limit.why, remedy=limit.remedy)

    def status(self, rows: tuple[PublishedStatus, ...]) -> WatchStatus:
        """How the folders of `rows` are watched."""
        sections, watcher = self._sections, self._watcher
        if not sections or watcher is None:
            return WatchStatus(note="nothing is published" if not sections else "")
        scans = {each.dataset: each.last_scan for each in rows}
        told = [scans.get(name) for name in sections]
        scanned = [each for each in told if each is not None]
        unwatched = [name for name in sections if name in watcher.unwatched]
        missing = sorted(self._missing)
        late = [
            name
            for name, section in sections.items()
            if (last := scans.get(name)) is not None and last < self._long_ago(section)
        ]
        notes = [
            *([f"{_names(unwatched)}: found by scans only"] if unwatched else []),
            *([f"{_names(missing)}: the folder is not there"] if missing else []),
            *([f"{_names(late)}: not compared for long"] if late else []),
        ]
        return WatchStatus(
            mode="scan only" if unwatched else "events",
            healthy=not (missing or late or watcher.refused),
            last_full_scan=min(scanned) if len(scanned) == len(told) else None,
            note="; ".join(notes),
        )

    def _long_ago(self, section: PublishSection) -> str:
        """What was compared before this instant is late. Instants of one form compare as text."""
        period = timedelta(seconds=_PERIODS_LATE * section.scan_every_s + _LATE_S)
        return format_instant(self._clock.now() - period)

    def _watch_what_came(self) -> None:
        for dataset, section in list(self._missing.items()):
            if self._watcher is not None and section.path.is_dir():
                del self._missing[dataset]
                self._watcher.watch(section.id(self._partner), section.path)
                self._wake(dataset)


def _names(datasets: list[str]) -> str:
    more = f" and {len(datasets) - 1} more" if len(datasets) > 1 else ""
    return f"{datasets[0]}{more}"
