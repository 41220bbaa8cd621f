"""Enrolment: the token is single-use, all keys are proven, what the operator approves is what the node
meant."""

import base64
import json

import pytest

from core.errors import Conflict, Denied, InvalidInput, Unavailable, Untrusted
from core.names import NodeName, PartnerId
from hub.services.context import Caller
from hub.services.enrolment import EnrolmentState
from hub.services.registry import Signed
from security.certificates import generate_tls_key, identify_node, make_csr
from security.digests import sha256_hex
from security.join import Renewal, build_join, build_renewal
from security.keys import SigningKey, WitnessKey
from security.registry import verify_first
from tests.simulation.federation import TestFederation, join_statement, read_join_file, sha256_of_payload

KH = PartnerId("kh-gdmr")
MAIN = NodeName("main")


class Joiner:
    """A node that joins, step by step."""

    def __init__(self, federation: TestFederation, **invite) -> None:
        self.federation = federation
        self.hub = federation.hub
        self.file = read_join_file(self.hub.enrolment.invite(KH, {"en": "GDMR"}, MAIN, **invite))
        self.signing, self.witness, self.tls = (
            SigningKey.generate(),
            WitnessKey.generate(),
            generate_tls_key(),
        )
        self.csr = make_csr(self.tls)

    def envelope(self, **changes) -> bytes:
        return build_join(
            join_statement(self.file, self.csr, self.signing, self.witness, **changes),
            self.signing,
            self.witness,
        )

    def join(self, envelope: bytes | None = None) -> EnrolmentState:
        self.sent = self.envelope() if envelope is None else envelope
        return self.hub.enrolment.join(self.sent, self.file["token"], self.csr)

    @property
    def id(self) -> str:
        return sha256_of_payload(self.sent)


def test_a_node_joins_is_approved_and_may_call(federation: TestFederation):
    joiner = Joiner(federation)
    hub = federation.hub
    assert joiner.join() is EnrolmentState.PENDING
    assert hub.enrolment.get(joiner.id, joiner.file["token"]) == (EnrolmentState.PENDING, None)
    with pytest.raises(Denied):
        hub.registry.require_active(Caller(KH, MAIN))
    shown = next(e for e in hub.enrolment.list() if e.partner == KH)
    assert shown.state == "pending"
    assert shown.fingerprint is not None
    assert hub.enrolment.approve(KH, shown.fingerprint, [federation.administrator]) is Signed.NOW
    state, certificate = hub.enrolment.get(joiner.id, joiner.file["token"])
    assert state is EnrolmentState.APPROVED
    assert certificate is not None
    assert identify_node(certificate) == ("test-geo", KH, MAIN)
    assert hub.registry.require_active(Caller(KH, MAIN)).signing_keys == (joiner.signing.public,)
    # Asked again, the same certificate comes.
    assert hub.enrolment.get(joiner.id, joiner.file["token"])[1] == certificate


def test_the_join_file_proves_itself(federation: TestFederation):
    file = Joiner(federation).file
    first = verify_first(base64.b64decode(file["registry"]), file["registry_sha256"])
    assert first.registry.seq == 1
    assert first.registry.federation == file["federation"]
    assert len(base64.urlsafe_b64decode(file["token"] + "=")) == 32


def test_joining_again_with_the_same_bytes_is_safe(federation: TestFederation):
    joiner = Joiner(federation)
    joiner.join()
    leaves = federation.hub.translog.size()
    assert joiner.join(joiner.sent) is EnrolmentState.PENDING
    assert federation.hub.translog.size() == leaves


def test_a_stolen_token_with_other_keys_is_refused_after_use(federation: TestFederation):
    joiner = Joiner(federation)
    joiner.join()
    joiner.signing, joiner.witness = SigningKey.generate(), WitnessKey.generate()
    with pytest.raises(Denied) as refused:
        joiner.join()
    assert refused.value.reason == "TOKEN_USED"


def test_a_stolen_token_used_first_shows_another_fingerprint(federation: TestFederation):
    """The thief joins first; the operator compares with what the real node shows, and it differs."""
    joiner = Joiner(federation)
    joiner.join()
    real = sha256_hex(b"what the real node would have shown")
    with pytest.raises(Untrusted) as refused:
        federation.hub.enrolment.approve(KH, real, [federation.administrator])
    assert refused.value.reason == "FINGERPRINT"
    assert federation.hub.enrolment.reject(KH) == 1
    assert federation.hub.enrolment.get(joiner.id, joiner.file["token"])[0] is EnrolmentState.REJECTED
    with pytest.raises(InvalidInput):
        federation.hub.enrolment.approve(KH, joiner.id, [federation.administrator])


