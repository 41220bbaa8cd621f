"""What is wrong now: a condition, and everything that the rules look at.

    Condition("silent:la-dgm/main", "silent", "error", message, remedy, partner="la-dgm", node="main")

* `key` is the rule and the subject: the same trouble has the same key at every look, whatever its text says.
* `step` grows as it gets worse (a certificate at 14 days, at 7): a higher one is told at once.
* What cannot be judged now (a node that does not report says nothing about its disk) is neither there nor
  gone: `Judgement.unjudged` names those subjects, and their alerts stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hub.config_operator import AlertRule
from hub.overview.model import DatasetLine, FleetView, LogView, Message, NodeView, Severity, StorageView


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong now. `urgent`: told at once, without waiting whether it lasts."""

    key: str
    rule: AlertRule
    severity: Severity
    message: Message
    remedy: Message
    partner: str | None = None
    node: str | None = None
    dataset: str | None = None
    step: int = 0
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules look at, seen at `now`.

    `late`: datasets whose owner is late. `refusals`: by partner (empty: nobody known), the reasons of the
    worst hour of the last two, counted. `authority_expires`: of the hub's own certificate authority.
    """

    now: datetime
    up_since: datetime
    fleet: FleetView
    nodes: Sequence[NodeView]
    log: LogView
    storage: StorageView
    late: Sequence[DatasetLine] = ()
    refusals: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    authority_expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is wrong, and whose standing cannot be told now: (rule, partner, node), rule None for all but
    `silent` and `witness`."""

    conditions: tuple[Condition, ...]
    unjudged: frozenset[tuple[AlertRule | None, str | None, str | None]] = frozenset()

    def judges(self, rule: str, partner: str | None, node: str | None) -> bool:
        """Whether the absence of a condition says that it is over."""
        if (rule, partner, node) in self.unjudged or (rule, None, None) in self.unjudged:
            return False
        return rule in ("silent", "witness") or (None, partner, node) not in self.unjudged
