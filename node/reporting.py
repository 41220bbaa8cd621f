"""When to tell the hub how this node is doing. Pure.

Rules: at once when its state has changed, but never twice within `report_least_s`; every `report_moving_s`
while content moves; else every `report_every_s`. What only grows (bytes, the log's size, times) is no change
of state. Only the newest report counts: one that could not be sent is not kept.

    pace = Pace(limits, clock)
    shown = state_of(report)
    if pace.is_due(shown):
        pace.sent(shown); ...
    changed.wait(pace.wait_s(shown))
"""

from collections.abc import Hashable
from dataclasses import dataclass

from core.clock import Clock
from core.limits import Limits
from node.disks import is_low
from node.status import StatusReport


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a report must reach the hub soon, and whether content moves."""

    state: Hashable
    moves: bool


def state_of(report: StatusReport) -> Shown:
    """What of `report` is a state."""
    faults = tuple((what, each.branch, each.reason) for what, each in sorted(report.faults.items()))
    own = tuple(
        (
            *(each.dataset, each.state, each.seq, each.bytes_left > 0, each.attention),
            *(each.error and each.error.reason, each.update_frequency, each.next_update, each.footprint),
        )
        for each in report.publish
    )
    mirrors = tuple(
        (
            *(each.dataset, each.state, each.seq, each.wanted_seq, each.bytes_left > 0, each.attention),
            *(each.error and each.error.reason, each.acknowledged),
        )
        for each in report.mirrors
    )
    state = (
        *(report.version, report.started, report.registry_seq, report.signing_key_since),
        *(report.certificate_expires, report.watch.mode, report.watch.healthy),
        tuple(each.id for each in report.alarms),
        tuple((each.name, is_low(each)) for each in report.disks),
        *(faults, own, mirrors),
    )
    return Shown(state, report.transfer.up_bytes_s + report.transfer.down_bytes_s > 0)


class Pace:
    """When the next report is due. One thread."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._every_s = limits.report_every_s
        self._moving_s = min(limits.report_moving_s, self._every_s)
        self._least_s = min(limits.report_least_s, self._every_s)
        self._clock = clock
        self._last: tuple[float, Hashable] | None = None

    def wait_s(self, shown: Shown) -> float:
        """Seconds until `shown` is due; a state may change before, so never longer than the least."""
        return min(self._due_in_s(shown), self._least_s)

    def is_due(self, shown: Shown) -> bool:
        """Whether `shown` is to be sent now."""
        return self._due_in_s(shown) <= 0

    def sent(self, shown: Shown) -> None:
        """It was sent, or it was tried."""
        self._last = (self._clock.monotonic(), shown.state)

    def _due_in_s(self, shown: Shown) -> float:
        if self._last is None:
            return 0.0
        at, state = self._last
        period = self._moving_s if shown.moves else self._every_s
        if state != shown.state:
            period = self._least_s
        return max(0.0, at + period - self._clock.monotonic())
