"""Who may come in at each port.

Node port: the certificate's partner and node, looked up in the registry on every call. Enrolment port:
anybody who speaks TLS 1.3; what they may do there is decided by tokens and signatures.
"""

from core.clock import Clock
from core.errors import Untrusted
from hub.rpc.identity import AuthContext, check_tls, peer_of
from hub.services.context import Caller
from hub.services.hub import Hub


class NodeGate:
    """Enrolled nodes of active partners."""

    def __init__(self, hub: Hub, clock: Clock) -> None:
        self._hub = hub
        self._clock = clock

    def admit(self, context: AuthContext) -> Caller:
        peer = peer_of(context)
        if peer.federation != self._hub.federation.id:
            raise Untrusted("the certificate is of another federation", reason="WRONG_FEDERATION")
        if self._clock.now() >= peer.not_after:
            raise Untrusted(
                "the certificate of this connection has expired",
                remedy="renew it and connect again",
                reason="CERTIFICATE_EXPIRED",
            )
        caller = Caller(peer.partner, peer.node, tls_key_sha256=peer.key_sha256)
        self._hub.registry.require_active(caller)
        return caller


class StrangerGate:
    """Anybody, for enrolment."""

    def admit(self, context: AuthContext) -> None:
        check_tls(context)
