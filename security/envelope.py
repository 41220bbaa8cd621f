"""DSSE v1 envelopes: sign bytes, verify bytes, and only then look inside.

* What is signed is the pre-authentication encoding of payload type and payload, so that a statement
  of one kind is never taken for one of another.
* A signer signs twice (Ed25519, ML-DSA-65); it counts when both verify, and once by its public bytes.
* Signatures of keys that nobody asked about are ignored; a wrong one of a key asked about is refused.
* The id of a statement is the SHA-256 of its payload. ML-DSA signatures are randomised, so the first
  envelope is kept and sent on unchanged.

    envelope = sign(MANIFEST, payload, [key])
    verified = verify(envelope, MANIFEST, [key.public])      # Verified, or Untrusted

Format: docs/formats/envelope.md; specification: https://github.com/secure-systems-lab/dsse (v1.0.2).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from security.canonical import parse_json
from security.digests import Sha256Hex, is_digest, sha256_hex
from security.fields import Fields, decode_base64, encode_base64
from security.keys import PublicKey, Signatory, ed25519_keyid, verify_ed25519

MANIFEST = "application/vnd.in-toto+json"
POLICY = "application/vnd.syncline.policy+json"
REGISTRY = "application/vnd.syncline.registry+json"
ACKNOWLEDGEMENT = "application/vnd.syncline.acknowledgement+json"
JOIN = "application/vnd.syncline.join+json"
RENEWAL = "application/vnd.syncline.renewal+json"
RECEIPT = "application/vnd.syncline.receipt+json"
ROTATION = "application/vnd.syncline.rotation+json"
DEPARTURE = "application/vnd.syncline.departure+json"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A parsed envelope: nothing in it is believed yet. `signatures` maps key id to signature."""

    payload_type: str
    payload: bytes
    signatures: dict[Sha256Hex, bytes]
    raw: bytes = field(repr=False)

    @property
    def id(self) -> Sha256Hex:
        """SHA-256 of the payload."""
        return sha256_hex(self.payload)

    @property
    def message(self) -> bytes:
        """The bytes that every signer signs."""
        return pae(self.payload_type, self.payload)


@dataclass(frozen=True, slots=True)
class Verified:
    """A payload and the pairs of the accepted keys that signed it. Made by `verify` alone."""

    payload: bytes
    id: Sha256Hex
    signers: tuple[PublicKey, ...]
    envelope: bytes = field(repr=False)


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload_type: str, payload: bytes, signers: Sequence[Signatory]) -> bytes:
    """An envelope over `payload`, as JSON bytes, with the signatures of all `signers`."""
    if not signers:
        raise InvalidInput("an envelope needs a signer")
    message = pae(payload_type, payload)
    signatures = {each.keyid: each.sig for signer in signers for each in signer.sign(message)}
    return assemble(payload_type, payload, signatures)


def assemble(payload_type: str, payload: bytes, signatures: dict[Sha256Hex, bytes]) -> bytes:
    """An envelope of signatures that were made before (administrators who sign one after the other)."""
    return json.dumps(
        {
            "payload": encode_base64(payload),
            "payloadType": payload_type,
            "signatures": [{"keyid": keyid, "sig": encode_base64(sig)} for keyid, sig in signatures.items()],
        },
        separators=(",", ":"),
    ).encode("ascii")


def cosign(envelope: bytes, signers: Sequence[Signatory], limits: Limits = LIMITS) -> bytes:
    """`envelope` with the signatures of `signers` added; what was there stays."""
    parsed = parse(envelope, limits)
    signatures = dict(parsed.signatures)
    for signer in signers:
        for each in signer.sign(parsed.message):
            signatures.setdefault(each.keyid, each.sig)
    return assemble(parsed.payload_type, parsed.payload, signatures)


