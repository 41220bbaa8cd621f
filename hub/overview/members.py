"""Who belongs, as the operator sees it: partners with their standing and nodes, and those who were invited.

* Beside the registry's words there are `left`, for a partner none of whose nodes is left by their own word,
  and `invited` and `pending`, for one that the registry does not know yet.
* A node is `left` that told so and was not enrolled again; the registry may still name it.

    for member in members(connection, hub.registry.membership(connection), now):
        member.partner, member.standing, member.nodes
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from core.clock import parse_instant
from hub.overview.model import Standing
from hub.services.invitations import INVITED, JOINED
from hub.services.membership import Membership
from hub.storage import schema
from security.registry import ACTIVE, REVOKED

_ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class MemberNode:
    """A node of a partner. `joined`: when it last asked to be enrolled."""

    name: str
    has_left: bool
    joined: datetime | None


@dataclass(frozen=True, slots=True)
class PartnerMember:
    """A partner."""

    partner: str
    names: Mapping[str, str]
    standing: Standing
    nodes: tuple[MemberNode, ...]


def members(connection: sa.Connection, membership: Membership, now: datetime) -> list[PartnerMember]:
    """Every partner of the registry by id, then those who are to be."""
    gone = _departed(connection)
    joined = _joined(connection)
    found: list[PartnerMember] = []
    for entry in membership.registry.registry.partners:
        nodes = tuple(
            MemberNode(
                node.name,
                (entry.id, node.name) in gone and (entry.id, node.name) not in membership.members,
                joined.get((entry.id, node.name)),
            )
            for node in entry.nodes
        )
        standing = _standing(entry.state, entry.id in membership.suspended, entry.id, nodes, gone)
        found.append(PartnerMember(entry.id, dict(entry.names), standing, nodes))
    return [*found, *_to_be(connection, {each.partner for each in found}, now)]


def _standing(
    state: str, is_suspended: bool, partner: str, nodes: Sequence[MemberNode], gone: set[tuple[str, str]]
) -> Standing:
    if state == REVOKED:
        return "revoked"
    if state != ACTIVE or is_suspended:
        return "suspended"
    has_left = (partner, "") in gone and all(node.has_left for node in nodes)
    return "left" if has_left else "active"


def _departed(connection: sa.Connection) -> set[tuple[str, str]]:
    table = schema.departures
    return {(row.partner, row.node) for row in connection.execute(sa.select(table.c.partner, table.c.node))}


def _joined(connection: sa.Connection) -> dict[tuple[str, str], datetime]:
    table = schema.enrolments
    rows = connection.execute(
        sa.select(table.c.partner, table.c.node, sa.func.max(table.c.joined).label("joined"))
        .where(table.c.joined.is_not(None))
        .group_by(table.c.partner, table.c.node)
    )
    return {(row.partner, row.node): parse_instant(row.joined) for row in rows}


def _to_be(connection: sa.Connection, known: set[str], now: datetime) -> list[PartnerMember]:
    """Partners with an invitation or a request that is open, and no entry yet."""
    table = schema.enrolments
    rows = connection.execute(
        sa.select(table.c.partner, table.c.names, table.c.state, table.c.expires)
        .where(table.c.state.in_((INVITED, JOINED, _ACCEPTED)))
        .order_by(table.c.partner, table.c.number)
    )
    found: dict[str, PartnerMember] = {}
    for row in rows:
        is_over = row.state == INVITED and parse_instant(row.expires) <= now
        if row.partner in known or is_over:
            continue
        standing: Standing = "invited" if row.state == INVITED else "pending"
        found[row.partner] = PartnerMember(row.partner, json.loads(row.names), standing, ())
    return list(found.values())
