"""The made-up fleet is a real hub: it opens, verifies, and has a node in every state that there is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from core.errors import Conflict
from deploy.demo.fleet import SeededFleet, seed
from deploy.demo.fleet.agencies import AGENCIES
from deploy.demo.fleet.alive import Reporter
from deploy.demo.fleet.looking import WORTH_LOOKING_AT
from deploy.demo.fleet.plan import draw
from deploy.demo.fleet.reports import ALARM_ID
from deploy.demo.fleet.seeding import refuse_others
from deploy.demo.fleet.set_clock import SetClock
from hub.config import load_settings
from hub.layout import Layout
from hub.lock import exclusive
from hub.services.hub import Hub
from hub.storage import schema
from hub.web import pages

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> SeededFleet:
    return seed(tmp_path_factory.mktemp("fleet") / "hub", datasets=22, versions=1, now=NOW)


@pytest.fixture
def hub(fleet: SeededFleet) -> Iterator[Hub]:
    with Hub.open(fleet.layout, clock=SetClock(NOW)) as opened:
        yield opened


def test_the_settings_are_those_of_this_hub(fleet: SeededFleet):
    settings = load_settings(fleet.settings)
    assert settings.layout.database == fleet.layout.database
    assert settings.listen == settings.enrol_listen == "127.0.0.1:0"


def test_what_is_stored_holds_up(hub: Hub):
    assert list(hub.fsck.check()) == []


def test_every_state_of_a_node_is_there(hub: Hub, fleet: SeededFleet):
    moods = {machine.mood for agency in AGENCIES for machine in agency.machines}
    assert {standing.mood for standing in fleet.standings.values()} == moods - {"no report yet"}
    reported = {(each.partner, each.node): each for each in hub.fleet.reports()}
    assert ("ph-mgb", "cebu") not in reported
    assert reported["mm-dgse", "main"].time == NOW - timedelta(hours=9)
    assert [each["id"] for each in reported["my-jmg", "main"].status["alarms"]] == [ALARM_ID]


def test_a_newcomer_waits_with_its_fingerprint(hub: Hub, fleet: SeededFleet):
    (waiting,) = [each for each in hub.enrolment.list() if each.state == "pending"]
    assert (waiting.partner, waiting.fingerprint) == (fleet.newcomer, fleet.newcomer_fingerprint)


def test_the_registry_and_all_certificates_are_good_today(hub: Hub, fleet: SeededFleet):
    assert not hub.registry.renewal_due()
    members = hub.registry.membership().members
    assert all(members[who].tls_keys for who in fleet.members)


def test_reporters_keep_the_lively_nodes_moving(fleet: SeededFleet):
    clock = SetClock(NOW + timedelta(minutes=1))
    with Hub.open(fleet.layout, clock=clock) as hub:
        Reporter(fleet, hub, clock).turn()
        times = {each.partner: each.time for each in hub.fleet.reports()}
    assert times["la-dgm"] == clock.now()
    assert times["mm-dgse"] == NOW - timedelta(hours=9)


def transfers(hub: Hub) -> list[tuple[str, str, bool, int]]:
    """Partner, direction, whether it moves, and how fast."""
    table = schema.transfers
    with hub.context.database.read() as connection:
        rows = connection.execute(sa.select(table)).all()
    return [(row.partner, row.direction, row.ended is None, row.rate_bytes_s) for row in rows]


def test_transfers_are_shown_that_end_and_that_move_on_behind_a_running_hub(fleet: SeededFleet):
    """Two months of uploads within the minute of seeding are none; a hub that starts ends what moved."""
    clock = SetClock(NOW + timedelta(minutes=2))
    with Hub.open(fleet.layout, clock=clock) as hub:
        assert len(transfers(hub)) < len(fleet.members) + 2
        hub.transfers.start()
        ended = transfers(hub)
        assert ended
        assert not any(moves for *_, moves, _ in ended)
        reporter = Reporter(fleet, hub, clock)
        reporter.turn()
        clock.sleep(5)
        reporter.turn()
        moving = {direction for _, direction, moves, _ in transfers(hub) if moves}
        assert moving == {"up", "down"}
        assert all(500_000 < rate < 5_000_000 for *_, moves, rate in transfers(hub) if moves)


def test_a_folder_with_a_made_up_fleet_may_be_made_anew_and_no_other(fleet: SeededFleet, tmp_path: Path):
    assert refuse_others(fleet.layout)
    assert not refuse_others(Layout(tmp_path))
    assert not refuse_others(Layout(tmp_path / "none"))
    (tmp_path / "somebody's").write_text("data")
    with pytest.raises(Conflict, match="something else"):
        refuse_others(Layout(tmp_path))
    with exclusive(fleet.layout), pytest.raises(Conflict, match="a hub runs"):
        refuse_others(fleet.layout)


def test_every_page_that_is_recommended_is_there(fleet: SeededFleet):
    served = (Path(pages.__file__).parent / "__init__.py").read_text()
    for path in WORTH_LOOKING_AT:
        assert f'"/{path}"' in served


def test_the_same_arguments_draw_the_same_fleet(fleet: SeededFleet):
    assert draw(partners=11, datasets=22, versions=1, now=NOW) == fleet.plan
