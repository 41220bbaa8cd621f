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
from security import envelope as dsse
from security.fields import decode_base64, encode_base64
from security.keys import PublicKey
from security.members import RegistryAuditor
from security.registry import ACTIVE, REVOKED, Registry, RegistryNode, RegistryPartner
from security.rotation import Rotation, VerifiedRotation

ENROL = "enrol"
REVOKE = "revoke"
ROTATE = "rotate"
AUDITOR = "auditor"
LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class PendingAct:
    """An act that waits for signatures. `text` says it in words.

    `kind`: enrol, revoke, rotate, auditor, leave.
    """

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
        if row.enrolment is not None:
            node = connection.execute(
                sa.select(enrolments.c.node).where(enrolments.c.number == row.enrolment)
            ).scalar_one()
            text = f"enrol node {node} of {row.partner}"
            if row.kind == ROTATE:
                text = f"change the signing key of node {node} of {row.partner}"
            elif row.kind == LEAVE:
                text = f"strike node {node} of {row.partner}, which has left"
        if row.kind == AUDITOR:
            text = f"{'enrol' if _auditor(row).active else 'revoke'} the auditor {row.partner}"
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


def queue_rotation(
    connection: sa.Connection, enrolment: int, verified: VerifiedRotation, clock: Clock
) -> bool:
    """Let a rotation wait, in the place of an earlier one of that node; False when it waits already."""
    acts = schema.pending_acts
    partner, detail = verified.rotation.partner, json.dumps({"rotation": encode_base64(verified.envelope)})
    known = next((row for row in waiting(connection) if _is_rotation_of(row, enrolment)), None)
    if known is None:
        queue(connection, ROTATE, partner, enrolment, clock)
        known = next(row for row in waiting(connection) if _is_rotation_of(row, enrolment))
    elif _rotation(known) == verified.rotation:
        return False
    connection.execute(acts.update().where(acts.c.number == known.number).values(detail=detail))
    return True


def queue_auditor(
    connection: sa.Connection, wanted: RegistryAuditor, signed: RegistryAuditor | None, clock: Clock
) -> bool:
    """Let an auditor's entry wait, in the place of what waits about it; False when it waits or is so already.

    `signed` is its entry in the newest registry.
    """
    acts = schema.pending_acts
    known = next((r for r in waiting(connection) if r.kind == AUDITOR and r.partner == wanted.id), None)
    if (signed if known is None else _auditor(known)) == wanted:
        return False
    if known is None:
        queue(connection, AUDITOR, wanted.id, None, clock)
        known = next(r for r in waiting(connection) if r.kind == AUDITOR and r.partner == wanted.id)
    detail = json.dumps(wanted.to_json(), ensure_ascii=False)
    connection.execute(acts.update().where(acts.c.number == known.number).values(detail=detail))
    return True


def waiting_auditors(connection: sa.Connection) -> Sequence[RegistryAuditor]:
    """The auditors' entries that wait."""
    return [_auditor(row) for row in waiting(connection) if row.kind == AUDITOR]


def drafted(connection: sa.Connection, draft: Registry) -> Registry:
    """`draft` with everything that waits."""
    for act in waiting(connection):
        if act.kind == REVOKE:
            draft = draft.with_state(act.partner, REVOKED)
        elif act.kind == AUDITOR:
            draft = draft.with_auditor(_auditor(act))
        elif act.kind == LEAVE:
            entry = draft.partner(act.partner)
            if entry is not None and not _is_enrolled_again(connection, act):
                draft = draft.with_partner(entry.without_node(_enrolment(connection, act).node))
        elif act.kind == ROTATE:
            entry = draft.partner(act.partner)
            if entry is not None and _is_open(connection, act) and not _is_followed(connection, act):
                rotation = _rotation(act)
                draft = draft.with_partner(entry.with_key_rotated(rotation.old, rotation.new))
        else:
            row = _enrolment(connection, act)
            draft = draft.with_partner(_enrolled(draft.partner(row.partner), row))
    return draft


def settle(connection: sa.Connection, registry: Registry, clock: Clock) -> None:
    """Mark as done what the new registry says."""
    acts = schema.pending_acts
    # Enrolments first: what asks for other keys of a node that was replaced is over with them.
    for act in sorted(waiting(connection), key=lambda act: act.kind != ENROL):
        entry = registry.partner(act.partner)
        if act.kind == AUDITOR:
            done = registry.auditor(act.partner) == _auditor(act)
        elif entry is None:
            continue
        elif act.kind == REVOKE:
            done = entry.state == REVOKED
        elif act.kind == LEAVE:
            node = _enrolment(connection, act).node
            done = entry.node(node) is None or _is_enrolled_again(connection, act)
        elif act.kind == ROTATE:
            done = _settle_rotation(connection, act, entry)
        else:
            row = _enrolment(connection, act)
            done = _enrolled(entry, row) == entry
            if done:
                _approve(connection, row)
        if done:
            connection.execute(
                acts.update().where(acts.c.number == act.number).values(done=format_instant(clock.now()))
            )


def take_key(connection: sa.Connection, enrolment: int, key: PublicKey) -> None:
    """New statements of that node are signed with `key` from now on."""
    table = schema.enrolments
    connection.execute(
        table.update().where(table.c.number == enrolment).values(signing_key=json.dumps(key.to_json()))
    )


def _settle_rotation(connection: sa.Connection, act: sa.Row[Any], entry: RegistryPartner) -> bool:
    """Whether the act is over; if the registry says what it asks for, the node's key is the new one."""
    if not _is_open(connection, act):
        return True
    rotation = _rotation(act)
    listed = rotation.new in entry.signing_keys and rotation.old not in entry.signing_keys
    if listed:
        take_key(connection, act.enrolment, rotation.new)
    return listed


def _auditor(act: sa.Row[Any]) -> RegistryAuditor:
    return RegistryAuditor.from_json(json.loads(act.detail))


def _is_rotation_of(act: sa.Row[Any], enrolment: int) -> bool:
    return act.kind == ROTATE and act.enrolment == enrolment


def _rotation(act: sa.Row[Any]) -> Rotation:
    """What was verified when it was queued."""
    envelope = decode_base64(json.loads(act.detail)["rotation"], "rotation")
    return Rotation.from_payload(dsse.parse(envelope).payload)


def _is_open(connection: sa.Connection, act: sa.Row[Any]) -> bool:
    """Whether the node's enrolment still stands: one that was replaced has other keys."""
    return _enrolment(connection, act).state == "approved"


def _is_followed(connection: sa.Connection, act: sa.Row[Any]) -> bool:
    """Whether another enrolment of the same node is to take the place of this act's with the same draft."""
    own = _enrolment(connection, act)
    enrolled = (_enrolment(connection, each) for each in waiting(connection) if each.kind == ENROL)
    return any((each.partner, each.node) == (own.partner, own.node) for each in enrolled)


def _is_enrolled_again(connection: sa.Connection, act: sa.Row[Any]) -> bool:
    """Whether the node that left has come back meanwhile."""
    table, own = schema.enrolments, _enrolment(connection, act)
    return bool(
        connection.execute(
            sa.select(sa.func.count()).where(
                table.c.partner == own.partner, table.c.node == own.node, table.c.state == "approved"
            )
        ).scalar_one()
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
    gone = schema.departures
    connection.execute(gone.delete().where(gone.c.partner == row.partner, gone.c.node == ""))


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
