"""Who has a dataset, who lacks it, and why: one line for every node of every partner.

* **Withheld** is not **behind**, and neither is **failed**: who may see a dataset and not read it lacks
  nothing, and nobody needs to be called.
* That a node holds a version is its signed acknowledgement; that it fails, or does not want it, is the word
  of its newest report. What neither says is `behind`: nothing is shown as well that nobody has said is.
* Each line gives the decision as the hub takes it, with the rule that decided, in plain words.

    for holder in holders(subject, places, held, reports, now):
        holder.state, holder.why
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from hub.overview.acknowledged import Held
from hub.overview.model import Fault, Holder, HolderState, Message, Work
from hub.overview.policy_words import Access, access
from hub.overview.report import Report
from hub.overview.reports import Key, NodeReport
from hub.overview.shelves import Head
from security.rules import FEDERATION, Rule

#: States of a mirror that are the hub's and the owner's matter, whatever the node calls an error.
_NO_FAULT_OF_THE_NODE = frozenset({"visible, not granted", "not shared with us", "grant ended"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dataset may lie: a node of a partner; `node` None: the partner has none (yet, or any more)."""

    partner: str
    node: str | None
    standing: str


@dataclass(frozen=True, slots=True)
class Subject:
    """The dataset, and the rules in force."""

    head: Head
    rules: Sequence[Rule]


def holders(
    subject: Subject,
    places: Iterable[Place],
    held: Mapping[tuple[str, str], Held],
    reports: Mapping[Key, NodeReport],
    now: datetime,
) -> tuple[Holder, ...]:
    """A line for each place, in the order of the places."""
    by_assignee: dict[str, list[Rule]] = defaultdict(list)
    for rule in subject.rules:
        by_assignee[rule.assignee].append(rule)
    head, for_all = subject.head, by_assignee.get(FEDERATION, [])
    anybody: Access | None = None
    words = _Words(head)
    found: list[Holder] = []
    for place in places:
        own = by_assignee.get(place.partner)
        if own is None and place.partner != head.owner and place.standing == "active":
            # Whom no rule names may what all of them may: decided once, for there may be a thousand.
            anybody = anybody or access(
                head.owner, for_all, head.policy_seq, place.partner, place.standing, now
            )
            granted = anybody
        else:
            # The rules of all others change nothing about this partner, and may be a thousand.
            concerned = [*for_all, *(own or ())]
            granted = access(head.owner, concerned, head.policy_seq, place.partner, place.standing, now)
        key = place.partner, place.node or ""
        report = reports.get(key)
        found.append(_holder(words, place, granted, held.get(key), None if report is None else report.report))
    return tuple(found)


def _holder(
    words: "_Words", place: Place, granted: Access, held: Held | None, report: Report | None
) -> Holder:
    state, why, error = _state(words, place, granted, held, report)
    return Holder(
        partner=place.partner,
        node=place.node,
        state=state,
        seq=None if held is None else held.seq,
        since=None if held is None else held.since,
        may_discover=granted.may_discover,
        may_read=granted.may_read,
        rule=granted.rule,
        why=why or _about(granted.why, place.partner),
        error=error,
    )


def _about(why: Message, partner: str) -> Message:
    """What was decided for all, said of one of them."""
    if why.params.get("partner", partner) == partner:
        return why
    return Message(code=why.code, params={**why.params, "partner": partner})


def _state(
    words: "_Words", place: Place, granted: Access, held: Held | None, report: Report | None
) -> tuple[HolderState, Message | None, Fault | None]:
    """The state, what explains it where the decision alone does not, and the fault that is reported."""
    head = words.head
    if place.partner == head.owner:
        code = "holder.publishes" if place.node == head.node else "holder.owner"
        return "owner", Message(code=code, params={"partner": place.partner}), None
    if not granted.may_read:
        if held is not None:
            return "ended", None, None
        return ("withheld" if granted.may_discover else "not shared"), None, None
    mirror = _mirror(head.dataset, report)
    fault = None if mirror is None or mirror.state in _NO_FAULT_OF_THE_NODE else mirror.error
    said = partial(words.say, rule=granted.rule, held=held, mirror=mirror)
    if head.seq is None:
        return "current", said("holder.no-version"), fault
    if held is not None and held.seq >= head.seq:
        return "current", said("holder.current"), fault
    if fault is not None:
        return "failed", said("holder.failed"), fault
    if place.node is None:
        return "behind", said("holder.no-node"), None
    if mirror is None and report is not None and not report.omitted:
        return "not wanted", said("holder.not-wanted" if held is None else "holder.not-wanted-holds"), None
    if head.withheld:
        return "behind", said("holder.unsent"), None
    if mirror is not None and mirror.seq == head.seq:
        return "behind", said("holder.unacknowledged"), None
    code = "holder.first" if held is None else "holder.behind"
    if mirror is not None and mirror.bytes_left:
        code = "holder.first-fetching" if held is None else "holder.fetching"
    return "behind", said(code), None


class _Words:
    """What is said of holders of one dataset; of many, the same."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self._said: dict[object, Message] = {}

    def say(self, code: str, *, rule: str | None, held: Held | None, mirror: Work | None) -> Message:
        seq, left = None if held is None else held.seq, 0 if mirror is None else mirror.bytes_left
        said = self._said.get((code, rule, seq, left))
        if said is None:
            params: dict[str, str | int | None] = {
                "rule": rule,
                "seq": seq,
                "newest": self.head.seq,
                "left_bytes": left,
            }
            said = self._said[code, rule, seq, left] = Message(code=code, params=params)
        return said


def _mirror(dataset: str, report: Report | None) -> Work | None:
    if report is None:
        return None
    for each in report.mirrors:
        if each.dataset == dataset:
            return each
    return None
