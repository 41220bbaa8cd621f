"""Alerts as a signed POST, checked as a receiver checks it, against real HTTP servers."""

import base64
import hashlib
import hmac
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from core.errors import InvalidInput, Unavailable
from core.limits import LIMITS, Limits
from hub.alerts.channel import REFUSED, UNREACHABLE
from hub.alerts.webhook import WebhookChannel, key_of, sign
from hub.config_operator import WebhookTable
from tests.simulation.clock import ManualClock
from tests.unit.hub_alerts.test_email import TITLE, Silent, letter
from tests.unit.hub_alerts.tls import contexts

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver:
    """Answers what it is told to, and remembers what it was sent."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.status, self.body, self.headers = 204, b"", {}
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.received.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(ConnectionError):  # a client that reads only the beginning hangs up
                    self.wfile.write(receiver.body)

            do_GET = do_POST

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(20)
        self._server.server_close()


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    made: list[Receiver] = []

    def start(**options: Any) -> Receiver:
        made.append(Receiver(**options))
        return made[-1]

    yield start
    for receiver in made:
        receiver.close()


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return path


def channel(
    url: str, secret: Path, clock: Any = None, limits: Limits = LIMITS, tls: Any = None
) -> WebhookChannel:
    return WebhookChannel(
        WebhookTable(url=url, secret_file=str(secret)), clock=clock or ManualClock(), limits=limits, tls=tls
    )


def failure(given: WebhookChannel) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        given.send(letter())
    return caught.value


def test_the_published_vector() -> None:
    """https://github.com/standard-webhooks/standard-webhooks, and its reference libraries' tests."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_can_verify_it_by_hand(receive: Callable[..., Receiver], secret: Path) -> None:
    receiver, clock = receive(), ManualClock()
    channel(f"http://127.0.0.1:{receiver.port}/hooks/syncline?team=geo", secret, clock).send(letter(TITLE))
    [(path, headers, body)] = receiver.received
    assert path == "/hooks/syncline?team=geo"
    assert headers["content-type"] == "application/json"
    assert headers["webhook-id"] == "alert.20261122T120000Z.7"
    assert headers["webhook-timestamp"] == str(int(clock.now().timestamp()))
    signed = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"." + body
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in KEY.ljust(64, b"\0")) + signed).digest()
    outer = hashlib.sha256(bytes(b ^ 0x5C for b in KEY.ljust(64, b"\0")) + inner).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(outer).decode()
    assert outer == hmac.digest(KEY, signed, "sha256")
    said = json.loads(body)
    assert said["type"] == "alert.told"
    assert said["timestamp"] == "2026-11-22T12:00:00Z"
    assert said["data"]["items"][0]["text"] == TITLE
    assert said["data"]["subject"].endswith(TITLE)


def test_the_second_attempt_has_the_same_id_and_a_signature_of_its_own(
    receive: Callable[..., Receiver], secret: Path
) -> None:
    receiver, clock = receive(), ManualClock()
    sending = channel(f"http://127.0.0.1:{receiver.port}/", secret, clock)
    sending.send(letter())
    clock.advance(60)
    sending.send(letter())
    (_, first, body), (_, second, again) = receiver.received
    assert body == again
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]


def test_https_is_verified(receive: Callable[..., Receiver], secret: Path, tmp_path: Path) -> None:
    server, client = contexts(tmp_path)
    receiver = receive(tls=server)
    url = f"https://127.0.0.1:{receiver.port}/"
    channel(url, secret, tls=client).send(letter())
    assert len(receiver.received) == 1
    error = failure(channel(url, secret))
    assert error.reason == UNREACHABLE
    assert "certificate" in error.message.lower()
    assert len(receiver.received) == 1


def test_a_redirect_is_not_followed(receive: Callable[..., Receiver], secret: Path) -> None:
    elsewhere, receiver = receive(), receive()
    receiver.status, receiver.headers = 307, {"location": f"http://127.0.0.1:{elsewhere.port}/"}
    error = failure(channel(f"http://127.0.0.1:{receiver.port}/", secret))
    assert error.reason == REFUSED
    assert "redirects are not followed" in error.message
    assert elsewhere.received == []


@pytest.mark.parametrize("status", [400, 401, 404, 410, 429, 500, 503])
def test_only_success_is_success(receive: Callable[..., Receiver], secret: Path, status: int) -> None:
    receiver = receive()
    receiver.status, receiver.body = status, b"no,\r\n\x1b[31m because"
    error = failure(channel(f"http://127.0.0.1:{receiver.port}/", secret))
    assert error.reason == REFUSED
    assert str(status) in error.message
    assert "\n" not in error.message


def test_an_endless_answer_is_not_read(receive: Callable[..., Receiver], secret: Path) -> None:
    receiver = receive()
    receiver.status, receiver.body = 500, b"x" * 5_000_000
    assert len(failure(channel(f"http://127.0.0.1:{receiver.port}/", secret)).message) < 400


def test_no_proxy_of_the_environment_sees_it(
    receive: Callable[..., Receiver], secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, receiver = receive(), receive()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    channel(f"http://127.0.0.1:{receiver.port}/", secret).send(letter())
    assert proxy.received == []


def test_a_server_that_drips_is_hung_up_on(secret: Path) -> None:
    server = Silent()
    sending = channel(f"http://127.0.0.1:{server.port}/", secret, limits=Limits(alert_send_s=0.05))
    assert failure(sending).reason == UNREACHABLE
    server.close()


def test_nobody_listens(secret: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert failure(channel(f"http://127.0.0.1:{taken.getsockname()[1]}/", secret)).reason == UNREACHABLE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hunter2",
        "whsec_",
        "whsec_!!!!",
        "whsec_" + "QUFB" * 4,
        base64.b64encode(KEY).decode(),
        "whsec_" + "QUFB" * 30,
    ],
)
def test_a_secret_that_is_none_is_said_at_the_start(secret: Path, text: str) -> None:
    secret.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        channel("https://alerts.example.org/", secret)
    assert caught.value.remedy
    assert "QUFB" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pw@example.org/",
        "https:///x",
        "https://example.org:99999/",
        "https://exämple.org/",
        "https://e.org/#x",
    ],
)
def test_an_address_that_is_none_is_said_at_the_start(secret: Path, url: str) -> None:
    with pytest.raises(InvalidInput, match="not an address to post to"):
        channel(url, secret)
