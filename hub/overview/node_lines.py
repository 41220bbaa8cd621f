"""Each node in a line: how it stands, what it has left to move, since when it lacks something.

A line is kept while it cannot say anything else: the same report, sample, alarms and standing, and no instant
passed at which the state turns (silent, stuck) or the lag counts one second more. So a look at a thousand
nodes makes anew those that have reported, and those that lag.

    lines = NodeLines(limits)
    lines.read(connection, partners, reports, samples, alarms, now)["la-dgm", "main"]    # line and report
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from core.limits import Limits
from hub.overview.attention import OpenAlarm
from hub.overview.lags import Lags
from hub.overview.members import MemberNode, PartnerMember
from hub.overview.model import NodeLine
from hub.overview.node_state import node_state
from hub.overview.report import Report
from hub.overview.reports import Key, NodeReport
from hub.overview.samples import Line

_PROBLEMS_SHOWN_MAX = 5
_EMPTY = Report()
_NEVER = datetime.max.replace(tzinfo=UTC)

Shown = tuple[NodeLine, Report]


@dataclass(slots=True)
class _Node:
    """A line, what it was made of, and the time in which it holds: from `made`, before `until`."""

    seen: NodeReport | None
    sampled: datetime | None
    alarms: int
    has_left: bool
    lag_since: datetime | None
    made: datetime
    until: datetime
    shown: Shown

    def holds(
        self, seen: NodeReport | None, sampled: datetime | None, alarms: int, node: MemberNode, now: datetime
    ) -> bool:
        return (
            self.seen is seen
            and self.made <= now < self.until
            and self.sampled == sampled
            and self.alarms == alarms
            and self.has_left == node.has_left
        )


class NodeLines:
    """Keeps the lines of the last look. Its caller serialises."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lags = Lags()
        self._known: dict[Key, _Node] = {}

    def read(
        self,
        connection: sa.Connection,
        partners: Iterable[PartnerMember],
        reports: Mapping[Key, NodeReport],
        samples: Mapping[Key, Line],
        alarms: Mapping[Key, Sequence[OpenAlarm]],
        now: datetime,
    ) -> dict[Key, Shown]:
        """The line and the newest report of each node of `partners`; an empty report before the first."""
        known: dict[Key, _Node] = {}
        for partner in partners:
            for node in partner.nodes:
                key = partner.partner, node.name
                seen, sample, before = reports.get(key), samples.get(key), self._known.get(key)
                count = len(alarms.get(key, ()))
                sampled = None if sample is None else sample.last
                if before is None or not before.holds(seen, sampled, count, node, now):
                    before = self._made(connection, key, node, seen, sample, count, now, before)
                known[key] = before
        self._known = known
        return {key: each.shown for key, each in known.items()}

    def _made(
        self,
        connection: sa.Connection,
        key: Key,
        node: MemberNode,
        seen: NodeReport | None,
        sample: Line | None,
        alarms: int,
        now: datetime,
        before: _Node | None,
    ) -> _Node:
        report = seen.report if seen else _EMPTY
        is_known = before is not None and before.seen is seen
        lag_since = before.lag_since if is_known and before else None
        if not is_known:
            lag_since = self._lags.since(connection, report, node.joined)
        still_since = None if sample is None else sample.still.now(report.backlog_bytes)
        state = node_state(
            seen, now, self._limits, alarms=alarms, still_since=still_since, left=node.has_left
        )
        lag_s = None if lag_since is None else max(0, int((now - lag_since).total_seconds()))
        line = NodeLine(
            partner=key[0],
            node=key[1],
            state=state,
            version=report.version,
            last_seen=seen.time if seen else None,
            lag_s=lag_s,
            backlog_bytes=report.backlog_bytes,
            rate_bytes_s=0 if state == "silent" else report.rate_bytes_s,
            clock_offset_s=report.clock_offset_s,
            alarms=alarms,
            problems=report.problems[:_PROBLEMS_SHOWN_MAX],
        )
        if is_known and before and before.shown[0] == line:
            line = before.shown[0]  # who keeps something of it sees that it is the same
        # An instant that is now counts: at it, the next state may begin a microsecond later.
        turns = [turn for turn in self._turns(seen, still_since, lag_since, lag_s) if turn >= now]
        return _Node(
            seen=seen,
            sampled=None if sample is None else sample.last,
            alarms=alarms,
            has_left=node.has_left,
            lag_since=lag_since,
            made=now,
            until=min(turns, default=_NEVER),
            shown=(line, report),
        )

    def _turns(
        self,
        seen: NodeReport | None,
        still_since: datetime | None,
        lag_since: datetime | None,
        lag_s: int | None,
    ) -> Iterator[datetime]:
        """The instants at which a line says something else, though nothing has come."""
        limits = self._limits
        if seen is not None:
            yield seen.time + timedelta(seconds=limits.reports_missed_max * limits.report_every_s)
        if still_since is not None:
            yield still_since + timedelta(seconds=limits.stuck_s)
        if lag_since is not None and lag_s is not None:
            yield lag_since + timedelta(seconds=lag_s + 1)
