"""One dataset: its versions and what each changed, its policy in words, and who has it.

reader.view("la-dgm/geology-1m").versions[0].shrunk
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from core.clock import format_instant, parse_instant
from core.errors import InvalidInput
from hub.overview import acknowledged
from hub.overview.abouts import NOTHING
from hub.overview.datasets import DatasetReader
from hub.overview.facts import NOWHERE
from hub.overview.holders import Place, Subject, holders
from hub.overview.model import Attention, DatasetLine, DatasetView, Holder, Message, Severity, VersionView
from hub.overview.policy_words import rule_view
from hub.overview.reports import Key, NodeReport
from hub.services.hub import Hub
from hub.services.membership import Membership
from hub.storage import schema
from security import envelope as dsse
from security.canonical import canonical
from security.policy import Policy, disclosures_from_json
from security.rules import Rule

#: The newest versions that are shown.
_VERSIONS_COUNT = 200
_TERMS_LENGTH_MAX = 4_000

Reports = Callable[[sa.Connection], Mapping[Key, NodeReport]]
"""Each node's newest report, by partner and node."""


class OneDataset:
    """Answers `dataset`. Thread-safe."""

    def __init__(self, hub: Hub, datasets: DatasetReader, reports: Reports) -> None:
        self._hub = hub
        self._context = hub.context
        self._datasets = datasets
        self._reports = reports
        self._placed: tuple[object, list[Place]] | None = None

    def view(self, dataset: str) -> DatasetView:
        """One dataset. Raises `InvalidInput` (NO_SUCH_DATASET)."""
        state, now = self._datasets.state(), self._context.clock.now()
        head = state.heads.get(dataset)
        if head is None:
            raise InvalidInput(
                f"there is no dataset {dataset!r} here", remedy="look at the list", reason="NO_SUCH_DATASET"
            )
        line = self._datasets.lines([head], state)[0]
        about = self._datasets.abouts([head]).get(dataset, NOTHING)
        places = self._places()
        with self._context.database.read() as connection:
            rules, terms = _policy(connection, dataset)
            versions = _versions(connection, dataset, self._context.limits.remove_guard)
            held = acknowledged.of(connection, dataset, len(places))
            reports = self._reports(connection)
        found = holders(Subject(head, rules), places, held, reports, now)
        declared = state.facts.get(dataset)
        return DatasetView(
            line=line,
            rights_holder=about.rights_holder,
            attribution=about.attribution,
            classification=about.classification,
            supersedes=about.supersedes,
            footprint=NOWHERE if declared is None else declared.footprint,
            policy_seq=head.policy_seq,
            rules=tuple(rule_view(rule) for rule in sorted(rules, key=lambda rule: rule.uid)),
            terms=terms,
            versions=versions,
            holders=found,
            attention=tuple(_attention(line, versions, found)),
        )

    def _places(self) -> list[Place]:
        """Every node of every partner, as the registry has them; kept while it says the same."""
        membership = self._hub.registry.membership()
        made_of = membership.registry, membership.suspended, membership.members.keys()
        if self._placed is None or self._placed[0] != made_of:
            self._placed = made_of, self._placed_by(membership)
        return self._placed[1]

    @staticmethod
    def _placed_by(membership: Membership) -> list[Place]:
        found: list[Place] = []
        for partner in membership.registry.registry.partners:
            standing = membership.standing_of(partner)
            names = sorted(
                str(node.name) for node in partner.nodes if (partner.id, node.name) in membership.members
            )
            found += [Place(partner.id, name, standing) for name in names] or [
                Place(partner.id, None, standing)
            ]
        return sorted(found, key=lambda place: (place.partner, place.node or ""))


def _policy(connection: sa.Connection, dataset: str) -> tuple[Sequence[Rule], str | None]:
    """The rules in force and the owner's terms, which are shown and never evaluated."""
    table = schema.policies
    row = connection.execute(
        sa.select(table.c.envelope, table.c.disclosures)
        .where(table.c.dataset == dataset)
        .order_by(table.c.seq.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return (), None
    terms = Policy.from_payload(dsse.parse(row.envelope).payload).terms
    said = None if terms is None else canonical(dict(terms)).decode()[:_TERMS_LENGTH_MAX]
    return tuple(each.rule for each in disclosures_from_json(row.disclosures)), said


def _versions(connection: sa.Connection, dataset: str, guard: float) -> tuple[VersionView, ...]:
    """The newest first, each against the one before."""
    table = schema.versions
    rows: Sequence[Any] = connection.execute(
        sa.select(
            table.c.seq,
            table.c.id,
            table.c.accepted,
            table.c.files,
            table.c.bytes,
            table.c.root.is_(None).label("withheld"),
            table.c.policy_seq,
            table.c.leaf,
        )
        .where(table.c.dataset == dataset)
        .order_by(table.c.seq.desc())
        .limit(_VERSIONS_COUNT + 1)
    ).all()
    ids = [row.id for row in rows]
    delivered = acknowledged.counts(connection, schema.deliveries, ids)
    held = acknowledged.counts(connection, schema.acknowledgements, ids)
    return tuple(
        _version(row, before, guard, delivered.get(row.id, 0), held.get(row.id, 0))
        for row, before in zip(rows[:_VERSIONS_COUNT], [*rows[1:], None], strict=False)
    )


def _version(row: Any, before: Any, guard: float, deliveries: int, acknowledgements: int) -> VersionView:
    files_before, bytes_before = (0, 0) if before is None else (before.files, before.bytes)
    shrunk = row.files < (1 - guard) * files_before or row.bytes < (1 - guard) * bytes_before
    return VersionView(
        seq=row.seq,
        id=row.id,
        accepted=parse_instant(row.accepted),
        files=row.files,
        bytes=row.bytes,
        files_delta=row.files - files_before,
        bytes_delta=row.bytes - bytes_before,
        shrunk=shrunk,
        withheld=bool(row.withheld),
        policy_seq=row.policy_seq,
        deliveries=deliveries,
        acknowledgements=acknowledgements,
        leaf=row.leaf,
    )


def _attention(
    line: DatasetLine, versions: Sequence[VersionView], found: Sequence[Holder]
) -> list[Attention]:
    subject: dict[str, str | int | None] = {"dataset": line.dataset, "owner": line.owner}
    said: list[Attention] = []

    def say(severity: Severity, name: str, **params: str | int | None) -> None:
        filled = {**subject, **params}
        said.append(
            Attention(
                severity=severity,
                urgent=False,
                message=Message(code=f"attention.{name}", params=filled),
                remedy=Message(code=f"remedy.{name}", params=filled),
                partner=line.owner,
                dataset=line.dataset,
            )
        )

    if line.freshness == "late" and line.next_due is not None:
        say("warning", "dataset-late", due=format_instant(line.next_due))
    if versions and versions[0].shrunk:
        newest = versions[0]
        say(
            "warning",
            "dataset-shrunk",
            seq=newest.seq,
            before=newest.seq - 1,
            files=newest.files,
            files_before=newest.files - newest.files_delta,
            now_bytes=newest.bytes,
            before_bytes=newest.bytes - newest.bytes_delta,
        )
    failed = len({each.partner for each in found if each.state == "failed"})
    if failed:
        say("warning", "holders-failed", count=failed)
    if line.owner_left:
        say("info", "dataset-left")
    return said
