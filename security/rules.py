"""An owner's rules, and the one pure function that decides by them.

Names follow ODRL 2.2. A rule permits or prohibits actions to one partner, or to the `federation` (all of its
members, future ones too), in a
time that is half-open: `not_before <= at < not_after`, UTC, on the hub's clock.

* Deny by default; a prohibition wins over any permission.
* `read` implies `discover`; prohibiting `discover` prohibits `read` too.
* The owner may always do everything with its own dataset.

    decide(owner, rules, policy_seq, partner, "read", at)      # Decision(allowed=…, rule_uid=…)

`tests/vectors/decisions.json` is a table of decisions that any implementation must make alike.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from core.clock import format_instant, parse_instant
from core.errors import InvalidInput, Untrusted
from core.limits import LIMITS, Limits
from core.names import PartnerId, check_partner
from security.canonical import JSON
from security.fields import Fields

PERMISSION = "permission"
PROHIBITION = "prohibition"
DISCOVER = "discover"
READ = "read"
ACTIONS = (DISCOVER, READ)
#: The assignee that stands for every member of the federation.
FEDERATION = "federation"
_UID_BYTES_MAX = 128

#: For each action asked about: the rule's actions that permit it, and those that prohibit it.
_PERMITTED_BY = {DISCOVER: frozenset({DISCOVER, READ}), READ: frozenset({READ})}
_PROHIBITED_BY = {DISCOVER: frozenset({DISCOVER}), READ: frozenset({DISCOVER, READ})}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Checked on construction: nonsense is `InvalidInput`."""

    uid: str
    effect: str
    assignee: str
    actions: tuple[str, ...]
    not_before: datetime | None = None
    not_after: datetime | None = None

    def __post_init__(self) -> None:
        if not self.uid or len(self.uid.encode("utf-8", "surrogatepass")) > _UID_BYTES_MAX:
            raise InvalidInput(f"a rule's uid has 1 to {_UID_BYTES_MAX} bytes")
        if self.effect not in (PERMISSION, PROHIBITION):
            raise InvalidInput(
                f"rule {self.uid}: effect {self.effect!r} is neither permission nor prohibition"
            )
        if self.assignee != FEDERATION:
            check_partner(self.assignee)
        if not self.actions or list(self.actions) != sorted(set(self.actions)):
            raise InvalidInput(f"rule {self.uid}: actions must be sorted, without repetition, and not empty")
        for action in self.actions:
            check_action(action)
        for bound in (self.not_before, self.not_after):
            if bound is not None and (bound.tzinfo is None or bound.microsecond):
                raise InvalidInput(f"rule {self.uid}: times are UTC in whole seconds")
        if self.not_before is not None and self.not_after is not None and self.not_before >= self.not_after:
            raise InvalidInput(f"rule {self.uid}: not_before must be earlier than not_after")

    def in_force(self, at: datetime) -> bool:
        """Whether `at` is in the rule's time."""
        begun = self.not_before is None or self.not_before <= at
        return begun and (self.not_after is None or at < self.not_after)

    def concerns(self, partner: PartnerId) -> bool:
        """Whether the rule names `partner`, or the federation."""
        return self.assignee in (partner, FEDERATION)

    def to_json(self) -> dict[str, JSON]:
        """The rule as a JSON object; times that are not set are absent."""
        made: dict[str, JSON] = {
            "uid": self.uid,
            "effect": self.effect,
            "assignee": self.assignee,
            "actions": list(self.actions),
        }
        if self.not_before is not None:
            made["not_before"] = format_instant(self.not_before)
        if self.not_after is not None:
            made["not_after"] = format_instant(self.not_after)
        return made

    @classmethod
    def from_json(cls, value: object, limits: Limits = LIMITS) -> "Rule":
        """Read what `to_json` writes. Unknown fields and actions are refused: `Untrusted`."""
        fields = Fields(value, "rule", limits)
        actions = fields.array("actions", len(ACTIONS))
        if not all(isinstance(action, str) for action in actions):
            raise fields.wrong("actions", "an array of texts")
        try:
            made = cls(
                uid=fields.text("uid", _UID_BYTES_MAX),
                effect=fields.text("effect"),
                assignee=fields.text("assignee"),
                actions=tuple(str(action) for action in actions),
                not_before=fields.optional_instant("not_before"),
                not_after=fields.optional_instant("not_after"),
            )
        except InvalidInput as error:
            raise Untrusted(error.message, reason="MALFORMED") from None
        fields.finish()
        return made


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, with the rule and the policy that gave it. `reason` is for people."""

    allowed: bool
    rule_uid: str | None
    policy_seq: int
    reason: str


def decide(
    owner: PartnerId,
    rules: Sequence[Rule],
    policy_seq: int,
    partner: PartnerId,
    action: str,
    at: datetime,
) -> Decision:
    """May `partner` do `action` with a dataset of `owner` at `at`, under these `rules`? Pure.

    Of several rules that say the same, the one with the smallest uid is named, so that every
    implementation gives the same answer whatever the order. `policy_seq` is 0 where there is no policy.
    Whether the partner is a member in good standing is the registry's matter, not asked here.
    """
    check_action(action)
    if partner == owner:
        return Decision(
            allowed=True, rule_uid=None, policy_seq=policy_seq, reason="the owner may always do this"
        )
    matching = sorted((r for r in rules if r.concerns(partner) and r.in_force(at)), key=lambda rule: rule.uid)
    for rule in matching:
        if rule.effect == PROHIBITION and not _PROHIBITED_BY[action].isdisjoint(rule.actions):
            return Decision(
                allowed=False,
                rule_uid=rule.uid,
                policy_seq=policy_seq,
                reason=_words(rule, f"prohibits {action}"),
            )
    for rule in matching:
        if rule.effect == PERMISSION and not _PERMITTED_BY[action].isdisjoint(rule.actions):
            return Decision(
                allowed=True,
                rule_uid=rule.uid,
                policy_seq=policy_seq,
                reason=_words(rule, f"permits {action}"),
            )
    if policy_seq == 0:
        return Decision(allowed=False, rule_uid=None, policy_seq=0, reason="the owner has shared nothing yet")
    return Decision(
        allowed=False,
        rule_uid=None,
        policy_seq=policy_seq,
        reason=f"no rule in force permits {action} to {partner}",
    )


def next_change(rules: Iterable[Rule], after: datetime) -> datetime | None:
    """The first instant later than `after` at which a rule begins or ends; None if there is none."""
    bounds = (bound for rule in rules for bound in (rule.not_before, rule.not_after))
    return min((bound for bound in bounds if bound is not None and bound > after), default=None)


def parse_bound(value: str | date | datetime) -> datetime:
    """A rule's time as people write it: an instant, or a date, which means its first second in UTC.

    Takes TOML's own dates and times, and text like `2026-12-31` or `2026-12-31T06:00:00Z`. Times
    without an offset are refused: nobody can tell whose clock they mean. Raises `InvalidInput`.
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidInput(
                f"the time {value.isoformat()} has no offset", remedy="write UTC like 2026-12-31T06:00:00Z"
            )
        if value.microsecond:
            raise InvalidInput(f"the time {value.isoformat()} has fractions", remedy="use whole seconds")
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    if len(value) == len("2026-12-31"):
        return parse_instant(f"{value}T00:00:00Z")
    return parse_instant(value)


def check_action(action: str) -> str:
    """`action`, if it is one of `ACTIONS`. Raises `InvalidInput`."""
    if action not in ACTIONS:
        raise InvalidInput(f"{action!r} is not an action", remedy="use discover or read")
    return action


def _words(rule: Rule, does: str) -> str:
    to = "the federation" if rule.assignee == FEDERATION else rule.assignee
    until = "" if rule.not_after is None else f" until {format_instant(rule.not_after)}"
    return f"rule {rule.uid} {does} to {to}{until}"
