"""Attacks on envelopes that need fresh keys; the golden ones are in test_vectors."""

import json
from dataclasses import replace

import pytest

from core.errors import InvalidInput, Untrusted
from core.limits import Limits
from security import envelope as dsse
from security.keys import PublicKey, Signature, SigningKey, WitnessKey, ed25519_keyid

ALICE, BOB, EVE = SigningKey.generate(), SigningKey.generate(), SigningKey.generate()


def refused(envelope: bytes, keys: list[PublicKey], threshold: int = 1) -> str:
    with pytest.raises(Untrusted) as caught:
        dsse.verify(envelope, dsse.POLICY, keys, threshold)
    return caught.value.reason


def test_what_is_verified_is_the_bytes_that_were_signed() -> None:
    envelope = dsse.sign(dsse.POLICY, b"any bytes", [ALICE])
    verified = dsse.verify(envelope, dsse.POLICY, [BOB.public, ALICE.public])
    assert verified.payload == b"any bytes"
    assert verified.signers == (ALICE.public,)
    assert verified.envelope is envelope


def test_the_pre_authentication_encoding_is_the_specification_s_example() -> None:
    made = dsse.pae("http://example.com/HelloWorld", b"hello world")
    assert made == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_a_statement_of_one_kind_never_passes_as_another() -> None:
    """Same payload, same key, another type: the signature does not carry over."""
    envelope = json.loads(dsse.sign(dsse.REGISTRY, b"{}", [ALICE]))
    envelope["payloadType"] = dsse.POLICY
    assert refused(json.dumps(envelope).encode(), [ALICE.public]) == "BAD_SIGNATURE"


def test_one_of_two_signatures_is_not_enough_even_with_a_strangers_other_half() -> None:
    """Mix and match: the owner's Ed25519 signature beside somebody else's ML-DSA-65 signature."""
    ours, theirs = (json.loads(dsse.sign(dsse.POLICY, b"{}", [key])) for key in (ALICE, EVE))
    ours["signatures"][1] = theirs["signatures"][1]
    assert refused(json.dumps(ours).encode(), [ALICE.public, EVE.public]) == "BAD_SIGNATURE"


def test_halves_of_two_signers_do_not_make_a_third() -> None:
    mixed = PublicKey(ALICE.public.ed25519, BOB.public.ml_dsa_65)
    envelope = dsse.sign(dsse.POLICY, b"{}", [ALICE, BOB])
    verified = dsse.verify(envelope, dsse.POLICY, [ALICE.public, mixed, BOB.public], 2)
    assert verified.signers == (ALICE.public, BOB.public)
    assert refused(envelope, [ALICE.public, mixed, BOB.public], 3) == "THRESHOLD"


def test_a_key_counts_once_by_its_public_bytes() -> None:
    envelope = dsse.sign(dsse.POLICY, b"{}", [ALICE])
    again = PublicKey.from_json(ALICE.public.to_json())
    assert refused(envelope, [ALICE.public, again], 2) == "THRESHOLD"


def test_a_wrong_signature_of_a_known_key_is_refused_though_the_threshold_is_met() -> None:
    good = dsse.parse(dsse.sign(dsse.POLICY, b"{}", [ALICE, BOB]))
    signatures = {**good.signatures, BOB.public.keyids[0]: bytes(64)}
    assert (
        refused(dsse.assemble(dsse.POLICY, b"{}", signatures), [ALICE.public, BOB.public]) == "BAD_SIGNATURE"
    )


def test_signatures_of_strangers_are_ignored() -> None:
    envelope = dsse.sign(dsse.POLICY, b"{}", [EVE, ALICE])
    assert dsse.verify(envelope, dsse.POLICY, [ALICE.public]).signers == (ALICE.public,)
    assert refused(envelope, [BOB.public]) == "UNKNOWN_SIGNER"
    assert refused(envelope, []) == "UNKNOWN_SIGNER"


@pytest.mark.parametrize("length", [0, 1, 63, 65, 3308, 3310])
def test_signatures_of_a_wrong_length_are_refused_not_a_crash(length: int) -> None:
    good = dsse.parse(dsse.sign(dsse.POLICY, b"{}", [ALICE]))
    for keyid in ALICE.public.keyids:
        bad = dsse.assemble(dsse.POLICY, b"{}", {**good.signatures, keyid: bytes(length)})
        assert refused(bad, [ALICE.public]) in ("BAD_SIGNATURE", "MALFORMED")


def test_the_all_zero_key_signs_nothing() -> None:
    """A point of small order: with lax Ed25519, some signature verifies for any message."""
    zero = PublicKey(bytes(32), ALICE.public.ml_dsa_65)
    good = dsse.parse(dsse.sign(dsse.POLICY, b"{}", [ALICE]))
    forged = {**good.signatures, ed25519_keyid(bytes(32)): bytes(64)}
    assert refused(dsse.assemble(dsse.POLICY, b"{}", forged), [zero]) == "BAD_SIGNATURE"


def test_administrators_sign_one_after_the_other() -> None:
    first = dsse.sign(dsse.POLICY, b"{}", [ALICE])
    both = dsse.cosign(first, [BOB, ALICE])
    assert dsse.verify(both, dsse.POLICY, [ALICE.public, BOB.public], 2).payload == b"{}"
    kept = dsse.parse(first).signatures
    assert {keyid: dsse.parse(both).signatures[keyid] for keyid in kept} == kept


def test_a_witness_key_signs_beside_the_pair() -> None:
    witness = WitnessKey.generate()
    parsed = dsse.parse(dsse.sign(dsse.JOIN, b"{}", [ALICE, witness]))
    dsse.verify_ed25519_signature(parsed, witness.public)
    with pytest.raises(Untrusted):
        dsse.verify_ed25519_signature(parsed, WitnessKey.generate().public)
    with pytest.raises(Untrusted):
        dsse.verify_ed25519_signature(replace(parsed, payload=b"[]"), witness.public)


def test_bounds_hold() -> None:
    small = Limits(payload_bytes_max=64, envelope_bytes_max=32 * 1024, signatures_count_max=2)
    dsse.parse(dsse.sign(dsse.POLICY, bytes(64), [ALICE]), small)
    for envelope in (
        dsse.sign(dsse.POLICY, bytes(65), [ALICE]),
        dsse.sign(dsse.POLICY, b"", [ALICE]),
        dsse.sign(dsse.POLICY, b"{}", [ALICE, BOB]),
        b" " * (32 * 1024) + dsse.sign(dsse.POLICY, b"{}", [ALICE]),
    ):
        with pytest.raises(Untrusted) as caught:
            dsse.parse(envelope, small)
        assert caught.value.reason == "MALFORMED"


def test_nonsense_asked_of_it_is_the_callers_error() -> None:
    with pytest.raises(InvalidInput):
        dsse.sign(dsse.POLICY, b"{}", [])
    with pytest.raises(InvalidInput):
        dsse.verify(dsse.sign(dsse.POLICY, b"{}", [ALICE]), dsse.POLICY, [ALICE.public], 0)
    with pytest.raises(InvalidInput):
        PublicKey(b"short", ALICE.public.ml_dsa_65)


def test_a_signer_may_be_elsewhere() -> None:
    """Anything with `public` and `sign` signs: a token, an agent, a service."""

    class Remote:
        public = BOB.public

        def sign(self, message: bytes) -> list[Signature]:
            return BOB.sign(message)

    assert dsse.verify(dsse.sign(dsse.POLICY, b"{}", [Remote()]), dsse.POLICY, [BOB.public]).signers == (
        BOB.public,
    )
