"""Where published data are reaches the status report after a commit: declared, extracted or unknown."""

import json
import threading

import pytest
from structlog.testing import capture_logs

from node.daemon import Daemon
from node.engine import Engine
from node.geo.keeper import PlaceKeeper
from node.session import Session
from node.status import FootprintStatus
from tests.simulation.federation import TestFederation
from tests.unit.node_daemon.conftest import FAST, Member

POINT = json.dumps({"type": "Point", "coordinates": [102.6, 17.97]})
EXTRACTED = FootprintStatus(bbox=(102.6, 17.97, 102.6, 17.97), bbox_source="extracted")


@pytest.fixture
def owner(members: dict[str, Member], federation: TestFederation) -> Member:
    member = members["la-dgm"]
    member.configure(publish={"maps": ["th-dmr"]})
    (member.folder("maps") / "a.geojson").write_text(POINT)
    federation.clock.advance(60)  # past the instant in which a change would not be seen
    return member


def footprint(session: Session) -> FootprintStatus:
    (row,) = session.board.report.publish
    return row.footprint


def test_what_was_found_out_is_reported_in_the_same_pass(owner: Member, federation: TestFederation):
    with owner.session() as session:
        assert Engine(session).run_pass().exit_status == 0
        assert footprint(session) == EXTRACTED
    (report,) = federation.hub.fleet.reports()
    (row,) = report.status["publish"]
    assert row["footprint"]["bbox"] == [102.6, 17.97, 102.6, 17.97]


def test_what_is_declared_wins_and_nothing_is_looked_for(owner: Member):
    text = owner.config.read_text().replace(
        "settle_s = 0\n", 'settle_s = 0\nbbox = [100, 13, 108, 23]\nperiod = ["2001", "2020"]\n'
    )
    owner.config.write_text(text)
    with owner.session() as session:
        Engine(session).run_pass()
        found = footprint(session)
        assert (found.bbox, found.bbox_source, found.begin) == ((100, 13, 108, 23), "declared", "2001")
        tables = session.state.database.table_names()
    assert "places" not in tables


def test_what_is_declared_of_one_leaves_the_other_to_be_found_out(owner: Member):
    owner.config.write_text(
        owner.config.read_text().replace("settle_s = 0\n", 'settle_s = 0\nperiod = ["2001", "2020"]\n')
    )
    with owner.session() as session:
        Engine(session).run_pass()
        found = footprint(session)
    assert (found.bbox_source, found.period_source) == ("extracted", "declared")


def test_extraction_can_be_turned_off(owner: Member):
    owner.config.write_text(owner.config.read_text() + "[geo]\nextract = false\n")
    with owner.session() as session:
        Engine(session).run_pass()
        assert footprint(session) == FootprintStatus()


def test_a_version_without_places_takes_the_old_one_away(owner: Member, federation: TestFederation):
    with owner.session() as session:
        engine = Engine(session)
        engine.run_pass()
        (owner.folder("maps") / "a.geojson").write_text('{"type": "FeatureCollection", "features": []}')
        federation.clock.advance(60)
        engine.run_pass()
        assert footprint(session) == FootprintStatus()


def test_a_hostile_file_fails_no_pass(owner: Member):
    (owner.folder("maps") / "b.geojson").write_text("[" * 1_000_000)
    (owner.folder("maps") / "c.tif").write_bytes(b"II*\0" + b"\xff" * 100)
    with owner.session() as session:
        outcome = Engine(session).run_pass()
        assert (outcome.exit_status, outcome.results[0].files) == (0, 3)
        assert footprint(session) == EXTRACTED


def test_without_the_extra_it_stays_unknown_and_the_log_says_so_once(owner: Member):
    with owner.session() as session:
        keeper = PlaceKeeper(session, is_able=lambda: False)
        with capture_logs() as logs:
            for _ in range(2):
                keeper.want("la-dgm/maps", changed=True)
                assert not keeper.run()
        assert footprint(session) == FootprintStatus()
    assert len(logs) == 1


def test_the_daemon_finds_it_beside_its_work_and_stops(owner: Member, federation: TestFederation):
    stop = threading.Event()
    found = threading.Event()
    arrived = federation.hub.fleet.report_status

    def report_status(caller: object, status_json: bytes) -> object:
        answer = arrived(caller, status_json)  # type: ignore[arg-type]
        (row,) = json.loads(status_json)["publish"]
        if row["footprint"]["bbox_source"] == "extracted":
            found.set()
        return answer

    federation.hub.fleet.report_status = report_status  # type: ignore[method-assign]
    daemon = Daemon(owner.settings(), clock=federation.clock, limits=FAST, connect=owner.connect)
    thread = threading.Thread(target=daemon.run, args=(stop,))
    thread.start()
    try:
        while not found.wait(0.05) and thread.is_alive():
            federation.clock.advance(1)
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
    assert found.is_set()
