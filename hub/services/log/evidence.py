"""All that proves one version to one partner, under one checkpoint.

The version and the policy in force are opened to whoever may discover the dataset, the delivery to its
recipient alone; registry leaves are open. Of the checkpoints that cover all of it the one that most witnesses
have cosigned is given.

    evidence.of(caller, dataset, manifest_id)       # Unavailable(NOT_COVERED) until a checkpoint does
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from core.errors import Unavailable
from core.names import DatasetId
from hub.services.context import Caller, Context
from hub.services.log.checkpoints import Checkpoints
from hub.services.log.cosignatures import Cosignatures
from hub.services.log.proofs import included
from hub.services.sharing import SharingService, not_found
from hub.storage import schema
from security.rules import DISCOVER
from security.tlog.checkpoint import parse_checkpoint
from security.tlog.note import parse_note
from sync.ports import Evidence, LeafKind, ProvenLeaf


@dataclass(frozen=True, slots=True)
class _Wanted:
    kind: LeafKind
    index: int
    registry_seq: int = 0


class EvidenceService:
    """Collects evidence."""

    def __init__(
        self,
        context: Context,
        sharing: SharingService,
        checkpoints: Checkpoints,
        cosignatures: Cosignatures,
    ) -> None:
        self._context = context
        self._sharing = sharing
        self._checkpoints = checkpoints
        self._cosignatures = cosignatures

    def of(self, caller: Caller, dataset: DatasetId, manifest_id: str) -> Evidence:
        """The evidence for a version. Raises `Denied` (NOT_FOUND), `Unavailable` (NOT_COVERED)."""
        self._sharing.require(caller, dataset, DISCOVER)
        self._checkpoints.newest()
        with self._context.database.read() as connection:
            wanted = _wanted(connection, caller, dataset, manifest_id)
            newest = self._checkpoints.newest(connection)
            min_size = 1 + max(each.index for each in wanted)
            if min_size > newest.size:
                raise Unavailable(
                    f"{dataset}: no checkpoint covers this version's evidence yet",
                    remedy="it does within seconds; it is tried again",
                    reason="NOT_COVERED",
                )
            # Not simply the newest: a checkpoint gets its cosignatures in the minutes after it was made.
            note = self._cosignatures.best(connection, newest, min_size)
            size = parse_checkpoint(parse_note(note, self._context.limits).text).size
            return Evidence(note, tuple(_proven(connection, wanted, size)))


def _wanted(
    connection: sa.Connection, caller: Caller, dataset: DatasetId, manifest_id: str
) -> Sequence[_Wanted]:
    versions, policies, deliveries = schema.versions, schema.policies, schema.deliveries
    version = connection.execute(
        sa.select(versions.c.leaf).where(versions.c.dataset == dataset, versions.c.id == manifest_id)
    ).scalar_one_or_none()
    if version is None:
        raise not_found()
    policy = connection.execute(
        sa.select(policies.c.leaf)
        .where(policies.c.dataset == dataset)
        .order_by(policies.c.seq.desc())
        .limit(1)
    ).scalar_one()
    delivery = connection.execute(
        sa.select(deliveries.c.leaf).where(
            deliveries.c.partner == caller.partner, deliveries.c.version == manifest_id
        )
    ).scalar_one_or_none()
    wanted = [_Wanted(LeafKind.VERSION, version), _Wanted(LeafKind.POLICY, policy)]
    if delivery is not None:
        wanted.append(_Wanted(LeafKind.DELIVERY, delivery))
    statements = schema.registry_statements
    rows = connection.execute(sa.select(statements.c.leaf, statements.c.seq).order_by(statements.c.seq))
    return wanted + [_Wanted(LeafKind.REGISTRY, row.leaf, row.seq) for row in rows]


def _proven(connection: sa.Connection, wanted: Sequence[_Wanted], size: int) -> list[ProvenLeaf]:
    leaves = schema.leaves
    proofs = included(connection, (each.index for each in wanted), size)
    found: list[ProvenLeaf] = []
    for each, hashes in zip(wanted, proofs, strict=True):
        record, nonce = b"", b""
        if each.kind is not LeafKind.REGISTRY:
            row = connection.execute(
                sa.select(leaves.c.record, leaves.c.nonce).where(leaves.c.idx == each.index)
            ).one()
            record, nonce = row.record, row.nonce
        found.append(ProvenLeaf(each.kind, each.index, record, nonce, each.registry_seq, tuple(hashes)))
    return found
