"""Notices by itself how nodes change, those above all that stop speaking; the running hub's duty.

* What each node's state is, pages and this duty decide alike: here it is compared with the state before, and
  a change is an event. A node's point in `node_samples` is written when its state changes, and else some
  times an hour, with the highest rate since the point before.
* A hub that has just begun to run did not listen before: nobody is called silent until every node has had
  its turns.
* No node fills the journal: beyond `_EVENTS_AN_HOUR` its changes are seen in its line alone.

    dead_man = DeadMan(hub, overview)
    dead_man.begin()                    # when the hub starts to serve
    dead_man.perform()                  # every `EVERY_S`
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from core.clock import format_instant, parse_instant
from core.errors import SynclineError
from core.logs import get_logger
from hub.overview.model import NodeLine, NodeState
from hub.overview.reports import Key
from hub.overview.service import Overview
from hub.services.events import Detail, Severity
from hub.services.hub import Hub, software_version
from hub.storage import schema

EVERY_S = 5.0

_log = get_logger("hub.overview")

_EVENTS_AN_HOUR = 12
_REMEMBERED = timedelta(days=1)
_PRUNE_EVERY = timedelta(hours=1)
_PRUNE_COUNT = 5_000
_BAD: frozenset[str] = frozenset({"alarm", "trouble", "stuck"})
_GOOD: frozenset[str] = frozenset({"in sync", "behind"})


@dataclass(slots=True)
class _Seen:
    """A node as it was at the last turn. `since`: the hour in which `events` are counted."""

    state: str
    sampled: datetime | None = None
    last_seen: datetime | None = None
    rate: int = 0
    since: datetime | None = None
    events: int = 0


@dataclass(frozen=True, slots=True)
class _Event:
    kind: str
    severity: Severity
    line: NodeLine
    detail: Detail = field(default_factory=dict[str, "str | int | None"])


class DeadMan:
    """For one thread at a time."""

    def __init__(self, hub: Hub, overview: Overview) -> None:
        self._hub = hub
        self._overview = overview
        self._context = hub.context
        self._limits = hub.context.limits
        self._started: datetime | None = None
        self._pruned: datetime | None = None
        self._seen: dict[Key, _Seen] = {}

    def begin(self) -> None:
        """The hub begins to run: note it, and remember how nodes stood when it last did."""
        self._started = self._context.clock.now()
        try:
            self._hub.events.note("hub.started", "info", detail={"version": software_version()})
        except SynclineError as error:  # a full disk: the hub serves what needs no space
            _log.warning("the start was not noted", problem=error.message, remedy=error.remedy)
        with self._context.database.read() as connection:
            self._seen = _as_before(connection, self._started - _REMEMBERED)

    def perform(self) -> None:
        """Look, and write down what has changed."""
        now = self._context.clock.now()
        lines = [
            node
            for partner in self._overview.fleet().partners
            if partner.standing == "active"
            for node in partner.nodes
            if node.last_seen is not None and not (node.state == "silent" and not self._listens(now))
        ]
        rows: list[dict[str, Any]] = []
        events: list[_Event] = []
        for line in lines:
            seen = self._seen.get((line.partner, line.node))
            if seen is None:
                seen = self._seen[line.partner, line.node] = _Seen(line.state, last_seen=line.last_seen)
            events += self._paced(seen, now, _changes(seen, line))
            seen.rate = max(seen.rate, line.rate_bytes_s)
            if seen.state != line.state or self._is_due(seen, now):
                rows.append(_row(line, seen.rate, now))
                seen.sampled, seen.rate = now, 0
            seen.state, seen.last_seen = line.state, line.last_seen
        if rows or events:
            self._write(rows, events)
        if self._pruned is None or now - self._pruned >= _PRUNE_EVERY:
            self._pruned = now
            self._prune(now)

    # --- steps -----------------------------------------------------------------------------------

    def _listens(self, now: datetime) -> bool:
        patience = timedelta(seconds=self._limits.reports_missed_max * self._limits.report_every_s)
        return self._started is None or now - self._started > patience

    def _is_due(self, seen: _Seen, now: datetime) -> bool:
        return seen.sampled is None or now - seen.sampled >= timedelta(seconds=self._limits.sample_every_s)

    def _paced(self, seen: _Seen, now: datetime, events: Iterator[_Event]) -> list[_Event]:
        kept: list[_Event] = []
        for event in events:
            if seen.since is None or now - seen.since >= timedelta(hours=1):
                seen.since, seen.events = now, 0
            seen.events += 1
            if seen.events <= _EVENTS_AN_HOUR:
                kept.append(event)
        return kept

    def _write(self, rows: Sequence[dict[str, Any]], events: Sequence[_Event]) -> None:
        with self._context.database.write(visible=False) as connection:
            if rows:
                statement = insert(schema.node_samples)
                columns = {
                    name: statement.excluded[name]
                    for name in ("state", "bytes_left", "rate_bytes_s", "lag_s")
                }
                connection.execute(
                    statement.on_conflict_do_update(index_elements=["partner", "node", "time"], set_=columns),
                    rows,
                )
            for event in events:
                self._hub.events.note(
                    event.kind,
                    event.severity,
                    partner=event.line.partner,
                    node=event.line.node,
                    detail=event.detail,
                    connection=connection,
                )

    def _prune(self, now: datetime) -> None:
        """Drop points that are too old, some thousand in a transaction."""
        table = schema.node_samples
        oldest = format_instant(now - timedelta(seconds=self._limits.samples_keep_s))
        rowid = sa.literal_column("rowid")
        old = sa.select(rowid).select_from(table).where(table.c.time < oldest).limit(_PRUNE_COUNT)
        while True:
            with self._context.database.write(visible=False) as connection:
                dropped = connection.execute(table.delete().where(rowid.in_(old))).rowcount
            if dropped < _PRUNE_COUNT:
                return


def _changes(seen: _Seen, line: NodeLine) -> Iterator[_Event]:
    before: str = seen.state
    state: NodeState = line.state
    if before == state:
        return
    if state == "silent":
        last = None if line.last_seen is None else format_instant(line.last_seen)
        yield _Event("node.silent", "error", line, {"last_seen": last})
        return
    if before == "silent":
        yield _Event("node.back", "info", line, {"silent_s": _passed(seen.last_seen, line.last_seen)})
    if state == "stuck":
        yield _Event("node.stuck", "warning", line, {"left_bytes": line.backlog_bytes})
    elif state == "trouble":
        first = line.problems[0] if line.problems else None
        said = {"reason": first.reason, "about": first.about} if first else {}
        yield _Event("node.trouble", "warning", line, said)
    elif before in _BAD and state in _GOOD:
        yield _Event("node.recovered", "info", line, {"state_word": state})


def _passed(before: datetime | None, after: datetime | None) -> int | None:
    return None if before is None or after is None else max(0, int((after - before).total_seconds()))


def _row(line: NodeLine, rate: int, now: datetime) -> dict[str, Any]:
    return {
        "partner": line.partner,
        "node": line.node,
        "time": format_instant(now),
        "state": line.state,
        "bytes_left": line.backlog_bytes,
        "rate_bytes_s": rate,
        "lag_s": line.lag_s,
    }


def _as_before(connection: sa.Connection, since: datetime) -> dict[Key, _Seen]:
    """Each node as its newest point has it."""
    table = schema.node_samples
    newest = (
        sa.select(table.c.partner, table.c.node, sa.func.max(table.c.time).label("time"))
        .where(table.c.time >= format_instant(since))
        .group_by(table.c.partner, table.c.node)
        .subquery()
    )
    rows = connection.execute(
        sa.select(table.c.partner, table.c.node, table.c.time, table.c.state).join(
            newest,
            sa.and_(
                newest.c.partner == table.c.partner,
                newest.c.node == table.c.node,
                newest.c.time == table.c.time,
            ),
        )
    )
    return {
        (row.partner, row.node): _Seen(row.state, sampled=(time := parse_instant(row.time)), last_seen=time)
        for row in rows
    }
