"""How the node is doing: one report, kept in a file, read by anybody at any time.

Whoever works (the daemon, or a command that holds the lock) keeps a `StatusBoard`, which writes
`<state_dir>/status.json` by one rename after each change: a reader sees one consistent report, also while a
transfer runs and when nothing runs at all. `syncline-node status` reads the file and contacts nobody; the
same JSON, with what concerns the reader's own machine left out, is what `ReportStatus` sends. Its keys are
in docs/formats/status.md.

    board = StatusBoard(state_dir, facts)
    board.published("la-dgm/geology-1m", state="published", seq=3)
    board.fault("hub", error)                   # and board.clear("hub") when it is gone
    report = read_report(state_dir)             # in any process
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.clock import format_instant
from core.errors import Corrupt, Denied, SynclineError, Unavailable
from core.limits import LIMITS, Limits
from core.logs import get_logger
from node.alarms import Alarm

FORMAT = 1
FILE_NAME = "status.json"

#: The fault of a node that is no member of the federation yet.
MEMBERSHIP = "membership"

_PROGRESS_EVERY_S = 0.5
_COST_RATIO = 20  # writing takes a twentieth of the time at the most,
_CHEAP_S = 0.5  # beyond what nobody notices
_ALARMS_SENT_MAX = 400  # about 100 bytes each

log = get_logger("node.status")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Fault(_Part):
    """Something that is wrong, since when, and what to do about it. `branch` is that of `core.errors`."""

    branch: str
    reason: str
    message: str
    remedy: str
    since: str

    @classmethod
    def of(cls, error: SynclineError, since: datetime) -> "Fault":
        """The fault that `error` tells of."""
        return cls(
            branch=type(error).__name__,
            reason=error.reason,
            message=error.message,
            remedy=error.remedy,
            since=format_instant(since),
        )


class PublishedStatus(_Part):
    """A dataset that this node publishes. `seq`, `files`, `bytes`: of the last accepted version."""

    dataset: str
    path: str = ""
    state: str = "not published yet"
    seq: int | None = None
    manifest_id: str | None = None
    files: int | None = None
    bytes: int | None = None
    bytes_left: int = 0
    held: int = 0
    skipped: int = 0
    attention: tuple[str, ...] = ()
    last_success: str | None = None
    last_version: str | None = None
    error: Fault | None = None


class MirrorStatus(_Part):
    """A dataset that this node mirrors. `seq` is what `current` holds, `wanted_seq` the newest at the hub."""

    dataset: str
    path: str = ""
    state: str = "not fetched yet"
    seq: int | None = None
    manifest_id: str | None = None
    wanted_seq: int | None = None
    bytes_left: int = 0
    acknowledged: bool = True
    grant_ended: bool = False
    attention: tuple[str, ...] = ()
    last_success: str | None = None
    error: Fault | None = None


class HubStatus(_Part):
    """What this node last knew of its hub. `clock_offset_s` is the hub's clock less this node's."""

    address: str | None = None
    version: str | None = None
    last_contact: str | None = None
    clock_offset_s: float | None = None


class AlarmStatus(_Part):
    """An alarm that no person has decided (`node.alarms`)."""

    id: str
    kind: str
    since: str
    message: str = ""
    remedy: str = ""

    @classmethod
    def of(cls, alarm: Alarm) -> "AlarmStatus":
        """The alarm as it is shown."""
        error = alarm.error()
        return cls(
            id=alarm.id, kind=alarm.kind, since=alarm.since, message=alarm.message, remedy=error.remedy
        )


class WitnessStatus(_Part):
    """What this node has seen of the log.

    `size`: leaves of its newest checkpoint; `read`: how many of them were checked; `cosigned`: the size that
    this node last stood for; `witnessed`: the size that `count` of the `of` witnesses stand for, `needed`
    being a quorum; `lost`: leaves of the log before that the current one does not have.
    """

    origin: str
    size: int
    read: int
    cosigned: int | None = None
    lost: int = 0
    witnessed: int | None = None
    count: int = 0
    of: int = 0
    needed: int = 0
    note: str = ""


class StatusReport(_Part):
    """The whole report; `as_json` is its documented form."""

    v: Literal[1] = FORMAT
    partner: str
    node: str
    version: str
    time: str
    daemon_running: bool = False
    started: str | None = None
    hub: HubStatus = HubStatus()
    federation: str | None = None
    certificate_expires: str | None = None
    registry_seq: int | None = None
    registry_expires: str | None = None
    alarms: tuple[AlarmStatus, ...] = ()
    witness: WitnessStatus | None = None
    publish: tuple[PublishedStatus, ...] = ()
    mirrors: tuple[MirrorStatus, ...] = ()
    faults: dict[str, Fault] = Field(default_factory=dict[str, Fault])

    @property
    def is_healthy(self) -> bool:
        """Whether nothing failed and nobody must look at anything."""
        datasets = [*self.publish, *self.mirrors]
        troubled = any(each.error or each.attention for each in datasets)
        return not (self.alarms or self.faults or troubled)

    def as_json(self) -> dict[str, Any]:
        """Plain values, in the order of docs/formats/status.md."""
        return self.model_dump(mode="json")

    def to_send(self, limits: Limits = LIMITS) -> bytes:
        """What `ReportStatus` carries: no paths; what is too long loses its healthy datasets first."""
        value = self.as_json()
        for each in (*value["publish"], *value["mirrors"]):
            del each["path"]
        value["alarms"] = [
            {key: each[key] for key in ("id", "kind", "since")} for each in value["alarms"][:_ALARMS_SENT_MAX]
        ]
        value["omitted"] = 0
        encoded = _encode(value)
        for keep_unhealthy in (True, False):
            if len(encoded) <= limits.status_bytes_max:
                break
            for name in ("publish", "mirrors"):
                kept = [each for each in value[name] if keep_unhealthy and _is_unhealthy(each)]
                value["omitted"] += len(value[name]) - len(kept)
                value[name] = kept
            encoded = _encode(value)
        return encoded


def _is_unhealthy(dataset: dict[str, Any]) -> bool:
    return bool(dataset["error"] or dataset["attention"])


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


def report_path(state_dir: Path) -> Path:
    """Where the report of `state_dir` stands."""
    return state_dir / FILE_NAME


def read_report(state_dir: Path) -> StatusReport | None:
    """The report as it was last written; None when there is none.

    Raises `Corrupt` when it is not one, `Denied` or `Unavailable` when it cannot be read.
    """
    path = report_path(state_dir)
    try:
        return StatusReport.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise Denied(
            f"{path} may not be read", remedy="run this command as the user that runs syncline-node"
        ) from error
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}", remedy="check the disk of [node] state_dir"
        ) from error
    except ValidationError as error:
        raise Corrupt(
            f"the status file {path} is damaged: it holds no report",
            remedy="nothing is lost: the next syncline-node sync, or the daemon, writes it anew",
            reason="STATUS_DAMAGED",
        ) from error


def load_report(state_dir: Path) -> StatusReport | None:
    """The report as it was last written; None when there is none that can be read."""
    try:
        return read_report(state_dir)
    except SynclineError as error:
        log.warning(error.message, remedy=error.remedy)
        return None


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
                self._change({"faults": {**self._report.faults, what: fault}})
            return is_news

    def clear(self, what: str) -> bool:
        """The fault is gone; whether there was one."""
        with self._lock:
            if what not in self._report.faults:
                return False
            self._change({"faults": {k: v for k, v in self._report.faults.items() if k != what}})
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

    def keep_mirrors(self, datasets: set[str]) -> None:
        """Drop the mirrors that are not named: neither wanted any more, nor there."""
        with self._lock:
            self._change({"mirrors": tuple(e for e in self._report.mirrors if e.dataset in datasets)})

    def reconcile(self, published: Mapping[str, Path]) -> None:
        """Show what the settings name now, by dataset and folder."""
        with self._lock:
            report = reconcile(self._report, published, daemon_running=self._report.daemon_running)
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
            self._change({kind: tuple(known[name] for name in sorted(known))})
            return is_news

    def _fault(self, before: Fault | None, error: SynclineError) -> tuple[Fault, bool]:
        fault = Fault.of(error, self._now())
        if before is not None and (before.branch, before.reason) == (fault.branch, fault.reason):
            # The same trouble in other words is no news, but the newest words are shown.
            return fault.model_copy(update={"since": before.since}), before.message != fault.message
        return fault, True

    def _change(self, changes: dict[str, Any]) -> None:
        with self._lock:
            self._report = self._report.model_copy(update=changes)
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
            temporary.write_bytes(_encode(self._report.as_json()))
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


def empty_report(partner: str, node: str, version: str, now: datetime) -> StatusReport:
    """The report of a node that has done nothing yet."""
    return StatusReport(partner=partner, node=node, version=version, time=format_instant(now))


def reconcile(report: StatusReport, published: Mapping[str, Path], *, daemon_running: bool) -> StatusReport:
    """`report` as of now: with every dataset of the settings, without those that left them.

    Args:
        report: what was last written.
        published: the folder of each dataset that the settings name.
        daemon_running: whether a daemon answers at this moment.
    """
    known = {each.dataset: each for each in report.publish}
    rows = [
        (known.get(dataset) or PublishedStatus(dataset=dataset)).model_copy(update={"path": str(path)})
        for dataset, path in sorted(published.items())
    ]
    changes: dict[str, Any] = {"publish": tuple(rows), "daemon_running": daemon_running}
    if not daemon_running:
        changes["started"] = None
    return report.model_copy(update=changes)
