"""Reports: at once when the state changes, seldom when it does not, never too often, and never an old one."""

from core.errors import Unavailable
from core.limits import Limits
from node.reporting import Pace, state_of
from node.status import (
    DiskStatus,
    MirrorStatus,
    PublishedStatus,
    StatusReport,
    TransferStatus,
    WatchStatus,
    WitnessStatus,
)
from node.status.model import Fault
from tests.simulation.clock import ManualClock

LIMITS = Limits(report_every_s=60.0, report_moving_s=10.0, report_least_s=5.0)
IDLE = StatusReport(
    partner="la-dgm",
    node="main",
    version="1",
    time="t",
    publish=(PublishedStatus(dataset="la-dgm/maps", state="up to date", seq=3),),
    mirrors=(MirrorStatus(dataset="cn-cgs/x", state="current", seq=1),),
)


def changed(report: StatusReport, **changes: object) -> StatusReport:
    return report.model_copy(update=changes)


def with_fault(report: StatusReport) -> StatusReport:
    fault = Fault.of(Unavailable("away", reason="UNREACHABLE"), ManualClock().now())
    return changed(report, faults={"hub": fault})


def test_an_idle_node_reports_once_a_minute():
    clock = ManualClock()
    pace = Pace(LIMITS, clock)
    shown = state_of(IDLE)
    assert pace.is_due(shown)
    sent = 0
    for _ in range(600):
        if pace.is_due(shown):
            pace.sent(shown)
            sent += 1
        clock.advance(1)
    assert sent == 10


def test_a_changed_state_is_told_at_once_and_never_twice_within_five_seconds():
    clock = ManualClock()
    pace = Pace(LIMITS, clock)
    pace.sent(state_of(IDLE))
    clock.advance(6)
    failed = state_of(with_fault(IDLE))
    assert pace.is_due(failed)
    pace.sent(failed)
    clock.advance(1)
    assert not pace.is_due(state_of(IDLE))
    assert pace.wait_s(state_of(IDLE)) == 4.0
    clock.advance(4)
    assert pace.is_due(state_of(IDLE))


def test_while_content_moves_it_reports_every_ten_seconds():
    clock = ManualClock()
    pace = Pace(LIMITS, clock)
    moving = state_of(changed(IDLE, transfer=TransferStatus(up_bytes_s=1)))
    assert moving.moves
    pace.sent(moving)
    clock.advance(9)
    assert not pace.is_due(moving)
    clock.advance(1)
    assert pace.is_due(moving)


def test_a_report_that_could_not_be_sent_is_not_kept_and_not_hurried():
    clock = ManualClock()
    pace = Pace(LIMITS, clock)
    away = state_of(with_fault(IDLE))
    pace.sent(away)  # and the hub did not answer
    for _ in range(59):
        clock.advance(1)
        assert not pace.is_due(away)
    clock.advance(1)
    assert pace.is_due(away)


def test_what_only_grows_is_no_change_of_state():
    mirror = IDLE.mirrors[0].model_copy(update={"last_success": "later"})
    grown = changed(
        IDLE,
        time="later",
        mirrors=(mirror,),
        witness=WitnessStatus(origin="x/log", size=9, read=9),
        transfer=TransferStatus(down_bytes_s=5),
        disks=(),
        watch=WatchStatus(last_full_scan="later"),
    )
    assert state_of(grown).state == state_of(IDLE).state


def test_what_a_person_wants_to_know_is_a_change_of_state():
    maps = IDLE.publish[0]
    others = [
        with_fault(IDLE),
        changed(IDLE, watch=WatchStatus(healthy=False)),
        changed(IDLE, disks=(DiskStatus(name="state", free_bytes=1, total_bytes=100),)),
        changed(IDLE, publish=(maps.model_copy(update={"seq": 4}),)),
        changed(IDLE, publish=(maps.model_copy(update={"bytes_left": 4}),)),
        changed(IDLE, publish=(maps.model_copy(update={"update_frequency": "daily"}),)),
        changed(IDLE, mirrors=()),
        changed(IDLE, registry_seq=4),
        changed(IDLE, started="now"),
    ]
    assert all(state_of(each).state != state_of(IDLE).state for each in others)


def test_bytes_that_go_down_are_told_at_the_pace_of_what_moves():
    maps = IDLE.publish[0]
    some = changed(IDLE, publish=(maps.model_copy(update={"bytes_left": 400}),))
    fewer = changed(IDLE, publish=(maps.model_copy(update={"bytes_left": 300}),))
    assert state_of(some).state == state_of(fewer).state


def test_nobody_sleeps_longer_than_a_change_may_wait():
    pace = Pace(LIMITS, ManualClock())
    pace.sent(state_of(IDLE))
    assert pace.wait_s(state_of(IDLE)) == 5.0
