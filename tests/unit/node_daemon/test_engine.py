"""One pass: what moves, what fails without stopping the rest, and what is said about it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.errors import NEEDS_ATTENTION, Conflict, Unavailable
from hub.services.context import Quotas
from node.cli.own_lines import warnings
from node.engine import Engine
from security.keys import WitnessKey
from tests.simulation.clock import ManualClock
from tests.simulation.federation import TestFederation
from tests.unit.node_daemon.conftest import Member


@pytest.fixture
def owner(members: dict[str, Member]) -> Member:
    member = members["la-dgm"]
    member.configure(publish={"maps": ["th-dmr"]})
    (member.folder("maps") / "a.txt").write_text("rock")
    return member


@pytest.fixture
def reader(members: dict[str, Member]) -> Member:
    member = members["th-dmr"]
    member.configure(subscribe=True)
    return member


def test_what_one_publishes_the_other_mirrors(owner: Member, reader: Member):
    with owner.session() as session:
        outcome = Engine(session).run_pass()
        assert (outcome.exit_status, outcome.results[0].seq, outcome.results[0].changed) == (0, 1, True)
        (row,) = session.board.report.publish
        assert (row.seq, row.files, row.bytes, row.error) == (1, 1, 4, None)
    with reader.session() as session:
        outcome = Engine(session).run_pass()
        assert (outcome.exit_status, [each.changed for each in outcome.results]) == (0, [True])
        (mirror,) = session.board.report.mirrors
        assert (mirror.seq, mirror.wanted_seq, mirror.acknowledged) == (1, 1, True)
    assert reader.content("la-dgm/maps") == {"a.txt": b"rock"}


def test_a_dataset_that_fails_does_not_stop_the_others(owner: Member):
    owner.configure(publish={"gone": ["th-dmr"], "maps": ["th-dmr"]})
    owner.folder("gone").rmdir()
    with owner.session() as session:
        outcome = Engine(session).run_pass()
        results = {each.dataset: each for each in outcome.results}
        assert results["la-dgm/maps"].seq == 1
        gone = results["la-dgm/gone"]
        assert gone.error is not None or gone.attention
        assert outcome.exit_status != 0
        row = next(each for each in session.board.report.publish if each.dataset == "la-dgm/gone")
        assert (row.error and row.error.remedy) or row.attention
    assert not session.board.report.is_healthy


def test_without_a_hub_the_pass_says_so_and_the_next_one_clears_it(owner: Member):
    with owner.session() as session:
        engine = Engine(session)
        owner.is_hub_away = True
        outcome = engine.run_pass()
        assert outcome.exit_status == Unavailable.exit_status
        assert session.board.report.faults["hub"].remedy == "wait"
        owner.is_hub_away = False
        assert engine.run_pass().exit_status == 0
        assert not session.board.report.faults


def test_loud_an_agency_is_warned_before_its_quota_is_used_up(owner: Member, federation: TestFederation):
    """By its status alone: nothing has failed, and the operator sees it in the hub's own figures."""
    host = federation.host
    with owner.session() as session:
        Engine(session).run_pass()
        used = host.hub.content.use(session.settings.partner).used_bytes
        assert used > 0
        for quota, is_low in ((used + 1, True), (used * 2, False), (used // 2, True), (None, False)):
            host._options["quotas"] = Quotas(quota)
            host.restart()
            outcome = Engine(session).run_pass()
            report = session.board.report
            assert (report.hub.quota_bytes, report.hub.is_quota_low) == (quota, is_low)
            assert any("room at the hub" in line for line in warnings(report)) is is_low
            assert (outcome.exit_status, report.faults, report.is_healthy) == (0, {}, True)


def test_what_a_pass_has_used_of_the_quota_is_told_at_its_end(owner: Member, federation: TestFederation):
    federation.host._options["quotas"] = Quotas(10**9)
    federation.host.restart()
    with owner.session() as session:
        Engine(session).run_pass()
        used = federation.hub.content.use(session.settings.partner).used_bytes
        assert session.board.report.hub.used_bytes == used > 0


def test_a_clock_an_hour_off_is_a_warning_and_stops_nothing(owner: Member, federation: TestFederation):
    late = ManualClock(federation.clock.now() - timedelta(hours=1))
    with owner.session(late) as session:
        outcome = Engine(session).run_pass()
        assert outcome.results[0].seq == 1
        fault = session.board.report.faults["clock"]
        assert (fault.reason, "behind" in fault.message) == ("CLOCK_OFFSET", True)
        assert session.board.report.hub.clock_offset_s == pytest.approx(3600, abs=2)
        assert outcome.exit_status == NEEDS_ATTENTION
        assert outcome.as_json()["attention"][0].startswith("clock: this machine's clock is 3600 s behind")


def test_the_report_reaches_the_hub(owner: Member, federation: TestFederation):
    with owner.session() as session:
        Engine(session).run_pass()
    (report,) = federation.hub.fleet.reports()
    assert (report.partner, report.status["publish"][0]["seq"]) == ("la-dgm", 1)
    assert "path" not in report.status["publish"][0]


def test_an_entry_that_is_not_this_nodes_keys_is_an_alarm(owner: Member):
    """Somebody may have put other keys beside ours; what others signed is still to be had."""
    with owner.session() as session:
        session.identity = replace(session.identity, witness=WitnessKey.generate())
        Engine(session).run_pass()
        assert session.board.report.faults["registry"].reason == "OWN_ENTRY"


def test_an_expired_registry_ends_all_work(owner: Member, federation: TestFederation):
    with owner.session() as session:
        engine = Engine(session)
        engine.run_pass()
        (owner.folder("maps") / "b.txt").write_text("more")
        session.trust._clock = ManualClock(federation.clock.now() + timedelta(days=91))
        engine.lost_contact()
        outcome = engine.run_pass()
        assert outcome.exit_status == Unavailable.exit_status
        assert session.board.report.faults["hub"].reason == "REGISTRY_EXPIRED"
        assert session.board.report.publish[0].seq == 1


def test_a_stopped_pass_ends_between_two_datasets(owner: Member):
    owner.configure(publish={"maps": ["th-dmr"], "more": ["th-dmr"]})
    (owner.folder("more") / "b.txt").write_text("b")
    with owner.session() as session:
        stops = iter([False, True, True])
        outcome = Engine(session, stopping=lambda: next(stops)).run_pass()
        assert [each.dataset for each in outcome.results] == ["la-dgm/maps"]


def test_a_doubled_node_is_fenced_and_loud(owner: Member, members: dict[str, Member]):
    """Two machines with the same keys: the second one is told, nothing is merged."""
    twin = Member(owner.federation, "la-dgm", owner.home.parent / "twin")
    twin.home.mkdir()
    import shutil

    shutil.copytree(owner.state_dir, twin.state_dir)
    twin.configure(publish={"maps": ["th-dmr"]})
    (twin.folder("maps") / "other.txt").write_text("other")
    with owner.session() as session:
        assert Engine(session).run_pass().exit_status == 0
    with twin.session() as session:
        outcome = Engine(session).run_pass()
        assert outcome.exit_status in (8, Conflict.exit_status)
        row = session.board.report.publish[0]
        assert row.attention or row.error
