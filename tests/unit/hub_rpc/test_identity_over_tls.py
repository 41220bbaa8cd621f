"""Only an enrolled node's own certificate over TLS 1.3 opens the node port; nothing in a message does."""

import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from syncline.v1 import enrolment_pb2, enrolment_pb2_grpc, hub_pb2, hub_pb2_grpc

from core.errors import Untrusted
from core.names import PartnerId
from hub.rpc.identity import check_tls
from hub.signing_duties import issue_certificate
from security.certificates import create_ca, generate_tls_key, issue_node_certificate, make_csr
from security.keystore import tls_key_pem


def reach(channel: grpc.Channel) -> Any:
    with channel:
        return hub_pb2_grpc.HubServiceStub(channel).GetHubInfo(hub_pb2.GetHubInfoRequest(), timeout=10)


def refused(channel: grpc.Channel) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        reach(channel)
    return caught.value


def certificate_with(running: Any, names: list[x509.GeneralName], key: Any, days: float = 1) -> bytes:
    authority = running.authority()
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority.key, SHA256())
        .public_bytes(Encoding.PEM)
    )


def test_an_enrolled_node_is_answered(running: Any) -> None:
    info = reach(running.enrol("la-dgm").channel())
    assert info.federation == "test-geo"
    assert info.registry_seq == 2


def test_no_certificate_is_refused(running: Any) -> None:
    assert refused(running.channel(None, None)).code() is grpc.StatusCode.UNAVAILABLE


def test_a_certificate_of_another_authority_is_refused(running: Any) -> None:
    other = create_ca("test-geo", datetime.now(UTC))
    key = generate_tls_key()
    uri = "spiffe://test-geo/partner/la-dgm/node/main"
    forged = issue_node_certificate(other, make_csr(key), uri, datetime.now(UTC))
    assert refused(running.channel(tls_key_pem(key), forged)).code() is grpc.StatusCode.UNAVAILABLE


def test_a_hub_that_is_not_the_one_of_the_join_file_is_refused_by_the_client(running: Any) -> None:
    member = running.enrol("la-dgm")
    other = create_ca("test-geo", datetime.now(UTC)).pem
    error = refused(running.channel(tls_key_pem(member.tls_key), member.certificate, ca=other))
    assert error.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    "names",
    [
        ["spiffe://test-geo/partner/la-dgm/node/main", "spiffe://test-geo/partner/th-dmr/node/main"],
        [],
        ["spiffe://test-geo/hub"],
        ["https://test-geo/partner/la-dgm/node/main"],
    ],
    ids=["two", "none", "the hub's", "another scheme"],
)
def test_a_certificate_without_exactly_one_node_uri_is_refused(running: Any, names: list[str]) -> None:
    key = generate_tls_key()
    general = [x509.UniformResourceIdentifier(name) for name in names] or [x509.DNSName("la-dgm")]
    error = refused(running.channel(tls_key_pem(key), certificate_with(running, general, key)))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_a_dns_name_that_looks_like_a_spiffe_id_is_no_identity(running: Any) -> None:
    # gRPC mixes URI and DNS names in peer_identities; only the URI counts.
    running.enrol("la-dgm")
    key = generate_tls_key()
    names = [x509.DNSName("spiffe://test-geo/partner/la-dgm/node/main")]
    error = refused(running.channel(tls_key_pem(key), certificate_with(running, names, key)))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_another_federations_name_is_refused(running: Any) -> None:
    key = generate_tls_key()
    names = [x509.UniformResourceIdentifier("spiffe://other-geo/partner/la-dgm/node/main")]
    error = refused(running.channel(tls_key_pem(key), certificate_with(running, names, key)))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_a_node_that_was_never_enrolled_is_refused_whatever_its_certificate_says(running: Any) -> None:
    key = generate_tls_key()
    names = [x509.UniformResourceIdentifier("spiffe://test-geo/partner/la-dgm/node/main")]
    error = refused(running.channel(tls_key_pem(key), certificate_with(running, names, key)))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


