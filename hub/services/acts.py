"""Acts that wait for the administrators: queued, drafted into the next registry, settled when it is signed.

An act is settled by what a signed registry says, wherever it was signed; nothing is marked done on trust.

    queue(connection, REVOKE, partner, None, clock)
    draft = drafted(connection, current.successor(now))
    settle(connection, verified.registry, clock)
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.clock import Clock, format_instant, parse_instant
from core.names import NodeName, PartnerId
from hub.storage import schema
from security.fields import decode_base64
from security.keys import PublicKey
from security.registry import ACTIVE, REVOKED, Registry, RegistryNode, RegistryPartner

ENROL = "enrol"
REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class PendingAct:
    """An act that waits for signatures. `kind`: enrol, revoke; `text` says it in words."""

    number: int
    kind: str
    partner: PartnerId | None
    created: datetime
    text: str


def waiting(connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    """The rows of acts that wait, oldest first."""
    acts = schema.pending_acts
    return connection.execute(sa.select(acts).where(acts.c.done.is_(None)).order_by(acts.c.number)).all()


def described(connection: sa.Connection) -> list[PendingAct]:
    """The acts that wait, in words."""
    enrolments = schema.enrolments
    found: list[PendingAct] = []
    for row in waiting(connection):
        text = f"revoke {row.partner}"
        if row.kind == ENROL:
            node = connection.execute(
                sa.select(enrolments.c.node).where(enrolments.c.number == row.enrolment)
            ).scalar_one()
            text = f"enrol node {node} of {row.partner}"
        found.append(PendingAct(row.number, row.kind, row.partner, parse_instant(row.created), text))
    return found


def is_waiting(
    connection: sa.Connection, kind: str, partner: PartnerId, enrolment: int | None = None
) -> bool:
    """Whether such an act waits."""
    wanted = (kind, partner, enrolment)
    return any((row.kind, row.partner, row.enrolment) == wanted for row in waiting(connection))


def queue(
    connection: sa.Connection, kind: str, partner: PartnerId, enrolment: int | None, clock: Clock
) -> None:
    """Let an act wait for the administrators, once."""
    if not is_waiting(connection, kind, partner, enrolment):
        connection.execute(
            schema.pending_acts.insert().values(
                kind=kind, partner=partner, enrolment=enrolment, created=format_instant(clock.now())
            )
        )


def drafted(connection: sa.Connection, draft: Registry) -> Registry:
    """`draft` with everything that waits."""
    for act in waiting(connection):
        if act.kind == REVOKE:
            draft = draft.with_state(act.partner, REVOKED)
        else:
            row = _enrolment(connection, act)
            draft = draft.with_partner(_enrolled(draft.partner(row.partner), row))
    return draft


def settle(connection: sa.Connection, registry: Registry, clock: Clock) -> None:
    """Mark as done what the new registry says."""
    acts = schema.pending_acts
    for act in waiting(connection):
        entry = registry.partner(act.partner)
        if entry is None:
            continue
        if act.kind == REVOKE:
            done = entry.state == REVOKED
        else:
            row = _enrolment(connection, act)
            done = _enrolled(entry, row) == entry
            if done:
                _approve(connection, row)
        if done:
            connection.execute(
                acts.update().where(acts.c.number == act.number).values(done=format_instant(clock.now()))
            )


def _approve(connection: sa.Connection, row: sa.Row[Any]) -> None:
    """The node's earlier enrolment, if there was one, ends with this."""
    table = schema.enrolments
    connection.execute(
        table.update()
        .where(table.c.partner == row.partner, table.c.node == row.node, table.c.state == "approved")
        .values(state="replaced")
    )
    connection.execute(table.update().where(table.c.number == row.number).values(state="approved"))


def _enrolment(connection: sa.Connection, act: sa.Row[Any]) -> sa.Row[Any]:
    table = schema.enrolments
    return connection.execute(sa.select(table).where(table.c.number == act.enrolment)).one()


def _enrolled(entry: RegistryPartner | None, row: sa.Row[Any]) -> RegistryPartner:
    """The partner's entry with the node of an enrolment. Old signing keys stay: what they signed stays
    evidence; the hub accepts new statements by the node's newest key alone."""
    node = RegistryNode(NodeName(row.node), decode_base64(row.witness_key, "witness key"))
    key = PublicKey.from_json(json.loads(row.signing_key))
    base = entry or RegistryPartner(row.partner, json.loads(row.names), (), (), ACTIVE)
    return base.with_node(node, key)
