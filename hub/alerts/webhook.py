"""Alerts as a signed POST, after https://www.standardwebhooks.com (symmetric scheme, v1).

* `webhook-id` is the letter's id: whoever receives it twice sees that. `webhook-timestamp` is the attempt's.
  `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
* https is verified; nothing follows a redirect, asks a proxy or reads more of an answer than it shows.
* Only 2xx is success.

    channel = WebhookChannel(settings.alerts.webhook, clock=SystemClock(), limits=LIMITS)
    sign(key, "alert.20261122T194500Z.1", 1795376700, body)          # "v1,…"
"""

import base64
import binascii
import hmac
import http.client
import json
import ssl
from hashlib import sha256
from urllib.parse import SplitResult, urlsplit

from core.clock import Clock
from core.errors import InvalidInput
from core.limits import Limits
from hub.alerts.attempt import Attempt, Attempts
from hub.alerts.channel import read_secret, refused, unreachable
from hub.alerts.letter import Letter, payload
from hub.config_operator import WebhookTable

_PREFIX = "whsec_"
_KEY_BYTES_MIN, _KEY_BYTES_MAX = 24, 64  # as the specification says
_ANSWER_BYTES_MAX = 1_024
_SHOWN_LENGTH_MAX = 200
_OK, _REDIRECT, _CLIENT_ERROR = 200, 300, 400


class WebhookChannel:
    """Posts letters to the address of `[alerts.webhook]`. Not for two threads, but for `stop`.

    `tls` is for tests; else the machine's trust store (SSL_CERT_FILE names another).
    """

    name = "webhook"

    def __init__(
        self, settings: WebhookTable, *, clock: Clock, limits: Limits, tls: ssl.SSLContext | None = None
    ) -> None:
        self._url = _checked(settings.url)
        self._key = key_of(read_secret(settings.secret_file, "alerts.webhook: secret_file"))
        self._clock = clock
        self._limits = limits
        self._tls = tls or ssl.create_default_context()
        self._attempts = Attempts()

    def send(self, letter: Letter) -> str:
        """Post it."""
        body = json.dumps(payload(letter), ensure_ascii=False, separators=(",", ":")).encode()
        timestamp = int(self._clock.now().timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": "syncline-hub",
            "webhook-id": letter.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._key, letter.id, timestamp, body),
        }
        try:
            with self._attempts.attempt(self._limits.alert_send_s) as attempt:
                status, said = self._post(body, headers, attempt)
        except ssl.SSLError as error:
            raise unreachable(
                f"{self._url.netloc}: TLS fails: {error.reason or error}",
                "use an address with a certificate that this machine trusts",
            ) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise unreachable(
                f"{self._url.netloc} does not answer: {error or type(error).__name__}",
                "see whether it runs and this machine may reach it",
            ) from error
        if _OK <= status < _REDIRECT:
            return ""
        if status < _CLIENT_ERROR:
            said = "redirects are not followed"
        raise refused(
            f"{self._url.netloc} answers {status}: {said}",
            "correct [alerts.webhook] in hub.toml, or what runs there",
        )

    def stop(self) -> None:
        """End an attempt that is under way, and make none any more."""
        self._attempts.stop()

    def _post(self, body: bytes, headers: dict[str, str], attempt: Attempt) -> tuple[int, str]:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, port)
        else:
            connection = http.client.HTTPConnection(host, port)
        try:
            connection.sock = attempt.connect(host, connection.port)
            if self._url.scheme == "https":
                connection.sock = self._tls.wrap_socket(connection.sock, server_hostname=host)
            target = (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")
            connection.request("POST", target, body, headers)
            answer = connection.getresponse()
            said = answer.read(_ANSWER_BYTES_MAX).decode("utf-8", "replace")
            return answer.status, " ".join(said.split())[:_SHOWN_LENGTH_MAX]
        finally:
            connection.close()


def sign(key: bytes, id_: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`."""
    signed = f"{id_}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, sha256).digest()).decode("ascii")


def key_of(secret: str) -> bytes:
    """The key in `whsec_…`. Raises `InvalidInput`, which does not quote it."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(_PREFIX) or not _KEY_BYTES_MIN <= len(key) <= _KEY_BYTES_MAX:
        raise InvalidInput(
            f"alerts.webhook: secret_file holds no {_PREFIX} of {_KEY_BYTES_MIN}–{_KEY_BYTES_MAX} bytes",
            remedy='make one: printf "whsec_%s\\n" "$(openssl rand -base64 32)", and give it to the receiver',
        )
    return key


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        legal = (
            bool(parts.hostname) and parts.username is None and parts.password is None and not parts.fragment
        )
        _ = parts.port  # raises when it is none
    except ValueError:
        parts, legal = urlsplit(""), False
    if not legal or not url.isascii() or not url.isprintable():
        raise InvalidInput(
            "alerts.webhook: url is not an address to post to",
            remedy="write scheme, host and path, like https://alerts.example.org/syncline; no user, no #",
        )
    return parts
