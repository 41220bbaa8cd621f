"""A node changes its signing key: the old key names the new one, and the new one proves that it is there.

The statement is signed by both pairs. Whether the old one is this node's key now is for the hub to say, and
that the new one is, is for the administrators: only a registry that lists it makes it count.

    envelope = build_rotation(Rotation(federation, partner, node, now, old.public, new.public), old, new)
    verified = verify_rotation(envelope)               # both have signed, or Untrusted

Format: docs/formats/rotation.md.
"""

from dataclasses import dataclass, field
from datetime import datetime

from core.clock import format_instant
from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from core.names import NodeName, PartnerId
from security import envelope as dsse
from security.canonical import JSON, canonical, parse_strict
from security.digests import Sha256Hex
from security.fields import Fields
from security.keys import PublicKey, Signer
from security.speaker import read_speaker


@dataclass(frozen=True, slots=True)
class Rotation:
    """What is asked: that `new` takes the place of `old` as the signing key of a node."""

    federation: str
    partner: PartnerId
    node: NodeName
    created: datetime
    old: PublicKey
    new: PublicKey

    def to_payload(self) -> bytes:
        """The canonical bytes that are signed."""
        payload: dict[str, JSON] = {
            "v": 1,
            "federation": self.federation,
            "partner": self.partner,
            "node": self.node,
            "created": format_instant(self.created),
            "replaces": self.old.to_json(),
            "signing_key": self.new.to_json(),
        }
        return canonical(payload)

    @classmethod
    def from_payload(cls, payload: bytes, limits: Limits = LIMITS) -> "Rotation":
        """Read a payload strictly. Raises `Untrusted`."""
        fields = Fields(parse_strict(payload, limits), "rotation", limits)
        fields.version()
        federation, partner, node = read_speaker(fields, "rotation")
        made = cls(
            federation,
            partner,
            node,
            fields.instant("created"),
            PublicKey.from_json(fields.raw("replaces"), "rotation: replaces"),
            PublicKey.from_json(fields.raw("signing_key"), "rotation: signing_key"),
        )
        fields.finish()
        if not made.old.shares_nothing_with(made.new):
            raise Untrusted("rotation: the new key is the old one, or half of it", reason="DUPLICATE_KEY")
        return made


@dataclass(frozen=True, slots=True)
class VerifiedRotation:
    """A rotation that both keys signed. Made by `verify_rotation` alone."""

    rotation: Rotation
    id: Sha256Hex
    envelope: bytes = field(repr=False)


def build_rotation(rotation: Rotation, old: Signer, new: Signer, limits: Limits = LIMITS) -> bytes:
    """The envelope, signed by both keys. Raises `InvalidInput` for one that would be refused."""
    payload = rotation.to_payload()
    try:
        Rotation.from_payload(payload, limits)
    except Untrusted as error:
        raise InvalidInput(f"this rotation would be refused: {error.message}", reason=error.reason) from error
    return dsse.sign(dsse.ROTATION, payload, [old, new])


def verify_rotation(envelope: bytes, limits: Limits = LIMITS) -> VerifiedRotation:
    """Demand that both keys that it names have signed. Raises `Untrusted`, as `envelope.verify` does."""
    rotation = Rotation.from_payload(dsse.parse(envelope, limits).payload, limits)
    verified = dsse.verify(envelope, dsse.ROTATION, [rotation.old, rotation.new], 2, limits)
    return VerifiedRotation(rotation, verified.id, envelope)
