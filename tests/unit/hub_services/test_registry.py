"""Suspension at once, revocation for good, renewal in time; TUF's attacks by name."""

import pytest

from core.errors import Conflict, Denied, InvalidInput, Unavailable, Untrusted
from core.names import NodeName, PartnerId
from hub.services.context import Caller
from hub.services.registry import Signed
from security.keys import SigningKey
from security.registry import REVOKED, sign_registry, verify_first, verify_next
from tests.simulation.federation import TestFederation, make_federation, publish

LA = PartnerId("la-dgm")


def reason(error) -> str:
    return error.value.reason


def test_the_chain_verifies_from_the_first_and_pages(federation: TestFederation):
    registry = federation.hub.registry
    envelopes: list[bytes] = []
    while page := registry.list_from(len(envelopes) + 1):
        assert len(page) <= federation.limits.page_count_max
        envelopes += page
    current = verify_first(envelopes[0], verified_id(envelopes[0]))
    for envelope in envelopes[1:]:
        current = verify_next(current, envelope)
    assert current.id == registry.current().id
    assert len(envelopes) == 4


def test_a_suspended_partner_is_refused_at_once_and_resumed(federation: TestFederation):
    hub = federation.hub
    hub.registry.suspend(LA)
    with pytest.raises(Denied) as refused:
        hub.registry.require_active(federation.caller("la-dgm"))
    assert reason(refused) == "SUSPENDED"
    assert {p.partner.id: p.state for p in hub.registry.partners()}["la-dgm"] == "suspended"
    hub.registry.resume(LA)
    hub.registry.require_active(federation.caller("la-dgm"))


def test_revocation_suspends_at_once_and_is_signed_later(federation: TestFederation):
    hub = federation.hub
    assert hub.registry.revoke(LA) is Signed.QUEUED
    with pytest.raises(Denied) as refused:
        hub.registry.require_active(federation.caller("la-dgm"))
    assert reason(refused) == "SUSPENDED"
    with pytest.raises(Conflict):
        hub.registry.resume(LA)
    hub.registry.sign_pending([federation.administrator])
    with pytest.raises(Denied) as refused:
        hub.registry.require_active(federation.caller("la-dgm"))
    assert reason(refused) == "REVOKED"
    assert hub.registry.revoke(LA, [federation.administrator]) is Signed.NOW  # again: nothing to do
    with pytest.raises(Denied):
        hub.enrolment.invite(LA, {"en": "DGM"}, NodeName("main"), replace=True)


def test_revocation_with_the_keys_at_hand_is_signed_at_once(federation: TestFederation):
    assert federation.hub.registry.revoke(LA, [federation.administrator]) is Signed.NOW
    partner = federation.registry.registry.partner("la-dgm")
    assert partner is not None
    assert partner.state == REVOKED
    assert federation.hub.registry.pending() == []


def test_strangers_and_unknown_nodes_are_refused(federation: TestFederation):
    for caller in (Caller(PartnerId("xx-none"), NodeName("main")), Caller(LA, NodeName("other"))):
        with pytest.raises(Denied) as refused:
            federation.hub.registry.require_active(caller)
        assert reason(refused) == "NOT_ENROLLED"
    with pytest.raises(InvalidInput):
        federation.hub.registry.suspend(PartnerId("xx-none"))


def test_registry_rollback_fork_and_wrong_threshold_are_refused(federation: TestFederation):
    hub = federation.hub
    first = hub.registry.list_from(1)[0]
    assert hub.registry.publish(first).leaf_index == 0  # the same bytes again: the same answer
    now = federation.clock.now()
    draft = hub.registry.current().successor(now, federation.limits)
    with pytest.raises(Untrusted) as refused:
        hub.registry.publish(sign_registry(draft, [SigningKey.generate()]))
    assert reason(refused) == "UNKNOWN_SIGNER"
    hub.registry.renew([federation.administrator])
    with pytest.raises(Untrusted) as refused:
        hub.registry.publish(sign_registry(draft, [federation.administrator]))
    assert reason(refused) in ("FORK", "ROLLBACK")


def test_a_statement_signed_elsewhere_settles_what_waited(federation: TestFederation):
    hub = federation.hub
    hub.registry.revoke(LA)
    draft = hub.registry.next_registry()
    accepted = hub.registry.publish(sign_registry(draft, [federation.administrator]))
    assert hub.registry.pending() == []
    assert accepted.leaf_index == hub.translog.size() - 1
    assert hub.registry.next_registry().partners == draft.partners  # nothing waits: a renewal


def test_the_registry_is_renewed_in_time_and_an_expired_one_stops_the_exchange(federation: TestFederation):
    hub = federation.hub
    publish(federation, "la-dgm", "geo", {"a": b"1"}, read=["th-dmr"])
    assert not hub.registry.renewal_due()
    federation.clock.advance(federation.limits.registry_renew_after_s)
    assert hub.registry.renewal_due()
    federation.clock.advance(federation.limits.registry_valid_s)
    with pytest.raises(Unavailable) as refused:
        hub.catalogue.list_datasets(federation.caller("th-dmr"))
    assert reason(refused) == "REGISTRY_EXPIRED"
    hub.registry.require_active(federation.caller("th-dmr"))  # the registry itself can still be fetched
    hub.registry.renew([federation.administrator])
    assert hub.catalogue.list_datasets(federation.caller("th-dmr")) is not None


def test_another_process_beside_the_hub_is_seen_at_once(federation: TestFederation):
    """The operator's commands open the same directory."""
    from hub.services.hub import Hub

    with Hub.open(federation.host.layout, clock=federation.clock, limits=federation.limits) as beside:
        beside.registry.suspend(LA)
    with pytest.raises(Denied):
        federation.hub.registry.require_active(federation.caller("la-dgm"))


def test_two_administrators_of_three_must_sign(tmp_path):
    from hub.layout import Layout
    from hub.services.context import Federation
    from hub.services.hub import Hub
    from tests.simulation.clock import ManualClock

    keys = [SigningKey.generate() for _ in range(3)]
    layout = Layout(tmp_path / "hub")
    federation = Federation("test-geo", "a.test:1", "a.test:2")
    Hub.found(layout, federation, administrators=keys, threshold=2, clock=ManualClock())
    with pytest.raises(Conflict):
        Hub.found(layout, federation, administrators=keys, threshold=2, clock=ManualClock())
    with Hub.open(layout, clock=ManualClock()) as hub:
        with pytest.raises(Unavailable) as refused:
            hub.registry.renew([keys[0], keys[0]])
        assert reason(refused) == "THRESHOLD"
        hub.registry.renew([keys[0], keys[2]])
        assert hub.registry.current().registry.seq == 2


def test_another_federations_settings_are_refused(tmp_path):
    from hub.services.context import Federation
    from hub.services.hub import Hub

    made = make_federation(tmp_path)
    with pytest.raises(InvalidInput):
        Hub.open(made.host.layout, clock=made.clock, federation=Federation("other", "a.test:1", "a.test:2"))
    made.close()


def verified_id(envelope: bytes) -> str:
    from tests.simulation.federation import sha256_of_payload

    return sha256_of_payload(envelope)