def test_an_expired_token_is_refused(federation: TestFederation):
    joiner = Joiner(federation)
    federation.clock.advance(federation.limits.token_valid_s)
    with pytest.raises(Denied) as refused:
        joiner.join()
    assert refused.value.reason == "TOKEN_EXPIRED"
    assert [e.state for e in federation.hub.enrolment.list() if e.partner == KH] == ["expired"]


def test_who_has_the_token_of_a_withdrawn_invitation_is_told_that_it_was(federation: TestFederation):
    joiner = Joiner(federation)
    assert federation.hub.enrolment.reject(KH) == 1
    assert [e.state for e in federation.hub.enrolment.list() if e.partner == KH] == ["withdrawn"]
    federation.clock.advance(federation.limits.token_valid_s)  # the operator's word stands, whatever the time
    with pytest.raises(Denied) as refused:
        joiner.join()
    assert refused.value.reason == "TOKEN_WITHDRAWN"
    assert "withdrawn" in refused.value.message
    with pytest.raises(Denied) as refused:
        federation.hub.enrolment.join(joiner.envelope(), "x" + joiner.file["token"][1:], joiner.csr)
    assert refused.value.reason == "TOKEN_UNKNOWN", "who has no token learns nothing"


def test_the_join_file_says_whether_it_replaces_a_node(federation: TestFederation):
    names = {"en": "GDM"}
    ordinary = json.loads(federation.hub.enrolment.invite(KH, names, NodeName("main")))
    assert "replace" not in ordinary
    replacing = json.loads(federation.hub.enrolment.invite(KH, names, NodeName("main"), replace=True))
    assert replacing["replace"] is True


def test_an_altered_token_is_unknown_and_a_new_invitation_ends_the_old(federation: TestFederation):
    joiner = Joiner(federation)
    with pytest.raises(Denied) as refused:
        federation.hub.enrolment.join(joiner.envelope(), "x" + joiner.file["token"][1:], joiner.csr)
    assert refused.value.reason == "TOKEN_UNKNOWN"
    newer = Joiner(federation)
    with pytest.raises(Denied) as refused:
        joiner.join()
    assert refused.value.reason == "TOKEN_SUPERSEDED"
    assert "newest join file" in refused.value.remedy
    assert [e.state for e in federation.hub.enrolment.list() if e.partner == KH] == ["superseded", "invited"]
    assert newer.join() is EnrolmentState.PENDING


@pytest.mark.parametrize(
    "changes",
    [
        {"federation": "other-geo"},
        {"partner": PartnerId("kh-other")},
        {"node": NodeName("mirror-2")},
        {"hub": "evil.test:7443"},
        {"enrol": "evil.test:7444"},
        {"ca_sha256": "0" * 64},
        {"registry_sha256": "0" * 64},
        {"token_sha256": "0" * 64},
    ],
)
def test_a_statement_that_means_another_hub_or_invitation_is_refused(federation: TestFederation, changes):
    joiner = Joiner(federation)
    with pytest.raises(Untrusted) as refused:
        joiner.join(joiner.envelope(**changes))
    assert refused.value.reason == "WRONG_BINDING"
    assert joiner.join() is EnrolmentState.PENDING  # and the token is not spent


def test_every_key_must_be_proven(federation: TestFederation):
    joiner = Joiner(federation)
    whole = json.loads(joiner.envelope())
    for missing in range(3):
        half = dict(whole, signatures=[s for n, s in enumerate(whole["signatures"]) if n != missing])
        with pytest.raises(Untrusted):
            federation.hub.enrolment.join(json.dumps(half).encode(), joiner.file["token"], joiner.csr)
    with pytest.raises(Untrusted):
        federation.hub.enrolment.join(joiner.envelope(), joiner.file["token"], make_csr(generate_tls_key()))
    assert joiner.join() is EnrolmentState.PENDING


def test_a_partner_cannot_enrol_with_the_keys_of_another(federation: TestFederation):
    joiner = Joiner(federation)
    joiner.signing = federation.members["la-dgm"].signing
    with pytest.raises(Untrusted) as refused:
        joiner.join()
    assert refused.value.reason == "DUPLICATE_KEY"


def test_approval_without_keys_waits_for_the_administrators(federation: TestFederation):
    joiner = Joiner(federation)
    joiner.join()
    hub = federation.hub
    assert hub.enrolment.approve(KH, joiner.id) is Signed.QUEUED
    assert [act.text for act in hub.registry.pending()] == ["enrol node main of kh-gdmr"]
    assert hub.enrolment.get(joiner.id, joiner.file["token"])[0] is EnrolmentState.PENDING
    with pytest.raises(Unavailable) as refused:
        hub.registry.sign_pending([SigningKey.generate()])
    assert refused.value.reason == "THRESHOLD"
    assert hub.registry.sign_pending([federation.administrator]) is not None
    assert hub.registry.pending() == []
    assert hub.enrolment.get(joiner.id, joiner.file["token"])[0] is EnrolmentState.APPROVED


