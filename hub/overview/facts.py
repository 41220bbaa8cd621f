"""What publishing nodes declare or have found out of their datasets, as it is stored.

Written by the ingestion of reports; here it is read, and whatever is not of the expected kind counts as not
said: a page never fails for what a node has told.

    facts.read(connection, since=-1)["la-dgm/geology-1m"].footprint.bbox
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from hub.overview import claims
from hub.overview.model import Footprint, Source
from hub.storage import schema
from sync.maintenance import PERIODS

NOWHERE = Footprint(bbox=None, bbox_source="unknown", begin=None, end=None, period_source="unknown")


@dataclass(frozen=True, slots=True)
class Facts:
    """One dataset's."""

    update_frequency: str | None
    next_update: datetime | None
    footprint: Footprint


def read(connection: sa.Connection, since: int) -> dict[str, Facts]:
    """What was told after that revision of the database; -1 for everything."""
    table = schema.dataset_facts
    query = sa.select(
        table.c.dataset, table.c.update_frequency, table.c.next_update, table.c.footprint, table.c.period
    ).where(table.c.revision > since)
    return {row.dataset: _facts(row) for row in connection.execute(query)}


def _facts(row: Any) -> Facts:
    place, period = _json(row.footprint), _json(row.period)
    bbox = claims.box(place.get("bbox"))
    begin, end = claims.period_end(period.get("begin")), claims.period_end(period.get("end"))
    known = begin is not None or end is not None
    footprint = NOWHERE
    if bbox is not None or known:
        footprint = Footprint(
            bbox=bbox,
            bbox_source=_source(place.get("source")) if bbox is not None else "unknown",
            begin=begin,
            end=end,
            period_source=_source(period.get("source")) if known else "unknown",
        )
    frequency = row.update_frequency if row.update_frequency in PERIODS else None
    return Facts(frequency, claims.day(row.next_update), footprint)


def _json(text: str | None) -> Mapping[str, Any]:
    try:
        return claims.table(json.loads(text)) if text else {}
    except (ValueError, RecursionError):
        return {}


def _source(value: object) -> Source:
    return "declared" if value == "declared" else "extracted" if value == "extracted" else "unknown"
