"""Views to judge: a fleet of two agencies in order, and changes to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hub.overview.model import (
    DatasetLine,
    DatasetPage,
    Disk,
    FleetCounts,
    FleetView,
    HubView,
    LogView,
    NodeView,
    PartnerLine,
    StorageView,
)

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
GIB = 1 << 30


def node(partner: str = "la-dgm", name: str = "main", now: datetime = NOW, **changes: Any) -> NodeView:
    values: dict[str, Any] = {
        "partner": partner,
        "node": name,
        "state": "in sync",
        "version": "0.1.0",
        "last_seen": now,
        "lag_s": 0,
        "backlog_bytes": 0,
        "rate_bytes_s": 0,
        "clock_offset_s": 0.1,
        "alarms": 0,
        "problems": (),
        "started": now,
        "certificate_expires": now + 10 * DAY,
        "signing_key_since": None,
        "registry_seq": 2,
        "registry_behind": 0,
        "disks": (Disk(name="state", free_bytes=50 * GIB, total_bytes=100 * GIB),),
        "watch": None,
        "witness": None,
        "last_error": None,
        "publishes": (),
        "mirrors": (),
        "omitted": 0,
        "history": (),
    }
    return NodeView(**{**values, **changes})


def partner(*nodes: NodeView, **changes: Any) -> PartnerLine:
    values: dict[str, Any] = {
        "partner": nodes[0].partner if nodes else "la-dgm",
        "names": {"en": "Geology"},
        "standing": "active",
        "state": nodes[0].state if nodes else "no report yet",
        "lag_s": 0,
        "backlog_bytes": 0,
        "rate_bytes_s": 0,
        "last_seen": NOW,
        "backlog": (),
        "nodes": nodes,
        "datasets": 1,
        "datasets_late": 0,
        "used_bytes": 5 * GIB,
        "quota_bytes": None,
    }
    return PartnerLine(**{**values, **changes})


def hub(now: datetime = NOW, **changes: Any) -> HubView:
    values: dict[str, Any] = {
        "name": "Mekong Geoscience",
        "federation": "mekong-geo",
        "running": True,
        "version": "0.1.0",
        "address": "hub.example.org:7443",
        "time": now,
        "registry_seq": 3,
        "registry_expires": now + 80 * DAY,
        "certificate_expires": now + 10 * DAY,
        "last_backup": now,
        "disk": Disk(name="/var/lib/syncline-hub", free_bytes=50 * GIB, total_bytes=100 * GIB),
    }
    return HubView(**{**values, **changes})


def log(now: datetime = NOW, **changes: Any) -> LogView:
    values: dict[str, Any] = {
        "origin": "mekong-geo/log",
        "leaves": 100,
        "checkpoint_size": 100,
        "checkpoint_time": now,
        "root": None,
        "witnesses_fresh": 2,
        "witnesses_seen": 2,
        "witnesses_needed": 2,
        "witnesses": (),
        "alarms": (),
        "leaves_by_type": {"version": 40, "registry": 3},
    }
    return LogView(**{**values, **changes})


def storage(now: datetime = NOW, **changes: Any) -> StorageView:
    values: dict[str, Any] = {
        "disk": hub(now).disk,
        "database_bytes": 1 << 20,
        "owners": (),
        "history": (),
        "fsck_time": None,
        "fsck_problems": None,
        "backups": (),
    }
    return StorageView(**{**values, **changes})


def dataset(name: str = "th-dmr/wells", **changes: Any) -> DatasetLine:
    values: dict[str, Any] = {
        "dataset": name,
        "owner": name.partition("/")[0],
        "title": {"en": "Wells"},
        "theme": "hydrogeology",
        "license": "CC-BY-4.0",
        "seq": 4,
        "last_version": NOW - 60 * DAY,
        "freshness": "late",
        "update_frequency": "monthly",
        "next_due": NOW - 29 * DAY,
        "files": 1,
        "bytes": 10,
        "withheld": False,
        "holders": 1,
        "readers": 1,
        "owner_left": False,
    }
    return DatasetLine(**{**values, **changes})


def fleet(*partners: PartnerLine, view: HubView | None = None) -> FleetView:
    lines = partners or (partner(node("la-dgm")), partner(node("th-dmr")))
    return FleetView(
        revision=1,
        hub=view or hub(),
        counts=FleetCounts(
            partners=len(lines),
            nodes=len(lines),
            by_state={"in sync": len(lines)},
            datasets=3,
            versions=9,
            datasets_by_freshness={"fresh": 2, "late": 1},
            backlog_bytes=0,
            rate_bytes_s=0,
        ),
        attention=(),
        partners=lines,
    )


class FakeOverview:
    """Shows what it is told to show."""

    def __init__(self) -> None:
        self.shown_fleet = fleet()
        self.shown_log = log()
        self.shown_storage = storage()
        self.late: list[DatasetLine] = []

    def show(self, *nodes: NodeView, now: datetime) -> None:
        """These nodes, and everything else in order at `now`."""
        by_partner: dict[str, list[NodeView]] = {}
        for each in nodes:
            by_partner.setdefault(each.partner, []).append(each)
        lines = [partner(*group) for group in by_partner.values()]
        self.shown_fleet = fleet(*lines, view=hub(now))
        self.shown_log, self.shown_storage = log(now), storage(now)

    def fleet(self) -> FleetView:
        return self.shown_fleet

    def nodes(self) -> tuple[NodeView, ...]:
        lines = (each for line in self.shown_fleet.partners for each in line.nodes)
        return tuple(each for each in lines if isinstance(each, NodeView))

    def datasets(self, search: Any) -> DatasetPage:
        begin = int(search.after or 0)
        lines = self.late[begin : begin + search.count]
        end = begin + len(lines)
        return DatasetPage(
            total=len(self.late), lines=tuple(lines), next=str(end) if end < len(self.late) else None
        )

    def log(self) -> LogView:
        return self.shown_log

    def storage(self) -> StorageView:
        return self.shown_storage
