"""What the made-up fleet's nodes report (docs/formats/status.md), each in its mood.

    status = Standing(partner="la-dgm", node="main", mood="behind", …).status(now, turn=0)

`turn` counts reports: with each one, a node that is behind has less to do, and begins anew when it is done.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from core.clock import format_instant
from core.limits import GIB, LIMITS, MIB
from core.terminal import bytes_text
from deploy.demo.fleet.plan import PlannedDataset

#: Moods that go on reporting while somebody looks.
LIVELY = frozenset({"in sync", "sending", "behind", "stuck", "disk full", "alarm", "waiting", "clock"})
#: How many of the newest versions a node in this mood does not hold yet.
LAGS = {"behind": 3, "stuck": 2, "disk full": 2}
#: When a silent node was heard last.
SILENT_SINCE = timedelta(hours=9)

ALARM_ID = "2026-two-histories-41c7d0"

_VERSION = "0.3.0"
_SENT_BYTES_S = 2_400_000
_TURNS = 20
#: What the disk that is full has left.
_FULL_BYTES = 290 * MIB


@dataclass(frozen=True, slots=True)
class Held:
    """A mirror: what the node holds of a dataset, and what the hub has."""

    dataset: str
    seq: int | None
    manifest_id: str | None
    wanted_seq: int
    bytes: int
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class Owned:
    """A dataset that the node publishes, and its last accepted version."""

    plan: PlannedDataset
    seq: int
    manifest_id: str
    files: int
    bytes: int
    accepted: datetime


@dataclass
class Standing:
    """A node of the fleet, as it reports."""

    partner: str
    node: str
    mood: str
    federation: str
    address: str
    started: datetime
    registry_seq: int
    registry_expires: datetime
    certificate_since: datetime
    certificate_expires: datetime
    signing_key_since: datetime
    log_size: int
    cosigned: int
    publishes: list[Owned] = field(default_factory=list[Owned])
    mirrors: list[Held] = field(default_factory=list[Held])

    def status(self, now: datetime, turn: int = 0) -> dict[str, Any]:
        """The report at `now`."""
        up = _SENT_BYTES_S if self.mood == "sending" else 0
        down = _rate(self.mood, turn)
        return {
            "v": 1,
            "partner": self.partner,
            "node": self.node,
            "version": _VERSION,
            "time": format_instant(now),
            "daemon_running": True,
            "started": format_instant(self.started),
            "hub": {
                "address": self.address,
                "version": _VERSION,
                "last_contact": format_instant(now),
                "clock_offset_s": -412.0 if self.mood == "clock" else 0.2,
            },
            "federation": self.federation,
            "certificate_expires": format_instant(self.certificate_expires),
            "certificate_since": format_instant(self.certificate_since),
            "signing_key_since": format_instant(self.signing_key_since),
            "registry_seq": self.registry_seq,
            "registry_expires": format_instant(self.registry_expires),
            "alarms": self._alarms(now),
            "witness": {
                "origin": f"{self.federation}/log",
                "size": self.log_size,
                "read": self.log_size,
                "cosigned": None if self.mood == "alarm" else self.cosigned,
                "lost": 0,
                "witnessed": self.cosigned,
                "count": 9,
                "of": 12,
                "needed": 7,
                "note": "an alarm waits for a person" if self.mood == "alarm" else "",
            },
            "disks": self._disks(),
            "watch": {
                "mode": "scan only" if self.mood == "waiting" else "events",
                "healthy": True,
                "last_full_scan": format_instant(now - timedelta(minutes=11)),
                "note": "a network folder: looked through every 15 minutes" if self.mood == "waiting" else "",
            },
            "transfer": {"up_bytes_s": up, "down_bytes_s": down},
            "last_error": self._last_error(now),
            "publish": [self._publish(each, now, turn) for each in self.publishes],
            "mirrors": [self._mirror(each, now, turn) for each in self.mirrors],
            "faults": self._faults(now),
        }

    @property
    def lagging(self) -> list[Held]:
        """Mirrors that are not at their newest version."""
        return [each for each in self.mirrors if each.seq != each.wanted_seq and not each.withheld]

    def bytes_left(self, held: Held, turn: int) -> int:
        """What is still to be fetched of a mirror."""
        if held.seq == held.wanted_seq or held.withheld:
            return 0
        done = (turn % _TURNS) / _TURNS if self.mood == "behind" else 0.35
        return int(held.bytes * (1.0 - done))

    def moves(self, turn: int) -> tuple[str, Literal["up", "down"], int] | None:
        """What it moves now, which way, and how many bytes a second."""
        if self.mood == "sending" and self.publishes:
            return self.publishes[0].plan.dataset, "up", _SENT_BYTES_S
        if self.mood == "behind" and self.lagging:
            return self.lagging[0].dataset, "down", _rate(self.mood, turn)
        return None

    # --- parts -----------------------------------------------------------------------------------

    def _publish(self, owned: Owned, now: datetime, turn: int) -> dict[str, Any]:
        plan = owned.plan
        waits = self.mood == "waiting" and owned is self.publishes[0]
        sends = self.mood == "sending" and owned is self.publishes[0]
        state = "waiting for approval" if waits else "up to date"
        if plan.withheld:
            state = "signed, bytes withheld"
        begin, end = plan.period or (None, None)
        return {
            "dataset": plan.dataset,
            "state": state,
            "seq": owned.seq,
            "manifest_id": owned.manifest_id,
            "files": owned.files,
            "bytes": owned.bytes,
            "bytes_left": int(1.8 * GIB * (1 - (turn % _TURNS) / _TURNS)) if sends else 0,
            "rate_bytes_s": _SENT_BYTES_S if sends else 0,
            "held": 1 if waits else 0,
            "skipped": 0,
            "attention": ["61 of 94 files would be removed; waits for `syncline-node approve`"]
            if waits
            else [],
            "last_success": format_instant(now - timedelta(minutes=6)),
            "last_version": format_instant(owned.accepted),
            "error": None,
            "update_frequency": plan.subject.frequency,
            "next_update": plan.next_update,
            "footprint": {
                "bbox": None if plan.bbox is None else list(plan.bbox),
                "bbox_source": plan.bbox_source,
                "begin": begin,
                "end": end,
                "period_source": "declared" if plan.period else "unknown",
            },
        }

    def _mirror(self, held: Held, now: datetime, turn: int) -> dict[str, Any]:
        late = held.seq != held.wanted_seq and not held.withheld
        fails = late and self.mood == "disk full"
        state = "waiting for content" if held.withheld else "current"
        if late:
            state = "failed" if fails else "not fetched yet"
        first = late and held is self.lagging[0]
        return {
            "dataset": held.dataset,
            "state": state,
            "seq": held.seq,
            "manifest_id": held.manifest_id,
            "wanted_seq": held.wanted_seq,
            "bytes_left": self.bytes_left(held, turn),
            "rate_bytes_s": _rate(self.mood, turn) if first else 0,
            "acknowledged": held.seq is not None,
            "grant_ended": False,
            "attention": [],
            "last_success": format_instant(now - timedelta(hours=3 if late else 0, minutes=4)),
            "error": _disk_full(held.dataset, held.bytes, now) if fails else None,
        }

    def _alarms(self, now: datetime) -> list[dict[str, Any]]:
        if self.mood != "alarm":
            return []
        return [{"id": ALARM_ID, "kind": "two-histories", "since": format_instant(now - timedelta(hours=2))}]

    def _disks(self) -> list[dict[str, Any]]:
        full = self.mood == "disk full"
        total = 4000 * GIB
        disks: list[dict[str, Any]] = [
            {"name": "state", "free_bytes": 180 * GIB, "total_bytes": 250 * GIB, "days_left": None}
        ]
        if self.mirrors:
            free, days = (_FULL_BYTES, 0.2) if full else (1700 * GIB, 61.0 if self.mood == "behind" else None)
            disks.append({"name": "mirror 1", "free_bytes": free, "total_bytes": total, "days_left": days})
        return disks

    def _last_error(self, now: datetime) -> dict[str, Any] | None:
        if self.mood not in ("sending", "stuck", "behind"):
            return None
        return {
            "about": "hub",
            "branch": "Unavailable",
            "reason": "UNREACHABLE",
            "message": f"the hub at {self.address} did not answer within 60 s",
            "remedy": "check this machine's line; the node tries again by itself",
            "since": format_instant(now - timedelta(hours=5)),
        }

    def _faults(self, now: datetime) -> dict[str, Any]:
        if self.mood != "clock":
            return {}
        return {
            "clock": {
                "branch": "InvalidInput",
                "reason": "CLOCK_OFFSET",
                "message": "this machine's clock is 412 s ahead of the hub's",
                "remedy": "let the machine take its time from the network (NTP)",
                "since": format_instant(now - timedelta(days=2)),
            }
        }


def _rate(mood: str, turn: int) -> int:
    return 900_000 + 140_000 * (turn % 5) if mood == "behind" else 0


def _disk_full(dataset: str, size: int, now: datetime) -> dict[str, Any]:
    return {
        "branch": "Unavailable",
        "reason": "DISK_FULL",
        "message": f"no space left for {dataset}: {bytes_text(size)} are needed, and of"
        f" {bytes_text(_FULL_BYTES)} that are free {bytes_text(LIMITS.disk_reserve_bytes)} must stay so",
        "remedy": "free space on the disk of /srv/mirror, or mirror less",
        "since": format_instant(now - timedelta(hours=14)),
    }
