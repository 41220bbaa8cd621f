"""Reports are taken many at once; what is bad, too often or not theirs to say is refused or passed over."""

import json
import threading
from concurrent.futures import Future
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from core.errors import Denied, InvalidInput, Unavailable
from core.names import PartnerId
from hub.storage import schema
from tests.simulation.federation import TestFederation, publish

GEO = "la-dgm/geo"
PLACE = {
    "bbox": [100, 14, 108, 22.5],
    "bbox_source": "declared",
    "begin": "2001",
    "period_source": "extracted",
}


def rows(federation: TestFederation, table: sa.Table) -> list[Any]:
    with federation.hub.context.database.read() as connection:
        return [*connection.execute(sa.select(table))]


def facts(federation: TestFederation) -> list[Any]:
    return rows(federation, schema.dataset_facts)


def tell(federation: TestFederation, who: str, **said: Any) -> None:
    federation.hub.fleet.report_status(federation.caller(who), json.dumps(said).encode())


# ── commits ──────────────────────────────────────────────────────────────────────────────────────


def test_all_that_wait_share_one_commit(federation: TestFederation):
    fleet, database = federation.hub.fleet, federation.hub.context.database
    before = database.revisions()[0]
    waiting = [fleet.submit(federation.caller(who), b"{}") for who in ("la-dgm", "th-dmr", "vn-dgm")]
    assert not any(each.done() for each in waiting)
    assert rows(federation, schema.status_reports) == []
    fleet.commit()
    assert [each.result(timeout=0) for each in waiting] == [federation.clock.now()] * 3
    assert database.revisions()[0] == before + 1
    assert {row.revision for row in rows(federation, schema.status_reports)} == {before + 1}


def test_of_two_reports_that_wait_the_newer_stays_and_both_are_answered(federation: TestFederation):
    fleet, caller = federation.hub.fleet, federation.caller("la-dgm")
    first, second = fleet.submit(caller, b'{"n": 1}'), fleet.submit(caller, b'{"n": 2}')
    fleet.commit()
    assert first.done() and second.done()
    assert fleet.reports()[0].status == {"n": 2}


def test_what_waits_is_kept_when_the_hub_stops(federation: TestFederation):
    waiting = federation.hub.fleet.submit(federation.caller("la-dgm"), b"{}")
    federation.hub.fleet.stop()
    assert waiting.done()
    assert len(rows(federation, schema.status_reports)) == 1


def test_who_waits_hears_that_a_commit_failed_and_may_try_again(
    federation: TestFederation, monkeypatch: pytest.MonkeyPatch
):
    fleet, caller = federation.hub.fleet, federation.caller("la-dgm")

    def full(*_: Any, **__: Any) -> None:
        raise Unavailable("no space left", reason="DISK_FULL")

    with monkeypatch.context() as patch:
        patch.setattr(federation.hub.context.database, "write", full)
        waiting = fleet.submit(caller, b"{}")
        fleet.commit()
    with pytest.raises(Unavailable, match="no space"):
        waiting.result(timeout=0)
    assert fleet.report_status(caller, b"{}") == federation.clock.now()


def test_who_goes_away_takes_nothing_from_those_who_wait(federation: TestFederation):
    fleet = federation.hub.fleet
    gone, stays = (fleet.submit(federation.caller(who), b"{}") for who in ("la-dgm", "th-dmr"))
    assert gone.cancel()
    fleet.commit()
    assert stays.done() and len(rows(federation, schema.status_reports)) == 2


