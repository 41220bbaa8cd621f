"""Fleet: who is in sync, who is late, what is stuck; the worst first, and never green when silent."""

import json
from typing import Any

import pytest

from core.errors import InvalidInput
from core.names import NodeName, PartnerId
from hub.overview.model import FleetView, NodeLine, PartnerLine
from hub.overview.service import Overview
from hub.overview.wording import say
from tests.simulation.federation import TestFederation, publish
from tests.unit.hub_overview.telling import mirror, overview_of, report

GEO = "la-dgm/geo"


def fleet(federation: TestFederation, overview: Overview) -> FleetView:
    overview.forget()
    return overview.fleet()


def line(view: FleetView, partner: str) -> PartnerLine:
    return next(each for each in view.partners if each.partner == partner)


def node(view: FleetView, partner: str) -> NodeLine:
    return line(view, partner).nodes[0]


def said(view: FleetView) -> list[str]:
    return [say(each.message) for each in view.attention]


def alarm(name: str) -> dict[str, Any]:
    return {"id": name, "kind": "two-histories", "since": "2026-11-22T12:00:00Z"}


def test_the_worst_comes_first(federation: TestFederation, overview: Overview):
    federation.enrol("cn-cgs")
    federation.enrol("kh-gdr")
    report(federation, "kh-gdr")
    report(federation, "la-dgm")
    report(federation, "th-dmr", faults={"disk": {"message": "full"}})
    report(federation, "vn-dgm", mirrors=[mirror(GEO, seq=1, wanted_seq=2)])
    view = fleet(federation, overview)
    assert [(each.partner, each.state) for each in view.partners] == [
        ("kh-gdr", "silent"),
        ("la-dgm", "silent"),
        ("th-dmr", "trouble"),
        ("cn-cgs", "no report yet"),
        ("vn-dgm", "behind"),
    ]
    assert view.counts.by_state == {"silent": 2, "trouble": 1, "no report yet": 1, "behind": 1}
    assert [*view.counts.by_state] == ["silent", "trouble", "no report yet", "behind"], "the worst first"


def test_a_partner_is_as_its_worst_node(federation: TestFederation, overview: Overview):
    federation.enrol("la-dgm", "mirror-2")
    report(federation, "la-dgm")
    report(federation, "la-dgm/mirror-2", faults={"disk": {"message": "full"}}, transfer={"up_bytes_s": 7})
    shown = line(fleet(federation, overview), "la-dgm")
    assert (shown.state, shown.rate_bytes_s) == ("trouble", 7)
    assert [(each.node, each.state) for each in shown.nodes] == [("mirror-2", "trouble"), ("main", "in sync")]


def test_a_node_that_stops_reporting_is_noticed_and_shows_no_rate(
    federation: TestFederation, overview: Overview
):
    report(federation, "la-dgm", transfer={"up_bytes_s": 9000})
    assert node(fleet(federation, overview), "la-dgm").state == "in sync"
    federation.clock.advance(federation.limits.reports_missed_max * federation.limits.report_every_s + 1)
    shown = node(fleet(federation, overview), "la-dgm")
    assert (shown.state, shown.rate_bytes_s) == ("silent", 0)


