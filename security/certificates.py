"""Certificates of the transport: who is at the other end of a TLS connection.

One certificate authority a federation (P-256, path length 0). A node's leaf names it by a SPIFFE id, and
by nothing else; whatever a CSR asks for is ignored but its key, whose possession is proven. Leaves live
for `limits.certificate_valid_s` and begin `certificate_backdate_s` early, for clocks that lag.

    spiffe://<federation>/partner/<partner>/node/<node>   a node (client)
    spiffe://<federation>/hub                             the hub (server), beside its host name or address

    ca = create_ca("asean-geo", now)
    csr = make_csr(generate_tls_key())
    pem = issue_node_certificate(ca, csr, spiffe_id("asean-geo", partner, node), now)
    identify_node(pem)                   # ("asean-geo", "la-dgm", "main")
"""

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Never

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from core.names import NodeName, PartnerId, check_node, check_partner
from security.digests import Sha256Hex, sha256_hex

_CA_VALID = timedelta(days=20 * 365)
_CSR_BYTES_MAX = 16 * 1024
_FEDERATION = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*", re.ASCII)
_NODE_URI = re.compile(r"spiffe://([a-z0-9.-]+)/partner/([a-z0-9-]+)/node/([a-z0-9.-]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """The CA's key and certificate."""

    key: EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)


def check_federation(text: str) -> str:
    """A federation's name, which is also its SPIFFE trust domain: `asean-geo`. Raises `InvalidInput`."""
    if len(text) > 63 or not _FEDERATION.fullmatch(text):
        raise InvalidInput(
            f"{text!r} is not a federation's name", remedy="use lower-case letters, digits, hyphens and dots"
        )
    return text


def generate_tls_key() -> EllipticCurvePrivateKey:
    """A new P-256 key."""
    return generate_private_key(SECP256R1())


def make_csr(key: EllipticCurvePrivateKey, common_name: str = "syncline") -> bytes:
    """A certificate signing request (DER) for `key`. Its names are for people; the CA ignores them."""
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(_name(common_name))
        .sign(key, SHA256())
        .public_bytes(Encoding.DER)
    )


def check_csr(csr: bytes) -> EllipticCurvePublicKey:
    """The P-256 key of a CSR (DER) that proves its possession. Raises `Untrusted` (BAD_CSR)."""
    if len(csr) > _CSR_BYTES_MAX:
        _bad_csr("is too long")
    try:
        request = x509.load_der_x509_csr(csr)
        key = request.public_key()
        valid = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature, TypeError):
        _bad_csr("cannot be read")
    if request.public_bytes(Encoding.DER) != csr:
        _bad_csr("has bytes behind it")
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        _bad_csr("is not for a P-256 key")
    if not valid:
        _bad_csr("does not prove possession of its key")
    return key


def create_ca(name: str, now: datetime, limits: Limits = LIMITS) -> CertificateAuthority:
    """A new certificate authority for federation `name`, valid for 20 years."""
    key = generate_tls_key()
    subject = _name(f"{check_federation(name)[:50]} Syncline CA")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_start(now, limits))
        .not_valid_after(_whole(now) + _CA_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    return CertificateAuthority(key, certificate)


def issue_node_certificate(
    ca: CertificateAuthority, csr: bytes, spiffe: str, now: datetime, limits: Limits = LIMITS
) -> bytes:
    """A client certificate (PEM) for the key in `csr`, named `spiffe` alone. Raises `Untrusted` (BAD_CSR)."""
    _, partner, node = parse_spiffe(spiffe)
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(spiffe)]
    builder = _leaf(ca, check_csr(csr), f"{partner} {node}"[:64], names, now, limits)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    return builder.add_extension(usage, critical=False).sign(ca.key, SHA256()).public_bytes(Encoding.PEM)


def issue_server_certificate(
    ca: CertificateAuthority,
    key: EllipticCurvePublicKey,
    addresses: str | list[str],
    federation: str,
    now: datetime,
    limits: Limits = LIMITS,
) -> bytes:
    """The hub's certificate (PEM): its `host:port` or host `addresses`, and its SPIFFE id."""
    given = [addresses] if isinstance(addresses, str) else addresses
    hosts = list(dict.fromkeys(host_of(address) for address in given))
    names: list[x509.GeneralName] = [_general_name(host) for host in hosts]
    names.append(x509.UniformResourceIdentifier(hub_spiffe_id(federation)))
    builder = _leaf(ca, key, hosts[0][:64], names, now, limits)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return builder.add_extension(usage, critical=False).sign(ca.key, SHA256()).public_bytes(Encoding.PEM)


