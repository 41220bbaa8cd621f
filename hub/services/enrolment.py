"""How a node becomes a member: invitation, proof of possession, the operator's approval, certificates.

A token is 32 random bytes in base64url, shown once in the join file and kept as a SHA-256; it is bound to
the first join statement that comes with it. A pending node may call nothing else.

    file = enrolment.invite(partner, {"en": "…"}, node)          # the operator hands it over
    enrolment.join(envelope, token, csr_der)                     # the node
    enrolment.approve(partner, fingerprint, keys)                # the operator
    state, chain = enrolment.get(join_sha256, token)             # the node
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from core.errors import Denied, InvalidInput, Unavailable, Untrusted
from core.names import NodeName, PartnerId
from hub.services import acts
from hub.services.certificates import NodeCertificates
from hub.services.context import Context
from hub.services.invitations import EXPIRED, INVITED, JOINED, WITHDRAWN, Invitations
from hub.services.registry import RegistryService, Signed
from hub.services.translog import Record, TransparencyLog, told_by
from hub.storage import schema
from security.certificates import (
    certificate_sha256,
)
from security.digests import sha256_hex
from security.fields import encode_base64
from security.join import (
    JoinStatement,
    VerifiedJoin,
    format_fingerprint,
    same_fingerprint,
    verify_join,
)
from security.keys import Signer
from security.registry import REVOKED

ACCEPTED = "accepted"
APPROVED = "approved"
REJECTED = "rejected"
REPLACED = "replaced"
_OPEN = (INVITED, JOINED, ACCEPTED)


class EnrolmentState(Enum):
    """Where a request stands, as its node sees it. The numbers are the wire's."""

    PENDING = 1
    APPROVED = 2
    REJECTED = 3


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One invitation and what became of it.

    `state`: invited, pending (joined, waits for the operator), accepted (approved, waits for the
    administrators' signatures), approved, rejected, replaced, left, expired, withdrawn, superseded (by a
    newer one). `fingerprint` is None before the node has joined.
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

    def __init__(self, context: Context, registry: RegistryService, translog: TransparencyLog) -> None:
        self._context = context
        self._database = context.database
        self._clock = context.clock
        self._limits = context.limits
        self._registry = registry
        self._translog = translog
        self._certificates = NodeCertificates(context, registry)
        self._invitations = Invitations(context, registry, self._certificates, translog)

    def invite(
        self,
        partner: PartnerId,
        names: Mapping[str, str],
        node: NodeName,
        *,
        replace: bool = False,
        approve_on_join: bool = False,
        by: str | None = None,
    ) -> bytes:
        """The join file's bytes (docs/formats/join-file.md); an earlier open invitation of that node lapses.

        Raises `Conflict` when the node is enrolled and `replace` is not set, `Denied` for a revoked partner,
        `Unavailable` when `approve_on_join` is asked and the administrators' keys are not at hand.
        """
        return self._invitations.invite(
            partner, names, node, replace=replace, approve_on_join=approve_on_join, by=by
        )

    def join(self, envelope: bytes, token: str | bytes, csr_der: bytes) -> EnrolmentState:
        """Take a join statement. Safe to repeat with the same bytes.

        Raises `Denied` (reasons TOKEN_UNKNOWN, TOKEN_EXPIRED, TOKEN_WITHDRAWN,
        TOKEN_SUPERSEDED, TOKEN_USED), `Untrusted` when a proof or a
        binding fails.
        """
        with self._database.read() as connection:
            self._by_token(connection, token)  # strangers cost no signature check
        verified = verify_join(envelope, csr_der, self._limits)
        with self._database.write(visible=False) as connection:
            row = self._by_token(connection, token)
            if row.join_sha256 is not None:
                # Single use: the token stays bound to the first statement that came with it, whatever
                # became of it.
                if row.join_sha256 != verified.id:
                    raise Denied(
                        "this token was used already, with other keys",
                        remedy="tell the hub's operator, who rejects that request and sends a new join file",
                        reason="TOKEN_USED",
                    )
                return _state(row.state)
            self._invitations.check_open(row)
            self._check_binding(verified.statement, row)
            self._take(connection, row, verified, csr_der)
        if row.approve_on_join:
            return self._approve_now(row.number)
        return EnrolmentState.PENDING

    def get(self, join_sha256: str, token: str | bytes) -> tuple[EnrolmentState, bytes | None]:
        """State and, once approved, the certificate chain (PEM, leaf first). Raises `Denied`
        (TOKEN_UNKNOWN)."""
        with self._database.read() as connection:
            row = self._by_token(connection, token)
        if row.join_sha256 != join_sha256:
            raise _unknown_token()
        state = _state(row.state)
        if state is not EnrolmentState.APPROVED:
            return state, None
        if self._registry.membership().standing(row.partner) == REVOKED:
            return EnrolmentState.REJECTED, None
        return state, self._certificates.for_enrolment(row.number, row.partner, row.node, row.csr_der)

    def renew(self, envelope: bytes, csr_der: bytes) -> bytes:
        """A new certificate chain (PEM) for an enrolled node, proven by its signing key; also after
        expiry."""
        return self._certificates.renew(envelope, csr_der)

    def approve(
        self,
        partner: PartnerId,
        fingerprint: str,
        keys: Sequence[Signer] = (),
        *,
        node: NodeName | None = None,
        by: str | None = None,
    ) -> Signed:
        """The operator has read the fingerprint back (groups, spaces, dashes and case do not matter).

        Raises `InvalidInput` when nothing waits for this partner, `Untrusted` (FINGERPRINT) when it differs.
        """
        if keys:
            self._registry.check_keys(keys)
        table = schema.enrolments
        with self._database.write() as connection:
            waiting = self._waiting(connection, partner, node, (JOINED, ACCEPTED))
            if not waiting:
                raise InvalidInput(
                    f"no request of {partner} waits for approval", remedy="see `syncline-hub partners`"
                )
            row = next((r for r in waiting if same_fingerprint(fingerprint, r.join_sha256)), None)
            if row is None:
                raise Untrusted(
                    f"this is not the fingerprint of the request of {partner}",
                    remedy="ask them to read it once more; if it stays different, reject the request",
                    reason="FINGERPRINT",
                )
            if row.state == JOINED:
                connection.execute(table.update().where(table.c.number == row.number).values(state=ACCEPTED))
                acts.queue(connection, acts.ENROL, partner, row.number, self._clock)
                self._log(connection, "approve", partner, row, by)
        if not keys:
            return Signed.QUEUED
        self._registry.sign_pending(keys)
        return Signed.NOW

    def reject(self, partner: PartnerId, *, node: NodeName | None = None, by: str | None = None) -> int:
        """Refuse waiting requests and withdraw unused invitations of the partner; how many."""
        table, queued = schema.enrolments, schema.pending_acts
        with self._database.write(visible=False) as connection:
            waiting = self._waiting(connection, partner, node, _OPEN)
            for row in waiting:
                state = WITHDRAWN if row.state == INVITED else REJECTED
                connection.execute(table.update().where(table.c.number == row.number).values(state=state))
                connection.execute(
                    queued.update()
                    .where(queued.c.enrolment == row.number, queued.c.done.is_(None))
                    .values(done=format_instant(self._clock.now()))
                )
                self._log(connection, "reject", partner, row, by)
        return len(waiting)

    def list(self) -> list[Enrolment]:
        """Every enrolment, oldest first."""
        table = schema.enrolments
        now = self._clock.now()
        with self._database.read() as connection:
            rows = connection.execute(sa.select(table).order_by(table.c.number)).all()
        return [
            Enrolment(
                row.partner,
                row.node,
                json.loads(row.names),
                EXPIRED if row.state == INVITED and now >= parse_instant(row.expires) else row.state,
                parse_instant(row.invited),
                parse_instant(row.expires),
                None if row.joined is None else parse_instant(row.joined),
                None if row.join_sha256 is None else format_fingerprint(row.join_sha256),
                row.replace,
            )
            for row in rows
        ]

    # --- steps -----------------------------------------------------------------------------------

    def _by_token(self, connection: sa.Connection, token: str | bytes) -> sa.Row[Any]:
        secret = token.encode() if isinstance(token, str) else bytes(token)
        table = schema.enrolments
        row = connection.execute(
            sa.select(table).where(table.c.token_sha256 == sha256_hex(secret))
        ).one_or_none()
        if row is None:
            raise _unknown_token()
        return row

    def _check_binding(self, statement: JoinStatement, row: sa.Row[Any]) -> None:
        """The node means this hub, this registry, this CA and this invitation."""
        federation = self._context.federation
        expected = {
            "federation": (statement.federation, federation.id),
            "partner": (statement.partner, row.partner),
            "node": (statement.node, row.node),
            "hub address": (statement.hub, federation.address),
            "enrolment address": (statement.enrol, federation.enrol_address),
            "certificate authority": (
                statement.ca_sha256,
                certificate_sha256(self._certificates.authority().pem),
            ),
            "registry": (statement.registry_sha256, row.registry_sha256),
            "token": (statement.token_sha256, row.token_sha256),
        }
        for what, (said, wanted) in expected.items():
            if said != wanted:
                raise Untrusted(
                    f"the join statement names another {what} than the invitation",
                    remedy="use the join file as it was given; ask the hub's operator for a new one",
                    reason="WRONG_BINDING",
                )

    def _take(
        self, connection: sa.Connection, row: sa.Row[Any], verified: VerifiedJoin, csr_der: bytes
    ) -> None:
        statement = verified.statement
        self._check_new_keys(connection, row.partner, statement)
        self._check_not_shut_out(connection, row, statement)
        table = schema.enrolments
        connection.execute(
            table.update()
            .where(table.c.number == row.number)
            .values(
                state=JOINED,
                joined=format_instant(self._clock.now()),
                join_sha256=verified.id,
                join_envelope=verified.envelope,
                csr_der=csr_der,
                signing_key=json.dumps(statement.signing_key.to_json()),
                witness_key=encode_base64(statement.witness_key),
            )
        )

    def _check_new_keys(
        self, connection: sa.Connection, partner: PartnerId, statement: JoinStatement
    ) -> None:
        """No key, not even half of one, may belong to another partner: the registry would be refused."""
        halves = {statement.signing_key.ed25519, statement.signing_key.ml_dsa_65}
        registry = self._registry.membership(connection).registry.registry
        own = registry.partner(partner)
        for other in registry.partners:
            for key in other.signing_keys:
                shared = not halves.isdisjoint((key.ed25519, key.ml_dsa_65))
                if shared and (own is None or other.id != own.id or key != statement.signing_key):
                    raise Untrusted("these keys are in the registry already", reason="DUPLICATE_KEY")

    def _check_not_shut_out(
        self, connection: sa.Connection, row: sa.Row[Any], statement: JoinStatement
    ) -> None:
        """Who is replaced is shut out by its key: with the same one, the lost machine would stay inside."""
        table = schema.enrolments
        query = sa.select(table.c.signing_key).where(
            table.c.partner == row.partner,
            table.c.node == row.node,
            table.c.state.in_((APPROVED, REPLACED)),
        )
        if json.dumps(statement.signing_key.to_json()) in list(connection.execute(query).scalars()):
            raise Denied(
                f"these are the keys of the node {row.node} of {row.partner} that is replaced: whoever else"
                " has them would stay a member",
                remedy="move `keys` out of the node's state_dir and run it again: new ones are made",
                reason="KEYS_REPLACED",
            )

    def _approve_now(self, number: int) -> EnrolmentState:
        """The operator approved in advance; it needs the administrators' keys in this process."""
        keys = self._context.administrator_keys()
        table = schema.enrolments
        with self._database.read() as connection:
            row = connection.execute(sa.select(table).where(table.c.number == number)).one()
        try:
            self.approve(row.partner, row.join_sha256, keys, node=row.node)
        except Unavailable:
            return EnrolmentState.PENDING  # the keys have moved away since: `approve` by hand
        return EnrolmentState.APPROVED if keys else EnrolmentState.PENDING

    def _waiting(
        self, connection: sa.Connection, partner: PartnerId, node: NodeName | None, states: Sequence[str]
    ) -> Sequence[sa.Row[Any]]:
        table = schema.enrolments
        query = sa.select(table).where(table.c.partner == partner, table.c.state.in_(states))
        if node is not None:
            query = query.where(table.c.node == node)
        return connection.execute(query.order_by(table.c.number)).all()

    def _log(
        self, connection: sa.Connection, act: str, partner: PartnerId, row: sa.Row[Any], by: str | None
    ) -> None:
        detail = {"act": act, "node": row.node, "join": row.join_sha256, **told_by(by)}
        self._translog.append(
            connection, Record(type="act", actor="operator", object=partner, owner=partner, detail=detail)
        )


def _state(state: str) -> EnrolmentState:
    if state == APPROVED:
        return EnrolmentState.APPROVED
    if state in (INVITED, JOINED, ACCEPTED):
        return EnrolmentState.PENDING
    return EnrolmentState.REJECTED


def _unknown_token() -> Denied:
    return Denied(
        "the hub does not know this token",
        remedy="use the newest join file; ask the hub's operator for another",
        reason="TOKEN_UNKNOWN",
    )
