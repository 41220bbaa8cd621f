"""Every access decision of the hub, in one place.

Deny by default; the highest accepted policy decides, at the hub's clock, for partners that are active. Who
may not discover a dataset gets one and the same error as for a dataset that does not exist (`not_found`).

    sharing.require(caller, dataset, "read")          # the allowing decision, or Denied
    sharing.view(partner).etag                        # changes exactly when what the partner sees changes
"""

import hashlib
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from core.errors import Denied, InvalidInput
from core.names import DatasetId, PartnerId, check_dataset, check_partner, owner_of
from hub.services.context import Caller, Context
from hub.services.registry import RegistryService
from hub.storage import schema
from security.canonical import canonical
from security.policy import Decision, decide, disclosures_from_json, next_change
from security.rules import DISCOVER, FEDERATION, READ, Rule, check_action
from sync.ports import DatasetEntry, Explanation

_NO = False


def not_found() -> Denied:
    """The one answer for what does not exist and for what the caller may not know of."""
    return Denied(
        "no such dataset or version, or it is not shared with you",
        remedy="check the name; ask its owner for a rule that names your agency",
        reason="NOT_FOUND",
    )


@dataclass(frozen=True, slots=True)
class View:
    """All that one partner may discover, with the etag of exactly this."""

    entries: tuple[DatasetEntry, ...]
    etag: str


@dataclass(frozen=True, slots=True)
class _Rules:
    """A policy's rules, all disclosed. `concerned` are the assignees: whoever is not among them has
    nothing."""

    policy_id: str
    policy_seq: int
    rules: tuple[Rule, ...]
    concerned: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Shelf:
    """A dataset's newest policy and version."""

    dataset: DatasetId
    owner: PartnerId
    rules: _Rules
    head_id: str | None
    head_seq: int
    has_content: bool


@dataclass(frozen=True, slots=True)
class _State:
    """What decisions rest on, as of one revision of the database."""

    revision: int
    shelves: dict[DatasetId, _Shelf]


class SharingService:
    """Who may discover and read what, now. Thread-safe."""

    def __init__(self, context: Context, registry: RegistryService) -> None:
        self._context = context
        self._registry = registry
        self._lock = threading.Lock()
        self._state = _State(-1, {})
        self._views: dict[PartnerId, tuple[int, datetime, datetime | None, View]] = {}

    def decide(
        self, partner: PartnerId, dataset: DatasetId, action: str, connection: sa.Connection | None = None
    ) -> Decision:
        """The decision for an active partner now; deny without a policy. Pure look, no error.

        Inside a transaction give its `connection`, so that the decision belongs to the same state.
        """
        check_action(action)
        if not self._registry.is_active(partner, connection):
            return Decision(_NO, None, 0, f"{partner} is not an active member of the federation")
        shelf = self._current(connection).shelves.get(dataset)
        if shelf is None:
            return Decision(_NO, None, 0, "there is no such dataset")
        return self._decide(shelf, partner, action, self._context.clock.now())

    def require(
        self, caller: Caller, dataset: DatasetId, action: str, connection: sa.Connection | None = None
    ) -> Decision:
        """The allowing decision. Raises `Denied`: NOT_FOUND without `discover`, NOT_GRANTED with `discover`
        alone."""
        self._registry.require_active(caller, fresh=True)
        decision = self.decide(caller.partner, dataset, action, connection)
        if decision.allowed:
            return decision
        if action != DISCOVER and self.decide(caller.partner, dataset, DISCOVER, connection).allowed:
            raise Denied(
                f"{dataset}: {decision.reason}",
                remedy=f"ask {owner_of(dataset)} for a rule that grants {action}",
                reason="NOT_GRANTED",
            )
        raise not_found()

    def view(self, partner: PartnerId) -> View:
        """What the partner may discover now, by dataset id; its own always."""
        state = self._current()
        now = self._context.clock.now()
        with self._lock:
            known = self._views.get(partner)
        if known is not None:
            revision, made, ends, view = known
            if revision == state.revision and made <= now and (ends is None or now < ends):
                return view
        shelves = [s for _, s in sorted(state.shelves.items()) if _may_concern(s, partner)]
        active = self._registry.is_active(partner)
        entries = tuple(self._entries(shelves, partner, now)) if active else ()
        view = View(entries, _etag(entries))
        ends = next_change((rule for s in shelves for rule in s.rules.rules if rule.concerns(partner)), now)
        with self._lock:
            self._views[partner] = (state.revision, now, ends, view)
        return view

    def next_change(self) -> datetime | None:
        """The next instant at which some rule of some dataset begins or ends."""
        shelves = self._current().shelves.values()
        return next_change((rule for s in shelves for rule in s.rules.rules), self._context.clock.now())

    def explain(self, caller: Caller, dataset: DatasetId, partner: PartnerId, action: str) -> Explanation:
        """A decision in words; about others only for the owner. Raises `Denied` (NOT_FOUND),
        `InvalidInput`."""
        self._registry.require_active(caller)
        check_dataset(dataset)
        check_partner(partner)
        check_action(action)
        is_owner = caller.partner == owner_of(dataset)
        if partner != caller.partner and not is_owner:
            # The same answer whether the dataset exists or not: what others may do is its owner's business.
            raise Denied("only its owner may ask what others may do with a dataset", reason="NOT_OWNER")
        known = dataset in self._current().shelves
        if is_owner and not known:
            raise InvalidInput(f"{dataset} has no policy here yet", remedy="publish it first")
        decision = self.decide(partner, dataset, action)
        if not is_owner and not self.decide(partner, dataset, DISCOVER).allowed:
            raise not_found()
        return Explanation(decision.allowed, decision.rule_uid, decision.policy_seq, decision.reason)

    def _entries(
        self, shelves: Iterable[_Shelf], partner: PartnerId, now: datetime
    ) -> Iterable[DatasetEntry]:
        for shelf in shelves:
            if not self._decide(shelf, partner, DISCOVER, now).allowed:
                continue
            if shelf.head_id is None and shelf.owner != partner:
                continue  # nothing has been published yet
            may_read = self._decide(shelf, partner, READ, now).allowed
            yield DatasetEntry(
                shelf.dataset,
                shelf.head_id,
                shelf.head_seq,
                shelf.rules.policy_seq,
                may_read,
                shelf.has_content,
            )

    @staticmethod
    def _decide(shelf: _Shelf, partner: PartnerId, action: str, now: datetime) -> Decision:
        return decide(shelf.owner, shelf.rules.rules, shelf.rules.policy_seq, partner, action, now)

    def _current(self, connection: sa.Connection | None = None) -> _State:
        if connection is not None:
            return self._load(connection)
        with self._context.database.read() as own:
            return self._load(own)

    def _load(self, connection: sa.Connection) -> _State:
        revision = connection.execute(sa.select(schema.revision.c.visible)).scalar_one()
        state = self._state
        if state.revision == revision and not connection.get_execution_options().get("syncline_write"):
            return state
        # In a write transaction the revision moves only at its end: what it has changed itself must be read
        # anew.
        shelves = _read_shelves(connection, {s.rules.policy_id: s.rules for s in state.shelves.values()})
        loaded = _State(revision, shelves)
        if not connection.get_execution_options().get("syncline_write"):
            self._state = loaded
        return loaded


