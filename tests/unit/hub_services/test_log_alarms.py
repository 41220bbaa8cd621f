"""A witness's alarm is logged once, and no report makes the log grow without end."""

import json
from typing import Any

import pytest

from tests.simulation.federation import TestFederation

ALARM = {"id": "2026-11-22T120000Z-two-histories", "kind": "two-histories", "since": "2026-11-22T12:00:00Z"}


def report(federation: TestFederation, who: str, alarms: Any) -> None:
    federation.hub.fleet.report_status(federation.caller(who), json.dumps({"alarms": alarms}).encode())


def logged(federation: TestFederation) -> list[dict[str, Any]]:
    leaves = federation.hub.translog.leaves()
    return [json.loads(each.record) for each in leaves if each.type == "alarm"]


def test_an_alarm_is_a_leaf_once_for_each_node_that_raises_it(federation: TestFederation):
    for _ in range(3):
        report(federation, "la-dgm", [{**ALARM, "more": {"is": "passed over"}}])
        report(federation, "th-dmr", [ALARM])
    records = logged(federation)
    assert [(each["actor"], each["object"]) for each in records] == [
        ("la-dgm", ALARM["id"]),
        ("th-dmr", ALARM["id"]),
    ]
    assert records[0]["detail"] == {"node": "main", "kind": "two-histories"}
    assert records[0]["lane"] is None


def test_who_raises_an_alarm_may_open_its_leaf_and_nobody_else(federation: TestFederation):
    report(federation, "la-dgm", [ALARM])
    federation.hub.log.make_checkpoint(force=True)
    for who, count in [("la-dgm", 1), ("th-dmr", 0)]:
        opened = federation.hub.log.entries(federation.caller(who), 0).opened
        assert len([each for each in opened if json.loads(each.record)["type"] == "alarm"]) == count


@pytest.mark.parametrize(
    "alarms",
    [
        *[None, 7, "x", {}, [None], [[]], [{}], [{"id": "x"}], [{"id": 1, "kind": "frozen"}]],
        [{"id": "x", "kind": "No Kind"}],
        [{"id": "../x", "kind": "frozen"}],
        [{"id": "x" * 200, "kind": "f"}],
    ],
)
def test_what_is_no_alarm_is_passed_over_and_the_report_is_kept(federation: TestFederation, alarms: Any):
    report(federation, "la-dgm", alarms)
    assert logged(federation) == []
    assert len(federation.hub.fleet.reports()) == 1


def test_a_node_cannot_flood_the_log_with_alarms(federation: TestFederation):
    for turn in range(5):
        report(federation, "la-dgm", [{"id": f"a{turn}-{n}", "kind": "frozen"} for n in range(100)])
    assert len(logged(federation)) == 200
    report(federation, "th-dmr", [ALARM])
    assert len(logged(federation)) == 201
