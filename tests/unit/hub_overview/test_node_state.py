"""One word for a node: silence is never green, what is stuck is told from what moves."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.limits import LIMITS
from hub.overview.model import WORST_FIRST
from hub.overview.node_state import Stillness, first_still, node_state, rank
from hub.overview.report import read_value
from hub.overview.reports import NodeReport

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATASET = "th-dmr/faults"
BEHIND: dict[str, Any] = {"mirrors": [{"dataset": DATASET, "seq": 1, "wanted_seq": 2, "bytes_left": 900}]}
FAULT: dict[str, Any] = {"faults": {"disk": {"message": "full"}}}


def seen(ago_s: float = 10, **said: Any) -> NodeReport:
    time = NOW - timedelta(seconds=ago_s)
    return NodeReport("la-dgm", "main", time, read_value(said, time))


@pytest.mark.parametrize(
    ("report", "options", "state"),
    [
        (None, {}, "no report yet"),
        (None, {"left": True}, "left"),
        (seen(), {}, "in sync"),
        (seen(**BEHIND), {}, "behind"),
        (seen(**BEHIND), {"still_since": NOW - timedelta(minutes=29)}, "behind"),
        (seen(**BEHIND), {"still_since": NOW - timedelta(minutes=31)}, "stuck"),
        (seen(**BEHIND, transfer={"down_bytes_s": 5}), {"still_since": NOW - timedelta(hours=9)}, "behind"),
        (seen(), {"still_since": NOW - timedelta(hours=9)}, "in sync"),
        (seen(**BEHIND, **FAULT), {"still_since": NOW - timedelta(hours=9)}, "trouble"),
        (seen(publish=[{"dataset": DATASET, "attention": ["held"]}]), {}, "trouble"),
        (seen(179), {}, "in sync"),
        (seen(181), {}, "silent"),
        (seen(181, **FAULT), {}, "silent"),
        (seen(181), {"alarms": 1}, "alarm"),
        (seen(181), {"alarms": 1, "left": True}, "left"),
        (seen(-3600), {}, "in sync"),  # the hub's clock was set back
    ],
)
def test_the_word_for_a_node(report: NodeReport | None, options: dict[str, Any], state: str):
    assert node_state(report, NOW, LIMITS, **options) == state


@pytest.mark.parametrize(
    "state", ["visible, not granted", "not shared with us", "grant ended", "waiting for content"]
)
def test_what_a_node_may_not_have_does_not_make_it_late(state: str):
    row = {"dataset": DATASET, "state": state, "seq": 1, "wanted_seq": 5, "bytes_left": 10**9}
    assert node_state(seen(mirrors=[row]), NOW, LIMITS) == "in sync"


def test_every_state_has_its_place_in_the_order():
    assert [rank(state) for state in WORST_FIRST] == list(range(len(WORST_FIRST)))


def _still(*samples: tuple[float, str, int, int]) -> Stillness:
    """Samples as (minutes, state, bytes left, rate)."""
    minutes, state, left, _ = samples[0]
    still = first_still(NOW + timedelta(minutes=minutes), state, left)
    for minutes, state, left, rate in samples[1:]:
        still = still.after(NOW + timedelta(minutes=minutes), state, left, rate, LIMITS)
    return still


def test_still_since_the_first_sample_without_movement():
    still = _still((0, "behind", 900, 0), (10, "behind", 900, 0), (20, "behind", 900, 0))
    assert still.now(900) == NOW
    assert still.now(1900) == NOW, "more to do is no movement"
    assert still.now(899) is None, "a byte has moved since"


@pytest.mark.parametrize(
    "moved",
    [(20, "behind", 800, 0), (20, "behind", 900, 7), (60, "behind", 900, 0)],
    ids=["fewer bytes", "a rate", "a pause that says nothing"],
)
def test_movement_begins_the_count_anew(moved: tuple[float, str, int, int]):
    still = _still((0, "behind", 900, 0), (10, "behind", 900, 0), moved)
    assert still.since == NOW + timedelta(minutes=moved[0])


def test_nothing_to_do_is_never_still():
    assert _still((0, "behind", 900, 0), (10, "in sync", 0, 0)).since is None
    assert _still((0, "behind", 0, 0), (10, "behind", 0, 0)).since == NOW, "waiting without bytes is waiting"
