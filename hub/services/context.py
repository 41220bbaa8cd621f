"""What all services share: who calls, where things stand, and the clock.

A `Caller` is made by the wire from a verified certificate, and by nobody else.

    caller = Caller(PartnerId("la-dgm"), NodeName("main"), tls_key_sha256="…")
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.clock import Clock
from core.limits import Limits
from core.names import NodeName, PartnerId
from hub.layout import Layout
from hub.services.keyed_locks import SharedLocks

if TYPE_CHECKING:
    from hub.storage.database import Database
    from hub.storage.stores import OwnerStores
    from security.certificates import CertificateAuthority
    from security.keys import Signer

#: Gives the administrators' keys if they are at hand now; an empty sequence where they are elsewhere.
AdministratorKeys = Callable[[], "Sequence[Signer]"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: read from the client's certificate, never from a message.

    `tls_key_sha256` is the hex SHA-256 of the certificate's SubjectPublicKeyInfo. The wire always gives it,
    so that a node that was replaced is refused although its old certificate still runs; None (in-process
    use) skips that check.
    """

    partner: PartnerId
    node: NodeName
    tls_key_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Federation:
    """The federation's id and where nodes find the hub: `host:port` of both TLS ports."""

    id: str
    address: str
    enrol_address: str


@dataclass(frozen=True, slots=True)
class Quotas:
    """How many uncompressed bytes the hub keeps for an owner; None is as many as the disk takes."""

    default_bytes: int | None = None
    partners: Mapping[str, int] = field(default_factory=dict[str, int])

    def of(self, partner: PartnerId) -> int | None:
        """The quota of `partner`."""
        return self.partners.get(partner, self.default_bytes)


@dataclass(frozen=True, slots=True)
class Context:
    """What the composition root hands to every service."""

    layout: Layout
    federation: Federation
    database: "Database"
    stores: "OwnerStores"
    authority: "CertificateAuthority | None"
    administrator_keys: AdministratorKeys
    clock: Clock
    limits: Limits
    quotas: Quotas = Quotas()
    #: By owner: shared by whoever counts on chunks that no version names yet, had alone by who removes some.
    counting_on: SharedLocks = field(default_factory=SharedLocks)
