"""Enrolment: whatever an attacker changes on the way changes the fingerprint, or is refused."""

import json
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from core.errors import InvalidInput, Untrusted
from core.names import NodeName, PartnerId
from security import envelope as dsse
from security.certificates import generate_tls_key, make_csr
from security.digests import sha256_hex
from security.join import (
    JoinStatement,
    Renewal,
    build_join,
    build_renewal,
    claimed_identity,
    format_fingerprint,
    same_fingerprint,
    verify_join,
    verify_renewal,
)
from security.keys import SigningKey, WitnessKey

NOW = datetime(2026, 11, 22, 13, tzinfo=UTC)
KEY, EVE, WITNESS = SigningKey.generate(), SigningKey.generate(), WitnessKey.generate()
CSR = make_csr(generate_tls_key())
STATEMENT = JoinStatement(
    federation="asean",
    partner=PartnerId("la-dgm"),
    node=NodeName("main"),
    hub="hub.example.org:7443",
    enrol="hub.example.org:7444",
    ca_sha256="1" * 64,
    registry_sha256="2" * 64,
    token_sha256="3" * 64,
    csr_sha256=sha256_hex(CSR),
    signing_key=KEY.public,
    witness_key=WITNESS.public,
)


def refused(envelope: bytes, csr: bytes = CSR) -> str:
    with pytest.raises(Untrusted) as caught:
        verify_join(envelope, csr)
    return caught.value.reason


def test_a_join_statement_is_read_as_it_was_made() -> None:
    verified = verify_join(build_join(STATEMENT, KEY, WITNESS), CSR)
    assert verified.statement == STATEMENT
    assert verified.fingerprint.replace(" ", "") == verified.id
    assert [len(group) for group in verified.fingerprint.split()] == [4] * 16


def test_every_field_changes_the_fingerprint() -> None:
    """A man in the middle who swaps a key, the hub's address or the CA is seen by who compares."""
    seen = {sha256_hex(STATEMENT.to_payload())}
    others: dict[str, Any] = {"signing_key": EVE.public, "witness_key": bytes(32), "partner": "cn-cgs"}
    for each in fields(STATEMENT):
        value = others.get(each.name, "0" * 64)
        seen.add(sha256_hex(replace(STATEMENT, **{each.name: value}).to_payload()))
    assert len(seen) == len(fields(STATEMENT)) + 1


def test_each_key_proves_its_possession() -> None:
    payload = STATEMENT.to_payload()
    assert refused(dsse.sign(dsse.JOIN, payload, [WITNESS])) == "UNKNOWN_SIGNER"
    assert refused(dsse.sign(dsse.JOIN, payload, [KEY])) == "UNKNOWN_SIGNER"
    assert refused(dsse.sign(dsse.JOIN, payload, [EVE, WITNESS])) == "UNKNOWN_SIGNER"
    assert refused(dsse.sign(dsse.JOIN, payload, [KEY, WitnessKey.generate()])) == "UNKNOWN_SIGNER"
    full = json.loads(build_join(STATEMENT, KEY, WITNESS))
    for index in range(3):
        cut = {**full, "signatures": full["signatures"][:index] + full["signatures"][index + 1 :]}
        assert refused(json.dumps(cut).encode()) in ("BAD_SIGNATURE", "UNKNOWN_SIGNER")


def test_another_csr_is_refused() -> None:
    envelope = build_join(STATEMENT, KEY, WITNESS)
    assert refused(envelope, make_csr(generate_tls_key())) == "WRONG_CSR"
    broken = CSR[:-1] + bytes([CSR[-1] ^ 1])
    bound = build_join(replace(STATEMENT, csr_sha256=sha256_hex(broken)), KEY, WITNESS)
    assert refused(bound, broken) == "BAD_CSR"


def test_a_witness_key_that_is_the_signing_key_is_refused() -> None:
    same = replace(STATEMENT, witness_key=KEY.public.ed25519)
    assert refused(dsse.sign(dsse.JOIN, same.to_payload(), [KEY])) == "DUPLICATE_KEY"


def test_a_statement_with_other_keys_is_not_signed() -> None:
    with pytest.raises(InvalidInput):
        build_join(STATEMENT, EVE, WITNESS)
    with pytest.raises(InvalidInput):
        build_join(STATEMENT, KEY, WitnessKey.generate())


def test_a_renewal_is_no_join_and_a_join_no_renewal() -> None:
    renewal = Renewal(
        federation="asean",
        partner=STATEMENT.partner,
        node=STATEMENT.node,
        csr_sha256=sha256_hex(CSR),
        created=NOW,
    )
    envelope = build_renewal(renewal, KEY)
    assert claimed_identity(envelope) == ("asean", "la-dgm", "main")
    assert verify_renewal(envelope, CSR, [KEY.public]) == renewal
    with pytest.raises(Untrusted):
        verify_join(envelope, CSR)
    for bad, csr, keys in [
        (build_join(STATEMENT, KEY, WITNESS), CSR, [KEY.public]),
        (envelope, CSR, [EVE.public]),
        (envelope, CSR, []),
        (envelope, make_csr(generate_tls_key()), [KEY.public]),
    ]:
        with pytest.raises(Untrusted):
            verify_renewal(bad, csr, keys)


def test_fingerprints_are_compared_whole() -> None:
    number = sha256_hex(b"x")
    shown = format_fingerprint(number)
    for typed in (shown, number, shown.upper(), shown.replace(" ", "-"), f"  {shown}\n"):
        assert same_fingerprint(typed, number)
    for typed in ("", shown[:-1], shown[:19], shown + "0", number[::-1], "é" * 64):
        assert not same_fingerprint(typed, number)
