"""Every dataset's newest version and policy, with what its owner declares of it; kept up to date by the log.

A version, a policy, an act has a leaf, in the transaction of what it records: the leaves since the last look
name the datasets to look at again, so that a look costs what has changed, not what there is. What nodes
declare (`dataset_facts`) is read by its revision, likewise.

    state = shelves.state()
    state.heads["la-dgm/geology-1m"].seq
    state.freshness("la-dgm/geology-1m", now)
"""

import json
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from core.clock import parse_instant
from hub.overview import facts
from hub.overview.facts import Facts
from hub.services.context import Context
from hub.services.translog import leaf_count
from hub.storage import schema
from sync.maintenance import WITH_DATE, Freshness, turns_at

#: More changed datasets than this, and all are read.
_CHANGED_COUNT_MAX = 2_000
_BATCH_COUNT = 500
_CHANGING = ("version", "policy", "act")
#: Facts are read again from so long before the newest: clocks are set back, and seconds are shared.


@dataclass(frozen=True, slots=True)
class Head:
    """A dataset's newest policy and version; `seq` None before a first version."""

    dataset: str
    owner: str
    node: str
    policy_seq: int | None
    policy_id: str | None
    seq: int | None = None
    version_id: str | None = None
    title: Mapping[str, str] = field(default_factory=dict[str, str])
    files: int = 0
    bytes: int = 0
    accepted: datetime | None = None
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class ShelfState:
    """What stood on the shelves at one moment. `heads` by dataset id, in order; `left`: owners that left;
    `turns`: when a dataset becomes due, and late."""

    leaves: int
    heads: Mapping[str, Head]
    facts: Mapping[str, Facts]
    left: frozenset[str]
    turns: Mapping[str, tuple[datetime, datetime]]

    def due(self, dataset: str) -> datetime | None:
        """When the next version is due; None where none is promised, or none expected any more."""
        turns = self.turns.get(dataset)
        return None if turns is None else turns[0]

    def freshness(self, dataset: str, now: datetime) -> Freshness:
        """How the newest version stands to what its owner declared."""
        turns = self.turns.get(dataset)
        if turns is None:
            return "fresh" if self._keeps_its_promise(dataset) else "unknown"
        return "fresh" if now < turns[0] else "due" if now < turns[1] else "late"

    def counts(self, now: datetime) -> dict[Freshness, int]:
        """How many datasets are fresh, due, late, unknown; the others' words are missing."""
        late = due = fresh = 0
        for turns in self.turns.values():
            if now < turns[0]:
                fresh += 1
            elif now < turns[1]:
                due += 1
            else:
                late += 1
        others = Counter(self.freshness(name, now) for name in self.heads.keys() - self.turns.keys())
        counted: dict[Freshness, int] = {"fresh": fresh, "due": due, "late": late, "unknown": 0}
        return {word: count for word in counted if (count := counted[word] + others[word])}

    def of_owner(self, owner: str) -> list[Head]:
        """The datasets of one owner."""
        return [head for head in self.heads.values() if head.owner == owner]

    def versions(self) -> int:
        """How many versions there are of all."""
        return sum(head.seq or 0 for head in self.heads.values())

    def _keeps_its_promise(self, dataset: str) -> bool:
        declared, head = self.facts.get(dataset), self.heads.get(dataset)
        return (
            declared is not None
            and declared.next_update is not None
            and declared.update_frequency in WITH_DATE
            and head is not None
            and head.seq is not None
            and head.owner not in self.left
        )


