"""What a pass would do, before it does anything: reads the folder and the state, contacts nobody.

Rules: differences are found by stat alone, so what is shown as changed may turn out to hold the same bytes;
the bytes are an upper bound; nothing is written. Whoever would receive the data is named with the rule that
lets it.

    plan = make_plan(section, settings, NodeState(state_dir, read_only=True), clock)
    plan.added, plan.changed, plan.removed, plan.held, plan.skipped, plan.upper_bound_bytes
"""

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from core.clock import Clock, format_instant
from core.limits import LIMITS, Limits
from core.names import DatasetId, case_key, portability_problem
from node import policy_intent
from node.config import FEDERATION, NodeSettings, PublishSection
from node.declared import Declared
from node.folder import FolderIdentity, identify
from node.publish import guard, unlisted
from node.publish.describe import described
from node.publish.observe import observe
from node.publish.outcome import Issue
from node.publish.publisher import signed_rules
from node.publish.records import Head, PublishRecords
from node.publish.scratch import ABSENT, KNOWN, NEW, Counts, Scratch
from node.publish.standing import Standing
from node.state import NodeState, translated
from security.rules import DISCOVER, PERMISSION, READ, Rule, decide

#: How many paths of a kind a plan names; the counts are whole.
SHOWN_MAX = 1_000

