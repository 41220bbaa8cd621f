"""From the shares in `node.toml` to the rules that the owner signs, and whether they must be signed anew.

Rules: groups are expanded here, one rule a partner, so that nobody else can widen an owner's group; a
rule's uid depends on its content alone, so that moving sections about changes nothing; a policy is signed
only when its rules differ from the last signed ones; without any share the policy is empty, and empty
means: nobody.

    rules = rules_of(section, settings)
    if differs(rules, signed): ...                      # a new statement
    grants_read(rules, owner, partners, now)            # may bytes leave the owner?
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from core.clock import format_instant
from core.names import PartnerId
from node.config import FEDERATION, GROUP_PREFIX, NodeSettings, PublishSection, ShareSection
from security.digests import sha256_hex
from security.rules import PERMISSION, PROHIBITION, READ, Rule, decide

_UID_DIGITS = 12


def rules_of(section: PublishSection, settings: NodeSettings) -> tuple[Rule, ...]:
    """The rules of a dataset, by uid, each once. The owner needs none and gets none."""
    rules: dict[str, Rule] = {}
    for share in section.share:
        for assignee in _assignees(share, settings):
            rule = _rule(share, assignee)
            rules[rule.uid] = rule
    return tuple(rules[uid] for uid in sorted(rules))


def differs(rules: Iterable[Rule], signed: Iterable[Rule]) -> bool:
    """Whether the rules are not those that were signed last."""
    return {rule.uid: rule for rule in rules} != {rule.uid: rule for rule in signed}


def grants_read(rules: Sequence[Rule], owner: PartnerId, partners: Iterable[PartnerId], at: datetime) -> bool:
    """Whether anybody but the owner may read now: a partner named, or a member whom the federation's rules
    reach.

    `partners` are the members of the federation; a rule for somebody who is none yet counts too.
    """
    about = by_assignee(rules)
    everybody = about.get(FEDERATION, ())
    return any(
        decide(owner, (*about.get(one, ()), *everybody), 1, one, READ, at).allowed
        for one in {PartnerId(name) for name in about}.union(partners)
        if one != owner
    )


def by_assignee(rules: Iterable[Rule]) -> dict[str, tuple[Rule, ...]]:
    """The rules by whom they name, so that asking about everybody does not take each rule times each."""
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.assignee, []).append(rule)
    return {assignee: tuple(some) for assignee, some in found.items()}


def _assignees(share: ShareSection, settings: NodeSettings) -> Iterable[str]:
    for one in share.with_:
        members = settings.groups[one.removeprefix(GROUP_PREFIX)] if one.startswith(GROUP_PREFIX) else [one]
        yield from (member for member in members if member != settings.partner)


def _rule(share: ShareSection, assignee: str) -> Rule:
    effect = PERMISSION if share.allow is not None else PROHIBITION
    actions = tuple(sorted(set(share.allow or share.deny or ())))
    bounds = [format_instant(bound) if bound else "" for bound in (share.not_before, share.not_after)]
    content = "\n".join((effect, assignee, *actions, *bounds))
    verb = "may" if effect == PERMISSION else "may-not"
    uid = f"{assignee}-{verb}-{'-'.join(actions)}-{sha256_hex(content.encode())[:_UID_DIGITS]}"
    return Rule(uid, effect, assignee, actions, share.not_before, share.not_after)


def in_words(rule: Rule) -> str:
    """A rule for people, with its instants: "cn-cgs may discover and read until 2027-01-01T00:00:00Z"."""
    who = "every member, also future ones," if rule.assignee == FEDERATION else rule.assignee
    verb = "may" if rule.effect == PERMISSION else "may not"
    words = f"{who} {verb} {' and '.join(rule.actions)}"
    if rule.not_before is not None:
        words += f" from {format_instant(rule.not_before)}"
    if rule.not_after is not None:
        words += f" until {format_instant(rule.not_after)}"
    return words
