"""The hub notices by itself that a node has stopped, came back, is stuck; and writes each node's line."""

from typing import Any

import pytest
import sqlalchemy as sa

from hub.overview.dead_man import DeadMan
from hub.overview.search import EventSearch
from hub.overview.service import Overview
from hub.storage import schema
from tests.simulation.federation import TestFederation
from tests.unit.hub_overview.telling import mirror, overview_of, report

GEO = "la-dgm/geo"


@pytest.fixture
def dead_man(federation: TestFederation, overview: Overview) -> DeadMan:
    made = DeadMan(federation.hub, overview)
    made.begin()
    return made


def turn(federation: TestFederation, dead_man: DeadMan, seconds: float = 5) -> None:
    federation.clock.advance(seconds)
    dead_man.perform()


def kinds(overview: Overview) -> list[str]:
    """The nodes' events, the oldest first."""
    events = overview.events(EventSearch(count=500)).events
    return [each.kind for each in reversed(events) if each.kind.startswith("node.")]


def samples(federation: TestFederation, partner: str = "la-dgm") -> list[Any]:
    table = schema.node_samples
    with federation.hub.context.database.read() as connection:
        query = sa.select(table).where(table.c.partner == partner).order_by(table.c.time)
        return [*connection.execute(query)]


def silence_s(federation: TestFederation) -> float:
    return federation.limits.reports_missed_max * federation.limits.report_every_s + 1


def test_a_node_that_stops_is_noticed_and_so_is_its_return(
    federation: TestFederation, overview: Overview, dead_man: DeadMan
):
    federation.clock.advance(silence_s(federation))
    report(federation, "la-dgm")
    turn(federation, dead_man)
    turn(federation, dead_man, silence_s(federation))
    turn(federation, dead_man, 60)
    assert kinds(overview) == ["node.silent"]
    report(federation, "la-dgm")
    turn(federation, dead_man)
    assert kinds(overview) == ["node.silent", "node.back"]
    assert [row.state for row in samples(federation)] == ["in sync", "silent", "in sync"]


def test_trouble_and_recovery_are_events_and_the_same_trouble_is_told_once(
    federation: TestFederation, overview: Overview, dead_man: DeadMan
):
    for _ in range(3):
        report(federation, "la-dgm", faults={"disk": {"reason": "DISK_FULL", "message": "full"}})
        turn(federation, dead_man)
    report(federation, "la-dgm")
    turn(federation, dead_man)
    assert kinds(overview) == ["node.recovered"], "it was in trouble when it was first seen"
    report(federation, "la-dgm", faults={"disk": {"reason": "DISK_FULL", "message": "full"}})
    turn(federation, dead_man)
    report(federation, "la-dgm", faults={"disk": {"reason": "DISK_FULL", "message": "full"}})
    turn(federation, dead_man)
    assert kinds(overview) == ["node.recovered", "node.trouble"]


def test_stuck_is_something_to_do_and_no_byte_for_half_an_hour(
    federation: TestFederation, overview: Overview, dead_man: DeadMan
):
    def work(minutes: int, left: int, rate: int = 0) -> str:
        for _ in range(minutes // 2):
            report(
                federation,
                "la-dgm",
                mirrors=[mirror(GEO, seq=1, wanted_seq=2, bytes_left=left)],
                transfer={"down_bytes_s": rate},
            )
            turn(federation, dead_man, 1)
        return overview.partner(federation.caller("la-dgm").partner).line.state

    assert work(28, 900) == "behind"
    assert work(20, 900) == "stuck"
    assert kinds(overview) == ["node.stuck"]
    assert work(2, 800) == "behind", "bytes have moved"
    assert work(28, 800, rate=10) == "behind"
    assert kinds(overview) == ["node.stuck", "node.recovered"]
    assert work(2, 0) == "behind", "the version is still lacking"


def test_a_hub_that_has_just_begun_calls_nobody_silent(federation: TestFederation, overview: Overview):
    report(federation, "la-dgm")
    federation.clock.advance(9 * 3600)
    dead_man = DeadMan(federation.hub, overview)
    dead_man.begin()
    turn(federation, dead_man)
    assert kinds(overview) == []
    assert not any("not reported" in each.message.code for each in overview.fleet().attention)
    turn(federation, dead_man, silence_s(federation))
    turn(federation, dead_man)
    assert kinds(overview) == [], "it was silent when it was first seen, and nothing has changed"
    report(federation, "la-dgm")
    turn(federation, dead_man)
    assert kinds(overview) == ["node.back"]


def test_what_a_node_was_before_the_hub_stopped_is_remembered(
    federation: TestFederation, overview: Overview, dead_man: DeadMan
):
    report(federation, "la-dgm")
    turn(federation, dead_man)
    again = DeadMan(federation.hub, overview_of(federation))
    again.begin()
    for _ in range(3):
        turn(federation, again, silence_s(federation) / 2)
    assert kinds(overview) == ["node.silent"]


def test_a_point_is_written_now_and_then_with_the_highest_rate_since(
    federation: TestFederation, overview: Overview, dead_man: DeadMan
):
    report(federation, "la-dgm", transfer={"up_bytes_s": 5})
    turn(federation, dead_man)
    for rate in (900, 0, 0):
        report(federation, "la-dgm", transfer={"up_bytes_s": rate})  # two minutes later
        turn(federation, dead_man, federation.limits.sample_every_s / 6)
    rows = samples(federation)
    assert [(row.state, row.rate_bytes_s) for row in rows] == [("in sync", 5), ("in sync", 900)]


def test_points_that_are_too_old_are_dropped(
    federation: TestFederation, overview: Overview, dead_man: DeadMan
):
    report(federation, "la-dgm")
    turn(federation, dead_man)
    turn(federation, dead_man, federation.limits.samples_keep_s + 3600)
    assert [row.state for row in samples(federation)] == ["silent"]


def test_no_node_fills_the_journal(federation: TestFederation, overview: Overview, dead_man: DeadMan):
    for number in range(40):
        faults = {"disk": {"message": "full"}} if number % 2 else {}
        federation.hub.fleet.report_status(
            federation.caller("la-dgm"), b'{"faults": {"x": {}}}' if faults else b"{}"
        )
        turn(federation, dead_man, 5)
    assert len(kinds(overview)) == 12
    assert len(samples(federation)) == 40, "its line has every change"


def test_a_suspended_partner_is_not_watched(
    federation: TestFederation, overview: Overview, dead_man: DeadMan
):
    report(federation, "la-dgm")
    turn(federation, dead_man)
    federation.hub.registry.suspend(federation.caller("la-dgm").partner)
    turn(federation, dead_man, silence_s(federation))
    turn(federation, dead_man)
    assert kinds(overview) == []