def _may_concern(shelf: _Shelf, partner: PartnerId) -> bool:
    return shelf.owner == partner or not shelf.rules.concerned.isdisjoint((partner, FEDERATION))


def _etag(entries: Sequence[DatasetEntry]) -> str:
    seen = [
        [e.dataset, e.manifest_id, e.manifest_seq, e.policy_seq, e.may_read, e.has_content] for e in entries
    ]
    return hashlib.sha256(canonical(seen)).hexdigest()


def _read_shelves(connection: sa.Connection, known: dict[str, _Rules]) -> dict[DatasetId, _Shelf]:
    datasets, policies, versions = schema.datasets, schema.policies, schema.versions
    newest_policy = _newest(policies, datasets)
    newest_version = _newest(versions, datasets)
    rows = connection.execute(
        sa.select(
            datasets.c.dataset,
            datasets.c.owner,
            policies.c.id.label("policy_id"),
            policies.c.seq.label("policy_seq"),
            versions.c.id.label("version_id"),
            versions.c.seq.label("version_seq"),
            versions.c.root.is_not(None).label("has_content"),
        )
        .select_from(datasets)
        .join(policies, sa.and_(policies.c.dataset == datasets.c.dataset, policies.c.seq == newest_policy))
        .outerjoin(
            versions, sa.and_(versions.c.dataset == datasets.c.dataset, versions.c.seq == newest_version)
        )
    ).all()
    shelves: dict[DatasetId, _Shelf] = {}
    for row in rows:
        rules = known.get(row.policy_id) or _read_rules(connection, row.policy_id, row.policy_seq)
        shelves[row.dataset] = _Shelf(
            row.dataset, row.owner, rules, row.version_id, row.version_seq or 0, bool(row.has_content)
        )
    return shelves


def _newest(chain: sa.Table, datasets: sa.Table) -> sa.ScalarSelect[int]:
    """The highest sequence number of a dataset's chain; one look into the primary key."""
    inner = chain.alias()
    return sa.select(sa.func.max(inner.c.seq)).where(inner.c.dataset == datasets.c.dataset).scalar_subquery()


def _read_rules(connection: sa.Connection, policy_id: str, policy_seq: int) -> _Rules:
    disclosures = connection.execute(
        sa.select(schema.policies.c.disclosures).where(schema.policies.c.id == policy_id)
    ).scalar_one()
    rules = tuple(each.rule for each in disclosures_from_json(disclosures))
    return _Rules(policy_id, policy_seq, rules, frozenset(rule.assignee for rule in rules))
