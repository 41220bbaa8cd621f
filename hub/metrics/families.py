"""What the pages show, as metric families. Pure.

* Names and units after the OpenMetrics and Prometheus conventions: `_seconds`, `_bytes`, `_total`, instants
  as `_timestamp_seconds`. What is not known has no sample.
* Labels are bounded: partners and nodes of the registry, at most `partners_count_max` nodes (the worst first;
  `syncline_hub_nodes_omitted` counts the rest); words of ours; never a dataset, never a node's free text.

    families(Shown(fleet, nodes, log, storage, …), limits)
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)

from core.limits import Limits
from hub.config_operator import AlertRule
from hub.overview.model import Disk, FleetView, LogView, NodeLine, NodeState, NodeView, StorageView

_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,32}", re.ASCII)
_P = "syncline_hub_"
_RULES = get_args(AlertRule)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is put into numbers. `refusals`: all since the hub was founded, by reason; `withheld`: datasets
    whose newest bytes their owners keep."""

    fleet: FleetView
    nodes: Iterable[NodeView]
    log: LogView
    storage: StorageView
    refusals: Mapping[str, int] = field(default_factory=dict[str, int])
    alerts_open: Mapping[str, int] = field(default_factory=dict[str, int])
    letters_waiting: Mapping[str, int] = field(default_factory=dict[str, int])
    withheld: int = 0


def families(shown: Shown, limits: Limits) -> Iterator[Metric]:
    """Every family, with its samples."""
    lines = [node for partner in shown.fleet.partners for node in partner.nodes]
    yield from _hub(shown)
    yield from _fleet(shown.fleet)
    withheld = "Datasets whose newest version was signed, and its bytes kept by their owner."
    yield _gauge("datasets_withheld", withheld).of(shown.withheld)
    yield from _node_lines(lines[: limits.partners_count_max])
    yield from _node_views(list(shown.nodes)[: limits.partners_count_max])
    yield _gauge("nodes_omitted", "Nodes beyond the bound of labels, without metrics of their own.").of(
        max(len(lines) - limits.partners_count_max, 0)
    )
    yield from _log(shown.log)
    yield from _storage(shown.storage)
    yield from _told(shown)


class _Gauge(GaugeMetricFamily):
    def of(self, value: float | datetime | None, *labels: str) -> "_Gauge":
        if value is not None:
            self.add_metric(labels, value.timestamp() if isinstance(value, datetime) else float(value))
        return self


def _gauge(name: str, text: str, *labels: str, unit: str = "") -> _Gauge:
    return _Gauge(_P + name, text, labels=labels, unit=unit)


def _hub(shown: Shown) -> Iterator[Metric]:
    hub = shown.fleet.hub
    build = InfoMetricFamily(_P + "build", "The release that runs.")
    build.add_metric((), {"version": _version(hub.version), "federation": hub.federation})
    yield build
    healthy = "1 if nothing is urgent: what `syncline-hub status` says with its exit status."
    yield _gauge("healthy", healthy).of(int(shown.fleet.healthy))
    yield _gauge("registry_sequence", "The number of the newest registry.").of(hub.registry_seq)
    yield _gauge("registry_expiry_timestamp", "When the registry ends.", unit="seconds").of(
        hub.registry_expires
    )
    yield _gauge("certificate_expiry_timestamp", "When the hub's own certificate ends.", unit="seconds").of(
        hub.certificate_expires
    )
    yield _gauge("last_backup_timestamp", "When the newest backup was made.", unit="seconds").of(
        hub.last_backup
    )
    attention = _gauge(
        "attention", "What a person must look at, by severity and urgency.", "severity", "urgent"
    )
    for severity in ("info", "warning", "error"):
        for urgent in (False, True):
            count = sum(each.severity == severity and each.urgent is urgent for each in shown.fleet.attention)
            attention.of(count, severity, str(urgent).lower())
    yield attention


def _fleet(fleet: FleetView) -> Iterator[Metric]:
    standing = _gauge("partners", "Partners, by standing.", "standing")
    for word in ("invited", "pending", "active", "suspended", "revoked", "left"):
        standing.of(sum(partner.standing == word for partner in fleet.partners), word)
    yield standing
    states = _gauge("nodes", "Nodes, by state.", "state")
    for state in get_args(NodeState):
        states.of(fleet.counts.by_state.get(state, 0), state)
    yield states
    datasets = _gauge("datasets", "Datasets, by freshness against what their owners declare.", "freshness")
    for word in ("fresh", "due", "late", "unknown"):
        datasets.of(fleet.counts.datasets_by_freshness.get(word, 0), word)  # type: ignore[call-overload]
    yield datasets
    yield _gauge("versions", "Versions of all datasets.").of(fleet.counts.versions)
    used = _gauge("partner_used", "Uncompressed bytes that count against a quota.", "partner", unit="bytes")
    quota = _gauge("partner_quota", "The quota; no sample without one.", "partner", unit="bytes")
    owned = _gauge("partner_datasets", "Datasets that a partner owns.", "partner")
    late = _gauge("partner_datasets_late", "Datasets of a partner that are late.", "partner")
    for partner in fleet.partners:
        used.of(partner.used_bytes, partner.partner)
        quota.of(partner.quota_bytes, partner.partner)
        owned.of(partner.datasets, partner.partner)
        late.of(partner.datasets_late, partner.partner)
    yield from (used, quota, owned, late)


