"""Everything that needs a person, from what is known: pure, the most pressing first.

* What waits for a decision of this hub's people stands above all, alarms first; then what is urgent. Urgent
  is what makes `status` exit with 8; the rest are reminders.
* A fleet that is silent as a whole is not told node by node: `summed_up` counts, in one line, what exceeds
  `_OF_A_KIND_MAX` of a kind. Decisions are never summed up.
* Nodes are not called silent while the hub does not run, or has begun a moment ago: then it is the hub that
  did not listen.

    attention(situation)[0].message
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.clock import DAY_S, format_instant
from core.limits import Limits
from hub.alerts.outbox import ChannelTrouble
from hub.config_operator import AlertsTable
from hub.overview.attention_of_nodes import SeenNode, Told
from hub.overview.found import Found
from hub.overview.model import Attention, HubView, Message
from hub.services.content import Use

_OF_A_KIND_MAX = 20
_OWNERS_SHOWN_MAX = 10
_SEVERITIES = {"error": 0, "warning": 1, "info": 2}
_DISK_RESERVES = 4  # so many times the reserve is the time to look
_QUOTA_NEAR_PERCENT = 90


@dataclass(frozen=True, slots=True)
class OpenAlarm:
    """An alarm that a node's newest report holds and nobody here has acknowledged."""

    partner: str
    node: str
    id: str
    kind: str
    since: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A node that has joined and waits for the operator."""

    partner: str
    node: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Unsigned:
    """An act that waits for the administrators' signatures; `node` where it is about one."""

    kind: str
    partner: str
    node: str | None


