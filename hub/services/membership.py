"""Who may call now, as of one revision of the database: the newest registry, suspensions, enrolled nodes.

    state = memberships.current()
    state.active("la-dgm"), state.member(caller)

The chain of registry statements is verified once, from the first, and then statement by statement as it
grows.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from core.clock import format_instant
from core.errors import Corrupt, Denied, Untrusted
from core.names import NodeName, PartnerId
from hub.services.context import Caller, Context
from hub.storage import schema
from security.keys import PublicKey
from security.registry import (
    ACTIVE,
    REVOKED,
    SUSPENDED,
    RegistryPartner,
    VerifiedRegistry,
    verify_first,
    verify_next,
)


@dataclass(frozen=True, slots=True)
class Member:
    """An enrolled node: its signing key, and the TLS keys whose certificates have not expired."""

    enrolment: int
    signing_key: PublicKey
    tls_keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Membership:
    """One revision's answer to who may call. `partners`: the registry's. `keys_ever`: every signing key that
    some registry has listed."""

    revision: int
    registry: VerifiedRegistry
    partners: Mapping[PartnerId, RegistryPartner]
    suspended: frozenset[str]
    members: Mapping[tuple[PartnerId, NodeName], Member]
    keys_ever: Mapping[PartnerId, tuple[PublicKey, ...]]

    def standing(self, partner: PartnerId) -> str | None:
        """`active`, `suspended` (by the registry or by this hub), `revoked`; None for a stranger."""
        entry = self.partners.get(partner)
        return None if entry is None else self.standing_of(entry)

    def standing_of(self, entry: RegistryPartner) -> str:
        """The same for a partner's entry in this registry, which need not be looked for."""
        return SUSPENDED if entry.state == ACTIVE and entry.id in self.suspended else entry.state

    def active(self, partner: PartnerId) -> bool:
        """Whether the partner is a member in good standing."""
        return self.standing(partner) == ACTIVE

    def member(self, caller: Caller) -> Member:
        """The caller's enrolment, if it may call.

        Raises `Denied` (reasons NOT_ENROLLED, SUSPENDED, REVOKED, REPLACED).
        """
        standing = self.standing(caller.partner)
        if standing == REVOKED:
            raise Denied(f"{caller.partner} was revoked", remedy="ask the hub's operator", reason="REVOKED")
        if standing not in (ACTIVE, None):
            raise Denied(
                f"{caller.partner} is suspended", remedy="ask the hub's operator", reason="SUSPENDED"
            )
        entry = self.partners.get(caller.partner)
        member = self.members.get((caller.partner, caller.node))
        if entry is None or member is None or entry.node(caller.node) is None:
            raise Denied(
                f"node {caller.node} of {caller.partner} is not enrolled",
                remedy="join with a new join file from the hub's operator",
                reason="NOT_ENROLLED",
            )
        if caller.tls_key_sha256 is not None and caller.tls_key_sha256 not in member.tls_keys:
            raise Denied(
                f"the certificate of node {caller.node} of {caller.partner} was replaced",
                remedy="stop this node, or join again with a new join file",
                reason="REPLACED",
            )
        return member


class Memberships:
    """The newest `Membership`; read again when the revision has moved. Thread-safe."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._clock = context.clock
        self._limits = context.limits
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._state: Membership | None = None
        self._parsed: Mapping[str, PublicKey] = {}  # of the enrolments, by their text

    def current(self, connection: sa.Connection | None = None) -> Membership:
        """As of now; in a write transaction (`connection`), with its own changes."""
        if connection is not None:
            return self._load(connection)
        known = self._state
        if known is not None and known.revision == self._database.revisions()[1]:
            return known
        with self._loading, self._database.read() as own:  # one loads, and who comes meanwhile finds it
            return self._load(own)

    def _load(self, connection: sa.Connection) -> Membership:
        writing = bool(connection.get_execution_options().get("syncline_write"))
        revision: int = connection.execute(sa.select(schema.revision.c.visible)).scalar_one()
        known = self._state
        if known is not None and known.revision == revision and not writing:
            return known
        registry, keys_ever = self._registry(connection, known)
        state = Membership(
            revision,
            registry,
            {each.id: each for each in registry.registry.partners},
            frozenset(connection.execute(sa.select(schema.suspensions.c.partner)).scalars()),
            self._members(connection),
            keys_ever,
        )
        if not writing:
            with self._lock:
                if self._state is None or self._state.revision < revision:
                    self._state = state
        return state

    def _registry(
        self, connection: sa.Connection, state: Membership | None
    ) -> tuple[VerifiedRegistry, Mapping[PartnerId, tuple[PublicKey, ...]]]:
        """The newest registry, and every key that any has listed."""
        table = schema.registry_statements
        known = None if state is None else state.registry
        keys = {} if state is None else dict(state.keys_ever)
        after = 0 if known is None else known.registry.seq
        rows = connection.execute(
            sa.select(table.c.id, table.c.envelope).where(table.c.seq > after).order_by(table.c.seq)
        ).all()
        try:
            for row in rows:
                if known is None:
                    known = verify_first(row.envelope, row.id, self._limits)
                else:
                    known = verify_next(known, row.envelope, self._limits)
                for partner in known.registry.partners:
                    keys[partner.id] = tuple(
                        dict.fromkeys((*keys.get(partner.id, ()), *partner.signing_keys))
                    )
        except Untrusted as error:
            raise Corrupt(
                f"the stored registry does not verify: {error.message}",
                remedy="restore the hub from a backup",
            ) from error
        if known is None:
            raise Corrupt("the hub's database holds no registry", remedy="restore the hub from a backup")
        return known, keys

    def _members(self, connection: sa.Connection) -> dict[tuple[PartnerId, NodeName], Member]:
        enrolments, certificates = schema.enrolments, schema.certificates
        keys: dict[int, set[str]] = {}
        for row in connection.execute(
            sa.select(certificates.c.enrolment, certificates.c.tls_key_sha256).where(
                certificates.c.expires > format_instant(self._clock.now())
            )
        ):
            keys.setdefault(row.enrolment, set()).add(row.tls_key_sha256)
        rows = connection.execute(
            sa.select(
                enrolments.c.number, enrolments.c.partner, enrolments.c.node, enrolments.c.signing_key
            ).where(enrolments.c.state == "approved")
        ).all()
        # A thousand keys take longer to read than all the rest, and hardly ever change.
        known = self._parsed
        parsed = {
            text: known.get(text) or PublicKey.from_json(json.loads(text))
            for text in (row.signing_key for row in rows)
        }
        self._parsed = parsed
        return {
            (row.partner, row.node): Member(
                row.number, parsed[row.signing_key], frozenset(keys.get(row.number, ()))
            )
            for row in rows
        }


__all__ = ["ACTIVE", "REVOKED", "SUSPENDED", "Member", "Membership", "Memberships"]
