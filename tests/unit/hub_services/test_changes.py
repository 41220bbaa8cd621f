"""The doorbell rings for whom it concerns, for the operator's commands and for the clock, and for nobody
else."""

import threading
from datetime import timedelta

import pytest

from core.errors import Denied
from core.names import PartnerId
from hub.services.hub import Hub
from security.policy import Rule
from tests.simulation.federation import TestFederation, publish, share


@pytest.fixture
def bells(federation: TestFederation):
    """A watcher for each partner, its first ring taken."""
    watchers = {who: federation.hub.changes.watch(federation.caller(who)) for who in federation.members}
    for watcher in watchers.values():
        assert watcher.check()
    yield watchers
    for watcher in watchers.values():
        watcher.close()


def rung(federation: TestFederation, bells) -> list[str]:
    federation.hub.changes.tick()
    return [who for who, watcher in bells.items() if watcher.check()]


def test_it_rings_only_for_those_whose_view_changed(federation: TestFederation, bells):
    share(federation, "la-dgm", "geo", read=["th-dmr"])
    assert rung(federation, bells) == ["la-dgm"]  # the owner sees its policy; nothing is published yet
    publish(federation, "la-dgm", "geo", {"a": b"1"})
    assert rung(federation, bells) == ["la-dgm", "th-dmr"]
    assert rung(federation, bells) == []
    share(federation, "la-dgm", "geo", read=["th-dmr", "vn-dgm"])
    assert rung(federation, bells) == ["la-dgm", "th-dmr", "vn-dgm"]


def test_it_rings_for_a_new_registry(federation: TestFederation, bells):
    federation.hub.registry.renew([federation.administrator])
    assert rung(federation, bells) == ["la-dgm", "th-dmr", "vn-dgm"]


def test_it_rings_when_a_rule_begins_and_when_it_ends(federation: TestFederation, bells):
    start = federation.clock.now() + timedelta(seconds=60)
    rule = Rule("timed", "permission", "th-dmr", ("read",), start, start + timedelta(seconds=60))
    share(federation, "la-dgm", "geo", rules=[rule])
    publish(federation, "la-dgm", "geo", {"a": b"1"})
    assert rung(federation, bells) == ["la-dgm"]
    federation.clock.advance(59)
    assert rung(federation, bells) == []
    federation.clock.advance(1)
    assert rung(federation, bells) == ["th-dmr"]
    federation.clock.advance(60)
    assert rung(federation, bells) == ["th-dmr"]


def test_it_does_not_ring_for_deliveries_reports_and_acknowledgements(federation: TestFederation, bells):
    federation.hub.fleet.report_status(federation.caller("th-dmr"), b"{}")
    assert rung(federation, bells) == []


def test_the_operators_commands_in_another_process_ring(federation: TestFederation, bells):
    with Hub.open(federation.host.layout, clock=federation.clock, limits=federation.limits) as beside:
        beside.registry.renew([federation.administrator])
    assert rung(federation, bells) == ["la-dgm", "th-dmr", "vn-dgm"]


def test_who_is_suspended_is_told_at_once_and_only_they(federation: TestFederation, bells):
    federation.hub.registry.suspend(PartnerId("vn-dgm"))
    federation.hub.changes.tick()
    with pytest.raises(Denied) as refused:
        bells["vn-dgm"].check()
    assert refused.value.reason == "SUSPENDED"
    assert not bells["th-dmr"].check()
    with pytest.raises(Denied):
        federation.hub.changes.watch(federation.caller("vn-dgm"))


def test_a_commit_of_this_process_rings_without_waiting_for_the_interval(federation: TestFederation):
    """`start` looks every hour here: the ring comes from the commit itself."""
    rings = threading.Semaphore(0)
    federation.hub.changes.start(interval_s=3600)
    with federation.hub.changes.watch(federation.caller("th-dmr"), ring=rings.release) as watcher:
        assert rings.acquire(timeout=5)
        assert watcher.check()
        publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
        assert rings.acquire(timeout=5)
        assert watcher.wait(30)
    federation.hub.changes.stop()


def test_a_change_between_registering_and_the_next_look_is_not_lost(federation: TestFederation):
    changes = federation.hub.changes
    with changes.watch(federation.caller("la-dgm")) as other:
        other.check()
        changes.tick()
        with changes.watch(federation.caller("th-dmr")) as watcher:
            watcher.check()
            publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
            changes.tick()
            assert watcher.check()
