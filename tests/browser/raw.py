"""Requests that no browser sends, byte by byte.

answer = ask(site, "GET", "/partners/../../etc/passwd", cookie=cookie)
answer.status, answer.body
"""

import contextlib
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.browser.serving import Site

_PATIENCE_S = 60.0
_ANSWER_BYTES_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; status 0: the connection was closed without a word."""

    status: int
    head: str
    body: bytes


def ask(
    site: Site,
    method: str,
    path: str | bytes,
    *,
    cookie: str = "",
    headers: dict[str, str] | None = None,
    body: Iterable[bytes] = (),
) -> Answer:
    """One request as it stands, on a connection of its own. An answer is short and comes to an end."""
    host, port = urlsplit(site.url).hostname or "", urlsplit(site.url).port or 0
    told = {"Host": f"{host}:{port}", "Cookie": cookie, "Connection": "close", **(headers or {})}
    raw = path if isinstance(path, bytes) else path.encode()
    head = b"".join(f"{name}: {value}\r\n".encode() for name, value in told.items() if value)
    received = bytearray()
    with socket.create_connection((host, port), timeout=_PATIENCE_S) as connection:
        # Who is refused is hung up on, maybe before all was sent.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(method.encode() + b" " + raw + b" HTTP/1.1\r\n" + head + b"\r\n")
            for piece in body:
                connection.sendall(piece)
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65_536):
                received += piece
                assert len(received) < _ANSWER_BYTES_MAX, "an answer without end"
    first, _, rest = bytes(received).partition(b"\r\n\r\n")
    status = int(first.split()[1]) if first else 0
    return Answer(status, first.decode("latin-1"), rest)
