"""Invitations: what the operator hands to an agency, and what the hub remembers of it.

The token is shown once, in the join file; the hub keeps its SHA-256. Format: docs/formats/join-file.md.

    file = invitations.invite(partner, {"en": "…"}, node)
"""

import json
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from core.errors import Conflict, Denied, InvalidInput, Unavailable
from core.names import NodeName, PartnerId, check_node, check_partner
from hub.services import acts
from hub.services.certificates import NodeCertificates
from hub.services.context import Context
from hub.services.registry import RegistryService
from hub.services.translog import Record, TransparencyLog, told_by
from hub.storage import schema
from security.canonical import JSON
from security.digests import sha256_hex
from security.fields import encode_base64
from security.registry import REVOKED

TOKEN_BYTES = 32
INVITED = "invited"
JOINED = "pending"
EXPIRED = "expired"
WITHDRAWN = "withdrawn"
SUPERSEDED = "superseded"
#: Of an invitation that opens nothing any more, and led to no member. A hub of an earlier release wrote
#: `expired` for all of them; now that is only what the clock says.
LAPSED = (EXPIRED, WITHDRAWN, SUPERSEDED)


class Invitations:
    """Writes join files."""

    def __init__(
        self,
        context: Context,
        registry: RegistryService,
        certificates: NodeCertificates,
        translog: TransparencyLog,
    ) -> None:
        self._context = context
        self._database = context.database
        self._clock = context.clock
        self._limits = context.limits
        self._registry = registry
        self._certificates = certificates
        self._translog = translog

    def invite(
        self,
        partner: PartnerId,
        names: Mapping[str, str],
        node: NodeName,
        *,
        replace: bool,
        approve_on_join: bool,
        by: str | None = None,
    ) -> bytes:
        """The join file's bytes; see `EnrolmentService.invite`."""
        check_partner(partner)
        check_node(node)
        if not names:
            raise InvalidInput(f"{partner} needs a name", remedy="give it with --name")
        if approve_on_join:
            try:
                self._registry.check_keys(self._context.administrator_keys())
            except Unavailable as error:
                # The running hub signs when the node joins: what a command is given would not help it.
                raise Unavailable(
                    error.message,
                    remedy="name their folder as admin_keys in hub.toml and restart the hub, "
                    "or invite without --approve-on-join",
                    reason=error.reason,
                ) from None
        self._certificates.authority()  # without it nobody can be enrolled
        token = secrets.token_urlsafe(TOKEN_BYTES)
        now = self._clock.now()
        expires = now + timedelta(seconds=self._limits.token_valid_s)
        first = self._first_registry()
        table = schema.enrolments
        with self._database.write(visible=False) as connection:
            self._check_invitable(connection, partner, node, replace=replace)
            connection.execute(
                table.update()
                .where(table.c.partner == partner, table.c.node == node, table.c.state.in_((INVITED, JOINED)))
                .values(state=SUPERSEDED)
            )
            connection.execute(
                table.insert().values(
                    partner=partner,
                    node=node,
                    names=json.dumps(dict(names), ensure_ascii=False),
                    token_sha256=sha256_hex(token.encode()),
                    registry_sha256=first.id,
                    invited=format_instant(now),
                    expires=format_instant(expires),
                    state=INVITED,
                    replace=replace,
                    approve_on_join=approve_on_join,
                )
            )
            self._translog.append(
                connection,
                Record(
                    type="act",
                    actor="operator",
                    object=partner,
                    owner=partner,
                    detail={"act": "invite", "node": node, "replace": replace, **told_by(by)},
                ),
            )
        return self._join_file(partner, names, node, first, token, expires, replace=replace)

    def _join_file(
        self,
        partner: PartnerId,
        names: Mapping[str, str],
        node: NodeName,
        first: sa.Row[str, bytes],
        token: str,
        expires: datetime,
        *,
        replace: bool,
    ) -> bytes:
        federation = self._context.federation
        file: dict[str, JSON] = {
            "v": 1,
            "federation": federation.id,
            "partner": partner,
            "names": dict(names),
            "node": node,
            "hub": federation.address,
            "enrol": federation.enrol_address,
            "registry": encode_base64(first.envelope),
            "registry_sha256": first.id,
            "ca": self._certificates.authority().pem.decode("ascii"),
            "token": token,
            "expires": format_instant(expires),
        }
        if replace:
            file["replace"] = True
        return (json.dumps(file, ensure_ascii=False, indent=1) + "\n").encode("utf-8")

    def check_open(self, row: sa.Row[Any]) -> None:
        """Whether who has this invitation's token may use it now; it may know why not. Raises `Denied`."""
        if row.state == INVITED and self._clock.now() < parse_instant(row.expires):
            return
        if row.state == INVITED:
            message, reason = f"this invitation has expired, on {row.expires}", "TOKEN_EXPIRED"
        elif row.state == SUPERSEDED:
            message, reason = "a newer join file was made for this node: this one is void", "TOKEN_SUPERSEDED"
        else:
            message, reason = "the hub's operator has withdrawn this invitation", "TOKEN_WITHDRAWN"
        remedy = "ask the hub's operator for a new join file"
        if row.state == SUPERSEDED:
            remedy = "use the newest join file, or ask the hub's operator for another"
        raise Denied(message, remedy=remedy, reason=reason)

    def _check_invitable(
        self, connection: sa.Connection, partner: PartnerId, node: NodeName, *, replace: bool
    ) -> None:
        state = self._registry.membership(connection)
        if state.standing(partner) == REVOKED:
            raise Denied(f"{partner} was revoked", remedy="invite it under another id", reason="REVOKED")
        auditors = {each.id for each in acts.waiting_auditors(connection)}
        if partner in auditors or state.registry.registry.auditor(partner) is not None:
            raise Conflict(
                f"{partner} is an auditor's id", remedy="invite it under another id", reason="NAME_TAKEN"
            )
        if (partner, node) in state.members and not replace:
            raise Conflict(
                f"node {node} of {partner} is enrolled already",
                remedy="give --replace to enrol it anew, or another --node for one more machine",
                reason="ALREADY_ENROLLED",
            )

    def _first_registry(self) -> sa.Row[str, bytes]:
        table = schema.registry_statements
        with self._database.read() as connection:
            return connection.execute(sa.select(table.c.id, table.c.envelope).where(table.c.seq == 1)).one()
