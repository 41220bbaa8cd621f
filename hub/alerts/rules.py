"""What is seen, to what is wrong: the rules of alerts. Pure.

* Each rule speaks the words of `hub.overview.wording`, mostly those under which pages and `status` show it.
* A node that does not report is silent, and nothing else about it can be judged; so is nobody silent for
  `alert_reconnect_s` after the hub was away: they are coming back.
* Who was suspended, revoked or has left is no trouble.

    judgement = judge(situation, settings.alerts, limits)
    [each.key for each in judgement.conditions]          # ["late:th-dmr/wells", "silent:la-dgm/main"]
"""

from collections.abc import Iterator

from core.clock import DAY_S, format_instant
from core.limits import Limits
from hub.alerts.condition import Condition, Judgement, Situation
from hub.alerts.expiry import STEPS, is_last, renewing, step_of
from hub.alerts.rules_of_nodes import of_node
from hub.config_operator import AlertRule, AlertsTable
from hub.overview.model import Disk, Message, NodeView, PartnerLine, Severity

_QUOTA_NEAR = 0.9
_REASONS_NAMED = 3

Unjudged = set[tuple[AlertRule | None, str | None, str | None]]


def judge(situation: Situation, settings: AlertsTable, limits: Limits) -> Judgement:
    """Everything that is wrong and not muted."""
    unjudged: Unjudged = set()
    found = [
        *_datasets(situation),
        *_nodes(situation, settings, limits, unjudged),
        *_hub_disk(situation, settings, limits),
        *_hub_certificates(situation, limits),
        *_registry(situation),
        *_witnesses(situation),
        *_refusals(situation, settings),
        *_quotas(situation),
        *_backup(situation, settings),
        *_hub(situation, limits),
    ]
    return Judgement(tuple(each for each in found if each.rule not in settings.mute), frozenset(unjudged))


def _datasets(situation: Situation) -> Iterator[Condition]:
    for line in situation.late:
        if line.freshness != "late" or line.owner_left:
            continue
        due = None if line.next_due is None else format_instant(line.next_due)
        title = line.title.get("en") or next(iter(line.title.values()), "")
        yield Condition(
            f"late:{line.dataset}",
            "late",
            "warning",
            Message(code="alert.late", params={"dataset": line.dataset, "title": title, "due": due}),
            Message(code="remedy.late", params={"owner": line.owner}),
            partner=line.owner,
            dataset=line.dataset,
        )


def _nodes(
    situation: Situation, settings: AlertsTable, limits: Limits, unjudged: Unjudged
) -> Iterator[Condition]:
    away = situation.fleet.hub.running and _seconds(situation) < limits.alert_reconnect_s
    if away:
        unjudged.add(("silent", None, None))
    active = {line.partner for line in situation.fleet.partners if line.standing == "active"}
    for node in situation.nodes:
        if node.partner not in active or node.state == "left":
            continue
        silent = _is_silent(node, situation, limits)
        if silent:
            unjudged.add((None, node.partner, node.node))
        if silent and away:
            continue
        yield from of_node(node, silent, situation.now, settings, limits)


def _is_silent(node: NodeView, situation: Situation, limits: Limits) -> bool:
    if node.state == "silent":
        return True
    # An alarm is shown before silence.
    bound_s = limits.reports_missed_max * limits.report_every_s
    seen = node.last_seen
    return node.state == "alarm" and seen is not None and (situation.now - seen).total_seconds() > bound_s


def _seconds(situation: Situation) -> float:
    return (situation.now - situation.up_since).total_seconds()


def _hub_disk(situation: Situation, settings: AlertsTable, limits: Limits) -> Iterator[Condition]:
    disk: Disk = situation.storage.disk
    remedy = Message(code="remedy.hub-disk", params={"directory": disk.name})
    if disk.free_bytes < 4 * limits.disk_reserve_bytes:
        stopped = disk.free_bytes < limits.disk_reserve_bytes + limits.frame_bytes_max
        params = {"free_bytes": disk.free_bytes, "reserve_bytes": limits.disk_reserve_bytes}
        message = Message(code="attention.hub-disk", params=dict(params))
        severity: Severity = "error" if stopped else "warning"
        yield Condition("disk:hub", "disk", severity, message, remedy, step=3 if stopped else 2)
    elif disk.days_left is not None and disk.days_left <= settings.disk_days:
        message = Message(code="attention.hub-disk-days", params={"left_s": int(disk.days_left * DAY_S)})
        yield Condition("disk:hub", "disk", "warning", message, remedy, step=1)


def _hub_certificates(situation: Situation, limits: Limits) -> Iterator[Condition]:
    steps = renewing(limits.certificate_valid_s)
    expires = situation.fleet.hub.certificate_expires
    step = step_of(expires, situation.now, steps)
    if step:
        over = is_last(step, steps)
        code = "attention.hub-certificate-expired" if over else "attention.hub-certificate-due"
        yield Condition(
            "certificate:hub",
            "certificate",
            "error",
            Message(code=code, params={"expires": format_instant(expires)}),
            Message(code="remedy.hub-certificate"),
            step=step,
        )
    authority = situation.authority_expires
    if authority is not None and (step := step_of(authority, situation.now, STEPS)):
        yield Condition(
            "certificate:authority",
            "certificate",
            "error" if step > 1 else "warning",
            Message(code="alert.authority", params={"expires": format_instant(authority)}),
            Message(code="remedy.authority"),
            step=step,
        )


