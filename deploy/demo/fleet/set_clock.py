"""A clock that stands still until it is told the time: the services of a hub whose past is being made.

clock = SetClock(start)
clock.go(start + timedelta(days=1))
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass
class SetClock:
    """Implements `core.clock.Clock`."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def go(self, moment: datetime) -> None:
        """It is `moment` now; it never goes back."""
        self.moment = max(self.moment, moment)
