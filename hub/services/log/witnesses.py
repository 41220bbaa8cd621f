"""Who may witness, and which checkpoints a witness's word still counts for.

A cosignature is served while its key stands in the registry and its partner is active and not suspended; else
only on checkpoints from before that: without the registry leaf that no longer lists the key, older than the
suspension.

    witnesses.name(caller)                                   # "asean-geo/la-dgm/main"
    witnesses.standing(connection).counts("la-dgm", "main", key, checkpoint_size, checkpoint_made)
"""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from core.limits import Limits
from hub.services.context import Caller, Context
from hub.services.registry import RegistryService
from hub.storage import schema
from security import envelope as dsse
from security.registry import Registry
from security.tlog.cosignature import Witness
from security.tlog.witnesses import witness_name

_Key = tuple[str, str, bytes]  # partner, node, witness key


@dataclass(frozen=True, slots=True)
class _Known:
    """The witnesses of one registry, and since which leaf others are none; `ended` fills as it is asked."""

    registry_id: str
    keys: frozenset[_Key]
    ended: dict[_Key, int]


class Standing:
    """Whose word counts, as one snapshot has it."""

    def __init__(
        self, connection: sa.Connection, known: _Known, suspended: Mapping[str, str], limits: Limits
    ) -> None:
        self._connection = connection
        self._known = known
        self._suspended = suspended
        self._limits = limits

    def counts(self, partner: str, node: str, key: bytes, size: int, made: str) -> bool:
        """Whether the cosignature of a checkpoint (its size, and when it was made) still is served."""
        if partner in self._suspended and made >= self._suspended[partner]:
            return False
        who = partner, node, key
        if who in self._known.keys:
            return True
        if who not in self._known.ended:
            self._known.ended[who] = self._end(who)
        return size <= self._known.ended[who]

    def _end(self, who: _Key) -> int:
        """The leaf of the first registry after the last one that listed this witness as active; -1 where none
        ever did."""
        table = schema.registry_statements
        rows = self._connection.execute(
            sa.select(table.c.envelope, table.c.leaf).order_by(table.c.seq.desc())
        )
        ended = -1
        for row in rows:
            payload = dsse.parse(row.envelope, self._limits).payload
            if who in _keys(Registry.from_payload(payload, self._limits)):
                return ended
            ended = row.leaf
        return -1


class Witnesses:
    """The witnesses of the federation, as the registry has them. Thread-safe."""

    def __init__(self, context: Context, registry: RegistryService) -> None:
        self._context = context
        self._registry = registry
        self._known = _Known("", frozenset(), {})

    def of(self, caller: Caller) -> Witness:
        """The calling node as a witness. Raises `Denied` as `require_active`."""
        node = self._registry.require_active(caller).node(caller.node)
        assert node is not None
        return Witness(self.name(caller.partner, caller.node), node.witness_key)

    def name(self, partner: str, node: str) -> str:
        """The key name of a node."""
        return witness_name(self._context.federation.id, partner, node)

    def standing(self, connection: sa.Connection) -> Standing:
        """Whose word counts now."""
        membership = self._registry.membership(connection)
        known = self._known
        if known.registry_id != membership.registry.id:
            known = _Known(membership.registry.id, _keys(membership.registry.registry), {})
            self._known = known
        suspended: dict[str, str] = {}
        if membership.suspended:
            table = schema.suspensions
            rows = connection.execute(sa.select(table.c.partner, table.c.since))
            suspended = {row.partner: row.since for row in rows}
        return Standing(connection, known, suspended, self._context.limits)


def _keys(registry: Registry) -> frozenset[_Key]:
    return frozenset(
        (partner.id, node.name, node.witness_key)
        for partner in registry.partners
        if partner.active
        for node in partner.nodes
    )
