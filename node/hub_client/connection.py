"""One node's connections to the hub: who is at the other end, deadlines, errors as our own.

Content travels on a connection of its own, so that a doorbell never waits behind it.

    connection = Connection(address="hub.example.org:7443", roots_pem=…, tls=…, limits=LIMITS)
    answer = connection.call(stub.GetHubInfo, request)
    connection.close()
"""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from core.errors import SynclineError, Unavailable, Untrusted
from core.limits import Limits
from node.hub_client.channel import check_hub, secure_channel
from node.hub_client.progress_guard import ProgressGuard
from node.identity import TlsPair
from security.certificates import identify_node
from sync.wire.errors import translated, translated_stream


class Connection:
    """Two channels, `control` and `content`. Methods may be called from any thread."""

    def __init__(self, *, address: str, roots_pem: bytes, tls: TlsPair, limits: Limits) -> None:
        self._address = address
        self._roots_pem = roots_pem
        self._tls = tls
        self._federation = identify_node(tls.certificate_pem)[0]
        self.limits = limits
        self._checked = False
        self._checking = threading.Lock()
        self.control = secure_channel(address, roots_pem, tls, limits)
        self.content = secure_channel(address, roots_pem, tls, limits)

    def close(self) -> None:
        """Hang up; calls under way end with `Unavailable`."""
        self.control.close()
        self.content.close()

    def call(self, method: Any, message: Any, *, compressed: bool = False) -> Any:
        """One message, one answer. `compressed` is for what repeats itself."""
        self.check()
        options = {"compression": grpc.Compression.Gzip} if compressed else {}
        with self.explained(), translated():
            return self.started(method, message, timeout=self.limits.call_timeout_s, **options)

    def guarded(self, call: Any, guard: ProgressGuard, convert: Any) -> Iterator[Any]:
        """A stream's messages, each of them converted and told to its guard."""
        try:
            for message in translated_stream(call):
                guard.moved()
                yield convert(message)
        except SynclineError:
            guard.check()
            raise

    def check(self) -> None:
        """Once a connection: what gRPC does not look at, TLS 1.3 and the hub's SPIFFE id."""
        if self._checked:
            return
        with self._checking:
            if not self._checked:
                check_hub(
                    self._address, self._roots_pem, self._federation, self.limits.call_timeout_s, self._tls
                )
                self._checked = True

    @contextmanager
    def explained(self) -> Generator[None]:
        """A hub that went away may come back as another one: it is looked at again."""
        try:
            yield
        except SynclineError as error:
            if isinstance(error, Unavailable | Untrusted):
                self._checked = False
            raise

    @staticmethod
    def started(method: Any, argument: Any, **options: Any) -> Any:
        """Begin a call; a channel that another thread has closed in the meantime is `Unavailable`."""
        try:
            return method(argument, **options)
        except ValueError as error:
            if "closed" not in str(error).lower():
                raise
            raise Unavailable(
                "the connection to the hub was closed",
                remedy="it is tried again by itself",
                reason="CANCELLED",
            ) from error
