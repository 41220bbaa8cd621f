"""Each partner in a line: its worst node's state, and its nodes' work together.

A line is kept while what it is made of is the same: the partner's entry, its nodes' lines, their newest
samples, the half hour, its storage and its datasets.

    lines = PartnerLines(quotas)
    lines.read(partners, nodes, samples, uses, counts, now)[0].state
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from core.names import PartnerId
from hub.overview import claims
from hub.overview.counting import Counted
from hub.overview.members import PartnerMember
from hub.overview.model import NodeLine, PartnerLine
from hub.overview.node_lines import Shown
from hub.overview.node_state import rank
from hub.overview.reports import Key
from hub.overview.samples import Line, backlog, step_of
from hub.services.content import Use
from hub.services.context import Quotas

_ORDER = {"active": 0, "pending": 1, "invited": 1, "suspended": 2, "left": 3, "revoked": 4}

Steps = tuple[int | None, ...]


class PartnerLines:
    """Keeps the lines of the last look. Its caller serialises."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._known: dict[str, tuple[object, PartnerLine]] = {}
        self._steps: dict[str, tuple[object, Steps]] = {}

    def read(
        self,
        partners: Sequence[PartnerMember],
        nodes: Mapping[Key, Shown],
        samples: Mapping[Key, Line],
        uses: Mapping[str, Use],
        counts: Counted,
        now: datetime,
    ) -> list[PartnerLine]:
        """A line for each of `partners`: members before those who are none any more, or not yet; then by
        state, lag and name."""
        step, known, steps = step_of(now), dict[str, tuple[object, PartnerLine]](), self._steps
        for member in partners:
            name = member.partner
            own = [nodes[name, node.name][0] for node in member.nodes]
            sampled = [line for node in member.nodes if (line := samples.get((name, node.name)))]
            last = [line.last for line in sampled]
            use = uses.get(name)
            made_of = member, own, last, step, use, counts.of_owner.get(name, 0), counts.late.get(name, 0)
            before = self._known.get(name)
            if before is None or before[0] != made_of:
                drawn = steps.get(name)
                if drawn is None or drawn[0] != (last, step):
                    drawn = steps[name] = (last, step), backlog(sampled, now)
                before = made_of, self._made(member, own, drawn[1], use, counts)
            known[name] = before
        self._known = known
        self._steps = {name: steps[name] for name in known if name in steps}
        return sorted((line for _, line in known.values()), key=_worst_first)

    def _made(
        self,
        member: PartnerMember,
        own: Sequence[NodeLine],
        steps: Steps,
        use: Use | None,
        counts: Counted,
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
            datasets=counts.of_owner.get(member.partner, 0),
            datasets_late=counts.late.get(member.partner, 0),
            used_bytes=use.used_bytes if use else 0,
            quota_bytes=use.quota_bytes if use else self._quotas.of(PartnerId(member.partner)),
        )


def _worst_first(line: PartnerLine) -> tuple[int, int, int, str]:
    return _ORDER[line.standing], rank(line.state), -(line.lag_s or 0), line.partner
