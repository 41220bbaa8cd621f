"""What is seen becomes the right alerts, and no others."""

from datetime import datetime, timedelta
from string import Formatter
from typing import Any, get_args

import pytest

from core.clock import DAY_S
from core.limits import LIMITS
from hub.alerts.condition import Condition, Situation
from hub.alerts.expiry import STEPS, renewing, step_of
from hub.alerts.rules import judge
from hub.config_operator import AlertRule, AlertsTable
from hub.overview.model import AlarmView, Disk, Fault
from hub.overview.wording import TEMPLATES, say
from tests.unit.hub_alerts import views
from tests.unit.hub_alerts.views import DAY, GIB, NOW

LONG_AGO = NOW - 7 * DAY


def situation(*nodes: Any, now: datetime = NOW, **changes: Any) -> Situation:
    lines = [views.partner(each) for each in nodes]
    values: dict[str, Any] = {
        "now": now,
        "up_since": LONG_AGO,
        "fleet": views.fleet(*lines),
        "nodes": nodes or (views.node("la-dgm"), views.node("th-dmr")),
        "log": views.log(),
        "storage": views.storage(),
    }
    return Situation(**{**values, **changes})


def found(given: Situation, **settings: Any) -> list[Condition]:
    return list(judge(given, AlertsTable(**settings), LIMITS).conditions)


def one(given: Situation, **settings: Any) -> Condition:
    [condition] = found(given, **settings)
    return condition


def fault(reason: str = "DISK_FULL", about: str = "la-dgm/wells", message: str = "full") -> Fault:
    return Fault(
        branch="Unavailable", reason=reason, message=message, remedy="free space", since=NOW, about=about
    )


def alarm(**changes: Any) -> AlarmView:
    values: dict[str, Any] = {
        "partner": "la-dgm",
        "node": "main",
        "id": "a1",
        "kind": "two-histories",
        "since": "2026-11-22T11:00:00Z",
        "reported": NOW,
        "open": True,
        "acknowledged_by": None,
        "acknowledged": None,
        "reason": None,
        "leaf": 7,
    }
    return AlarmView(**{**values, **changes})


def disk(free: int, days: float | None = None) -> Disk:
    return Disk(name="state", free_bytes=free, total_bytes=100 * GIB, days_left=days)


def test_a_fleet_in_order_is_no_alert() -> None:
    assert found(situation()) == []


EVERY: dict[AlertRule, Situation] = {
    "late": situation(late=[views.dataset()]),
    "stuck": situation(views.node(state="stuck", backlog_bytes=5)),
    "silent": situation(views.node(state="silent", last_seen=NOW - DAY)),
    "trouble": situation(views.node(state="trouble", problems=(fault(),))),
    "disk": situation(views.node(disks=(disk(50 * GIB, days=3.5),))),
    "clock": situation(views.node(clock_offset_s=-400.0)),
    "certificate": situation(views.node(certificate_expires=NOW + 2 * DAY)),
    "registry": situation(fleet=views.fleet(view=views.hub(registry_expires=NOW + 20 * DAY))),
    "witness": situation(log=views.log(alarms=(alarm(),))),
    "refusals": situation(refusals={"th-dmr": {"NOT_GRANTED": 90, "FENCED": 20}}),
    "quota": situation(fleet=views.fleet(views.partner(views.node(), quota_bytes=5 * GIB))),
    "backup": situation(fleet=views.fleet(view=views.hub(last_backup=NOW - 3 * DAY))),
    "hub": situation(log=views.log(checkpoint_time=NOW - timedelta(hours=4))),
}


@pytest.mark.parametrize("rule", get_args(AlertRule))
def test_each_rule_tells_and_can_be_muted(rule: AlertRule) -> None:
    condition = one(EVERY[rule], backup_days=2.0)
    assert condition.rule == rule
    assert condition.key.startswith(f"{rule}:")
    for message in (condition.message, condition.remedy):
        template = TEMPLATES[message.code]
        named = {name for _, name, _, _ in Formatter().parse(template) if name}
        assert named <= set(message.params), (message.code, named)
        assert say(message)
    assert found(EVERY[rule], mute=[rule], backup_days=2.0) == []


def test_a_silent_node_is_told_as_silent_alone_and_nothing_else_of_it_is_judged() -> None:
    given = situation(views.node(state="silent", last_seen=NOW - DAY, clock_offset_s=900.0))
    assert one(given).rule == "silent"
    judgement = judge(given, AlertsTable(), LIMITS)
    assert not judgement.judges("clock", "la-dgm", "main")
    assert judgement.judges("silent", "la-dgm", "main")
    assert judgement.judges("witness", "la-dgm", "main")
    assert judgement.judges("clock", "th-dmr", "main")


def test_silence_is_seen_behind_an_alarm() -> None:
    given = situation(views.node(state="alarm", last_seen=NOW - DAY))
    assert one(given).rule == "silent"


def test_nobody_is_silent_while_nodes_come_back_to_a_hub_that_was_away() -> None:
    just_now = NOW - timedelta(seconds=LIMITS.alert_reconnect_s - 1)
    given = situation(views.node(state="silent", last_seen=NOW - DAY), up_since=just_now)
    assert found(given) == []
    assert not judge(given, AlertsTable(), LIMITS).judges("silent", "la-dgm", "main")


def test_who_is_no_member_any_more_is_no_trouble() -> None:
    silent = views.node(state="silent", last_seen=NOW - DAY)
    for standing in ("suspended", "revoked", "left"):
        line = views.partner(silent, standing=standing, quota_bytes=1)
        assert found(situation(silent, fleet=views.fleet(line))) == []
    assert found(situation(views.node(state="left", last_seen=NOW - 90 * DAY))) == []


