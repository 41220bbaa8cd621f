"""Leaves of the log, and what opens them: public, and yet telling nothing to who may not know.

A leaf is only a commitment, `{"commit": hex SHA-256(nonce32 ‖ record), "v": 1}`; the record (canonical JSON)
and its nonce are the *opening*, given to whoever may see the record. Registry leaves alone are open. All
leaves are canonical JSON; the Merkle tree hashes them as RFC 6962 does.

    leaf, opening = make_leaf({"kind": "version", ...})
    record = open_leaf(leaf, opening)                  # the record, or Untrusted

Format: docs/formats/leaf.md.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from core.names import PartnerId, check_partner
from security.canonical import JSON, canonical, parse_strict
from security.digests import Sha256Hex, check_digest, sha256_hex
from security.fields import Fields

NONCE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Opening:
    """The record's bytes and the nonce: what makes a leaf readable. Secret to who may not see the record."""

    record: bytes
    nonce: bytes


def make_leaf(record: Mapping[str, JSON], nonce: bytes | None = None) -> tuple[bytes, Opening]:
    """A leaf's bytes for `record`, and its opening. `nonce` is given by tests alone."""
    chosen = secrets.token_bytes(NONCE_BYTES) if nonce is None else nonce
    opening = Opening(canonical(record), _check_salt(chosen))
    return _committing(opening), opening


def open_leaf(leaf: bytes, opening: Opening, limits: Limits = LIMITS) -> dict[str, Any]:
    """The record that `leaf` commits to. Raises `Untrusted` (WRONG_OPENING, or as `parse_strict`)."""
    if len(opening.nonce) != NONCE_BYTES or not hmac.compare_digest(_committing(opening), leaf):
        raise Untrusted("the opening does not belong to this leaf", reason="WRONG_OPENING")
    return parse_strict(opening.record, limits)


def leaf_of(opening: Opening) -> bytes:
    """The leaf that `opening` commits to. Whether its record is canonical is not asked."""
    return _committing(opening)


def registry_leaf(registry_id: Sha256Hex) -> bytes:
    """The open leaf of a registry statement."""
    return canonical({"registry": check_digest(registry_id, "registry id"), "v": 1})


def registry_of_leaf(leaf: bytes, limits: Limits = LIMITS) -> Sha256Hex | None:
    """The registry's id in an open leaf; None for a commitment. Raises `Untrusted` for neither."""
    fields = Fields(parse_strict(leaf, limits), "leaf")
    fields.version()
    found = fields.digest("registry") if "registry" in fields else None
    if found is None:
        fields.digest("commit")
    fields.finish()
    return found


def leaf_hash(leaf: bytes) -> bytes:
    """RFC 6962's hash of a leaf: SHA-256(0x00 ‖ leaf), 32 bytes."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def lane_commitment(owner: PartnerId, n: int, prev: Sha256Hex | None, salt: bytes) -> Sha256Hex:
    """Hex SHA-256(salt32 ‖ JCS({"n", "owner", "prev"})): a record's place in its owner's lane.

    `n` counts the owner's records from 1; `prev` is the commitment before (None in the first). It is
    opened to the owner and to auditors alone: they see gaps, and nobody else learns whose record it is.
    """
    if n < 1 or (n == 1) != (prev is None):
        raise InvalidInput(f"lane place {n} with prev {prev} makes no sense")
    if prev is not None:
        check_digest(prev, "lane prev")
    place: JSON = {"n": n, "owner": check_partner(owner), "prev": prev}
    return sha256_hex(_check_salt(salt) + canonical(place))


def new_salt() -> bytes:
    """32 bytes for a lane commitment, from the system's randomness."""
    return secrets.token_bytes(NONCE_BYTES)


def _committing(opening: Opening) -> bytes:
    return canonical({"commit": sha256_hex(opening.nonce + opening.record), "v": 1})


def _check_salt(salt: bytes) -> bytes:
    if len(salt) != NONCE_BYTES:
        raise InvalidInput(f"a salt or nonce has {NONCE_BYTES} bytes")
    return salt
