"""The log and its witnesses: how far it is signed, who stands for it, and who has raised an alarm.

reader.view().witnesses_fresh
[alarm for alarm in reader.view().alarms if alarm.open and alarm.acknowledged is None]
"""

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa

from core.clock import parse_instant
from hub.overview.backwards import not_by_index
from hub.overview.dataset import Reports
from hub.overview.model import AlarmView, LogView, WitnessLine
from hub.overview.reports import Key, NodeReport
from hub.services.hub import Hub
from hub.services.translog import leaf_count
from hub.storage import schema
from security.registry import ACTIVE
from security.tlog.witnesses import witness_name

#: The newest alarms that are shown; each node may have two hundred, ever.
_ALARMS_COUNT = 500


class LogReader:
    """Answers `log`. Thread-safe."""

    def __init__(self, hub: Hub, reports: Reports) -> None:
        self._hub = hub
        self._context = hub.context
        self._reports = reports
        self._lock = threading.Lock()
        self._counted = 0
        self._types: Counter[str] = Counter()

    def refresh(self) -> None:
        """Count what is new, for who asks next."""
        with self._context.database.read() as connection:
            self._by_type(connection)

    def view(self) -> LogView:
        """As of now."""
        status = self._hub.log.status()
        with self._context.database.read() as connection:
            return LogView(
                origin=status.origin,
                leaves=status.leaves,
                checkpoint_size=status.checkpoint_size,
                checkpoint_time=status.checkpoint_time,
                root=_root(connection, status.origin, status.checkpoint_size),
                witnesses_fresh=status.quorum.fresh,
                witnesses_seen=status.quorum.seen,
                witnesses_needed=status.quorum.needed,
                witnesses=self._witnesses(connection, status.origin),
                alarms=alarms(connection, self._reports(connection)),
                leaves_by_type=self._by_type(connection),
            )

    def _witnesses(self, connection: sa.Connection, origin: str) -> tuple[WitnessLine, ...]:
        """Every node of the registry, whether it has cosigned or not; those that have not lately first."""
        table = schema.log_cosignatures
        rows = connection.execute(
            sa.select(table.c.partner, table.c.node, table.c.key, table.c.size, table.c.time).where(
                table.c.origin == origin, table.c.last.is_(True)
            )
        )
        cosigned = {(row.partner, row.node, row.key): row for row in rows}
        fresh_since = self._context.clock.now() - timedelta(seconds=self._context.limits.cosignature_valid_s)
        membership = self._hub.registry.membership(connection)
        federation = self._context.federation.id
        found: list[WitnessLine] = []
        for partner in membership.registry.registry.partners:
            if membership.standing_of(partner) != ACTIVE:
                continue
            for node in partner.nodes:
                row = cosigned.get((partner.id, node.name, node.witness_key))
                time = None if row is None else parse_instant(row.time)
                found.append(
                    WitnessLine(
                        name=witness_name(federation, partner.id, node.name),
                        partner=partner.id,
                        node=node.name,
                        size=None if row is None else row.size,
                        time=time,
                        fresh=time is not None and time >= fresh_since,
                    )
                )
        return tuple(sorted(found, key=lambda line: (line.fresh, line.partner, line.node)))

    def _by_type(self, connection: sa.Connection) -> dict[str, int]:
        """Leaves of each type; those that were counted before are not counted again."""
        table = schema.leaves
        with self._lock:
            end = leaf_count(connection)
            if end < self._counted:
                self._counted, self._types = 0, Counter()
            # From the beginning by the index of types alone, later by the few that are new.
            type_column = not_by_index(table.c.type) if self._counted else table.c.type
            query = (
                sa.select(type_column, sa.func.count())
                .where(table.c.idx >= self._counted)
                .group_by(type_column)
            )
            for type_, number in connection.execute(query):
                self._types[type_] += number
            self._counted = end
            return dict(sorted(self._types.items()))


def alarms(connection: sa.Connection, reports: Mapping[Key, NodeReport]) -> tuple[AlarmView, ...]:
    """The newest alarms: those that wait for an answer first."""
    table, answers = schema.alarms, schema.alarm_acknowledgements
    same = sa.and_(
        answers.c.partner == table.c.partner, answers.c.node == table.c.node, answers.c.id == table.c.id
    )
    rows = connection.execute(
        sa.select(
            table,
            answers.c.user.label("answered_by"),
            answers.c.time.label("answered"),
            answers.c.reason.label("answer"),
        )
        .outerjoin(answers, same)
        .order_by(table.c.leaf.desc())
        .limit(_ALARMS_COUNT)
    ).all()
    held = {key: {alarm.id for alarm in said.report.alarms} for key, said in reports.items()}
    found = [
        AlarmView(
            partner=row.partner,
            node=row.node,
            id=row.id,
            kind=row.kind,
            since=row.since,
            reported=parse_instant(row.reported),
            open=row.id in held.get((row.partner, row.node), ()),
            acknowledged_by=row.answered_by,
            acknowledged=None if row.answered is None else parse_instant(row.answered),
            reason=row.answer,
            leaf=row.leaf,
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda each: (each.acknowledged is not None, not each.open, -each.leaf)))


def _root(connection: sa.Connection, origin: str, size: int) -> str | None:
    table = schema.log_checkpoints
    root = connection.execute(
        sa.select(table.c.root).where(table.c.origin == origin, table.c.size == size)
    ).scalar_one_or_none()
    return None if root is None else root.hex()
