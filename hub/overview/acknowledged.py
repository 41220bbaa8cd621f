"""The newest version of a dataset that each node has acknowledged. What a node signed, not what it reports.

acknowledged.of(connection, "la-dgm/geology-1m")["th-dmr", "main"].seq
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.clock import parse_instant
from hub.storage import schema

#: Versions in which acknowledgements are looked for at once, and how many steps back.
_VERSIONS_COUNT = 100
_STEPS_COUNT_MAX = 20


@dataclass(frozen=True, slots=True)
class Held:
    """A version that a node has, and since when."""

    seq: int
    since: datetime


def of(connection: sa.Connection, dataset: str, nodes: int) -> Mapping[tuple[str, str], Held]:
    """By partner and node; goes back until `nodes` are found, or a bound is reached: who acknowledged nothing
    in the last two thousand versions counts as holding none."""
    found: dict[tuple[str, str], Held] = {}
    end = _newest(connection, dataset)
    for _ in range(_STEPS_COUNT_MAX):
        if end < 1 or len(found) >= nodes:
            break
        for row in _acknowledged(connection, dataset, end - _VERSIONS_COUNT, end):
            found.setdefault((row.partner, row.node), Held(row.seq, parse_instant(row.accepted)))
        end -= _VERSIONS_COUNT
    return found


def _newest(connection: sa.Connection, dataset: str) -> int:
    table = schema.versions
    newest = sa.select(sa.func.max(table.c.seq)).where(table.c.dataset == dataset)
    return connection.execute(newest).scalar_one() or 0


def _acknowledged(connection: sa.Connection, dataset: str, after: int, until: int) -> Any:
    """Each node's newest in a stretch of versions."""
    versions, table = schema.versions, schema.acknowledgements
    # Beside a maximum, SQLite gives the other columns of the row that has it.
    return connection.execute(
        sa.select(table.c.partner, table.c.node, sa.func.max(versions.c.seq).label("seq"), table.c.accepted)
        .select_from(versions.join(table, table.c.version == versions.c.id))
        .where(versions.c.dataset == dataset, versions.c.seq > after, versions.c.seq <= until)
        .group_by(table.c.partner, table.c.node)
    )


def counts(connection: sa.Connection, table: sa.Table, versions: list[str]) -> dict[str, int]:
    """How many rows of `table` (deliveries, acknowledgements) there are of each version."""
    rows = connection.execute(
        sa.select(table.c.version, sa.func.count().label("number"))
        .where(table.c.version.in_(versions))
        .group_by(table.c.version)
    )
    return {row.version: row.number for row in rows}
