"""A clock that moves when it is told to, and when somebody sleeps."""

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


class ManualClock:
    """Implements `core.clock.Clock`. `sleep` returns at once and moves the time on."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic = 1000.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._monotonic += seconds
