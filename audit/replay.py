"""The decision as it would have been at a time: by the policy and the registry in force then.

    told = replay(dossier, dataset, partner, "read", at)
    told.allowed, told.rule, told.policy_seq, told.certain, told.doubts

Rules: which policy was in force is taken from the log, by when the hub accepted it, never from its signer's
clock. Whatever this evidence does not show and could have changed the answer is a doubt, and an answer with
a doubt is not certain. Membership is that of the registry statements at hand, and of the operator's acts
where they are opened: a suspension that was not opened cannot be seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from audit.dossier import DatasetDossier, Dossier, LoggedRecord, Position
from audit.plain import hidden_count, instant, sentence
from audit.stretch import stretches
from core.names import DatasetId, PartnerId, owner_of
from security.members import ACTIVE
from security.policy import VerifiedPolicy
from security.registry import VerifiedRegistry
from security.rules import Decision, check_action, decide

_SUSPENSIONS = {"suspend": "suspended", "revoke": "revoked", "resume": ACTIVE}


@dataclass(frozen=True, slots=True)
class Replayed:
    """The answer. `allowed` None: it cannot be said at all. `doubts` is empty exactly when it is certain."""

    dataset: str
    partner: str
    action: str
    at: datetime
    allowed: bool | None
    reason: str
    rule: str | None
    rule_words: str
    policy_seq: int | None
    policy_id: str | None
    policy_since: datetime | None
    registry_seq: int | None
    doubts: tuple[str, ...]

    @property
    def certain(self) -> bool:
        """Whether nothing outside this evidence could change it."""
        return self.allowed is not None and not self.doubts


@dataclass(slots=True)
class _Seen:
    """What the records say about that time: the places around it, the policies around it, the last act about
    the partner, and whether a stretch without a gap reaches from the policy in force beyond the time.
    """

    last: Position | None = None
    following: Position | None = None
    policy: LoggedRecord | None = None
    next_policy: LoggedRecord | None = None
    act: tuple[str, datetime] | None = None
    opened: bool = False
    #: Something of then was logged behind a policy that is dated later.
    contested: bool = False

    def noting(
        self, dossier: Dossier, dataset: DatasetId, partner: PartnerId, at: datetime
    ) -> Iterator[LoggedRecord]:
        """The records as they are, noted on the way."""
        for record in dossier.records:
            by_then = record.time <= at
            if self.following is None:
                self.last, self.following = (
                    (record.position, None) if by_then else (self.last, record.position)
                )
            self.contested = self.contested or (by_then and self.next_policy is not None)
            if record.type == "policy" and record.object == dataset:
                if by_then:
                    self.policy, self.next_policy, self.contested = record, None, False
                elif self.next_policy is None:
                    self.next_policy = record
            elif record.type == "act" and record.object == partner and by_then:
                state = _SUSPENSIONS.get(str(record.detail.get("act")))
                self.act = (state, record.time) if state is not None else self.act
            yield record


@dataclass(frozen=True, slots=True)
class _Policy:
    """The policy in force; `statement` None where there was none yet, or where it is not at hand."""

    record: LoggedRecord | None
    statement: VerifiedPolicy | None
    doubt: str


@dataclass(frozen=True, slots=True)
class _Member:
    """What the partner was. `refusal` is empty for an active member."""

    registry_seq: int | None
    refusal: str
    doubts: tuple[str, ...]


def replay(
    dossier: Dossier, dataset: DatasetDossier, partner: PartnerId, action: str, at: datetime
) -> Replayed:
    """May `partner` do `action` at `at`? Pure. Raises `InvalidInput` for an unknown action."""
    check_action(action)
    seen = _look(dossier, dataset.dataset, partner, at)
    policy = _policy_at(dataset, seen)
    member = _member_at(dossier, partner, at, seen)
    owner = owner_of(dataset.dataset)
    rules = [] if policy.statement is None else [each.rule for each in policy.statement.rules]
    seq = 0 if policy.statement is None else policy.statement.policy.seq
    decision = decide(owner, rules, seq, partner, action, at)
    unknown = policy.statement is None and bool(policy.record is not None or policy.doubt)
    about_policy = () if partner == owner else _about_policy(policy, decision)
    doubts = member.doubts + about_policy
    if (member.refusal and not member.doubts) or not (decision.allowed or about_policy or unknown):
        doubts = ()  # one sure refusal is enough, by the registry or by the policy
    allowed = decision.allowed and not member.refusal
    reason = member.refusal or decision.reason
    if unknown and partner != owner and (doubts or not member.refusal):
        allowed, reason = None, "the policy then in force is not part of this evidence"
    rule = next((each for each in rules if each.uid == decision.rule_uid and not member.refusal), None)
    return Replayed(
        dataset=dataset.dataset,
        partner=partner,
        action=action,
        at=at,
        allowed=allowed,
        reason=reason,
        rule=None if rule is None else rule.uid,
        rule_words="" if rule is None else sentence(rule),
        policy_seq=seq or None,
        policy_id=None if policy.statement is None else policy.statement.id,
        policy_since=None if policy.record is None else policy.record.time,
        registry_seq=member.registry_seq,
        doubts=doubts,
    )


def _about_policy(policy: _Policy, decision: Decision) -> tuple[str, ...]:
    doubts = (policy.doubt,) * bool(policy.doubt)
    statement = policy.statement
    # A prohibition that is shown decides, whatever is hidden.
    if statement is None or (decision.rule_uid is not None and not decision.allowed):
        return doubts
    hidden, whole = hidden_count(statement), len(statement.policy.rule_digests)
    if hidden:
        doubts += (f"{hidden} of the {whole} rules of policy {statement.policy.seq} are not disclosed here",)
    return doubts


def _policy_at(dataset: DatasetDossier, seen: _Seen) -> _Policy:
    """The last policy that the log accepted by then, and whether another may have come after it."""
    statements = {each.id: each for each in dataset.policies}
    current = seen.policy
    statement = None if current is None else statements.get(current.statement_sha256 or "")
    following = None if seen.next_policy is None else statements.get(seen.next_policy.statement_sha256 or "")
    chained = following is not None and following.policy.prev == (
        None if current is None else current.statement_sha256
    )
    if seen.contested:
        words = (
            "the hub's clock went back: by the log's order a policy that is dated later was in force by then"
        )
        return _Policy(current, statement, words)
    # Statements name the one before: no other policy was accepted between two that follow each other.
    if chained or seen.opened:
        return _Policy(current, statement, "")
    if current is None:
        return _Policy(None, None, "no policy that was accepted by then is part of this evidence")
    return _Policy(
        current, statement, "a policy that was accepted later, yet by then, may be missing from this evidence"
    )


def _look(dossier: Dossier, dataset: DatasetId, partner: PartnerId, at: datetime) -> _Seen:
    """One pass over the records."""
    seen = _Seen()
    for each in stretches(
        seen.noting(dossier, dataset, partner, at), dossier.registry_positions, owner_of(dataset)
    ):
        begun = each.from_start or (seen.policy is not None and each.first.position <= seen.policy.position)
        seen.opened = seen.opened or (begun and at < each.last.time)
    return seen


def _member_at(dossier: Dossier, partner: PartnerId, at: datetime, seen: _Seen) -> _Member:
    """What the registry in force said of the partner, and the operator's acts, where they are opened."""
    last, following = seen.last, seen.following
    sure: list[VerifiedRegistry] = []
    maybe: list[VerifiedRegistry] = []
    for each in dossier.registries:
        position = dossier.registry_positions.get(each.registry.seq)
        if position is not None and last is not None and position < last:
            sure.append(each)
        elif each.registry.created <= at and not (position and following and position > following):
            # Logged between the two records around the time: the administrators' clock must do.
            maybe.append(each)
    known = [*sure, *maybe]
    if not known:
        return _Member(
            None, "", ("no registry statement that was in force by then is part of this evidence",)
        )
    current = known[-1].registry
    doubts: tuple[str, ...] = ()
    if len({_state(each, partner) for each in [*sure[-1:], *maybe]}) > 1:
        doubts = (f"whether registry statement {current.seq} was in force by then is not clear",)
    if current.expires <= at:
        doubts += (f"registry statement {current.seq} had expired by then, and its successor is missing",)
    state = _state(known[-1], partner)
    if state == ACTIVE and seen.act is not None and seen.act[0] != ACTIVE:
        return _Member(current.seq, f"the operator {seen.act[0]} {partner} on {instant(seen.act[1])}", ())
    refusal = (
        f"{partner} was {state} in the registry" if state else f"{partner} was no member of the federation"
    )
    return _Member(current.seq, "" if state == ACTIVE else refusal, doubts)


def _state(registry: VerifiedRegistry, partner: PartnerId) -> str:
    entry = registry.registry.partner(partner)
    return "" if entry is None else entry.state
