"""Rules and decisions in plain sentences.

policy_words.rule_view(rule).text              # "la-dgm may read it, until 2027-01-01T00:00:00Z"
policy_words.why(decisions, rules, partner, standing, now)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from core.clock import format_instant
from core.names import PartnerId
from hub.overview.model import Message, RuleView
from security.rules import DISCOVER, PERMISSION, PROHIBITION, READ, Decision, Rule, decide


@dataclass(frozen=True, slots=True)
class Access:
    """What one partner may do with a dataset now. `rule`: the uid of the rule that decided about reading, or
    that lets it see; `why` says it in words."""

    may_discover: bool
    may_read: bool
    rule: str | None
    why: Message


def rule_view(rule: Rule) -> RuleView:
    """A rule, said as a sentence."""
    return RuleView(
        uid=rule.uid,
        effect=rule.effect,
        assignee=rule.assignee,
        actions=rule.actions,
        not_before=rule.not_before,
        not_after=rule.not_after,
        text=rule_text(rule),
    )


def rule_text(rule: Rule) -> Message:
    """The sentence of a rule, its dates included."""
    verb = "may" if rule.effect == PERMISSION else "may-not"
    when = {(False, False): "", (True, False): "-from", (False, True): "-until", (True, True): "-from-until"}[
        rule.not_before is not None, rule.not_after is not None
    ]
    return Message(
        code=f"rule.{verb}{when}",
        params={
            "assignee_word": rule.assignee,
            "action_word": _action(rule),
            "from": _instant(rule.not_before),
            "until": _instant(rule.not_after),
        },
    )


def access(
    owner: str, rules: Sequence[Rule], policy_seq: int | None, partner: str, standing: str, now: datetime
) -> Access:
    """What `partner` may do, and why. `standing` as the registry has it: who is not `active` may nothing."""
    if standing != "active":
        why = Message(code="access.not-active", params={"partner": partner, "standing_word": standing})
        return Access(may_discover=False, may_read=False, rule=None, why=why)
    discover, read = (
        decide(PartnerId(owner), rules, policy_seq or 0, PartnerId(partner), action, now)
        for action in (DISCOVER, READ)
    )
    by_uid = {rule.uid: rule for rule in rules}
    if partner == owner:
        why = Message(code="access.owner", params={"partner": partner})
    elif policy_seq is None:
        why = Message(code="access.no-policy", params={"owner": owner})
    elif read.allowed or not discover.allowed:
        why = _decided(read, discover, by_uid, rules, partner, now)
    else:
        why = _seen_alone(read, discover, by_uid, rules, partner, now)
    deciding = read if read.allowed or read.rule_uid else discover
    return Access(discover.allowed, read.allowed, deciding.rule_uid, why)


def _decided(
    read: Decision,
    discover: Decision,
    by_uid: dict[str, Rule],
    rules: Sequence[Rule],
    partner: str,
    now: datetime,
) -> Message:
    """Both decisions say the same."""
    if read.allowed and read.rule_uid is not None:
        return _by_rule("access.reads", by_uid[read.rule_uid], partner)
    forbids = read.rule_uid or discover.rule_uid
    if forbids is not None:
        return _by_rule("access.prohibited", by_uid[forbids], partner)
    return _nothing("access.nothing", rules, partner, now)


def _seen_alone(
    read: Decision,
    discover: Decision,
    by_uid: dict[str, Rule],
    rules: Sequence[Rule],
    partner: str,
    now: datetime,
) -> Message:
    """It may see that the dataset exists, and no more."""
    if read.rule_uid is not None:
        return _by_rule("access.read-prohibited", by_uid[read.rule_uid], partner)
    said = _nothing("access.sees", rules, partner, now)
    return said.model_copy(update={"params": {**said.params, "rule": discover.rule_uid}})


def _by_rule(code: str, rule: Rule, partner: str) -> Message:
    params: dict[str, str | int | None] = {
        "partner": partner,
        "rule": rule.uid,
        "assignee_word": rule.assignee,
        "until": _instant(rule.not_after),
    }
    return Message(code=code if rule.not_after is None else f"{code}-until", params=params)


def _nothing(code: str, rules: Sequence[Rule], partner: str, now: datetime) -> Message:
    """No rule in force grants it; one that will, or did, is worth naming."""
    granting = [
        rule
        for rule in rules
        if rule.effect == PERMISSION and READ in rule.actions and rule.concerns(PartnerId(partner))
    ]
    begins = min((r.not_before for r in granting if r.not_before and r.not_before > now), default=None)
    ended = max((r.not_after for r in granting if r.not_after and r.not_after <= now), default=None)
    params: dict[str, str | int | None] = {
        "partner": partner,
        "begins": _instant(begins),
        "ended": _instant(ended),
    }
    if begins is not None:
        return Message(code=f"{code}-yet", params=params)
    if ended is not None:
        return Message(code=f"{code}-any-more", params=params)
    return Message(code=code, params=params)


def _action(rule: Rule) -> str:
    """What the rule's actions come to: `read` implies `discover`, no `discover` implies no `read`."""
    if rule.effect == PROHIBITION:
        return "may-not.discover" if DISCOVER in rule.actions else "may-not.read"
    return "may.read" if READ in rule.actions else "may.discover"


def _instant(moment: datetime | None) -> str | int | None:
    return None if moment is None else format_instant(moment)
