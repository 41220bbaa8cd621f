"""Certificates name a node by its SPIFFE id and by nothing else; whatever a CSR asks for is ignored."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS
from core.names import NodeName, PartnerId
from security.certificates import (
    certificate_sha256,
    check_csr,
    check_federation,
    check_issued,
    create_ca,
    der_to_pem,
    generate_tls_key,
    host_of,
    identify_node,
    issue_node_certificate,
    issue_server_certificate,
    make_csr,
    parse_spiffe,
    renewal_due,
    spiffe_from_certificate,
    spiffe_id,
    validity,
)
from security.keystore import tls_key_pem

NOW = datetime(2026, 11, 22, 13, 0, 0, 500, tzinfo=UTC)
SPIFFE = "spiffe://asean/partner/la-dgm/node/main"
CA = create_ca("asean", NOW)


def node_pem(csr: bytes | None = None) -> bytes:
    return issue_node_certificate(CA, csr or make_csr(generate_tls_key()), SPIFFE, NOW)


def leaf(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def test_a_node_is_identified_by_its_certificate() -> None:
    assert spiffe_id("asean", PartnerId("la-dgm"), NodeName("main")) == SPIFFE
    assert identify_node(node_pem()) == ("asean", "la-dgm", "main")


def test_a_csr_cannot_ask_for_another_name() -> None:
    """The request's own subject, alternative names and CA flag do not reach the certificate."""
    key = generate_tls_key()
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hub.example.org")]))
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("hub.example.org"),
                    x509.UniformResourceIdentifier("spiffe://asean/partner/cn-cgs/node/main"),
                ]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
        .public_bytes(Encoding.DER)
    )
    issued = leaf(node_pem(greedy))
    names = issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier(SPIFFE)]
    assert not issued.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert "hub.example.org" not in issued.subject.rfc4514_string()


def test_a_csr_proves_possession_of_its_key() -> None:
    csr = make_csr(generate_tls_key())
    check_csr(csr)
    other = bytearray(csr)
    other[-5] ^= 1
    ed = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .sign(ed25519.Ed25519PrivateKey.generate(), None)
        .public_bytes(Encoding.DER)
    )
    large = make_csr(ec.generate_private_key(ec.SECP384R1()))
    for bad in (bytes(other), csr + b"\0", csr[:-1], b"", ed, large, bytes(20_000)):
        with pytest.raises(Untrusted) as caught:
            check_csr(bad)
        assert caught.value.reason == "BAD_CSR"


def test_validity_is_backdated_and_renewed_at_half_life() -> None:
    pem = node_pem()
    begin, end = validity(pem)
    whole = NOW.replace(microsecond=0)
    assert begin == whole - timedelta(seconds=LIMITS.certificate_backdate_s)
    assert end == whole + timedelta(seconds=LIMITS.certificate_valid_s)
    half = begin + (end - begin) / 2
    assert not renewal_due(pem, half - timedelta(seconds=1))
    assert renewal_due(pem, half)


def test_the_authority_signs_leaves_and_nothing_below_them() -> None:
    constraints = CA.certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    usage = CA.certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature


