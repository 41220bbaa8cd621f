"""Who may witness, and which checkpoints a witness's word still counts for.

A cosignature is served while its key stands in the registry and its partner is active and not suspended; else
only on checkpoints from before that: without the registry leaf that no longer lists the key, older than the
suspension.

    witnesses.name(caller)                                   # "asean-geo/la-dgm/main"
    witnesses.counts(connection, "la-dgm", "main", key, checkpoint_size, checkpoint_made)
"""

from dataclasses import dataclass

import sqlalchemy as sa

from hub.services.context import Caller, Context
from hub.services.registry import RegistryService
from hub.storage import schema
from security import envelope as dsse
from security.registry import Registry
from security.tlog.cosignature import Witness

_Key = tuple[str, str, bytes]  # partner, node, witness key


@dataclass(frozen=True, slots=True)
class _Standing:
    """The witnesses of one registry, and since which leaf others are none. `ended` fills as it is asked."""

    registry_id: str
    keys: frozenset[_Key]
    ended: dict[_Key, int]


class Witnesses:
    """The witnesses of the federation, as the registry has them. Thread-safe."""

    def __init__(self, context: Context, registry: RegistryService) -> None:
        self._context = context
        self._registry = registry
        self._standing = _Standing("", frozenset(), {})

    def of(self, caller: Caller) -> Witness:
        """The calling node as a witness. Raises `Denied` as `require_active`."""
        node = self._registry.require_active(caller).node(caller.node)
        assert node is not None
        return Witness(self.name(caller.partner, caller.node), node.witness_key)

    def name(self, partner: str, node: str) -> str:
        """The key name of a node."""
        return f"{self._context.federation.id}/{partner}/{node}"

    def counts(
        self, connection: sa.Connection, partner: str, node: str, key: bytes, size: int, made: str
    ) -> bool:
        """Whether the cosignature of a checkpoint (its size, and when it was made) still is served."""
        membership = self._registry.membership(connection)
        if partner in membership.suspended and made >= _suspended_since(connection, partner):
            return False
        standing = self._of(membership.registry.id, membership.registry.registry)
        who = partner, node, key
        if who in standing.keys:
            return True
        if who not in standing.ended:
            standing.ended[who] = self._end(connection, who)
        return size <= standing.ended[who]

    def _of(self, registry_id: str, registry: Registry) -> _Standing:
        known = self._standing
        if known.registry_id != registry_id:
            known = self._standing = _Standing(registry_id, _keys(registry), {})
        return known

    def _end(self, connection: sa.Connection, who: _Key) -> int:
        """The leaf of the first registry after the last one that listed this witness as active; -1 where none
        ever did."""
        table = schema.registry_statements
        rows = connection.execute(sa.select(table.c.envelope, table.c.leaf).order_by(table.c.seq.desc()))
        ended = -1
        for row in rows:
            payload = dsse.parse(row.envelope, self._context.limits).payload
            if who in _keys(Registry.from_payload(payload, self._context.limits)):
                return ended
            ended = row.leaf
        return -1


def _keys(registry: Registry) -> frozenset[_Key]:
    return frozenset(
        (partner.id, node.name, node.witness_key)
        for partner in registry.partners
        if partner.active
        for node in partner.nodes
    )


def _suspended_since(connection: sa.Connection, partner: str) -> str:
    table = schema.suspensions
    since = connection.execute(
        sa.select(table.c.since).where(table.c.partner == partner)
    ).scalar_one_or_none()
    return since or ""
