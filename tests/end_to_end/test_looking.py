"""What a person sees: doctor, status and plan, with and without daemon and hub."""

import pytest

from tests.end_to_end.world import Agency, World, wait_until


@pytest.fixture
def owner(world: World) -> Agency:
    agency = world.agency("la-dgm")
    agency.configure(agency.publishes("maps", to=["cn-cgs"]))
    (agency.data / "maps" / "a.txt").write_text("rock")
    return agency


def test_doctor_finds_a_sound_node_sound_and_a_hub_that_is_away(world: World, owner: Agency):
    found = owner.node("doctor", "--json", expect=None).json()["findings"]
    levels = {each["check"]: each["level"] for each in found}
    assert {
        name: levels[name] for name in ("keys", "registry", "certificate", "hub", "clock")
    } == dict.fromkeys(("keys", "registry", "certificate", "hub", "clock"), "ok")
    assert world.hub_process is not None
    world.hub_process.stop()
    away = owner.node("doctor", expect=6)
    assert "What to do:" in away.out


def test_status_tells_the_same_with_and_without_a_daemon(owner: Agency):
    daemon = owner.start()
    wait_until(lambda: owner.report()["publish"][0]["seq"] == 1, "the first version")
    running = owner.status()
    assert (running["daemon_running"], running["publish"][0]["seq"]) == (True, 1)
    assert "version" in owner.node("status", expect=None).out
    daemon.stop()
    stopped = owner.status()
    # When it last looked may move until it has ended; what it published does not.
    lasting = ("dataset", "state", "seq", "manifest_id", "files", "bytes", "last_version", "error")
    assert stopped["daemon_running"] is False
    assert [[each[key] for key in lasting] for each in stopped["publish"]] == [
        [each[key] for key in lasting] for each in running["publish"]
    ]


def test_without_a_hub_sync_ends_with_6_and_says_what_to_do(world: World, owner: Agency):
    assert world.hub_process is not None
    world.hub_process.stop()
    refused = owner.node("sync", expect=6)
    assert "→" in refused.err
    shown = owner.node("status", expect=8)
    assert "hub" in shown.out


def test_plan_contacts_nobody_and_names_the_receiver(world: World, owner: Agency):
    assert world.hub_process is not None
    world.hub_process.stop()
    plan = owner.node("plan", "maps")
    for text in ("first version", "a.txt", "cn-cgs may discover and read"):
        assert text in plan.out
    assert owner.node("plan", "--json").json()["plans"][0]["added"]["files"] == 1


def test_a_second_daemon_is_refused(owner: Agency):
    owner.start()
    second = owner.node("run", expect=5)
    assert "→" in second.err


def test_the_hub_shows_the_nodes_report(world: World, owner: Agency):
    owner.node("sync")
    assert "in sync" in world.hub("status", expect=None).out
