"""Keep a transfer under a rate: a token bucket.

Rules: over any time t at most `bytes_per_s · t` plus one burst (a second's worth) pass; what is larger than the
burst passes in one piece and is paid for afterwards, so a frame is never split. Time is an argument; one bucket
may be shared by threads.

    bucket = TokenBucket(2_000_000, clock)      # 2 MB/s; None for no limit
    clock.sleep(bucket.take(len(frame)))        # or bucket.wait(len(frame))
"""

import threading

from core.clock import Clock


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
