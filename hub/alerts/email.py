"""Alerts by e-mail (SMTP, RFC 5321).

* With `starttls` and `tls` the server's certificate is verified; a server that does not offer STARTTLS is
  never sent anything in the clear. A password goes unencrypted to this machine alone.
* Text in UTF-8, any script in the subject; marked as made by a machine (RFC 3834), so that nobody's
  out-of-office answers.
* The Message-ID is the letter's: when an answer got lost, the second attempt is seen to be the same letter.

    channel = EmailChannel(settings.alerts.email, host="hub.example.org", limits=LIMITS)
    channel.send(letter)
"""

import ipaddress
import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from core.errors import InvalidInput
from core.limits import Limits
from hub.addresses import split_address
from hub.alerts.attempt import Attempt, Attempts
from hub.alerts.channel import read_secret, refused, unreachable
from hub.alerts.letter import Letter, subject, text
from hub.config_operator import EmailTable

_READY = 220
_STEP_S = 10.0  # one answer of the server
_PROBLEM_LENGTH_MAX = 300


class EmailChannel:
    """Sends letters through the mail server of `[alerts.email]`. Not for two threads, but for `stop`.

    `tls` is for tests; else the machine's trust store (SSL_CERT_FILE names another).
    """

    name = "email"

    def __init__(
        self, settings: EmailTable, *, host: str, limits: Limits, tls: ssl.SSLContext | None = None
    ) -> None:
        self._settings = settings
        self._server, self._port = split_address(settings.server)
        self._greeting = _literal(host)
        self._limits = limits
        self._tls = tls or ssl.create_default_context()
        self._attempts = Attempts()
        self._password = _password(settings, self._server)

    def send(self, letter: Letter) -> str:
        """Hand it to the mail server; names those whom the server did not take it for."""
        try:
            with self._attempts.attempt(self._limits.alert_send_s) as attempt:
                return self._deliver(self._message(letter), attempt)
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            raise refused(
                f"{self._settings.server} refuses the mail: {_said(error)}",
                "correct [alerts.email] in hub.toml, or ask who runs the mail server",
            ) from error
        except ssl.SSLError as error:
            raise unreachable(
                f"{self._settings.server}: TLS fails: {_cut(str(error.reason or error))}",
                "use a server with a certificate that this machine trusts, or correct `security`",
            ) from error
        except smtplib.SMTPNotSupportedError as error:
            raise unreachable(
                f"{self._settings.server} cannot do what is needed: {_cut(str(error))}",
                "correct `security` and `user` of [alerts.email]; nothing was sent in the clear",
            ) from error
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise unreachable(
                f"{self._settings.server} does not answer as a mail server: {_cut(str(error))}",
                "see whether it runs and this machine may reach it",
            ) from error

    def stop(self) -> None:
        """End an attempt that is under way, and make none any more."""
        self._attempts.stop()

    def _deliver(self, message: EmailMessage, attempt: Attempt) -> str:
        settings = self._settings
        with _Client(attempt, self._tls if settings.security == "tls" else None) as client:
            client.open(self._server, self._port, self._greeting)
            if settings.security == "starttls":
                client.starttls(context=self._tls)
            if settings.user:
                client.login(settings.user, self._password)
            not_taken = client.send_message(message, settings.sender, settings.to)
        return "; ".join(
            f"{who}: {_cut(answer[1].decode('utf-8', 'replace'))}" for who, answer in not_taken.items()
        )

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage(SMTP)
        message["From"] = self._settings.sender
        message["To"] = ", ".join(self._settings.to)
        message["Subject"] = subject(letter)
        message["Date"] = format_datetime(letter.time)
        message["Message-ID"] = f"<{letter.id}@{self._settings.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Auto-Response-Suppress"] = "All"
        if letter.severity == "error":
            message["Importance"] = "high"
        message.set_content(text(letter), charset="utf-8", cte="quoted-printable")
        return message


class _Client(smtplib.SMTP):
    """Connects by way of an attempt, which ends in time, the greeting and TLS included."""

    def __init__(self, attempt: Attempt, tls: ssl.SSLContext | None) -> None:
        super().__init__(timeout=_STEP_S)
        self._attempt = attempt
        self._tls = tls

    def open(self, host: str, port: int, greeting: str) -> None:
        self.local_hostname = greeting
        self._host = host  # what STARTTLS checks the certificate against
        code, said = self.connect(host, port)
        if code != _READY:
            raise smtplib.SMTPException(f"greets with {code} {_text(said)}")

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        made = self._attempt.connect(host, port)
        made.settimeout(timeout)
        return made if self._tls is None else self._tls.wrap_socket(made, server_hostname=host)


def _password(settings: EmailTable, server: str) -> str:
    if not settings.user:
        return ""
    if settings.password_file is None:
        raise InvalidInput(
            "alerts.email: user without password_file", remedy="name the file with the password, or no user"
        )
    if settings.security == "none" and not _is_here(server):
        raise InvalidInput(
            'alerts.email: with security = "none" the password would travel unencrypted',
            remedy='use "starttls" or "tls", or no user',
        )
    return read_secret(settings.password_file, "alerts.email: password_file")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _literal(host: str) -> str:
    """How a client names itself: a domain, or an address in brackets (RFC 5321, 4.1.3)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"


def _said(error: smtplib.SMTPResponseException | smtplib.SMTPRecipientsRefused) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = ((who, *answer) for who, answer in error.recipients.items())
        return _cut("; ".join(f"{who}: {code} {_text(said)}" for who, code, said in answers))
    return _cut(f"{error.smtp_code} {_text(error.smtp_error)}")


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


def _cut(said: str) -> str:
    return " ".join(said.split())[:_PROBLEM_LENGTH_MAX]
