"""Every dataset in a line, for the operator at the hub itself.

for each in summaries(database): each.dataset, each.version_seq
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from core.clock import parse_instant
from core.names import DatasetId, NodeName
from hub.services.statements import head
from hub.storage import schema
from hub.storage.database import Database
from security.canonical import parse_strict


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """One dataset, for the operator. `version_seq` 0 before a first version."""

    dataset: DatasetId
    node: NodeName
    title: Mapping[str, str]
    policy_seq: int
    version_seq: int
    versions: int
    files: int
    bytes: int
    has_content: bool
    accepted: datetime | None


def summaries(database: Database) -> list[DatasetSummary]:
    """Every dataset, by its id."""
    table = schema.datasets
    with database.read() as connection:
        rows = connection.execute(sa.select(table).order_by(table.c.dataset)).all()
        return [_summary(connection, row.dataset, row.node) for row in rows]


def _summary(connection: sa.Connection, dataset: DatasetId, node: NodeName) -> DatasetSummary:
    versions = schema.versions
    policy = head(connection, schema.policies, dataset)
    newest = connection.execute(
        sa.select(versions).where(versions.c.dataset == dataset).order_by(versions.c.seq.desc()).limit(1)
    ).one_or_none()
    policy_seq = 0 if policy is None else policy.seq
    if newest is None:
        return DatasetSummary(dataset, node, {}, policy_seq, 0, 0, 0, 0, has_content=False, accepted=None)
    return DatasetSummary(
        dataset,
        node,
        parse_strict(newest.title.encode()),
        policy_seq,
        newest.seq,
        newest.seq,
        newest.files,
        newest.bytes,
        newest.root is not None,
        parse_instant(newest.accepted),
    )
