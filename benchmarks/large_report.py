"""What a node of a large fleet reports (docs/formats/status.md), but for the time and what moves.

report_of(fleet, 7)["mirrors"]
"""

from datetime import timedelta
from typing import Any

from benchmarks.large_fleet import NODE, LargeFleet
from benchmarks.large_tables import Version
from core.clock import SystemClock, format_instant
from core.limits import GIB


def report_of(fleet: LargeFleet, place: int) -> dict[str, Any]:
    """Every tenth node is behind with one mirror, every fortieth has a disk that is full."""
    now, tables, partner = SystemClock().now(), fleet.tables, fleet.nodes[place].partner
    since, then = format_instant(now - timedelta(days=3)), format_instant(now + timedelta(days=7))
    publishes = [
        _publish(each, tables.facts(place + turn * len(fleet.nodes)), since)
        for turn, each in enumerate(tables.published(place))
    ]
    mirrors = [_mirror(each, since, 2) for each in tables.mirrors(place)]
    if tables.is_behind(place) and mirrors:
        mirrors[0] = {**mirrors[0], "seq": 1, "state": "not fetched yet"}
    fault = {
        "branch": "Unavailable",
        "reason": "DISK_FULL",
        "message": "no space left on the disk of /srv/mirror",
        "remedy": "free space, or mirror less",
        "since": since,
    }
    return {
        "v": 1,
        "partner": partner,
        "node": NODE,
        "version": "0.3.0",
        "daemon_running": True,
        "started": since,
        "hub": {"address": fleet.address, "version": "0.3.0", "last_contact": since, "clock_offset_s": 0.2},
        "certificate_expires": then,
        "certificate_since": since,
        "signing_key_since": since,
        "registry_seq": 2,
        "registry_expires": then,
        "alarms": [],
        "witness": {"size": fleet.leaves, "read": fleet.leaves, "cosigned": fleet.leaves, "note": ""},
        "disks": [
            {"name": "state", "free_bytes": 180 * GIB, "total_bytes": 250 * GIB, "days_left": None},
            {"name": "mirror 1", "free_bytes": 900 * GIB, "total_bytes": 4000 * GIB, "days_left": 61.0},
        ],
        "watch": {"mode": "events", "healthy": True, "last_full_scan": since, "note": ""},
        "transfer": {"up_bytes_s": 0, "down_bytes_s": 900_000 if tables.is_behind(place) else 0},
        "last_error": {**fault, "about": "disk"} if place % 5 == 0 else None,
        "publish": publishes,
        "mirrors": mirrors,
        "faults": {"disk": fault} if place % 40 == 20 else {},
    }


def _publish(version: Version, facts: dict[str, Any], since: str) -> dict[str, Any]:
    return {
        "dataset": version.dataset,
        "state": "up to date",
        "seq": 2,
        "manifest_id": version.id,
        "files": version.manifest.files,
        "bytes": version.manifest.bytes,
        "bytes_left": 0,
        "rate_bytes_s": 0,
        "held": 0,
        "skipped": 0,
        "attention": [],
        "last_success": since,
        "last_version": since,
        "error": None,
        **facts,
    }


def _mirror(version: Version, since: str, seq: int) -> dict[str, Any]:
    return {
        "dataset": version.dataset,
        "state": "current",
        "seq": seq,
        "manifest_id": version.id,
        "wanted_seq": 2,
        "bytes": version.manifest.bytes,
        "bytes_left": 0,
        "rate_bytes_s": 0,
        "acknowledged": True,
        "grant_ended": False,
        "attention": [],
        "last_success": since,
        "error": None,
    }