def test_lag_is_since_the_oldest_version_that_is_lacking(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    federation.clock.advance(1000)
    publish(federation, "la-dgm", "geo", {"a": b"2"})
    federation.clock.advance(1000)
    publish(federation, "la-dgm", "geo", {"a": b"3"})
    report(federation, "th-dmr", mirrors=[mirror(GEO, seq=1, wanted_seq=3, bytes_left=5)])
    assert node(fleet(federation, overview), "th-dmr").lag_s == 1000 + 120
    report(federation, "th-dmr", mirrors=[mirror(GEO, seq=2, wanted_seq=3)])
    assert node(fleet(federation, overview), "th-dmr").lag_s == 240
    report(federation, "th-dmr", mirrors=[mirror(GEO, seq=3, wanted_seq=3)])
    assert node(fleet(federation, overview), "th-dmr").lag_s is None


def test_a_new_member_lacks_nothing_from_before_it_joined(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["cn-cgs"])
    federation.clock.advance(500_000)
    federation.enrol("cn-cgs")
    report(federation, "cn-cgs", mirrors=[mirror(GEO, seq=None, wanted_seq=1)])
    assert node(fleet(federation, overview), "cn-cgs").lag_s == 120


def test_it_is_read_again_once_a_second_and_at_once_for_who_has_acted(
    federation: TestFederation, overview: Overview
):
    first = overview.fleet()
    federation.hub.fleet.report_status(federation.caller("la-dgm"), b"{}")
    assert overview.fleet() is first
    overview.forget()
    assert node(overview.fleet(), "la-dgm").last_seen is not None
    federation.clock.advance(federation.limits.view_fresh_s)
    assert overview.fleet() is not first


def test_the_revision_is_never_newer_than_what_is_shown(federation: TestFederation, overview: Overview):
    """Else a page that shows the kept look would believe that it shows what has changed since."""
    before = overview.fleet().revision
    federation.hub.fleet.report_status(federation.caller("la-dgm"), b"{}")
    assert overview.revision() == overview.fleet().revision == before
    federation.clock.advance(federation.limits.view_fresh_s)
    assert overview.revision() > before, "whoever shows the old look is told"
    assert overview.fleet().revision == overview.revision()


def test_a_process_beside_the_hub_sees_the_same(federation: TestFederation, overview: Overview):
    report(federation, "la-dgm", faults={"disk": {"message": "full"}})
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    beside, here = overview_of(federation).fleet(), fleet(federation, overview)
    assert (beside.counts, beside.attention, beside.partners) == (here.counts, here.attention, here.partners)


def test_an_alarm_is_shown_until_it_is_acknowledged_here_or_decided_there(
    federation: TestFederation, overview: Overview
):
    report(federation, "la-dgm", alarms=[alarm("two-1"), alarm("two-2")])
    view = fleet(federation, overview)
    assert (node(view, "la-dgm").state, node(view, "la-dgm").alarms) == ("alarm", 2)
    assert [each.decision for each in view.attention][:2] == [True, True]
    assert said(view)[0] == (
        "ALARM by la-dgm (node main): the hub has shown two histories (two-1, since 2026-11-22T12:00:00Z)"
    )
    report(federation, "la-dgm", alarms=[])
    assert node(fleet(federation, overview), "la-dgm").state == "in sync"


def test_suspended_and_revoked_partners_raise_no_attention_and_stand_last(
    federation: TestFederation, overview: Overview
):
    for who in ("la-dgm", "th-dmr", "vn-dgm"):
        report(federation, who, faults={"disk": {"message": f"the disk of {who}"}})
    federation.hub.registry.suspend(PartnerId("la-dgm"))
    federation.hub.registry.revoke(PartnerId("th-dmr"), [federation.administrator])
    view = fleet(federation, overview)
    assert [(each.partner, each.standing) for each in view.partners] == [
        ("vn-dgm", "active"),
        ("la-dgm", "suspended"),
        ("th-dmr", "revoked"),
    ]
    assert view.counts.partners == 1
    assert not any("the disk of la-dgm" in text or "the disk of th-dmr" in text for text in said(view))


def test_who_was_invited_is_there_before_it_belongs(federation: TestFederation, overview: Overview):
    federation.hub.enrolment.invite(PartnerId("cn-cgs"), {"zh": "中国地质调查局"}, NodeName("main"))
    shown = fleet(federation, overview).partners[-1]
    assert (shown.partner, shown.standing, shown.state, shown.nodes) == (
        "cn-cgs",
        "invited",
        "no report yet",
        (),
    )
    assert shown.names == {"zh": "中国地质调查局"}


def test_datasets_are_counted_by_what_their_owners_promised(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    publish(federation, "la-dgm", "other", {"a": b"2"}, read=["th-dmr"])
    report(federation, "la-dgm", publish=[{"dataset": GEO, "update_frequency": "daily"}])
    counts = fleet(federation, overview).counts
    assert (counts.datasets, counts.versions) == (2, 2)
    assert counts.datasets_by_freshness == {"fresh": 1, "unknown": 1}
    federation.clock.advance(3 * 86_400)
    view = fleet(federation, overview)
    assert view.counts.datasets_by_freshness == {"late": 1, "unknown": 1}
    assert (line(view, "la-dgm").datasets, line(view, "la-dgm").datasets_late) == (2, 1)
    assert "late by their owners' own cadence: 1 of the datasets" in said(view)


def test_one_partner_with_all_that_its_nodes_say(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    fault = {"branch": "Unavailable", "reason": "DISK_FULL", "message": "no space", "remedy": "free some"}
    report(
        federation,
        "la-dgm",
        version="0.2.0",
        registry_seq=2,
        disks=[{"name": "state", "free_bytes": 5, "total_bytes": 10, "days_left": 3.5}],
        watch={"mode": "events", "healthy": True, "last_full_scan": None, "note": ""},
        witness={"size": 9, "read": 8, "cosigned": 7, "note": ""},
        last_error={**fault, "about": "mirrors"},
        publish=[{"dataset": GEO, "state": "failed", "seq": 1, "error": fault}],
    )
    shown = overview.partner(PartnerId("la-dgm"))
    (one,) = shown.nodes
    assert (one.version, one.registry_behind, one.disks[0].days_left) == ("0.2.0", 2, 3.5)
    assert one.watch is not None and one.witness is not None and one.last_error is not None
    assert (one.watch.mode, one.witness.cosigned, one.last_error.about) == ("events", 7, "mirrors")
    assert one.publishes[0].error is not None and one.publishes[0].error.reason == "DISK_FULL"
    assert [each.dataset for each in shown.datasets] == [GEO]
    assert [(each.node, each.state) for each in shown.enrolments] == [("main", "approved")]
    assert any(each.partner == "la-dgm" for each in shown.attention)
    with pytest.raises(InvalidInput, match="not a partner") as refused:
        overview.partner(PartnerId("xx-nobody"))
    assert refused.value.reason == "NO_SUCH_PARTNER"


def test_json_is_what_the_view_says(federation: TestFederation, overview: Overview):
    report(federation, "la-dgm", mirrors=[mirror(GEO, seq=1, wanted_seq=2)])
    value = json.loads(fleet(federation, overview).model_dump_json())
    assert value["hub"]["time"].endswith("Z") and "." not in value["hub"]["time"]
    assert [each["partner"] for each in value["partners"]][-1] == "la-dgm"
