"""What `status` says of the node itself, in a few lines: disks, room at the hub, rates, errors.

own_lines(report)               # below the head
warnings(report)                # among what is wrong, though nothing has failed yet
"""

from datetime import datetime

from core.clock import parse_instant
from core.errors import InvalidInput
from core.terminal import bytes_text
from node.disks import is_low
from node.status import DISK, DiskStatus, MirrorStatus, PublishedStatus, StatusReport
from sync.maintenance import due_at, freshness


def own_lines(report: StatusReport) -> list[str]:
    """Disks, room at the hub, how changes are noticed, what moves, and the last error where it is over."""
    lines: list[str] = []
    if report.disks:
        lines.append("disks: " + "; ".join(f"{each.name} {_room(each)}" for each in report.disks))
    if report.hub.quota_bytes is not None:
        lines.append(f"room at the hub: {_quota(report)}")
    watch = report.watch
    if report.publish and report.daemon_running:
        scanned = f", all compared since {watch.last_full_scan}" if watch.last_full_scan else ""
        note = f" ({watch.note})" if watch.note else ""
        how = {"events": "by events and scans", "scan only": "by scans only"}.get(watch.mode, "not at all")
        lines.append(f"changes are noticed {how}{scanned}{note}")
    moved = report.transfer
    if moved.up_bytes_s or moved.down_bytes_s:
        lines.append(f"moving: {bytes_text(moved.up_bytes_s)}/s up, {bytes_text(moved.down_bytes_s)}/s down")
    last = report.last_error
    if last is not None and last.cleared is not None:
        lines.append(f"last error, over since {last.cleared}: {last.about}: {last.message}")
    return lines


def warnings(report: StatusReport) -> list[str]:
    """What will stop the node's work before long if nobody does anything."""
    return [*_disk_warnings(report), *_quota_warnings(report)]


def _quota_warnings(report: StatusReport) -> list[str]:
    if not report.hub.is_quota_low:
        return []
    return [
        f"room at the hub: {_quota(report)}",
        "  → ask the hub's operator for more before new versions are refused",
    ]


def _disk_warnings(report: StatusReport) -> list[str]:
    """Disks that will be full soon; one that is full already is a fault, and told as such."""
    if DISK in report.faults:
        return []
    lines: list[str] = []
    for disk in report.disks:
        if is_low(disk):
            lines.append(f"disk {disk.name}: {_room(disk)}")
            lines.append("  → make room before it is full; the node stops short of that, and says so")
    return lines


def left_text(row: PublishedStatus | MirrorStatus) -> str | None:
    """What is left of a dataset, and how fast it goes."""
    if not row.bytes_left:
        return None
    left = bytes_text(row.bytes_left)
    return f"{left} at {bytes_text(row.rate_bytes_s)}/s" if row.rate_bytes_s else left


def updates_text(row: PublishedStatus, now: datetime) -> str | None:
    """The declared rhythm, and whether the newest version keeps it."""
    if row.update_frequency is None:
        return None
    last, promised = _instant(row.last_version), _instant(row.next_update)
    if last is None:
        return row.update_frequency
    fresh = freshness(row.update_frequency, promised, last, now)
    due = due_at(row.update_frequency, promised, last)
    if fresh == "unknown":
        return row.update_frequency
    when = f", due {due:%Y-%m-%d}" if due is not None and fresh != "fresh" else ""
    return f"{row.update_frequency}: {fresh}{when}"


def _quota(report: StatusReport) -> str:
    used, quota = report.hub.used_bytes or 0, report.hub.quota_bytes or 0
    share = f" ({100 * used / quota:.0f} %)" if quota else ""
    return f"{bytes_text(used)} of {bytes_text(quota)} used{share}"


def _room(disk: DiskStatus) -> str:
    share = 100 * disk.free_bytes / disk.total_bytes if disk.total_bytes else 0.0
    full = f", full in about {disk.days_left:.0f} days" if disk.days_left is not None else ""
    free, size = bytes_text(disk.free_bytes), bytes_text(disk.total_bytes)
    return f"{free} free of {size} ({share:.0f} %{full})"


def _instant(text: str | None) -> datetime | None:
    try:
        return None if text is None else parse_instant(text)
    except InvalidInput:
        return None
