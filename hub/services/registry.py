"""The registry at the hub: its chain, who is active now, and the administrators' acts.

Suspending needs no administrator and takes effect at once; what changes the signed registry is signed where the
administrators' keys are at hand, else it waits as a `PendingAct` for `sign_pending`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from core.names import PartnerId
from hub.services.context import Caller, Context
from security.keys import Signer
from security.registry import Registry, RegistryPartner, VerifiedRegistry
from sync.ports import Accepted


@dataclass(frozen=True, slots=True)
class PendingAct:
    """An act that waits for the administrators' signatures. `kind`: enrol, revoke, renew; `text` says it in words."""

    number: int
    kind: str
    partner: PartnerId | None
    created: datetime
    text: str


class Signed(Enum):
    """What became of an act: in the signed registry now, or queued for the administrators."""

    NOW = "signed"
    QUEUED = "queued"


@dataclass(frozen=True, slots=True)
class PartnerStanding:
    """A partner in the registry as the hub sees it. `state` is active, suspended (by the hub or the registry) or revoked."""

    partner: RegistryPartner
    state: str
    last_seen: datetime | None


class RegistryService:
    """The chain of registry statements, and the acts that continue it."""

    def __init__(self, context: Context) -> None:
        raise NotImplementedError

    def current(self) -> VerifiedRegistry:
        """The newest statement."""
        raise NotImplementedError

    def list_from(self, seq: int, limit: int | None = None) -> list[bytes]:
        """Envelopes from `seq` (≥ 1) in order, at most `limit` (None: page_count_max)."""
        raise NotImplementedError

    def require_active(self, caller: Caller) -> RegistryPartner:
        """The caller's entry, if it may call now: in the newest registry, active, not suspended, node enrolled.

        For every call, and again on open streams every `limits.reauthorise_s`. Raises `Denied` (reasons NOT_ENROLLED,
        SUSPENDED, REVOKED, REPLACED), `Unavailable` (REGISTRY_EXPIRED).
        """
        raise NotImplementedError

    def partners(self) -> list[PartnerStanding]:
        """Every partner in the registry."""
        raise NotImplementedError

    def publish(self, envelope: bytes) -> Accepted:
        """Accept the next statement, signed elsewhere. Idempotent; raises `Untrusted`."""
        raise NotImplementedError

    def suspend(self, partner: PartnerId) -> None:
        """Refuse the partner from now on, until `resume`. Raises `InvalidInput` for an unknown partner."""
        raise NotImplementedError

    def resume(self, partner: PartnerId) -> None:
        """End a suspension. Raises `Conflict` when the partner is revoked."""
        raise NotImplementedError

    def revoke(self, partner: PartnerId, keys: Sequence[Signer] = ()) -> Signed:
        """Suspend at once, and strike the partner from the federation in the next registry."""
        raise NotImplementedError

    def pending(self) -> list[PendingAct]:
        """Acts that wait for signatures, oldest first."""
        raise NotImplementedError

    def next_registry(self) -> Registry | None:
        """The unsigned next statement with all pending acts; None when nothing waits."""
        raise NotImplementedError

    def sign_pending(self, keys: Sequence[Signer]) -> Accepted | None:
        """Sign and publish all pending acts in one statement; None when nothing waits.

        Raises `Unavailable` (reason THRESHOLD) when the keys are too few, `Untrusted` when they are not administrators'.
        """
        raise NotImplementedError

    def renew(self, keys: Sequence[Signer]) -> Accepted:
        """Publish a successor with a new expiry (and whatever is pending)."""
        raise NotImplementedError

    def renewal_due(self) -> bool:
        """The newest statement is older than `limits.registry_renew_after_s`."""
        raise NotImplementedError
