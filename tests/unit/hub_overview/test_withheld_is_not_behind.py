"""Who has a dataset, who lacks it, and why: what nobody needs to be called for must not look like a fault."""

from datetime import timedelta

import pytest

from core.names import DatasetId, PartnerId
from hub.overview.service import Overview
from hub.overview.wording import say
from security.rules import FEDERATION, Rule
from tests.simulation.federation import TestFederation, grants, publish, share
from tests.unit.hub_overview.telling import acknowledge, holders, mirror, report

GEO = "la-dgm/geo"
FAULT = {"branch": "Unavailable", "reason": "DISK_FULL", "message": "no space", "remedy": "free some"}


def test_withheld_is_not_behind(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"], discover=["vn-dgm"])
    found = holders(overview, GEO)
    assert {partner: each.state for partner, each in found.items()} == {
        "la-dgm": "owner",
        "th-dmr": "behind",
        "vn-dgm": "withheld",
    }
    withheld = found["vn-dgm"]
    assert (withheld.may_discover, withheld.may_read, withheld.rule) == (True, False, "discover-vn-dgm")
    assert say(withheld.why) == "rule discover-vn-dgm lets it see that it exists; no rule lets it read"


def test_withheld_stays_withheld_whatever_its_node_reports(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"], discover=["vn-dgm"])
    report(federation, "vn-dgm", mirrors=[mirror(GEO, state="visible, not granted", error=FAULT)])
    assert holders(overview, GEO)["vn-dgm"].state == "withheld"
    assert holders(overview, GEO)["vn-dgm"].error is None


def test_not_shared_is_neither(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    outsider = holders(overview, GEO)["vn-dgm"]
    assert (outsider.state, outsider.may_discover, outsider.rule) == ("not shared", False, None)
    assert say(outsider.why) == "no rule in force names vn-dgm: it does not know that this exists"


def test_failed_is_told_apart_from_behind(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr", "vn-dgm"])
    report(federation, "th-dmr", mirrors=[mirror(GEO, state="failed", error=FAULT)])
    report(federation, "vn-dgm", mirrors=[mirror(GEO, state="not fetched yet", bytes_left=7)])
    found = holders(overview, GEO)
    assert found["th-dmr"].state == "failed"
    assert found["th-dmr"].error is not None
    assert found["th-dmr"].error.reason == "DISK_FULL"
    assert found["vn-dgm"].state == "behind"
    assert say(found["vn-dgm"].why) == "it holds none yet and has 7 B to fetch; rule read-vn-dgm lets it read"
    attention = overview.dataset(DatasetId(GEO)).attention
    assert [each.message.code for each in attention] == ["attention.holders-failed"]


def test_a_report_that_it_holds_is_no_acknowledgement(federation: TestFederation, overview: Overview):
    version = publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    report(federation, "th-dmr", mirrors=[mirror(GEO, seq=1)])
    claimed = holders(overview, GEO)["th-dmr"]
    assert (claimed.state, claimed.seq, claimed.why.code) == ("behind", None, "holder.unacknowledged")
    acknowledge(federation, "th-dmr", version)
    current = holders(overview, GEO)["th-dmr"]
    assert (current.state, current.seq, current.since) == ("current", 1, federation.clock.now())


def test_an_older_version_is_behind_until_the_next_is_acknowledged(
    federation: TestFederation, overview: Overview
):
    first = publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    acknowledge(federation, "th-dmr", first)
    second = publish(federation, "la-dgm", "geo", {"a": b"2"})
    held = holders(overview, GEO)["th-dmr"]
    assert (held.state, held.seq, say(held.why)) == (
        "behind",
        1,
        "it holds version 1 of 2; rule read-th-dmr lets it read",
    )
    acknowledge(federation, "th-dmr", second)
    assert holders(overview, GEO)["th-dmr"].state == "current"


def test_who_does_not_mirror_it_does_not_want_it(federation: TestFederation, overview: Overview):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr", "vn-dgm"])
    report(federation, "th-dmr", mirrors=[mirror("la-dgm/other")])
    report(federation, "vn-dgm", mirrors=[], omitted=3)  # what it left out may be this one
    found = holders(overview, GEO)
    assert found["th-dmr"].state == "not wanted"
    assert found["vn-dgm"].state == "behind"


def test_a_grant_that_ended_is_told_with_its_date(federation: TestFederation, overview: Overview):
    now = federation.clock.now()
    until = now + timedelta(hours=1)
    rule = Rule("a", "permission", PartnerId("th-dmr"), ("read",), None, until)
    share(federation, "la-dgm", "geo", rules=[rule])
    version = publish(federation, "la-dgm", "geo", {"a": b"1"})
    acknowledge(federation, "th-dmr", version)
    assert holders(overview, GEO)["th-dmr"].state == "current"
    federation.clock.advance(3600)
    ended = holders(overview, GEO)["th-dmr"]
    assert (ended.state, ended.seq, ended.may_read) == ("ended", 1, False)
    assert ended.why.code == "access.nothing-any-more"
    assert ended.why.params["ended"] == until.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_who_is_suspended_gets_nothing(federation: TestFederation, overview: Overview):
    version = publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr", "vn-dgm"])
    acknowledge(federation, "th-dmr", version)
    federation.hub.registry.suspend(PartnerId("th-dmr"))
    federation.hub.registry.suspend(PartnerId("vn-dgm"))
    found = holders(overview, GEO)
    assert (found["th-dmr"].state, found["vn-dgm"].state) == ("ended", "not shared")
    assert found["th-dmr"].why.code == "access.not-active"


def test_bytes_that_the_owner_has_yet_to_send_are_not_the_readers_fault(
    federation: TestFederation, overview: Overview
):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, withhold=True)
    assert holders(overview, GEO)["th-dmr"].state == "not shared"
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    assert holders(overview, GEO)["th-dmr"].why.code == "holder.unsent"


POLICIES = {
    "nothing": [],
    "one reads": grants(["th-dmr"]),
    "one sees": grants((), ["th-dmr"]),
    "all read, one may not": [
        Rule("all", "permission", FEDERATION, ("read",)),
        Rule("but", "prohibition", PartnerId("th-dmr"), ("read",)),
    ],
    "all see, one must not": [
        Rule("all", "permission", FEDERATION, ("discover", "read")),
        Rule("but", "prohibition", PartnerId("vn-dgm"), ("discover",)),
    ],
    "forbidden to all": [
        Rule("a", "permission", PartnerId("th-dmr"), ("read",)),
        Rule("b", "prohibition", FEDERATION, ("read",)),
    ],
}


@pytest.mark.parametrize("rules", POLICIES.values(), ids=POLICIES)
def test_what_is_explained_is_what_the_hub_decides(
    federation: TestFederation, overview: Overview, rules: list[Rule]
):
    share(federation, "la-dgm", "geo", rules=rules)
    publish(federation, "la-dgm", "geo", {"a": b"1"}, withhold=True)
    federation.hub.registry.suspend(PartnerId("vn-dgm"))
    for suspended in (True, False):
        if not suspended:
            federation.hub.registry.resume(PartnerId("vn-dgm"))
        readers = 0
        for partner, shown in holders(overview, GEO).items():
            decided = [
                federation.hub.sharing.decide(PartnerId(partner), DatasetId(GEO), action)
                for action in ("discover", "read")
            ]
            assert [shown.may_discover, shown.may_read] == [each.allowed for each in decided]
            if decided[1].allowed:
                assert shown.rule == decided[1].rule_uid
                readers += partner != "la-dgm"
        assert overview.dataset(DatasetId(GEO)).line.readers == readers
