"""The registry at the hub: its chain, who is active now, and the administrators' acts.

Suspending needs no administrator and takes effect at once; what changes the signed registry is signed where
the administrators' keys are at hand, else it waits as a `PendingAct` for `sign_pending`.

    registry.require_active(caller)                  # on every call, and again on open streams
    registry.revoke(partner, keys)                   # Signed.NOW with keys, Signed.QUEUED without
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from core.clock import format_instant, parse_instant
from core.errors import Conflict, InvalidInput, Unavailable
from core.names import PartnerId
from hub.services import acts
from hub.services.acts import PendingAct
from hub.services.context import Caller, Context
from hub.services.membership import Member, Membership, Memberships
from hub.services.translog import Record, TransparencyLog, told_by
from hub.storage import schema
from security import envelope as dsse
from security.keys import PublicKey, Signer
from security.registry import (
    REVOKED,
    Registry,
    RegistryPartner,
    VerifiedRegistry,
    check_fresh,
    renewal_due,
    sign_registry,
    verify_next,
)
from security.tlog.position import continued
from sync.ports import Accepted

__all__ = ["PartnerStanding", "PendingAct", "RegistryService", "Signed"]

_OPERATOR = "operator"


class Signed(Enum):
    """What became of an act: in the signed registry now, or queued for the administrators."""

    NOW = "signed"
    QUEUED = "queued"


@dataclass(frozen=True, slots=True)
class PartnerStanding:
    """A partner in the registry as the hub sees it. `state` is active, suspended (by hub or registry) or
    revoked."""

    partner: RegistryPartner
    state: str
    last_seen: datetime | None


class RegistryService:
    """The chain of registry statements, and the acts that continue it."""

    def __init__(self, context: Context, translog: TransparencyLog) -> None:
        self._context = context
        self._database = context.database
        self._clock = context.clock
        self._limits = context.limits
        self._translog = translog
        self._memberships = Memberships(context)

    # --- who may call ----------------------------------------------------------------------------

    def current(self) -> VerifiedRegistry:
        """The newest statement."""
        return self._memberships.current().registry

    def membership(self, connection: sa.Connection | None = None) -> Membership:
        """Who may call, as of now."""
        return self._memberships.current(connection)

    def is_active(self, partner: PartnerId, connection: sa.Connection | None = None) -> bool:
        """Whether the partner is a member in good standing."""
        return self._memberships.current(connection).active(partner)

    def require_active(self, caller: Caller, *, fresh: bool = False) -> RegistryPartner:
        """The caller's entry, if it may call now: in the newest registry, active, not suspended, node
        enrolled.

        For every call, and again on open streams every `limits.reauthorise_s`. Raises `Denied` (reasons
        NOT_ENROLLED, SUSPENDED, REVOKED, REPLACED). With `fresh`, also `Unavailable` (REGISTRY_EXPIRED):
        what moves data or statements asks for it, while the registry itself and reports stay open, so that
        members can recover.
        """
        state = self._memberships.current()
        if fresh:
            check_fresh(state.registry.registry, self._clock.now())
        self.member(caller, state)
        return state.partners[caller.partner]

    def member(self, caller: Caller, state: Membership | None = None) -> Member:
        """The caller's enrolment. Raises as `require_active`."""
        return (state or self._memberships.current()).member(caller)

    def signing_key(self, caller: Caller) -> PublicKey:
        """The key that new statements of this node must be signed with."""
        return self.member(caller).signing_key

    def accepted_keys(self, caller: Caller) -> Sequence[PublicKey]:
        """The keys that new statements of this node may be signed with: its own.

        A hub that was restored also takes what the partner's keys since the copy have signed: owners send
        again what was lost. Whether it counts as evidence is told by its place in the log.
        """
        keys = [self.signing_key(caller)]
        logs = self.current().registry.logs
        base = continued(logs, len(logs) - 1)
        if base is None:
            return keys
        table = schema.registry_statements
        at_the_copy = sa.select(sa.func.max(table.c.seq)).where(table.c.leaf < base[1].size).scalar_subquery()
        with self._database.read() as connection:
            for envelope in connection.execute(
                sa.select(table.c.envelope).where(table.c.seq >= at_the_copy)
            ).scalars():
                payload = dsse.parse(envelope, self._limits).payload
                entry = Registry.from_payload(payload, self._limits).partner(caller.partner)
                keys += () if entry is None else entry.signing_keys
        return list(dict.fromkeys(keys))

    def keys_ever(self, partner: PartnerId) -> tuple[PublicKey, ...]:
        """Every signing key that the partner has had: with them what was accepted once verifies for ever."""
        return self._memberships.current().keys_ever.get(partner, ())

    def partners(self) -> list[PartnerStanding]:
        """Every partner in the registry."""
        table = schema.status_reports
        with self._database.read() as connection:
            state = self._memberships.current(connection)
            seen = {
                row.partner: parse_instant(row.time)
                for row in connection.execute(
                    sa.select(table.c.partner, sa.func.max(table.c.time).label("time")).group_by(
                        table.c.partner
                    )
                )
            }
        return [
            PartnerStanding(each, state.standing(each.id) or each.state, seen.get(each.id))
            for each in state.registry.registry.partners
        ]

    # --- the chain -------------------------------------------------------------------------------

    def list_from(self, seq: int, limit: int | None = None) -> list[bytes]:
        """Envelopes from `seq` (≥ 1) in order, at most `limit` (None: page_count_max)."""
        if seq < 1:
            raise InvalidInput("sequence numbers count from 1")
        table = schema.registry_statements
        count = min(limit or self._limits.page_count_max, self._limits.page_count_max)
        with self._database.read() as connection:
            return list(
                connection.execute(
                    sa.select(table.c.envelope).where(table.c.seq >= seq).order_by(table.c.seq).limit(count)
                ).scalars()
            )

    def publish(self, envelope: bytes) -> Accepted:
        """Accept the next statement, signed elsewhere. Idempotent; raises `Untrusted`."""
        table = schema.registry_statements
        with self._database.write() as connection:
            row = connection.execute(
                sa.select(table.c.leaf, table.c.accepted).where(table.c.envelope == envelope)
            ).one_or_none()
            if row is not None:
                return Accepted(row.leaf, parse_instant(row.accepted))
            current = self._memberships.current(connection).registry
            return self.append(connection, verify_next(current, envelope, self._limits))

    def offer(self, caller: Caller, envelopes: Sequence[bytes]) -> int:
        """Take in statements that this hub lacks, from a member that kept them; the number of its newest.

        For a hub that was restored from an older copy: the administrators have signed them, so whose hands
        they come from does not matter. Raises `Untrusted`; what came before the faulty one stays.
        """
        self.require_active(caller)
        if not envelopes:
            raise InvalidInput("an offer names no statement", reason="MALFORMED")
        self.take_in(envelopes)
        return self.current().registry.seq

    def take_in(self, envelopes: Sequence[bytes]) -> int:
        """Append the successors among `envelopes`, in their order; how many were new. Raises `Untrusted`."""
        added = 0
        table = schema.registry_statements
        for envelope in envelopes:
            statement = dsse.parse(envelope, self._limits).id
            with self._database.write() as connection:
                known = connection.execute(
                    sa.select(table.c.seq).where(table.c.id == statement)
                ).scalar_one_or_none()
                if known is None:
                    current = self._memberships.current(connection).registry
                    self.append(connection, verify_next(current, envelope, self._limits))
                    added += 1
        return added

    def append(self, connection: sa.Connection, verified: VerifiedRegistry) -> Accepted:
        """Store a verified statement in the caller's transaction, and settle what waited for it."""
        accepted = Accepted(
            self._translog.append_registry(connection, verified.id), self._clock.now().replace(microsecond=0)
        )
        connection.execute(
            schema.registry_statements.insert().values(
                seq=verified.registry.seq,
                id=verified.id,
                envelope=verified.envelope,
                accepted=format_instant(accepted.accept_time),
                leaf=accepted.leaf_index,
            )
        )
        acts.settle(connection, verified.registry, self._clock)
        return accepted

    def next_registry(self) -> Registry:
        """The unsigned next statement with all pending acts; a renewal when nothing waits."""
        with self._database.read() as connection:
            return self._draft(connection)

    def sign_pending(self, keys: Sequence[Signer]) -> Accepted | None:
        """Sign and publish all pending acts in one statement; None when nothing waits.

        Raises `Unavailable` (reason THRESHOLD) when the keys are not enough administrators'.
        """
        self.check_keys(keys)
        with self._database.write() as connection:
            return self._sign(connection, keys) if acts.waiting(connection) else None

    def renew(self, keys: Sequence[Signer]) -> Accepted:
        """Publish a successor with a new expiry (and whatever is pending)."""
        self.check_keys(keys)
        with self._database.write() as connection:
            return self._sign(connection, keys)

    def sign_with(
        self, connection: sa.Connection, keys: Sequence[Signer], change: Callable[[Registry], Registry]
    ) -> Accepted:
        """In the caller's transaction, a successor with `change` and whatever is pending."""
        return self._sign(connection, keys, change)

    def renewal_due(self) -> bool:
        """The newest statement is older than `limits.registry_renew_after_s`."""
        return renewal_due(self.current().registry, self._clock.now(), self._limits)

    def check_keys(self, keys: Sequence[Signer]) -> None:
        """That `keys` reach the administrators' threshold. Raises `Unavailable` (THRESHOLD)."""
        administrators = self.current().registry.administrators
        known = {key.public for key in keys} & set(administrators.keys)
        if len(known) < administrators.threshold:
            raise Unavailable(
                f"{len(known)} of the administrators' keys are at hand, {administrators.threshold} must sign",
                remedy="give the folder with the administrators' keys: --keys DIR",
                reason="THRESHOLD",
            )

    # --- acts ------------------------------------------------------------------------------------

    def suspend(self, partner: PartnerId, *, by: str | None = None) -> None:
        """Refuse the partner from now on, until `resume`. Raises `InvalidInput` for an unknown partner."""
        with self._database.write() as connection:
            self._check_known(connection, partner)
            self._suspend(connection, partner)
            self._log_act(connection, "suspend", partner, by)

    def resume(self, partner: PartnerId, *, by: str | None = None) -> None:
        """End a suspension. Raises `Conflict` when the partner is revoked."""
        with self._database.write() as connection:
            entry = self._check_known(connection, partner)
            if entry.state == REVOKED or acts.is_waiting(connection, acts.REVOKE, partner):
                raise Conflict(
                    f"{partner} was revoked", remedy="invite it anew under another id", reason="REVOKED"
                )
            table = schema.suspensions
            connection.execute(table.delete().where(table.c.partner == partner))
            self._log_act(connection, "resume", partner, by)

    def revoke(self, partner: PartnerId, keys: Sequence[Signer] = (), *, by: str | None = None) -> Signed:
        """Suspend at once, and strike the partner from the federation in the next registry."""
        if keys:
            self.check_keys(keys)
        with self._database.write() as connection:
            if self._check_known(connection, partner).state == REVOKED:
                return Signed.NOW
            self._suspend(connection, partner)
            acts.queue(connection, acts.REVOKE, partner, None, self._clock)
            self._log_act(connection, "revoke", partner, by)
            if keys:
                self._sign(connection, keys)
        return Signed.NOW if keys else Signed.QUEUED

    def pending(self) -> list[PendingAct]:
        """Acts that wait for signatures, oldest first."""
        with self._database.read() as connection:
            return acts.described(connection)

    def _sign(
        self,
        connection: sa.Connection,
        keys: Sequence[Signer],
        change: Callable[[Registry], Registry] = lambda draft: draft,
    ) -> Accepted:
        draft = change(self._draft(connection))
        administrators = set(draft.administrators.keys)
        signers = list({key.public: key for key in keys if key.public in administrators}.values())
        envelope = sign_registry(draft, signers, self._limits)
        current = self._memberships.current(connection).registry
        return self.append(connection, verify_next(current, envelope, self._limits))

    def _draft(self, connection: sa.Connection) -> Registry:
        current = self._memberships.current(connection).registry
        return acts.drafted(connection, current.successor(self._clock.now(), self._limits))

    def _check_known(self, connection: sa.Connection, partner: PartnerId) -> RegistryPartner:
        entry = self._memberships.current(connection).registry.registry.partner(partner)
        if entry is None:
            raise InvalidInput(f"{partner} is not in the registry", remedy="see `syncline-hub partners`")
        return entry

    def _suspend(self, connection: sa.Connection, partner: PartnerId) -> None:
        connection.execute(
            insert(schema.suspensions)
            .values(partner=partner, since=format_instant(self._clock.now()))
            .on_conflict_do_nothing()
        )

    def _log_act(self, connection: sa.Connection, act: str, partner: PartnerId, by: str | None) -> None:
        detail = {"act": act, **told_by(by)}
        self._translog.append(
            connection, Record(type="act", actor=_OPERATOR, object=partner, owner=partner, detail=detail)
        )
