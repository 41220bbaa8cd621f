"""Keys and signatures: an identity signs everything twice, and both signatures must verify.

A *signing key* is a pair: Ed25519 (RFC 8032) and ML-DSA-65 (FIPS 204, pure, empty context). Evidence
must outlive today's algorithms: a forger has to break both. Key ids are SHA-256 over the DER of the
SubjectPublicKeyInfo (RFC 8410, RFC 9881); they are hints, only public bytes decide.

    key = SigningKey.generate()
    ed, ml = key.sign(b"message")
    key.public.verify(ed.sig, ml.sig, b"message")       # None, or Untrusted

A *witness key* is Ed25519 alone, as C2SP witnesses have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.errors import InvalidInput, Untrusted
from security.digests import Sha256Hex, sha256_hex
from security.fields import Fields, encode_base64

ED25519 = "ed25519"
ML_DSA_65 = "ml_dsa_65"
ED25519_PUBLIC_BYTES = 32
ML_DSA_65_PUBLIC_BYTES = 1952
_SEED_BYTES = 32


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature over a message. `algorithm` is `ed25519` or `ml_dsa_65`."""

    keyid: Sha256Hex
    algorithm: str
    sig: bytes


class Signatory(Protocol):
    """Whatever can sign a message: a pair gives two signatures, a witness key one."""

    def sign(self, message: bytes) -> Sequence[Signature]:
        """Signatures over `message`."""
        ...


class Signer(Signatory, Protocol):
    """Holder of a pair; may be a file, a token or a service."""

    @property
    def public(self) -> "PublicKey":
        """The public pair."""
        ...


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public pair, raw bytes. Equal when both halves are."""

    ed25519: bytes
    ml_dsa_65: bytes

    def __post_init__(self) -> None:
        if len(self.ed25519) != ED25519_PUBLIC_BYTES or len(self.ml_dsa_65) != ML_DSA_65_PUBLIC_BYTES:
            raise InvalidInput("a public key has the wrong length", reason="MALFORMED")

    @property
    def keyids(self) -> tuple[Sha256Hex, Sha256Hex]:
        """The key ids of the Ed25519 half and of the ML-DSA-65 half."""
        return ed25519_keyid(self.ed25519), ml_dsa_65_keyid(self.ml_dsa_65)

    def shares_nothing_with(self, other: "PublicKey") -> bool:
        """Whether not even a half of one is a half of the other."""
        return self.ed25519 != other.ed25519 and self.ml_dsa_65 != other.ml_dsa_65

    def to_json(self) -> dict[str, str]:
        """`{"ed25519": base64, "ml_dsa_65": base64}` of the raw bytes."""
        return {ED25519: encode_base64(self.ed25519), ML_DSA_65: encode_base64(self.ml_dsa_65)}

    @classmethod
    def from_json(cls, value: object, what: str = "key") -> "PublicKey":
        """Read what `to_json` writes. Raises `Untrusted`."""
        fields = Fields(value, what)
        made = cls(
            fields.binary(ED25519, ED25519_PUBLIC_BYTES), fields.binary(ML_DSA_65, ML_DSA_65_PUBLIC_BYTES)
        )
        fields.finish()
        return made

    def ed25519_pem(self) -> bytes:
        """The Ed25519 half as a PEM SubjectPublicKeyInfo, as `openssl pkeyutl -pubin` reads it."""
        return ed25519_pem(self.ed25519)

    def ml_dsa_65_pem(self) -> bytes:
        """The ML-DSA-65 half as a PEM SubjectPublicKeyInfo (OpenSSL 3.5 and newer)."""
        key = MLDSA65PublicKey.from_public_bytes(self.ml_dsa_65)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verify(self, ed25519_sig: bytes, ml_dsa_65_sig: bytes, message: bytes) -> None:
        """Both signatures over `message`. Raises `Untrusted` (BAD_SIGNATURE)."""
        verify_ed25519(self.ed25519, ed25519_sig, message)
        try:
            MLDSA65PublicKey.from_public_bytes(self.ml_dsa_65).verify(ml_dsa_65_sig, message)
        except (InvalidSignature, ValueError):
            raise Untrusted("the ML-DSA-65 signature does not verify", reason="BAD_SIGNATURE") from None


class SigningKey:
    """A private pair in memory. Implements `Signer`."""

    def __init__(self, ed25519: Ed25519PrivateKey, ml_dsa_65: MLDSA65PrivateKey) -> None:
        self.ed25519 = ed25519
        self.ml_dsa_65 = ml_dsa_65
        self._public = PublicKey(
            ed25519.public_key().public_bytes_raw(), ml_dsa_65.public_key().public_bytes_raw()
        )

    @classmethod
    def generate(cls) -> "SigningKey":
        """A new pair from the system's randomness."""
        return cls(Ed25519PrivateKey.generate(), MLDSA65PrivateKey.generate())

    @classmethod
    def from_seeds(cls, ed25519: bytes, ml_dsa_65: bytes) -> "SigningKey":
        """The pair of two 32-byte seeds (RFC 8032; FIPS 204's xi)."""
        if len(ed25519) != _SEED_BYTES or len(ml_dsa_65) != _SEED_BYTES:
            raise InvalidInput("a seed has 32 bytes")
        return cls(
            Ed25519PrivateKey.from_private_bytes(ed25519), MLDSA65PrivateKey.from_seed_bytes(ml_dsa_65)
        )

    @property
    def public(self) -> PublicKey:
        return self._public

    def private_bytes(self) -> tuple[bytes, bytes]:
        """The two seeds, 32 bytes each. Secret: for the keystore alone."""
        return self.ed25519.private_bytes_raw(), self.ml_dsa_65.private_bytes_raw()

    def sign(self, message: bytes) -> list[Signature]:
        ed_id, ml_id = self._public.keyids
        return [
            Signature(ed_id, ED25519, self.ed25519.sign(message)),
            Signature(ml_id, ML_DSA_65, self.ml_dsa_65.sign(message)),
        ]


