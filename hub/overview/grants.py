"""Whom a dataset's newest policy lets read, decided as the hub decides: by `security.rules.decide`, and for
members in good standing alone.

A policy that names the federation says the same for everybody whom no rule names: it is decided once for all
of them, and once for each that is named. So who reads is counted for a thousand partners in a few decisions.

    policies.of(connection, ["…"])["…"].rules                       # by policy id
    readers = readers_of(owner, rules, seq, members, now)
    "th-dmr" in readers, len(readers)
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from core.names import PartnerId
from hub.services.context import Context
from hub.storage import schema
from security.policy import disclosures_from_json, next_change
from security.rules import FEDERATION, READ, Rule, decide

_KNOWN_COUNT_MAX = 20_000
_BATCH_COUNT = 200
#: Stands for every member whom no rule names: no partner can have this id.
_ANYBODY = PartnerId("?")


class Policies:
    """The rules of policies by their id, which says all of them: read once. Thread-safe."""

    def __init__(self, context: Context) -> None:
        self._database = context.database
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Rule, ...]] = {}

    def of(self, ids: Iterable[str]) -> Mapping[str, tuple[Rule, ...]]:
        """The rules of each policy, all disclosed."""
        wanted = set(ids)
        with self._lock:
            missing = sorted(wanted - self._known.keys())
            if len(self._known) + len(missing) > _KNOWN_COUNT_MAX:
                self._known.clear()
                missing = sorted(wanted)
            for start in range(0, len(missing), _BATCH_COUNT):
                self._read(missing[start : start + _BATCH_COUNT])
            return {id_: self._known[id_] for id_ in wanted if id_ in self._known}

    def _read(self, ids: list[str]) -> None:
        table = schema.policies
        with self._database.read() as connection:
            for row in connection.execute(
                sa.select(table.c.id, table.c.disclosures).where(table.c.id.in_(ids))
            ):
                self._known[row.id] = tuple(each.rule for each in disclosures_from_json(row.disclosures))


@dataclass(frozen=True, slots=True)
class Readers:
    """Members other than the owner who may read. `others`: those whom no rule names may, too."""

    named: Mapping[str, bool]
    others: bool
    members: frozenset[str]
    owner: str

    def __contains__(self, partner: object) -> bool:
        if partner == self.owner or partner not in self.members:
            return False
        return self.named.get(str(partner), self.others)

    def __len__(self) -> int:
        allowed = sum(self.named.values())
        if not self.others:
            return allowed
        return allowed + len(self.members) - len(self.named) - (self.owner in self.members)


def readers_of(
    owner: str, rules: tuple[Rule, ...], policy_seq: int, members: frozenset[str], now: datetime
) -> Readers:
    """Who of `members` may read."""
    named: dict[str, bool] = {}
    for partner in {rule.assignee for rule in rules}:
        if partner in members and partner != owner:
            named[partner] = decide(
                PartnerId(owner), rules, policy_seq, PartnerId(partner), READ, now
            ).allowed
    others = any(rule.assignee == FEDERATION for rule in rules) and (
        decide(PartnerId(owner), rules, policy_seq, _ANYBODY, READ, now).allowed
    )
    return Readers(named, others, members, owner)


class ReaderSets:
    """Who may read under each policy, decided again when the members are others, or a rule begins or ends.
    Thread-safe."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[datetime, datetime | None, Readers]] = {}

    def of(
        self,
        owner: str,
        policy_id: str,
        rules: tuple[Rule, ...],
        policy_seq: int,
        members: frozenset[str],
        now: datetime,
    ) -> Readers:
        """As `readers_of`, for the policy of this id, which says all of its rules; empty: there is none."""
        if not policy_id:
            return readers_of(owner, rules, policy_seq, members, now)
        known = self._known.get(policy_id)
        if known is not None:
            made, ends, readers = known
            if readers.members is members and made <= now and (ends is None or now < ends):
                return readers
        readers = readers_of(owner, rules, policy_seq, members, now)
        if len(self._known) >= _KNOWN_COUNT_MAX:
            self._known = {}
        self._known[policy_id] = now, next_change(rules, now), readers
        return readers
