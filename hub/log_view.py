"""What the log and the nodes' alarms mean for the operator. Pure.

log_json(hub.log.status())               # for --json
alarms(hub.fleet.reports())              # (partner, node, what it says), newest reports only
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.clock import format_instant
from core.names import NodeName, PartnerId
from hub.services.alarms import ReportedAlarm, alarms_of
from hub.services.fleet import NodeReport
from hub.services.log import LogStatus

_WORDS = {
    "two-histories": "the hub has shown two histories",
    "rolled-back": "the hub has shown two histories: its log was turned back",
    "frozen": "the hub's log does not grow",
    "hidden-registry": "a registry statement is in the log and was not given",
    "foreign-version": "a version in its own name that it did not sign",
    "delivery-not-allowed": "a delivery that its policy did not allow",
    "lane-gap": "a record of its own is missing from the log",
    "wrong-opening": "an opening that does not belong to its leaf",
    "dropped-leaf": "a version that the hub acknowledged is not in the log",
}


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An alarm that a node's newest report holds."""

    partner: PartnerId
    node: NodeName
    alarm: ReportedAlarm

    @property
    def text(self) -> str:
        """One line for a person."""
        said = _WORDS.get(self.alarm.kind, self.alarm.kind)
        since = "" if self.alarm.since is None else f", since {self.alarm.since}"
        return f"ALARM by {self.partner} (node {self.node}): {said} ({self.alarm.id}{since})"


def alarms(reports: Sequence[NodeReport]) -> Iterator[AlarmView]:
    """Every alarm that is open at some node."""
    for report in reports:
        for each in alarms_of(report.status.get("alarms")):
            yield AlarmView(report.partner, report.node, each)


def log_json(status: LogStatus) -> dict[str, Any]:
    """The log in plain values."""
    made = status.checkpoint_time
    return {
        "origin": status.origin,
        "leaves": status.leaves,
        "checkpoint_size": status.checkpoint_size,
        "checkpoint_time": None if made is None else format_instant(made),
        "witnesses_fresh": status.quorum.fresh,
        "witnesses_seen": status.quorum.seen,
        "witnesses_needed": status.quorum.needed,
    }


def witnesses_text(status: LogStatus) -> str:
    """The quorum in words: `5 of 7, needed 5`."""
    quorum = status.quorum
    if not quorum.seen:
        return "none has cosigned yet"
    return f"{quorum.fresh} of {quorum.seen} have cosigned within a day, needed {quorum.needed}"
