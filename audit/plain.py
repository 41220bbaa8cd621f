"""A policy in plain sentences, for somebody who has never seen one.

    for rule in sorted_rules(policy): sentence(rule)
    # "th-dmr may read it, from 1 March 2026 (UTC), until the end of 31 December 2026 (UTC)"
    sentences(verified_policy)          # all of it, with what is not disclosed and "nobody else"

Rules: the words follow `security.rules` and add nothing; "nobody else" is said only of a policy of which
every rule is at hand. Times are UTC and half-open: one that ends at midnight ends with the day before.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from core.names import owner_of
from security.policy import VerifiedPolicy
from security.rules import DISCOVER, FEDERATION, PERMISSION, READ, Rule

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def day(moment: datetime) -> str:
    """`1 March 2026`, in UTC."""
    utc = moment.astimezone(UTC)
    return f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}"


def instant(moment: datetime) -> str:
    """`1 March 2026, 06:00:07 UTC`; seconds only where there are some."""
    utc = moment.astimezone(UTC)
    return f"{day(utc)}, {utc:%H:%M:%S} UTC" if utc.second else f"{day(utc)}, {utc:%H:%M} UTC"


def beginning(moment: datetime) -> str:
    """From when on: a midnight is the day that it begins."""
    return f"from {day(moment)} (UTC)" if _midnight(moment) else f"from {instant(moment)}"


def ending(moment: datetime) -> str:
    """Until when: a midnight is the end of the day before it."""
    if _midnight(moment):
        return f"until the end of {day(moment - timedelta(days=1))} (UTC)"
    return f"until {instant(moment)}"


def sentence(rule: Rule) -> str:
    """One rule: who may do what, and when. No full stop at the end."""
    words = [f"{assignee(rule)} {_verb(rule)}"]
    if rule.not_before is not None:
        words.append(beginning(rule.not_before))
    if rule.not_after is not None:
        words.append(ending(rule.not_after))
    return " ".join(words).rstrip(",")


def assignee(rule: Rule) -> str:
    """Whom the rule is about."""
    return (
        "every member of the federation, future ones too," if rule.assignee == FEDERATION else rule.assignee
    )


def sentences(policy: VerifiedPolicy) -> tuple[str, ...]:
    """The whole policy: permissions, then prohibitions, then who else."""
    ordered = sorted_rules(policy)
    told = [f"{_capital(sentence(rule))} (rule {rule.uid})." for rule in ordered]
    hidden = hidden_count(policy)
    owner = owner_of(policy.policy.dataset)
    if hidden:
        what = "One more rule is" if hidden == 1 else f"{hidden} more rules are"
        told.append(f"{what} not disclosed here, so what others may do is not known.")
    elif not any(rule.effect == PERMISSION for rule in ordered):
        told.append(f"Nobody but its owner, {owner}, may see or read it.")
    else:
        told.append(f"Nobody else may see or read it, except its owner, {owner}.")
    return tuple(told)


def sorted_rules(policy: VerifiedPolicy) -> list[Rule]:
    """The disclosed rules: permissions before prohibitions, members by name, the federation first."""
    rules = (disclosed.rule for disclosed in policy.rules)
    return sorted(rules, key=_order)


def hidden_count(policy: VerifiedPolicy) -> int:
    """How many of its rules are not at hand."""
    return len(policy.policy.rule_digests) - len(policy.rules)


def joined(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def _order(rule: Rule) -> tuple[bool, bool, str, str]:
    return (rule.effect != PERMISSION, rule.assignee != FEDERATION, rule.assignee, rule.uid)


def _verb(rule: Rule) -> str:
    # `read` implies `discover`, and prohibiting `discover` prohibits `read` (security.rules).
    if rule.effect == PERMISSION:
        return "may read it" if READ in rule.actions else "may see that it exists, but not read it,"
    if DISCOVER in rule.actions:
        return "must neither see nor read it, whatever other rules say,"
    return "must not read it, whatever other rules say,"


def _midnight(moment: datetime) -> bool:
    utc = moment.astimezone(UTC)
    return not (utc.hour or utc.minute or utc.second)


def _capital(text: str) -> str:
    # A partner's id stays as it is written.
    return "E" + text[1:] if text.startswith("every ") else text
