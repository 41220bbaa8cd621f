"""Rates: what moved in the last minute, by dataset; 0 when nothing did; nothing is kept of what is over."""

from collections.abc import Iterator
from typing import Any

from core.names import DatasetId
from node.moving import DOWN, UP, Meter, metered
from sync.ports import RecipeStream
from tests.simulation.clock import ManualClock

MAPS = DatasetId("la-dgm/maps")
FAULTS = DatasetId("cn-cgs/faults")


def test_a_rate_is_what_moved_over_the_time_that_it_did():
    clock = ManualClock()
    meter = Meter(clock.monotonic)
    assert meter.rate(UP) == 0
    for _ in range(4):
        meter.note(UP, MAPS, 10_000)
        meter.note(DOWN, FAULTS, 2_000)
        clock.advance(5)
    assert (meter.rate(UP), meter.rate(DOWN)) == (2_000, 400)
    assert (meter.rate(UP, MAPS), meter.rate(UP, FAULTS), meter.rate(DOWN, FAULTS)) == (2_000, 0, 400)
    clock.advance(60)
    assert (meter.rate(UP), meter.rate(DOWN)) == (0, 0)
    assert (meter.total(UP), meter.total(DOWN)) == (40_000, 8_000)
    assert not meter._steps


def test_a_burst_is_no_rate_of_the_first_instant():
    clock = ManualClock()
    meter = Meter(clock.monotonic)
    meter.note(UP, MAPS, 1_000_000)
    assert meter.rate(UP) == 200_000


def test_a_long_transfer_is_told_by_its_last_minute():
    clock = ManualClock()
    meter = Meter(clock.monotonic)
    for second in range(300):
        meter.note(DOWN, FAULTS, 100 if second < 240 else 1_000)
        clock.advance(1)
    assert 900 <= meter.rate(DOWN) <= 1_000
    assert len(meter._steps[DOWN, FAULTS]) <= 13


class Hub:
    """As much of a hub as carries content."""

    def update_blobs(self, frames: Iterator[bytes]) -> Iterator[int]:
        for number, _ in enumerate(frames, 1):
            yield number

    def read_blobs(self, *_: Any) -> Iterator[bytes]:
        yield b"12345"
        yield b"678"

    def get_hub_info(self) -> str:
        return "the hub itself"


def test_content_is_counted_as_it_passes_and_everything_else_is_left_alone():
    meter = Meter(ManualClock().monotonic)
    hub: Any = metered(Hub(), meter, MAPS)  # type: ignore[arg-type]
    assert list(hub.update_blobs(iter([b"abc", b"de"]))) == [1, 2]
    assert list(hub.read_blobs(FAULTS, "id", RecipeStream.CONTENT, [])) == [b"12345", b"678"]
    assert hub.get_hub_info() == "the hub itself"
    assert (meter.total(UP), meter.total(DOWN)) == (5, 8)
    assert (meter.rate(UP, MAPS), meter.rate(DOWN, FAULTS)) == (1, 2)
