"""Disks: each once, full in so many days only where it is filling; refused with what is free and needed."""

import json
from pathlib import Path

import pytest

from core.errors import Unavailable
from core.limits import GIB, Limits
from node.disks import FILE_NAME, Disks, days_left, is_low
from node.room import DiskUsage, Room, disk_usage
from node.status import DiskStatus
from tests.simulation.clock import ManualClock

HOUR = 3600.0
LIMITS = Limits(disk_reserve_bytes=GIB)


class Machine:
    """Folders on disks, as the test has them: free bytes by device, device by the folder's name."""

    def __init__(self) -> None:
        self.free = {1: 100 * GIB, 2: 40 * GIB}
        self.device = {"state": 1, "mirror": 2, "twin": 1}

    def __call__(self, path: Path) -> DiskUsage:
        if path.name not in self.device:
            raise FileNotFoundError(2, "No such file", str(path))
        device = self.device[path.name]
        return DiskUsage(200 * GIB, self.free[device], device)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def paths(*names: str) -> dict[str, Path]:
    shown = {"state": "state", "mirror": "mirror 1", "twin": "mirror 2", "gone": "mirror 3"}
    return {shown[name]: Path("/srv") / name for name in names}


def test_each_disk_is_told_once_and_one_that_cannot_be_asked_not_at_all(tmp_path: Path, machine: Machine):
    disks = Disks(tmp_path, Room(LIMITS, machine), ManualClock())
    found = disks.look(paths("state", "mirror", "twin", "gone"))
    assert [(each.name, each.free_bytes) for each in found] == [("state", 100 * GIB), ("mirror 1", 40 * GIB)]


def test_a_disk_that_fills_evenly_is_full_on_the_day_that_the_line_says(tmp_path: Path, machine: Machine):
    clock = ManualClock()
    disks = Disks(tmp_path, Room(LIMITS, machine), clock)
    for _ in range(24):
        disks.look(paths("mirror"))
        machine.free[2] -= GIB // 4
        clock.advance(HOUR)
    disks = Disks(tmp_path, Room(LIMITS, machine), clock)  # as after a restart
    [found] = disks.look(paths("mirror"))
    assert found.free_bytes == 34 * GIB
    assert found.days_left == pytest.approx(34 / 6, abs=0.1)
    assert is_low(found)


def test_nothing_is_foretold_from_too_little_or_where_nothing_fills():
    assert days_left([]) is None
    assert days_left([(0, 10), (3600, 5)]) is None
    assert days_left([(0, 10), (86_400, 10)]) is None
    assert days_left([(0, 10), (86_400, 11)]) is None
    assert days_left([(0, 10), (86_400, 5)]) == 1.0


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"disks": 3}', b'{"disks": {"state": [1]}}', b"\xff", None]
)
def test_a_history_that_is_damaged_begins_anew(tmp_path: Path, machine: Machine, content: bytes | None):
    (tmp_path / FILE_NAME).write_bytes(bytes(2 << 20) if content is None else content)
    disks = Disks(tmp_path, Room(LIMITS, machine), ManualClock())
    assert disks.look(paths("state"))[0].days_left is None
    assert len(json.loads((tmp_path / FILE_NAME).read_bytes())["disks"]["state"]) == 1


def test_the_history_is_bounded_and_a_clock_that_was_wrong_is_forgotten(tmp_path: Path, machine: Machine):
    clock = ManualClock()
    ahead = int(clock.now().timestamp()) + 10_000_000
    (tmp_path / FILE_NAME).write_text(json.dumps({"disks": {"state": [[ahead, 5]]}}))
    disks = Disks(tmp_path, Room(LIMITS, machine), clock)
    for _ in range(500):
        disks.look(paths("state"))
        clock.advance(HOUR)
    points = json.loads((tmp_path / FILE_NAME).read_bytes())["disks"]["state"]
    assert len(points) <= 169
    assert max(time for time, _ in points) < ahead


def test_looking_writes_once_an_hour_and_survives_a_disk_that_takes_nothing(tmp_path: Path, machine: Machine):
    clock = ManualClock()
    disks = Disks(tmp_path / "gone", Room(LIMITS, machine), clock)
    assert disks.look(paths("state"))
    disks = Disks(tmp_path, Room(LIMITS, machine), clock)
    disks.look(paths("state"))
    (tmp_path / FILE_NAME).unlink()
    disks.look(paths("state"))
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize(
    ("free", "days", "low"), [(9, None, True), (10, None, False), (50, 6.9, True), (50, 7.0, False)]
)
def test_low_is_less_than_a_tenth_or_a_week(free: int, days: float | None, low: bool):
    assert is_low(DiskStatus(name="state", free_bytes=free, total_bytes=100, days_left=days)) is low


def test_what_needs_more_than_there_is_is_refused_with_both(machine: Machine):
    room = Room(LIMITS, machine)
    room.need(Path("/srv/mirror"), "mirroring cn-cgs/faults", 39 * GIB)
    with pytest.raises(Unavailable) as caught:
        room.need(Path("/srv/mirror"), "mirroring cn-cgs/faults", 40 * GIB)
    assert caught.value.reason == "DISK_FULL"
    assert "42.9 GB are free there, 42.9 GB are needed and 1.1 GB are kept free" in caught.value.message
    assert caught.value.remedy == "free 1.1 GB on that disk; it goes on by itself"
    machine.free[2] += GIB
    room.need(Path("/srv/mirror"), "mirroring cn-cgs/faults", 40 * GIB)


def test_a_disk_that_cannot_be_asked_refuses_nothing(machine: Machine):
    Room(LIMITS, machine).need(Path("/srv/gone"), "anything", 1 << 60)


def test_a_folder_that_is_not_there_yet_is_on_the_disk_of_the_one_above(tmp_path: Path):
    assert disk_usage(tmp_path / "not" / "yet").device == tmp_path.stat().st_dev
