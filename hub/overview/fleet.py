"""Who is in sync, who is late, what is stuck; the worst first. Made anew at most once in `view_fresh_s`.

A look costs what has changed: reports, samples and leaves since the last one are read, and the lines of nodes
and partners are made anew where they say something else (`node_lines`, `partner_lines`). `forget` is for who
has just acted, and wants to see it.

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
from hub.overview import waiting
from hub.overview.attention import OpenAlarm, Situation, attention, summed_up
from hub.overview.attention_of_nodes import SeenNode, Told
from hub.overview.counting import DatasetCounts, counted
from hub.overview.datasets import DatasetReader
from hub.overview.hub_line import HubReader
from hub.overview.members import MemberReader, PartnerMember
from hub.overview.model import Attention, FleetView, NodeView, PartnerView
from hub.overview.node_lines import NodeLines, Shown
from hub.overview.node_state import rank
from hub.overview.partner import PartnerReader, node_view
from hub.overview.partner_lines import PartnerLines
from hub.overview.quotas import Uses
from hub.overview.reports import Key, NewestReports, NodeReport
from hub.overview.samples import Samples
from hub.services.context import Context
from hub.services.hub import Hub
from hub.storage import schema

_STARTED = "hub.started"


@dataclass(frozen=True, slots=True)
class Looked:
    """One look: what is shown, and what it was made of."""

    view: FleetView
    attention: tuple[Attention, ...]
    nodes: Mapping[Key, Shown]


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
        self._members = MemberReader()
        self._samples = Samples(self._limits)
        self._nodes = NodeLines(self._limits)
        self._told = Told()
        self._uses = Uses(hub.context)
        self._lines = PartnerLines(hub.context.quotas)
        self._partners = PartnerReader(hub, datasets)
        self._lock = threading.Lock()
        self._looked: tuple[float, Looked] | None = None
        self._ahead = False  # a look is being made that nobody has asked for yet
        self._started: tuple[int, datetime | None] = (0, None)

    def view(self) -> FleetView:
        """Every partner and node, as of `view_fresh_s` ago at the most."""
        return self.look().view

    def look(self) -> Looked:
        """The same with what it was made of."""
        kept = self._good()  # without the lock: nobody waits for a look that is made ahead of him
        if kept is not None:
            return kept
        with self._lock:
            return self._kept() or self._look_now()

    def refresh(self) -> None:
        """Look anew, unless the last look is younger than half of `view_fresh_s`: who calls this as often
        keeps everybody else from waiting for a look, also where it takes long."""
        with self._lock:
            if self._kept(0.5) is None:
                self._ahead = True
                try:
                    self._look_now()
                finally:
                    self._ahead = False

    def _good(self) -> Looked | None:
        """The last look, if it may be shown: up to twice as old while the next is made ahead."""
        return self._kept(2.0 if self._ahead else 1.0)

    def _kept(self, share: float = 1.0) -> Looked | None:
        """The last look, if it is younger than this share of `view_fresh_s`."""
        looked = self._looked
        if looked is None:
            return None
        age_s = self._context.clock.monotonic() - looked[0]
        return looked[1] if age_s < share * self._limits.view_fresh_s else None

    def _look_now(self) -> Looked:
        clock = self._context.clock
        self._looked = clock.monotonic(), self._look(clock.now())
        return self._looked[1]

    def reports(self, connection: sa.Connection) -> Mapping[Key, NodeReport]:
        """Each node's newest report, for other answers: parsed once for all."""
        return self._reports.read(connection)

    def revision(self) -> int:
        """The revision that is shown: the kept look's while it is kept, else the database's."""
        kept = self._good()
        if kept is None:
            with self._lock:
                kept = self._kept()
        return self._context.database.revisions()[0] if kept is None else kept.view.revision

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
            belonging = self._members.read(connection, membership, now)
            reports = self._reports.read(connection)
            lines = self._samples.read(connection, now)
            alarms = waiting.open_alarms(reports.values(), waiting.acknowledged(connection))
            nodes = self._nodes.read(connection, belonging, reports, lines, alarms, now)
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
                uses=self._uses.of(
                    each.partner for each in belonging if each.standing not in ("invited", "pending")
                ),
                late=counts.late,
                channels=read_troubles(connection),
                told=self._told,
            )
            partners = self._lines.read(belonging, nodes, lines, situation.uses, counts, now)
        found = attention(situation)
        view = FleetView(
            revision=revision,
            hub=hub,
            counts=counted(partners, counts),
            attention=tuple(summed_up(found)),
            partners=tuple(partners),
        )
        return Looked(view, found, nodes)

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


def _seen(belonging: Iterable[PartnerMember], nodes: Mapping[Key, Shown]) -> list[SeenNode]:
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
    if not alarms:
        return []
    known = {(each.partner, node.name) for each in belonging for node in each.nodes}
    return [alarm for key in sorted(alarms) if key in known for alarm in alarms[key]]
