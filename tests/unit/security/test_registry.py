"""The update framework's attacks, on the registry: each refused, and the last good one stays good."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from core.errors import InvalidInput, Unavailable, Untrusted
from core.limits import LIMITS
from core.names import NodeName, PartnerId
from security import envelope as dsse
from security.canonical import canonical, parse_strict
from security.certificates import create_ca
from security.keys import PublicKey, SigningKey, WitnessKey
from security.registry import (
    ACTIVE,
    REVOKED,
    SUSPENDED,
    Administrators,
    Registry,
    RegistryAuditor,
    RegistryLog,
    RegistryNode,
    RegistryPartner,
    VerifiedRegistry,
    check_fresh,
    first_registry,
    renewal_due,
    sign_registry,
    verify_first,
    verify_next,
)

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
A, B, C, HUB, LAOS, CHINA = (SigningKey.generate() for _ in range(6))
CA = create_ca("asean", NOW)


def first(*signers: SigningKey, threshold: int = 2) -> VerifiedRegistry:
    admins = Administrators((A.public, B.public), threshold)
    registry = first_registry(
        "asean", admins, [HUB.public], [RegistryLog("hub/log", bytes(32))], [CA.der], NOW
    )
    envelope = sign_registry(registry, signers or (A, B))
    return verify_first(envelope, dsse.parse(envelope).id)


def member(name: str, key: SigningKey) -> RegistryPartner:
    node = RegistryNode(NodeName("main"), WitnessKey.generate().public)
    return RegistryPartner(PartnerId(name), {"en": name}, (key.public,), (node,))


def refused(current: VerifiedRegistry, registry: Registry, *signers: SigningKey) -> str:
    envelope = dsse.sign(dsse.REGISTRY, registry.to_payload(), signers or (A, B))
    with pytest.raises(Untrusted) as caught:
        verify_next(current, envelope)
    return caught.value.reason


def grown(current: VerifiedRegistry, partner: RegistryPartner) -> VerifiedRegistry:
    return verify_next(current, sign_registry(current.successor(LATER).with_partner(partner), (A, B)))


def test_members_join_and_are_found() -> None:
    current = grown(grown(first(), member("la-dgm", LAOS)), member("cn-cgs", CHINA))
    assert [each.id for each in current.registry.partners] == ["cn-cgs", "la-dgm"]
    found = current.registry.partner("la-dgm")
    assert found is not None
    assert found.signing_keys == (LAOS.public,)
    assert found.node("main") == found.nodes[0]
    assert found.node("other") is None
    assert current.registry.partner("th-dmr") is None
    assert current.registry.all_cas_pem() == CA.pem


def test_the_first_registry_is_trusted_by_its_id_alone() -> None:
    """An attacker's own, well signed, self-consistent registry is still not ours."""
    with pytest.raises(Untrusted) as caught:
        verify_first(first().envelope, "0" * 64)
    assert caught.value.reason == "WRONG_REGISTRY"


def test_a_later_registry_is_not_a_first() -> None:
    second = grown(first(), member("la-dgm", LAOS))
    with pytest.raises(Untrusted) as caught:
        verify_first(second.envelope, second.id)
    assert caught.value.reason == "GAP"


def test_first_with_wrong_threshold() -> None:
    with pytest.raises(Untrusted) as caught:
        first(A)
    assert caught.value.reason == "THRESHOLD"


def test_wrong_threshold() -> None:
    current = first()
    assert refused(current, current.successor(LATER), A) == "THRESHOLD"
    assert refused(current, current.successor(LATER), A, C) == "THRESHOLD"
    assert refused(current, current.successor(LATER), C) == "UNKNOWN_SIGNER"


def test_threshold_met_by_one_key_twice() -> None:
    """One administrator under two entries would be alone and look like two."""
    current = first()
    twice = current.successor(LATER).with_administrators(Administrators((A.public, A.public), 2))
    assert refused(current, twice) == "DUPLICATE_KEY"
    half = PublicKey(A.public.ed25519, C.public.ml_dsa_65)
    shared = current.successor(LATER).with_administrators(Administrators((A.public, half), 2))
    assert refused(current, shared) == "DUPLICATE_KEY"


def test_rollback() -> None:
    one = first()
    two = grown(one, member("la-dgm", LAOS))
    for older in (one, two):
        with pytest.raises(Untrusted) as caught:
            verify_next(two, older.envelope)
        assert caught.value.reason == "ROLLBACK"


