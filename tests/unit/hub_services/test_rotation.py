"""A node's signing key changes: by the old key, the new key and the administrators, and by nobody less."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from core.errors import Conflict, InvalidInput, SynclineError, Untrusted
from core.names import NodeName, PartnerId
from security import envelope as dsse
from security.canonical import canonical, parse_strict
from security.keys import SigningKey
from security.rotation import Rotation, build_rotation, verify_rotation
from sync.ports import PolicyExtract
from tests.simulation.federation import TestFederation, build_version, publish, share

NOW = datetime(2026, 11, 22, 17, 0, 0, tzinfo=UTC)


def asked(
    federation: TestFederation, who: str, new: SigningKey, changes: Mapping[str, Any] | None = None
) -> bytes:
    member = federation.members[who]
    made = Rotation("test-geo", member.partner, member.node, NOW, member.signing.public, new.public)
    return build_rotation(replace(made, **(changes or {})), member.signing, new)


def rotated(federation: TestFederation, who: str) -> SigningKey:
    """The whole way; the member has the new key afterwards."""
    new = SigningKey.generate()
    assert federation.hub.rotation.request(federation.caller(who), asked(federation, who, new)) is False
    assert federation.hub.registry.sign_pending([federation.administrator]) is not None
    # The members are shared between tests.
    federation.members[who] = replace(federation.members[who], signing=new)
    return new


def refusal(call, *arguments: object) -> str:
    with pytest.raises(SynclineError) as caught:
        call(*arguments)
    return caught.value.reason


def test_a_change_of_keys_waits_for_the_administrators(federation: TestFederation) -> None:
    old, new = federation.members["la-dgm"].signing, SigningKey.generate()
    envelope = asked(federation, "la-dgm", new)
    api = federation.api("la-dgm")
    assert api.rotate_keys(envelope) is False
    assert api.rotate_keys(envelope) is False, "safe to repeat"
    assert [act.text for act in federation.hub.registry.pending()] == [
        "change the signing key of node main of la-dgm"
    ]
    # Until then the old key counts, and the new one does not.
    share(federation, "la-dgm", "geology-1m", ["th-dmr"])
    federation.hub.registry.sign_pending([federation.administrator])
    entry = federation.registry.registry.partner("la-dgm")
    assert entry is not None
    assert (new.public in entry.signing_keys, old.public in entry.signing_keys) == (True, False)
    assert federation.hub.registry.pending() == []
    assert api.rotate_keys(envelope) is True, "the answer to a repetition says that it is done"
    assert federation.hub.registry.signing_key(federation.caller("la-dgm")) == new.public


def test_with_the_keys_at_hand_it_is_signed_at_once(federation: TestFederation) -> None:
    federation.host.hub.close()
    federation.host._options["administrator_keys"] = lambda: [federation.administrator]
    federation.host.hub = federation.host._open()
    assert federation.api("la-dgm").rotate_keys(asked(federation, "la-dgm", SigningKey.generate())) is True


def test_a_later_request_takes_the_place_of_one_that_waits(federation: TestFederation) -> None:
    first, second = SigningKey.generate(), SigningKey.generate()
    api = federation.api("la-dgm")
    for new in (first, second):
        assert api.rotate_keys(asked(federation, "la-dgm", new)) is False
    assert len(federation.hub.registry.pending()) == 1
    federation.hub.registry.sign_pending([federation.administrator])
    assert federation.hub.registry.signing_key(federation.caller("la-dgm")) == second.public


def test_the_chains_go_on_with_the_new_key(federation: TestFederation) -> None:
    share(federation, "la-dgm", "geology-1m", ["th-dmr"])
    one = publish(federation, "la-dgm", "geology-1m", {"a.txt": b"one"})
    old = federation.members["la-dgm"].signing
    rotated(federation, "la-dgm")
    two = build_version(federation, "la-dgm", "geology-1m", {"a.txt": b"one"}, seq=2, prev=one.manifest_id)
    assert federation.api("la-dgm").commit_version(two.envelope, None).leaf_index > 0
    # The old key signs nothing new; what it signed and was accepted gets the same answer for ever.
    forged = build_version(
        federation, "la-dgm", "geology-1m", {"a.txt": b"x"}, seq=3, prev=two.manifest_id, signer=old
    )
    assert refusal(federation.api("la-dgm").commit_version, forged.envelope, None) == "UNKNOWN_SIGNER"
    assert one.accepted is not None
    again = federation.api("la-dgm").commit_version(one.envelope, one.root)
    assert again.leaf_index == one.accepted.leaf_index
    assert [dsse.parse(each).id for each in federation.api("th-dmr").list_versions(one.dataset, 1)] == [
        one.manifest_id,
        two.manifest_id,
    ]


def test_it_is_in_the_log_and_in_the_owner_s_lane(federation: TestFederation) -> None:
    rotated(federation, "la-dgm")
    acts = [leaf for leaf in federation.hub.translog.leaves() if b"rotate-keys" in leaf.record]
    assert [(leaf.type, leaf.lane_owner) for leaf in acts] == [("act", "la-dgm")]


# Attacks.


def test_another_partner_cannot_change_a_key(federation: TestFederation) -> None:
    envelope = asked(federation, "la-dgm", SigningKey.generate())
    assert refusal(federation.api("th-dmr").rotate_keys, envelope) == "WRONG_SIGNER"


@pytest.mark.parametrize(
    "changes",
    [{"federation": "other-geo"}, {"node": NodeName("mirror")}, {"partner": PartnerId("th-dmr")}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_request_for_another_is_refused(federation: TestFederation, changes: dict[str, object]) -> None:
    envelope = asked(federation, "la-dgm", SigningKey.generate(), changes)
    assert refusal(federation.api("la-dgm").rotate_keys, envelope) == "WRONG_SIGNER"


def test_the_new_key_must_prove_that_it_is_there(federation: TestFederation) -> None:
    """Else somebody else's key could be put into the registry in this partner's name."""
    member, new = federation.members["la-dgm"], SigningKey.generate()
    payload = dsse.parse(asked(federation, "la-dgm", new)).payload
    by_old = dsse.sign(dsse.ROTATION, payload, [member.signing])
    by_new = dsse.sign(dsse.ROTATION, payload, [new])
    for envelope in (by_old, by_new):
        assert refusal(federation.api("la-dgm").rotate_keys, envelope) == "THRESHOLD"


def test_a_key_that_is_not_this_node_s_any_more_changes_nothing(federation: TestFederation) -> None:
    """Whoever stole the old key comes too late."""
    old = federation.members["la-dgm"].signing
    rotated(federation, "la-dgm")
    thief = SigningKey.generate()
    stolen = Rotation("test-geo", PartnerId("la-dgm"), NodeName("main"), NOW, old.public, thief.public)
    with pytest.raises(Conflict) as caught:
        federation.api("la-dgm").rotate_keys(build_rotation(stolen, old, thief))
    assert caught.value.reason == "OTHER_KEY"


def test_no_key_of_anybody_comes_back(federation: TestFederation) -> None:
    old = federation.members["la-dgm"].signing
    rotated(federation, "la-dgm")
    for taken in (old, federation.members["th-dmr"].signing):
        envelope = asked(federation, "la-dgm", taken)
        assert refusal(federation.api("la-dgm").rotate_keys, envelope) == "DUPLICATE_KEY"
    half = SigningKey(federation.members["th-dmr"].signing.ed25519, SigningKey.generate().ml_dsa_65)
    assert refusal(federation.api("la-dgm").rotate_keys, asked(federation, "la-dgm", half)) == "DUPLICATE_KEY"


def test_a_request_of_an_enrolment_that_was_replaced_is_dropped(federation: TestFederation) -> None:
    stale = SigningKey.generate()
    assert federation.api("la-dgm").rotate_keys(asked(federation, "la-dgm", stale)) is False
    federation.enrol("la-dgm", replace=True)
    assert federation.hub.registry.pending() == []
    entry = federation.registry.registry.partner("la-dgm")
    assert entry is not None
    assert stale.public not in entry.signing_keys


def test_a_revoked_partner_changes_nothing(federation: TestFederation) -> None:
    envelope = asked(federation, "la-dgm", SigningKey.generate())
    federation.hub.registry.revoke(PartnerId("la-dgm"), [federation.administrator])
    assert refusal(federation.api("la-dgm").rotate_keys, envelope) == "REVOKED"


# The statement itself.


def test_a_statement_is_read_strictly() -> None:
    old, new = SigningKey.generate(), SigningKey.generate()
    made = Rotation("test-geo", PartnerId("la-dgm"), NodeName("main"), NOW, old.public, new.public)
    envelope = build_rotation(made, old, new)
    assert verify_rotation(envelope).rotation == made
    with pytest.raises(InvalidInput):
        build_rotation(replace(made, new=old.public), old, old)
    fields = parse_strict(made.to_payload())
    wrong = [
        {**fields, "v": 2},
        {**fields, "more": 1},
        {**fields, "partner": "LA"},
        {**fields, "replaces": fields["signing_key"]},
        {key: value for key, value in fields.items() if key != "created"},
    ]
    for value in wrong:
        with pytest.raises(Untrusted):
            verify_rotation(dsse.sign(dsse.ROTATION, canonical(value), [old, new]))
    relabelled = dsse.sign(dsse.RENEWAL, made.to_payload(), [old, new])
    assert refusal(verify_rotation, relabelled) == "WRONG_PAYLOAD_TYPE"


def test_policies_too_are_answered_again_after_the_change(federation: TestFederation) -> None:
    made = share(federation, "la-dgm", "geology-1m", ["th-dmr"])
    rotated(federation, "la-dgm")
    again = federation.api("la-dgm").publish_policy(PolicyExtract(made.envelope, made.disclosures))
    assert again.leaf_index >= 0
