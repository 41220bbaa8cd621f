"""What the operator sees of the log: size, age, quorum, and every alarm that is open at some node."""

import json

from hub.log_view import alarms, log_json, witnesses_text
from tests.simulation.federation import TestFederation
from tests.unit.hub_services.test_log_cosignatures import add


def test_two_histories_are_told_in_those_words(federation: TestFederation):
    for who, kind in [("la-dgm", "two-histories"), ("th-dmr", "rolled-back"), ("vn-dgm", "something-new")]:
        report = {"alarms": [{"id": f"{kind}-1", "kind": kind, "since": "2026-11-22T12:00:00Z"}, "nonsense"]}
        federation.hub.fleet.report_status(federation.caller(who), json.dumps(report).encode())
    texts = [each.text for each in alarms(federation.hub.fleet.reports())]
    assert len(texts) == 3
    assert texts[0] == (
        "ALARM by la-dgm (node main): the hub has shown two histories"
        " (two-histories-1, since 2026-11-22T12:00:00Z)"
    )
    assert "the hub has shown two histories" in texts[1]
    assert "something-new" in texts[2]


def test_an_alarm_that_is_no_longer_reported_is_no_longer_shown(federation: TestFederation):
    caller = federation.caller("la-dgm")
    federation.hub.fleet.report_status(caller, b'{"alarms": [{"id": "frozen-1", "kind": "frozen"}]}')
    federation.hub.fleet.report_status(caller, b'{"alarms": []}')
    assert list(alarms(federation.hub.fleet.reports())) == []


def test_size_age_and_quorum_are_shown_and_looking_makes_nothing(federation: TestFederation):
    leaves = federation.hub.translog.size()
    before = federation.hub.log.status()
    assert (before.leaves, before.checkpoint_size, before.checkpoint_time) == (leaves, 0, None)
    assert witnesses_text(before) == "none has cosigned yet"
    federation.hub.log.make_checkpoint()
    for who in ("la-dgm", "th-dmr"):
        add(federation, who)
    status = federation.hub.log.status()
    assert witnesses_text(status) == "2 of 2 have cosigned within a day, needed 2"
    assert log_json(status) == {
        "origin": "test-geo/log",
        "leaves": leaves,
        "checkpoint_size": leaves,
        "checkpoint_time": "2026-11-22T12:00:00Z",
        "witnesses_fresh": 2,
        "witnesses_seen": 2,
        "witnesses_needed": 2,
    }
