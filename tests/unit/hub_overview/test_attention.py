"""What needs a person: decisions above all, then what is urgent; and nothing that is the hub's own doing."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.limits import LIMITS
from hub.config_operator import AlertsTable
from hub.overview.attention import (
    OpenAlarm,
    Request,
    Situation,
    Unsigned,
    Waiting,
    attention,
    summed_up,
)
from hub.overview.attention_of_nodes import SeenNode
from hub.overview.model import Disk, HubView, NodeLine
from hub.overview.report import Report, read_value
from hub.overview.wording import TEMPLATES, say
from hub.services.content import Use

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HUB = HubView(
    name="Test",
    federation="test-geo",
    running=True,
    version="0.1.0",
    address="hub.test:7443",
    time=NOW,
    registry_seq=4,
    registry_expires=NOW + 80 * DAY,
    certificate_expires=NOW + 10 * DAY,
    last_backup=NOW - DAY,
    disk=Disk(name="/srv/hub", free_bytes=10**11, total_bytes=10**12),
)
WELL = Situation(
    now=NOW,
    limits=LIMITS,
    alerts=AlertsTable(),
    command="syncline-hub",
    hub=HUB,
    directory="/srv/hub",
    writable=True,
    started=NOW - DAY,
    checkpoint=NOW,
    renewal_due=False,
    keys_at_hand=False,
    keys_within=None,
    alarms=(),
    waiting=(),
    unsigned=(),
    requests=(),
    nodes=(),
    uses={},
    late={},
)


def node(state: str = "in sync", partner: str = "la-dgm", seen_s: float = 10, **said: Any) -> SeenNode:
    report = read_value(said, NOW)
    return SeenNode(
        NodeLine(
            partner=partner,
            node="main",
            state=state,  # type: ignore[arg-type]
            version=None,
            last_seen=NOW - timedelta(seconds=seen_s),
            lag_s=None,
            backlog_bytes=report.backlog_bytes,
            rate_bytes_s=0,
            clock_offset_s=None,
            alarms=0,
            problems=report.problems,
        ),
        report,
    )


def found(**changes: Any) -> list[tuple[str, bool]]:
    """Codes and whether they are urgent."""
    return [(each.message.code, each.urgent) for each in attention(replace(WELL, **changes))]


def hub(**changes: Any) -> HubView:
    return HUB.model_copy(update=changes)


def test_a_hub_that_is_well_needs_nobody():
    assert found() == []


@pytest.mark.parametrize(
    ("changes", "code", "urgent"),
    [
        ({"alarms": [OpenAlarm("la-dgm", "main", "x", "frozen", None)]}, "alarm", True),
        ({"waiting": [Waiting("cn-cgs", "main", "aa bb")]}, "approval", True),
        ({"requests": [Request(1, "revoke", "anna", "la-dgm")]}, "request", True),
        ({"unsigned": [Unsigned("enrol", "cn-cgs", "main")]}, "signature.enrol", True),
        ({"hub": hub(registry_expires=NOW)}, "registry-expired", True),
        ({"renewal_due": True}, "registry-due", True),
        ({"hub": hub(running=False)}, "hub-not-running", True),
        ({"checkpoint": NOW - timedelta(hours=4)}, "log-frozen", True),
        ({"writable": False}, "hub-not-writable", True),
        ({"hub": hub(disk=Disk(name="/", free_bytes=9, total_bytes=10**12))}, "hub-disk", True),
        (
            {"hub": hub(disk=Disk(name="/", free_bytes=10**11, total_bytes=10**12, days_left=2.5))},
            "hub-disk-days",
            True,
        ),
        ({"hub": hub(certificate_expires=NOW)}, "hub-certificate-expired", True),
        ({"hub": hub(certificate_expires=NOW + 2 * DAY)}, "hub-certificate-due", False),
        ({"keys_within": "/srv/hub/admin"}, "admin-keys", False),
        ({"alerts": AlertsTable(backup_days=0.5)}, "backup-old", False),
        ({"alerts": AlertsTable(backup_days=1.0), "hub": hub(last_backup=None)}, "backup-none", False),
        ({"uses": {"la-dgm": Use(100, 100)}}, "quota-full", False),
        ({"uses": {"la-dgm": Use(90, 100)}}, "quota-near", False),
        ({"late": {"la-dgm": 2, "th-dmr": 0}}, "datasets-late", False),
        ({"nodes": [node("silent", seen_s=999)]}, "node-silent", True),
        ({"nodes": [node("stuck", mirrors=[{"dataset": "la-dgm/x", "bytes_left": 5}])]}, "node-stuck", True),
        ({"nodes": [node("trouble", faults={"disk": {"message": "full"}})]}, "node-fault", True),
        ({"nodes": [node(hub={"clock_offset_s": -400.0})]}, "node-clock", True),
        ({"nodes": [node(disks=[{"name": "d", "free_bytes": 1, "total_bytes": 9}])]}, "node-disk", True),
        (
            {
                "nodes": [
                    node(disks=[{"name": "d", "free_bytes": 2**33, "total_bytes": 2**40, "days_left": 2}])
                ]
            },
            "node-disk-days",
            False,
        ),
        ({"nodes": [node(certificate_expires="2026-11-22T00:00:00Z")]}, "node-certificate-expired", True),
        ({"nodes": [node(certificate_expires="2026-11-24T00:00:00Z")]}, "node-certificate-due", False),
        (
            {"nodes": [node("trouble", publish=[{"dataset": "la-dgm/x", "state": "waiting for approval"}])]},
            "owner-decision",
            True,
        ),
    ],
)
def test_each_kind_of_trouble_is_told_once_with_a_remedy(changes: dict[str, Any], code: str, urgent: bool):
    assert found(**changes) == [(f"attention.{code}", urgent)]
    (each,) = attention(replace(WELL, **changes))
    for message in (each.message, each.remedy):
        assert message.code in TEMPLATES
        assert "–" not in say(message).replace("since –", ""), "every parameter is there"


@pytest.mark.parametrize(
    "changes",
    [
        {"renewal_due": True, "keys_at_hand": True},  # the hub renews by itself
        {"uses": {"la-dgm": Use(89, 100), "th-dmr": Use(10**9, None)}},
        {"nodes": [node(hub={"clock_offset_s": 299})]},
        {"nodes": [node("left", faults={"disk": {}})]},
        {"nodes": [node("silent", seen_s=999)], "started": NOW - timedelta(seconds=100)},
        {"checkpoint": None},
        {"hub": hub(certificate_expires=NOW + 5 * DAY)},
    ],
    ids=["renewal", "quota", "clock", "left", "the hub has just begun", "no checkpoint yet", "certificate"],
)
def test_what_needs_nobody_is_not_told(changes: dict[str, Any]):
    assert found(**changes) == []


def test_nodes_are_not_blamed_while_the_hub_does_not_run():
    assert found(hub=hub(running=False), nodes=[node("silent", seen_s=9999)]) == [
        ("attention.hub-not-running", True)
    ]


def test_a_restored_hub_is_told_to_continue_its_log_before_it_runs():
    situation = replace(WELL, hub=hub(running=False), restored=True)
    (told,) = attention(situation)
    assert told.remedy.code == "remedy.hub-restored"
    assert "log continue --keys DIR" in told.command


def test_decisions_stand_above_all_and_reminders_last():
    codes = [
        code
        for code, _ in found(
            alarms=[OpenAlarm("la-dgm", "main", "x", "frozen", None)],
            waiting=[Waiting("cn-cgs", "main", "aa bb")],
            hub=hub(running=False),
            keys_within="/srv/hub/admin",
            uses={"la-dgm": Use(100, 100)},
            nodes=[node("trouble", faults={"disk": {"message": "full"}})],
        )
    ]
    assert codes == [
        "attention.alarm",
        "attention.approval",
        "attention.hub-not-running",
        "attention.node-fault",
        "attention.quota-full",
        "attention.admin-keys",
    ]


def test_an_approval_shows_the_fingerprint_and_the_command_asks_for_it():
    (each,) = attention(
        replace(WELL, waiting=[Waiting("cn-cgs", "main", "3f1c 09ab")], command="syncline-hub --config x")
    )
    assert "3f1c 09ab" in say(each.message)
    assert each.command == 'syncline-hub --config x approve cn-cgs --node main --fingerprint "…"'


def test_what_a_node_complains_of_itself_is_not_told_twice():
    fault = {"message": "this clock is wrong"}
    seen = node("trouble", faults={"clock": fault}, hub={"clock_offset_s": 999})
    assert found(nodes=[seen]) == [("attention.node-fault", True)]


def test_one_node_does_not_fill_the_page():
    seen = node("trouble", faults={f"f{number}": {"message": "x"} for number in range(30)})
    codes = [code for code, _ in found(nodes=[seen])]
    assert codes == ["attention.node-fault"] * 3 + ["attention.node-more"]


def test_a_fleet_that_is_silent_as_a_whole_is_summed_up_and_decisions_are_not():
    nodes = [node("silent", f"xx-p{number}", seen_s=999) for number in range(500)]
    waiting = [Waiting(f"yy-p{number}", "main", "aa") for number in range(50)]
    shown = [*summed_up(attention(replace(WELL, nodes=nodes, waiting=waiting)))]
    assert len([each for each in shown if each.message.code == "attention.approval"]) == 50
    assert len([each for each in shown if each.message.code == "attention.node-silent"]) == 20
    assert say(shown[-1].message) == "and 480 more: nodes that do not report"
    assert shown[-1].urgent


def test_a_report_that_was_never_given_needs_nobody():
    line = node().line.model_copy(update={"state": "no report yet", "last_seen": None})
    assert found(nodes=[SeenNode(line, Report())]) == []
