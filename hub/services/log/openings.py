"""The openings for an export: whole lanes for their owners, everything for the federation's auditors.

Who may have them is decided by the caller (hub/export); nothing here asks.

    for each in openings.of({PartnerId("la-dgm")}, since=None):
        each.index, each.leaf, each.opening, each.lane, each.type
"""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.clock import parse_instant
from core.names import PartnerId
from hub.services.context import Context
from hub.storage import schema
from security.canonical import parse_strict
from security.tlog.leaf import Opening
from security.tlog.opening_file import LanePlace

_PAGE_COUNT = 1000


@dataclass(frozen=True, slots=True)
class OpenedLeaf:
    """A leaf with its opening; `lane` is its place in the lane of `owner`, both None where it has none."""

    index: int
    leaf: bytes
    opening: Opening
    lane: LanePlace | None
    owner: PartnerId | None
    type: str


class Openings:
    """Reads openings in the order of the log."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._database = context.database

    def of(
        self, lanes: Set[PartnerId] | None, since: datetime | None = None, end: int | None = None
    ) -> Iterator[OpenedLeaf]:
        """The records of `lanes` (None: of all, and those in nobody's lane), accepted at or after `since`,
        with an index below `end` (None: every one; give the checkpoint's size)."""
        after = -1
        while True:
            with self._database.read() as connection:
                rows = connection.execute(_query(lanes, after, end)).all()
            for row in rows:
                if since is None or _time(row.record, self._context) >= since:
                    yield _opened(row)
            if len(rows) < _PAGE_COUNT:
                return
            after = rows[-1].idx


def _query(lanes: Set[PartnerId] | None, after: int, end: int | None) -> sa.Select[Any]:
    leaves = schema.leaves
    before = leaves.alias()
    query = (
        sa.select(leaves, before.c.lane_commitment.label("lane_prev"))
        .outerjoin(
            before,
            sa.and_(before.c.lane_owner == leaves.c.lane_owner, before.c.lane_n == leaves.c.lane_n - 1),
        )
        .where(leaves.c.idx > after, leaves.c.nonce.is_not(None))
        .order_by(leaves.c.idx)
        .limit(_PAGE_COUNT)
    )
    if lanes is not None:
        query = query.where(leaves.c.lane_owner.in_(sorted(lanes)))
    return query if end is None else query.where(leaves.c.idx < end)


def _opened(row: sa.Row[Any]) -> OpenedLeaf:
    lane = None if row.lane_n is None else LanePlace(row.lane_n, row.lane_prev, row.lane_salt)
    return OpenedLeaf(row.idx, row.leaf, Opening(row.record, row.nonce), lane, row.lane_owner, row.type)


def _time(record: bytes, context: Context) -> datetime:
    return parse_instant(parse_strict(record, context.limits)["time"])
