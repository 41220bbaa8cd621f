"""Who is in sync, who is late, what is stuck; the worst first. Made anew at most once in `view_fresh_s`.

A look costs what has changed: reports, samples and leaves since the last one are read, and a node's line is
made anew when its report, its state or its lag has changed. `forget` is for who has just acted, and wants to
see it.

    reader = FleetReader(hub, settings, datasets)
    reader.view().partners[0].state              # the worst
    reader.partner(PartnerId("la-dgm")).nodes
"""

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from core.clock import parse_instant
from core.names import PartnerId
from hub.administrators import key_files
from hub.alerts.outbox import read_troubles
from hub.config import HubSettings
from hub.overview import claims, waiting
from hub.overview.attention import OpenAlarm, Situation, attention, summed_up
from hub.overview.attention_of_nodes import SeenNode
from hub.overview.counting import Counted, DatasetCounts, counted
from hub.overview.datasets import DatasetReader
from hub.overview.hub_line import HubReader
from hub.overview.lags import Lags
from hub.overview.members import MemberNode, PartnerMember, members
from hub.overview.model import Attention, FleetView, NodeLine, NodeView, PartnerLine, PartnerView
from hub.overview.node_state import node_state, rank
from hub.overview.partner import PartnerReader, node_view
from hub.overview.quotas import Uses
from hub.overview.report import Report
from hub.overview.reports import Key, NewestReports, NodeReport
from hub.overview.samples import Line, Samples, backlog, step_of
from hub.services.content import Use
from hub.services.context import Context
from hub.services.hub import Hub
from hub.storage import schema

_PROBLEMS_SHOWN_MAX = 5
_STARTED = "hub.started"
_EMPTY = Report()


@dataclass(frozen=True, slots=True)
class Looked:
    """One look: what is shown, and what it was made of."""

    view: FleetView
    attention: tuple[Attention, ...]
    nodes: Mapping[Key, tuple[NodeLine, Report]]


@dataclass(slots=True)
class _Node:
    """A node as it was at the last look; `lag_since` belongs to `seen`."""

    seen: NodeReport | None
    lag_since: datetime | None
    line: NodeLine