def test_a_node_is_a_client_and_the_hub_is_a_server() -> None:
    """A node's certificate cannot be used to pose as the hub."""
    server = issue_server_certificate(
        CA, generate_tls_key().public_key(), "hub.example.org:7443", "asean", NOW
    )
    for pem, wanted in [
        (node_pem(), ExtendedKeyUsageOID.CLIENT_AUTH),
        (server, ExtendedKeyUsageOID.SERVER_AUTH),
    ]:
        usage = leaf(pem).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usage) == [wanted]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("hub.example.org:7443", x509.DNSName("hub.example.org")),
        ("hub.example.org", x509.DNSName("hub.example.org")),
        ("127.0.0.1:7443", None),
        ("[::1]:7443", None),
    ],
)
def test_the_hubs_certificate_has_its_address(address: str, name: x509.DNSName | None) -> None:
    pem = issue_server_certificate(CA, generate_tls_key().public_key(), address, "asean", NOW)
    names = leaf(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert spiffe_from_certificate(pem) == "spiffe://asean/hub"
    if name is None:
        assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == [host_of(address)]
    else:
        assert name in list(names)
    with pytest.raises(Untrusted):
        identify_node(pem)


def test_an_independent_verifier_accepts_the_hubs_chain() -> None:
    key = generate_tls_key().public_key()
    server = leaf(issue_server_certificate(CA, key, "hub.example.org:7443", "asean", NOW))
    policy = PolicyBuilder().store(Store([CA.certificate])).time(NOW)
    chain = policy.build_server_verifier(x509.DNSName("hub.example.org")).verify(server, [])
    assert chain == [server, CA.certificate]
    with pytest.raises(VerificationError):
        policy.build_server_verifier(x509.DNSName("other.example.org")).verify(server, [])
    with pytest.raises(VerificationError):
        policy.build_server_verifier(x509.DNSName("hub.example.org")).verify(leaf(node_pem()), [])


def test_the_tls_library_takes_key_and_certificate(tmp_path: Path) -> None:
    key = generate_tls_key()
    (tmp_path / "key.pem").write_bytes(tls_key_pem(key))
    (tmp_path / "cert.pem").write_bytes(node_pem(make_csr(key)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    context.load_verify_locations(cadata=CA.pem.decode())


def test_a_node_takes_only_its_own_certificate_from_its_own_authority() -> None:
    key = generate_tls_key()
    pem = issue_node_certificate(CA, make_csr(key), SPIFFE, NOW)
    other = create_ca("asean", NOW)
    check_issued(pem, [other.der, CA.der], key.public_key(), NOW)
    for cas, public, at in [
        ([other.der], key.public_key(), NOW),
        ([], key.public_key(), NOW),
        ([CA.der], generate_tls_key().public_key(), NOW),
        ([CA.der], key.public_key(), NOW - timedelta(hours=2)),
        ([CA.der], key.public_key(), NOW + timedelta(days=15)),
    ]:
        with pytest.raises(Untrusted) as caught:
            check_issued(pem, cas, public, at)
        assert caught.value.reason == "BAD_CERTIFICATE"


def signed_with(names: list[x509.GeneralName]) -> bytes:
    key = generate_tls_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(CA.certificate.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(CA.key, SHA256()).public_bytes(Encoding.PEM)


def test_exactly_one_uri_identifies() -> None:
    uri = x509.UniformResourceIdentifier
    assert identify_node(signed_with([uri(SPIFFE)]))
    for names in (
        [],
        [x509.DNSName("la-dgm")],
        [uri(SPIFFE), uri(SPIFFE)],
        [uri("https://x/partner/la-dgm")],
    ):
        with pytest.raises(Untrusted) as caught:
            identify_node(signed_with(list(names)))
        assert caught.value.reason == "BAD_IDENTITY"
    for junk in (b"", b"-----BEGIN CERTIFICATE-----\n"):
        with pytest.raises(Untrusted):
            identify_node(junk)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "spiffe://asean/hub",
        "SPIFFE://asean/partner/la-dgm/node/main",
        "spiffe://ASEAN/partner/la-dgm/node/main",
        "spiffe://asean/partner/la-dgm/node/main/",
        "spiffe://asean/partner/la-dgm/node/main\n",
        "spiffe://asean/partner/la-dgm/node/",
        "spiffe://asean/partner/la-dgm/node/main/node/other",
        "spiffe://asean/partner/LA-DGM/node/main",
        "spiffe://asean/partner/la%2Ddgm/node/main",
        "spiffe://asean/partner/laos/node/main",
        "spiffe://asean:443/partner/la-dgm/node/main",
        "spiffe://u@asean/partner/la-dgm/node/main",
        "spiffe://asean/partner/la-dgm/node/main?x=1",
        "spiffe://asean/partner/la-dgm/node/main#x",
        "spiffe://asean//partner/la-dgm/node/main",
        "spiffe://asean/partner/../node/main",
        "spiffe://asean/partner/lа-dgm/node/main",
        "spiffe://a..b/partner/la-dgm/node/main",
    ],
)
def test_a_spiffe_id_has_one_spelling(uri: str) -> None:
    with pytest.raises(Untrusted):
        parse_spiffe(uri)


def test_names_and_addresses() -> None:
    for bad in ("", "A", "a b", "-a", "a/b", "x" * 64):
        with pytest.raises(InvalidInput):
            check_federation(bad)
    for bad in ("", "a b:1", "http://x:1", "x:1:2", "[::1", ":7443"):
        with pytest.raises(InvalidInput):
            host_of(bad)
    assert certificate_sha256(CA.pem) == certificate_sha256(CA.der)
    assert der_to_pem(CA.der) == CA.pem
    with pytest.raises(Untrusted):
        der_to_pem(b"junk")


def test_the_longest_names_fit() -> None:
    """X.509 allows 64 characters in a common name; ours may be longer, and are cut there alone."""
    ca = create_ca("a" * 63, NOW)
    partner, node = PartnerId("la-" + "b" * 60), NodeName("c" * 63)
    named = spiffe_id("a" * 63, partner, node)
    pem = issue_node_certificate(ca, make_csr(generate_tls_key()), named, NOW)
    assert identify_node(pem) == ("a" * 63, partner, node)
    host = ".".join(["d" * 60] * 4)
    issue_server_certificate(ca, generate_tls_key().public_key(), f"{host}:1", "a" * 63, NOW)
    with pytest.raises(InvalidInput, match="host name"):
        issue_server_certificate(ca, generate_tls_key().public_key(), "ຫຼວງ.example:1", "asean", NOW)
