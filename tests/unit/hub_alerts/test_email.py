"""Alerts over a real SMTP server: encrypted, verified, in any script, and the same letter when sent again."""

import contextlib
import email
import email.policy
import socket
import threading
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from core.errors import InvalidInput, Unavailable
from core.limits import LIMITS, Limits
from hub.alerts.attempt import STOPPED
from hub.alerts.channel import REFUSED, UNREACHABLE
from hub.alerts.email import EmailChannel
from hub.alerts.letter import Letter, LetterItem
from hub.config_operator import EmailTable
from tests.unit.hub_alerts.tls import contexts
from tests.unit.hub_alerts.views import NOW

TITLE = "ແຜນທີ່ທໍລະນີສາດ · 地质图 · แผนที่"


class Mailbox:
    """What a mail server was given. `answer` is said to RCPT and DATA instead of taking it."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.encrypted: list[bool] = []
        self.greeted: list[str] = []
        self.refuse: dict[str, str] = {}

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        if "DATA" in self.refuse:
            return self.refuse["DATA"]
        self.raw.append(envelope.original_content)
        self.mails.append(email.message_from_bytes(envelope.original_content, policy=email.policy.SMTP))  # type: ignore[arg-type]
        self.encrypted.append(session.ssl is not None)
        self.greeted.append(session.host_name)
        return "250 taken"


Serve = Callable[..., tuple[Mailbox, int]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[Controller] = []

    def start(mailbox: Mailbox | None = None, **options: Any) -> tuple[Mailbox, int]:
        mailbox = mailbox or Mailbox()
        controller = Controller(mailbox, hostname="127.0.0.1", port=0, **options)

        def knock() -> None:
            # Port 0 is the system's choice; the controller would knock at the number that it was given.
            socket.create_connection(controller.server.sockets[0].getsockname()[:2]).close()  # type: ignore[union-attr]

        controller._trigger_server = knock  # type: ignore[method-assign]
        controller.start()
        running.append(controller)
        return mailbox, controller.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    yield start
    for controller in running:
        controller.stop()


def letter(text: str = "la-dgm (node main) has not reported for 2 hours", **changes: Any) -> Letter:
    item = LetterItem(
        word="new",
        key="silent:la-dgm/main",
        severity="error",
        text=text,
        remedy="ask la-dgm",
        partner="la-dgm",
        node="main",
        dataset=None,
        since=NOW,
        last_seen=NOW,
        link="https://hub.example.org/partners/la-dgm",
    )
    values: dict[str, Any] = {
        "id": "alert.20261122T120000Z.7",
        "kind": "alert",
        "rule": "silent",
        "severity": "error",
        "time": NOW,
        "hub": "Mekong Geoscience",
        "federation": "mekong-geo",
        "link": "https://hub.example.org",
        "items": (item,),
        "counts": {"new": 1},
    }
    return Letter(**{**values, **changes})


def settings(port: int, security: str = "starttls", **changes: Any) -> EmailTable:
    values: dict[str, Any] = {
        "server": f"127.0.0.1:{port}",
        "sender": "syncline@hub.example.org",
        "to": ["operator@example.org", "deputy@example.org"],
        "security": security,
    }
    given = {name: str(value) if name == "password_file" else value for name, value in changes.items()}
    return EmailTable(**{**values, **given})


def channel(
    port: int, security: str = "starttls", tls: Any = None, limits: Limits = LIMITS, **changes: Any
) -> EmailChannel:
    return EmailChannel(settings(port, security, **changes), host="hub.example.org", limits=limits, tls=tls)


def failure(given: EmailChannel) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        given.send(letter())
    return caught.value


def password_file(tmp_path: Path, text: str = "secret\n", mode: int = 0o600) -> Path:
    path = tmp_path / "password"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_over_starttls_with_a_verified_certificate_and_a_login(serve: Serve, tmp_path: Path) -> None:
    server, client = contexts(tmp_path)
    logins: list[tuple[bytes, bytes]] = []

    def authenticate(
        _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: LoginPassword
    ) -> AuthResult:
        logins.append((given.login, given.password))
        return AuthResult(success=given.password == b"secret")

    mailbox, port = serve(
        tls_context=server, require_starttls=True, auth_required=True, authenticator=authenticate
    )
    secret = password_file(tmp_path)
    assert channel(port, tls=client, user="syncline", password_file=secret).send(letter(TITLE)) == ""
    [mail] = mailbox.mails
    assert mailbox.encrypted == [True]
    assert logins == [(b"syncline", b"secret")]
    assert mailbox.greeted == ["hub.example.org"]
    assert mail["To"] == "operator@example.org, deputy@example.org"
    assert mail["Subject"] == f"[Mekong Geoscience] silent: {TITLE}"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == "<alert.20261122T120000Z.7@hub.example.org>"
    assert mail["Date"].datetime == NOW
    body = mail.get_content()
    assert TITLE in body
    assert "→ ask la-dgm" in body
    assert "https://hub.example.org/partners/la-dgm" in body
    assert mailbox.raw[0].isascii()
    assert max(len(line) for line in mailbox.raw[0].splitlines()) <= 78


def test_a_wrong_password_is_refused_with_a_remedy(serve: Serve, tmp_path: Path) -> None:
    server, client = contexts(tmp_path)
    _, port = serve(
        tls_context=server,
        auth_required=True,
        authenticator=lambda *_: AuthResult(success=False, handled=False),
    )
    error = failure(
        channel(port, tls=client, user="syncline", password_file=password_file(tmp_path, "wrong"))
    )
    assert error.reason == REFUSED
    assert "wrong" not in str(error)


def test_over_tls_from_the_first_byte(serve: Serve, tmp_path: Path) -> None:
    server, client = contexts(tmp_path)
    mailbox, port = serve(ssl_context=server)
    channel(port, "tls", tls=client).send(letter())
    assert len(mailbox.mails) == 1  # the port speaks nothing but TLS


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_here_trusts_gets_nothing(
    serve: Serve, tmp_path: Path, security: str
) -> None:
    server, _ = contexts(tmp_path)
    options = {"ssl_context": server} if security == "tls" else {"tls_context": server}
    mailbox, port = serve(**options)
    error = failure(channel(port, security))
    assert error.reason == UNREACHABLE
    assert "certificate" in error.message.lower()
    assert mailbox.mails == []


def test_a_certificate_for_another_name_gets_nothing(serve: Serve, tmp_path: Path) -> None:
    server, client = contexts(tmp_path, "mail.example.org")
    mailbox, port = serve(tls_context=server)
    assert failure(channel(port, tls=client)).reason == UNREACHABLE
    assert mailbox.mails == []


def test_a_server_without_starttls_is_sent_nothing_in_the_clear(serve: Serve) -> None:
    """Whoever sits between takes the offer out of the greeting."""
    mailbox, port = serve()
    assert "nothing was sent in the clear" in failure(channel(port)).remedy
    assert mailbox.mails == []


def test_plainly_where_it_is_asked_for(serve: Serve) -> None:
    mailbox, port = serve()
    channel(port, "none").send(letter())
    assert mailbox.encrypted == [False]


def test_the_second_attempt_is_the_same_letter(serve: Serve) -> None:
    mailbox, port = serve()
    sending = channel(port, "none")
    sending.send(letter())
    sending.send(letter())
    first, second = mailbox.raw
    assert first == second


def test_a_node_cannot_write_headers(serve: Serve) -> None:
    mailbox, port = serve()
    channel(port, "none").send(letter("x\r\nBcc: all@example.org\r\n\r\nfree money \u202e\x1b[2J"))
    [mail] = mailbox.mails
    assert mail["Bcc"] is None
    assert "\x1b" not in mail.get_content()
    assert "\u202e" not in mail.get_content()


def test_who_is_not_taken_is_named(serve: Serve) -> None:
    mailbox, port = serve()
    mailbox.refuse["deputy@example.org"] = "550 no such user"
    assert channel(port, "none").send(letter()) == "deputy@example.org: no such user"
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("where", ["everybody", "DATA"])
def test_a_refusal_is_said_with_the_servers_words(serve: Serve, where: str) -> None:
    mailbox, port = serve()
    names = ["operator@example.org", "deputy@example.org"] if where == "everybody" else ["DATA"]
    mailbox.refuse |= dict.fromkeys(names, "554 we do not like you")
    error = failure(channel(port, "none"))
    assert error.reason == REFUSED
    assert "554 we do not like you" in error.message


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert failure(channel(taken.getsockname()[1])).reason == UNREACHABLE


class Silent:
    """Accepts connections, and drips bytes of no line for ever, or until it is hung up on."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.came = threading.Event()
        self.hung_up = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            self.came.set()
            connection.sendall(b"2")
            with contextlib.suppress(ConnectionResetError):  # as good as the b"" of who is hung up on
                connection.recv(1)
            self.hung_up.set()

    def close(self) -> None:
        self._socket.close()
        self._thread.join(20)