def _registry(situation: Situation) -> Iterator[Condition]:
    expires = situation.fleet.hub.registry_expires
    step = step_of(expires, situation.now, STEPS)
    if step:
        code = "attention.registry-expired" if is_last(step, STEPS) else "attention.registry-due"
        yield Condition(
            "registry:hub",
            "registry",
            "error" if step > 1 else "warning",
            Message(code=code, params={"expires": format_instant(expires)}),
            Message(code="remedy.registry"),
            step=step,
        )


def _witnesses(situation: Situation) -> Iterator[Condition]:
    for alarm in situation.log.alarms:
        if not alarm.open or alarm.acknowledged_by is not None:
            continue
        params = {"partner": alarm.partner, "node": alarm.node, "kind_word": alarm.kind, "id": alarm.id}
        yield Condition(
            f"witness:{alarm.partner}/{alarm.node}:{alarm.id}",
            "witness",
            "error",
            Message(code="attention.alarm", params={**params, "since": alarm.since}),
            Message(code="remedy.alarm", params={"partner": alarm.partner}),
            partner=alarm.partner,
            node=alarm.node,
            urgent=True,
        )
    log = situation.log
    if log.witnesses_seen and log.witnesses_fresh < log.witnesses_needed:
        counts = {"fresh": log.witnesses_fresh, "seen": log.witnesses_seen, "needed": log.witnesses_needed}
        yield Condition(
            "witness:quorum",
            "witness",
            "warning",
            Message(code="alert.quorum", params=dict(counts)),
            Message(code="remedy.quorum"),
        )


def _refusals(situation: Situation, settings: AlertsTable) -> Iterator[Condition]:
    for partner, reasons in situation.refusals.items():
        count = sum(reasons.values())
        if count <= settings.refusals_per_hour:
            continue
        worst = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))[:_REASONS_NAMED]
        named = ", ".join(f"{reason} ({number})" for reason, number in worst)
        code = "alert.refusals" if partner else "alert.refusals-strangers"
        remedy = "remedy.refusals" if partner else "remedy.refusals-strangers"
        yield Condition(
            f"refusals:{partner}",
            "refusals",
            "warning",
            Message(code=code, params={"partner": partner, "count": count, "reasons": named}),
            Message(code=remedy, params={"partner": partner}),
            partner=partner or None,
        )


def _quotas(situation: Situation) -> Iterator[Condition]:
    for line in situation.fleet.partners:
        if line.quota_bytes is None or line.standing != "active" or not _near_quota(line):
            continue
        full = line.used_bytes >= line.quota_bytes
        percent = 100 * line.used_bytes // max(line.quota_bytes, 1)
        params = {"used_bytes": line.used_bytes, "quota_bytes": line.quota_bytes, "percent": percent}
        yield Condition(
            f"quota:{line.partner}",
            "quota",
            "warning",
            Message(
                code="attention.quota-full" if full else "attention.quota-near",
                params={"partner": line.partner, **params},
            ),
            Message(code="remedy.quota"),
            partner=line.partner,
            step=2 if full else 1,
        )


def _near_quota(line: PartnerLine) -> bool:
    return line.quota_bytes is not None and line.used_bytes >= _QUOTA_NEAR * line.quota_bytes


def _backup(situation: Situation, settings: AlertsTable) -> Iterator[Condition]:
    if settings.backup_days <= 0:
        return
    newest = situation.fleet.hub.last_backup
    if newest is None:
        message = Message(code="attention.backup-none")
    else:
        age_s = int((situation.now - newest).total_seconds())
        if age_s <= settings.backup_days * 86_400:
            return
        message = Message(code="attention.backup-old", params={"since_s": age_s})
    yield Condition("backup:hub", "backup", "warning", message, Message(code="remedy.backup"))


def _hub(situation: Situation, limits: Limits) -> Iterator[Condition]:
    made = situation.log.checkpoint_time
    if made is not None and situation.fleet.hub.running:
        # A hub that was away had no log to grow: it counts from its start.
        age_s = (situation.now - max(made, situation.up_since)).total_seconds()
        if age_s > limits.log_frozen_s:
            yield Condition(
                "hub:log",
                "hub",
                "error",
                Message(
                    code="attention.log-frozen",
                    params={"since_s": int((situation.now - made).total_seconds())},
                ),
                Message(code="remedy.log-frozen"),
            )
    if situation.storage.fsck_problems:
        yield Condition(
            "hub:fsck",
            "hub",
            "error",
            Message(code="alert.fsck", params={"count": situation.storage.fsck_problems}),
            Message(code="remedy.fsck"),
        )
