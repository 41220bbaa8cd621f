"""The made-up fleet is a real hub: it opens, verifies, and has a node in every state that there is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from deploy.demo.fleet import SeededFleet, seed
from deploy.demo.fleet.agencies import AGENCIES
from deploy.demo.fleet.alive import Reporter
from deploy.demo.fleet.plan import draw
from deploy.demo.fleet.reports import ALARM_ID
from deploy.demo.fleet.set_clock import SetClock
from hub.config import load_settings
from hub.services.hub import Hub

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


def test_the_same_arguments_draw_the_same_fleet(fleet: SeededFleet):
    assert draw(partners=11, datasets=22, versions=1, now=NOW) == fleet.plan
