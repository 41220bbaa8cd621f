"""Refusals are counted, never listed: one leaf an hour, whatever happens."""

import json

from core.names import PartnerId
from hub.services.translog import StoredLeaf
from tests.simulation.federation import TestFederation, publish

LA = PartnerId("la-dgm")


def logged(federation: TestFederation) -> list[dict]:
    return [json.loads(each.record) for each in leaves(federation)]


def leaves(federation: TestFederation) -> list[StoredLeaf]:
    return [each for each in federation.hub.translog.leaves() if each.type == "refusals"]


def test_an_hours_refusals_are_one_leaf_with_counts_by_reason(federation: TestFederation):
    log = federation.hub.log
    log.perform()
    for _ in range(1000):
        log.refused(LA, "NOT_GRANTED")
    log.refused(None, "UNKNOWN_SIGNER")
    federation.clock.advance(1800)
    log.perform()
    assert logged(federation) == []
    federation.clock.advance(1800)
    log.refused(LA, "NEXT_HOUR")
    log.perform()
    log.perform()
    (record,) = logged(federation)
    assert record["type"] == "refusals"
    assert (record["actor"], record["object"], record["lane"]) == ("hub", "hour", None)
    assert record["detail"] == {
        "from": "2026-11-22T12:00:00Z",
        "to": "2026-11-22T13:00:00Z",
        "counts": {"NOT_GRANTED": 1000, "UNKNOWN_SIGNER": 1},
    }
    assert b"la-dgm" not in leaves(federation)[0].leaf


def test_an_hour_without_any_is_logged_too_so_that_the_log_grows(federation: TestFederation):
    log = federation.hub.log
    log.perform()
    for _ in range(3):
        federation.clock.advance(3600)
        log.perform()
        assert log.make_checkpoint()
    assert [each["detail"]["counts"] for each in logged(federation)] == [{}, {}, {}]


def test_counting_begins_when_the_hub_does_and_claims_nothing_before(federation: TestFederation):
    federation.clock.advance(10 * 24 * 3600)
    federation.hub.log.perform()
    assert logged(federation) == []


def test_a_hub_that_was_down_logs_the_whole_gap_in_one_leaf(federation: TestFederation):
    federation.hub.log.perform()
    federation.clock.advance(7 * 3600 + 60)
    federation.hub.log.perform()
    (record,) = logged(federation)
    assert (record["detail"]["from"], record["detail"]["to"]) == (
        "2026-11-22T12:00:00Z",
        "2026-11-22T19:00:00Z",
    )


def test_counts_survive_a_restart(federation: TestFederation):
    federation.hub.log.perform()
    federation.hub.log.refused(LA, "NOT_GRANTED")
    federation.host.restart()  # kept at the orderly end
    federation.hub.log.refused(LA, "NOT_GRANTED")
    federation.hub.log.perform()
    federation.clock.advance(3600)
    federation.hub.log.perform()
    assert logged(federation)[0]["detail"]["counts"] == {"NOT_GRANTED": 2}


def test_a_clock_set_back_loses_no_count_and_logs_no_hour_twice(federation: TestFederation):
    log = federation.hub.log
    log.perform()
    federation.clock.advance(3600)
    log.perform()
    federation.clock.advance(-1800)
    log.refused(LA, "LATE")
    log.perform()
    assert len(logged(federation)) == 1
    federation.clock.advance(5400)
    log.perform()
    assert [each["detail"]["counts"] for each in logged(federation)] == [{}, {"LATE": 1}]


def test_a_flood_of_kinds_stays_bounded(federation: TestFederation):
    log = federation.hub.log
    log.perform()
    for number in range(12_000):
        log.refused(LA, f"R{number}")
    federation.clock.advance(3600)
    log.perform()
    counts = logged(federation)[0]["detail"]["counts"]
    assert counts["OTHER"] == 2000
    assert sum(counts.values()) == 12_000


def test_refusing_makes_no_leaf_by_itself(federation: TestFederation):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    size = federation.hub.translog.size()
    for _ in range(50):
        federation.hub.log.refused(LA, "NOT_FOUND")
    federation.hub.log.perform()
    assert federation.hub.translog.size() == size
