"""One partner: its nodes with all that they say, its datasets, its invitations, what it takes on the disk.

reader.read("la-dgm", fleet_view, {"main": (line, report)}, ()).nodes[0].history
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from core.clock import parse_instant
from core.errors import InvalidInput
from hub.overview.datasets import DatasetReader
from hub.overview.model import (
    Attention,
    EnrolmentView,
    FleetView,
    NodeLine,
    NodeView,
    PartnerView,
    Sample,
    StoragePoint,
)
from hub.overview.report import Report
from hub.overview.samples import history
from hub.services.hub import Hub
from hub.services.invitations import EXPIRED, INVITED
from hub.storage import schema
from security.join import format_fingerprint

_HISTORY = timedelta(days=3)
_WORKS_SHOWN_MAX = 500
_PROBLEMS_SHOWN_MAX = 50
_ENROLMENTS_SHOWN_MAX = 50
_POINTS_SHOWN_MAX = 400


class PartnerReader:
    """Answers `partner`. Thread-safe."""

    def __init__(self, hub: Hub, datasets: DatasetReader) -> None:
        self._context = hub.context
        self._registry = hub.registry
        self._datasets = datasets

    def read(
        self,
        partner: str,
        fleet: FleetView,
        nodes: Mapping[str, tuple[NodeLine, Report]],
        attention: tuple[Attention, ...],
    ) -> PartnerView:
        """One partner of `fleet`; `attention` is about it. Raises `InvalidInput` (NO_SUCH_PARTNER)."""
        line = next((each for each in fleet.partners if each.partner == partner), None)
        if line is None:
            raise InvalidInput(
                f"{partner} is not a partner of this federation",
                remedy="the fleet lists those that there are",
                reason="NO_SUCH_PARTNER",
            )
        now, seq = self._context.clock.now(), fleet.hub.registry_seq
        with self._context.database.read() as connection:
            samples = history(connection, partner, now - _HISTORY)
            enrolments = _enrolments(connection, partner, now)
            used = _used(connection, partner)
        state = self._datasets.state()
        return PartnerView(
            line=line,
            nodes=tuple(node_view(*nodes[each.node], seq, samples.get(each.node, ())) for each in line.nodes),
            attention=attention,
            enrolments=enrolments,
            datasets=self._datasets.lines(state.of_owner(partner), state),
            used=used,
        )


def node_view(line: NodeLine, report: Report, registry_seq: int, samples: Sequence[Sample] = ()) -> NodeView:
    """All that a node's newest report says. `registry_seq` is the newest at the hub."""
    behind = None if report.registry_seq is None else max(0, registry_seq - report.registry_seq)
    shown = [*report.publishes[:_WORKS_SHOWN_MAX]], [*report.mirrors[:_WORKS_SHOWN_MAX]]
    left_out = len(report.publishes) + len(report.mirrors) - sum(map(len, shown))
    return NodeView(
        **{name: getattr(line, name) for name in NodeLine.model_fields if name != "problems"},
        problems=report.problems[:_PROBLEMS_SHOWN_MAX],
        started=report.started,
        certificate_expires=report.certificate_expires,
        signing_key_since=report.signing_key_since,
        registry_seq=report.registry_seq,
        registry_behind=behind,
        disks=report.disks,
        watch=report.watch,
        witness=report.witness,
        last_error=report.last_error,
        publishes=tuple(shown[0]),
        mirrors=tuple(shown[1]),
        omitted=report.omitted + left_out,
        history=tuple(samples),
    )


def _enrolments(connection: sa.Connection, partner: str, now: datetime) -> tuple[EnrolmentView, ...]:
    """The newest first."""
    table = schema.enrolments
    rows = connection.execute(
        sa.select(table)
        .where(table.c.partner == partner)
        .order_by(table.c.number.desc())
        .limit(_ENROLMENTS_SHOWN_MAX)
    )
    return tuple(
        EnrolmentView(
            number=row.number,
            partner=row.partner,
            node=row.node,
            state=EXPIRED if row.state == INVITED and now >= parse_instant(row.expires) else row.state,
            invited=parse_instant(row.invited),
            expires=parse_instant(row.expires),
            joined=None if row.joined is None else parse_instant(row.joined),
            fingerprint=None if row.join_sha256 is None else format_fingerprint(row.join_sha256),
            replace=row.replace,
        )
        for row in rows
    )


def _used(connection: sa.Connection, partner: str) -> tuple[StoragePoint, ...]:
    table = schema.storage_samples
    rows = connection.execute(
        sa.select(table.c.time, table.c.used_bytes, table.c.free_bytes)
        .where(table.c.owner == partner)
        .order_by(table.c.time.desc())
        .limit(_POINTS_SHOWN_MAX)
    ).all()
    return tuple(
        StoragePoint(time=parse_instant(row.time), used_bytes=row.used_bytes, free_bytes=row.free_bytes)
        for row in reversed(rows)
    )