def test_a_server_that_never_finishes_a_line_is_hung_up_on() -> None:
    server = Silent()
    error = failure(channel(server.port, "none", limits=Limits(alert_send_s=0.05)))
    assert error.reason == UNREACHABLE
    assert server.hung_up.wait(20)
    server.close()


def test_a_hub_that_stops_waits_for_no_mail_server() -> None:
    server = Silent()
    sending = channel(server.port, "none")
    stopper = threading.Thread(target=lambda: (server.came.wait(20), sending.stop()))
    stopper.start()
    assert failure(sending).reason == STOPPED
    stopper.join(20)
    server.close()
    assert failure(sending).message == "the hub is stopping"


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (None, 0o600, "cannot be read"),
        ("secret", 0o604, "everybody on this machine may read"),
        ("", 0o600, "one line"),
        ("two\nlines", 0o600, "one line"),
    ],
)
def test_a_password_that_cannot_be_used_is_said_at_the_start(
    tmp_path: Path, text: str | None, mode: int, said: str
) -> None:
    path = tmp_path / "none" if text is None else password_file(tmp_path, text, mode)
    with pytest.raises(InvalidInput, match=said) as caught:
        channel(25, user="syncline", password_file=path)
    assert "secret" not in caught.value.message
    assert caught.value.remedy


def test_a_password_never_goes_in_the_clear(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="unencrypted"):
        EmailChannel(
            settings(
                25, "none", server="mail.example.org:25", user="x", password_file=password_file(tmp_path)
            ),
            host="hub.example.org",
            limits=LIMITS,
        )
    with pytest.raises(InvalidInput, match="without password_file"):
        channel(25, user="x")
