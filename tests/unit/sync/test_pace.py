"""Waiting: backoff that spreads, a rate that holds."""

from datetime import UTC, datetime
from random import Random

import pytest

from core.limits import Limits
from sync.bandwidth import LinkRate, TokenBucket
from sync.retry import Backoff


class Clock:
    """Stands still unless somebody sleeps."""

    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def test_backoff_grows_to_its_limit_and_starts_again_after_progress():
    backoff = Backoff(Limits(retry_first_s=1.0, retry_max_s=60.0), random=Random(5))
    waits = [backoff.next_s() for _ in range(200)]
    assert all(0.1 <= wait <= min(60.0, 2.0**place) for place, wait in enumerate(waits))
    assert max(waits) > 50.0
    backoff.reset()
    assert backoff.next_s() <= 1.0


def test_nodes_that_lost_a_hub_together_do_not_return_together():
    limits = Limits(retry_first_s=1.0, retry_max_s=60.0)
    waits = []
    for seed in range(100):
        backoff = Backoff(limits, random=Random(seed))
        backoff.failures = 10
        waits.append(backoff.next_s())
    assert len({int(wait / 6) for wait in waits}) == 10


def test_a_rate_holds_after_its_burst_whatever_the_pieces():
    clock = Clock()
    bucket = TokenBucket(1000.0, clock)
    begin = clock.at
    for size in [100, 5000, 1, 399, 2500]:
        bucket.wait(size)
    assert clock.at - begin == pytest.approx((8000 - 1000) / 1000.0)


def test_unused_time_saves_up_one_burst_only():
    clock = Clock()
    bucket = TokenBucket(1000.0, clock)
    bucket.wait(1000)
    clock.at += 3600
    bucket.wait(1000)
    assert bucket.take(500) == pytest.approx(0.5)


def test_no_rate_never_waits_and_a_rate_of_nothing_is_refused():
    assert TokenBucket(None, Clock()).take(1 << 40) == 0.0
    with pytest.raises(ValueError):
        TokenBucket(0.0, Clock())


def test_the_link_rate_is_unknown_first_and_follows_changes():
    link = LinkRate()
    link.record(1 << 20, 0.001)
    assert link.bytes_per_s == 0.0
    for _ in range(100):
        link.record(1 << 20, 0.01)
    assert link.bytes_per_s == pytest.approx(100 * (1 << 20), rel=0.1)
    for _ in range(500):
        link.record(1 << 20, 0.1)
    assert link.bytes_per_s == pytest.approx(10 * (1 << 20), rel=0.1)
