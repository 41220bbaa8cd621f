"""What a node says to be enrolled, and to renew its certificate.

The *join statement* binds all that the operator approves: partner, node, the node's three public keys, its
CSR, the token, and what the node believes about the hub. It is signed by each of those keys (proof of
possession). Its fingerprint is the SHA-256 of the payload; node and hub show it, a person compares. Whoever
changes a byte between them, a key or the hub's address included, changes the fingerprint.

    envelope = build_join(statement, signing_key, witness_key)
    verified = verify_join(envelope, csr_der)            # the hub
    verified.fingerprint                                  # "3f1c 09ab … " 16 groups of 4

A *renewal* is signed by the signing key that the registry knows, and asks for a certificate for a CSR.
Format: docs/formats/enrolment.md.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.clock import format_instant
from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from core.names import NodeName, PartnerId
from security import envelope as dsse
from security.canonical import JSON, canonical, parse_strict
from security.certificates import check_csr
from security.digests import Sha256Hex, sha256_hex
from security.fields import Fields, encode_base64
from security.keys import ED25519_PUBLIC_BYTES, PublicKey, Signer, WitnessKey
from security.speaker import read_speaker

_ADDRESS_BYTES_MAX = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinStatement:
    """Addresses are `HOST:PORT`, as the join file gave them; `ca_sha256` is over the CA's DER."""

    federation: str
    partner: PartnerId
    node: NodeName
    hub: str
    enrol: str
    ca_sha256: Sha256Hex
    registry_sha256: Sha256Hex
    token_sha256: Sha256Hex
    csr_sha256: Sha256Hex
    signing_key: PublicKey
    witness_key: bytes

    def to_payload(self) -> bytes:
        """The canonical bytes that are signed."""
        payload: dict[str, JSON] = {
            "v": 1,
            "federation": self.federation,
            "partner": self.partner,
            "node": self.node,
            "hub": self.hub,
            "enrol": self.enrol,
            "ca_sha256": self.ca_sha256,
            "registry_sha256": self.registry_sha256,
            "token_sha256": self.token_sha256,
            "csr_sha256": self.csr_sha256,
            "signing_key": self.signing_key.to_json(),
            "witness_key": encode_base64(self.witness_key),
        }
        return canonical(payload)

    @classmethod
    def from_payload(cls, payload: bytes, limits: Limits = LIMITS) -> "JoinStatement":
        """Read a payload strictly. Raises `Untrusted`."""
        fields = Fields(parse_strict(payload, limits), "join statement", limits)
        fields.version()
        federation, partner, node = read_speaker(fields, "join statement")
        made = cls(
            federation=federation,
            partner=partner,
            node=node,
            hub=fields.text("hub", _ADDRESS_BYTES_MAX),
            enrol=fields.text("enrol", _ADDRESS_BYTES_MAX),
            ca_sha256=fields.digest("ca_sha256"),
            registry_sha256=fields.digest("registry_sha256"),
            token_sha256=fields.digest("token_sha256"),
            csr_sha256=fields.digest("csr_sha256"),
            signing_key=PublicKey.from_json(fields.raw("signing_key"), "join statement: signing_key"),
            witness_key=fields.binary("witness_key", ED25519_PUBLIC_BYTES),
        )
        fields.finish()
        if made.witness_key == made.signing_key.ed25519:
            raise Untrusted("join statement: two of its keys are the same", reason="DUPLICATE_KEY")
        return made