def test_rollback_of_a_revocation() -> None:
    """Reinstating a revoked partner needs the administrators, not an old file."""
    two = grown(first(), member("la-dgm", LAOS))
    draft = two.successor(LATER).with_state(PartnerId("la-dgm"), REVOKED)
    three = verify_next(two, sign_registry(draft, (A, B)))
    with pytest.raises(Untrusted):
        verify_next(three, two.envelope)
    partner = three.registry.partner("la-dgm")
    assert partner is not None
    assert not partner.active


def test_fork() -> None:
    one = first()
    two = grown(one, member("la-dgm", LAOS))
    assert refused(two, one.successor(LATER).with_partner(member("cn-cgs", CHINA))) == "FORK"


def test_fast_forward_and_gap() -> None:
    """A number far ahead would lock out every honest registry after it."""
    current = first()
    for seq in (3, 2**53 - 1):
        assert refused(current, replace(current.successor(LATER), seq=seq)) == "GAP"


def test_broken_chain() -> None:
    current = first()
    assert refused(current, replace(current.successor(LATER), prev="0" * 64)) == "BROKEN_CHAIN"
    assert refused(current, replace(current.successor(LATER), prev=None)) == "MALFORMED"


def test_freeze() -> None:
    """Whoever keeps us on an old registry stops us, visibly, when it ends."""
    registry = first().registry
    check_fresh(registry, registry.expires - timedelta(seconds=1))
    for late in (registry.expires, registry.expires + timedelta(days=1000)):
        with pytest.raises(Unavailable) as caught:
            check_fresh(registry, late)
        assert caught.value.reason == "REGISTRY_EXPIRED"
        assert caught.value.remedy


def test_an_expired_registry_still_leads_to_its_successor() -> None:
    """A node that was off for a year finds the way from what it has."""
    current = first()
    late = current.registry.expires + timedelta(days=300)
    renewed = verify_next(current, sign_registry(current.successor(late), (A, B)))
    check_fresh(renewed.registry, late)


def test_mix_and_match_of_federations() -> None:
    current = first()
    assert refused(current, replace(current.successor(LATER), federation="other")) == "WRONG_REGISTRY"


def test_administrators_change_with_the_consent_of_both() -> None:
    current = first()
    draft = current.successor(LATER).with_administrators(Administrators((B.public, C.public), 2))
    assert refused(current, draft, A, B) == "THRESHOLD"
    assert refused(current, draft, B, C) == "THRESHOLD"
    changed = verify_next(current, sign_registry(draft, (A, B, C)))
    # From here on, the old ones are strangers.
    assert refused(changed, changed.successor(LATER), A, B) == "THRESHOLD"
    verify_next(changed, sign_registry(changed.successor(LATER), (B, C)))


def test_lowering_the_threshold_needs_the_old_threshold() -> None:
    current = first()
    draft = current.successor(LATER).with_administrators(Administrators((A.public, B.public), 1))
    assert refused(current, draft, A) == "THRESHOLD"
    verify_next(current, sign_registry(draft, (A, B)))


def test_a_partner_is_revoked_never_dropped() -> None:
    two = grown(first(), member("la-dgm", LAOS))
    assert refused(two, replace(two.successor(LATER), partners=())) == "PARTNER_DROPPED"


AUDITOR = RegistryAuditor(PartnerId("la-oag"), {"en": "Office of the Auditor General"})


def audited(current: VerifiedRegistry) -> VerifiedRegistry:
    return verify_next(current, sign_registry(current.successor(LATER).with_auditor(AUDITOR), (A, B)))


def test_auditors_are_written_only_where_there_are_some() -> None:
    """Registries from before there were auditors stay what they are, byte for byte."""
    current = first()
    assert "auditors" not in parse_strict(current.registry.to_payload())
    assert current.registry.auditor("la-oag") is None
    found = audited(current).registry.auditor("la-oag")
    assert found == AUDITOR and found.active


def test_an_auditor_is_revoked_never_dropped() -> None:
    current = audited(first())
    assert refused(current, replace(current.successor(LATER), auditors=())) == "AUDITOR_DROPPED"
    struck = current.successor(LATER).with_auditor(replace(AUDITOR, state=REVOKED))
    found = verify_next(current, sign_registry(struck, (A, B))).registry.auditor("la-oag")
    assert found is not None and not found.active


@pytest.mark.parametrize(
    "auditors",
    [
        [],
        [AUDITOR.to_json(), AUDITOR.to_json()],
        [{**AUDITOR.to_json(), "state": SUSPENDED}],
        [{**AUDITOR.to_json(), "id": "owner"}],
        [{**AUDITOR.to_json(), "id": "la-dgm"}],
    ],
    ids=["none", "doubled", "no such state", "no id", "a partner's id"],
)
def test_nonsense_among_the_auditors_is_refused(auditors: list[object]) -> None:
    current = grown(first(), member("la-dgm", LAOS))
    payload = canonical(parse_strict(current.successor(LATER).to_payload()) | {"auditors": auditors})
    envelope = dsse.sign(dsse.REGISTRY, payload, (A, B))
    with pytest.raises(Untrusted) as caught:
        verify_next(current, envelope)
    assert caught.value.reason == "MALFORMED"


