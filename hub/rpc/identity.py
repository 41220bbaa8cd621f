"""Who calls: one SPIFFE URI of a verified certificate over TLS 1.3, and nothing else.

gRPC has checked the certificate's chain and dates; here stands what it does not do. It accepts TLS 1.2, so
the connection's version is looked at. It mixes URI and DNS names in its `peer_identities`, so the
certificate itself is read: exactly one URI name, a node's (`security.certificates`). A name in a message
is never believed.

    peer = peer_of(context.auth_context())       # Peer(federation, partner, node, …), or Untrusted
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from core.errors import Untrusted
from core.names import NodeName, PartnerId
from security.certificates import identify_node
from security.digests import sha256_hex

_TLS_VERSION = b"TLSv1.3"
_PEERS_CACHED_MAX = 4096

AuthContext = Mapping[str, Sequence[bytes]]
"""What gRPC knows about a connection: property names to values."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The certificate's word, not yet looked up in the registry; `key_sha256` is of its public key (SPKI).

    gRPC looks at the dates when a connection begins; it may outlive `not_after`.
    """

    federation: str
    partner: PartnerId
    node: NodeName
    key_sha256: str
    not_after: datetime


def check_tls(context: AuthContext) -> None:
    """Refuse a connection below TLS 1.3. Raises `Untrusted`."""
    if list(context.get("ssl_tls_version", ())) != [_TLS_VERSION]:
        raise Untrusted("this hub speaks TLS 1.3 only", remedy="update the node", reason="TLS_VERSION")


def peer_of(context: AuthContext) -> Peer:
    """The caller of a connection. Raises `Untrusted` when it shows no usable certificate."""
    check_tls(context)
    certificates = list(context.get("x509_pem_cert", ()))
    if len(certificates) != 1:
        raise Untrusted("the connection shows no client certificate", reason="NO_CERTIFICATE")
    return _read(bytes(certificates[0]))


def partner_of(context: AuthContext) -> PartnerId | None:
    """The partner that the certificate names, if it shows one: for counting, not for letting in."""
    try:
        return peer_of(context).partner
    except Untrusted:
        return None


@lru_cache(maxsize=_PEERS_CACHED_MAX)
def _read(pem: bytes) -> Peer:
    federation, partner, node = identify_node(pem)
    certificate = x509.load_pem_x509_certificate(pem)
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Peer(federation, partner, node, sha256_hex(spki), certificate.not_valid_after_utc)
