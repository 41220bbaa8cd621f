"""The decision as it would have been at a time: by the policy and the registry in force then.

    told = replay(dossier, dataset, partner, "read", at)
    told.allowed, told.rule, told.policy_seq, told.certain, told.doubts

Rules: which policy was in force is taken from the log, by when the hub accepted it, never from its signer's
clock. Whatever this evidence does not show and could have changed the answer is a doubt, and an answer with
a doubt is not certain. Membership is that of the registry statements at hand, and of the operator's acts
where they are opened: a suspension that was not opened cannot be seen.
"""

from dataclasses import dataclass
from datetime import datetime

from audit.dossier import DatasetDossier, Dossier, LoggedRecord, Position
from audit.plain import hidden_count, instant, sentence
from audit.stretch import stretches
from core.names import PartnerId, owner_of
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
    policy = _policy_at(dossier, dataset, at)
    member = _member_at(dossier, partner, at)
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


def _policy_at(dossier: Dossier, dataset: DatasetDossier, at: datetime) -> _Policy:
    """The last policy that the log accepted by then, and whether another may have come after it."""
    statements = {each.id: each for each in dataset.policies}
    logged = [r for r in dossier.records if r.type == "policy" and r.object == dataset.dataset]
    before = [record for record in logged if record.time <= at]
    after = [record for record in logged if record.time > at]
    current = before[-1] if before else None
    statement = None if current is None else statements.get(current.statement_sha256 or "")
    following = statements.get(after[0].statement_sha256 or "") if after else None
    chained = following is not None and following.policy.prev == (
        None if current is None else current.statement_sha256
    )
    # Statements name the one before: no other policy was accepted between two that follow each other.
    if chained or _opened(dossier, dataset, at, current):
        return _Policy(current, statement, "")
    if current is None:
        return _Policy(None, None, "no policy that was accepted by then is part of this evidence")
    return _Policy(
        current, statement, "a policy that was accepted later, yet by then, may be missing from this evidence"
    )


def _opened(dossier: Dossier, dataset: DatasetDossier, at: datetime, current: LoggedRecord | None) -> bool:
    """Whether every policy that was accepted by then must stand among the records."""
    return any(
        at < each.last.time
        and (each.from_start or (current is not None and each.first.position <= current.position))
        for each in stretches(dossier, owner_of(dataset.dataset))
    )


def _member_at(dossier: Dossier, partner: PartnerId, at: datetime) -> _Member:
    """What the registry in force said of the partner, and the operator's acts, where they are opened."""
    last, following = _around(dossier, at)
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
    act = _last_act(dossier, partner, at)
    if state == ACTIVE and act is not None and act[0] != ACTIVE:
        return _Member(current.seq, f"the operator {act[0]} {partner} on {instant(act[1])}", ())
    refusal = (
        f"{partner} was {state} in the registry" if state else f"{partner} was no member of the federation"
    )
    return _Member(current.seq, "" if state == ACTIVE else refusal, doubts)


def _state(registry: VerifiedRegistry, partner: PartnerId) -> str:
    entry = registry.registry.partner(partner)
    return "" if entry is None else entry.state


def _around(dossier: Dossier, at: datetime) -> tuple[Position | None, Position | None]:
    """The places of the last record by then, and of the first after it."""
    last: Position | None = None
    for record in dossier.records:
        if record.time > at:
            return last, record.position
        last = record.position
    return last, None


def _last_act(dossier: Dossier, partner: PartnerId, at: datetime) -> tuple[str, datetime] | None:
    found = None
    for record in dossier.records:
        if record.type == "act" and record.object == partner and record.time <= at:
            state = _SUSPENSIONS.get(str(record.detail.get("act")))
            found = (state, record.time) if state is not None else found
    return found
