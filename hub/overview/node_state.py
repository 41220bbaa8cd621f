"""How a node stands: one word from what it said, when it said it, and what was seen before. Pure.

* A node that left, or never reported, is neither good nor bad. One that has stopped reporting is silent
  whatever it said last, and never green; an alarm of its witness outlives its silence.
* Something to do is *behind* while bytes move, and *stuck* when none has for `stuck_s`: no rate, and no fewer
  bytes left, at every sample since.

    node_state(seen, now, limits, alarms=0, still_since=None)        # "in sync"
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from core.limits import Limits
from hub.overview.model import WORST_FIRST, NodeState
from hub.overview.reports import NodeReport

_RANKS = {state: rank for rank, state in enumerate(WORST_FIRST)}

#: A pause between samples that is longer than so many turns says nothing of what moved in it.
_GAP_TURNS = 2.5


def rank(state: NodeState) -> int:
    """0 is the worst."""
    return _RANKS[state]


def node_state(
    seen: NodeReport | None,
    now: datetime,
    limits: Limits,
    *,
    alarms: int = 0,
    still_since: datetime | None = None,
    left: bool = False,
) -> NodeState:
    """The word for a node. `alarms`: those that nobody here has acknowledged."""
    if left:
        return "left"
    if seen is None:
        return "no report yet"
    if alarms:
        return "alarm"
    if is_silent(seen.time, now, limits):
        return "silent"
    report = seen.report
    if report.problems:
        return "trouble"
    if not report.is_behind:
        return "in sync"
    is_still = report.rate_bytes_s == 0 and still_since is not None
    if is_still and still_since is not None and now - still_since >= timedelta(seconds=limits.stuck_s):
        return "stuck"
    return "behind"


def is_silent(seen: datetime, now: datetime, limits: Limits) -> bool:
    """Whether a node that reported at `seen` has missed too many turns."""
    return now - seen > timedelta(seconds=limits.reports_missed_max * limits.report_every_s)


@dataclass(frozen=True, slots=True)
class Stillness:
    """What the samples of a node say of movement, up to the newest."""

    time: datetime
    bytes_left: int
    since: datetime | None

    def after(
        self, time: datetime, state: str, bytes_left: int | None, rate: int | None, limits: Limits
    ) -> "Stillness":
        """With one more sample."""
        left = bytes_left or 0
        if not _has_work(state, left):
            return Stillness(time, left, None)
        gap = time - self.time > timedelta(seconds=_GAP_TURNS * limits.sample_every_s)
        moved = bool(rate) or left < self.bytes_left or gap or self.since is None
        return Stillness(time, left, time if moved else self.since)

    def now(self, left: int) -> datetime | None:
        """Since when nothing has moved, if `left` is what a report has brought since."""
        return None if left < self.bytes_left else self.since


def first_still(time: datetime, state: str, bytes_left: int | None) -> Stillness:
    """With the first sample that is known."""
    left = bytes_left or 0
    return Stillness(time, left, time if _has_work(state, left) else None)


def _has_work(state: str, left: int) -> bool:
    return left > 0 or state in ("behind", "stuck")
