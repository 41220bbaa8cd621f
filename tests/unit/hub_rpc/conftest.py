"""A hub as it really runs, over TLS on loopback, and raw clients that can misbehave."""

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from syncline.v1 import enrolment_pb2, enrolment_pb2_grpc

from core.clock import SystemClock
from core.limits import Limits
from core.names import NodeName, PartnerId
from hub.config import HubSettings, HubTable, ServerTable, TransparencyTable
from hub.layout import Layout
from hub.server import Started, serve
from hub.services.context import Federation
from hub.services.hub import Hub
from security.certificates import certificate_sha256, generate_tls_key, make_csr
from security.join import JoinStatement, build_join
from security.keys import SigningKey, WitnessKey
from security.keystore import load_tls_key, tls_key_pem

LIMITS = Limits(reauthorise_s=0.2)
FEDERATION = Federation("test-geo", "127.0.0.1:7443", "127.0.0.1:7444")


@dataclass
class RawNode:
    """Keys of one node, and its channel."""

    running: "RunningHub"
    partner: str
    node: str
    signing_key: SigningKey = field(default_factory=SigningKey.generate)
    witness_key: WitnessKey = field(default_factory=WitnessKey.generate)
    tls_key: Any = field(default_factory=generate_tls_key)
    certificate: bytes = b""

    def join_request(self, join_file: bytes) -> enrolment_pb2.JoinRequest:
        told = json.loads(join_file)
        csr = make_csr(self.tls_key)
        statement = JoinStatement(
            federation=told["federation"],
            partner=PartnerId(self.partner),
            node=NodeName(self.node),
            hub=told["hub"],
            enrol=told["enrol"],
            ca_sha256=certificate_sha256(told["ca"].encode()),
            registry_sha256=told["registry_sha256"],
            token_sha256=hashlib.sha256(told["token"].encode()).hexdigest(),
            csr_sha256=hashlib.sha256(csr).hexdigest(),
            signing_key=self.signing_key.public,
            witness_key=self.witness_key.public,
        )
        envelope = build_join(statement, self.signing_key, self.witness_key)
        self.join_id = hashlib.sha256(statement.to_payload()).hexdigest()
        self.token = told["token"].encode()
        return enrolment_pb2.JoinRequest(envelope=envelope, token=self.token, csr_der=csr)

    def fetch_certificate(self) -> enrolment_pb2.GetEnrolmentResponse:
        with self.running.enrolment_channel() as channel:
            answer = enrolment_pb2_grpc.EnrolmentServiceStub(channel).GetEnrolment(
                enrolment_pb2.GetEnrolmentRequest(join_sha256=bytes.fromhex(self.join_id), token=self.token),
                timeout=10,
            )
        self.certificate = answer.certificate_pem
        return answer

    def channel(self) -> grpc.Channel:
        return self.running.channel(tls_key_pem(self.tls_key), self.certificate)


class RunningHub:
    """`hub.server.serve` in a thread of its own."""

    def __init__(self, directory: Path, limits: Limits = LIMITS) -> None:
        self.layout = Layout(directory)
        self.limits = limits
        self.administrator = SigningKey.generate()
        self.settings = HubSettings(
            hub=HubTable(
                name="Test",
                federation=FEDERATION.id,
                directory=str(directory),
                address=FEDERATION.address,
                enrol_address=FEDERATION.enrol_address,
                listen="127.0.0.1:0",
                enrol_listen="127.0.0.1:0",
            ),
            server=ServerTable(threads=4, stop_grace_s=25),
            transparency=TransparencyTable(listen="127.0.0.1:0"),
        )
        Hub.found(
            self.layout, FEDERATION, administrators=[self.administrator], clock=SystemClock(), limits=limits
        )
        self.ca = self.layout.ca_certificate.read_bytes()

    def start(self) -> None:
        started = threading.Event()
        self.failure: BaseException | None = None

        def tell(ports: Started) -> None:
            self.ports = ports
            started.set()

        async def main() -> None:
            self.loop, self.stop_event = asyncio.get_running_loop(), asyncio.Event()
            await serve(
                self.settings,
                lambda: [self.administrator],
                SystemClock(),
                limits=self.limits,
                stop=self.stop_event,
                on_started=tell,
            )

        def run() -> None:
            try:
                asyncio.run(main())
            except BaseException as error:
                self.failure = error
            finally:
                started.set()

        self.thread = threading.Thread(target=run)
        self.thread.start()
        assert started.wait(30)
        if self.failure is not None:
            self.thread.join()
            raise self.failure

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.stop_event.set)
        self.thread.join(30)
        assert not self.thread.is_alive()
        assert self.failure is None, self.failure

    def beside(self) -> Hub:
        """The same hub, opened by another process as it were: what the operator's commands do."""
        return Hub.open(
            self.layout,
            clock=SystemClock(),
            limits=self.limits,
            administrator_keys=lambda: [self.administrator],
        )

    def channel(self, key: bytes | None, certificate: bytes | None, ca: bytes | None = None) -> grpc.Channel:
        credentials = grpc.ssl_channel_credentials(ca or self.ca, key, certificate)
        return grpc.secure_channel(f"127.0.0.1:{self.ports.node_port}", credentials)

    def enrolment_channel(self) -> grpc.Channel:
        credentials = grpc.ssl_channel_credentials(self.ca)
        return grpc.secure_channel(f"127.0.0.1:{self.ports.enrolment_port}", credentials)

    def enrol(self, partner: str, node: str = "main", *, replace: bool = False) -> RawNode:
        """A member, by the whole way: invited, joined over the wire, approved, certificate fetched."""
        member = RawNode(self, partner, node)
        with self.beside() as hub:
            join_file = hub.enrolment.invite(
                PartnerId(partner), {"en": partner}, NodeName(node), replace=replace, approve_on_join=True
            )
        with self.enrolment_channel() as channel:
            answer = enrolment_pb2_grpc.EnrolmentServiceStub(channel).Join(
                member.join_request(join_file), timeout=10
            )
        assert answer.state == enrolment_pb2.ENROLMENT_STATE_APPROVED
        member.fetch_certificate()
        return member

    def authority(self) -> Any:
        from cryptography import x509

        from security.certificates import CertificateAuthority

        return CertificateAuthority(load_tls_key(self.layout.ca_key), x509.load_pem_x509_certificate(self.ca))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningHub]:
    hub = RunningHub(tmp_path / "hub")
    hub.start()
    yield hub
    hub.stop()
