"""How a node becomes a member: invitation, proof of possession, the operator's approval, certificates.

A token is 32 random bytes in base64url, shown once in the join file and kept as a SHA-256; it is bound to the
first join statement that it comes with. A pending node may call nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from core.names import NodeName, PartnerId
from hub.services.context import Context
from hub.services.registry import RegistryService, Signed
from security.keys import Signer


class EnrolmentState(Enum):
    """Where a request stands, as its node sees it. The numbers are the wire's."""

    PENDING = 1
    APPROVED = 2
    REJECTED = 3


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One invitation and what became of it.

    `state`: invited, pending (joined, waits for the operator), accepted (approved, waits for the administrators'
    signatures), approved, rejected, replaced, expired. `fingerprint` is None before the node has joined.
    """

    partner: PartnerId
    node: NodeName
    names: Mapping[str, str]
    state: str
    invited: datetime
    expires: datetime
    joined: datetime | None
    fingerprint: str | None
    replace: bool


class EnrolmentService:
    """Invitations, joins, approvals, and certificates."""

    def __init__(self, context: Context, registry: RegistryService) -> None:
        raise NotImplementedError

    def invite(
        self,
        partner: PartnerId,
        names: Mapping[str, str],
        node: NodeName,
        *,
        replace: bool = False,
        approve_on_join: bool = False,
    ) -> bytes:
        """The join file's bytes (docs/formats/join-file.md); an earlier unused invitation of that node lapses.

        Raises `Conflict` when the node is enrolled and `replace` is not set, `Denied` for a revoked partner,
        `InvalidInput` when `approve_on_join` is asked and the administrators' keys are not at hand.
        """
        raise NotImplementedError

    def join(self, envelope: bytes, token: str | bytes, csr_der: bytes) -> EnrolmentState:
        """Take a join statement. Safe to repeat with the same bytes.

        Raises `Denied` (reasons TOKEN_UNKNOWN, TOKEN_EXPIRED, TOKEN_USED), `Untrusted` when a proof or a binding fails.
        """
        raise NotImplementedError

    def get(self, join_sha256: str, token: str | bytes) -> tuple[EnrolmentState, bytes | None]:
        """State and, once approved, the certificate chain (PEM, leaf first). Raises `Denied` (TOKEN_UNKNOWN)."""
        raise NotImplementedError

    def renew(self, envelope: bytes, csr_der: bytes) -> bytes:
        """A new certificate chain (PEM) for an enrolled node, proven by its signing key; also after expiry."""
        raise NotImplementedError

    def approve(
        self, partner: PartnerId, fingerprint: str, keys: Sequence[Signer] = (), *, node: NodeName | None = None
    ) -> Signed:
        """The operator has read the fingerprint back (groups, spaces, dashes and case do not matter).

        Raises `InvalidInput` when nothing waits for this partner, `Untrusted` (FINGERPRINT) when it differs.
        """
        raise NotImplementedError

    def reject(self, partner: PartnerId, *, node: NodeName | None = None) -> int:
        """Refuse waiting requests and withdraw unused invitations of the partner; how many."""
        raise NotImplementedError

    def list(self) -> list[Enrolment]:
        """Every enrolment, oldest first."""
        raise NotImplementedError
