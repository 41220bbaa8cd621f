"""The node's own keys and certificate, in `state_dir/keys/` (folder 0700, files 0600).

    signing.pem         the signing pair (PKCS #8; see security/keystore)
    witness.pem         cosigns the hub's log
    tls-<id16>.pem      a TLS key, named by its public half's digest
    tls.crt             the certificate chain, PEM, leaf first

Rules: keys are made once and never leave the node. The certificate is replaced by one rename and finds its
key by the digest of its public half, so a crash between a renewal's steps leaves a pair that fits.

    identity = load_or_create(state_dir, passphrase=None)
    identity.signing.sign(b"...")
    pair = identity.tls()                  # for a channel; Unavailable (NOT_ENROLLED) before approval
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core import durable
from core.errors import Corrupt, Unavailable
from node import departure
from node.join_file import NOT_SENT, Enrolling
from node.materialise import system_errors
from security import certificates, keystore
from security.digests import sha256_hex
from security.keys import SigningKey, WitnessKey

_SIGNING = "signing.pem"
_WITNESS = "witness.pem"


@dataclass(frozen=True, slots=True)
class TlsPair:
    """A TLS private key and its certificate chain, both PEM, the key in the clear (memory only)."""

    key_pem: bytes
    certificate_pem: bytes

    @property
    def validity(self) -> tuple[datetime, datetime]:
        """First and last instant of the certificate."""
        return certificates.validity(self.certificate_pem)


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """The keys of one node. `directory` is `state_dir/keys`."""

    directory: Path
    signing: SigningKey
    witness: WitnessKey
    passphrase: bytes | None = None

    @property
    def is_enrolled(self) -> bool:
        """Whether there is a certificate, valid or not."""
        return (self.directory / departure.CERTIFICATE).exists()

    def tls(self) -> TlsPair:
        """The newest certificate and its key.

        Raises `Unavailable` (NOT_ENROLLED), `Denied` (LEFT), `Corrupt`.
        """
        try:
            chain = (self.directory / departure.CERTIFICATE).read_bytes()
        except FileNotFoundError:
            raise self._no_certificate() from None
        try:
            public = x509.load_pem_x509_certificate(chain).public_key()
        except ValueError as error:
            raise Corrupt(
                f"{self.directory / departure.CERTIFICATE} is not a certificate",
                remedy="remove it; the node renews it with its signing key",
                reason="BAD_CERTIFICATE",
            ) from error
        if not isinstance(public, EllipticCurvePublicKey):
            raise Corrupt(f"{self.directory / departure.CERTIFICATE} is for a key of another kind")
        key = keystore.load_tls_key(self.directory / _tls_name(public), self.passphrase)
        return TlsPair(keystore.tls_key_pem(key), chain)

    def _no_certificate(self) -> Unavailable:
        departure.check_not_left(self.directory)
        enrolling = Enrolling.load(self.directory)
        if enrolling is not None and enrolling.state == NOT_SENT:
            return not_sent(enrolling)
        return Unavailable(
            "this node has no certificate yet: its request waits for the hub's operator",
            remedy="read the fingerprint to the operator, then run: syncline-node join FILE --wait",
            reason="NOT_ENROLLED",
        )

    def new_tls_key(self) -> EllipticCurvePrivateKey:
        """A TLS key for which no certificate has come yet; one that waits already is used again."""
        in_use = self._name_in_use()
        for path in sorted(self.directory.glob("tls-*.pem")):
            if path.name != in_use:
                try:
                    return keystore.load_tls_key(path, self.passphrase)
                except Corrupt:
                    path.unlink()
        key = certificates.generate_tls_key()
        keystore.save_tls_key(self.directory / _tls_name(key.public_key()), key, self.passphrase)
        return key

    def _name_in_use(self) -> str | None:
        try:
            public = x509.load_pem_x509_certificate(
                (self.directory / departure.CERTIFICATE).read_bytes()
            ).public_key()
        except (OSError, ValueError):
            return None
        return _tls_name(public) if isinstance(public, EllipticCurvePublicKey) else None

    def tls_key_of(self, csr: bytes) -> EllipticCurvePrivateKey:
        """The TLS key that a certificate request was made with. Raises `Unavailable` (KEY_MISSING)."""
        return keystore.load_tls_key(self.directory / _tls_name(certificates.check_csr(csr)), self.passphrase)

    def accept_certificate(self, chain_pem: bytes, cas: Sequence[bytes], csr: bytes, now: datetime) -> None:
        """Check that `cas` (DER) issued the certificate for the key in `csr`, then use it from now on.

        Older TLS keys are removed afterwards. Raises `Untrusted` (BAD_CERTIFICATE).
        """
        key = self.tls_key_of(csr).public_key()
        certificates.check_issued(chain_pem, list(cas), key, now)
        with system_errors(f"keeping the certificate in {self.directory}"):
            durable.write_file(self.directory / departure.CERTIFICATE, chain_pem, mode=0o600)
        for path in self.directory.glob("tls-*.pem"):
            if path.name != _tls_name(key):
                path.unlink(missing_ok=True)


def load(state_dir: Path, passphrase: bytes | None = None) -> NodeIdentity:
    """The existing keys. Raises `Unavailable` (NOT_ENROLLED) when there are none."""
    directory = state_dir / "keys"
    if not (directory / _SIGNING).exists() or not (directory / _WITNESS).exists():
        raise not_enrolled(state_dir)
    return NodeIdentity(
        directory,
        keystore.load_signing_key(directory / _SIGNING, passphrase),
        keystore.load_witness_key(directory / _WITNESS, passphrase),
        passphrase,
    )


def load_or_create(state_dir: Path, passphrase: bytes | None = None) -> NodeIdentity:
    """The existing keys, or new ones; safe to interrupt and repeat."""
    directory = state_dir / "keys"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    if not (directory / _SIGNING).exists():
        keystore.save_signing_key(directory / _SIGNING, SigningKey.generate(), passphrase)
    if not (directory / _WITNESS).exists():
        keystore.save_witness_key(directory / _WITNESS, WitnessKey.generate(), passphrase)
    return load(state_dir, passphrase)


def not_enrolled(state_dir: Path) -> Unavailable:
    """The error for a node that has not joined."""
    return Unavailable(
        f"this node has not joined a federation yet (no keys in {state_dir / 'keys'})",
        remedy="ask the hub's operator for a join file and run: syncline-node join FILE",
        reason="NOT_ENROLLED",
    )


def not_sent(enrolling: Enrolling) -> Unavailable:
    """The error for a join that could not be told to the hub."""
    return Unavailable(
        f"this node has not joined yet: the request was not sent to {enrolling.file.enrol}",
        remedy="run `syncline-node join FILE` again when the hub can be reached",
        reason="NOT_ENROLLED",
    )


def _tls_name(public: EllipticCurvePublicKey) -> str:
    digest = sha256_hex(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return f"tls-{digest[:16]}.pem"