class WitnessKey:
    """A private Ed25519 key that cosigns checkpoints, and nothing else but its own enrolment."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self.private = private

    @classmethod
    def generate(cls) -> "WitnessKey":
        """A new key from the system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> "WitnessKey":
        """The key of a 32-byte seed."""
        if len(seed) != _SEED_BYTES:
            raise InvalidInput("a seed has 32 bytes")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def public(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self.private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> list[Signature]:
        """One Ed25519 signature over `message`."""
        return [Signature(ed25519_keyid(self.public), ED25519, self.private.sign(message))]


def verify_ed25519(public: bytes, signature: bytes, message: bytes) -> None:
    """One Ed25519 signature by the raw key `public`. Raises `Untrusted` (BAD_SIGNATURE)."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Untrusted("the Ed25519 signature does not verify", reason="BAD_SIGNATURE") from None


def ed25519_pem(public: bytes) -> bytes:
    """A raw Ed25519 public key as a PEM SubjectPublicKeyInfo (RFC 8410)."""
    key = Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@lru_cache(maxsize=4096)
def ed25519_keyid(public: bytes) -> Sha256Hex:
    """SHA-256 of the DER SubjectPublicKeyInfo of a raw Ed25519 public key."""
    key = Ed25519PublicKey.from_public_bytes(public)
    return sha256_hex(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


@lru_cache(maxsize=4096)
def ml_dsa_65_keyid(public: bytes) -> Sha256Hex:
    """SHA-256 of the DER SubjectPublicKeyInfo of a raw ML-DSA-65 public key."""
    try:
        key = MLDSA65PublicKey.from_public_bytes(public)
    except UnsupportedAlgorithm as error:
        raise InvalidInput(
            "this build of `cryptography` lacks ML-DSA-65",
            remedy="install cryptography 50 or newer from its own wheel",
        ) from error
    return sha256_hex(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
