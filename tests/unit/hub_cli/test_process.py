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

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from core import commands
from hub.cli import app
from hub.layout import Layout

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


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    layout = Layout(tmp_path / "hub")
    init = ["init", str(layout.directory), "--name", "X", "--address", "127.0.0.1:7443"]
    assert commands.run(app, init) == 0
    text = layout.settings.read_text()
    text = text.replace('# listen = "0.0.0.0:7443"', 'listen = "127.0.0.1:0"')
    text = text.replace('# enrol_listen = "0.0.0.0:7444"', 'enrol_listen = "127.0.0.1:0"')
    layout.settings.write_text(text)
    child = subprocess.Popen(command(layout, "run"), stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    serves = json.loads(child.stderr.readline())
    assert serves["event"] == "the hub serves", serves
    ports = [int(serves[key].rpartition(":")[2]) for key in ("nodes", "enrolment")]
    yield Process(child, layout, *ports)
    if child.poll() is None:
        child.kill()
    child.communicate()


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
    again = subprocess.Popen(command(process.layout, "run"), stderr=subprocess.PIPE, text=True)
    assert again.stderr is not None
    assert json.loads(again.stderr.readline())["event"] == "the hub serves"
    again.send_signal(signal.SIGTERM)
    assert again.wait(20) == 0
    again.communicate()


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
