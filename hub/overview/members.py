"""Who belongs, as the operator sees it: partners with their standing and nodes, and those who were invited.

* Beside the registry's words there are `left`, for a partner none of whose nodes is left by their own word,
  and `invited` and `pending`, for one that the registry does not know yet.
* A node is `left` that told so and was not enrolled again; the registry may still name it.

    for member in members(connection, hub.registry.membership(connection), now):
        member.partner, member.standing, member.nodes
    MemberReader().read(connection, membership, now)          # the same, for who asks every second
"""

import json
from collections.abc import Collection, Mapping, Sequence
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
_DEPARTED = sa.select(schema.departures.c.partner, schema.departures.c.node)
_JOINED = (
    sa.select(schema.enrolments.c.partner, schema.enrolments.c.node, sa.func.max(schema.enrolments.c.joined))
    .where(schema.enrolments.c.joined.is_not(None))
    .group_by(schema.enrolments.c.partner, schema.enrolments.c.node)
)


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
    return MemberReader().read(connection, membership, now)


class MemberReader:
    """Keeps the partners of the registry while registry, suspensions, departures and enrolments say what they
    said: these are read each time, and compared. Its caller serialises."""

    def __init__(self) -> None:
        self._known: tuple[object, list[PartnerMember], set[str]] | None = None

    def read(self, connection: sa.Connection, membership: Membership, now: datetime) -> list[PartnerMember]:
        """Every partner of the registry by id, then those who are to be."""
        gone, joined = _departed(connection), _joined(connection)
        made_of = (
            membership.registry.registry,
            membership.suspended,
            gone,
            joined,
            membership.members.keys() & gone,
        )
        if self._known is None or self._known[0] != made_of:
            found = _listed(membership, gone, {(row[0], row[1]): parse_instant(row[2]) for row in joined})
            self._known = made_of, found, {each.partner for each in found}
        return [*self._known[1], *_to_be(connection, self._known[2], now)]


def _listed(
    membership: Membership, gone: set[tuple[str, str]], joined: Mapping[tuple[str, str], datetime]
) -> list[PartnerMember]:
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
    return found


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
    return {(row[0], row[1]) for row in connection.execute(_DEPARTED)}


def _joined(connection: sa.Connection) -> list[tuple[str, str, str]]:
    """Partner, node, and when it last asked to be enrolled."""
    return [(row[0], row[1], row[2]) for row in connection.execute(_JOINED)]


def _to_be(connection: sa.Connection, known: Collection[str], now: datetime) -> list[PartnerMember]:
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