def _node_lines(nodes: list[NodeLine]) -> Iterator[Metric]:
    who = ("partner", "node")
    state = StateSetMetricFamily(_P + "node_state", "How a node stands.", labels=who)
    info = InfoMetricFamily(_P + "node", "The release that a node runs, by its own word.", labels=who)
    seen = _gauge("node_last_report_timestamp", "When a node's newest report came.", *who, unit="seconds")
    lag = _gauge("node_lag", "How long it has lacked the oldest version that it wants.", *who, unit="seconds")
    left = _gauge("node_backlog", "Bytes that a node has still to move.", *who, unit="bytes")
    rate = _gauge(
        "node_transfer_rate_bytes_per_second", "Bytes a second that a node moves, by its word.", *who
    )
    clock = _gauge(
        "node_clock_offset", "How far a node's clock is from the hub's, by its word.", *who, unit="seconds"
    )
    problems = _gauge("node_problems", "Problems that a node reports.", *who)
    alarms = _gauge("node_alarms", "Alarms of a node's witness.", *who)
    for node in nodes:
        labels = node.partner, node.node
        state.add_metric(labels, {each: each == node.state for each in get_args(NodeState)})
        if node.version is not None:
            info.add_metric(labels, {"version": _version(node.version)})
        seen.of(node.last_seen, *labels)
        lag.of(node.lag_s, *labels)
        left.of(node.backlog_bytes, *labels)
        rate.of(node.rate_bytes_s, *labels)
        clock.of(node.clock_offset_s, *labels)
        problems.of(len(node.problems), *labels)
        alarms.of(node.alarms, *labels)
    yield from (state, info, seen, lag, left, rate, clock, problems, alarms)


def _node_views(nodes: list[NodeView]) -> Iterator[Metric]:
    who = ("partner", "node")
    expires = _gauge(
        "node_certificate_expiry_timestamp", "When a node's certificate ends.", *who, unit="seconds"
    )
    free = _gauge("node_disk_free", "Free bytes on the disk with the least.", *who, unit="bytes")
    total = _gauge("node_disk_size", "The size of that disk.", *who, unit="bytes")
    full = _gauge(
        "node_disk_full", "Time until the first disk is full, as it went lately.", *who, unit="seconds"
    )
    behind = _gauge("node_registry_behind", "Registries that a node has yet to take.", *who)
    for node in nodes:
        labels = node.partner, node.node
        expires.of(node.certificate_expires, *labels)
        behind.of(node.registry_behind, *labels)
        if node.disks:
            least: Disk = min(node.disks, key=lambda disk: disk.free_bytes)
            free.of(least.free_bytes, *labels)
            total.of(least.total_bytes, *labels)
        days = [disk.days_left for disk in node.disks if disk.days_left is not None]
        full.of(min(days) * 86_400 if days else None, *labels)
    yield from (expires, free, total, full, behind)


def _log(log: LogView) -> Iterator[Metric]:
    leaves = CounterMetricFamily(_P + "log_leaves", "Leaves of the log, by type.", labels=("type",))
    for kind, count in sorted(log.leaves_by_type.items()):
        leaves.add_metric((kind,), count)
    yield leaves
    yield _gauge("log_checkpoint_leaves", "Leaves that the newest checkpoint covers.").of(log.checkpoint_size)
    yield _gauge("log_checkpoint_timestamp", "When the newest checkpoint was made.", unit="seconds").of(
        log.checkpoint_time
    )
    yield _gauge("witnesses_fresh", "Witnesses that have cosigned within a day.").of(log.witnesses_fresh)
    yield _gauge("witnesses_seen", "Witnesses that have cosigned within a month.").of(log.witnesses_seen)
    yield _gauge("witnesses_needed", "Witnesses that make a quorum.").of(log.witnesses_needed)
    alarms = _gauge(
        "witness_alarms", "Open alarms of witnesses, by whether somebody has answered.", "acknowledged"
    )
    for answered in (False, True):
        count = sum(each.open and (each.acknowledged_by is not None) is answered for each in log.alarms)
        alarms.of(count, str(answered).lower())
    yield alarms


def _storage(storage: StorageView) -> Iterator[Metric]:
    disk = storage.disk
    yield _gauge("disk_free", "Free bytes on the hub's disk.", unit="bytes").of(disk.free_bytes)
    yield _gauge("disk_size", "The size of the hub's disk.", unit="bytes").of(disk.total_bytes)
    days = disk.days_left
    yield _gauge("disk_full", "Time until the hub's disk is full, as it went lately.", unit="seconds").of(
        None if days is None else days * 86_400
    )
    yield _gauge("database", "The size of the database.", unit="bytes").of(storage.database_bytes)
    yield _gauge("store", "What the owners' chunks take on the disk.", unit="bytes").of(
        sum(owner.disk_bytes for owner in storage.owners)
    )
    yield _gauge("store_packs", "Pack files.").of(sum(owner.packs for owner in storage.owners))
    yield _gauge("fsck_timestamp", "When fsck was last run.", unit="seconds").of(storage.fsck_time)
    yield _gauge("fsck_problems", "What the last fsck found.").of(storage.fsck_problems)


def _told(shown: Shown) -> Iterator[Metric]:
    refusals = CounterMetricFamily(
        _P + "refusals",
        "Calls that were refused, by reason; counted at most a minute late.",
        labels=("reason",),
    )
    for reason, count in sorted(shown.refusals.items()):
        refusals.add_metric((reason,), count)
    yield refusals
    alerts = _gauge("alerts_open", "Alerts that are open, by rule.", "rule")
    for rule in _RULES:
        alerts.of(shown.alerts_open.get(rule, 0), rule)
    yield alerts
    waiting = _gauge("alert_letters_waiting", "Messages of alerts that a channel has not taken.", "channel")
    for channel in ("email", "webhook"):
        waiting.of(shown.letters_waiting.get(channel, 0), channel)
    yield waiting


def _version(text: str) -> str:
    return text if _VERSION.fullmatch(text) else "other"
