"""What needs a person about one node: silent, stuck, in trouble, a clock, a disk, a certificate. Pure.

for each in of_node(SeenNode(line, report), now, limits, disk_days=7.0):
    each.message
Told().of(nodes, now, limits, disk_days=7.0)         # of all; what was said a moment ago is not made again
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.clock import DAY_S, format_instant
from core.limits import Limits
from hub.overview.found import Found
from hub.overview.model import Attention, Fault, NodeLine
from hub.overview.report import ATTENTION, Report

_PROBLEMS_SHOWN_MAX = 3
_WAITS_FOR_OWNER = "waiting for approval"
#: What the node complains of itself is not told twice.
_OWN_CLOCK, _OWN_CERTIFICATE = "clock", "certificate"
_GRAVE = frozenset({"Untrusted", "Corrupt"})
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SeenNode:
    """A node of a partner in good standing. `report` is empty before the first."""

    line: NodeLine
    report: Report


@dataclass(frozen=True, slots=True)
class _Said:
    """What was said of a node, what it was made of, and the time in which it holds."""

    seen: SeenNode
    made_of: tuple[Limits, float]
    made: datetime
    until: datetime
    found: tuple[Attention, ...]


class Told:
    """Keeps what it has said of each node while its line and its report are the same objects, and no instant
    has passed at which it would say something else. Its caller serialises."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Said] = {}

    def of(
        self, nodes: Iterable[SeenNode], now: datetime, limits: Limits, disk_days: float
    ) -> Iterator[Attention]:
        """What needs a person, node by node; see `of_node`."""
        known, made_of = dict[tuple[str, str], _Said](), (limits, disk_days)
        for seen in nodes:
            key = seen.line.partner, seen.line.node
            said = self._known.get(key)
            if (
                said is None
                or said.seen.line is not seen.line
                or said.seen.report is not seen.report
                or not said.made <= now < said.until
                or said.made_of != made_of
            ):
                until = min((turn for turn in _turns(seen, now, limits) if turn >= now), default=_NEVER)
                said = _Said(seen, made_of, now, until, tuple(of_node(seen, now, limits, disk_days)))
            known[key] = said
            yield from said.found
        self._known = known


def _turns(seen: SeenNode, now: datetime, limits: Limits) -> Iterator[datetime]:
    """The instants at which something else is said, though line and report are the same."""
    expires, last = seen.report.certificate_expires, seen.line.last_seen
    if expires is not None:
        yield expires
        yield expires - _due_before(limits)
    if seen.line.state == "silent" and last is not None:
        yield last + timedelta(seconds=_silent_s(last, now) + 1)


def of_node(seen: SeenNode, now: datetime, limits: Limits, disk_days: float) -> Iterator[Attention]:
    """What needs a person; of a silent node, that alone, and when its certificate ends."""
    line, report = seen.line, seen.report
    if line.state == "left" or line.last_seen is None:
        return
    if line.state == "silent":
        yield Found("node-silent", line.partner, line.node).error(since_s=_silent_s(line.last_seen, now))
        yield from _certificate(seen, now, limits)
        return
    if line.state == "stuck":
        yield Found("node-stuck", line.partner, line.node).warning(
            left_bytes=line.backlog_bytes, since_s=limits.stuck_s
        )
    yield from _problems(seen)
    yield from _decisions(seen)
    complains = {fault.about for fault in report.faults}
    offset = report.clock_offset_s
    if offset is not None and abs(offset) > limits.clock_offset_warn_s and _OWN_CLOCK not in complains:
        yield Found("node-clock", line.partner, line.node).warning(offset_s=int(offset))
    yield from _disks(seen, limits, disk_days)
    if _OWN_CERTIFICATE not in complains:
        yield from _certificate(seen, now, limits)


def _problems(seen: SeenNode) -> Iterator[Attention]:
    line, report = seen.line, seen.report
    waiting = {work.dataset for work in report.publishes if work.state == _WAITS_FOR_OWNER}
    told = [each for each in report.problems if not (each.reason == ATTENTION and each.about in waiting)]
    for fault in told[:_PROBLEMS_SHOWN_MAX]:
        yield _problem(line, fault)
    if len(told) > _PROBLEMS_SHOWN_MAX:
        yield Found("node-more", line.partner, line.node, remedy="ask").warning(
            count=len(told) - _PROBLEMS_SHOWN_MAX
        )


def _problem(line: NodeLine, fault: Fault) -> Attention:
    dataset = fault.about if "/" in fault.about else None
    remedy = "node-fault" if fault.remedy else "ask"
    found = Found("node-fault", line.partner, line.node, dataset, remedy=remedy)
    told = found.error if fault.branch in _GRAVE else found.warning
    return told(about=fault.about, message=fault.message, remedy=fault.remedy)


def _decisions(seen: SeenNode) -> Iterator[Attention]:
    """Datasets that wait for their owner."""
    for work in seen.report.publishes:
        if work.state == _WAITS_FOR_OWNER:
            text = work.attention[0] if work.attention else work.state
            found = Found(
                "owner-decision", seen.line.partner, seen.line.node, work.dataset, remedy="owner-decision"
            )
            yield found.warning(text=text)


def _disks(seen: SeenNode, limits: Limits, disk_days: float) -> Iterator[Attention]:
    for disk in seen.report.disks:
        found = Found("node-disk", seen.line.partner, seen.line.node)
        if disk.free_bytes <= limits.disk_reserve_bytes:
            yield found.warning(disk=disk.name, free_bytes=disk.free_bytes)
        elif disk.days_left is not None and disk.days_left < disk_days:
            days = Found("node-disk-days", seen.line.partner, seen.line.node, remedy="node-disk")
            yield days.warning(disk=disk.name, left_s=int(disk.days_left * DAY_S), urgent=False)


def _certificate(seen: SeenNode, now: datetime, limits: Limits) -> Iterator[Attention]:
    expires = seen.report.certificate_expires
    if expires is None:
        return
    who, said = (seen.line.partner, seen.line.node), format_instant(expires)
    if expires <= now:
        yield Found("node-certificate-expired", *who, remedy="node-certificate").error(expires=said)
    elif expires - now < _due_before(limits):
        yield Found("node-certificate-due", *who, remedy="node-certificate").warning(
            expires=said, urgent=False
        )


def _due_before(limits: Limits) -> timedelta:
    """Nodes renew at half of a certificate's life: with a quarter left, something is wrong."""
    return timedelta(seconds=limits.certificate_valid_s / 4)


def _silent_s(last_seen: datetime, now: datetime) -> int:
    return int((now - last_seen).total_seconds())