def test_many_at_once_are_all_answered(federation: TestFederation):
    fleet = federation.hub.fleet
    answers: list[datetime] = []
    callers = [federation.caller(who) for who in ("la-dgm", "th-dmr", "vn-dgm")] * 5

    def run(caller: Any) -> None:
        answers.append(fleet.report_status(caller, b"{}"))

    threads = [threading.Thread(target=run, args=(caller,)) for caller in callers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(answers) == 15
    assert fleet.counts.taken <= 15 and not fleet.is_waiting


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────


def test_a_bad_report_leaves_the_good_one_and_is_counted_and_told_once_an_hour(federation: TestFederation):
    fleet, caller = federation.hub.fleet, federation.caller("la-dgm")
    fleet.report_status(caller, b'{"good": true}')
    for _ in range(5):
        with pytest.raises(InvalidInput):
            fleet.submit(caller, b"[" * 100_000)
    with pytest.raises(InvalidInput):
        fleet.submit(caller, b"{" + b" " * federation.limits.status_bytes_max)
    assert fleet.reports()[0].status == {"good": True}
    assert fleet.counts.refused == {"MALFORMED": 5, "TOO_LARGE": 1}
    events = [row for row in rows(federation, schema.events) if row.kind == "node.report-refused"]
    assert [(row.partner, row.node, json.loads(row.detail)) for row in events] == [
        ("la-dgm", "main", {"reason": "MALFORMED"})
    ]


def test_a_node_that_reports_too_often_is_slowed_down_and_no_other_is(federation: TestFederation):
    fleet, caller = federation.hub.fleet, federation.caller("la-dgm")
    for _ in range(federation.limits.reports_burst_max):
        fleet.report_status(caller, b"{}")
    with pytest.raises(Unavailable) as refused:
        fleet.report_status(caller, b"{}")
    assert refused.value.reason == "TOO_OFTEN"
    fleet.report_status(federation.caller("th-dmr"), b"{}")
    federation.clock.advance(federation.limits.report_every_min_s)
    fleet.report_status(caller, b"{}")
    with pytest.raises(Unavailable):
        fleet.report_status(caller, b"{}")


def test_a_suspended_partner_does_not_report(federation: TestFederation):
    federation.hub.registry.suspend(PartnerId("la-dgm"))
    with pytest.raises(Denied):
        federation.hub.fleet.submit(federation.caller("la-dgm"), b"{}")


# ── what owners say of their datasets ────────────────────────────────────────────────────────────


def test_what_an_owner_declares_is_kept_and_changes_with_it(federation: TestFederation):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    row = {"dataset": GEO, "update_frequency": "irregular", "next_update": "2027-01-01", "footprint": PLACE}
    tell(federation, "la-dgm", publish=[row])
    (kept,) = facts(federation)
    assert (kept.update_frequency, kept.next_update) == ("irregular", "2027-01-01T00:00:00Z")
    assert json.loads(kept.footprint) == {"bbox": [100, 14, 108, 22.5], "source": "declared"}
    assert json.loads(kept.period) == {"begin": "2001", "end": None, "source": "extracted"}
    federation.clock.advance(60)
    tell(federation, "la-dgm", publish=[row])
    assert facts(federation) == [kept], "said again, nothing is written"
    tell(federation, "la-dgm", publish=[])
    assert facts(federation) == [kept], "left out of a long report, nothing is forgotten"
    tell(federation, "la-dgm", publish=[{"dataset": GEO}])
    assert facts(federation)[0][2:6] == (None, None, None, None)


@pytest.mark.parametrize("who", ["th-dmr", "la-dgm/mirror-2"])
def test_nobody_but_the_node_that_publishes_says_it(federation: TestFederation, who: str):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    federation.enrol("la-dgm", "mirror-2")
    tell(federation, who, publish=[{"dataset": GEO, "update_frequency": "daily"}])
    assert facts(federation) == []


def test_an_impostor_in_the_same_commit_takes_nothing_from_the_owner(federation: TestFederation):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    federation.enrol("la-dgm", "mirror-2")
    fleet, waiting = federation.hub.fleet, list[Future[datetime]]()
    for who, word in (("la-dgm", "daily"), ("la-dgm/mirror-2", "weekly")):
        said = {"publish": [{"dataset": GEO, "update_frequency": word}]}
        waiting.append(fleet.submit(federation.caller(who), json.dumps(said).encode()))
    fleet.commit()
    assert all(each.done() for each in waiting)
    assert [row.update_frequency for row in facts(federation)] == ["daily"]


def test_a_dataset_that_moves_to_another_node_and_back_is_what_its_node_says(federation: TestFederation):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    federation.enrol("la-dgm", "mirror-2")
    moves = (
        ("la-dgm", "main", "daily"),
        ("la-dgm/mirror-2", "mirror-2", "weekly"),
        ("la-dgm", "main", "daily"),
    )
    for who, node, word in moves:
        with federation.hub.context.database.write() as connection:
            connection.execute(schema.datasets.update().values(node=node))
        tell(federation, who, publish=[{"dataset": GEO, "update_frequency": word}])
        assert [row.update_frequency for row in facts(federation)] == [word]


def test_what_is_said_of_a_dataset_before_its_first_version_is_taken_when_it_is_there(
    federation: TestFederation,
):
    tell(federation, "la-dgm", publish=[{"dataset": GEO, "update_frequency": "daily"}])
    assert facts(federation) == []
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    tell(federation, "la-dgm", publish=[{"dataset": GEO, "update_frequency": "daily"}])
    assert [row.update_frequency for row in facts(federation)] == ["daily"]


def test_words_that_are_none_count_as_not_said(federation: TestFederation):
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    row = {"dataset": GEO, "update_frequency": "hourly", "next_update": "soon", "footprint": {"bbox": [1, 2]}}
    tell(federation, "la-dgm", publish=[row])
    assert facts(federation) == []