class Shelves:
    """Looks at the shelves. Thread-safe."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._state = ShelfState(0, {}, {}, frozenset(), {})
        self._revision = -1  # up to which facts were read

    def state(self) -> ShelfState:
        """As of now."""
        with self._lock, self._context.database.read() as connection:
            return self._look(connection)

    def _look(self, connection: sa.Connection) -> ShelfState:
        before, leaves = self._state, leaf_count(connection)
        changed = _changed(connection, before.leaves, leaves)
        heads, moved = before.heads, set[str]()
        if changed is None:
            heads = _read_heads(connection, None)
        elif changed:
            read = _read_heads(connection, changed)
            moved.update(read)
            merged = {**heads, **read}
            heads = merged if merged.keys() == heads.keys() else dict(sorted(merged.items()))
        told = self._told(connection, before.facts)
        declared = {**before.facts, **told} if told else before.facts
        moved.update(told)
        left = _left(connection)
        if changed is None or left != before.left:
            turns = _turns(heads, declared, left, declared)
        elif moved:
            kept = {name: turn for name, turn in before.turns.items() if name not in moved}
            turns = {**kept, **_turns(heads, declared, left, moved)}
        else:
            turns = before.turns
        self._state = ShelfState(leaves, heads, declared, left, turns)
        return self._state

    def _told(self, connection: sa.Connection, before: Mapping[str, Facts]) -> dict[str, Facts]:
        """What is declared otherwise than before."""
        revision: int = connection.execute(sa.select(schema.revision.c.any)).scalar_one()
        if revision == self._revision:
            return {}
        # A restored database may count from further back.
        found = facts.read(connection, self._revision if self._revision < revision else -1)
        self._revision = revision
        return {name: each for name, each in found.items() if before.get(name) != each}


_TOUCHED = (
    sa.select(schema.leaves.c.object)
    .where(
        schema.leaves.c.idx >= sa.bindparam("first"),
        schema.leaves.c.idx < sa.bindparam("end"),
        schema.leaves.c.type.in_(_CHANGING),
    )
    .distinct()
    .limit(_CHANGED_COUNT_MAX + 1)
)


def _changed(connection: sa.Connection, first: int, end: int) -> set[str] | None:
    """The objects of the leaves [first, end) that may be datasets; None: too many, or the log is another."""
    if first == 0 or end < first:
        return None
    if first == end:
        return set()
    rows = connection.execute(_TOUCHED, {"first": first, "end": end}).scalars()
    found = {each for each in rows if each is not None and "/" in each}
    return None if len(found) > _CHANGED_COUNT_MAX else found


def _read_heads(connection: sa.Connection, names: Iterable[str] | None) -> dict[str, Head]:
    if names is None:
        return {
            row.dataset: _head(row) for row in connection.execute(_HEADS.order_by(schema.datasets.c.dataset))
        }
    found: dict[str, Head] = {}
    iterator = iter(names)
    while batch := list(islice(iterator, _BATCH_COUNT)):
        rows = connection.execute(_HEADS.where(schema.datasets.c.dataset.in_(batch)))
        found.update((row.dataset, _head(row)) for row in rows)
    return found


def _newest(chain: sa.Table) -> sa.ScalarSelect[int]:
    """The highest sequence number of a dataset's chain; one look into the primary key."""
    inner = chain.alias()
    return (
        sa.select(sa.func.max(inner.c.seq))
        .where(inner.c.dataset == schema.datasets.c.dataset)
        .scalar_subquery()
    )


def _heads_query() -> Any:
    datasets, policies, versions = schema.datasets, schema.policies, schema.versions
    return (
        sa.select(
            datasets.c.dataset,
            datasets.c.owner,
            datasets.c.node,
            policies.c.id.label("policy_id"),
            policies.c.seq.label("policy_seq"),
            versions.c.id.label("version_id"),
            versions.c.seq.label("version_seq"),
            versions.c.title,
            versions.c.files,
            versions.c.bytes,
            versions.c.accepted,
            versions.c.root.is_(None).label("withheld"),
        )
        .select_from(datasets)
        .outerjoin(
            policies, sa.and_(policies.c.dataset == datasets.c.dataset, policies.c.seq == _newest(policies))
        )
        .outerjoin(
            versions, sa.and_(versions.c.dataset == datasets.c.dataset, versions.c.seq == _newest(versions))
        )
    )


_HEADS: Any = _heads_query()


def _head(row: Any) -> Head:
    if row.version_id is None:
        return Head(row.dataset, row.owner, row.node, row.policy_seq, row.policy_id)
    return Head(
        row.dataset,
        row.owner,
        row.node,
        row.policy_seq,
        row.policy_id,
        row.version_seq,
        row.version_id,
        json.loads(row.title),
        row.files,
        row.bytes,
        parse_instant(row.accepted),
        bool(row.withheld),
    )


def _left(connection: sa.Connection) -> frozenset[str]:
    """Owners none of whose nodes is left; one that was enrolled again is back."""
    return frozenset(connection.execute(_LEFT).scalars())


_LEFT = sa.select(schema.departures.c.partner).where(
    schema.departures.c.node == "",
    ~sa.exists().where(
        schema.enrolments.c.partner == schema.departures.c.partner, schema.enrolments.c.state == "approved"
    ),
)


def _turns(
    heads: Mapping[str, Head], declared: Mapping[str, Facts], left: frozenset[str], names: Iterable[str]
) -> dict[str, tuple[datetime, datetime]]:
    """When each of `names` turns due and late. From an owner that left, nothing more is expected."""
    found: dict[str, tuple[datetime, datetime]] = {}
    for name in names:
        head, facts_ = heads.get(name), declared.get(name)
        if head is None or facts_ is None or head.accepted is None or head.owner in left:
            continue
        turns = turns_at(facts_.update_frequency, facts_.next_update, head.accepted)
        if turns is not None:
            found[name] = turns
    return found