class FleetReader:
    """Answers `fleet` and `partner`. Thread-safe."""

    def __init__(
        self, hub: Hub, settings: HubSettings, datasets: DatasetReader, command: str = "syncline-hub"
    ) -> None:
        self._hub = hub
        self._settings = settings
        self._context: Context = hub.context
        self._limits = hub.context.limits
        self._command = command
        self._counts = DatasetCounts(datasets, hub.context.clock)
        self._hub_reader = HubReader(hub, settings)
        self._reports = NewestReports(self._limits, hub.fleet.parsed)
        self._samples = Samples(self._limits)
        self._lags = Lags()
        self._uses = Uses(hub)
        self._partners = PartnerReader(hub, datasets)
        self._lock = threading.Lock()
        self._known: dict[Key, _Node] = {}
        self._partner_lines: dict[str, tuple[object, PartnerLine]] = {}
        self._looked: tuple[float, Looked] | None = None
        self._started: tuple[int, datetime | None] = (0, None)

    def view(self) -> FleetView:
        """Every partner and node, as of `view_fresh_s` ago at the most."""
        return self.look().view

    def look(self) -> Looked:
        """The same with what it was made of."""
        clock = self._context.clock
        with self._lock:
            if self._looked is None or clock.monotonic() - self._looked[0] >= self._limits.view_fresh_s:
                self._looked = clock.monotonic(), self._look(clock.now())
            return self._looked[1]

    def reports(self, connection: sa.Connection) -> Mapping[Key, NodeReport]:
        """Each node's newest report, for other answers: parsed once for all."""
        return self._reports.read(connection)

    def revision(self) -> int:
        """The revision that is shown: the kept look's while it is kept, else the database's."""
        context = self._context
        with self._lock:
            if (
                self._looked is not None
                and context.clock.monotonic() - self._looked[0] < self._limits.view_fresh_s
            ):
                return self._looked[1].view.revision
            return context.database.revisions()[0]

    def forget(self) -> None:
        """Make it anew at the next question."""
        with self._lock:
            self._looked = None

    def partner(self, partner: PartnerId) -> PartnerView:
        """One partner. Raises `InvalidInput` (NO_SUCH_PARTNER)."""
        looked = self.look()
        of_it = {key[1]: each for key, each in looked.nodes.items() if key[0] == partner}
        about_it = tuple(each for each in looked.attention if each.partner == partner)
        return self._partners.read(partner, looked.view, of_it, about_it)

    def nodes(self) -> tuple[NodeView, ...]:
        """Every node of the partners in good standing with all that it says, without its history."""
        looked = self.look()
        seq = looked.view.hub.registry_seq
        return tuple(
            node_view(*looked.nodes[node.partner, node.node], seq)
            for partner in looked.view.partners
            if partner.standing == "active"
            for node in partner.nodes
        )

    # --- one look --------------------------------------------------------------------------------

    def _look(self, now: datetime) -> Looked:
        membership = self._hub.registry.membership()
        counts = self._counts.read()
        with self._context.database.read() as connection:
            revision = connection.execute(sa.select(schema.revision.c.any)).scalar_one()
            belonging = members(connection, membership, now)
            reports = self._reports.read(connection)
            lines = self._samples.read(connection, now)
            alarms = waiting.open_alarms(reports.values(), waiting.acknowledged(connection))
            nodes = self._nodes(connection, belonging, reports, lines, alarms, now)
            hub = self._hub_reader.read(connection, now)
            situation = Situation(
                now=now,
                limits=self._limits,
                alerts=self._settings.alerts,
                command=self._command,
                hub=hub,
                directory=str(self._settings.layout.directory),
                writable=os.access(self._settings.layout.directory, os.W_OK),
                restored=self._settings.layout.restored.exists(),
                started=self._when_started(connection),
                checkpoint=_checkpoint_time(connection, membership.registry.registry.logs[-1].origin),
                renewal_due=self._hub.registry.renewal_due(),
                keys_at_hand=bool(key_files(self._settings.admin_keys)),
                keys_within=self._keys_within(),
                alarms=_of_active(alarms, belonging),
                waiting=waiting.requests_to_join(connection),
                unsigned=waiting.unsigned(connection),
                requests=waiting.requests(connection, now, self._limits),
                nodes=_seen(belonging, nodes),
                uses={
                    each.partner: self._uses.of(each.partner)
                    for each in belonging
                    if each.standing not in ("invited", "pending")
                },
                late=counts.late,
                channels=read_troubles(connection),
            )
        partners = [self._partner_line(each, nodes, lines, situation, counts, now) for each in belonging]
        partners.sort(key=_worst_first)
        found = attention(situation)
        view = FleetView(
            revision=revision,
            hub=hub,
            counts=counted(partners, counts),
            attention=tuple(summed_up(found)),
            partners=tuple(partners),
        )
        return Looked(view, found, nodes)

    def _nodes(
        self,
        connection: sa.Connection,
        belonging: Sequence[PartnerMember],
        reports: Mapping[Key, NodeReport],
        lines: Mapping[Key, Line],
        alarms: Mapping[Key, Sequence[OpenAlarm]],
        now: datetime,
    ) -> dict[Key, tuple[NodeLine, Report]]:
        known: dict[Key, _Node] = {}
        for partner in belonging:
            for node in partner.nodes:
                key = partner.partner, node.name
                seen = reports.get(key)
                count = len(alarms.get(key, ()))
                known[key] = self._node(connection, key, node, seen, lines.get(key), count, now)
        self._known = known
        return {key: (each.line, each.seen.report if each.seen else _EMPTY) for key, each in known.items()}

    def _node(
        self,
        connection: sa.Connection,
        key: Key,
        node: MemberNode,
        seen: NodeReport | None,
        line: Line | None,
        alarms: int,
        now: datetime,
    ) -> _Node:
        before = self._known.get(key)
        report = seen.report if seen else _EMPTY
        same = before is not None and before.seen is seen
        lag_since = before.lag_since if same and before else self._lags.since(connection, report, node.joined)
        state = node_state(
            seen,
            now,
            self._limits,
            alarms=alarms,
            still_since=line.still.now(report.backlog_bytes) if line else None,
            left=node.has_left,
        )
        lag_s = None if lag_since is None else max(0, int((now - lag_since).total_seconds()))
        if (
            same
            and before
            and (before.line.state, before.line.lag_s, before.line.alarms) == (state, lag_s, alarms)
        ):
            return before
        shown = NodeLine(
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
        return _Node(seen, lag_since, shown)

    def _partner_line(
        self,
        member: PartnerMember,
        nodes: Mapping[Key, tuple[NodeLine, Report]],
        samples: Mapping[Key, Line],
        situation: Situation,
        counts: Counted,
        now: datetime,
    ) -> PartnerLine:
        own = [nodes[member.partner, node.name][0] for node in member.nodes]
        sampled = [samples[key] for line in own if (key := (line.partner, line.node)) in samples]
        use = situation.uses.get(member.partner)
        datasets = counts.of_owner.get(member.partner, 0), counts.late.get(member.partner, 0)
        made_of = member, own, [line.last for line in sampled], step_of(now), use, datasets
        known = self._partner_lines.get(member.partner)
        if known is not None and known[0] == made_of:
            return known[1]
        line = self._new_partner_line(member, own, backlog(sampled, now), use, datasets)
        self._partner_lines[member.partner] = made_of, line
        return line

    def _new_partner_line(
        self,
        member: PartnerMember,
        own: Sequence[NodeLine],
        steps: tuple[int | None, ...],
        use: Use | None,
        datasets: tuple[int, int],
    ) -> PartnerLine:
        own = sorted(own, key=lambda line: (rank(line.state), -(line.lag_s or 0), line.node))
        seen = [line.last_seen for line in own if line.last_seen is not None]
        lags = [line.lag_s for line in own if line.lag_s is not None]
        return PartnerLine(
            partner=member.partner,
            names=dict(member.names),
            standing=member.standing,
            state=own[0].state if own else "left" if member.standing == "left" else "no report yet",
            lag_s=max(lags, default=None),
            backlog_bytes=claims.total(line.backlog_bytes for line in own),
            rate_bytes_s=claims.total(line.rate_bytes_s for line in own),
            last_seen=max(seen, default=None),
            backlog=steps,
            nodes=tuple(own),
            datasets=datasets[0],
            datasets_late=datasets[1],
            used_bytes=use.used_bytes if use else 0,
            quota_bytes=use.quota_bytes if use else self._context.quotas.of(PartnerId(member.partner)),
        )

    def _when_started(self, connection: sa.Connection) -> datetime | None:
        """When a hub last began to run on this directory; only events since the last look are read."""
        table = schema.events
        number, started = self._started
        newest = connection.execute(sa.select(sa.func.max(table.c.number))).scalar_one() or 0
        if newest != number:
            row = connection.execute(
                sa.select(table.c.time)
                .where(table.c.kind == _STARTED, table.c.number > number)
                .order_by(table.c.number.desc())
                .limit(1)
            ).one_or_none()
            started = started if row is None else parse_instant(row.time)
            self._started = newest, started
        return started

    def _keys_within(self) -> str | None:
        keys = self._settings.admin_keys
        return str(keys) if keys == self._settings.layout.admin and key_files(keys) else None


def _checkpoint_time(connection: sa.Connection, origin: str) -> datetime | None:
    table = schema.log_checkpoints
    made = connection.execute(
        sa.select(table.c.made).where(table.c.origin == origin).order_by(table.c.size.desc()).limit(1)
    ).scalar_one_or_none()
    return None if made is None else parse_instant(made)


def _seen(belonging: Iterable[PartnerMember], nodes: Mapping[Key, tuple[NodeLine, Report]]) -> list[SeenNode]:
    """The nodes of partners in good standing, the worst first."""
    seen = [
        SeenNode(*nodes[member.partner, node.name])
        for member in belonging
        if member.standing == "active"
        for node in member.nodes
    ]
    seen.sort(key=lambda each: rank(each.line.state))
    return seen


def _of_active(
    alarms: Mapping[Key, Sequence[OpenAlarm]], belonging: Iterable[PartnerMember]
) -> list[OpenAlarm]:
    """Of who is a member, or was suspended: an alarm does not end with its partner's standing."""
    known = {(each.partner, node.name) for each in belonging for node in each.nodes}
    return [alarm for key in sorted(alarms) if key in known for alarm in alarms[key]]


def _worst_first(line: PartnerLine) -> tuple[int, int, int, str]:
    """Members before those who are none any more, or not yet; then by state, lag and name."""
    order = {"active": 0, "pending": 1, "invited": 1, "suspended": 2, "left": 3, "revoked": 4}
    return order[line.standing], rank(line.state), -(line.lag_s or 0), line.partner
