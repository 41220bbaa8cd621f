"""Private keys at rest: PEM PKCS#8, 0600, created once and never overwritten.

    save_signing_key(path, SigningKey.generate(), passphrase=None)
    key = load_signing_key(path, passphrase=None)

A signing key's file holds two PEM blocks, Ed25519 first (RFC 8410), then ML-DSA-65 (RFC 9881, the seed). With
a passphrase each block is an ENCRYPTED PRIVATE KEY. `openssl pkey` reads the first block, and from 3.5 both.

A key that other users of the machine may read is not used: the error says how to repair it.
"""

import os
import re
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from core import durable
from core.errors import Conflict, Corrupt, InvalidInput, Unavailable
from security.keys import SigningKey, WitnessKey

_KEY_BYTES_MAX = 64 * 1024
_BLOCK = re.compile(
    rb"-----BEGIN (?:ENCRYPTED )?PRIVATE KEY-----.*?-----END (?:ENCRYPTED )?PRIVATE KEY-----\s*", re.DOTALL
)

PrivateKey = Ed25519PrivateKey | MLDSA65PrivateKey | EllipticCurvePrivateKey


def save_signing_key(path: Path, key: SigningKey, passphrase: bytes | None = None) -> None:
    """Create `path` with the pair. Raises `Conflict` (KEY_EXISTS) if anything is there."""
    _create(path, [key.ed25519, key.ml_dsa_65], passphrase)


def load_signing_key(path: Path, passphrase: bytes | None = None) -> SigningKey:
    """The pair in `path`. Raises `Unavailable` (missing), `InvalidInput` (rights, passphrase), `Corrupt`."""
    keys = _load(path, passphrase)
    if len(keys) == 2:
        ed25519, ml_dsa_65 = keys
        if isinstance(ed25519, Ed25519PrivateKey) and isinstance(ml_dsa_65, MLDSA65PrivateKey):
            return SigningKey(ed25519, ml_dsa_65)
    raise _not_a(path, "a signing key (an Ed25519 block, then an ML-DSA-65 block)")


def save_witness_key(path: Path, key: WitnessKey, passphrase: bytes | None = None) -> None:
    """Create `path` with a witness key. Raises as `save_signing_key`."""
    _create(path, [key.private], passphrase)


def load_witness_key(path: Path, passphrase: bytes | None = None) -> WitnessKey:
    """The witness key in `path`. Raises as `load_signing_key`."""
    keys = _load(path, passphrase)
    if len(keys) == 1 and isinstance(keys[0], Ed25519PrivateKey):
        return WitnessKey(keys[0])
    raise _not_a(path, "a witness key (an Ed25519 block)")


def save_tls_key(path: Path, key: EllipticCurvePrivateKey, passphrase: bytes | None = None) -> None:
    """Create `path` with a P-256 key, of a TLS peer or of the CA. Raises as `save_signing_key`."""
    _create(path, [key], passphrase)


def load_tls_key(path: Path, passphrase: bytes | None = None) -> EllipticCurvePrivateKey:
    """The P-256 key in `path`. Raises as `load_signing_key`."""
    keys = _load(path, passphrase)
    if len(keys) == 1:
        key = keys[0]
        if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
            return key
    raise _not_a(path, "a TLS key (a P-256 block)")


def tls_key_pem(key: EllipticCurvePrivateKey) -> bytes:
    """The key as unencrypted PEM PKCS#8, for a TLS library in this process."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def read_private_file(path: Path, bytes_max: int = _KEY_BYTES_MAX) -> bytes:
    """The bytes of a secret file that only its owner may read.

    Raises `Unavailable` (KEY_MISSING) or `InvalidInput` (KEY_EXPOSED, or not a regular file).
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Unavailable(
            f"{path} does not exist", remedy="restore it from a backup, or enrol anew", reason="KEY_MISSING"
        ) from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}", reason="KEY_MISSING") from error
    try:
        _check_exclusive(path, os.fstat(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}", reason="KEY_MISSING") from error
    finally:
        os.close(descriptor)
    if len(data) > bytes_max:
        raise Corrupt(f"{path} is larger than any key")
    return data


def write_private_file(path: Path, data: bytes) -> None:
    """Create a secret file, 0600, durably. Raises `Conflict` (KEY_EXISTS) if anything is there."""
    try:
        durable.write_file(path, data, mode=0o600, exclusive=True)
    except FileExistsError:
        raise Conflict(
            f"{path} exists already and is not overwritten",
            remedy="move it away if it is really not needed any more",
            reason="KEY_EXISTS",
        ) from None


def _check_exclusive(path: Path, status: os.stat_result) -> None:
    """The opened file is judged, not the name: nobody can swap it between the look and the read."""
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(f"{path} is not a regular file", reason="KEY_EXPOSED")
    if status.st_mode & 0o077:
        raise InvalidInput(
            f"{path} may be read or written by others (mode {stat.S_IMODE(status.st_mode):04o})",
            remedy=f"chmod 600 {path}; if others had access, replace the key",
            reason="KEY_EXPOSED",
        )
    if status.st_uid not in (0, os.geteuid()):
        raise InvalidInput(
            f"{path} belongs to another user (uid {status.st_uid})",
            remedy=f"run this as that user (runuser, sudo -u), or move everything: chown -R {os.geteuid()} …",
            reason="KEY_EXPOSED",
        )


def _create(path: Path, keys: list[PrivateKey], passphrase: bytes | None) -> None:
    if passphrase is not None and not passphrase:
        raise InvalidInput("the passphrase is empty", remedy="give one, or none at all")
    encryption: KeySerializationEncryption = (
        NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    )
    blocks = [key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption) for key in keys]
    write_private_file(path, b"".join(blocks))


def _load(path: Path, passphrase: bytes | None) -> list[PrivateKey]:
    data = read_private_file(path)
    blocks = _BLOCK.findall(data)
    if b"".join(blocks) != data.lstrip() or not blocks:
        raise _not_a(path, "a private key in PEM")
    return [_load_block(path, block, passphrase) for block in blocks]


def _load_block(path: Path, block: bytes, passphrase: bytes | None) -> PrivateKey:
    encrypted = block.startswith(b"-----BEGIN ENCRYPTED")
    if encrypted and passphrase is None:
        raise InvalidInput(
            f"{path} is encrypted",
            remedy="give its passphrase (or the credential)",
            reason="PASSPHRASE_MISSING",
        )
    try:
        # A passphrase for a file that is not encrypted is not an error: the machine may have both kinds.
        key = load_pem_private_key(block, passphrase if encrypted else None)
    except (ValueError, TypeError) as error:
        if encrypted:
            raise InvalidInput(
                f"{path} cannot be decrypted with this passphrase", reason="PASSPHRASE_WRONG"
            ) from error
        raise _not_a(path, "a private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey | MLDSA65PrivateKey | EllipticCurvePrivateKey):
        raise _not_a(path, "a key of a kind that is used here")
    return key


def _not_a(path: Path, wanted: str) -> Corrupt:
    return Corrupt(
        f"{path} is not {wanted}", remedy="restore it from a backup, or enrol anew", reason="KEY_UNREADABLE"
    )
