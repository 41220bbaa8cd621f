"""What the status report says: frozen models, in the order of docs/formats/status.md.

Rules: instants are RFC 3339, UTC, whole seconds; sizes are bytes, rates bytes a second over the last minute;
None is what is not known. What is sent names no path of this machine and is bounded.

    report.as_json()                # the documented form
    report.to_send(limits)          # as ReportStatus carries it
"""

import json
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.clock import format_instant
from core.errors import SynclineError
from core.limits import LIMITS, Limits
from node.alarms import Alarm

FORMAT = 1

#: The fault of a node that is no member of the federation yet.
MEMBERSHIP = "membership"

#: The fault of a node whose disk is so full that it has stopped.
DISK = "disk"

#: From this share of its quota on an agency is told. Nothing has failed yet: it is a warning, and no fault.
QUOTA_WARN_SHARE = 0.9

#: Who says where and when data are.
Source = Literal["declared", "extracted", "unknown"]

_ALARMS_SENT_MAX = 400  # about 100 bytes each


class Part(BaseModel):
    """A part of the report; what a newer release has added is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Fault(Part):
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


class LastError(Fault):
    """The newest fault, also after it has cleared: `about` what it was, and when it was over."""

    about: str
    cleared: str | None = None


class FootprintStatus(Part):
    """Where and when published data are, and who says so.

    `bbox`: west, south, east, north in degrees (WGS 84), west > east crossing 180°; `begin`, `end`: dates or
    years.
    """

    bbox: tuple[float, float, float, float] | None = None
    bbox_source: Source = "unknown"
    begin: str | None = None
    end: str | None = None
    period_source: Source = "unknown"


class PublishedStatus(Part):
    """A dataset that this node publishes. `seq`, `files`, `bytes`: of the last accepted version.

    `last_scan`: when the whole folder was last compared; `rate_bytes_s`: content sent over the last minute.
    """

    dataset: str
    path: str = ""
    state: str = "not published yet"
    seq: int | None = None
    manifest_id: str | None = None
    files: int | None = None
    bytes: int | None = None
    bytes_left: int = 0
    rate_bytes_s: int = 0
    held: int = 0
    skipped: int = 0
    attention: tuple[str, ...] = ()
    last_success: str | None = None
    last_version: str | None = None
    last_scan: str | None = None
    update_frequency: str | None = None
    next_update: str | None = None
    footprint: FootprintStatus = FootprintStatus()
    error: Fault | None = None


class MirrorStatus(Part):
    """A dataset that this node mirrors. `seq` is what `current` holds, `wanted_seq` the newest at the hub."""

    dataset: str
    path: str = ""
    state: str = "not fetched yet"
    seq: int | None = None
    manifest_id: str | None = None
    wanted_seq: int | None = None
    bytes_left: int = 0
    rate_bytes_s: int = 0
    acknowledged: bool = True
    grant_ended: bool = False
    attention: tuple[str, ...] = ()
    last_success: str | None = None
    error: Fault | None = None


class DiskStatus(Part):
    """A disk that the node writes to: `state`, or `mirror 1` (by the order of the settings) where that is on
    another one. `days_left`: until it is full, as it went lately; None: it is not filling, or not long known.
    """

    name: str
    free_bytes: int
    total_bytes: int
    days_left: float | None = None


class WatchStatus(Part):
    """How changes in published folders are noticed.

    `last_full_scan`: since when every folder was compared whole at least once; None: one never was.
    """

    mode: Literal["events", "scan only", "off"] = "off"
    healthy: bool = True
    last_full_scan: str | None = None
    note: str = ""


class TransferStatus(Part):
    """Content that moved over the last minute, in bytes a second."""

    up_bytes_s: int = 0
    down_bytes_s: int = 0


class HubStatus(Part):
    """What this node last knew of its hub. `clock_offset_s` is the hub's clock less this node's; `used_bytes`
    is what the agency keeps there of `quota_bytes`, both None where there is no quota.
    """

    address: str | None = None
    version: str | None = None
    last_contact: str | None = None
    clock_offset_s: float | None = None
    used_bytes: int | None = None
    quota_bytes: int | None = None

    @property
    def is_quota_low(self) -> bool:
        """Whether the agency should ask for more room before new versions are refused."""
        if self.used_bytes is None or self.quota_bytes is None:
            return False
        return self.used_bytes >= QUOTA_WARN_SHARE * self.quota_bytes


class AlarmStatus(Part):
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


class WitnessStatus(Part):
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


class StatusReport(Part):
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
    certificate_since: str | None = None
    certificate_expires: str | None = None
    signing_key_since: str | None = None
    registry_seq: int | None = None
    registry_expires: str | None = None
    alarms: tuple[AlarmStatus, ...] = ()
    witness: WitnessStatus | None = None
    disks: tuple[DiskStatus, ...] = ()
    watch: WatchStatus = WatchStatus()
    transfer: TransferStatus = TransferStatus()
    publish: tuple[PublishedStatus, ...] = ()
    mirrors: tuple[MirrorStatus, ...] = ()
    faults: dict[str, Fault] = Field(default_factory=dict[str, Fault])
    last_error: LastError | None = None

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
        encoded = encode(value)
        for keep_unhealthy in (True, False):
            if len(encoded) <= limits.status_bytes_max:
                break
            for name in ("publish", "mirrors"):
                kept = [each for each in value[name] if keep_unhealthy and _is_unhealthy(each)]
                value["omitted"] += len(value[name]) - len(kept)
                value[name] = kept
            encoded = encode(value)
        return encoded


def _is_unhealthy(dataset: dict[str, Any]) -> bool:
    return bool(dataset["error"] or dataset["attention"])


def encode(value: Any) -> bytes:
    """JSON in UTF-8, whatever names a disk holds."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")
