"""The newest report of each node, read from the database and parsed once.

A report that came has the revision of its commit: what is newer than the last look is read, the rest is
known. The process that takes the reports has parsed them already, and lends what it has. What was stored
before a release that reads more strictly, and cannot be read, says nothing.

    with database.read() as connection:
        reports.read(connection)["la-dgm", "main"].report.backlog_bytes
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from core.clock import parse_instant
from core.errors import InvalidInput
from core.limits import Limits
from hub.overview.report import Report, ReportReader
from hub.storage import schema

Key = tuple[str, str]
"""Partner and node."""


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What a node said last; `time` is when it came, by the hub's clock."""

    partner: str
    node: str
    time: datetime
    report: Report


class NewestReports:
    """Keeps what it has parsed. Thread-safe."""

    def __init__(self, limits: Limits, lent: Mapping[Key, tuple[int, Report]] | None = None) -> None:
        """`lent`: reports that were parsed in this process, with their revisions."""
        self._reader = ReportReader(limits)
        self._lent = {} if lent is None else lent
        self._lock = threading.Lock()
        self._known: dict[Key, NodeReport] = {}
        self._revision = -1

    def read(self, connection: sa.Connection) -> Mapping[Key, NodeReport]:
        """By partner and node, as `connection` sees them. The mapping is not changed afterwards."""
        with self._lock:
            return self._read(connection)

    def _read(self, connection: sa.Connection) -> Mapping[Key, NodeReport]:
        table = schema.status_reports
        newest = connection.execute(sa.select(schema.revision.c.any)).scalar_one()
        if newest == self._revision:
            return self._known
        if newest < self._revision:  # an older snapshot than the last
            return self._known
        rows = connection.execute(
            sa.select(table.c.partner, table.c.node, table.c.time, table.c.revision).where(
                table.c.revision > self._revision
            )
        ).all()
        fresh = {(row.partner, row.node): each for row in rows if (each := self._lent_for(row)) is not None}
        if len(fresh) < len(rows):
            said = sa.select(table).where(table.c.revision > self._revision)
            for row in connection.execute(said):  # one after the other: all of them together are large
                if (row.partner, row.node) not in fresh:
                    fresh[row.partner, row.node] = self._read_here(row)
        count = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        self._revision = newest
        if fresh:
            self._known = {**self._known, **fresh}
        if count != len(self._known):  # some are gone
            rows = connection.execute(sa.select(table.c.partner, table.c.node))
            there = {(row.partner, row.node) for row in rows}
            self._known = {key: each for key, each in self._known.items() if key in there}
        return self._known

    def _lent_for(self, row: Any) -> NodeReport | None:
        revision, report = self._lent.get((row.partner, row.node), (-1, _NOTHING))
        if revision != row.revision:
            return None
        return NodeReport(row.partner, row.node, parse_instant(row.time), report)

    def _read_here(self, row: Any) -> NodeReport:
        time = parse_instant(row.time)
        try:
            report = self._reader.read(row.partner, row.node, row.report, time)
        except InvalidInput:
            report = _NOTHING
        return NodeReport(row.partner, row.node, time, report)


_NOTHING = Report()