def test_another_key_under_an_enrolled_name_is_refused(running: Any) -> None:
    running.enrol("la-dgm")
    key = generate_tls_key()
    names = [x509.UniformResourceIdentifier("spiffe://test-geo/partner/la-dgm/node/main")]
    error = refused(running.channel(tls_key_pem(key), certificate_with(running, names, key)))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


def test_the_old_certificate_of_a_replaced_node_is_refused(running: Any) -> None:
    old = running.enrol("la-dgm")
    new = running.enrol("la-dgm", replace=True)
    assert refused(old.channel()).code() is grpc.StatusCode.PERMISSION_DENIED
    assert reach(new.channel()).federation == "test-geo"


def test_a_suspended_partner_is_refused_at_once_also_on_an_open_connection(running: Any) -> None:
    member = running.enrol("la-dgm")
    with member.channel() as channel:
        stub = hub_pb2_grpc.HubServiceStub(channel)
        stub.GetHubInfo(hub_pb2.GetHubInfoRequest(), timeout=10)
        with running.beside() as hub:  # as another process does
            hub.registry.suspend(PartnerId("la-dgm"))
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetHubInfo(hub_pb2.GetHubInfoRequest(), timeout=10)
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        with running.beside() as hub:
            hub.registry.resume(PartnerId("la-dgm"))
        stub.GetHubInfo(hub_pb2.GetHubInfoRequest(), timeout=10)


def test_a_pending_node_has_no_certificate_and_may_only_ask_where_it_stands(running: Any) -> None:
    with running.beside() as hub:
        join_file = hub.enrolment.invite(PartnerId("la-dgm"), {"en": "x"}, "main")
    from tests.unit.hub_rpc.conftest import RawNode

    member = RawNode(running, "la-dgm", "main")
    with running.enrolment_channel() as channel:
        stub = enrolment_pb2_grpc.EnrolmentServiceStub(channel)
        request = member.join_request(join_file)
        for _ in range(2):  # repeating the same bytes is safe
            assert stub.Join(request, timeout=10).state == enrolment_pb2.ENROLMENT_STATE_PENDING
    assert member.fetch_certificate().certificate_pem == b""


def test_a_stolen_token_with_other_keys_is_refused(running: Any) -> None:
    from tests.unit.hub_rpc.conftest import RawNode

    with running.beside() as hub:
        join_file = hub.enrolment.invite(PartnerId("la-dgm"), {"en": "x"}, "main")
    with running.enrolment_channel() as channel:
        stub = enrolment_pb2_grpc.EnrolmentServiceStub(channel)
        stub.Join(RawNode(running, "la-dgm", "main").join_request(join_file), timeout=10)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Join(RawNode(running, "la-dgm", "main").join_request(join_file), timeout=10)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert "hub's operator" in str(caught.value.trailing_metadata())


def test_the_enrolment_port_answers_nothing_of_the_node_port(running: Any) -> None:
    member = running.enrol("la-dgm")
    credentials = grpc.ssl_channel_credentials(running.ca, tls_key_pem(member.tls_key), member.certificate)
    channel = grpc.secure_channel(f"127.0.0.1:{running.ports.enrolment_port}", credentials)
    assert refused(channel).code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.1", ""])
def test_a_call_over_less_than_tls_1_3_is_refused(version: str) -> None:
    with pytest.raises(Untrusted, match=r"TLS 1\.3 only"):
        check_tls({"ssl_tls_version": [version.encode()]})
    with pytest.raises(Untrusted):
        check_tls({"transport_security_type": [b"ssl"]})


def test_a_renewed_server_certificate_serves_the_next_connection(running: Any) -> None:
    def serial() -> int:
        address = ("127.0.0.1", running.ports.enrolment_port)
        pem = ssl.get_server_certificate(address)
        return x509.load_pem_x509_certificate(pem.encode()).serial_number

    first = serial()
    assert serial() == first
    issue_certificate(running.layout, running.settings, datetime.now(UTC), running.limits)
    assert serial() != first
