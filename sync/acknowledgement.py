"""The acknowledgement: a subscriber's signed word that it holds a version, under which policy.

    envelope = build(acknowledgement, signer)
    verified = verify_acknowledgement(envelope, partner.signing_keys, partner.id)

Rules: a DSSE envelope of its own payload type, signed by the partner that it names; unknown fields are
refused. See docs/formats/acknowledgement.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.clock import format_instant
from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from core.names import DatasetId, NodeName, PartnerId, check_dataset, check_node, check_partner
from security.canonical import canonical, parse_strict
from security.envelope import ACKNOWLEDGEMENT, sign, verify
from security.fields import Fields
from security.keys import PublicKey, Signer

APPLIED = "applied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """`node` of `partner` has applied the version `manifest_sha256`; `policy_sha256` granted it."""

    dataset: DatasetId
    manifest_sha256: str
    policy_sha256: str
    partner: PartnerId
    node: NodeName
    created: datetime
    result: str = APPLIED

    def to_payload(self) -> bytes:
        """The canonical bytes that are signed."""
        return canonical(
            {
                "v": 1,
                "dataset": self.dataset,
                "manifest_sha256": self.manifest_sha256,
                "policy_sha256": self.policy_sha256,
                "partner": self.partner,
                "node": self.node,
                "created": format_instant(self.created),
                "result": self.result,
            }
        )


@dataclass(frozen=True, slots=True)
class VerifiedAcknowledgement:
    """An acknowledgement whose signatures and form hold; `id` is the SHA-256 of its payload, in hex."""

    acknowledgement: Acknowledgement
    id: str
    envelope: bytes


def build(acknowledgement: Acknowledgement, signer: Signer, limits: Limits = LIMITS) -> bytes:
    """The envelope, signed. Raises `InvalidInput` for what its receivers would refuse."""
    payload = acknowledgement.to_payload()
    try:
        _parse(payload, limits)
    except Untrusted as error:
        raise InvalidInput(error.message) from error
    return sign(ACKNOWLEDGEMENT, payload, [signer])


def verify_acknowledgement(
    envelope: bytes, keys: Sequence[PublicKey], partner: PartnerId, limits: Limits = LIMITS
) -> VerifiedAcknowledgement:
    """Check that `partner`, whose `keys` these are, said so. Raises `Untrusted`."""
    verified = verify(envelope, ACKNOWLEDGEMENT, keys, 1, limits)
    acknowledgement = _parse(verified.payload, limits)
    if acknowledgement.partner != partner:
        raise Untrusted(
            f"the acknowledgement speaks for {acknowledgement.partner}, but {partner} signed it",
            reason="WRONG_SIGNER",
        )
    return VerifiedAcknowledgement(acknowledgement, verified.id, envelope)


def _parse(payload: bytes, limits: Limits) -> Acknowledgement:
    fields = Fields(parse_strict(payload, limits), "acknowledgement", limits)
    fields.version(1)
    if fields.text("result") != APPLIED:
        raise fields.wrong("result", APPLIED)
    try:
        made = Acknowledgement(
            dataset=check_dataset(fields.text("dataset")),
            manifest_sha256=fields.digest("manifest_sha256"),
            policy_sha256=fields.digest("policy_sha256"),
            partner=check_partner(fields.text("partner")),
            node=check_node(fields.text("node")),
            created=fields.instant("created"),
        )
    except InvalidInput as error:
        raise Untrusted(f"acknowledgement: {error.message}", reason="MALFORMED") from None
    fields.finish()
    return made
