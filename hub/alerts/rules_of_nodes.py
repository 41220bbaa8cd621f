"""The rules about one node: silent, stuck, trouble, clock, disk, certificate. Pure.

of_node(node, silent=False, now=now, settings=settings.alerts, limits=limits)
"""

from collections.abc import Iterator
from datetime import datetime

from core.clock import DAY_S, format_instant
from core.limits import Limits
from hub.alerts.condition import Condition
from hub.alerts.expiry import is_last, renewing, step_of
from hub.config_operator import AlertRule, AlertsTable
from hub.overview.model import Disk, Fault, Message, NodeView, Severity

_REASONS_MAX = 8  # a node's own words: it must not be able to open alerts without end


def of_node(
    node: NodeView, silent: bool, now: datetime, settings: AlertsTable, limits: Limits
) -> Iterator[Condition]:
    """What is wrong with a node of an active partner; when it is `silent`, that alone."""
    if silent:
        since_s = None if node.last_seen is None else int((now - node.last_seen).total_seconds())
        yield _about(node, "silent", "error", "node-silent", since_s=since_s)
        return
    if node.state == "stuck":
        yield _about(
            node, "stuck", "warning", "node-stuck", left_bytes=node.backlog_bytes, since_s=limits.stuck_s
        )
    yield from _trouble(node)
    yield from _clock(node, limits)
    yield from _disk(node, settings, limits)
    yield from _certificate(node, now, limits)


def _about(
    node: NodeView,
    rule: AlertRule,
    severity: Severity,
    code: str,
    *,
    step: int = 0,
    what: str = "",
    remedy_code: str = "",
    **params: str | int | None,
) -> Condition:
    """A condition with the words under which `attention` shows it."""
    named: dict[str, str | int | None] = {"partner": node.partner, "node": node.node, **params}
    return Condition(
        f"{rule}:{node.partner}/{node.node}{what and ':' + what}",
        rule,
        severity,
        Message(code=f"attention.{code}", params=named),
        Message(code=f"remedy.{remedy_code or code}", params=named),
        partner=node.partner,
        node=node.node,
        step=step,
    )


def _trouble(node: NodeView) -> Iterator[Condition]:
    """One alert a reason: texts may change at every report, and 200 datasets may have the same trouble."""
    by_reason: dict[str, list[Fault]] = {}
    for fault in node.problems:
        by_reason.setdefault(fault.reason, []).append(fault)
    reasons = list(by_reason)
    for reason in reasons[:_REASONS_MAX]:
        first, count = by_reason[reason][0], len(by_reason[reason])
        more = "" if count == 1 else f" (+{count - 1})"
        yield _about(
            node,
            "trouble",
            "warning",
            "node-fault",
            what=reason,
            about=(first.about or node.node) + more,
            message=first.message,
            remedy=first.remedy,
        )


def _clock(node: NodeView, limits: Limits) -> Iterator[Condition]:
    offset = node.clock_offset_s
    if offset is not None and abs(offset) > limits.clock_offset_warn_s:
        yield _about(node, "clock", "warning", "node-clock", offset_s=int(offset))


def _disk(node: NodeView, settings: AlertsTable, limits: Limits) -> Iterator[Condition]:
    """The one that is worst off: a node stops at the same reserve as the hub."""
    worst: tuple[int, Disk] | None = None
    for disk in node.disks:
        step = 0
        if disk.free_bytes <= limits.disk_reserve_bytes:
            step = 2
        elif disk.days_left is not None and disk.days_left <= settings.disk_days:
            step = 1
        if step and (worst is None or step > worst[0]):
            worst = step, disk
    if worst is None:
        return
    step, disk = worst
    if step > 1:
        yield _about(
            node, "disk", "error", "node-disk", step=step, free_bytes=disk.free_bytes, disk=disk.name
        )
    else:
        yield _about(
            node,
            "disk",
            "warning",
            "node-disk-days",
            step=step,
            remedy_code="node-disk",
            left_s=int((disk.days_left or 0) * DAY_S),
            disk=disk.name,
        )


def _certificate(node: NodeView, now: datetime, limits: Limits) -> Iterator[Condition]:
    expires = node.certificate_expires
    if expires is None:
        return
    steps = renewing(limits.certificate_valid_s)
    step = step_of(expires, now, steps)
    if step:
        code = "node-certificate-expired" if is_last(step, steps) else "node-certificate-due"
        yield _about(
            node,
            "certificate",
            "error" if step > 1 else "warning",
            code,
            step=step,
            remedy_code="node-certificate",
            expires=format_instant(expires),
        )
