"""Keep a transfer under a rate: a token bucket.

Rules: over any time t at most `bytes_per_s · t` plus one burst (a second's worth) pass; what is larger than
the burst passes in one piece and is paid for afterwards, so a frame is never split. Time is an argument;
one bucket may be shared by threads.

    bucket = TokenBucket(2_000_000, clock)      # 2 MB/s; None for no limit
    clock.sleep(bucket.take(len(frame)))        # or bucket.wait(len(frame))
"""

import threading

from core.clock import Clock
from core.limits import MIB


class TokenBucket:
    """A rate limit in bytes a second; `bytes_per_s` None lets everything pass."""

    def __init__(self, bytes_per_s: float | None, clock: Clock) -> None:
        if bytes_per_s is not None and bytes_per_s <= 0:
            raise ValueError("a rate is above zero")
        self._rate = bytes_per_s
        self._clock = clock
        self._tokens = bytes_per_s or 0.0
        self._filled_at = clock.monotonic()
        self._lock = threading.Lock()

    def take(self, count: int) -> float:
        """Take `count` bytes; the seconds to wait before they may pass (0.0: at once)."""
        if self._rate is None:
            return 0.0
        with self._lock:
            now = self._clock.monotonic()
            self._tokens = min(self._rate, self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
            self._tokens -= count
            return max(0.0, -self._tokens / self._rate)

    def wait(self, count: int) -> None:
        """Take `count` bytes and sleep until they may pass."""
        seconds = self.take(count)
        if seconds > 0.0:
            self._clock.sleep(seconds)


class LinkRate:
    """How fast a link takes bytes while there are some to take; recent ones count most. One writer."""

    _ENOUGH_BYTES = 8 * MIB
    _FORGET_BYTES = 64 * MIB

    def __init__(self) -> None:
        self._bytes = 0.0
        self._seconds = 0.0

    def record(self, count: int, seconds: float) -> None:
        """The link has taken `count` bytes more, and kept its sender waiting for so long."""
        self._bytes += count
        self._seconds += seconds
        if self._bytes > self._FORGET_BYTES:
            self._bytes /= 2
            self._seconds /= 2

    @property
    def bytes_per_s(self) -> float:
        """The rate; 0.0 while too little has passed to tell."""
        if self._bytes < self._ENOUGH_BYTES:
            return 0.0
        return self._bytes / max(self._seconds, 1e-9)
