"""Watching: who is watched how is told, a watcher that died is replaced, nothing late is called healthy."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.clock import Clock, format_instant
from core.names import PartnerId
from node.config import PublishSection
from node.status import PublishedStatus, StatusBoard, empty_report
from node.watch import Watcher
from node.watching import Watching
from tests.simulation.clock import ManualClock

MAPS = "la-dgm/maps"


class Observer:
    """A kernel that is asked to watch."""

    def __init__(self, error: OSError | None = None) -> None:
        self.alive = True
        self.error = error

    def start(self) -> None: ...

    def schedule(self, *_: Any, **__: Any) -> object:
        if self.error is not None:
            raise self.error
        return object()

    def stop(self) -> None:
        self.alive = False

    def join(self, _timeout: float) -> None: ...

    def is_alive(self) -> bool:
        return self.alive


class Eyes:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.woken: list[str] = []
        self.observers: list[Observer] = []
        self.error: OSError | None = None
        self.watching = Watching(
            self.clock, PartnerId("la-dgm"), self.woken.append, make_watcher=self._watcher
        )
        rest = {"title": {"en": "x"}, "theme": "other", "license": "CC-BY-4.0", "rights_holder": "x"}
        self.sections = {
            MAPS: PublishSection.model_validate({"dataset": "maps", "path": str(folder / "maps"), **rest})
        }

    def _watcher(self, clock: Clock, heard: Callable[[], None]) -> Watcher:
        def observer() -> Any:
            self.observers.append(Observer(self.error))
            return self.observers[-1]

        return Watcher(clock, heard, make_observer=observer)

    def turn(self) -> None:
        self.watching.turn(threading.Event(), 0.0)


@pytest.fixture
def eyes(tmp_path: Path) -> Eyes:
    (tmp_path / "maps").mkdir()
    return Eyes(tmp_path)


def row(eyes: Eyes, scanned: bool = True) -> tuple[PublishedStatus, ...]:
    return (PublishedStatus(dataset=MAPS, last_scan=format_instant(eyes.clock.now()) if scanned else None),)


def test_folders_that_are_watched_are_healthy(eyes: Eyes):
    eyes.watching.begin(eyes.sections)
    found = eyes.watching.status(row(eyes))
    assert (found.mode, found.healthy, found.last_full_scan, found.note) == (
        "events", True, format_instant(eyes.clock.now()), "",
    )  # fmt: skip
    assert eyes.watching.status(row(eyes, scanned=False)).last_full_scan is None
    assert eyes.woken == [MAPS]


def test_a_watcher_that_died_is_replaced_and_everything_is_looked_at(eyes: Eyes):
    eyes.watching.begin(eyes.sections)
    eyes.observers[0].alive = False
    eyes.turn()
    assert len(eyes.observers) == 2
    assert eyes.woken == [MAPS, MAPS]
    eyes.turn()
    assert len(eyes.observers) == 2


def test_exhausted_watches_are_a_fault_until_there_are_some(eyes: Eyes, tmp_path: Path):
    board = StatusBoard(tmp_path, empty_report("la-dgm", "main", "1", eyes.clock.now()), eyes.clock.now)
    eyes.error = OSError(28, "No space left on device")
    eyes.watching.begin(eyes.sections)
    eyes.watching.show(board)
    assert (board.report.watch.mode, board.report.watch.healthy) == ("scan only", False)
    assert board.report.faults["watch"].reason == "NOT_WATCHED"
    assert "max_user_watches" in board.report.faults["watch"].remedy
    eyes.error = None
    eyes.watching.begin(eyes.sections)
    eyes.watching.show(board)
    assert board.report.watch.mode == "events"
    assert "watch" not in board.report.faults


def test_a_network_file_system_is_told_and_is_no_fault(
    eyes: Eyes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("node.folder.mount_points", lambda: [("/", "ext4"), (str(tmp_path), "nfs4")])
    eyes.watching.begin(eyes.sections)
    found = eyes.watching.status(row(eyes))
    assert (found.mode, found.healthy) == ("scan only", True)
    assert found.note == f"{MAPS}: found by scans only"


def test_a_folder_that_is_not_there_is_told_and_watched_when_it_comes(eyes: Eyes, tmp_path: Path):
    (tmp_path / "maps").rmdir()
    eyes.watching.begin(eyes.sections)
    found = eyes.watching.status(row(eyes))
    assert (found.healthy, found.note) == (False, f"{MAPS}: the folder is not there")
    (tmp_path / "maps").mkdir()
    eyes.turn()
    assert eyes.watching.status(row(eyes)).healthy
    assert eyes.woken == [MAPS]


def test_a_folder_that_nobody_compared_for_three_periods_is_not_healthy(eyes: Eyes):
    eyes.watching.begin(eyes.sections)
    before = row(eyes)
    eyes.clock.advance(3 * 900)
    assert eyes.watching.status(before).healthy
    eyes.clock.advance(301)
    found = eyes.watching.status(before)
    assert (found.healthy, found.note) == (False, f"{MAPS}: not compared for long")


def test_a_node_that_publishes_nothing_watches_nothing(eyes: Eyes):
    eyes.watching.begin({})
    found = eyes.watching.status(())
    assert (found.mode, found.healthy, found.note) == ("off", True, "nothing is published")
