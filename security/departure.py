"""A node leaves the federation by its own word: one signed statement, and nothing of it can be undone.

What it published and acknowledged stays evidence; its certificate opens nothing any more once the hub has
accepted this. Whether the key that signed is this node's is for the hub to say.

    envelope = build_departure(Departure(federation, partner, node, now, "the survey has merged"), key)
    verified = verify_departure(envelope, [key.public])               # or Untrusted

Format: docs/formats/departure.md.
"""

from collections.abc import Sequence
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
class Departure:
    """That a node leaves. `reason`: for people, at most `text_bytes_max`, may be empty."""

    federation: str
    partner: PartnerId
    node: NodeName
    created: datetime
    reason: str

    def to_payload(self) -> bytes:
        """The canonical bytes that are signed."""
        payload: dict[str, JSON] = {
            "v": 1,
            "federation": self.federation,
            "partner": self.partner,
            "node": self.node,
            "created": format_instant(self.created),
        }
        if self.reason:
            payload["reason"] = self.reason
        return canonical(payload)

    @classmethod
    def from_payload(cls, payload: bytes, limits: Limits = LIMITS) -> "Departure":
        """Read a payload strictly. Raises `Untrusted`."""
        fields = Fields(parse_strict(payload, limits), "departure", limits)
        fields.version()
        federation, partner, node = read_speaker(fields, "departure")
        created = fields.instant("created")
        made = cls(federation, partner, node, created, fields.optional_text("reason") or "")
        fields.finish()
        return made


@dataclass(frozen=True, slots=True)
class VerifiedDeparture:
    """A departure that the node's key signed. Made by `verify_departure` alone."""

    departure: Departure
    id: Sha256Hex
    envelope: bytes = field(repr=False)


def build_departure(departure: Departure, key: Signer, limits: Limits = LIMITS) -> bytes:
    """The signed envelope. Raises `InvalidInput` for one that would be refused."""
    payload = departure.to_payload()
    try:
        Departure.from_payload(payload, limits)
    except Untrusted as error:
        raise InvalidInput(f"this cannot be said: {error.message}", reason=error.reason) from error
    return dsse.sign(dsse.DEPARTURE, payload, [key])


def verify_departure(
    envelope: bytes, keys: Sequence[PublicKey], limits: Limits = LIMITS
) -> VerifiedDeparture:
    """Demand the signature of one of `keys`. Raises `Untrusted`, as `envelope.verify` does."""
    verified = dsse.verify(envelope, dsse.DEPARTURE, keys, 1, limits)
    return VerifiedDeparture(Departure.from_payload(verified.payload, limits), verified.id, envelope)