def test_a_key_belongs_to_one_partner() -> None:
    """Else a signature of one agency would pass for another's."""
    current = grown(first(), member("la-dgm", LAOS))
    thief = member("cn-cgs", LAOS)
    assert refused(current, current.successor(LATER).with_partner(thief)) == "DUPLICATE_KEY"


def test_suspend_and_resume() -> None:
    draft = grown(first(), member("la-dgm", LAOS)).successor(LATER)
    for state in (SUSPENDED, ACTIVE):
        found = draft.with_state(PartnerId("la-dgm"), state).partner("la-dgm")
        assert found is not None
        assert found.active is (state == ACTIVE)
    for partner, state in [("la-dgm", "gone"), ("zz-nobody", ACTIVE)]:
        with pytest.raises(InvalidInput):
            draft.with_state(PartnerId(partner), state)


def test_a_second_node_brings_its_own_key() -> None:
    partner = member("la-dgm", LAOS)
    second = RegistryNode(NodeName("backup"), WitnessKey.generate().public)
    more = partner.with_node(second, CHINA.public)
    assert [node.name for node in more.nodes] == ["backup", "main"]
    assert more.signing_keys == (LAOS.public, CHINA.public)
    assert more.with_node(second, CHINA.public) == more
    assert more.without_key(LAOS.public).signing_keys == (CHINA.public,)


@pytest.mark.parametrize(
    "path",
    [(), ("administrators",), ("partners", 0), ("partners", 0, "nodes", 0), ("hub_keys", 0), ("logs", 0)],
    ids=str,
)
def test_unknown_fields_are_refused_at_every_level(path: tuple[str | int, ...]) -> None:
    current = grown(first(), member("la-dgm", LAOS))
    payload = parse_strict(current.registry.to_payload())
    place = payload
    for step in path:
        place = place[step]  # type: ignore[index]
    place["x"] = 1
    with pytest.raises(Untrusted) as caught:
        Registry.from_payload(canonical(payload))
    assert caught.value.reason == "UNKNOWN_FIELD"


def test_an_unsorted_or_doubled_entry_is_refused() -> None:
    current = grown(grown(first(), member("la-dgm", LAOS)), member("cn-cgs", CHINA)).registry
    for partners in (current.partners[::-1], (*current.partners, current.partners[1])):
        with pytest.raises(Untrusted):
            Registry.from_payload(replace(current, partners=partners).to_payload())


def test_who_makes_a_bad_registry_is_told_before_it_is_signed() -> None:
    draft = first().successor(LATER)
    with pytest.raises(InvalidInput):
        sign_registry(replace(draft, expires=draft.created), (A, B))
    with pytest.raises(InvalidInput):
        sign_registry(replace(draft, cas=(b"not a certificate",)), (A, B))


def test_renewal_is_due_after_a_month_long_before_the_end() -> None:
    registry = first().registry
    due = registry.created + timedelta(seconds=LIMITS.registry_renew_after_s)
    assert not renewal_due(registry, due - timedelta(seconds=1))
    assert renewal_due(registry, due)
    assert due < registry.expires


def test_a_thousand_partners_fit() -> None:
    """With names in two scripts and two nodes each: the bounds on partners, bytes and a call agree."""
    base = first().registry
    keys = iter(PublicKey(n.to_bytes(32), n.to_bytes(1952)) for n in range(1, 10_000))
    partners = tuple(
        RegistryPartner(
            PartnerId(f"zz-{number:05d}"),
            {"en": "Agency of Geology " * 11, "lo": "ກົມທໍລະນີສາດ" * 5},
            (next(keys), next(keys)),
            (
                RegistryNode(NodeName("field-office"), number.to_bytes(32)),
                RegistryNode(NodeName("headquarters"), bytes(32)),
            ),
        )
        for number in range(1, LIMITS.partners_count_max + 1)
    )
    assert all(170 < len(name.encode()) <= 200 for name in partners[0].names.values())
    registry = replace(base, partners=partners)
    envelope = sign_registry(registry, (A, B))
    assert len(envelope) < LIMITS.registry_envelope_bytes_max
    assert verify_first(envelope, dsse.parse(envelope).id).registry == registry
    assert dsse.cosign(envelope, [C])