def parse(envelope: bytes, limits: Limits = LIMITS) -> Envelope:
    """Read an envelope strictly; believes nothing. Raises `Untrusted` (MALFORMED, DUPLICATE_KEY, …)."""
    outer_max = max(limits.envelope_bytes_max, limits.registry_envelope_bytes_max)
    fields = Fields(parse_json(envelope, outer_max, limits), "envelope", limits)
    payload_type = fields.text("payloadType", 256)
    # A registry grows with the federation, and has bounds of its own.
    large = payload_type == REGISTRY
    payload_max = limits.registry_payload_bytes_max if large else limits.payload_bytes_max
    if not large and len(envelope) > limits.envelope_bytes_max:
        raise Untrusted(f"an envelope of {len(envelope)} bytes exceeds the bound", reason="MALFORMED")
    payload = decode_base64(fields.text("payload", outer_max), "envelope: payload")
    if len(payload) > payload_max:
        raise Untrusted(f"a payload of {len(payload)} bytes exceeds {payload_max}", reason="MALFORMED")
    signatures: dict[Sha256Hex, bytes] = {}
    for item in fields.array("signatures", limits.signatures_count_max):
        one = Fields(item, "envelope: signature", limits)
        keyid = one.text("keyid", 128)
        sig = one.binary("sig", bytes_max=8192)
        one.finish()
        if not is_digest(keyid):
            raise Untrusted("envelope: a keyid is not a SHA-256", reason="MALFORMED")
        if keyid in signatures:
            raise Untrusted("envelope: two signatures under one key id", reason="DUPLICATE_KEY")
        signatures[keyid] = sig
    fields.finish()
    return Envelope(payload_type, payload, signatures, envelope)


def verify(
    envelope: bytes,
    payload_type: str,
    keys: Sequence[PublicKey],
    threshold: int = 1,
    limits: Limits = LIMITS,
) -> Verified:
    """Demand that at least `threshold` different `keys` signed this envelope as `payload_type`.

    Raises `Untrusted`: MALFORMED, DUPLICATE_KEY, WRONG_PAYLOAD_TYPE, BAD_SIGNATURE (a signature of one
    of `keys` does not verify, or one of its two is missing and the threshold is not met otherwise),
    UNKNOWN_SIGNER (none of `keys` signed), THRESHOLD (some did, too few).
    """
    if threshold < 1:
        raise InvalidInput("a threshold is at least 1")
    parsed = parse(envelope, limits)
    if parsed.payload_type != payload_type:
        raise Untrusted(
            f"expected a statement of type {payload_type}, not {parsed.payload_type}",
            reason="WRONG_PAYLOAD_TYPE",
        )
    signers, half_signed = _signers(parsed, keys)
    if len(signers) < threshold:
        raise _too_few(signers, half_signed, threshold)
    return Verified(parsed.payload, parsed.id, tuple(signers), envelope)


def verify_ed25519_signature(parsed: Envelope, public: bytes) -> None:
    """Demand a signature of the lone Ed25519 key `public` (a witness key). Raises `Untrusted`."""
    sig = parsed.signatures.get(ed25519_keyid(public))
    if sig is None:
        raise Untrusted("a signature is missing", reason="UNKNOWN_SIGNER")
    verify_ed25519(public, sig, parsed.message)


def _signers(parsed: Envelope, keys: Sequence[PublicKey]) -> tuple[list[PublicKey], bool]:
    """The keys that count, and whether some key signed with one half only."""
    message = parsed.message
    counted: list[PublicKey] = []
    halves: set[bytes] = set()
    half_signed = False
    for key in keys:
        # Two pairs that share a half are one signer: a key counts once by its public bytes.
        if key.ed25519 in halves or key.ml_dsa_65 in halves:
            continue
        ed_id, ml_id = key.keyids
        ed_sig, ml_sig = parsed.signatures.get(ed_id), parsed.signatures.get(ml_id)
        if ed_sig is None or ml_sig is None:
            half_signed = half_signed or ed_sig is not ml_sig
            continue
        key.verify(ed_sig, ml_sig, message)
        counted.append(key)
        halves.update((key.ed25519, key.ml_dsa_65))
    return counted, half_signed


def _too_few(signers: list[PublicKey], half_signed: bool, threshold: int) -> Untrusted:
    if half_signed:
        return Untrusted(
            "a signer gave one of its two signatures only; both Ed25519 and ML-DSA-65 must be there",
            reason="BAD_SIGNATURE",
        )
    if not signers:
        return Untrusted("none of the expected keys signed this statement", reason="UNKNOWN_SIGNER")
    return Untrusted(f"{len(signers)} of {threshold} required signers signed", reason="THRESHOLD")