@dataclass(frozen=True, slots=True)
class Request:
    """An act that one person asked for and another must confirm."""

    number: int
    act: str
    asked_by: str
    object: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known now. `command`: how the operator calls `syncline-hub`. `started`: when the hub began to
    run. `keys_within`: the administrators' keys are in the hub's own directory. `restored`: its log waits for
    the administrators to continue it, and the hub refuses to run. `told`: what was said of nodes at the last
    look."""

    now: datetime
    limits: Limits
    alerts: AlertsTable
    command: str
    hub: HubView
    directory: str
    writable: bool
    started: datetime | None
    checkpoint: datetime | None
    renewal_due: bool
    keys_at_hand: bool
    keys_within: str | None
    alarms: Sequence[OpenAlarm]
    waiting: Sequence[Waiting]
    unsigned: Sequence[Unsigned]
    requests: Sequence[Request]
    nodes: Sequence[SeenNode]
    uses: Mapping[str, Use]
    late: Mapping[str, int]
    channels: Sequence[ChannelTrouble] = ()
    restored: bool = False
    told: Told = field(default_factory=Told)


def attention(situation: Situation) -> tuple[Attention, ...]:
    """What a person must look at, the most pressing first."""
    found = [
        *_decisions(situation),
        *_of_hub(situation),
        *_of_nodes(situation),
        *_of_quotas(situation),
        *_of_datasets(situation),
    ]
    found.sort(key=lambda each: (not each.decision, not each.urgent, _SEVERITIES[each.severity]))
    return tuple(found)


def _decisions(situation: Situation) -> Iterator[Attention]:
    command = situation.command
    for alarm in situation.alarms:
        yield Found("alarm", alarm.partner, alarm.node).error(
            kind_word=alarm.kind, id=alarm.id, since=alarm.since, decision=True
        )
    for each in situation.waiting:
        yield Found("approval", each.partner, each.node).warning(
            fingerprint=each.fingerprint,
            decision=True,
            command=f'{command} approve {each.partner} --node {each.node} --fingerprint "…"',
        )
    for each in situation.requests:
        yield Found("request").warning(
            number=each.number,
            asked_by=each.asked_by,
            act_word=f"act.{each.act}",
            object=each.object,
            decision=True,
        )
    for each in situation.unsigned:
        yield Found(f"signature.{each.kind}", each.partner, each.node, remedy="signature").warning(
            decision=True, command=f"{command} registry sign --keys DIR"
        )


def _of_hub(situation: Situation) -> Iterator[Attention]:
    hub, now, limits, command = situation.hub, situation.now, situation.limits, situation.command
    sign = f"{command} registry sign --keys DIR"
    expires = format_instant(hub.registry_expires)
    if hub.registry_expires <= now:
        yield Found("registry-expired", remedy="registry").error(expires=expires, decision=True, command=sign)
    elif situation.renewal_due and not situation.keys_at_hand:
        yield Found("registry-due", remedy="registry").warning(expires=expires, decision=True, command=sign)
    if not hub.running and situation.restored:
        go_on = f"{command} log continue --keys DIR --reason TEXT"
        yield Found("hub-not-running", remedy="hub-restored").error(command=go_on)
    elif not hub.running:
        yield Found("hub-not-running").error(command=f"{command} run")
    made = situation.checkpoint
    if hub.running and made is not None and (now - made).total_seconds() > limits.log_frozen_s:
        yield Found("log-frozen").error(since_s=int((now - made).total_seconds()))
    if not situation.writable:
        yield Found("hub-not-writable").error(directory=situation.directory)
    yield from _of_hub_disk(situation)
    renewal_missed = hub.certificate_expires - now < timedelta(seconds=limits.certificate_valid_s / 4)
    certificate = format_instant(hub.certificate_expires)
    if hub.certificate_expires <= now:
        yield Found("hub-certificate-expired", remedy="hub-certificate").error(
            expires=certificate, command=f"{command} run"
        )
    elif renewal_missed and hub.running:
        yield Found("hub-certificate-due", remedy="hub-certificate").warning(
            expires=certificate, urgent=False
        )
    yield from _of_backups(situation)
    for channel in situation.channels:
        yield Found("channel-failing").warning(
            channel=channel.channel,
            problem=channel.problem,
            remedy=channel.remedy,
            attempts=channel.attempts,
            waiting=channel.waiting,
            command=f"{command} alerts test",
        )
    if situation.keys_within is not None:
        yield Found("admin-keys").info(directory=situation.keys_within)


def _of_hub_disk(situation: Situation) -> Iterator[Attention]:
    disk, reserve = situation.hub.disk, situation.limits.disk_reserve_bytes
    if disk.free_bytes < _DISK_RESERVES * reserve:
        yield Found("hub-disk").error(
            free_bytes=disk.free_bytes, reserve_bytes=reserve, directory=situation.directory
        )
    elif disk.days_left is not None and disk.days_left < situation.alerts.disk_days:
        yield Found("hub-disk-days", remedy="hub-disk").warning(
            left_s=int(disk.days_left * DAY_S), directory=situation.directory
        )


def _of_backups(situation: Situation) -> Iterator[Attention]:
    days, last = situation.alerts.backup_days, situation.hub.last_backup
    if not days:
        return
    if last is None:
        yield Found("backup-none", remedy="backup").warning(urgent=False)
    elif (age_s := int((situation.now - last).total_seconds())) > days * DAY_S:
        yield Found("backup-old", remedy="backup").warning(since_s=age_s, urgent=False)


def _of_nodes(situation: Situation) -> Iterator[Attention]:
    limits = situation.limits
    patience = timedelta(seconds=limits.reports_missed_max * limits.report_every_s)
    started = situation.started
    listens = situation.hub.running and (started is None or situation.now - started > patience)
    nodes = (each for each in situation.nodes if listens or each.line.state != "silent")
    yield from situation.told.of(nodes, situation.now, limits, situation.alerts.disk_days)


def _of_quotas(situation: Situation) -> Iterator[Attention]:
    for partner, use in situation.uses.items():
        quota = use.quota_bytes
        if quota is None:
            continue
        used = use.used_bytes
        if used >= quota:
            yield Found("quota-full", partner, remedy="quota").warning(
                used_bytes=used, quota_bytes=quota, urgent=False
            )
        elif used * 100 >= quota * _QUOTA_NEAR_PERCENT:
            yield Found("quota-near", partner, remedy="quota").info(
                used_bytes=used, quota_bytes=quota, percent=used * 100 // quota
            )


def _of_datasets(situation: Situation) -> Iterator[Attention]:
    late = {owner: count for owner, count in situation.late.items() if count}
    if late:
        worst = sorted(late, key=lambda owner: (-late[owner], owner))
        shown = ", ".join(worst[:_OWNERS_SHOWN_MAX]) + (" …" if len(worst) > _OWNERS_SHOWN_MAX else "")
        yield Found("datasets-late").warning(count=sum(late.values()), owners=shown, urgent=False)


def summed_up(found: Iterable[Attention]) -> Iterator[Attention]:
    """For the whole fleet: not more than `_OF_A_KIND_MAX` of a kind, then how many more there are."""
    told: Counter[str] = Counter()
    left: dict[str, list[Attention]] = {}
    for each in found:
        told[each.message.code] += 1
        if each.decision or told[each.message.code] <= _OF_A_KIND_MAX:
            yield each
        else:
            left.setdefault(each.message.code, []).append(each)
    for code, rest in left.items():
        kind = f"kind.{code.removeprefix('attention.')}"
        yield Attention(
            severity=rest[0].severity,
            urgent=any(each.urgent for each in rest),
            message=Message(code="attention.more", params={"count": len(rest), "kind_word": kind}),
            remedy=Message(code="remedy.more"),
        )
