"""An opening on disk: a leaf's record and nonce and, for its owner, its place in the owner's lane.

    OpeningFile(index, record, nonce, LanePlace(n, prev, salt)).to_bytes()
    found = OpeningFile.from_bytes(data)                  # strict, or Untrusted
    record = open_leaf(leaf, found.opening)               # whether it is this leaf's is for `leaf`
    check_lane(record, owner, found.lane)

Format: docs/formats/leaf.md.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from core.names import PartnerId
from security.canonical import JSON, canonical, parse_canonical
from security.digests import Sha256Hex
from security.fields import Fields, encode_base64
from security.tlog.leaf import NONCE_BYTES, Opening, lane_commitment


@dataclass(frozen=True, slots=True)
class LanePlace:
    """What opens a lane commitment: the number in the owner's lane, the commitment before, the salt."""

    n: int
    prev: Sha256Hex | None
    salt: bytes


@dataclass(frozen=True, slots=True)
class OpeningFile:
    """An opening with its leaf's index."""

    index: int
    record: bytes
    nonce: bytes
    lane: LanePlace | None = None

    @property
    def opening(self) -> Opening:
        """Record and nonce, as `leaf.open_leaf` takes them."""
        return Opening(self.record, self.nonce)

    def to_bytes(self) -> bytes:
        """The file's bytes: canonical JSON."""
        value: dict[str, JSON] = {
            "v": 1,
            "index": self.index,
            "record": encode_base64(self.record),
            "nonce": encode_base64(self.nonce),
        }
        if self.lane is not None:
            value["lane"] = {"n": self.lane.n, "prev": self.lane.prev, "salt": encode_base64(self.lane.salt)}
        return canonical(value)

    @classmethod
    def from_bytes(cls, data: bytes, limits: Limits = LIMITS) -> "OpeningFile":
        """Read what `to_bytes` writes. Raises `Untrusted` (MALFORMED, NON_CANONICAL, UNKNOWN_FIELD, …)."""
        fields = Fields(parse_canonical(data, limits.envelope_bytes_max, limits), "opening", limits)
        fields.version()
        lane = None
        if "lane" in fields:
            inner = fields.object("lane")
            lane = LanePlace(
                inner.integer("n", 1), inner.digest_or_null("prev"), inner.binary("salt", NONCE_BYTES)
            )
            inner.finish()
            if (lane.n == 1) != (lane.prev is None):
                raise fields.wrong("lane", "a place whose prev is null in the first, and in no other")
        made = cls(
            fields.integer("index"),
            fields.binary("record", bytes_max=limits.payload_bytes_max),
            fields.binary("nonce", NONCE_BYTES),
            lane,
        )
        fields.finish()
        return made


def check_lane(record: Mapping[str, Any], owner: PartnerId, place: LanePlace) -> None:
    """Demand that `record` stands at `place` of `owner`'s lane. Raises `Untrusted` (WRONG_OPENING)."""
    stated = record.get("lane")
    try:
        made = lane_commitment(owner, place.n, place.prev, place.salt)
    except InvalidInput:
        made = ""
    if not isinstance(stated, str) or not hmac.compare_digest(made.encode(), stated.encode()):
        raise Untrusted(
            f"this record does not stand at place {place.n} of the lane of {owner}", reason="WRONG_OPENING"
        )
