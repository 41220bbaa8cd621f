"""`syncline-hub run` as a process: TLS versions, signals, the lock, commands beside it."""

import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

import grpc
import pytest
from blake3 import blake3
from grpc_health.v1 import health_pb2, health_pb2_grpc
from syncline.v1 import content_pb2, content_pb2_grpc, enrolment_pb2, enrolment_pb2_grpc

from core import commands
from hub.cli import app
from hub.layout import Layout
from security.keystore import tls_key_pem
from sync.frames import pack_frame
from sync.ports import StoredChunk
from sync.wire import framecodec, messages
from tests.unit.hub_rpc.conftest import RawNode

pytestmark = pytest.mark.processes
_MAIN = "from hub.cli import main; main()"


@dataclass
class Process:
    """A running hub and its two ports."""

    child: subprocess.Popen[str]
    layout: Layout
    node_port: int
    enrolment_port: int

    def stop(self, number: signal.Signals) -> int:
        self.child.send_signal(number)
        return self.child.wait(20)


def command(layout: Layout, *arguments: str) -> list[str]:
    return [sys.executable, "-c", _MAIN, "--config", str(layout.settings), *arguments]


ANY_LOG_PORT = ("--log-listen", "127.0.0.1:0", "--web-listen", "", "--metrics-listen", "")


def start(layout: Layout) -> Process:
    child = subprocess.Popen(command(layout, "run"), stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    serves = json.loads(child.stderr.readline())
    assert serves["event"] == "the hub serves", serves
    ports = [int(serves[key].rpartition(":")[2]) for key in ("nodes", "enrolment")]
    return Process(child, layout, *ports)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    layout = Layout(tmp_path / "hub")
    init = ["init", str(layout.directory), "--name", "X", "--address", "127.0.0.1:7443", *ANY_LOG_PORT]
    assert commands.run(app, init) == 0
    text = layout.settings.read_text()
    text = text.replace('# listen = "0.0.0.0:7443"', 'listen = "127.0.0.1:0"')
    text = text.replace('# enrol_listen = "0.0.0.0:7444"', 'enrol_listen = "127.0.0.1:0"')
    layout.settings.write_text(text)
    running = start(layout)
    yield running
    if running.child.poll() is None:
        running.child.kill()
    running.child.communicate()


def handshake(port: int, ca: Path, version: ssl.TLSVersion) -> str | None:
    context = ssl.create_default_context(cafile=str(ca))
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        return wrapped.version()


def test_tls_1_2_finds_no_common_cipher_at_either_port(process: Process) -> None:
    for port in (process.node_port, process.enrolment_port):
        assert handshake(port, process.layout.ca_certificate, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
        with pytest.raises((ssl.SSLError, ConnectionError)):
            handshake(port, process.layout.ca_certificate, ssl.TLSVersion.TLSv1_2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_and_lets_go_of_the_directory(
    process: Process, number: signal.Signals
) -> None:
    assert process.stop(number) == 0
    again = start(process.layout)
    assert again.stop(signal.SIGTERM) == 0
    again.child.communicate()


def test_it_refuses_to_run_twice_on_a_directory(process: Process) -> None:
    second = subprocess.run(
        command(process.layout, "run"), capture_output=True, text=True, timeout=30, check=False
    )
    assert second.returncode == 5
    assert "already runs" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_in_use_is_said_in_a_line_with_a_remedy(process: Process, tmp_path: Path) -> None:
    other = Layout(tmp_path / "other")
    taken = f"127.0.0.1:{process.node_port}"
    init = [
        "init",
        str(other.directory),
        "--name",
        "Y",
        "--address",
        taken,
        "--enrol-address",
        "127.0.0.1:7444",
        *ANY_LOG_PORT,
    ]
    assert commands.run(app, init) == 0
    settings = other.settings.read_text().replace('# listen = "0.0.0.0:7443"', f'listen = "{taken}"')
    other.settings.write_text(settings)
    refused = subprocess.run(command(other, "run"), capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 6
    assert f"cannot listen on {taken}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_commands_work_beside_it(process: Process, tmp_path: Path) -> None:
    out = str(tmp_path / "join")
    for arguments in (["invite", "la-dgm", "--name", "x", "--out", out], ["partners"], ["status"], ["fsck"]):
        assert commands.run(app, ["--config", str(process.layout.settings), *arguments]) == 0, arguments
    # Making the index anew is not for beside a running hub.
    rebuild = ["--config", str(process.layout.settings), "fsck", "--rebuild-index"]
    assert commands.run(app, rebuild) == 5


def test_probes_hear_whether_it_serves(process: Process) -> None:
    credentials = grpc.ssl_channel_credentials(process.layout.ca_certificate.read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{process.enrolment_port}", credentials) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_durable_ack_survives_the_death_of_the_process(process: Process, tmp_path: Path) -> None:
    out = tmp_path / "join"
    invite = ["invite", "la-dgm", "--name", "x", "--out", str(out), "--approve-on-join"]
    assert commands.run(app, ["--config", str(process.layout.settings), *invite]) == 0
    ca = process.layout.ca_certificate.read_bytes()

    def channel(port: int, *client: bytes) -> grpc.Channel:
        return grpc.secure_channel(f"127.0.0.1:{port}", grpc.ssl_channel_credentials(ca, *client))

    node = RawNode(None, "la-dgm", "main")  # type: ignore[arg-type]
    with channel(process.enrolment_port) as enrolment:
        stub = enrolment_pb2_grpc.EnrolmentServiceStub(enrolment)
        stub.Join(node.join_request(out.read_bytes()), timeout=10)
        query = enrolment_pb2.GetEnrolmentRequest(join_sha256=bytes.fromhex(node.join_id), token=node.token)
        node.certificate = stub.GetEnrolment(query, timeout=10).certificate_pem
    mine = (tls_key_pem(node.tls_key), node.certificate)
    chunks = [StoredChunk(blake3(bytes([n]) * 999).digest(), 0, 999, bytes([n]) * 999) for n in range(50)]
    sent: Queue[bytes | None] = Queue()
    with channel(process.node_port, *mine) as nodes:
        acknowledgements = nodes.stream_stream(
            "/syncline.v1.ContentService/UpdateBlobs",
            request_serializer=framecodec.encode,
            response_deserializer=content_pb2.UpdateBlobsResponse.FromString,
        )(iter(sent.get, None), timeout=30)
        for chunk in chunks:
            sent.put(pack_frame([chunk]))
        durable = 0
        while durable < 20:
            durable = next(acknowledgements).durable_frames_count
        process.child.kill()
        sent.put(None)
        process.child.wait()
    again = start(process.layout)
    with channel(again.node_port, *mine) as nodes:
        answer = content_pb2_grpc.ContentServiceStub(nodes).FindMissingBlobs(
            messages.find_missing_to_message([chunk.id for chunk in chunks[:durable]]), timeout=10
        )
    assert messages.missing_from_message(answer, durable) == [False] * durable
    assert again.stop(signal.SIGTERM) == 0
    again.child.communicate()
