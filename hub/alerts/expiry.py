"""Days before something ends, as steps that are each told once. Pure.

* What somebody must renew by hand (the registry) is told 30, 14 and 7 days before, 3, 1, and when it is over.
* What renews itself (certificates, at half of their life) is no news until it should have: the first step is
  a day after that, the later ones as above, as far as they come after it.

    step_of(expires, now, STEPS)                     # 0: nothing to tell; higher is later
    step_of(expires, now, renewing(14 * 86_400))     # steps at 6, 3 and 1 days, and at the end
"""

from collections.abc import Sequence
from datetime import datetime

from core.clock import DAY_S

STEPS: tuple[int, ...] = (30 * DAY_S, 14 * DAY_S, 7 * DAY_S, 3 * DAY_S, DAY_S, 0)


def renewing(valid_s: int) -> tuple[int, ...]:
    """The steps of something that lives `valid_s` and renews itself at half of it."""
    overdue = max(valid_s // 2 - DAY_S, 0)
    return tuple(dict.fromkeys((overdue, *(step for step in STEPS if step < overdue))))


def step_of(expires: datetime, now: datetime, steps: Sequence[int]) -> int:
    """How many of `steps` (seconds before the end, falling) have been reached."""
    left = (expires - now).total_seconds()
    return sum(left <= step for step in steps)


def is_last(step: int, steps: Sequence[int]) -> bool:
    """Whether it is over."""
    return step >= len(steps)
