"""What moves now, what ended lately, and what waits: from the board's rows and the nodes' newest reports.

reader.view().now[0].rate_bytes_s
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from hub.overview.dataset import Reports
from hub.overview.model import TransfersView, TransferView, Work
from hub.overview.report import NOT_TO_BE_HAD
from hub.overview.reports import Key, NodeReport
from hub.services.context import Context
from hub.storage import schema

_LATELY = timedelta(hours=1)
_LATELY_COUNT = 100
_WAITING_COUNT = 500


class TransferReader:
    """Answers `transfers`. Thread-safe."""

    def __init__(self, context: Context, reports: Reports) -> None:
        self._context = context
        self._reports = reports

    def view(self) -> TransfersView:
        """As of now."""
        table, now = schema.transfers, self._context.clock.now()
        # A stream without a byte for so long is broken, whether the hub lived to say so or not.
        alive = now - timedelta(seconds=2 * self._context.limits.progress_timeout_s)
        moves = sa.and_(table.c.ended.is_(None), table.c.seen >= format_instant(alive))
        ended = sa.func.coalesce(table.c.ended, table.c.seen)
        with self._context.database.read() as connection:
            reports = self._reports(connection)
            moving = connection.execute(sa.select(table).where(moves)).all()
            lately = connection.execute(
                sa.select(table)
                .where(~moves, ended >= format_instant(now - _LATELY))
                .order_by(ended.desc(), table.c.number.desc())
                .limit(_LATELY_COUNT)
            ).all()
        shown = [_transfer(row, reports, is_moving=True) for row in moving]
        busy = {(each.partner, each.node, each.direction, each.dataset) for each in shown}
        return TransfersView(
            now=tuple(sorted(shown, key=lambda each: (-each.rate_bytes_s, each.partner, each.node))),
            lately=tuple(_transfer(row, reports, is_moving=False) for row in lately),
            waiting=_waiting(reports, busy),
        )


def _transfer(row: Any, reports: Mapping[Key, NodeReport], *, is_moving: bool) -> TransferView:
    dataset, left = row.dataset, None
    said = reports.get((row.partner, row.node))
    if said is not None and is_moving:
        if row.direction == "down":
            left = next((work.bytes_left for work in said.report.mirrors if work.dataset == dataset), None)
        else:
            sending = [work for work in said.report.publishes if work.bytes_left]
            left = sum(work.bytes_left for work in sending)
            # What comes up names no dataset; a node that has one alone to send is sending that.
            dataset = sending[0].dataset if len(sending) == 1 else dataset
    return TransferView(
        partner=row.partner,
        node=row.node,
        dataset=dataset,
        direction=row.direction,
        started=parse_instant(row.started),
        seen=parse_instant(row.seen),
        bytes_done=row.bytes_done,
        bytes_left=left,
        rate_bytes_s=row.rate_bytes_s if is_moving else 0,
        ended=_ended(row, is_moving=is_moving),
    )


def _ended(row: Any, *, is_moving: bool) -> datetime | None:
    return None if is_moving else parse_instant(row.ended or row.seen)


def _waiting(
    reports: Mapping[Key, NodeReport], busy: set[tuple[str, str, str, str | None]]
) -> tuple[Work, ...]:
    """What nodes have left to move and do not move now, most first."""
    found = (
        (-work.bytes_left, partner, node, work.dataset, direction, work)
        for (partner, node), said in reports.items()
        if said.report.backlog_bytes  # the sum of just these: most nodes have nothing to move
        for direction, works in (("up", said.report.publishes), ("down", said.report.mirrors))
        for work in works
        if work.bytes_left
        and work.state not in NOT_TO_BE_HAD
        and (partner, node, direction, work.dataset) not in busy
    )
    most = nsmallest(_WAITING_COUNT, found, key=lambda each: each[:5])
    return tuple(
        work.model_copy(update={"partner": partner, "node": node}) for _, partner, node, _, _, work in most
    )
