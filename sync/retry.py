"""How long to wait before trying again: exponential backoff with full jitter.

Rules: the n-th wait is a random number between 0 and min(retry_max_s, retry_first_s · 2ⁿ), so that nodes
that lost a hub together do not return together ("Exponential Backoff And Jitter", AWS Architecture Blog,
2015). Never less than a tenth of `retry_first_s`, so that no loop spins. Randomness is an argument; who
waits is the caller.

    backoff = Backoff(limits, random=random.Random())
    clock.sleep(backoff.next_s())         # after a failure
    backoff.reset()                       # after progress
"""

from random import Random

from core.limits import LIMITS, Limits


class Backoff:
    """Counts failures since the last progress and says how long to wait."""

    def __init__(self, limits: Limits = LIMITS, *, random: Random) -> None:
        self._first_s = limits.retry_first_s
        self._max_s = limits.retry_max_s
        self._random = random
        self.failures = 0

    def next_s(self) -> float:
        """Seconds to wait after one more failure."""
        ceiling = min(self._max_s, self._first_s * 2.0 ** min(self.failures, 62))
        self.failures += 1
        return max(self._first_s / 10, self._random.uniform(0.0, ceiling))

    def reset(self) -> None:
        """Something succeeded."""
        self.failures = 0
