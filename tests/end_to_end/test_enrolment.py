"""Joining: what a stolen, altered, expired or repeated invitation gets, and a hub that is not the one."""

import json
import re
from pathlib import Path

import pytest

from tests.end_to_end.world import Agency, Process, World, wait_until

FINGERPRINT = re.compile(r"\b[0-9a-f]{4}(?: [0-9a-f]{4}){15}\b")


@pytest.fixture
def agency(new_world: World) -> Agency:
    return new_world.agency("la-dgm")


def test_joining_writes_the_hubs_address_and_repeats_safely(new_world: World, agency: Agency):
    path = agency.invite()
    first = agency.node("join", str(path), expect=8)
    second = agency.node("join", str(path), expect=8)
    assert FINGERPRINT.findall(first.out) == FINGERPRINT.findall(second.out)
    assert f'address = "127.0.0.1:{new_world.port}"' in agency.config.read_text("utf-8")
    fingerprint = FINGERPRINT.findall(first.out)[0]
    new_world.hub("approve", "la-dgm", "--fingerprint", fingerprint)
    agency.node("join", str(path))
    agency.node("join", str(path), "--wait")
    agency.node("sync")


def test_a_wrong_fingerprint_is_not_approved(new_world: World, agency: Agency):
    agency.node("join", str(agency.invite()), expect=8)
    refused = new_world.hub("approve", "la-dgm", "--fingerprint", " ".join(["0000"] * 16), expect=None)
    assert refused.status in (2, 3), str(refused)
    pending = agency.node("sync", expect=6)
    assert "operator" in pending.err, str(pending)


def test_a_used_token_is_refused_for_other_keys(new_world: World, agency: Agency):
    """Who steals the file after it was used gets nothing."""
    path = agency.invite()
    asked = agency.node("join", str(path), expect=8)
    new_world.hub("approve", "la-dgm", "--fingerprint", FINGERPRINT.findall(asked.out)[0])
    thief = Agency(new_world, "la-dgm", new_world.root / "thief")
    thief.configure()
    refused = thief.node("join", str(path), expect=None)
    assert refused.status in (3, 4, 5), str(refused)
    assert "→" in refused.err, str(refused)


def test_an_altered_join_file_is_refused(agency: Agency):
    path = agency.invite()
    text = path.read_text("utf-8")
    value = json.loads(text)
    altered = dict(value)
    altered["federation"] = "another-federation"
    path.write_text(json.dumps(altered), "utf-8")
    refused = agency.node("join", str(path), expect=None)
    assert refused.status in (2, 3), str(refused)
    path.write_text(text[: len(text) // 2], "utf-8")
    refused = agency.node("join", str(path), expect=None)
    assert refused.status in (2, 3), str(refused)


def test_a_join_file_for_somebody_else_is_refused(new_world: World, agency: Agency):
    other = new_world.agency("cn-cgs")
    refused = other.node("join", str(agency.invite()), expect=None)
    assert refused.status in (2, 3), str(refused)
    assert "la-dgm" in refused.err


def test_another_hub_at_the_address_is_refused(new_world: World, agency: Agency, tmp_path: Path):
    """The join file's authority, not the network, says who the hub is."""
    path = agency.invite()
    (new_world.root / "impostor").mkdir()
    impostor = World(new_world.root / "impostor")
    try:
        impostor.start_hub()
        text = path.read_text("utf-8")
        path.write_text(text.replace(str(new_world.enrol_port), str(impostor.enrol_port)), "utf-8")
        refused = agency.node("join", str(path), expect=None)
        assert refused.status in (2, 3, 6), str(refused)
        assert "approved" not in refused.out
    finally:
        impostor.close()


def test_a_node_that_has_not_joined_says_what_to_do(agency: Agency):
    refused = agency.node("sync", expect=6)
    assert "syncline-node join" in refused.err


def test_a_rejected_node_is_told(new_world: World, agency: Agency):
    path = agency.invite()
    agency.node("join", str(path), expect=8)
    new_world.hub("reject", "la-dgm")
    refused = agency.node("join", str(path), expect=None)
    assert refused.status == 4, str(refused)


def test_a_daemon_that_waits_for_approval_goes_on_by_itself(new_world: World, agency: Agency):
    agency.configure(agency.publishes("maps", to=["cn-cgs"]))
    (agency.data / "maps" / "a.txt").write_text("a")
    path = agency.invite()
    asked = agency.node("join", str(path), expect=8)
    daemon = Process(agency.home / "daemon.log", "syncline-node", "--config", str(agency.config), "run")
    new_world.processes.append(daemon)
    wait_until(lambda: "waiting for the operator" in daemon.log(), "the daemon to wait")
    told = agency.node("status", expect=8)
    assert "daemon running, waiting for the operator's approval" in told.out
    new_world.hub("approve", "la-dgm", "--fingerprint", FINGERPRINT.findall(asked.out)[0])
    wait_until(lambda: "the node works" in daemon.log(), "the daemon to work")
    assert agency.node("sync", "--json").json()["results"][0]["seq"] == 1
