"""TLS for the two ports, renewed while they serve.

Every new connection asks `ServerIdentity` for the certificate, so a renewed file is used at once and a
broken one is noticed: gRPC itself would silently go on with the old certificate until it expires, so a
failure is logged each time, with its remedy, and shown by `problem`.

    identity = ServerIdentity(layout)
    server.add_secure_port(address, identity.node_port())
"""

import threading
from pathlib import Path
from typing import NamedTuple

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from core.errors import Corrupt, Unavailable
from core.logs import get_logger
from hub.layout import Layout

_log = get_logger("hub.rpc.credentials")


class _Files(NamedTuple):
    key: bytes
    chain: bytes
    ca: bytes


class ServerIdentity:
    """The hub's own certificate and key, read again when the files change."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._problem = ""
        self._current = self._read()
        self._stamp = self._stamps()

    @property
    def problem(self) -> str:
        """Why the newest files are not used; empty when they are."""
        return self._problem

    def node_port(self) -> grpc.ServerCredentials:
        """TLS that demands a client certificate of the hub's CA."""
        return self._credentials(with_clients=True)

    def enrolment_port(self) -> grpc.ServerCredentials:
        """TLS without a client certificate."""
        return self._credentials(with_clients=False)

    def _credentials(self, *, with_clients: bool) -> grpc.ServerCredentials:
        given = self._current

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            nonlocal given
            self.refresh()
            if given is self._current:
                return None  # gRPC goes on with what it has
            given = self._current
            return _configuration(given, with_clients=with_clients)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(given, with_clients=with_clients),
            fetch,  # type: ignore[arg-type]  # gRPC documents None for "as before"; its types do not
            require_client_authentication=with_clients,
        )

    def refresh(self) -> None:
        """Look at the files again; never raises."""
        with self._lock:
            try:
                stamps = self._stamps()
                if stamps == self._stamp:
                    return
                self._current = self._read()
                self._stamp, self._problem = stamps, ""
            except Exception as error:  # noqa: BLE001 - gRPC would swallow it and say nothing
                self._problem = str(error)
                _log.error(
                    "the hub's certificate cannot be loaded; serving the old one",
                    problem=str(error),
                    remedy=f"restore {self._layout.server_certificate} and its key from a backup",
                )

    def _stamps(self) -> tuple[int, ...]:
        paths = (self._layout.server_key, self._layout.server_certificate, self._layout.ca_certificate)
        return tuple(stamp for path in paths for stamp in _stamp(path))

    def _read(self) -> _Files:
        key = self._layout.server_key.read_bytes()
        chain = self._layout.server_certificate.read_bytes()
        ca = self._layout.ca_certificate.read_bytes()
        try:
            x509.load_pem_x509_certificates(ca)
            public = x509.load_pem_x509_certificates(chain)[0].public_key()
            own = load_pem_private_key(key, None).public_key()
        except (ValueError, TypeError) as error:
            raise Corrupt(f"the hub's TLS files do not parse: {error}") from error
        if public != own:
            raise Unavailable("the hub's certificate and its key do not match")
        return _Files(key, chain, ca)


def _configuration(files: _Files, *, with_clients: bool) -> grpc.ServerCertificateConfiguration:
    pair = (files.key, files.chain)
    return grpc.ssl_server_certificate_configuration([pair], files.ca if with_clients else None)


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size