def test_one_reason_is_one_alert_however_many_datasets_have_it() -> None:
    faults = tuple(fault(about=f"la-dgm/d{number}") for number in range(200))
    condition = one(situation(views.node(state="trouble", problems=faults)))
    assert condition.key == "trouble:la-dgm/main:DISK_FULL"
    assert "+199" in say(condition.message)


def test_a_node_cannot_open_alerts_without_end() -> None:
    faults = tuple(fault(reason=f"R{number}") for number in range(10_000))
    assert len(found(situation(views.node(problems=faults)))) < 10


def test_a_text_that_changes_at_every_report_is_the_same_alert() -> None:
    first, second = (
        one(situation(views.node(problems=(fault(message=text),)))) for text in ("3 left", "2 left")
    )
    assert first.key == second.key


def test_a_disk_that_is_full_is_worse_than_one_that_will_be() -> None:
    days = one(situation(views.node(disks=(disk(50 * GIB, 2.0),))))
    full = one(situation(views.node(disks=(disk(50 * GIB, 2.0), disk(LIMITS.disk_reserve_bytes, None)))))
    assert (days.key, days.severity) == (full.key, "warning")
    assert full.severity == "error"
    assert full.step > days.step


def test_disk_days_of_zero_tells_of_no_forecast() -> None:
    assert found(situation(views.node(disks=(disk(50 * GIB, 0.5),))), disk_days=0.0) == []


def test_the_hubs_disk_by_days_and_by_reserve() -> None:
    steps = [
        one(situation(storage=views.storage(disk=disk(free, days)))).step
        for free, days in (
            (50 * GIB, 3.0),
            (4 * LIMITS.disk_reserve_bytes - 1, None),
            (LIMITS.disk_reserve_bytes + LIMITS.frame_bytes_max, None),
            (LIMITS.disk_reserve_bytes + LIMITS.frame_bytes_max - 1, None),
        )
    ]
    assert steps == [1, 2, 2, 3]  # uploads stop where one frame more would touch the reserve


def test_a_certificate_that_will_renew_itself_is_no_news() -> None:
    """It lives 14 days and renews itself at 7: what is told is that it has not."""
    assert renewing(LIMITS.certificate_valid_s) == (6 * DAY_S, 3 * DAY_S, DAY_S, 0)
    assert found(situation(views.node(certificate_expires=NOW + timedelta(days=6, hours=1)))) == []
    overdue = one(situation(views.node(certificate_expires=NOW + 6 * DAY)))
    over = one(situation(views.node(certificate_expires=NOW)))
    assert (overdue.step, overdue.severity) == (1, "warning")
    assert (over.step, over.severity) == (4, "error")
    assert "expired" in say(over.message)


def test_longer_certificates_keep_the_usual_steps() -> None:
    assert renewing(90 * DAY_S) == (44 * DAY_S, *STEPS)


def test_the_registry_is_told_at_30_14_and_7_days_and_more_urgently_then() -> None:
    def step(days: float) -> int:
        return step_of(NOW + timedelta(days=days), NOW, STEPS)

    assert [step(days) for days in (31, 30, 15, 14, 8, 7, 3, 1, 0, -5)] == [0, 1, 1, 2, 2, 3, 4, 5, 6, 6]
    gone = one(situation(fleet=views.fleet(view=views.hub(registry_expires=NOW - DAY))))
    assert "has expired" in say(gone.message)


def test_the_authority_is_told_too() -> None:
    assert one(situation(authority_expires=NOW + 10 * DAY)).key == "certificate:authority"


def test_an_alarm_is_told_at_once_until_somebody_has_answered_it() -> None:
    assert one(situation(log=views.log(alarms=(alarm(),)))).urgent
    answered = alarm(acknowledged_by="anna", acknowledged=NOW, reason="a restore")
    assert found(situation(log=views.log(alarms=(answered, alarm(open=False))))) == []


def test_a_quorum_that_is_lost_is_told() -> None:
    given = situation(log=views.log(witnesses_fresh=1, witnesses_seen=3, witnesses_needed=2))
    assert one(given).key == "witness:quorum"


def test_refusals_of_strangers_name_nobody() -> None:
    condition = one(situation(refusals={"": {"BAD_TOKEN": 1000}}))
    assert condition.partner is None
    assert "BAD_TOKEN (1000)" in say(condition.message)
    assert found(situation(refusals={"th-dmr": {"NOT_GRANTED": 100}})) == []


def test_a_quota_warns_before_it_is_full() -> None:
    def step(quota: int) -> int:
        return one(
            situation(fleet=views.fleet(views.partner(views.node(), used_bytes=95, quota_bytes=quota)))
        ).step

    assert [step(100), step(95)] == [1, 2]


def test_a_hub_that_was_down_is_not_frozen_when_it_starts() -> None:
    old = views.log(checkpoint_time=NOW - 3 * DAY)
    assert found(situation(log=old, up_since=NOW - timedelta(minutes=20))) == []


def test_what_fsck_found_is_told() -> None:
    assert one(situation(storage=views.storage(fsck_problems=2))).key == "hub:fsck"


def test_no_backup_at_all_is_told_where_one_is_asked_for() -> None:
    never = situation(fleet=views.fleet(view=views.hub(last_backup=None)))
    assert found(never) == []
    assert one(never, backup_days=1.0).rule == "backup"
