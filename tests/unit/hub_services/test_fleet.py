"""The newest report of each node, bounded."""

import pytest

from core.errors import Denied, InvalidInput
from core.names import NodeName
from hub.services.context import Caller
from tests.simulation.federation import TestFederation


def test_the_newest_report_replaces_the_one_before(federation: TestFederation):
    fleet = federation.hub.fleet
    fleet.report_status(federation.caller("la-dgm"), b'{"state": "old"}')
    federation.clock.advance(10)
    time = fleet.report_status(federation.caller("la-dgm"), '{"state": "ດີ"}'.encode())
    fleet.report_status(federation.caller("th-dmr"), b"{}")
    reports = fleet.reports()
    assert [(r.partner, r.node) for r in reports] == [("la-dgm", "main"), ("th-dmr", "main")]
    assert reports[0].status == {"state": "ດີ"}
    assert reports[0].time == time == federation.clock.now()
    assert {p.partner.id: p.last_seen for p in federation.hub.registry.partners()}["la-dgm"] == time


@pytest.mark.parametrize("report", [b"", b"[]", b"{", b"\xff", b'"x"', b"x" * 300_000])
def test_what_is_no_report_is_refused(federation: TestFederation, report: bytes):
    with pytest.raises(InvalidInput):
        federation.hub.fleet.report_status(federation.caller("la-dgm"), report)


def test_strangers_do_not_report(federation: TestFederation):
    caller = federation.caller("la-dgm")
    with pytest.raises(Denied):
        federation.hub.fleet.report_status(Caller(caller.partner, NodeName("x")), b"{}")
