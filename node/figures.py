"""The status report as metric families. Pure; `node.metrics` serves them, docs/operations/node.md names them.

figures(report, meter)              # Metric objects of prometheus_client
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from core.clock import parse_instant
from core.errors import InvalidInput
from node.moving import DOWN, UP, Meter
from node.status import MirrorStatus, PublishedStatus, StatusReport

#: So many datasets of each kind are told by name; the others are summed as OTHER.
DATASETS_MAX = 500
OTHER = "other"

_PREFIX = "syncline_node_"
_DAY_S = 86_400

RowT = TypeVar("RowT", PublishedStatus, MirrorStatus)


def figures(report: StatusReport, meter: Meter) -> Iterator[Metric]:
    """Every family, in a fixed order."""
    info = InfoMetricFamily(f"{_PREFIX}software", "Which node this is, and the release that it runs.")
    info.add_metric([], {"partner": report.partner, "node": report.node, "version": report.version})
    yield info
    yield from _whole(report)
    yield _counter("sent_bytes", "Content sent to the hub since the start.", meter.total(UP))
    yield _counter("received_bytes", "Content received from the hub since the start.", meter.total(DOWN))
    yield from _disks(report)
    yield from _witness(report)
    yield from _published(report.publish)
    yield from _mirrored(report.mirrors)


def _whole(report: StatusReport) -> Iterator[Metric]:
    hub, watch = report.hub, report.watch
    instants = (
        ("start_timestamp_seconds", "When the daemon began.", report.started),
        ("last_contact_timestamp_seconds", "When the hub last answered.", hub.last_contact),
        ("last_full_scan_timestamp_seconds", "Since when every published folder was compared whole.",
         watch.last_full_scan),
        ("certificate_since_timestamp_seconds", "When the TLS certificate was issued.",
         report.certificate_since),
        ("certificate_expiry_timestamp_seconds", "When the TLS certificate ends.",
         report.certificate_expires),
        ("signing_key_since_timestamp_seconds", "When the registry first listed the signing key.",
         report.signing_key_since),
        ("registry_expiry_timestamp_seconds", "When the registry statement ends.", report.registry_expires),
    )  # fmt: skip
    for name, help_, instant in instants:
        yield from _gauge(name, help_, _unix(instant))
    yield from _gauge("clock_offset_seconds", "The hub's clock less this machine's.", hub.clock_offset_s)
    yield from _gauge("registry_version", "Number of the registry statement believed.", report.registry_seq)
    yield from _gauge("alarms", "Alarms that no person has decided.", len(report.alarms))
    yield from _gauge("healthy", "1 when nothing failed and nobody must look.", int(report.is_healthy))
    yield from _gauge("watch_healthy", "1 when changes are noticed as they should be.", int(watch.healthy))
    faults = GaugeMetricFamily(
        f"{_PREFIX}fault", "1 for each thing that is wrong with the node as a whole.", labels=["about"]
    )
    for what in sorted(report.faults):
        faults.add_metric([what], 1)
    yield faults


def _disks(report: StatusReport) -> Iterator[Metric]:
    free = GaugeMetricFamily(f"{_PREFIX}disk_free_bytes", "Free on the disk.", labels=["disk"])
    size = GaugeMetricFamily(f"{_PREFIX}disk_size_bytes", "Size of the disk.", labels=["disk"])
    full = GaugeMetricFamily(
        f"{_PREFIX}disk_full_in_seconds", "Until the disk is full, as it went lately.", labels=["disk"]
    )
    for disk in report.disks:
        free.add_metric([disk.name], disk.free_bytes)
        size.add_metric([disk.name], disk.total_bytes)
        if disk.days_left is not None:
            full.add_metric([disk.name], disk.days_left * _DAY_S)
    yield from (free, size, full)


def _witness(report: StatusReport) -> Iterator[Metric]:
    seen = report.witness
    yield from _gauge("log_entries", "Entries of the hub's log.", seen and seen.size)
    yield from _gauge("log_checked_entries", "Entries that this node has checked.", seen and seen.read)
    yield from _gauge("log_cosigned_entries", "Entries that it has cosigned.", seen and seen.cosigned)


def _published(rows: Sequence[PublishedStatus]) -> Iterator[Metric]:
    yield from _each(
        "published", rows,
        ("left_bytes", "Still to be read or sent.", lambda each: each.bytes_left),
        ("rate_bytes_per_second", "Content sent over the last minute.", lambda each: each.rate_bytes_s),
        ("size_bytes", "Of the last accepted version.", lambda each: each.bytes),
        ("files", "Of the last accepted version.", lambda each: each.files),
        ("held_files", "Files that keep their last published state.", lambda each: each.held),
        ("failed", "1 when the last pass failed.", _failed),
    )  # fmt: skip
    yield from _each(
        "published", rows,
        ("version", "Number of the last accepted version.", lambda each: each.seq),
        ("last_version_timestamp_seconds", "When it was accepted.", lambda each: _unix(each.last_version)),
        ("last_success_timestamp_seconds", "The last pass that ended well.",
         lambda each: _unix(each.last_success)),
        add_up=False,
    )  # fmt: skip


def _mirrored(rows: Sequence[MirrorStatus]) -> Iterator[Metric]:
    yield from _each(
        "mirrored", rows,
        ("left_bytes", "Still to be fetched.", lambda each: each.bytes_left),
        ("rate_bytes_per_second", "Content received over the last minute.", lambda each: each.rate_bytes_s),
        ("failed", "1 when the last pass failed.", _failed),
    )  # fmt: skip
    yield from _each(
        "mirrored", rows,
        ("version", "Number of the version that `current` holds.", lambda each: each.seq),
        ("newest_version", "Number of the newest version at the hub.", lambda each: each.wanted_seq),
        ("last_success_timestamp_seconds", "The last pass that ended well.",
         lambda each: _unix(each.last_success)),
        add_up=False,
    )  # fmt: skip


Figure = tuple[str, str, Callable[[RowT], float | None]]


def _each(kind: str, rows: Sequence[RowT], *wanted: Figure[RowT], add_up: bool = True) -> Iterator[Metric]:
    """One figure a dataset; those beyond `DATASETS_MAX` are added up, where a sum says something."""
    for name, help_, value_of in wanted:
        family = _family(kind, name, help_)
        for row in rows[:DATASETS_MAX]:
            value = value_of(row)
            if value is not None:
                family.add_metric([row.dataset], value)
        if add_up and len(rows) > DATASETS_MAX:
            family.add_metric([OTHER], sum(value_of(row) or 0 for row in rows[DATASETS_MAX:]))
        yield family


def _family(kind: str, name: str, help_: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{_PREFIX}{kind}_{name}", help_, labels=["dataset"])


def _failed(row: PublishedStatus | MirrorStatus) -> float:
    return float(row.error is not None)


def _gauge(name: str, help_: str, value: float | None) -> Iterator[Metric]:
    if value is not None:
        yield GaugeMetricFamily(f"{_PREFIX}{name}", help_, value=value)


def _counter(name: str, help_: str, value: float) -> Metric:
    return CounterMetricFamily(f"{_PREFIX}{name}", help_, value=value)


def _unix(instant: str | None) -> float | None:
    try:
        return None if instant is None else parse_instant(instant).timestamp()
    except InvalidInput:
        return None
