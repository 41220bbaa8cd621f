"""The node's own keys and certificate, in `state_dir/keys/` (folder 0700, files 0600).

    signing.ed25519.pem, signing.ml-dsa-65.pem …   what the keystore makes of the signing pair
    witness.pem                                     cosigns the hub's log
    tls-<id16>.key                                  a TLS key, named by its public half's digest
    tls.crt                                         the certificate chain, PEM, leaf first

Rules: keys are made once and never leave the node; the certificate is replaced by one rename and
finds its key by the digest of its public half, so a crash between a renewal's steps leaves a pair that
fits. Loading tells nobody anything: a missing certificate is `Unavailable` (reason NOT_ENROLLED).

    identity = identity.load_or_create(state_dir, passphrase=None)
    identity.signing.sign(b"...")
    channel_credentials(identity.tls())
"""

from dataclasses import dataclass
from pathlib import Path

from core.errors import Unavailable
from security.keys import SigningKey, WitnessKey


@dataclass(frozen=True, slots=True)
class TlsPair:
    """A TLS private key and its certificate chain, both PEM, the key in the clear (memory only)."""

    key_pem: bytes
    certificate_pem: bytes


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """The keys of one node. `directory` is `state_dir/keys`."""

    directory: Path
    signing: SigningKey
    witness: WitnessKey
    passphrase: bytes | None = None

    def tls(self) -> TlsPair:
        """The newest certificate and its key. Raises `Unavailable` (reason NOT_ENROLLED) before approval."""
        raise NotImplementedError


def load(state_dir: Path, passphrase: bytes | None = None) -> NodeIdentity:
    """The existing keys. Raises `Unavailable` (reason NOT_ENROLLED) when there are none."""
    raise NotImplementedError


def load_or_create(state_dir: Path, passphrase: bytes | None = None) -> NodeIdentity:
    """The existing keys, or new ones; safe to interrupt and repeat."""
    raise NotImplementedError


def not_enrolled(state_dir: Path) -> Unavailable:
    """The error for a node that has not joined."""
    return Unavailable(
        f"this node has not joined a federation yet (no keys in {state_dir / 'keys'})",
        remedy="ask the hub's operator for a join file and run: syncline-node join FILE",
        reason="NOT_ENROLLED",
    )