def test_fingerprints_are_compared_without_regard_to_spaces_and_case(federation: TestFederation):
    joiner = Joiner(federation)
    joiner.join()
    typed = "-".join(joiner.id[at : at + 4] for at in range(0, 64, 4)).upper()
    assert federation.hub.enrolment.approve(KH, typed, [federation.administrator]) is Signed.NOW
    with pytest.raises(InvalidInput):
        federation.hub.enrolment.approve(KH, joiner.id[:16], [federation.administrator])


def test_approve_on_join_needs_the_keys_at_hand(federation: TestFederation):
    with pytest.raises(Unavailable) as refused:
        Joiner(federation, approve_on_join=True)
    assert refused.value.reason == "THRESHOLD"
    assert "admin_keys" in refused.value.remedy  # `invite` takes no --keys: the running hub signs


def test_approve_on_join_enrols_at_once(federation: TestFederation):
    federation.host._options["administrator_keys"] = lambda: [federation.administrator]
    federation.host.restart()
    joiner = Joiner(federation, approve_on_join=True)
    assert joiner.join() is EnrolmentState.APPROVED


def test_an_enrolled_node_is_not_invited_again_by_mistake(federation: TestFederation):
    with pytest.raises(Conflict) as refused:
        federation.hub.enrolment.invite(PartnerId("la-dgm"), {"en": "DGM"}, MAIN)
    assert refused.value.reason == "ALREADY_ENROLLED"


def test_a_replaced_nodes_certificate_and_keys_stop_working(federation: TestFederation):
    old = federation.members["la-dgm"]
    old_key = tls_key_of(old.certificate)
    new = federation.enrol("la-dgm", replace=True)
    hub = federation.hub
    with pytest.raises(Denied) as refused:
        hub.registry.require_active(Caller(old.partner, old.node, old_key))
    assert refused.value.reason == "REPLACED"
    hub.registry.require_active(Caller(new.partner, new.node, tls_key_of(new.certificate)))
    csr = make_csr(generate_tls_key())
    with pytest.raises(Untrusted):
        hub.enrolment.renew(renewal(federation, old.signing, csr), csr)
    # What the old key has signed can still be checked.
    assert old.signing.public in hub.registry.require_active(new.caller).signing_keys


def test_a_lost_machines_keys_do_not_come_back_with_its_replacement(federation: TestFederation):
    """Else the lost machine, or who stole it, would stay a member with the same signing key."""
    lost = federation.members["la-dgm"]
    with pytest.raises(Denied) as refused:
        federation.enrol("la-dgm", replace=True, signing=lost.signing)
    assert refused.value.reason == "KEYS_REPLACED"
    federation.enrol("la-dgm", replace=True)
    with pytest.raises(Denied) as refused:
        federation.enrol("la-dgm", replace=True, signing=lost.signing)
    assert refused.value.reason == "KEYS_REPLACED", "nor later"


def test_a_certificate_is_renewed_by_the_signing_key_also_after_expiry(federation: TestFederation):
    member = federation.members["la-dgm"]
    federation.clock.advance(federation.limits.certificate_valid_s + 1)
    with pytest.raises(Denied):
        federation.hub.registry.require_active(
            Caller(member.partner, member.node, tls_key_of(member.certificate))
        )
    csr = make_csr(generate_tls_key())
    certificate = federation.hub.enrolment.renew(renewal(federation, member.signing, csr), csr)
    federation.hub.registry.require_active(Caller(member.partner, member.node, tls_key_of(certificate)))


def test_a_renewal_by_a_stranger_or_a_suspended_partner_gets_the_same_answer(federation: TestFederation):
    csr = make_csr(generate_tls_key())
    federation.hub.registry.suspend(PartnerId("la-dgm"))
    answers = []
    for partner, signing in (
        ("la-dgm", federation.members["la-dgm"].signing),
        ("kh-none", SigningKey.generate()),
    ):
        with pytest.raises(Denied) as refused:
            federation.hub.enrolment.renew(renewal(federation, signing, csr, partner), csr)
        answers.append(str(refused.value).replace(partner, "X"))
    assert answers[0] == answers[1]


def renewal(federation: TestFederation, signing: SigningKey, csr: bytes, partner: str = "la-dgm") -> bytes:
    statement = Renewal(
        federation="test-geo",
        partner=PartnerId(partner),
        node=MAIN,
        csr_sha256=sha256_hex(csr),
        created=federation.clock.now(),
    )
    return build_renewal(statement, signing)


def tls_key_of(certificate: bytes) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_pem_x509_certificate(certificate).public_key()
    return sha256_hex(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