_NO_LIST = (
    "which files the last version has is not known here (its bytes are withheld, and this node's state was"
    " lost): if the folder holds the same, nothing is signed again"
)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A path that differs, with its bytes on disk (of a removal: as published)."""

    path: str
    bytes: int


@dataclass(frozen=True, slots=True)
class PlannedFiles:
    """Paths that differ in one way: all counted, the first thousand named."""

    files: int
    bytes: int
    shown: tuple[PlannedFile, ...]


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who may do what, by which rule, as the settings have it; `now` False while the rule's time has not
    come."""

    partner: str
    actions: tuple[str, ...]
    rule_uid: str
    rule: str
    now: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """See the module. `waiting` are the lines that a person must approve first.

    `unread`: there is a version, and this state, which took the place of a lost one, has read no file yet.
    """

    dataset: DatasetId
    first: bool
    unread: bool
    added: PlannedFiles
    changed: PlannedFiles
    removed: PlannedFiles
    held: tuple[Issue, ...]
    held_count: int
    skipped: tuple[Issue, ...]
    skipped_count: int
    upper_bound_bytes: int
    receivers: tuple[Receiver, ...]
    policy_changes: bool
    description_changes: bool
    uploads: bool
    declared: Declared
    warnings: tuple[str, ...]
    waiting: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether a pass would sign nothing."""
        files = self.added.files + self.changed.files + self.removed.files
        return not (files or self.policy_changes or self.description_changes)

    @property
    def needs_attention(self) -> bool:
        """Whether a person must look (exit status 8)."""
        return bool(self.held_count or self.skipped_count or self.waiting)

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        from dataclasses import asdict  # noqa: PLC0415

        return asdict(self)


def make_plan(
    section: PublishSection,
    settings: NodeSettings,
    state: NodeState,
    clock: Clock,
    limits: Limits = LIMITS,
    *,
    members: Collection[str] | None = None,
) -> Plan:
    """Look at the folder and at the state; `members` are those of the last registry, where it is known.

    Raises `Unavailable` (FOLDER_MISSING), `Corrupt`.
    """
    dataset = section.id(settings.partner)
    rules = policy_intent.rules_of(section, settings)
    now = clock.now()
    with translated(state.path), Scratch() as scratch:
        records = PublishRecords(state, dataset)
        head = records.head() or Head()
        folder = identify(section.path)
        gone = folder.unmounted(FolderIdentity.from_text(head.folder))
        observed = observe(section, records, scratch, gone, limits)
        no_list = unlisted.is_unlisted(records, head)
        removals = unlisted.removals(head, observed) if no_list else scratch.removals()
        waiting = guard.check(head, removals, folder, section.remove_guard)
        uploads = section.upload == "always" or policy_intent.grants_read(rules, settings.partner, (), now)
        issues = scratch.issues(2 * SHOWN_MAX)
        changing = scratch.count(NEW, KNOWN)
        resent = head.bytes if head.manifest_seq and not head.has_content and not no_list else 0
        return Plan(
            dataset=dataset,
            first=head.manifest_seq == 0,
            unread=head.manifest_seq > 0 and not records.has_read(),
            added=_planned(scratch, NEW, KNOWN, published=False),
            changed=_planned(scratch, NEW, KNOWN, published=True),
            removed=_planned(scratch, ABSENT, published=True),
            held=tuple(each for each in issues if each.kind == "held")[:SHOWN_MAX],
            held_count=scratch.issue_count("held"),
            skipped=tuple(each for each in issues if each.kind == "skipped")[:SHOWN_MAX],
            skipped_count=scratch.issue_count("skipped"),
            upper_bound_bytes=changing.bytes + resent if uploads else 0,
            receivers=tuple(_receivers(rules, settings, clock)),
            policy_changes=not head.policy_seq or policy_intent.differs(rules, signed_rules(head)),
            description_changes=described(section) != head.described,
            uploads=uploads,
            declared=Declared.of(section, settings),
            warnings=(
                *((_NO_LIST,) if no_list else ()),
                *_strangers(rules, members),
                *_warnings(section, rules, scratch, clock),
            ),
            waiting=(
                *(() if waiting.covered_by(Standing(state, dataset).approval()) else waiting.lines),
                *guard.check_mounts(gone).lines,
            ),
        )


def _planned(scratch: Scratch, *states: str, published: bool) -> PlannedFiles:
    shown: list[PlannedFile] = []
    for item in scratch.items(*states):
        if (item.was is not None) == published:
            shown.append(PlannedFile(item.path, item.was_bytes if item.state == ABSENT else item.bytes))
        if len(shown) == SHOWN_MAX:
            break
    counts: Counts = scratch.count(*states, published=published)
    return PlannedFiles(counts.files, counts.bytes, tuple(shown))


def _receivers(rules: tuple[Rule, ...], settings: NodeSettings, clock: Clock) -> list[Receiver]:
    receivers: list[Receiver] = []
    about = policy_intent.by_assignee(rules)
    for rule in rules:
        if rule.effect != PERMISSION:
            continue
        owner, partner = settings.partner, settings.partner.__class__(rule.assignee)
        asked = (DISCOVER, READ) if READ in rule.actions else (DISCOVER,)
        concerned = {*about[rule.assignee], *about.get(FEDERATION, ())}
        now = clock.now()
        allowed = tuple(a for a in asked if decide(owner, tuple(concerned), 1, partner, a, now).allowed)
        receivers.append(
            Receiver(rule.assignee, allowed or asked, rule.uid, policy_intent.in_words(rule), bool(allowed))
        )
    return receivers


def _strangers(rules: tuple[Rule, ...], members: Collection[str] | None) -> list[str]:
    """Partners that a rule names and the registry does not: misspelt, gone, or not joined yet."""
    lines: list[str] = []
    named = {rule.assignee for rule in rules if rule.assignee != FEDERATION}
    for one in sorted(named.difference(members)) if members is not None else ():
        close = difflib.get_close_matches(one, list(members or ()), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "its rules wait until it joins"
        lines.append(f"{one} is not among the members that this node knows of; {hint}")
    return lines


def _warnings(section: PublishSection, rules: tuple[Rule, ...], scratch: Scratch, clock: Clock) -> list[str]:
    lines: list[str] = []
    for rule in rules:
        if rule.assignee == FEDERATION and rule.effect == PERMISSION:
            lines.append("shared with the federation: partners that join later will receive it too")
        if rule.effect != PERMISSION:
            lines.append(f"denied: {policy_intent.in_words(rule)}")
        if rule.not_after is not None and rule.not_after <= clock.now():
            lines.append(f"rule {rule.uid} ended on {format_instant(rule.not_after)}")
    if not rules:
        lines.append("no share: nobody but this partner will know of it")
    if section.names == "posix":
        lines += _portability(scratch)
    return list(dict.fromkeys(lines))


def _portability(scratch: Scratch) -> list[str]:
    problems = 0
    first = ""
    keys: dict[str, str] = {}
    for item in scratch.items(NEW, KNOWN):
        problem = portability_problem(item.path)
        if len(keys) < SHOWN_MAX * 100:
            other = keys.setdefault(case_key(item.path), item.path)
            if problem is None and other != item.path:
                problem = f"differs from {other!r} by upper and lower case alone"
        if problem is not None:
            problems += 1
            first = first or f"{item.path!r}: {problem}"
    if not problems:
        return []
    line = f"{problems} names cannot be held by Windows or a case-blind disk, the first {first};"
    return [f'{line} see names = "portable"']
