"""Who may be given what: decided once, before anything is read or written.

    plan = planner.plan(["la-dgm/*"], "owner", with_data=False, since=None)

* The owner has its whole lane and everything about its datasets, whatever its standing now: it is its own.
* An active auditor has the same, of every owner; data only where a rule names it.
* Another partner has what it may `discover` now; names that it may not know are as if they did not exist.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

import sqlalchemy as sa

from core.errors import Denied, InvalidInput
from core.names import DatasetId, PartnerId, check_dataset, owner_of
from hub.services.auditors import AuditorService
from hub.services.context import Context
from hub.services.registry import RegistryService
from hub.services.sharing import SharingService
from hub.storage import schema
from security.policy import decide, disclosures_from_json
from security.rules import DISCOVER, READ

OWNER = "owner"
_WILD = frozenset("*?[")
_SHOWN_COUNT = 10


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What is exported for whom. `whole`: owners whose lanes are opened; `readable`: datasets whose bytes the
    receiver may have now."""

    audience: PartnerId
    is_auditor: bool
    whole: frozenset[PartnerId]
    datasets: tuple[DatasetId, ...]
    readable: frozenset[DatasetId]
    with_data: bool
    since: datetime | None

    def is_whole(self, dataset: DatasetId) -> bool:
        """Whether everything about the dataset may be told."""
        return owner_of(dataset) in self.whole

    def may_list_files(self, dataset: DatasetId) -> bool:
        """Whether the inventory may be told: evidence for owner and auditor, part of the data for others."""
        return self.is_whole(dataset) or dataset in self.readable


class Planner:
    """Makes plans."""

    def __init__(
        self, context: Context, registry: RegistryService, sharing: SharingService, auditors: AuditorService
    ) -> None:
        self._context = context
        self._registry = registry
        self._sharing = sharing
        self._auditors = auditors

    def plan(
        self, wanted: Sequence[str], audience: str, *, with_data: bool, since: datetime | None
    ) -> ExportPlan:
        """Decide. Raises `InvalidInput`, `Denied` (NOT_GRANTED, REVOKED)."""
        named = self._named(wanted)
        if audience == OWNER:
            owners = sorted({owner_of(dataset) for dataset in named})
            if len(owners) > 1:
                raise InvalidInput(
                    f"these datasets have several owners: {', '.join(owners)}",
                    remedy="export for each owner by itself",
                )
            receiver, is_auditor = owners[0], False
        else:
            receiver, is_auditor = self._receiver(audience)
        owners = {owner_of(dataset) for dataset in named}
        whole = frozenset(owners if is_auditor else owners & {receiver})
        datasets = self._granted(named, receiver, whole)
        readable = frozenset(
            dataset for dataset in datasets if self._may_read(receiver, dataset, is_auditor=is_auditor)
        )
        if with_data and (withheld := [each for each in datasets if each not in readable]):
            raise Denied(
                f"no rule lets {receiver} read {_list(withheld)}",
                remedy="export without --with-data, or ask the owner for a rule that names the receiver",
                reason="NOT_GRANTED",
            )
        return ExportPlan(receiver, is_auditor, whole, datasets, readable, with_data, since)

    def _named(self, wanted: Sequence[str]) -> dict[DatasetId, bool]:
        """The datasets that are meant, and whether each was named in full. Raises `InvalidInput`."""
        table = schema.datasets
        with self._context.database.read() as connection:
            known = list(connection.execute(sa.select(table.c.dataset).order_by(table.c.dataset)).scalars())
        found: dict[DatasetId, bool] = {}
        for pattern in wanted:
            if _WILD.isdisjoint(pattern):
                matches = [each for each in known if each == check_dataset(pattern)]
            else:
                matches = [each for each in known if fnmatchcase(each, pattern)]
            if not matches:
                raise InvalidInput(
                    f"nothing here is called {pattern}",
                    remedy=f"known are: {_list(known) or 'none yet'}; see `syncline-hub datasets`",
                )
            for each in matches:
                found[each] = found.get(each, False) or _WILD.isdisjoint(pattern)
        return dict(sorted(found.items()))

    def _receiver(self, audience: str) -> tuple[PartnerId, bool]:
        if (auditor := self._auditors.active(audience)) is not None:
            return auditor.id, True
        registry = self._registry.current().registry
        if registry.auditor(audience) is not None:
            raise Denied(f"the auditor {audience} was revoked", reason="REVOKED")
        partner = registry.partner(audience)
        if partner is None:
            raise InvalidInput(
                f"{audience!r} is neither a partner nor an auditor of this federation",
                remedy="see `syncline-hub partners` and `syncline-hub auditor list`; or say: --for owner",
            )
        return partner.id, False

    def _granted(
        self, named: dict[DatasetId, bool], receiver: PartnerId, whole: frozenset[PartnerId]
    ) -> tuple[DatasetId, ...]:
        found: list[DatasetId] = []
        for dataset, in_full in named.items():
            if owner_of(dataset) in whole or self._sharing.decide(receiver, dataset, DISCOVER).allowed:
                found.append(dataset)
            elif in_full:
                raise _not_granted(receiver, dataset)
        if not found:
            raise _not_granted(receiver, next(iter(named)))
        return tuple(found)

    def _may_read(self, receiver: PartnerId, dataset: DatasetId, *, is_auditor: bool) -> bool:
        if receiver == owner_of(dataset):
            return True
        if not is_auditor:
            return self._sharing.decide(receiver, dataset, READ).allowed
        # An auditor is no member of the federation: only a rule with its own name counts.
        policies = schema.policies
        with self._context.database.read() as connection:
            newest = connection.execute(
                sa.select(policies.c.seq, policies.c.disclosures)
                .where(policies.c.dataset == dataset)
                .order_by(policies.c.seq.desc())
                .limit(1)
            ).one_or_none()
        if newest is None:
            return False
        rules = [each.rule for each in disclosures_from_json(newest.disclosures)]
        named = [rule for rule in rules if rule.assignee == receiver]
        now = self._context.clock.now()
        return decide(owner_of(dataset), named, newest.seq, receiver, READ, now).allowed


def _not_granted(receiver: PartnerId, dataset: DatasetId) -> Denied:
    return Denied(
        f"no rule lets {receiver} discover {dataset}",
        remedy=f"ask {owner_of(dataset)} for a rule that names it",
        reason="NOT_GRANTED",
    )


def _list(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _SHOWN_COUNT} more" if len(found) > _SHOWN_COUNT else ""
    return ", ".join(found[:_SHOWN_COUNT]) + more
