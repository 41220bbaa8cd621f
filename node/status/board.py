"""The report under work: thread-safe, written to its file after each change.

Rules: a change that changes nothing writes nothing; what comes often is written twice a second at the most; a
file that cannot be written is complained of once, and the report in memory goes on; the newest fault is
remembered after it has cleared.

    board = StatusBoard(state_dir, report, clock.now)
    board.published("la-dgm/geology-1m", state="published", seq=3)
    board.fault("hub", error)                   # and board.clear("hub") when it is gone
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from core.clock import format_instant
from core.errors import SynclineError
from core.logs import get_logger
from node.status.file import FILE_NAME, report_path
from node.status.model import (
    Fault,
    FootprintStatus,
    LastError,
    MirrorStatus,
    PublishedStatus,
    StatusReport,
    TransferStatus,
    WatchStatus,
    encode,
)

_PROGRESS_EVERY_S = 0.5
_COST_RATIO = 20  # writing takes a twentieth of the time at the most,
_CHEAP_S = 0.5  # beyond what nobody notices

log = get_logger("node.status")


class StatusBoard:
    """The report under work: thread-safe, written to its file after each change (`flush` for the last ones).

    Args:
        state_dir: whose `status.json`; the caller holds its lock.
        report: where to begin; datasets that are not in it are added when they are named.
        now: the wall clock.
    """

    def __init__(self, state_dir: Path, report: StatusReport, now: Callable[[], datetime]) -> None:
        self._path = report_path(state_dir)
        self._report = report
        self._now = now
        self._lock = threading.RLock()
        self._written = 0.0
        self._cost_s = 0.0
        self._is_dirty = False
        self._complained = False
        self._save()

    @property
    def report(self) -> StatusReport:
        """The report as it stands."""
        with self._lock:
            return self._report

    def facts(self, **changes: Any) -> None:
        """Change fields of the report itself: `registry_seq=4`."""
        self._change(changes)

    def hub(self, **changes: Any) -> None:
        """Change what is known of the hub: `clock_offset_s=0.2`."""
        with self._lock:
            self._change({"hub": self._report.hub.model_copy(update=changes)})

    def fault(self, what: str, error: SynclineError) -> bool:
        """Something that concerns the whole node is wrong; whether that is news."""
        with self._lock:
            fault, is_news = self._fault(self._report.faults.get(what), error)
            if is_news:
                last = _last_error(fault, what)
                self._change({"faults": {**self._report.faults, what: fault}, "last_error": last})
            return is_news

    def clear(self, what: str) -> bool:
        """The fault is gone; whether there was one."""
        with self._lock:
            if what not in self._report.faults:
                return False
            left = {k: v for k, v in self._report.faults.items() if k != what}
            self._change({"faults": left, **self._cleared(what)})
            return True

    def published(self, dataset: str, *, error: SynclineError | None = None, **changes: Any) -> bool:
        """Change a published dataset. `error` becomes its fault, None clears it; whether it is news."""
        return self._dataset("publish", PublishedStatus, dataset, error, changes)

    def mirror(self, dataset: str, *, error: SynclineError | None = None, **changes: Any) -> bool:
        """Change a mirror, as `published`."""
        return self._dataset("mirrors", MirrorStatus, dataset, error, changes)

    def progress(self, kind: Literal["publish", "mirrors"], dataset: str, **changes: Any) -> None:
        """A change that comes often (`bytes_left`): its file is written twice a second at the most."""
        with self._lock:
            model = PublishedStatus if kind == "publish" else MirrorStatus
            known = {each.dataset: each for each in getattr(self._report, kind)}
            known[dataset] = (known.get(dataset) or model(dataset=dataset)).model_copy(update=changes)
            self._report = self._report.model_copy(
                update={kind: tuple(known[name] for name in sorted(known))}
            )
            self._is_dirty = True
            if time.monotonic() - self._written >= _PROGRESS_EVERY_S:
                self._save()

    def rates(self, transfer: TransferStatus, rate_of: Callable[[str], int]) -> None:
        """How fast content moves: in all, and of each dataset."""
        with self._lock:
            changes: dict[str, Any] = {"transfer": transfer}
            for kind in ("publish", "mirrors"):
                changes[kind] = tuple(
                    each
                    if each.rate_bytes_s == (rate := rate_of(each.dataset))
                    else each.model_copy(update={"rate_bytes_s": rate})
                    for each in getattr(self._report, kind)
                )
            self._change(changes)

    def keep_mirrors(self, datasets: set[str]) -> None:
        """Drop the mirrors that are not named: neither wanted any more, nor there."""
        with self._lock:
            self._change({"mirrors": tuple(e for e in self._report.mirrors if e.dataset in datasets)})

    def reconcile(
        self, published: Mapping[str, Path], declared: Mapping[str, "Saying"] | None = None
    ) -> None:
        """Show what the settings name now, by dataset, and say of each."""
        with self._lock:
            running = self._report.daemon_running
            report = reconcile(self._report, published, declared, daemon_running=running)
            self._change({"publish": report.publish})

    def _dataset(
        self,
        kind: str,
        model: type[PublishedStatus] | type[MirrorStatus],
        dataset: str,
        error: SynclineError | None,
        changes: dict[str, Any],
    ) -> bool:
        with self._lock:
            known = {each.dataset: each for each in getattr(self._report, kind)}
            before = known.get(dataset) or model(dataset=dataset)
            fault, is_news = (None, False) if error is None else self._fault(before.error, error)
            known[dataset] = before.model_copy(update={**changes, "error": fault})
            rows = {kind: tuple(known[name] for name in sorted(known))}
            if fault is not None and is_news:
                self._change({**rows, "last_error": _last_error(fault, dataset)})
            else:
                self._change({**rows, **(self._cleared(dataset) if fault is None else {})})
            return is_news

    def _cleared(self, about: str) -> dict[str, Any]:
        """The change that says of the last error, if it was this one, when it was over."""
        last = self._report.last_error
        if last is None or last.about != about or last.cleared is not None:
            return {}
        return {"last_error": last.model_copy(update={"cleared": format_instant(self._now())})}

    def _fault(self, before: Fault | None, error: SynclineError) -> tuple[Fault, bool]:
        fault = Fault.of(error, self._now())
        if before is not None and (before.branch, before.reason) == (fault.branch, fault.reason):
            # The same trouble in other words is no news, but the newest words are shown.
            return fault.model_copy(update={"since": before.since}), before.message != fault.message
        return fault, True

    def _change(self, changes: dict[str, Any]) -> None:
        with self._lock:
            changed = self._report.model_copy(update=changes)
            if changed != self._report:
                self._report = changed
                self._save_soon()

    def flush(self) -> None:
        """Write what has not been written: before the end, and now and then."""
        with self._lock:
            if self._is_dirty:
                self._save()

    def _save_soon(self) -> None:
        """At once, as long as writing stays cheap: thousands of datasets must not cost a write each."""
        self._is_dirty = True
        if time.monotonic() - self._written >= self._cost_s * _COST_RATIO - _CHEAP_S:
            self._save()

    def _save(self) -> None:
        started = time.monotonic()
        self._is_dirty = False
        self._report = self._report.model_copy(update={"time": format_instant(self._now())})
        temporary = self._path.with_name(f".{FILE_NAME}.tmp")
        # Not flushed: the report is made again at the next pass, and a transfer must not wait for it.
        try:
            temporary.write_bytes(encode(self._report.as_json()))
            os.replace(temporary, self._path)  # noqa: PTH105 - one rename over the old report
            self._complained = False
        except OSError as error:
            if not self._complained:
                log.critical(
                    "the status cannot be written",
                    error=str(error),
                    remedy="check the disk of [node] state_dir",
                )
            self._complained = True  # once, not with every change
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        self._written = time.monotonic()
        self._cost_s = self._written - started


def _last_error(fault: Fault, about: str) -> LastError:
    return LastError(**fault.model_dump(), about=about)


def empty_report(partner: str, node: str, version: str, now: datetime) -> StatusReport:
    """The report of a node that has done nothing yet."""
    return StatusReport(partner=partner, node=node, version=version, time=format_instant(now))


class Saying(Protocol):
    """What the settings say of a dataset (`node.declared.Declared`)."""

    @property
    def update_frequency(self) -> str | None: ...
    @property
    def next_update(self) -> str | None: ...
    def footprint(self, found: FootprintStatus) -> FootprintStatus: ...


def reconcile(
    report: StatusReport,
    published: Mapping[str, Path],
    declared: Mapping[str, Saying] | None = None,
    *,
    daemon_running: bool,
) -> StatusReport:
    """`report` as of now: with every dataset of the settings, without those that left them.

    Args:
        report: what was last written.
        published: the folder of each dataset that the settings name.
        declared: what the settings say of each beside; of the others nothing changes.
        daemon_running: whether a daemon answers at this moment.
    """
    known = {each.dataset: each for each in report.publish}
    rows: list[PublishedStatus] = []
    for dataset, path in sorted(published.items()):
        row = known.get(dataset) or PublishedStatus(dataset=dataset)
        changes: dict[str, Any] = {"path": str(path)}
        said = (declared or {}).get(dataset)
        if said is not None:
            changes["update_frequency"] = said.update_frequency
            changes["next_update"] = said.next_update
            changes["footprint"] = said.footprint(row.footprint)
        rows.append(row.model_copy(update=changes))
    changes = {"publish": tuple(rows), "daemon_running": daemon_running}
    if not daemon_running:
        changes["started"] = None
        changes["watch"] = WatchStatus(last_full_scan=report.watch.last_full_scan)
        changes["transfer"] = TransferStatus()
        changes["publish"] = tuple(each.model_copy(update={"rate_bytes_s": 0}) for each in rows)
        changes["mirrors"] = tuple(each.model_copy(update={"rate_bytes_s": 0}) for each in report.mirrors)
    return report.model_copy(update=changes)
