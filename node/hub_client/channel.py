"""Channels to the hub: TLS by the federation's own CA, keepalive, and who is really at the other end.

Rules: no root of the system is believed, only the federation's; the name in the hub's certificate is the host
of the address; where it can be looked at (`check_hub`), the certificate is also the hub's by its SPIFFE id
and the protocol is TLS 1.3, which gRPC itself cannot be asked for.

    channel = secure_channel("hub.example.org:7443", roots_pem, tls)
    check_hub("hub.example.org:7443", roots_pem, federation="mekong", timeout_s=10)
"""

import os
import socket
import ssl
from typing import Any

import grpc

from core.errors import InvalidInput, Unavailable, Untrusted
from core.limits import LIMITS, Limits
from node.identity import TlsPair
from security.certificates import host_of, hub_spiffe_id

_RECONNECT_FIRST_MS = 500
_RECONNECT_MAX_MS = 10_000


def secure_channel(
    address: str, roots_pem: bytes, tls: TlsPair | None, limits: Limits = LIMITS
) -> grpc.Channel:
    """A channel with a connection of its own; `tls` None gives one without a client certificate."""
    credentials = grpc.ssl_channel_credentials(
        root_certificates=roots_pem,
        private_key=tls.key_pem if tls is not None else None,
        certificate_chain=tls.certificate_pem if tls is not None else None,
    )
    keepalive_ms = int(limits.keepalive_s * 1000)
    call_bytes_max = 2 * limits.message_bytes_max  # as at the hub: a recipe's root, or one large registry
    options = [
        ("grpc.max_send_message_length", call_bytes_max),
        ("grpc.max_receive_message_length", call_bytes_max),
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", keepalive_ms),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", _RECONNECT_FIRST_MS),
        ("grpc.max_reconnect_backoff_ms", _RECONNECT_MAX_MS),
        ("grpc.enable_retries", 0),
        # Two channels to one address would otherwise share a connection, and a full one holds up the other.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
    ]
    return grpc.secure_channel(address, credentials, options=options)


def check_hub(
    address: str, roots_pem: bytes, federation: str | None, timeout_s: float, tls: TlsPair | None = None
) -> None:
    """Look at the certificate that `address` shows, before anything secret is said.

    With `tls` the node shows its own too, so that the hub's log has no failed handshake for every connection.

    Raises:
        Untrusted: its CA, host name or SPIFFE id is not the hub's (reason WRONG_HUB), or TLS is below 1.3.
        Unavailable: nobody answers there (reason UNREACHABLE).
        InvalidInput: the address cannot be one.
    """
    host, port = _split(address)
    context = ssl.create_default_context(cadata=roots_pem.decode("ascii"))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2"])
    if tls is not None:
        _load_pair(context, tls)
    try:
        with (
            socket.create_connection((host, port), timeout=timeout_s) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            certificate = connection.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise _wrong_hub(address, error.verify_message) from error
    except ssl.SSLError as error:
        raise _wrong_hub(address, f"no TLS 1.3 ({error.reason or error})") from error
    except OSError as error:
        raise Unavailable(
            f"nobody answers at {address} ({error.strerror or error})",
            remedy="check that the hub runs and that no firewall is between; then try again",
            reason="UNREACHABLE",
        ) from error
    names: Any = certificate.get("subjectAltName", ())
    if federation is not None and ("URI", hub_spiffe_id(federation)) not in names:
        raise _wrong_hub(address, f"its certificate is not that of the hub of {federation}")


def _load_pair(context: ssl.SSLContext, tls: TlsPair) -> None:
    """The pair from memory: the ssl module reads files alone, and the key must not reach a disk."""
    descriptor = os.memfd_create("syncline-tls", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(tls.key_pem + tls.certificate_pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _split(address: str) -> tuple[str, int]:
    host = host_of(address)
    port = address.rpartition(":")[2]
    if not port.isascii() or not port.isdigit():
        raise InvalidInput(f"{address!r} has no port", remedy="write HOST:PORT, hub.example.org:7443")
    return host, int(port)


def _wrong_hub(address: str, why: str) -> Untrusted:
    if "expired" in why or "not yet valid" in why:  # most often a clock, and no impostor
        return Untrusted(
            f"the certificate of {address} is out of its time: {why}",
            remedy="look at this machine's clock (timedatectl); if it is right, tell the hub's operator",
            reason="WRONG_TIME",
        )
    return Untrusted(
        f"who answers at {address} is not the hub that this node was invited to: {why}",
        remedy="nothing secret was sent; ask the hub's operator, by telephone, whether the address is right",
        reason="WRONG_HUB",
    )