def spiffe_id(federation: str, partner: PartnerId, node: NodeName) -> str:
    """A node's SPIFFE id."""
    return f"spiffe://{check_federation(federation)}/partner/{check_partner(partner)}/node/{check_node(node)}"


def hub_spiffe_id(federation: str) -> str:
    """The hub's SPIFFE id."""
    return f"spiffe://{check_federation(federation)}/hub"


def parse_spiffe(uri: str) -> tuple[str, PartnerId, NodeName]:
    """Federation, partner and node of a node's SPIFFE id. Raises `Untrusted` (BAD_IDENTITY)."""
    match = _NODE_URI.fullmatch(uri)
    if match is None:
        raise _bad_identity(f"{uri[:200]!r} is not a node's SPIFFE id")
    try:
        return check_federation(match[1]), check_partner(match[2]), check_node(match[3])
    except InvalidInput:
        raise _bad_identity(f"{uri[:200]!r} is not a node's SPIFFE id") from None


def spiffe_from_certificate(pem: bytes) -> str:
    """The one URI in a certificate's subject alternative name. Raises `Untrusted` (BAD_IDENTITY)."""
    try:
        names = _load(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        raise _bad_identity("the certificate has no readable subject alternative name") from None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        raise _bad_identity(f"the certificate has {len(uris)} URIs; exactly one is allowed")
    return uris[0]


def identify_node(pem: bytes) -> tuple[str, PartnerId, NodeName]:
    """Federation, partner and node of a node's certificate. Raises `Untrusted` (BAD_IDENTITY)."""
    return parse_spiffe(spiffe_from_certificate(pem))


def validity(pem: bytes) -> tuple[datetime, datetime]:
    """First and last instant of a certificate. Raises `Untrusted`."""
    certificate = _load(pem)
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def renewal_due(pem: bytes, now: datetime) -> bool:
    """Whether half of the certificate's life has passed."""
    begin, end = validity(pem)
    return now >= begin + (end - begin) / 2


def check_issued(pem: bytes, cas: list[bytes], key: EllipticCurvePublicKey, now: datetime) -> None:
    """Demand that one of `cas` (DER) issued the certificate, for `key`, valid at `now`.

    For a node that receives its certificate. Raises `Untrusted` (BAD_CERTIFICATE).
    """
    certificate = _load(pem)
    if certificate.public_key() != key:
        raise Untrusted("the certificate is for another key", reason="BAD_CERTIFICATE")
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise Untrusted(
            "the certificate is not valid at this time",
            remedy="check this machine's clock",
            reason="BAD_CERTIFICATE",
        )
    for der in cas:
        try:
            certificate.verify_directly_issued_by(x509.load_der_x509_certificate(der))
        except (ValueError, TypeError, InvalidSignature):
            continue
        return
    raise Untrusted("no known authority issued the certificate", reason="BAD_CERTIFICATE")


def certificate_sha256(pem_or_der: bytes) -> Sha256Hex:
    """SHA-256 over the DER of a certificate."""
    if pem_or_der.startswith(b"-----BEGIN"):
        return sha256_hex(_load(pem_or_der).public_bytes(Encoding.DER))
    return sha256_hex(pem_or_der)


def der_to_pem(der: bytes) -> bytes:
    """One certificate, DER to PEM. Raises `Untrusted` (BAD_CERTIFICATE)."""
    try:
        return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
    except ValueError:
        raise Untrusted("not a certificate", reason="BAD_CERTIFICATE") from None


def host_of(address: str) -> str:
    """The host in `host:port`, `[v6]:port` or a bare host. Raises `InvalidInput`."""
    match = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::\d{1,5})?|([^:\[\]/\s]+)(?::\d{1,5})?", address)
    if match is None:
        raise InvalidInput(f"{address!r} is not HOST:PORT", remedy="for example hub.example.org:7443")
    return match[1] or match[2]


def _leaf(
    ca: CertificateAuthority,
    key: EllipticCurvePublicKey,
    common_name: str,
    names: list[x509.GeneralName],
    now: datetime,
    limits: Limits,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(ca.certificate.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_start(now, limits))
        .not_valid_after(_whole(now) + timedelta(seconds=limits.certificate_valid_s))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False
        )
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError:
        raise InvalidInput(
            f"{host!r} is not a host name", remedy="write international names in their xn-- form"
        ) from None


def _start(now: datetime, limits: Limits) -> datetime:
    return _whole(now) - timedelta(seconds=limits.certificate_backdate_s)


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _load(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise Untrusted("not a certificate in PEM", reason="BAD_CERTIFICATE") from None


def _bad_csr(why: str) -> Never:
    raise Untrusted(f"the certificate request {why}", reason="BAD_CSR")


def _bad_identity(message: str) -> Untrusted:
    return Untrusted(message, reason="BAD_IDENTITY")