@dataclass(frozen=True, slots=True)
class VerifiedJoin:
    """A join statement whose keys all signed it. It is not approved by that. Only `verify_join` makes it."""

    statement: JoinStatement
    id: Sha256Hex
    envelope: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """The id, as people read it to each other."""
        return format_fingerprint(self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A wish for a new certificate for the key of a CSR."""

    federation: str
    partner: PartnerId
    node: NodeName
    csr_sha256: Sha256Hex
    created: datetime

    def to_payload(self) -> bytes:
        """The canonical bytes that are signed."""
        payload: dict[str, JSON] = {
            "v": 1,
            "federation": self.federation,
            "partner": self.partner,
            "node": self.node,
            "csr_sha256": self.csr_sha256,
            "created": format_instant(self.created),
        }
        return canonical(payload)


def build_join(statement: JoinStatement, signing_key: Signer, witness_key: WitnessKey) -> bytes:
    """The envelope: three signatures. Raises `InvalidInput` if the keys are not the statement's."""
    if statement.signing_key != signing_key.public or statement.witness_key != witness_key.public:
        raise InvalidInput("the join statement names other keys than those that are to sign it")
    return dsse.sign(dsse.JOIN, statement.to_payload(), [signing_key, witness_key])


def verify_join(envelope: bytes, csr_der: bytes, limits: Limits = LIMITS) -> VerifiedJoin:
    """Demand that every key in the statement signed it, and the CSR its own. Raises `Untrusted`.

    Reasons: those of `envelope.verify`, WRONG_CSR, BAD_CSR. Whether token, addresses, CA and registry are
    the hub's own is for the hub to compare.
    """
    parsed = dsse.parse(envelope, limits)
    statement = JoinStatement.from_payload(parsed.payload, limits)
    verified = dsse.verify(envelope, dsse.JOIN, [statement.signing_key], 1, limits)
    dsse.verify_ed25519_signature(parsed, statement.witness_key)
    _check_csr(csr_der, statement.csr_sha256)
    return VerifiedJoin(statement, verified.id, envelope)


def build_renewal(renewal: Renewal, signing_key: Signer) -> bytes:
    """The envelope of a renewal."""
    return dsse.sign(dsse.RENEWAL, renewal.to_payload(), [signing_key])


def verify_renewal(
    envelope: bytes, csr_der: bytes, keys: Sequence[PublicKey], limits: Limits = LIMITS
) -> Renewal:
    """A renewal signed by one of the partner's `keys`. Raises `Untrusted`, as `verify_join` does.

    The caller finds `keys` by `claimed_identity`, then compares federation, partner and node. A replay is
    harmless: it gives a certificate for the same TLS key, which only its holder can use.
    """
    verified = dsse.verify(envelope, dsse.RENEWAL, keys, 1, limits)
    renewal = _read_renewal(verified.payload, limits)
    _check_csr(csr_der, renewal.csr_sha256)
    return renewal


def claimed_identity(envelope: bytes, limits: Limits = LIMITS) -> tuple[str, PartnerId, NodeName]:
    """Federation, partner and node that a renewal claims: to look up keys with, and for nothing else."""
    renewal = _read_renewal(dsse.parse(envelope, limits).payload, limits)
    return renewal.federation, renewal.partner, renewal.node


def format_fingerprint(id: Sha256Hex) -> str:  # noqa: A002 - the noun's own name
    """16 groups of 4 hexadecimal digits."""
    return " ".join(id[at : at + 4] for at in range(0, len(id), 4))


def same_fingerprint(typed: str, id: Sha256Hex) -> bool:  # noqa: A002 - the noun's own name
    """Whether what a person typed is the whole fingerprint of `id`. Spaces, dashes, case do not matter."""
    plain = "".join(each for each in typed.lower() if each not in " -:\t\n")
    return plain.isascii() and hmac.compare_digest(plain, id)


def _read_renewal(payload: bytes, limits: Limits) -> Renewal:
    fields = Fields(parse_strict(payload, limits), "renewal", limits)
    fields.version()
    federation, partner, node = read_speaker(fields, "renewal")
    made = Renewal(
        federation=federation,
        partner=partner,
        node=node,
        csr_sha256=fields.digest("csr_sha256"),
        created=fields.instant("created"),
    )
    fields.finish()
    return made


def _check_csr(csr_der: bytes, csr_sha256: Sha256Hex) -> None:
    if sha256_hex(csr_der) != csr_sha256:
        raise Untrusted("the certificate request is not the one that was signed for", reason="WRONG_CSR")
    check_csr(csr_der)
