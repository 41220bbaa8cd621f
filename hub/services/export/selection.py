"""Which leaves and versions a bundle is made of, up to one size of the log.

    selected = select(connection, plan, end=4711, limits)
    selected.indices                     # of the records, ascending
    selected.begins["la-dgm"]            # from this leaf on, the lane of la-dgm is there without a gap
    selected.versions[dataset]           # rows, by seq

Everything is append-only: the same plan and the same `end` select the same, however much came since.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from core.errors import InvalidInput
from core.limits import Limits
from core.names import DatasetId, PartnerId, owner_of
from hub.services.export.plan import ExportPlan
from hub.storage import schema
from security.canonical import parse_strict

_WITHOUT_LANE = ("act", "alarm")  # of those in nobody's lane, what an auditor wants; refusals are only counts


@dataclass(frozen=True, slots=True)
class Selection:
    """What was selected; of `versions` and `policies` (ascending by seq) where they are, not their bytes."""

    indices: Sequence[int]
    begins: Mapping[PartnerId, int]
    versions: Mapping[DatasetId, Sequence[sa.Row[Any]]]
    policies: Mapping[DatasetId, Sequence[sa.Row[Any]]]
    registries: Sequence[sa.Row[Any]]

    @property
    def last(self) -> int:
        """The last leaf of all that is selected."""
        return max([row.leaf for row in self.registries] + list(self.indices[-1:]))


def select(connection: sa.Connection, plan: ExportPlan, end: int | None, limits: Limits) -> Selection:
    """What `plan` needs of the leaves below `end` (None: all). Raises `InvalidInput` (TOO_MANY_RECORDS)."""
    indices: set[int] = set()
    begins: dict[PartnerId, int] = {}
    mentioned: set[str] = set()
    for owner in sorted(plan.whole):
        lane = _lane(connection, schema.leaves.c.lane_owner == owner, plan.since, end, mentioned)
        if lane:
            begins[owner] = lane[0]
        _check_count(len(indices) + len(lane), limits)
        indices.update(lane)
    if plan.is_auditor:
        leaves = schema.leaves
        outside = sa.and_(leaves.c.lane_owner.is_(None), leaves.c.type.in_(_WITHOUT_LANE))
        indices.update(_lane(connection, outside, plan.since, end, set()))
    versions: dict[DatasetId, Sequence[sa.Row[Any]]] = {}
    policies: dict[DatasetId, Sequence[sa.Row[Any]]] = {}
    for dataset in plan.datasets:
        known = _chain(connection, schema.versions, dataset, end)
        if not plan.is_whole(dataset):
            indices.update(_own(connection, plan, dataset, end, mentioned))
        versions[dataset] = [row for row in known if _is_wanted(row, plan.since, mentioned)]
        policies[dataset] = _chain(connection, schema.policies, dataset, end)
        indices.update(row.leaf for row in (*versions[dataset], *policies[dataset]))
        _check_count(len(indices), limits)
    return Selection(array("q", sorted(indices)), begins, versions, policies, _registries(connection, end))


def acknowledged(
    plan: ExportPlan, selection: Selection, dataset: DatasetId, end: int
) -> sa.Select[Any, Any, Any]:
    """The query for the acknowledgements of a dataset that belong to the bundle: leaf, partner, envelope."""
    table, versions = schema.acknowledgements, schema.versions
    query = (
        sa.select(table.c.leaf, table.c.partner, table.c.envelope)
        .join(versions, versions.c.id == table.c.version)
        .where(versions.c.dataset == dataset, table.c.leaf < end)
        .order_by(table.c.leaf)
    )
    if plan.is_whole(dataset):
        return query.where(table.c.leaf >= selection.begins.get(owner_of(dataset), end))
    query = query.where(table.c.partner == plan.audience)
    return query if plan.since is None else query.where(table.c.accepted >= format_instant(plan.since))


def departed(plan: ExportPlan, selection: Selection, end: int) -> sa.Select[Any, Any, Any]:
    """The query for the words of nodes that left, of the owners whose lanes are whole: leaf, partner,
    envelope."""
    table, leaves = schema.departures, schema.leaves
    begun = [
        sa.and_(leaves.c.lane_owner == owner, leaves.c.idx >= begin)
        for owner, begin in selection.begins.items()
        if owner in plan.whole
    ]
    return (
        sa.select(table.c.leaf, table.c.partner, table.c.envelope)
        .join(leaves, leaves.c.idx == table.c.leaf)
        .where(table.c.node != "", table.c.leaf < end, sa.or_(sa.false(), *begun))
        .order_by(table.c.leaf)
    )


def _check_count(count: int, limits: Limits) -> None:
    if count > limits.bundle_records_count_max:
        raise InvalidInput(
            f"a bundle holds at most {limits.bundle_records_count_max:,} records, these are more",
            remedy="export a later period: --since DATE",
            reason="TOO_MANY_RECORDS",
        )


def _lane(
    connection: sa.Connection,
    which: sa.ColumnElement[bool],
    since: datetime | None,
    end: int | None,
    mentioned: set[str],
) -> "array[int]":
    """The leaves of a lane from the first record of `since` on; `mentioned` gets what they are about."""
    leaves = schema.leaves
    columns = [leaves.c.idx] if since is None else [leaves.c.idx, leaves.c.record]
    query = sa.select(*columns).where(which, leaves.c.nonce.is_not(None)).order_by(leaves.c.idx)
    if end is not None:
        query = query.where(leaves.c.idx < end)
    found = array("q")
    for row in connection.execution_options(yield_per=1000).execute(query):
        if since is not None:
            record = parse_strict(row.record)
            if not found and parse_instant(record["time"]) < since:
                continue
            mentioned.update(_about(record))
        found.append(row.idx)
    return found


def _about(record: Mapping[str, Any]) -> Iterable[str]:
    """The ids of statements that a record names."""
    for value in (record.get("statement_sha256"), record["detail"].get("version")):
        if isinstance(value, str):
            yield value


def _own(
    connection: sa.Connection, plan: ExportPlan, dataset: DatasetId, end: int | None, mentioned: set[str]
) -> list[int]:
    """The deliveries to a partner and its acknowledgements, which stand in the owner's lane."""
    versions, leaves = schema.versions, schema.leaves
    found: list[int] = []
    for table in (schema.deliveries, schema.acknowledgements):
        query = (
            sa.select(table.c.leaf, table.c.version, leaves.c.record)
            .join(versions, versions.c.id == table.c.version)
            .join(leaves, leaves.c.idx == table.c.leaf)
            .where(versions.c.dataset == dataset, table.c.partner == plan.audience)
        )
        if end is not None:
            query = query.where(table.c.leaf < end)
        for row in connection.execute(query):
            if plan.since is None or parse_instant(parse_strict(row.record)["time"]) >= plan.since:
                found.append(row.leaf)
                mentioned.add(row.version)
    return found


def _is_wanted(version: sa.Row[Any], since: datetime | None, mentioned: set[str]) -> bool:
    return since is None or version.id in mentioned or parse_instant(version.accepted) >= since


def _chain(
    connection: sa.Connection, table: sa.Table, dataset: DatasetId, end: int | None
) -> Sequence[sa.Row[Any]]:
    columns: list[sa.ColumnElement[Any]] = [table.c.seq, table.c.id, table.c.leaf, table.c.accepted]
    if table is schema.versions:
        columns.append(table.c.root.is_not(None).label("has_content"))
    query = sa.select(*columns).where(table.c.dataset == dataset).order_by(table.c.seq)
    return connection.execute(query if end is None else query.where(table.c.leaf < end)).all()


def _registries(connection: sa.Connection, end: int | None) -> Sequence[sa.Row[Any]]:
    table = schema.registry_statements
    query = sa.select(table).order_by(table.c.seq)
    return connection.execute(query if end is None else query.where(table.c.leaf < end)).all()
